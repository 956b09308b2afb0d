//! Signatures that openssl makes as the kernel's sign-file does, and those of two Debian kernels.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used)]

mod inputs;

use std::process::Command;

use inputs::{Kernel, output, read_bytes};
use kabi::KernelImage;
use kabi::signature::{SignatureError, SignatureProblem, verify};
use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};
use spec::{Diagnose, Outcome};
use tempfile::TempDir;

/// What stands for a module where its content does not matter.
const CONTENT: &[u8] = b"\x7fELF and what follows";

/// A key with its certificate.
struct Signer {
    directory: TempDir,
}

impl Signer {
    /// A new key, of the kind that these options of `openssl req` ask for.
    fn new(kind: &[&str]) -> Signer {
        Signer::called("/O=Tests/CN=Module signer", kind)
    }

    /// The same, with a certificate for this name. All certificates have one serial number.
    fn called(name: &str, kind: &[&str]) -> Signer {
        let signer = Signer { directory: tempfile::tempdir().unwrap() };
        let mut req = signer.openssl("req");
        req.args(["-x509", "-nodes", "-subj", name, "-set_serial", "0xabcdef0123", "-newkey"]);
        output(req.args(kind).args(["-keyout", "key.pem", "-out", "certificate.pem"]));
        signer
    }

    fn openssl(&self, subcommand: &str) -> Command {
        let mut openssl = Command::new("openssl");
        openssl.arg(subcommand).current_dir(&self.directory);
        openssl
    }

    /// The public key, as certificates hold it.
    fn public_key(&self) -> Vec<u8> {
        output(self.openssl("pkey").args(["-in", "key.pem", "-pubout", "-outform", "DER"]))
    }

    fn certificate(&self) -> Vec<u8> {
        output(self.openssl("x509").args(["-in", "certificate.pem", "-outform", "DER"]))
    }

    /// A CMS message about the content; `options` are those of `openssl cms`.
    fn message(&self, content: &[u8], options: &[&str]) -> Vec<u8> {
        std::fs::write(self.directory.path().join("content"), content).unwrap();
        let mut cms = self.openssl("cms");
        cms.args(["-sign", "-binary", "-nocerts", "-outform", "DER", "-in", "content"]);
        output(cms.args(["-signer", "certificate.pem", "-inkey", "key.pem"]).args(options))
    }

    /// The content with its signature, as scripts/sign-file appends it.
    fn sign(&self, content: &[u8], options: &[&str]) -> Vec<u8> {
        append(content, &self.message(content, &[&["-noattr"], options].concat()))
    }
}

/// `struct module_signature` has `PKEY_ID_PKCS7` in its third byte and the length at its end.
fn append(content: &[u8], message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [content, message, &[0, 0, 2, 0, 0, 0, 0, 0], &length, b"~Module signature appended~\n"].concat()
}

