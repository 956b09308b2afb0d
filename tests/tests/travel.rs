//! Extensions on their way: whatever carries an extension carries its signatures, and those of an index and of all that
//! it lists.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use catalog::{Found, Layout, Selector};
use spec::Digest;
use tests::{Context, from_xtask, signed_extension};

/// Debian's docker-registry on a port of this machine, with its files in the directory `registry`.
struct Registry {
    process: Child,
    host: String,
}

impl Registry {
    fn start(context: &Context) -> Registry {
        let host = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let storage = context.path("registry");
        let config = context.write(
            "registry.yml",
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\nhttp: {{addr: \"{host}\"}}\n"
            ),
        );
        let program = from_xtask("TENON_INPUTS").join("registry/usr/bin/docker-registry");
        let mut command = Command::new(program);
        let process =
            command.arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let registry = Registry { process, host };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&registry.host).is_err() {
            assert!(Instant::now() < deadline, "docker-registry does not listen on {}", registry.host);
            std::thread::sleep(Duration::from_millis(50));
        }
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The same version for both architectures, with everything signed.
fn signed_for_both() -> Context {
    let context = signed_extension();
    context.extbuild(&["build", "extension.yaml", "--arch", "arm64", "-o", "oci:out"]).ok();
    let name = "registry.example/acme:1.0.0";
    context.extbuild(&["sign", "oci:out:acme-1.0.0", "--key", "key.pem", "--legacy", name]).ok();
    assert_eq!(of_the_older_form(&found(&context, "out").0).len(), 3);
    context
}

fn found(context: &Context, layout: &str) -> (Layout, Found) {
    let layout = Layout::open(context.dir().join(layout)).unwrap();
    let select = Selector { tag: Some("acme-1.0.0".parse().unwrap()), digest: None };
    let found = layout.find(&select).unwrap();
    (layout, found)
}

/// Has the layout what `out` has, with all signatures?
fn assert_same(context: &Context, layout: &str) {
    let (source, wanted) = found(context, "out");
    let (copy, there) = found(context, layout);
    assert_eq!(there.named().digest, wanted.named().digest, "{layout}");
    assert!(there.absent.is_empty());
    for document in wanted.documents() {
        let signatures = copy.signatures(&document.digest).bundles;
        assert!(!signatures.is_empty(), "{layout}: {} has no signature", document.digest);
        assert_eq!(signatures, source.signatures(&document.digest).bundles);
    }
    assert_eq!(of_the_older_form(&copy), of_the_older_form(&source), "{layout}");
    for manifest in &there.manifests {
        copy.check_blob(&copy.read_extension(manifest).unwrap().image).unwrap();
    }
}

/// What the index lists under tags of cosign's older form.
fn of_the_older_form(layout: &Layout) -> Vec<(String, Digest)> {
    let listed = layout.index().manifests.iter();
    let tagged = listed.filter_map(|listed| Some((listed.tag()?.to_owned(), listed.digest)));
    tagged.filter(|(tag, _)| tag.ends_with(".sig")).collect()
}

#[test]
fn every_manifest_of_an_index_is_signed_and_the_index_too() {
    let context = signed_for_both();
    let (layout, found) = found(&context, "out");
    assert_eq!((found.manifests.len(), found.documents().count()), (2, 3));
    for document in found.documents() {
        let bundles = layout.signatures(&document.digest).bundles;
        let bundle: serde_json::Value = serde_json::from_slice(bundles.last().unwrap()).unwrap();
        let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
        let payload = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload).unwrap();
        let statement: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(statement["subject"][0]["digest"]["sha256"], document.digest.hex());
        assert_eq!(statement["subject"][0]["name"], "acme");
    }
}

#[test]
fn push_pull_and_copy_carry_every_signature() {
    for context in [signed_extension(), signed_for_both()] {
        let registry = Registry::start(&context);
        let place = |rest: &str| format!("{}/{rest}", registry.host);
        let digest = found(&context, "out").1.named().digest.to_string();
        let run = |arguments: &[&str]| assert_eq!(context.extbuild(arguments).ok(), digest, "{arguments:?}");

        run(&["push", "oci:out:acme-1.0.0", &place("a/acme:1.0.0")]);
        run(&["pull", &place("a/acme:1.0.0"), "-o", "oci:pulled"]);
        assert_same(&context, "pulled");
        run(&["copy", "oci:pulled:acme-1.0.0", "oci:copied"]);
        assert_same(&context, "copied");
        run(&["copy", "oci:copied:acme-1.0.0", &place("b/acme:1.0.0")]);
        run(&["copy", &place("b/acme:1.0.0"), "oci:back"]);
        assert_same(&context, "back");
        run(&["copy", &place("b/acme:1.0.0"), &place("c/acme:2")]);
        run(&["copy", &place("c/acme:2"), "oci:again"]);
        assert_same(&context, "again");
        // To another registry, on which nothing can be taken over.
        let other_context = Context::new();
        let other = Registry::start(&other_context);
        let far = format!("{}/acme:1.0.0", other.host);
        run(&["copy", &place("c/acme:2"), &far]);
        run(&["copy", &far, "oci:far"]);
        assert_same(&context, "far");
    }
}

#[test]
fn one_architecture_goes_alone_where_it_is_named() {
    let context = signed_for_both();
    let registry = Registry::start(&context);
    let place = format!("{}/acme:1.0.0", registry.host);
    let (_, both) = found(&context, "out");
    let arm64 = both.manifests[1].digest.to_string();
    assert_eq!(context.extbuild(&["push", "oci:out:acme-1.0.0", &place, "--arch", "arm64"]).ok(), arm64);
    assert_eq!(context.extbuild(&["pull", &place, "-o", "oci:pulled"]).ok(), arm64);
    assert_eq!(
        context.extbuild(&["copy", "oci:out:acme-1.0.0", "oci:copied", "--arch", "arm64"]).ok(),
        arm64
    );
    for layout in ["pulled", "copied"] {
        let (layout, found) = found(&context, layout);
        assert_eq!(found.index, None);
        assert_eq!(layout.signatures(&found.named().digest).bundles.len(), 1);
    }
    let said = context.extbuild(&["pull", &place, "-o", "oci:other", "--arch", "amd64"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.stderr.contains("is not for amd64") && said.stderr.contains("it is for arm64"), "{said}");
    // What needs one manifest says which there are.
    let said = context.extbuild(&["inspect", "--files", "oci:out:acme-1.0.0"]);
    assert!(said.stderr.contains("is of 2 architectures, and one is needed here"), "{said}");
}
