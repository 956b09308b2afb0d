//! The machine config: which extensions a machine runs. Fragment, input, setting: patches merge over the file as
//! written, and only the result is judged.

use serde::{Deserialize, Serialize};

use crate::yaml::{self, YamlError};
use crate::{Diagnose, ExtensionName, Outcome, VersionRange};

/// `apiVersion` of every YAML document of Tenon.
pub const API_VERSION: &str = "v1alpha1";
/// `kind` of our document among those of a machine config.
pub const KIND: &str = "ExtensionsConfig";

/// What a machine is to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExtensionsConfig {
    /// The extensions, in the order of the file, each name once.
    pub extensions: Vec<Wanted>,
}

/// One extension that a machine is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// Its name.
    pub name: ExtensionName,
    /// The versions that will do; the highest one that is there is taken.
    pub version: VersionRange,
    /// Is the set worth nothing without it?
    pub required: bool,
}

/// One `ExtensionsConfig` document as written; in a patch everything but names may be missing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fragment {
    api_version: String,
    kind: String,
    #[serde(default)]
    extensions: Vec<WantedFragment>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedFragment {
    name: ExtensionName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<VersionRange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    required: Option<bool>,
    /// `delete` takes the entry of this name away, as in Talos's patches.
    #[serde(rename = "$patch", default, skip_serializing_if = "Option::is_none")]
    patch: Option<Patch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Patch {
    Delete,
}

/// The first two keys of any document; the rest is somebody else's until `kind` says it is ours.
#[derive(Debug, Deserialize)]
struct Header {
    #[serde(default)]
    kind: Option<String>,
}

/// Reads a machine config: documents of other kinds are passed over, ours merge in order.
///
/// `file` names the text in errors.
pub fn parse(text: &str, file: &str) -> Result<ExtensionsConfig, MachineError> {
    patched(text, file, &[])
}

/// Reads a machine config and merges patches over it, in order. A patch entry replaces the fields that it has in the
/// entry of the same name, is appended where there is none, and takes it away with `$patch: delete`.
///
/// `patches` are pairs of text and file name.
pub fn patched(
    text: &str,
    file: &str,
    patches: &[(String, String)],
) -> Result<ExtensionsConfig, MachineError> {
    let mut fragments = fragments(text, file)?;
    if fragments.is_empty() {
        return Err(MachineError::NoDocument { file: file.to_owned() });
    }
    for (text, file) in patches {
        let own = self::fragments(text, file)?;
        if own.is_empty() {
            return Err(MachineError::NoDocument { file: file.clone() });
        }
        fragments.extend(own);
    }
    let mut merged: Vec<WantedFragment> = Vec::new();
    for (place, fragment) in fragments {
        merge(&mut merged, fragment, &place)?;
    }
    Ok(ExtensionsConfig { extensions: merged.into_iter().map(Wanted::from).collect() })
}

/// Writes the config as the YAML that [`parse`] reads.
pub fn to_yaml(config: &ExtensionsConfig) -> String {
    let mut text = format!("apiVersion: {API_VERSION}\nkind: {KIND}\nextensions:");
    if config.extensions.is_empty() {
        text += " []";
    }
    for wanted in &config.extensions {
        let Wanted { name, version, required } = wanted;
        text += &format!("\n  - name: {name}\n    version: \"{version}\"");
        text += if *required { "\n    required: true" } else { "" };
    }
    text + "\n"
}

/// The `ExtensionsConfig` documents of a stream, each with its place for errors.
fn fragments(text: &str, file: &str) -> Result<Vec<(String, Fragment)>, MachineError> {
    let mut found = Vec::new();
    for document in yaml::documents(text, file)? {
        let header: Header = yaml::parse(&document, file)?;
        if header.kind.as_deref() != Some(KIND) {
            continue;
        }
        let fragment: Fragment = yaml::parse(&document, file)?;
        if fragment.api_version != API_VERSION {
            return Err(MachineError::ApiVersion { file: file.to_owned(), found: fragment.api_version });
        }
        found.push((file.to_owned(), fragment));
    }
    Ok(found)
}

fn merge(merged: &mut Vec<WantedFragment>, fragment: Fragment, file: &str) -> Result<(), MachineError> {
    let Fragment { api_version: _, kind: _, extensions } = fragment;
    for (index, entry) in extensions.iter().enumerate() {
        if extensions[..index].iter().any(|earlier| earlier.name == entry.name) {
            return Err(MachineError::Twice { file: file.to_owned(), name: entry.name.clone() });
        }
    }
    for entry in extensions {
        let place = merged.iter().position(|known| known.name == entry.name);
        match (place, entry.patch) {
            (Some(place), Some(Patch::Delete)) => drop(merged.remove(place)),
            (None, Some(Patch::Delete)) => {
                return Err(MachineError::NothingToDelete { file: file.to_owned(), name: entry.name });
            }
            (Some(place), None) => {
                merged[place].version = entry.version.or(merged[place].version.take());
                merged[place].required = entry.required.or(merged[place].required);
            }
            (None, None) => merged.push(entry),
        }
    }
    Ok(())
}

impl From<WantedFragment> for Wanted {
    fn from(fragment: WantedFragment) -> Wanted {
        let WantedFragment { name, version, required, patch: _ } = fragment;
        let version = version.unwrap_or_else(VersionRange::any);
        Wanted { name, version, required: required.unwrap_or_default() }
    }
}

/// Why a machine config was refused.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// It is not the YAML that it should be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// No document of the file is ours.
    #[error("{file}: no document with kind: {KIND}")]
    NoDocument {
        /// The file.
        file: String,
    },
    /// A document of another version of the format.
    #[error("{file}: apiVersion \"{found}\" is not known: this version reads {API_VERSION}")]
    ApiVersion {
        /// The file.
        file: String,
        /// What it says.
        found: String,
    },
    /// One document names an extension twice.
    #[error("{file}: the extension {name} is named twice")]
    Twice {
        /// The file.
        file: String,
        /// The extension.
        name: ExtensionName,
    },
    /// A patch deletes what is not there.
    #[error("{file}: $patch: delete names {name}, which is not in the config")]
    NothingToDelete {
        /// The file.
        file: String,
        /// The extension.
        name: ExtensionName,
    },
}

