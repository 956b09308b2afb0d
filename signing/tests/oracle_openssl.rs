//! OpenSSL reads our keys, we read its keys, and it finds our signatures good.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use signing::{PublicKey, SigningKey, sign_extension};
use spec::{Diagnose as _, Digest};

fn openssl(directory: &Path, arguments: &str) -> Result<String, String> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output();
    let output = output.expect("openssl must be installed for this test");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

#[test]
fn keys_of_openssl_are_read() {
    let directory = tempfile::tempdir().unwrap();
    openssl(directory.path(), "genpkey -algorithm ed25519 -out key.pem").unwrap();
    let public = openssl(directory.path(), "pkey -in key.pem -pubout").unwrap();

    let pem = std::fs::read(directory.path().join("key.pem")).unwrap();
    let key = SigningKey::from_pem(&pem).unwrap();
    assert_eq!(key.to_pem().as_bytes(), pem, "the same key, the same file");
    assert_eq!(key.public_key(), PublicKey::from_pem(public.as_bytes()).unwrap());
    assert_eq!(key.public_key().to_pem(), public);
}

#[test]
fn our_keys_are_read_by_openssl() {
    let directory = tempfile::tempdir().unwrap();
    let key = SigningKey::from_seed([9; 32]);
    std::fs::write(directory.path().join("key.pem"), key.to_pem().as_bytes()).unwrap();
    assert_eq!(openssl(directory.path(), "pkey -in key.pem -pubout").unwrap(), key.public_key().to_pem());
}

#[test]
fn keys_of_other_kinds_are_called_by_their_name() {
    let directory = tempfile::tempdir().unwrap();
    openssl(directory.path(), "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem").unwrap();
    let public = openssl(directory.path(), "pkey -in ec.pem -pubout").unwrap();
    let private = std::fs::read(directory.path().join("ec.pem")).unwrap();
    let wanted = "this is a key of the algorithm 1.2.840.10045.2.1, not an Ed25519 key (1.3.101.112)";
    assert_eq!(PublicKey::from_pem(public.as_bytes()).unwrap_err().to_string(), wanted);
    assert_eq!(SigningKey::from_pem(&private).unwrap_err().to_string(), wanted);

    openssl(directory.path(), "genpkey -algorithm ed25519 -aes256 -pass pass:secret -out locked.pem")
        .unwrap();
    let locked =
        SigningKey::from_pem(&std::fs::read(directory.path().join("locked.pem")).unwrap()).unwrap_err();
    assert!(locked.to_string().contains("type ENCRYPTED PRIVATE KEY"), "{locked}");
    assert!(locked.hint().unwrap().contains("decrypt it first"));
}

#[test]
fn our_signature_is_good_to_openssl_over_the_encoding_of_dsse() {
    let key = SigningKey::from_seed([9; 32]);
    let bundle = sign_extension(&key, &"wireguard".parse().unwrap(), &Digest::of(b"manifest")).to_json();
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
