//! Secure Boot with keys of our own: made by openssl, and put into the variables of the firmware as if a person had enrolled
//! them in its menu.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, command};

/// Variables of Debian's package ovmf with Secure Boot turned on, by a key that everybody knows.
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd";
/// The variables that decide what may start (UEFI 2.10, 32.3): the platform key, the keys that may change `db`, and `db`.
const KEYS: [&str; 3] = ["PK", "KEK", "db"];

/// A key, its certificate, and a firmware that knows no other.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// The private key, PEM.
    pub key: PathBuf,
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The same, DER.
    pub certificate_der: PathBuf,
    /// Variables of the firmware.
    pub variables: PathBuf,
}

impl Keys {
    /// Those in `dir`; made where there are none yet.
    pub(crate) fn in_dir(dir: &Path) -> Result<Keys, Error> {
        let keys = Keys {
            key: dir.join("db.key"),
            certificate: dir.join("db.crt"),
            certificate_der: dir.join("db.der"),
            variables: dir.join("variables.fd"),
        };
        if keys.variables.is_file() {
            return Ok(keys);
        }
        let mut make = Command::new("openssl");
        make.args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            "/CN=db of the tests",
        ]);
        command::read(make.arg("-keyout").arg(&keys.key).arg("-out").arg(&keys.certificate))?;
        let mut convert = Command::new("openssl");
        convert.args(["x509", "-outform", "der", "-in"]).arg(&keys.certificate);
        command::read(convert.arg("-out").arg(&keys.certificate_der))?;
        let read = |file: &Path| fs::read(file).map_err(Error::file("read", file));
        let certificate = read(&keys.certificate_der)?;
        let enrolled = enroll(&read(Path::new(VARIABLES))?, &certificate)
            .ok_or_else(|| Error::Machine(format!("{VARIABLES} has another form than it had")))?;
        fs::write(&keys.variables, enrolled).map_err(Error::file("write", &keys.variables))?;
        Ok(keys)
    }
}

/// The head of a variable in the store of EDK II (MdeModulePkg/Include/Guid/VariableFormat.h,
/// `AUTHENTICATED_VARIABLE_HEADER`): where its fields are, and its size.
mod head {
    use std::ops::Range;

    pub(super) const START: [u8; 2] = [0xaa, 0x55];
    pub(super) const STATE: usize = 2;
    /// `VAR_ADDED`: it counts; any bit less, and it has been replaced.
    pub(super) const ADDED: u8 = 0x3f;
    pub(super) const NAME_SIZE: Range<usize> = 36..40;
    pub(super) const DATA_SIZE: Range<usize> = 40..44;
    pub(super) const SIZE: usize = 60;
}

/// Where the first variable is: behind the heads of the volume (72 bytes with its block map) and of the store
/// (`VARIABLE_STORE_HEADER`, 28 bytes, with the size of both store and head in the four bytes behind its GUID).
const STORE: usize = 72;
const FIRST: usize = STORE + 28;
/// Variables begin at multiples of it.
const ALIGNMENT: usize = 4;

/// `variables` with `certificate`, DER, in the place of all certificates.
fn enroll(variables: &[u8], certificate: &[u8]) -> Option<Vec<u8>> {
    let end = STORE + number(variables, STORE + 16..STORE + 20)?;
    let store = variables.get(FIRST..end)?;
    let mut written = Vec::new();
    let (mut at, mut enrolled) = (0, 0);
    while store.get(at..at + 2) == Some(&head::START) {
        let head = store.get(at..at + head::SIZE)?;
        let name_end = head::SIZE + number(head, head::NAME_SIZE)?;
        let size = name_end + number(head, head::DATA_SIZE)?;
        let variable = store.get(at..at + size)?;
        at += size.next_multiple_of(ALIGNMENT);
        if head[head::STATE] != head::ADDED {
            continue;
        }
        let name = &variable[head::SIZE..name_end];
        let is_key = KEYS.iter().any(|key| utf16(key) == name);
        let data = if is_key { signature_list(certificate)? } else { variable[name_end..].to_vec() };
        enrolled += usize::from(is_key);
        let start = written.len();
        written.extend_from_slice(&variable[..name_end]);
        written[start..][head::DATA_SIZE].copy_from_slice(&u32::try_from(data.len()).ok()?.to_le_bytes());
        written.extend(data);
        // What is erased is ones.
        written.resize(written.len().next_multiple_of(ALIGNMENT), 0xff);
    }
    (enrolled == KEYS.len() && written.len() <= store.len()).then(|| {
        written.resize(store.len(), 0xff);
        [&variables[..FIRST], &written, &variables[end..]].concat()
    })
}

