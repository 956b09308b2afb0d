//! Which files steer the machine, by where they are.

use spec::TreePath;

/// A file in a place that somebody reads without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found<'p> {
    pub(crate) reader: Reader,
    /// The parts of its path below the place; empty if the place is the file itself.
    pub(crate) below: Vec<&'p str>,
}

/// Who reads the files of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Udev,
    Modprobe,
    ModulesLoad,
    Sysctl,
    Tmpfiles,
    Sysusers,
    Binfmt,
    Linker,
    Units,
    Presets,
    Generators,
    Cri,
    Cni,
    /// Somebody else; the whole path is the subject.
    Hooks,
}

use Reader::*;

/// The places, the deeper ones before those that they are in. Manual pages: udev(7), modprobe.d(5), modules-load.d(5),
/// sysctl.d(5), tmpfiles.d(5), sysusers.d(5), binfmt.d(5), ldconfig(8), systemd.unit(5) for units of the system and of
/// users, systemd.preset(5), systemd.generator(7), systemd.environment-generator(7), containers.conf(5), CNI's
/// conventions for `/opt/cni/bin`, NRI's for `/opt/nri`, dbus-daemon(1), polkit(8), pam.d(5), nsswitch.conf(5),
/// NetworkManager-dispatcher(8), kernel-install(8), dracut(8), environment.d(5), hwdb(7), repart.d(5), sysupdate.d(5),
/// xorg.conf.d(5), iconvconfig(8), libglvnd's and the Vulkan loader's documents on how drivers are found. ostree
/// merges `/usr/etc` into `/etc`.
const PLACES: &[(&str, Reader)] = &[
    ("/usr/lib/udev/rules.d", Udev),
    ("/usr/local/lib/udev/rules.d", Udev),
    ("/usr/lib/udev/hwdb.d", Hooks),
    ("/usr/lib/udev/hwdb.bin", Hooks),
    ("/usr/local/lib/udev/hwdb.d", Hooks),
    ("/usr/lib/modprobe.d", Modprobe),
    ("/usr/local/lib/modprobe.d", Modprobe),
    ("/usr/lib/modules-load.d", ModulesLoad),
    ("/usr/local/lib/modules-load.d", ModulesLoad),
    ("/usr/lib/sysctl.d", Sysctl),
    ("/usr/local/lib/sysctl.d", Sysctl),
    ("/usr/lib/tmpfiles.d", Tmpfiles),
    ("/usr/local/lib/tmpfiles.d", Tmpfiles),
    ("/usr/share/user-tmpfiles.d", Tmpfiles),
    ("/usr/local/share/user-tmpfiles.d", Tmpfiles),
    ("/usr/lib/sysusers.d", Sysusers),
    ("/usr/local/lib/sysusers.d", Sysusers),
    ("/usr/lib/binfmt.d", Binfmt),
    ("/usr/local/lib/binfmt.d", Binfmt),
    ("/usr/lib/ld.so.conf", Linker),
    ("/usr/lib/ld.so.conf.d", Linker),
    ("/usr/etc/ld.so.conf", Linker),
    ("/usr/etc/ld.so.conf.d", Linker),
    ("/usr/lib/systemd/system", Units),
    ("/usr/lib/systemd/user", Units),
    ("/usr/local/lib/systemd/system", Units),
    ("/usr/local/lib/systemd/user", Units),
    ("/usr/share/systemd/user", Units),
    ("/usr/local/share/systemd/user", Units),
    ("/usr/lib/systemd/system-preset", Presets),
    ("/usr/lib/systemd/user-preset", Presets),
    ("/usr/lib/systemd/initrd-preset", Presets),
    ("/usr/local/lib/systemd/system-preset", Presets),
    ("/usr/local/lib/systemd/user-preset", Presets),
    ("/usr/share/systemd/user-preset", Presets),
    ("/usr/local/share/systemd/user-preset", Presets),
    ("/usr/lib/systemd/system-generators", Generators),
    ("/usr/lib/systemd/user-generators", Generators),
    ("/usr/lib/systemd/system-environment-generators", Generators),
    ("/usr/lib/systemd/user-environment-generators", Generators),
    ("/usr/local/lib/systemd/system-generators", Generators),
    ("/usr/local/lib/systemd/user-generators", Generators),
    ("/usr/local/lib/systemd/system-environment-generators", Generators),
    ("/usr/local/lib/systemd/user-environment-generators", Generators),
    ("/usr/share/containers", Cri),
    ("/usr/share/containerd", Cri),
    ("/usr/share/crio", Cri),
    ("/usr/local/share/containers", Cri),
    ("/usr/etc/containerd", Cri),
    ("/usr/etc/containers", Cri),
    ("/usr/etc/cri", Cri),
    ("/usr/etc/crio", Cri),
    ("/usr/lib/docker", Cri),
    ("/usr/local/lib/docker", Cri),
    ("/usr/libexec/docker", Cri),
    ("/usr/local/libexec/docker", Cri),
    ("/usr/lib/containers", Cri),
    ("/usr/lib/containerd", Cri),
    ("/usr/lib/cri", Cri),
    ("/usr/lib/crio", Cri),
    ("/usr/libexec/oci/hooks.d", Cri),
    ("/opt/nri", Cri),
    ("/opt/containerd", Cri),
    ("/usr/etc/cni", Cni),
    ("/usr/share/cni", Cni),
    ("/opt/cni", Cni),
    ("/usr/lib/cni", Cni),
    ("/usr/libexec/cni", Cni),
    ("/usr/local/lib/cni", Cni),
    ("/usr/local/libexec/cni", Cni),
    // What is left of systemd's directories: configuration, networks, programs that run before and after sleep.
    ("/usr/lib/systemd", Hooks),
    ("/usr/local/lib/systemd", Hooks),
    ("/usr/share/systemd", Hooks),
    ("/usr/local/share/systemd", Hooks),
    ("/usr/lib/environment.d", Hooks),
    ("/usr/local/lib/environment.d", Hooks),
    ("/usr/local/lib/repart.d", Hooks),
    ("/usr/local/lib/sysupdate.d", Hooks),
    ("/usr/local/lib/extensions", Hooks),
    ("/usr/local/lib/confexts", Hooks),
    ("/usr/local/lib/userdb", Hooks),
    ("/usr/local/lib/kernel", Hooks),
    ("/usr/lib/credstore.encrypted", Hooks),
    ("/usr/lib/dnssec-trust-anchors.d", Hooks),
    ("/usr/lib/networkd-dispatcher", Hooks),
    ("/usr/lib/initcpio", Hooks),
    ("/usr/lib/polkit-1", Hooks),
    ("/usr/lib/profile.d", Hooks),
    ("/usr/share/profile.d", Hooks),
    ("/usr/share/pam.d", Hooks),
    ("/usr/share/factory", Hooks),
    ("/usr/share/bash-completion", Hooks),
    ("/usr/local/share/bash-completion", Hooks),
    ("/usr/share/fish", Hooks),
    ("/usr/local/share/fish", Hooks),
    ("/usr/share/zsh", Hooks),
    ("/usr/local/share/zsh", Hooks),
    ("/usr/libexec/kubernetes", Hooks),
    ("/opt/libexec/kubernetes", Hooks),
    ("/usr/lib/repart.d", Hooks),
    ("/usr/lib/sysupdate.d", Hooks),
    ("/usr/lib/extensions", Hooks),
    ("/usr/lib/confexts", Hooks),
    ("/usr/lib/portables", Hooks),
    ("/usr/lib/userdb", Hooks),
    ("/usr/lib/credstore", Hooks),
    ("/usr/lib/kernel", Hooks),
    ("/usr/lib/dracut", Hooks),
    ("/usr/share/initramfs-tools", Hooks),
    ("/usr/lib/NetworkManager", Hooks),
    ("/usr/lib/pam.d", Hooks),
    ("/usr/share/pam-configs", Hooks),
    ("/usr/lib/security", Hooks),
    ("/usr/lib64/security", Hooks),
    ("/usr/lib/x86_64-linux-gnu/security", Hooks),
    ("/usr/lib/aarch64-linux-gnu/security", Hooks),
    ("/usr/share/dbus-1", Hooks),
    ("/usr/local/share/dbus-1", Hooks),
    ("/usr/share/polkit-1", Hooks),
    ("/usr/local/share/polkit-1", Hooks),
    ("/usr/share/X11/xorg.conf.d", Hooks),
    // They come before all others for whoever looks for a program, or for firmware, by its name.
    ("/usr/local/bin", Hooks),
    ("/usr/local/sbin", Hooks),
    ("/usr/lib/firmware/updates", Hooks),
    // Every program that converts text, is debugged, or draws with the GPU loads libraries that these name.
    ("/usr/lib/gconv", Hooks),
    ("/usr/lib64/gconv", Hooks),
    ("/usr/lib/x86_64-linux-gnu/gconv", Hooks),
    ("/usr/lib/aarch64-linux-gnu/gconv", Hooks),
    ("/usr/share/gdb/auto-load", Hooks),
    ("/usr/share/glvnd", Hooks),
    ("/usr/share/vulkan", Hooks),
    ("/usr/share/egl", Hooks),
    ("/usr/lib/lsb/init-functions.d", Hooks),
    ("/usr/share/python3/runtime.d", Hooks),
    ("/usr/share/debianutils/shells.d", Hooks),
    ("/usr/share/libalpm", Hooks),
    ("/usr/lib/ostree", Hooks),
    ("/usr/lib/bootc", Hooks),
    ("/usr/lib/greenboot", Hooks),
    ("/usr/share/pki", Hooks),
    ("/usr/share/ca-certificates", Hooks),
    ("/usr/share/p11-kit", Hooks),
    ("/usr/etc", Hooks),
    ("/usr/local/etc", Hooks),
];

