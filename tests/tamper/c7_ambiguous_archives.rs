//! An archive whose entry has two sizes: one reader skips over what another one unpacks (CVE-2025-62518).

use std::process::Command;

use spec::defence::Threat;
use tests::Context;

use crate::harness::{Refusal, is_refused};

const MANIFEST: &str = "\
apiVersion: v1alpha1
kind: Extension
name: acme
version: 1.0.0
sources:
  files:
    tar: a.tar
    sha256: SUM
contents:
  - from: files
    to: /usr/share/acme
";

/// A file of 512 bytes by its header, and of none by its pax record; in it lies the header of another file.
fn archive() -> Vec<u8> {
    let mut inner = tar::Header::new_ustar();
    inner.set_path("hidden").unwrap();
    inner.set_mode(0o755);
    inner.set_size(0);
    inner.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([("size", &b"0"[..])]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(512);
    builder.append_data(&mut header, "visible", &inner.as_bytes()[..]).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn an_entry_has_one_size() {
    is_refused(Threat::C7, Refusal::with_words("/visible has two sizes"), |programs| {
        let context = Context::new();
        let file = context.write("a.tar", archive());
        let sum = context.run(Command::new("sha256sum").arg(file)).ok();
        context.write("extension.yaml", MANIFEST.replace("SUM", &sum[..64]));
        let outcome = programs.extbuild(&context, &["build", "extension.yaml", "-o", "oci:out"]);
        assert_eq!(context.dir().join("out").exists(), outcome.code == Some(0), "{outcome:#?}");
        outcome
    });
}
