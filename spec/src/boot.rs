//! Where composing puts things and boot finds them: the initramfs, and the medium that it looks for.

/// Below `/` of the initramfs. Whoever trusts the kernel and its initramfs trusts these files.
pub mod initramfs {
    /// The boot program.
    pub const INIT: &str = "/init";
    /// [`crate::base::BaseDescription`] as JSON.
    pub const BASE: &str = "/tenon/base.json";
    /// The trust policy.
    pub const TRUST: &str = "/tenon/trust.yaml";
    /// Directory of the modules of [`crate::base::BaseDescription::boot_modules`], named `NAME.ko`.
    pub const MODULES: &str = "/tenon/modules";
}

/// Below the root of the medium. Nothing here is believed before it is checked.
pub mod medium {
    /// Volume identifier of the ISO 9660 file system, unless a kernel argument names another.
    pub const VOLUME: &str = "TENON";
    /// The root image of the base.
    pub const ROOT: &str = "tenon/root.squashfs";
    /// The base, as in [`super::initramfs::BASE`]; for people and tools, since boot goes by the initramfs.
    pub const BASE: &str = "tenon/base.json";
    /// The machine config.
    pub const MACHINE: &str = "tenon/machine.yaml";
    /// What the keys of the trust policy have signed since: policies, revocations and sets, with their signatures.
    pub const TRUST: &str = "tenon/trust";
    /// The extensions: an OCI image layout.
    pub const STORE: &str = "tenon/store";
}

/// Below `/` of the booted system, on a tmpfs.
pub mod run {
    /// [`crate::status::Status`] as JSON.
    pub const STATUS: &str = "/run/tenon/status.json";
    /// The same in the form of Talos, to which a base may have `/etc/extensions.yaml` as a link.
    pub const TALOS: &str = "/run/tenon/extensions.yaml";
    /// The same as a feature file of Node Feature Discovery, in a directory of its own.
    pub const FEATURES: &str = "/run/tenon/features.d/tenon";
    /// The cache of the dynamic linker, to which a base may have `/etc/ld.so.cache` as a link.
    pub const LINKER_CACHE: &str = "/run/tenon/ld.so.cache";
    /// The boot program, for `extruntime status`.
    pub const PROGRAM: &str = "/run/tenon/extruntime";
}