/// A certificate as variables have it (UEFI 2.10, 32.4.1, `EFI_SIGNATURE_LIST`): type, size of the list, of a head that there
/// is none of, and of its one entry, which is an owner and the certificate.
fn signature_list(certificate: &[u8]) -> Option<Vec<u8>> {
    /// `EFI_CERT_X509_GUID`.
    const X509: [u8; 16] =
        [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];
    const OWNER: [u8; 16] = *b"tests of tenon..";
    let entry = u32::try_from(OWNER.len() + certificate.len()).ok()?;
    let list = entry.checked_add(28)?;
    Some([&X509[..], &list.to_le_bytes(), &[0; 4], &entry.to_le_bytes(), &OWNER, certificate].concat())
}

fn number(bytes: &[u8], at: Range<usize>) -> Option<usize> {
    Some(u32::from_le_bytes(bytes.get(at)?.try_into().ok()?) as usize)
}

/// Text as variables are named, with the character that ends it.
fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A volume with variables of these names, states and data, and room for more.
    fn volume(variables: &[(&str, u8, &[u8])], room: usize) -> Vec<u8> {
        let mut store = Vec::new();
        for (name, state, data) in variables {
            let name = utf16(name);
            let mut head = vec![0; head::SIZE];
            head[..2].copy_from_slice(&head::START);
            head[head::STATE] = *state;
            head[head::NAME_SIZE].copy_from_slice(&(name.len() as u32).to_le_bytes());
            head[head::DATA_SIZE].copy_from_slice(&(data.len() as u32).to_le_bytes());
            store.extend([head, name, data.to_vec()].concat());
            store.resize(store.len().next_multiple_of(ALIGNMENT), 0xff);
        }
        store.resize(store.len() + room, 0xff);
        let mut volume = vec![0; FIRST];
        volume[STORE + 16..STORE + 20].copy_from_slice(&((28 + store.len()) as u32).to_le_bytes());
        volume.extend(store);
        volume.extend(b"what is behind");
        volume
    }

    #[test]
    fn all_keys_are_replaced_and_what_was_deleted_is_left_out() {
        let before = volume(
            &[
                ("PK", 0x3f, b"old"),
                ("db", 0x3c, b"older"),
                ("KEK", 0x3f, b""),
                ("db", 0x3f, b"x"),
                ("On", 0x3f, b"\x01"),
            ],
            500,
        );
        let list = signature_list(b"certificate").unwrap();
        let keys: Vec<(&str, u8, &[u8])> =
            ["PK", "KEK", "db"].map(|name| (name, 0x3f, list.as_slice())).to_vec();
        let wanted = volume(&[&keys[..], &[("On", 0x3f, b"\x01")]].concat(), 500);
        let after = enroll(&before, b"certificate").unwrap();
        assert_eq!(after.len(), before.len());
        assert_eq!(after[FIRST..FIRST + 400], wanted[FIRST..FIRST + 400]);
        assert!(after.ends_with(b"what is behind"));
        assert_eq!(enroll(&volume(&[("PK", 0x3f, b"old")], 500), b"x"), None, "there is no db");
        assert_eq!(enroll(&before[..300], b"certificate"), None);
    }
}
