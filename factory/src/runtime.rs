//! Can the boot program start as the very first process, when there is no library and no loader yet?

use object::LittleEndian;
use object::elf::{ET_DYN, ET_EXEC, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};
use spec::{Arch, Diagnose, Outcome};

/// Checks that `bytes` are an executable for `arch` that needs no dynamic loader.
pub fn check(bytes: &[u8], arch: Arch) -> Result<(), RuntimeError> {
    let endian = LittleEndian;
    let header = FileHeader64::<LittleEndian>::parse(bytes).map_err(|_| RuntimeError::NotElf)?;
    if ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) {
        return Err(RuntimeError::NotExecutable);
    }
    let machine = header.e_machine(endian).0;
    if machine != arch.elf_machine() {
        return Err(RuntimeError::Machine { found: machine, arch });
    }
    let segments = header.program_headers(endian, bytes).map_err(|_| RuntimeError::NotElf)?;
    match segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP) {
        true => Err(RuntimeError::Dynamic),
        false => Ok(()),
    }
}

/// Why a file cannot be the first process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// It is no ELF file, or a damaged one.
    #[error("it is not a sound 64-bit little-endian ELF file")]
    NotElf,
    /// It is an object file or a core.
    #[error("it is an ELF file, but not an executable")]
    NotExecutable,
    /// It is for another machine.
    #[error("it is for ELF machine {found}, not for {arch}")]
    Machine {
        /// Its `e_machine`.
        found: u16,
        /// What is composed for.
        arch: Arch,
    },
    /// It needs a dynamic loader, which an initramfs does not have.
    #[error("it is linked dynamically, so the kernel could not start it as /init")]
    Dynamic,
}

impl Diagnose for RuntimeError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            RuntimeError::Dynamic => {
                Some("build extruntime with RUSTFLAGS=\"-C target-feature=+crt-static\"".into())
            }
            _ => Some("give the program extruntime, built for the architecture of the base".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::program;

    #[test]
    fn only_a_static_executable_of_the_architecture_will_do() {
        let amd64 = Arch::Amd64;
        assert_eq!(check(&program(ET_EXEC.0, amd64, 1), amd64), Ok(()));
        assert_eq!(check(&program(ET_DYN.0, amd64, 2), amd64), Ok(()), "static-pie");
        assert_eq!(check(&program(ET_DYN.0, amd64, PT_INTERP.0), amd64), Err(RuntimeError::Dynamic));
        assert_eq!(check(&program(1, amd64, 1), amd64), Err(RuntimeError::NotExecutable));
        assert_eq!(
            check(&program(ET_EXEC.0, Arch::Arm64, 1), amd64),
            Err(RuntimeError::Machine { found: 183, arch: amd64 })
        );
        assert_eq!(check(b"#!/bin/sh\n", amd64), Err(RuntimeError::NotElf));
        assert_eq!(check(&program(ET_EXEC.0, amd64, 1)[..100], amd64), Err(RuntimeError::NotElf));
    }

    #[test]
    fn a_program_of_the_host_is_dynamic() {
        let arch = Arch::of_this_program().unwrap();
        assert_eq!(check(&std::fs::read("/bin/sh").unwrap(), arch), Err(RuntimeError::Dynamic));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(flips in prop::collection::vec((0..120_usize, any::<u8>()), 0..8)) {
            let mut bytes = program(ET_EXEC.0, Arch::Amd64, 1);
            for (at, value) in flips {
                bytes[at] = value;
            }
            drop(check(&bytes, Arch::Amd64));
        }
    }
}
