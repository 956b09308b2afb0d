//! A private key behind a passphrase: PKCS#8 `EncryptedPrivateKeyInfo` (RFC 5958, section 3) with PBES2 (RFC 8018,
//! section 6.2), as OpenSSL reads and writes it.

use std::fmt;

use pkcs8::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use pkcs8::der::{Decode as _, Reader as _, SliceReader, pem};
use pkcs8::pkcs5::pbes2::{
    EncryptionScheme as Cipher, Kdf, PBES2_OID, Parameters, Pbkdf2Prf, Salt, ScryptParams,
};
use pkcs8::pkcs5::{self, EncryptionScheme};
use pkcs8::{AlgorithmIdentifierRef, EncryptedPrivateKeyInfo, EncryptedPrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::{ENCRYPTED_LABEL, KeyError, KeyFileError, Passphrase, SigningKey};

/// What a guess costs the guesser, for keys that are written here: scrypt with N = 2^14, r = 8 and p = 5, one of the
/// settings that the OWASP Password Storage Cheat Sheet holds for equally strong. It is the one of them that needs
/// most memory, 16 MiB, among those that OpenSSL reads, which allows 32 MiB and counts a little more than N · r · 128
/// bytes (`SCRYPT_MAX_MEM`, providers/implementations/kdfs/scrypt.c).
const COST: Scrypt = Scrypt { n: 1 << 14, r: 8, p: 5 };

/// Most memory that opening a key may take, in bytes: 16 times ours.
const MEMORY_MAX: u64 = 256 << 20;
/// Most blocks of memory that opening a key may mix, N · r · p: 25 times ours, some seconds.
const WORK_MAX: u64 = 1 << 24;
/// Most rounds of PBKDF2 that opening a key may take: what RFC 8018, section 4.2, has for especially critical keys.
const ROUNDS_MAX: u32 = 10_000_000;

/// The parameters of scrypt (RFC 7914, section 2).
struct Scrypt {
    n: u64,
    r: u16,
    p: u16,
}

/// A private key that nobody can use who does not know its passphrase.
///
/// Passphrase and private key are overwritten in memory. The cipher's key between them is not: the crate `pkcs5` leaves it
/// on the stack. It opens this one file, and is gone with the program.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedKey {
    parameters: Parameters,
    ciphertext: Vec<u8>,
}

/// What must be new and random for each key that is locked.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    /// Makes the same passphrase into another key each time.
    pub salt: [u8; 16],
    /// What the cipher starts from.
    pub iv: [u8; 16],
}

impl EncryptedKey {
    /// Locks a key: scrypt and AES-256 in CBC mode.
    pub fn lock(key: &SigningKey, passphrase: &Passphrase, fresh: Fresh) -> EncryptedKey {
        let Fresh { salt, iv } = fresh;
        let Scrypt { n, r, p } = COST;
        let kdf = Kdf::Scrypt(ScryptParams {
            salt: Salt::new(salt).expect("a salt may have 32 bytes"),
            cost_parameter: n,
            block_size: r,
            parallelization: p,
            key_length: None,
        });
        let parameters = Parameters { kdf, encryption: Cipher::Aes256Cbc { iv } };
        let ciphertext = parameters.encrypt(passphrase.as_bytes(), &key.to_der());
        EncryptedKey { ciphertext: ciphertext.expect("these parameters are sound"), parameters }
    }

    /// Opens the key. The work is bounded: [`EncryptedKey`]s that would take more than some seconds or 256 MiB are not
    /// read in the first place.
    pub fn open(&self, passphrase: &Passphrase) -> Result<SigningKey, KeyFileError> {
        let plain = self.parameters.decrypt(passphrase.as_bytes(), &self.ciphertext);
        let plain = Zeroizing::new(plain.map_err(|error| match error {
            pkcs5::Error::AlgorithmParametersInvalid { oid } | pkcs5::Error::UnsupportedAlgorithm { oid } => {
                KeyFileError::Encryption { oid: oid.to_string() }
            }
            _ => KeyFileError::WrongPassphrase,
        })?);
        // Of 256 wrong passphrases one yields bytes with an end that looks right, and what is in them is noise.
        SigningKey::from_der(&plain).map_err(|error| match error {
            KeyFileError::Key(KeyError::OtherAlgorithm { .. }) => error,
            _ => KeyFileError::WrongPassphrase,
        })
    }

