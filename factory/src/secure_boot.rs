//! Signing the boot program of the firmware, for machines with UEFI Secure Boot: the firmware starts it only if a
//! certificate in its `db` says so, and Debian's kernels then lock themselves down.
//!
//! `sbsign` signs, the program that distributions sign with; it refuses a certificate that is not of the key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use spec::{Diagnose, Outcome};

/// Debian's package of the program.
const PACKAGE: &str = "sbsigntool";
/// How many characters of a program's complaint are told.
const COMPLAINT: usize = 500;

/// A key of Secure Boot and its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecureBoot {
    /// The private key, PEM.
    pub key: PathBuf,
    /// The certificate, PEM, which the firmware of the machines has in `db`.
    pub certificate: PathBuf,
}

impl SecureBoot {
    /// `program`, a UEFI program, with a signature; `scratch` is a directory for files that nobody needs later.
    ///
    /// # Errors
    /// [`SecureBootError`] if it cannot be signed, or if the certificate is not of the key.
    pub(crate) fn sign(&self, program: &[u8], scratch: &Path) -> Result<Vec<u8>, SecureBootError> {
        let [unsigned, signed] = ["unsigned.efi", "signed.efi"].map(|name| scratch.join(name));
        fs::write(&unsigned, program).map_err(SecureBootError::file(&unsigned))?;
        let [key, certificate] = [absolute(&self.key), absolute(&self.certificate)];
        let mut sign = Command::new("sbsign");
        sign.arg("--key").arg(key).arg("--cert").arg(certificate).arg("--output").arg(&signed);
        run(sign.arg(&unsigned))?;
        fs::read(&signed).map_err(SecureBootError::file(&signed))
    }
}

/// A path that no program takes for an option.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn run(command: &mut Command) -> Result<(), SecureBootError> {
    let program = command.get_program().to_string_lossy().into_owned();
    // A passphrase is asked for at the terminal, and not on stdin.
    let outcome = command.stdin(Stdio::null()).output();
    let output = outcome.map_err(|source| SecureBootError::Start { program: program.clone(), source })?;
    match output.status.success() {
        true => Ok(()),
        false => Err(SecureBootError::Failed { program, said: complaint(&output) }),
    }
}

/// What a program that failed said, as one line.
fn complaint(output: &Output) -> String {
    let said = [&output.stderr, &output.stdout].map(|stream| String::from_utf8_lossy(stream).into_owned());
    let lines: Vec<&str> = said.iter().flat_map(|stream| stream.lines()).map(str::trim).collect();
    // What sbsign says of gaps between sections, it says of every program.
    let errors: Vec<&str> = lines.iter().copied().filter(|line| line.contains("error")).collect();
    let told = if errors.is_empty() { lines } else { errors }.join("; ");
    told.chars().filter(|letter| !letter.is_control()).take(COMPLAINT).collect()
}

/// Why a boot program was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SecureBootError {
    /// A program that signs is not there.
    #[error("cannot start {program}")]
    Start {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It refused the key, the certificate, or the two together.
    #[error("{program} says: {said}")]
    Failed {
        /// Which.
        program: String,
        /// Its complaint.
        said: String,
    },
    /// A file on the way cannot be written or read.
    #[error("cannot write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SecureBootError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> SecureBootError {
        let path = path.to_owned();
        move |source| SecureBootError::File { path, source }
    }
}

impl Diagnose for SecureBootError {
    fn outcome(&self) -> Outcome {
        match self {
            SecureBootError::Start { .. } | SecureBootError::File { .. } => Outcome::Unavailable,
            SecureBootError::Failed { .. } => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SecureBootError::Start { .. } => Some(format!("install it; Debian's package is {PACKAGE}")),
            SecureBootError::Failed { .. } => {
                Some("give a private key and the certificate that belongs to it, both as PEM".into())
            }
            SecureBootError::File { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::uefi_program;

    fn key(dir: &Path, name: &str) -> SecureBoot {
        let [key, certificate] = ["key", "crt"].map(|end| dir.join(format!("{name}.{end}")));
        let mut make = Command::new("openssl");
        make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test"]);
        let made = make.arg("-keyout").arg(&key).arg("-out").arg(&certificate).output().unwrap();
        assert!(made.status.success());
        SecureBoot { key, certificate }
    }

    #[test]
    fn what_is_signed_is_what_was_given_and_a_change_shows() {
        let dir = tempfile::tempdir().unwrap();
        let ours = key(dir.path(), "ours");
        let program = uefi_program(0x8664, 0);
        let signed = ours.sign(&program, dir.path()).unwrap();
        assert!(signed.len() > program.len());
        // Neither the check sum of the headers nor the place of the signature is signed.
        let last = program.len() - 1;
        assert_eq!(signed[last], program[last]);
        let verify = |name: &str, bytes: &[u8]| {
            let file = dir.path().join(name);
            fs::write(&file, bytes).unwrap();
            Command::new("sbverify")
                .arg("--cert")
                .arg(&ours.certificate)
                .arg(file)
                .output()
                .unwrap()
                .status
                .success()
        };
        assert!(verify("whole", &signed));
        let mut changed = signed;
        changed[last] ^= 1;
        assert!(!verify("changed", &changed));
    }

    #[test]
    fn a_certificate_of_another_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) = (key(dir.path(), "ours"), key(dir.path(), "other"));
        let mixed = SecureBoot { certificate: other.certificate, ..ours.clone() };
        let error = mixed.sign(&uefi_program(0x8664, 0), dir.path()).unwrap_err();
        assert!(error.to_string().contains("private key does not match certificate"), "{error}");
        assert_eq!(error.outcome(), Outcome::Refused);
        let absent = SecureBoot { key: dir.path().join("absent.key"), ..ours };
        let error = absent.sign(&uefi_program(0x8664, 0), dir.path()).unwrap_err();
        assert!(error.to_string().contains("absent.key"), "{error}");
    }
}
