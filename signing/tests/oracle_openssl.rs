//! OpenSSL reads our keys, we read its keys, and it finds our signatures good.
#![cfg(feature = "key-files")]
#![allow(clippy::unwrap_used)] // in the helpers too

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use signing::{
    EncryptedKey, Fresh, KeyError, KeyFile, KeyFileError, Passphrase, PublicKey, SigningKey, sign_extension,
};
use spec::Digest;
use zeroize::Zeroizing;

fn openssl(directory: &Path, arguments: &str) -> Result<String, String> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output();
    let output = output.expect("openssl must be installed for this test");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
}

fn read(directory: &Path, name: &str) -> Result<KeyFile, KeyFileError> {
    KeyFile::parse(&std::fs::read(directory.join(name)).unwrap())
}

/// The private key in a file; `secret` opens one that is locked.
fn private(directory: &Path, name: &str) -> SigningKey {
    match read(directory, name).unwrap() {
        KeyFile::Private(key) => key,
        KeyFile::Encrypted(key) => key.open(&passphrase("secret")).unwrap(),
        KeyFile::Public(_) => panic!("{name} is a public key"),
    }
}

#[test]
fn keys_of_openssl_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    openssl(dir, "genpkey -algorithm ed25519 -out key.pem").unwrap();
    openssl(dir, "pkey -in key.pem -outform DER -out key.der").unwrap();
    let public = openssl(dir, "pkey -in key.pem -pubout").unwrap();
    openssl(dir, "pkey -in key.pem -pubout -outform DER -out public.der").unwrap();

    let key = private(dir, "key.pem");
    assert_eq!(
        key.to_pem().as_bytes(),
        std::fs::read(dir.join("key.pem")).unwrap(),
        "the same key, the same file"
    );
    assert_eq!(private(dir, "key.der").to_der(), key.to_der());
    assert_eq!(key.public_key(), PublicKey::from_pem(public.as_bytes()).unwrap());
    assert_eq!(key.public_key().to_pem(), public);
    let KeyFile::Public(public) = read(dir, "public.der").unwrap() else { panic!() };
    assert_eq!(public, key.public_key());
    assert_eq!(public.to_der(), std::fs::read(dir.join("public.der")).unwrap());
}

/// Every form of lock that OpenSSL 3.0 makes today, from its default to what one has to ask for.
#[test]
fn locked_keys_of_openssl_are_opened() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    openssl(dir, "genpkey -algorithm ed25519 -out key.pem").unwrap();
    openssl(dir, "genpkey -algorithm ed25519 -aes256 -pass pass:secret -out generated.pem").unwrap();
    assert!(matches!(read(dir, "generated.pem").unwrap(), KeyFile::Encrypted(_)));
    private(dir, "generated.pem");
    for options in [
        "",
        "-v2 aes-128-cbc",
        "-v2 aes-192-cbc",
        "-v2 aes-256-cbc -v2prf hmacWithSHA512 -iter 100000",
        "-scrypt",
        "-scrypt -scrypt_N 1024 -scrypt_r 8 -scrypt_p 16",
        "-outform DER",
    ] {
        let arguments = format!("pkcs8 -topk8 -in key.pem -out locked -passout pass:secret {options}");
        openssl(dir, arguments.trim_end()).unwrap();
        let KeyFile::Encrypted(locked) = read(dir, "locked").unwrap() else { panic!("{options}") };
        assert_eq!(locked.open(&passphrase("secret")).unwrap().to_der(), private(dir, "key.pem").to_der());
        assert_eq!(
            locked.open(&passphrase("Secret")).unwrap_err(),
            KeyFileError::WrongPassphrase,
            "{options}"
        );
    }
}

#[test]
fn locks_that_are_not_opened_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    openssl(dir, "genpkey -algorithm ed25519 -out key.pem").unwrap();
    for (options, oid) in [
        ("-v2 des3", "1.2.840.113549.3.7"),
        ("-v2 aes-256-cbc -v2prf hmacWithSHA1", "1.2.840.113549.2.7"),
        ("-v1 PBE-SHA1-3DES", "1.2.840.113549.1.12.1.3"),
    ] {
        openssl(dir, &format!("pkcs8 -topk8 -in key.pem -out locked -passout pass:secret {options}"))
            .unwrap();
        assert_eq!(
            read(dir, "locked").unwrap_err(),
            KeyFileError::Encryption { oid: oid.into() },
            "{options}"
        );
    }
}

