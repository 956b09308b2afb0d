//! Processor architectures, and what each neighbour calls them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An architecture that Tenon builds for and boots on. The written form is OCI's (GOARCH).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// AArch64, little-endian.
    Arm64,
}

impl Arch {
    /// The name in OCI platforms and in Tenon's own documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
        }
    }

    /// `uname -m`.
    pub const fn machine(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64",
            Arch::Arm64 => "aarch64",
        }
    }

    /// The value of `ARCHITECTURE=` in extension-release files (systemd's names).
    pub const fn systemd(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86-64",
            Arch::Arm64 => "arm64",
        }
    }

    /// `e_machine` of its ELF files (ELF gABI: EM_X86_64 62, EM_AARCH64 183).
    pub const fn elf_machine(self) -> u16 {
        match self {
            Arch::Amd64 => 62,
            Arch::Arm64 => 183,
        }
    }

    /// The architecture that `uname -m` calls `machine`.
    pub fn from_machine(machine: &str) -> Option<Arch> {
        [Arch::Amd64, Arch::Arm64].into_iter().find(|arch| arch.machine() == machine)
    }

    /// The architecture this program was compiled for.
    pub fn of_this_program() -> Option<Arch> {
        Arch::from_machine(std::env::consts::ARCH)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no known architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an architecture: expected amd64 or arm64")]
pub struct ArchError(String);

impl FromStr for Arch {
    type Err = ArchError;

    fn from_str(text: &str) -> Result<Arch, ArchError> {
        [Arch::Amd64, Arch::Arm64]
            .into_iter()
            .find(|arch| arch.as_str() == text)
            .ok_or_else(|| ArchError(text.to_owned()))
    }
}