    /// The key as DER.
    pub fn to_der(&self) -> Vec<u8> {
        self.document().as_bytes().to_vec()
    }

    /// The key as PEM.
    pub fn to_pem(&self) -> String {
        let pem = self.document().to_pem(ENCRYPTED_LABEL, pem::LineEnding::LF);
        pem.expect("what was DER always fits a PEM block").to_string()
    }

    fn document(&self) -> SecretDocument {
        let encrypted_data = OctetStringRef::new(&self.ciphertext).expect("a key file is bounded");
        let encryption_algorithm = EncryptionScheme::Pbes2(self.parameters.clone());
        let info = EncryptedPrivateKeyInfo { encryption_algorithm, encrypted_data };
        SecretDocument::try_from(info).expect("parameters that were read or made can be written")
    }

    /// Reads a key, and refuses what could not be opened, or only at an unreasonable cost.
    pub(super) fn from_der(der: &[u8]) -> Result<EncryptedKey, KeyFileError> {
        if let Some(oid) = scheme(der).filter(|oid| *oid != PBES2_OID) {
            return Err(KeyFileError::Encryption { oid: oid.to_string() });
        }
        let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(KeyFileError::of_encryption)?;
        let parameters = match info.encryption_algorithm {
            EncryptionScheme::Pbes2(parameters) => parameters,
            other => return Err(KeyFileError::Encryption { oid: other.oid().to_string() }),
        };
        check_cost(&parameters.kdf)?;
        Ok(EncryptedKey { parameters, ciphertext: info.encrypted_data.as_bytes().to_vec() })
    }
}

/// By what the key is locked. Only PBES2 is read any further: the older schemes have parameters of other kinds.
fn scheme(der: &[u8]) -> Option<ObjectIdentifier> {
    let outer = AnyRef::from_der(der).ok()?;
    let algorithm: AlgorithmIdentifierRef<'_> = SliceReader::new(outer.value()).ok()?.decode().ok()?;
    Some(algorithm.oid)
}

fn check_cost(kdf: &Kdf) -> Result<(), KeyFileError> {
    let within = match kdf {
        Kdf::Pbkdf2(pbkdf2) => {
            // What OpenSSL wrote before 1.1.0, and what is left out here.
            if pbkdf2.prf == Pbkdf2Prf::HmacWithSha1 {
                return Err(KeyFileError::Encryption { oid: pbkdf2.prf.oid().to_string() });
            }
            (1..=ROUNDS_MAX).contains(&pbkdf2.iteration_count)
        }
        Kdf::Scrypt(scrypt) => {
            let (n, r, p) = (scrypt.cost_parameter, scrypt.block_size.into(), scrypt.parallelization.into());
            // RFC 7914, section 6: a vector of N times 128 · r bytes, and one block of so many for each of p; N is a
            // power of two above 1.
            let pieces = n.saturating_add(p).saturating_mul(r);
            let work = n.saturating_mul(r).saturating_mul(p);
            n > 1 && n.is_power_of_two() && pieces <= MEMORY_MAX / 128 && (1..=WORK_MAX).contains(&work)
        }
        _ => return Err(KeyFileError::Encryption { oid: kdf.oid().to_string() }),
    };
    match within {
        true => Ok(()),
        false => Err(KeyFileError::Cost),
    }
}