#[test]
fn our_keys_are_read_by_openssl() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    let key = SigningKey::from_seed([9; 32]);
    let locked = EncryptedKey::lock(&key, &passphrase("secret"), Fresh { salt: [3; 16], iv: [4; 16] });
    std::fs::write(dir.join("key.pem"), key.to_pem().as_bytes()).unwrap();
    std::fs::write(dir.join("key.der"), key.to_der()).unwrap();
    std::fs::write(dir.join("locked.pem"), locked.to_pem()).unwrap();
    std::fs::write(dir.join("locked.der"), locked.to_der()).unwrap();
    std::fs::write(dir.join("public.der"), key.public_key().to_der()).unwrap();
    for arguments in [
        "-in key.pem",
        "-in key.der -inform DER",
        "-in locked.pem -passin pass:secret",
        "-in locked.der -inform DER -passin pass:secret",
        "-in public.der -inform DER -pubin",
    ] {
        let public = openssl(dir, &format!("pkey {arguments} -pubout")).unwrap();
        assert_eq!(public, key.public_key().to_pem(), "{arguments}");
    }
    assert!(openssl(dir, "pkey -in locked.pem -passin pass:Secret -pubout").is_err());
    let inside = openssl(dir, "asn1parse -in locked.pem").unwrap();
    for part in ["PBES2", "scrypt", "INTEGER           :4000", "aes-256-cbc"] {
        assert!(inside.contains(part), "{inside}");
    }
}

#[test]
fn keys_of_other_kinds_are_called_by_their_name() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    openssl(dir, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem").unwrap();
    openssl(dir, "pkcs8 -topk8 -in ec.pem -out locked.pem -passout pass:secret").unwrap();
    let public = openssl(dir, "pkey -in ec.pem -pubout").unwrap();
    let wanted = "this is a key of the algorithm 1.2.840.10045.2.1, not an Ed25519 key (1.3.101.112)";
    assert_eq!(PublicKey::from_pem(public.as_bytes()).unwrap_err().to_string(), wanted);
    assert_eq!(read(dir, "ec.pem").unwrap_err().to_string(), wanted);
    let KeyFile::Encrypted(locked) = read(dir, "locked.pem").unwrap() else { panic!() };
    assert_eq!(locked.open(&passphrase("secret")).unwrap_err().to_string(), wanted);
    // The same curve in another use (RFC 8410, section 3).
    openssl(dir, "genpkey -algorithm x25519 -out x25519.pem").unwrap();
    let error = read(dir, "x25519.pem").unwrap_err();
    assert_eq!(error, KeyFileError::Key(KeyError::OtherAlgorithm { oid: "1.3.101.110".into() }));
}

#[test]
fn our_signature_is_good_to_openssl_over_the_encoding_of_dsse() {
    let key = SigningKey::from_seed([9; 32]);
    let bundle = sign_extension(&key, &"wireguard".parse().unwrap(), &Digest::of(b"manifest"));
    let bundle = bundle.unwrap().to_json();
    let bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
    let bytes = |pointer: &str| BASE64.decode(bundle.pointer(pointer).unwrap().as_str().unwrap()).unwrap();
    let payload = bytes("/dsseEnvelope/payload");
    let head = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len());

    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    write("key.pub", key.public_key().to_pem().as_bytes());
    write("signature", &bytes("/dsseEnvelope/signatures/0/sig"));
    write("message", &[head.as_bytes(), &payload].concat());
    write("other", &payload);
    let verify = |message: &str| {
        openssl(
            directory.path(),
            &format!("pkeyutl -verify -pubin -inkey key.pub -rawin -sigfile signature -in {message}"),
        )
    };
    assert!(verify("message").unwrap().contains("Signature Verified Successfully"));
    assert!(verify("other").is_err(), "openssl accepts anything");
}
