//! Manifests that are read, and mistakes that are named.

use super::*;

const GOOD: &str = "\
apiVersion: v1alpha1
kind: Extension
name: wireguard-tools
version: 1.0.0
upstream: \"wg for ${kernel.release}\"
sources:
  tools:
    deb: wireguard-tools.deb
    sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
contents:
  - from: tools
    path: /usr/bin/wg
    to: /usr/bin/wg
";

#[track_caller]
fn refused(text: &str, message: &str) {
    assert_eq!(Manifest::parse(text, "e.yaml").unwrap_err().to_string().lines().next(), Some(message));
}

#[test]
fn a_manifest_is_read_and_filled_in() {
    let manifest = Manifest::parse(GOOD, "e.yaml").unwrap();
    assert_eq!(manifest.upstream.unwrap().place(), "e.yaml:5:11");
    assert_eq!(manifest.payload.contents[0].to.as_str(), "/usr/bin/wg");
}

#[test]
fn an_image_is_pinned_by_the_digest_of_its_manifest() {
    let manifest = Manifest::parse(&GOOD.replace("deb: ", "oci: "), "e.yaml").unwrap();
    let Origin::Oci(image) = &manifest.payload.sources["tools"].origin else { panic!("{manifest:?}") };
    assert_eq!(image.digest, Digest::of(b"abc"));
}

#[test]
fn a_content_is_executable_only_where_it_says_so() {
    let executable = |text: &str| Manifest::parse(text, "e.yaml").unwrap().payload.contents[0].executable;
    assert!(!executable(GOOD));
    assert!(executable(&format!("{GOOD}    executable: true\n")));
}

#[test]
fn mistakes_are_named_with_their_place() {
    refused(&GOOD.replace("from: tools", "from: tool"), "e.yaml:11:11: \"tool\" is not a source");
    refused(&GOOD.replace("kind: Extension", "kind: Base"), "e.yaml:2:7: kind is \"Base\"");
    refused(
        &GOOD.replace("    deb: ", "    dir: x\n    deb: "),
        "e.yaml:8:5: the source \"tools\" must have exactly one of dir, file, tar, deb and oci",
    );
    let digest = GOOD.lines().find(|line| line.contains("sha256")).unwrap();
    refused(
        &GOOD.replace(&format!("{digest}\n"), ""),
        "e.yaml:8:5: the source \"wireguard-tools.deb\" has no sha256",
    );
    refused(
        &GOOD.replace("ba78", "xa78"),
        "e.yaml:9:13: \"xa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\" is not a sha256: expected 64 lower-case hex digits",
    );
}

#[test]
fn grants_and_generations_are_read() {
    let text = format!("{GOOD}grants: [udev-rules, \"units:acme.service\"]\ngenerations: {{acme: 2}}\n");
    let manifest = Manifest::parse(&text, "e.yaml").unwrap();
    assert_eq!(manifest.grants[1].grant.to_string(), "units:acme.service");
    assert_eq!(manifest.grants[1].place, "e.yaml:14:22");
    assert_eq!(manifest.generations[&"acme".parse().unwrap()], 2);
    refused(
        &format!("{GOOD}grants: [units:a, units:a]\n"),
        "e.yaml:14:19: the grant units:a is declared twice",
    );
}