impl fmt::Debug for EncryptedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptedKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use pkcs8::pkcs5::pbes2::Pbkdf2Params;

    use super::*;

    const FRESH: Fresh = Fresh { salt: [1; 16], iv: [2; 16] };

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
    }

    fn key() -> SigningKey {
        SigningKey::from_seed([7; 32])
    }

    #[test]
    fn a_key_opens_with_its_passphrase_and_with_no_other() {
        let locked = EncryptedKey::lock(&key(), &passphrase("right"), FRESH);
        let read = EncryptedKey::from_der(&locked.to_der()).unwrap();
        assert_eq!(read, locked);
        assert_eq!(read.open(&passphrase("right")).unwrap().to_der(), key().to_der());
        assert_eq!(read.open(&passphrase("wrong")).unwrap_err(), KeyFileError::WrongPassphrase);
    }

    #[test]
    fn nothing_of_the_key_is_in_what_is_written_or_printed() {
        let locked = EncryptedKey::lock(&key(), &passphrase("right"), FRESH);
        let plain = key().to_der();
        for bytes in [locked.to_der(), format!("{locked:?}").into_bytes()] {
            assert!(!bytes.windows(16).any(|window| plain.windows(16).any(|part| part == window)));
        }
        let other = EncryptedKey::lock(&key(), &passphrase("right"), Fresh { salt: [3; 16], ..FRESH });
        assert_ne!(other.ciphertext, locked.ciphertext, "the salt makes no difference");
    }

    fn with(kdf: Kdf) -> Result<EncryptedKey, KeyFileError> {
        let parameters = Parameters { kdf, encryption: Cipher::Aes256Cbc { iv: [0; 16] } };
        EncryptedKey::from_der(&EncryptedKey { parameters, ciphertext: vec![0; 64] }.to_der())
    }

    fn scrypt(
        cost_parameter: u64,
        block_size: u16,
        parallelization: u16,
    ) -> Result<EncryptedKey, KeyFileError> {
        let salt = Salt::new([0; 8]).unwrap();
        with(Kdf::Scrypt(ScryptParams {
            salt,
            cost_parameter,
            block_size,
            parallelization,
            key_length: None,
        }))
    }

    fn pbkdf2(iteration_count: u32, prf: Pbkdf2Prf) -> Result<EncryptedKey, KeyFileError> {
        let salt = Salt::new([0; 8]).unwrap();
        with(Kdf::Pbkdf2(Pbkdf2Params { salt, iteration_count, key_length: None, prf }))
    }

    /// Whoever hands over a key file does not choose how long we work on it.
    #[test]
    fn a_file_cannot_ask_for_any_amount_of_work() {
        for (n, r, p) in [(1 << 14, 8, 5), (1 << 17, 8, 1), (1 << 17, 8, 8), (2, 1, 1)] {
            assert!(scrypt(n, r, p).is_ok(), "{n} {r} {p}");
        }
        let many = [
            (1 << 63, 8, 1),
            (1 << 19, 8, 1),
            (1 << 14, u16::MAX, 1),
            (1 << 14, 8, u16::MAX),
            // Little work, and 1 GiB for the blocks.
            (2, 1 << 8, 1 << 15),
        ];
        let unsound = [(0, 8, 1), (1, 8, 1), (3, 8, 1), (16, 0, 1), (16, 8, 0)];
        for (n, r, p) in many.into_iter().chain(unsound) {
            assert_eq!(scrypt(n, r, p).unwrap_err(), KeyFileError::Cost, "{n} {r} {p}");
        }
        for (rounds, fits) in [(0, false), (1, true), (ROUNDS_MAX, true), (ROUNDS_MAX + 1, false)] {
            assert_eq!(pbkdf2(rounds, Pbkdf2Prf::HmacWithSha512).is_ok(), fits, "{rounds}");
        }
        let sha1 = pbkdf2(2048, Pbkdf2Prf::HmacWithSha1).unwrap_err();
        assert_eq!(sha1, KeyFileError::Encryption { oid: "1.2.840.113549.2.7".into() });
    }
}
