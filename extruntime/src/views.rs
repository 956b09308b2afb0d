//! The status in the forms that other programs read.
//!
//! They lie beside the status in `/run`; whoever wants to see them where those programs look has a link there.

use std::fmt::Write;

use spec::Version;
use spec::status::{ExtensionStatus, State, Status};

/// Longest name and value of a label (Kubernetes, "Labels and Selectors", syntax).
const LABEL_MAX: usize = 63;

/// The extensions as Talos lists them in `/etc/extensions.yaml` (siderolabs/talos, pkg/machinery/extensions/config.go):
/// layers with a name, a version and an author, to which we add what stands for the bytes.
pub(crate) fn talos(status: &Status) -> String {
    let mut text = "layers:\n".to_owned();
    for extension in active(status) {
        let manifest = extension.digest.map(|digest| digest.to_string()).unwrap_or_default();
        let version = extension.version.as_ref().map(Version::to_string).unwrap_or_default();
        let author = extension.signers.join(", ");
        // Text in JSON is text in YAML (YAML 1.2.2, section 1.2).
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let _ = write!(
            text,
            "  - image: {}\n    metadata:\n      name: {}\n      version: {}\n      author: {}\n",
            quoted(&manifest),
            quoted(extension.name.as_str()),
            quoted(&version),
            quoted(&author),
        );
    }
    match text.ends_with("layers:\n") {
        true => "layers: []\n".to_owned(),
        false => text,
    }
}

/// The extensions as a feature file of Node Feature Discovery, from which nodes get labels
/// `feature.node.kubernetes.io/tenon-NAME=VERSION` (kubernetes-sigs/node-feature-discovery, "Local feature source"). A plus
/// sign is not for labels, and is written as in tags.
pub(crate) fn features(status: &Status) -> String {
    let label = |extension: &ExtensionStatus| {
        let version = extension.version.as_ref()?.as_tag();
        let name = format!("tenon-{}", extension.name);
        (name.len() <= LABEL_MAX && version.len() <= LABEL_MAX).then(|| format!("{name}={version}\n"))
    };
    active(status).filter_map(label).collect()
}

fn active(status: &Status) -> impl Iterator<Item = &ExtensionStatus> {
    status.extensions.iter().filter(|extension| extension.state == State::Active)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(extensions: &str) -> Status {
        serde_json::from_str(&format!(
            r#"{{"schemaVersion": 1, "kernel": "6.1.0", "base": "demo 1.0.0", "extensions": [{extensions}]}}"#
        ))
        .unwrap()
    }

    #[test]
    fn other_programs_see_what_is_active() {
        let status = status(
            r#"{"name": "wg", "state": "active", "version": "1.0.0+2", "signers": ["a: \"b\"", "c"],
                "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
               {"name": "nv", "state": "refused", "version": "2.0.0"}"#,
        );
        let expected = r#"layers:
  - image: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    metadata:
      name: "wg"
      version: "1.0.0+2"
      author: "a: \"b\", c"
"#;
        assert_eq!(talos(&status), expected);
        assert_eq!(features(&status), "tenon-wg=1.0.0_2\n");
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(talos(&status("")), "layers: []\n");
        assert_eq!(features(&status("")), "");
    }
}