/// The kernel that has this certificate built in, as certs/system_certificates.S lays it out, and nothing else.
fn kernel_with(certificate: &[u8]) -> KernelImage {
    let mut trusted = certificate.to_vec();
    trusted.resize(certificate.len().next_multiple_of(8), 0);
    trusted.extend([certificate.len() as u64; 2].map(u64::to_le_bytes).concat());
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    for (name, data) in [
        (".rodata", &b"Linux version 6.1.0 (somebody)"[..]),
        ("__ksymtab_strings", b"\0"),
        (".init.data", &trusted),
    ] {
        let id = elf.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::ReadOnlyData);
        elf.append_section_data(id, data, 8);
    }
    let mut bytes = elf.write().unwrap();
    // e_type (ELF gABI, "ELF Header"): it was linked to run.
    bytes[16] = 2;
    KernelImage::parse(&bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn rsa() -> Signer {
    Signer::new(&["rsa:2048"])
}

fn elliptic(curve: &str) -> Signer {
    Signer::new(&["ec", "-pkeyopt", &format!("ec_paramgen_curve:{curve}")])
}

#[test]
fn every_usual_algorithm_is_verified_and_one_changed_byte_is_seen() {
    for (signer, hashes) in [
        (rsa(), &["sha256", "sha384", "sha512"][..]),
        (elliptic("P-256"), &["sha256", "sha384"]),
        (elliptic("P-384"), &["sha256", "sha384"]),
    ] {
        let key = signer.public_key();
        for hash in hashes {
            let signed = signer.sign(CONTENT, &["-md", hash]);
            assert_eq!(verify(&signed, &key), Ok(()), "{hash}");
            // The message ends with the signature itself.
            let end_of_message = signed.len() - 28 - 12;
            for place in (0..CONTENT.len()).chain(end_of_message - 16..end_of_message) {
                let mut changed = signed.clone();
                changed[place] ^= 1;
                assert_eq!(verify(&changed, &key), Err(SignatureError::Wrong), "{hash} {place}");
            }
            // Nothing that is changed makes it panic.
            for place in 0..signed.len() {
                let mut changed = signed.clone();
                changed[place] ^= 0x21;
                let _ = verify(&changed, &key);
                let _ = verify(&signed[..place], &key);
            }
            for place in 0..key.len() {
                let mut changed = key.clone();
                changed[place] ^= 0x21;
                assert!(verify(&signed, &changed).is_err(), "{hash} {place}");
            }
        }
    }
}

#[test]
fn another_key_did_not_sign_it() {
    let (first, second) = (rsa(), rsa());
    let signed = first.sign(CONTENT, &["-md", "sha256"]);
    assert_eq!(verify(&signed, &second.public_key()), Err(SignatureError::Wrong));
    let elliptic = verify(&signed, &elliptic("P-256").public_key()).unwrap_err();
    assert!(matches!(elliptic, SignatureError::Unsupported { .. }), "{elliptic}");
    assert_eq!(verify(&signed, b"no key"), Err(SignatureError::Key));
    assert_eq!(verify(CONTENT, &first.public_key()), Err(SignatureError::Unsigned));
    // A signature with more content after it is about that content.
    assert_eq!(verify(&[signed, b"x".to_vec()].concat(), &first.public_key()), Err(SignatureError::Unsigned));
}

#[test]
fn what_cannot_be_checked_is_said_with_its_algorithms() {
    let rsa = rsa();
    for (signer, options) in [
        (&rsa, &["-md", "sha1"][..]),
        (&rsa, &["-md", "sha256", "-keyopt", "rsa_padding_mode:pss"]),
        (&elliptic("P-521"), &["-md", "sha512"]),
        (&elliptic("P-256"), &["-md", "sha512"]),
    ] {
        let error = verify(&signer.sign(CONTENT, options), &signer.public_key()).unwrap_err();
        assert!(matches!(error, SignatureError::Unsupported { .. }), "{options:?}: {error}");
        assert!(error.to_string().contains(options[1]), "{error}");
    }
}

#[test]
fn messages_that_the_kernel_refuses_are_refused() {
    let signer = rsa();
    for (options, part) in [
        (&["-md", "sha256"][..], "with signed attributes"),
        (&["-noattr", "-nodetach"], "that brings its own content along"),
        (&["-noattr", "-econtent_type", "1.2.3.4"], "about something else than plain data"),
    ] {
        let signed = append(CONTENT, &signer.message(CONTENT, options));
        let error = verify(&signed, &signer.public_key()).unwrap_err();
        assert!(matches!(error, SignatureError::Problem(SignatureProblem::Kind(_))), "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.outcome(), Outcome::Refused);
    }
}

#[test]
fn the_key_is_named_by_serial_number_or_by_identifier() {
    let kernel = Kernel::plain();
    let (file, signer) = (kernel.file("wireguard"), rsa());
    let signed = read_bytes(file);
    let length = u32::from_be_bytes(*signed[signed.len() - 32..].first_chunk().unwrap()) as usize;
    let bare = &signed[..signed.len() - 28 - 12 - length];
    assert_eq!(kernel.parse(file, bare).signature, None);

    let by_serial = kernel.parse(file, &signer.sign(bare, &["-md", "sha512"])).signature.unwrap();
    assert_eq!(by_serial.signer.unwrap().as_str(), "Module signer");
    assert_eq!((by_serial.key.as_str(), by_serial.hash.as_str()), ("abcdef0123", "sha512"));

    let by_identifier = kernel.parse(file, &signer.sign(bare, &["-keyid"])).signature.unwrap();
    let shown = output(signer.openssl("x509").args([
        "-in",
        "certificate.pem",
        "-noout",
        "-ext",
        "subjectKeyIdentifier",
    ]));
    let shown = String::from_utf8(shown).unwrap();
    let identifier = shown.lines().nth(1).unwrap().trim().replace(':', "").to_lowercase();
    assert_eq!((by_identifier.signer, by_identifier.key.as_str()), (None, identifier.as_str()));
}

#[test]
fn a_serial_number_names_a_key_of_its_issuer_only() {
    let kernel = Kernel::plain();
    let file = kernel.file("wireguard");
    let (ours, strangers) = (rsa(), Signer::called("/O=Tests/CN=A stranger", &["rsa:2048"]));
    let image = kernel_with(&ours.certificate());
    let [key] = &image.keys[..] else { panic!("{:?}", image.keys) };
    assert_eq!((key.subject.as_str(), key.serial.as_str()), ("Module signer", "abcdef0123"));
    assert_eq!(key.spki, ours.public_key());
    // What is behind an ELF file means nothing, so that a signed module can be signed once more.
    let content = read_bytes(file);
    for (signer, is_named) in [(&ours, true), (&strangers, false)] {
        for named_by in [&["-md", "sha256"][..], &["-md", "sha256", "-keyid"]] {
            let signature = kernel.parse(file, &signer.sign(&content, named_by)).signature.unwrap();
            assert_eq!(key.is_named_by(&signature), is_named, "{signature:?}");
        }
    }
}

#[test]
fn every_module_of_a_kernel_is_signed_with_the_key_inside_the_kernel() {
    for kernel in [Kernel::plain(), Kernel::packed()] {
        let image = std::fs::read(kernel.root.join(format!("boot/vmlinuz-{}", kernel.release))).unwrap();
        let keys = KernelImage::parse(&image).unwrap().keys;
        for file in kernel.files.iter().step_by(10) {
            let mut bytes = read_bytes(file);
            let signature = kernel.parse(file, &bytes).signature.unwrap();
            let key = keys.iter().find(|key| key.is_named_by(&signature)).unwrap();
            assert_eq!(verify(&bytes, &key.spki), Ok(()), "{}", file.display());
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            assert_eq!(verify(&bytes, &key.spki), Err(SignatureError::Wrong), "{}", file.display());
        }
    }
}
