//! Signatures at the end of modules: taken off, and made with a key that no kernel knows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, command};

/// Ends a signed module (scripts/sign-file.c).
const MARKER: &[u8] = b"~Module signature appended~\n";

/// `struct module_signature` (linux/module_signature.h), which is before the marker: eight bytes about the kind of the
/// signature, and the length of the signature before it, big-endian.
const INFO: usize = 12;

/// The third of those bytes for PKCS#7, the one kind that kernels read (`PKEY_ID_PKCS7`).
pub(super) const PKCS7: u8 = 2;

/// Module and signature apart; without a signature, all is module.
pub(super) fn split(file: &[u8]) -> (&[u8], &[u8]) {
    let Some(signed) = file.strip_suffix(MARKER) else {
        return (file, &[]);
    };
    let length = signed.last_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    let end = signed.len().saturating_sub(INFO);
    signed[..end].split_at(end.saturating_sub(length))
}

/// The module with this signature behind it, said to be of this kind and as long as `length`.
pub(super) fn join(module: &[u8], signature: &[u8], kind: u8, length: usize) -> Vec<u8> {
    let info = [[0, 0, kind, 0], [0; 4], (length as u32).to_be_bytes()].concat();
    [module, signature, &info, MARKER].concat()
}

/// A key of our own, of which no kernel has heard, and a certificate for it.
#[derive(Debug)]
pub(super) struct Stranger {
    dir: PathBuf,
}

impl Stranger {
    /// Takes the key in `dir`, or makes one there.
    pub(super) fn in_dir(dir: &Path) -> Result<Stranger, Error> {
        let stranger = Stranger { dir: dir.to_owned() };
        if !stranger.certificate().exists() {
            fs::create_dir_all(dir).map_err(Error::file("create", dir))?;
            let mut openssl = Command::new("openssl");
            openssl.args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "36500",
                "-subj",
                "/CN=a stranger",
            ]);
            openssl.arg("-keyout").arg(stranger.key()).arg("-out").arg(stranger.certificate());
            command::read(&mut openssl)?;
        }
        Ok(stranger)
    }

    /// Signs as scripts/sign-file does: PKCS#7 in DER, without certificate, attributes or content.
    pub(super) fn sign(&self, module: &[u8]) -> Result<Vec<u8>, Error> {
        let (content, signature) = (self.dir.join("content"), self.dir.join("signature"));
        fs::write(&content, module).map_err(Error::file("write", &content))?;
        let mut openssl = Command::new("openssl");
        openssl.args(["cms", "-sign", "-binary", "-noattr", "-nocerts", "-nosmimecap", "-md", "sha256"]);
        openssl.args(["-outform", "DER", "-signer"]).arg(self.certificate()).arg("-inkey").arg(self.key());
        openssl.arg("-in").arg(&content).arg("-out").arg(&signature);
        command::read(&mut openssl)?;
        let signature = fs::read(&signature).map_err(Error::file("read", &signature))?;
        Ok(join(module, &signature, PKCS7, signature.len()))
    }

    fn key(&self) -> PathBuf {
        self.dir.join("stranger.key")
    }

    fn certificate(&self) -> PathBuf {
        self.dir.join("stranger.crt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_and_its_signature_come_apart_as_they_were_put_together() {
        let signed = join(b"module", b"signature", PKCS7, 9);
        assert_eq!(split(&signed), (&b"module"[..], &b"signature"[..]));
        assert_eq!(split(b"module"), (&b"module"[..], &b""[..]));
        assert_eq!(split(MARKER), (&b""[..], &b""[..]));
    }
}
