//! What is believed and what is said about it: signatures, policies, documents, lists of signatures, headers and machine
//! configs.

use std::error::Error;

use signing::{DocumentKind, PublicKey, Purpose, SigningKey, Statement, sign_extension};
use spec::Digest;
use spec::artifact::media;

type Seeds = Result<Vec<Vec<u8>>, Box<dyn Error>>;

pub(crate) fn bundles() -> Seeds {
    let (name, manifest) = ("wireguard".parse()?, Digest::of(b"a manifest"));
    let bundle = sign_extension(&SigningKey::from_seed([7; 32]), &name, &manifest)?;
    let statement = Statement { name: name.to_string(), digest: manifest };
    let purposes = [Purpose::Extension, Purpose::Document(DocumentKind::Policy)];
    Ok([vec![bundle.to_json()], purposes.map(|purpose| statement.to_json(purpose)).into()].concat())
}

pub(crate) fn policies() -> Seeds {
    let entry = |number: u8| {
        let key = SigningKey::from_seed([number; 32]).public_key();
        format!(
            "  - name: key-{number}\n    extensions: [wireguard, \"nvidia-*\"]\n    publicKey: |\n{}",
            indented(&key)
        )
    };
    let head = |kind: &str| format!("apiVersion: v1alpha1\nkind: {kind}\n");
    let policy = head("TrustPolicy");
    let digest = Digest::of(b"a manifest");
    let more = format!(
        "version: 2\nexpires: 2030-12-31\ngenerations: {{wireguard: 3}}\ndeny:\n  - {digest}\n\
         developer: {{name: me, extensions: [\"dev-*\"], may: [modules]}}\nthresholds: {{publisher: 2}}\n"
    );
    let revocation = format!("version: 1\ngenerations: {{wireguard: 3}}\ndeny:\n  - {digest}\n");
    let set = format!(
        "class: edge\nversion: 1\nextensions:\n  - name: wireguard\n    version: \"1.0.0\"\n    digest: {digest}\n"
    );
    let seeds = [
        format!("{policy}keys:\n{}", entry(1)),
        format!("{policy}{more}keys:\n{}{}", entry(1), entry(2)),
        head("Revocation") + &revocation,
        head("ExtensionSet") + &set,
    ];
    Ok(seeds.map(String::into_bytes).into())
}

fn indented(key: &PublicKey) -> String {
    key.to_pem().lines().map(|line| format!("      {line}\n")).collect()
}

/// Files that steer a machine, one for each reader.
pub(crate) fn steering() -> Vec<Vec<u8>> {
    let seeds = [
        "KERNEL==\"nvidia*\", MODE=\"0660\", RUN{program}+=\"/bin/x 'a b'\", \\\n ENV{SYSTEMD_WANTS}=\"a.service\"\n",
        "options a b=1 \\\n c=2\ninstall d /bin/sh\nalias e* f\nsoftdep g pre: h\n",
        "net.ipv4.conf.all.x = 1\n-net/ipv4/y=2\n-a.*\n",
        "d /run/a 0755 root root -\nL+ \"/run/b c\" - - - - /x\n",
        "u a - \"A\" /x\nm a b\ng c -\n:n:M::\\x7f:\\xff:/usr/bin/q:F\n",
        "/opt/a/lib # x\ninclude y\nhwcap 0 z\nenable a.service\n",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

pub(crate) fn documents() -> Seeds {
    let blob = |media_type: &str| descriptor(media_type, &Digest::of(b"a blob").to_string(), "6");
    let layers = [media::IMAGE, media::PATHS, media::KABI].map(blob).join(",");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"{}","config":{},"layers":[{layers}],"annotations":{{"a":"b"}}}}"#,
        media::MANIFEST,
        media::ARTIFACT,
        blob(media::CONFIG),
    );
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}],"annotations":{{"a":"b"}}}}"#,
        media::INDEX,
        blob(media::MANIFEST)
    );
    let config = r#"{"schemaVersion":1,"name":"hello","version":"1.0.0","arch":"amd64","description":"a seed","content":{"inodes":4,"bytes":5}}"#;
    Ok(vec![manifest.into_bytes(), index.into_bytes(), config.into()])
}

/// The words in capitals are replaced by the target.
pub(crate) fn referrers() -> Seeds {
    let list = |entries: String| format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#);
    let entry = descriptor(media::MANIFEST, "DIGEST", r#""SIZE""#);
    let manifest = format!(
        r#"{{"schemaVersion":2,"artifactType":"{}","config":{},"layers":[{}],"subject":{}}}"#,
        media::BUNDLE,
        descriptor(media::EMPTY, "EMPTY", "2"),
        descriptor(media::BUNDLE, "BUNDLE", "8"),
        descriptor(media::MANIFEST, "SUBJECT", "11"),
    );
    let other = descriptor(media::MANIFEST, &Digest::of(b"another").to_string(), "7");
    Ok([list(entry.clone()), list(format!("{other},{entry}")), list(String::new())]
        .map(|list| format!("{list}\n---\n{manifest}").into_bytes())
        .into())
}

fn descriptor(media_type: &str, digest: &str, size: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

pub(crate) fn headers() -> Vec<Vec<u8>> {
    [
        r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a:pull""#,
        "Basic realm=\"x\"\nbearer Realm=\"y\"",
        "bytes 5-9/10\nbytes 5-9/*\n0-9\nbytes=0-9",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

pub(crate) fn machines() -> Vec<Vec<u8>> {
    let head = "apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions:\n";
    let config =
        format!("{head}  - name: hello\n    version: \"1.*\"\n  - name: other\n    version: \"2.0.0\"\n");
    let patch =
        format!("{head}  - name: hello\n    version: \"1.2.*\"\n  - name: other\n    $patch: delete\n");
    let streams =
        [config.clone(), format!("kind: Other\n---\n{config}"), format!("{config}\n=====\n{patch}")];
    streams.map(String::into_bytes).into()
}
