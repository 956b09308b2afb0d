//! The options of a kernel's configuration that decide whether a module loads.

use std::fmt;

use spec::{Diagnose, Outcome};

/// An option of the kernel's configuration. The number is its bit in `kabi.db`, so it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum KernelOption {
    /// Symbols have versions, which are compared.
    Modversions = 0,
    /// Modules that do not say what they were built for are loaded, and taint the kernel.
    ModuleForceLoad = 1,
    /// Signatures of modules are checked.
    ModuleSig = 2,
    /// Modules without a valid signature are refused.
    ModuleSigForce = 3,
    /// A symbol in a namespace that is not imported gives a warning only.
    AllowMissingNamespaceImports = 4,
    /// Type information that is not about this kernel does not keep a module from loading.
    ModuleAllowBtfMismatch = 5,
    /// Modules have type information of their own.
    DebugInfoBtfModules = 6,
    /// Symbols that no module of the build uses are not exported.
    TrimUnusedKsyms = 7,
    /// Modules may patch the running kernel.
    Livepatch = 8,
    /// Firmware may be compressed with xz.
    FwLoaderCompressXz = 9,
    /// Firmware may be compressed with zstd.
    FwLoaderCompressZstd = 10,
    // 11 was whether lockdown may be switched on: nothing follows from that but on the machine where it is.
    /// Lockdown is in force from the start, for the sake of integrity.
    LockdownIntegrity = 12,
    /// Lockdown is in force from the start, for the sake of confidentiality too.
    LockdownConfidentiality = 13,
    /// Keys may be added to those that are built in, by whoever has one of these.
    SecondaryTrustedKeyring = 14,
    /// Lockdown is in force, for the sake of integrity, on machines with Secure Boot switched on. No option of Linux: a
    /// patch of Debian's, Fedora's and Ubuntu's.
    LockdownInSecureBoot = 15,
}

impl KernelOption {
    /// All of them, in the order of their bits.
    pub const ALL: [KernelOption; 15] = [
        KernelOption::Modversions,
        KernelOption::ModuleForceLoad,
        KernelOption::ModuleSig,
        KernelOption::ModuleSigForce,
        KernelOption::AllowMissingNamespaceImports,
        KernelOption::ModuleAllowBtfMismatch,
        KernelOption::DebugInfoBtfModules,
        KernelOption::TrimUnusedKsyms,
        KernelOption::Livepatch,
        KernelOption::FwLoaderCompressXz,
        KernelOption::FwLoaderCompressZstd,
        KernelOption::LockdownIntegrity,
        KernelOption::LockdownConfidentiality,
        KernelOption::SecondaryTrustedKeyring,
        KernelOption::LockdownInSecureBoot,
    ];

    /// What Kconfig calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            KernelOption::Modversions => "CONFIG_MODVERSIONS",
            KernelOption::ModuleForceLoad => "CONFIG_MODULE_FORCE_LOAD",
            KernelOption::ModuleSig => "CONFIG_MODULE_SIG",
            KernelOption::ModuleSigForce => "CONFIG_MODULE_SIG_FORCE",
            KernelOption::AllowMissingNamespaceImports => "CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS",
            KernelOption::ModuleAllowBtfMismatch => "CONFIG_MODULE_ALLOW_BTF_MISMATCH",
            KernelOption::DebugInfoBtfModules => "CONFIG_DEBUG_INFO_BTF_MODULES",
            KernelOption::TrimUnusedKsyms => "CONFIG_TRIM_UNUSED_KSYMS",
            KernelOption::Livepatch => "CONFIG_LIVEPATCH",
            KernelOption::FwLoaderCompressXz => "CONFIG_FW_LOADER_COMPRESS_XZ",
            KernelOption::FwLoaderCompressZstd => "CONFIG_FW_LOADER_COMPRESS_ZSTD",
            KernelOption::LockdownIntegrity => "CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY",
            KernelOption::LockdownConfidentiality => "CONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY",
            KernelOption::SecondaryTrustedKeyring => "CONFIG_SECONDARY_TRUSTED_KEYRING",
            KernelOption::LockdownInSecureBoot => "CONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT",
        }
    }

    const fn bit(self) -> u64 {
        1 << self as u8
    }
}

impl fmt::Display for KernelOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known about the options of a kernel. A profile of an earlier version knows nothing of later options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KernelOptions {
    known: u64,
    on: u64,
}

/// The text is not the configuration of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A line that kconfig does not write.
    #[error("line {line}: {text:?} sets no option and is no comment")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Its start.
        text: String,
    },
    /// No option is set at all.
    #[error("no option is set")]
    Empty,
}

impl Diagnose for ConfigError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

impl KernelOptions {
    /// Reads a `.config`. An option that it does not mention is one that this kernel does not have: it is off.
    pub fn from_config(text: &str) -> Result<KernelOptions, ConfigError> {
        let mut options = KernelOptions::default();
        let mut any = false;
        for (index, line) in text.lines().enumerate() {
            // An option that is off is in a comment: `# CONFIG_X is not set`.
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=').filter(|_| line.starts_with("CONFIG_")) else {
                return Err(ConfigError::Line { line: index + 1, text: line.chars().take(80).collect() });
            };
            any = true;
            if let Some(option) = KernelOption::ALL.iter().find(|option| option.as_str() == name) {
                options.on |= if value == "y" { option.bit() } else { 0 };
            }
        }
        options.known = KernelOption::ALL.iter().fold(0, |known, option| known | option.bit());
        if any { Ok(options) } else { Err(ConfigError::Empty) }
    }

    /// Is the option on? Nothing where that is not known.
    pub fn get(&self, option: KernelOption) -> Option<bool> {
        let is_in = |bits: u64| bits & option.bit() != 0;
        is_in(self.known).then(|| is_in(self.on))
    }

    /// The options with these bits; nothing where one is on that is not known.
    pub(super) fn from_bits(known: u64, on: u64) -> Option<KernelOptions> {
        (on & !known == 0).then_some(KernelOptions { known, on })
    }

    /// Which are known, and which of these are on.
    pub(super) fn bits(&self) -> [u64; 2] {
        [self.known, self.on]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_an_interface() {
        let bits = KernelOption::ALL.map(|option| option.bit().trailing_zeros());
        assert_eq!(bits, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15]);
        assert_eq!(KernelOption::LockdownInSecureBoot.bit(), 0x8000);
    }

    #[test]
    fn a_config_says_of_every_option_whether_it_is_on() {
        let text = "#\n# Linux/x86 6.1\n#\nCONFIG_MODVERSIONS=y\n# CONFIG_MODULE_SIG is not set\n\
            CONFIG_MODULE_SIG_HASH=\"sha256\"\n\nCONFIG_LIVEPATCH=n\n";
        let options = KernelOptions::from_config(text).unwrap();
        assert_eq!(options.get(KernelOption::Modversions), Some(true));
        for off in [KernelOption::ModuleSig, KernelOption::Livepatch, KernelOption::LockdownInSecureBoot] {
            assert_eq!(options.get(off), Some(false), "{off}");
        }
        assert_eq!(KernelOptions::default().get(KernelOption::Modversions), None);
    }

    #[test]
    fn other_text_is_no_config() {
        let error = |text| KernelOptions::from_config(text).unwrap_err().to_string();
        assert_eq!(error("# comment\n"), "no option is set");
        assert_eq!(error("CONFIG_A=y\nall: x\n"), "line 2: \"all: x\" sets no option and is no comment");
        assert!(KernelOptions::from_bits(1, 3).is_none());
    }
}