/// Parts of a path that steer wherever they are: libraries in such directories come before all others of their name
/// (glibc, NEWS of 2.33).
const PREFERRED_LIBRARIES: &str = "glibc-hwcaps";

/// The place that a path is in, or is.
pub(crate) fn of(path: &TreePath) -> Option<Found<'_>> {
    let parts: Vec<&str> = path.components().collect();
    if parts.contains(&PREFERRED_LIBRARIES) || is_run_by_python(&parts) {
        return Some(Found { reader: Hooks, below: Vec::new() });
    }
    PLACES.iter().find_map(|(place, reader)| Some(Found { reader: *reader, below: below(path, place)? }))
}

/// Every Python program runs these as it starts (Python, library/site).
fn is_run_by_python(parts: &[&str]) -> bool {
    let name = parts.last().copied().unwrap_or_default();
    let at_start = name.ends_with(".pth") || matches!(name, "sitecustomize.py" | "usercustomize.py");
    at_start && parts.iter().any(|part| matches!(*part, "dist-packages" | "site-packages"))
}

/// Is a place at `path`, or somewhere below it?
pub(crate) fn holds_one(path: &TreePath) -> bool {
    let parts: Vec<&str> = path.components().collect();
    PLACES.iter().any(|(place, _)| {
        let mut place = place.split('/').skip(1);
        parts.iter().all(|part| place.next() == Some(*part))
    })
}