impl Diagnose for MachineError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            MachineError::NoDocument { .. } => {
                Some(format!("start a document with apiVersion: {API_VERSION} and kind: {KIND}"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
version: v1alpha1
machine: {type: worker}
---
apiVersion: v1alpha1
kind: ExtensionsConfig
extensions:
  - name: wireguard
    version: ^1.0
  - name: firmware
";

    fn patch(body: &str) -> Vec<(String, String)> {
        vec![(format!("apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions:\n{body}"), "p.yaml".into())]
    }

    fn names(config: &ExtensionsConfig) -> Vec<String> {
        config.extensions.iter().map(|wanted| format!("{} {}", wanted.name, wanted.version)).collect()
    }

    #[test]
    fn documents_of_others_are_passed_over() {
        assert_eq!(names(&parse(CONFIG, "m.yaml").unwrap()), ["wireguard ^1.0", "firmware *"]);
        let error = parse("kind: Other\n", "m.yaml").unwrap_err();
        assert_eq!(error.to_string(), "m.yaml: no document with kind: ExtensionsConfig");
        assert!(error.hint().is_some());
    }

    #[test]
    fn patches_merge_by_name() {
        let with = |body: &str| patched(CONFIG, "m.yaml", &patch(body)).map(|config| names(&config));
        assert_eq!(
            with("  - {name: firmware, version: =2.0.0}\n").unwrap(),
            ["wireguard ^1.0", "firmware =2.0.0"]
        );
        assert_eq!(with("  - {name: new}\n").unwrap(), ["wireguard ^1.0", "firmware *", "new *"]);
        assert_eq!(with("  - {name: wireguard, $patch: delete}\n").unwrap(), ["firmware *"]);
        assert_eq!(with("  - {name: wireguard}\n").unwrap(), ["wireguard ^1.0", "firmware *"]);
        assert!(matches!(with("  - {name: x, $patch: delete}\n"), Err(MachineError::NothingToDelete { .. })));
        assert!(matches!(with("  - {name: x}\n  - {name: x}\n"), Err(MachineError::Twice { .. })));
    }

    #[test]
    fn what_is_required_stays_so_until_a_patch_says_otherwise() {
        let base = CONFIG.replace("version: ^1.0", "required: true");
        let required = |body: &str| patched(&base, "m.yaml", &patch(body)).unwrap().extensions[0].required;
        assert!(required("  - {name: wireguard, version: =2.0.0}\n"));
        assert!(!required("  - {name: wireguard, required: false}\n"));
        let config = parse(&base, "m.yaml").unwrap();
        assert_eq!(parse(&to_yaml(&config), "w.yaml").unwrap(), config);
    }

    #[test]
    fn errors_keep_the_line_of_the_whole_file() {
        let error = parse(&CONFIG.replace("    version: ^1.0", "    colour: red"), "m.yaml").unwrap_err();
        assert!(error.to_string().starts_with("m.yaml:8:5: unknown field `colour`"), "{error}");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let config = parse(CONFIG, "m.yaml").unwrap();
        assert_eq!(parse(&to_yaml(&config), "w.yaml").unwrap(), config);
        let empty = ExtensionsConfig::default();
        assert_eq!(parse(&to_yaml(&empty), "w.yaml").unwrap(), empty);
    }
}