/// Where the kernel looks for firmware (drivers/base/firmware_loader/main.c, `fw_path`), as far as extensions have it.
pub(crate) fn is_firmware(path: &TreePath) -> bool {
    below(path, "/usr/lib/firmware").is_some_and(|below| !below.is_empty())
}

/// The unit that a link among units is for: an alias, or one that another unit pulls in (systemd.unit(5), "[Install]").
pub(crate) fn enabled_unit<'p>(path: &'p TreePath, found: &Found<'p>) -> Option<&'p str> {
    let pulls =
        |directory: &str| [".wants", ".requires", ".upholds"].iter().any(|end| directory.ends_with(end));
    match (found.reader, found.below.as_slice()) {
        (Units, [name]) if !name.ends_with(".d") && !pulls(name) => path.file_name(),
        (Units, [directory, _]) if pulls(directory) => path.file_name(),
        _ => None,
    }
}

/// The parts of a path below a place, if it is there. Every file of an image is asked about every place, and a path is
/// written in one way only, so texts are compared first.
fn below<'p>(path: &'p TreePath, place: &str) -> Option<Vec<&'p str>> {
    let rest = path.as_str().strip_prefix(place)?;
    match rest.strip_prefix('/') {
        Some(below) => Some(below.split('/').collect()),
        None if rest.is_empty() => Some(Vec::new()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(path: &str) -> Option<Reader> {
        of(&path.parse().unwrap()).map(|found| found.reader)
    }

    #[test]
    fn places_are_told_by_component_and_the_deeper_one_counts() {
        assert_eq!(reader("/usr/lib/udev/rules.d/60-x.rules"), Some(Udev));
        assert_eq!(reader("/usr/lib/udev/rules.d-x/60-x.rules"), None);
        assert_eq!(reader("/usr/lib/udev/program"), None);
        assert_eq!(reader("/usr/lib/systemd/system/a.service"), Some(Units));
        assert_eq!(reader("/usr/lib/systemd/system-sleep/a"), Some(Hooks));
        assert_eq!(reader("/usr/etc/ld.so.conf.d/a.conf"), Some(Linker));
        assert_eq!(reader("/usr/etc/passwd"), Some(Hooks));
        assert_eq!(reader("/usr/bin/x"), None);
        let parts = |path: &str| of(&path.parse().unwrap()).map(|found| found.below.join(" "));
        assert_eq!(parts("/usr/etc/cni/net.d/10.conf").as_deref(), Some("net.d 10.conf"));
        assert_eq!(parts("/usr/lib/ld.so.conf").as_deref(), Some(""));
    }

    #[test]
    fn no_place_is_hidden_behind_one_before_it() {
        for (index, (place, _)) in PLACES.iter().enumerate() {
            let path: TreePath = place.parse().unwrap();
            let hidden = |earlier: &&(&str, Reader)| path.is_within(&earlier.0.parse().unwrap());
            assert_eq!(PLACES[..index].iter().find(hidden), None, "{place}");
        }
    }

    #[test]
    fn directories_that_hold_places_are_known() {
        for holder in [
            "/usr/lib",
            "/usr/lib/udev",
            "/usr/lib/udev/rules.d",
            "/usr/etc",
            "/opt/cni",
            "/usr/lib/binfmt.d",
        ] {
            assert!(holds_one(&holder.parse().unwrap()), "{holder}");
        }
        for other in ["/usr/lib/udev/rules.d/x", "/usr/bin", "/usr/lib/binfmt"] {
            assert!(!holds_one(&other.parse().unwrap()), "{other}");
        }
    }
}
