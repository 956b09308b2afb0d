//! The schematic: what a medium is made of, in one small file.

use std::fmt;
use std::path::{Path, PathBuf};

use catalog::{Reference, Selector};
use serde::Deserialize;
use spec::machine::API_VERSION;
use spec::yaml::{self, YamlError};
use spec::{Diagnose, Outcome};

/// `kind` of the document.
pub const KIND: &str = "Schematic";

/// What to compose. Every path is relative to the directory that the program runs in, or absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schematic {
    /// Directory of the base, as `extbuild base` writes it.
    pub base: PathBuf,
    /// The machine config.
    pub machine_config: PathBuf,
    /// The trust policy.
    pub trust: PathBuf,
    /// Directory of what the keys of the policy have signed since: policies, revocations and sets.
    pub trust_updates: Option<PathBuf>,
    /// Directory of the OCI layout with the extensions.
    pub extensions: PathBuf,
    /// Kernel arguments to append to the defaults.
    pub kernel_args: Vec<KernelArg>,
}

/// The document as written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    api_version: String,
    kind: String,
    base: PathBuf,
    machine_config: PathBuf,
    trust: PathBuf,
    #[serde(default)]
    trust_updates: Option<PathBuf>,
    extensions: LayoutPlace,
    #[serde(default)]
    kernel_args: Vec<KernelArg>,
}

impl Schematic {
    /// Reads a schematic. `file` names the text in errors, and paths are taken relative to its directory.
    pub fn parse(text: &str, file: &Path) -> Result<Schematic, SchematicError> {
        let name = file.display().to_string();
        let document: Document = yaml::parse(text, &name)?;
        let Document {
            api_version,
            kind,
            base,
            machine_config,
            trust,
            trust_updates,
            extensions,
            kernel_args,
        } = document;
        if api_version != API_VERSION {
            return Err(SchematicError::ApiVersion { file: name, found: api_version });
        }
        if kind != KIND {
            return Err(SchematicError::Kind { file: name, found: kind });
        }
        let directory = file.parent().unwrap_or(Path::new(""));
        Ok(Schematic {
            base: directory.join(base),
            machine_config: directory.join(machine_config),
            trust: directory.join(trust),
            trust_updates: trust_updates.map(|updates| directory.join(updates)),
            extensions: directory.join(extensions.0),
            kernel_args,
        })
    }
}

/// An OCI layout on disk as a whole: `oci:DIRECTORY` without a tag.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct LayoutPlace(PathBuf);

impl TryFrom<String> for LayoutPlace {
    type Error = String;

    fn try_from(text: String) -> Result<LayoutPlace, String> {
        match text.parse() {
            Ok(Reference::Layout(layout)) if layout.select == Selector::default() => {
                Ok(LayoutPlace(layout.dir))
            }
            _ => Err(format!("\"{text}\" is not a whole OCI layout on disk: expected oci:DIRECTORY")),
        }
    }
}

/// One argument of the kernel command line: printable ASCII without spaces and quotes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KernelArg(String);

impl KernelArg {
    /// The argument as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KernelArg {
    type Error = String;

    fn try_from(text: String) -> Result<KernelArg, String> {
        let sound = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
        match sound {
            true => Ok(KernelArg(text)),
            false => Err(format!(
                "{:?} is not a kernel argument: expected printable ASCII without spaces and quotes",
                text.chars().take(80).collect::<String>()
            )),
        }
    }
}

impl fmt::Display for KernelArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a schematic was refused.
#[derive(Debug, thiserror::Error)]
pub enum SchematicError {
    /// It is not the YAML that it should be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A document of another version of the format.
    #[error("{file}: apiVersion \"{found}\" is not known: this version reads {API_VERSION}")]
    ApiVersion {
        /// The file.
        file: String,
        /// What it says.
        found: String,
    },
    /// Another kind of document.
    #[error("{file}: kind \"{found}\" is not {KIND}")]
    Kind {
        /// The file.
        file: String,
        /// What it says.
        found: String,
    },
}

impl Diagnose for SchematicError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "a schematic has apiVersion: {API_VERSION}, kind: {KIND}, base, machineConfig, trust, extensions \
             (oci:DIRECTORY) and, if wanted, trustUpdates and kernelArgs"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMATIC: &str = "\
apiVersion: v1alpha1
kind: Schematic
base: base/
machineConfig: machine.yaml
trust: /etc/trust.yaml
extensions: oci:store
kernelArgs: [console=ttyS0, panic=-1]
";

    fn refusal(text: &str) -> String {
        Schematic::parse(text, Path::new("s.yaml")).unwrap_err().to_string()
    }

    #[test]
    fn paths_are_relative_to_the_schematic() {
        let schematic = Schematic::parse(SCHEMATIC, Path::new("dir/s.yaml")).unwrap();
        assert_eq!(schematic.base, Path::new("dir/base/"));
        assert_eq!(schematic.trust, Path::new("/etc/trust.yaml"));
        assert_eq!(schematic.extensions, Path::new("dir/store"));
        let args: Vec<_> = schematic.kernel_args.iter().map(KernelArg::as_str).collect();
        assert_eq!(args, ["console=ttyS0", "panic=-1"]);
        assert_eq!(Schematic::parse(SCHEMATIC, Path::new("s.yaml")).unwrap().base, Path::new("base/"));
    }

    #[test]
    fn kernel_arguments_may_be_left_out_and_nothing_else() {
        let without = |key: &str| -> String {
            SCHEMATIC.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect()
        };
        assert_eq!(Schematic::parse(&without("kernelArgs"), Path::new("s.yaml")).unwrap().kernel_args, []);
        for key in ["apiVersion", "kind", "base", "machineConfig", "trust", "extensions"] {
            let message = refusal(&without(key));
            assert!(message.contains(&format!("missing field `{key}`")), "{message}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        insta::assert_snapshot!(refusal(&SCHEMATIC.replace("base:", "bass:")), @r"
        s.yaml:3:1: unknown field `bass`, expected one of apiVersion, kind, base, machineConfig, trust, trustUpdates, extensions, kernelArgs
           |
         3 | bass: base/
           | ^
        ");
        insta::assert_snapshot!(refusal(&SCHEMATIC.replace("v1alpha1", "v2")), @r#"s.yaml: apiVersion "v2" is not known: this version reads v1alpha1"#);
        insta::assert_snapshot!(refusal(&SCHEMATIC.replace("Schematic", "Scheme")), @r#"s.yaml: kind "Scheme" is not Schematic"#);
        insta::assert_snapshot!(refusal(&SCHEMATIC.replace("oci:store", "store")), @r#"
        s.yaml:6:13: "store" is not a whole OCI layout on disk: expected oci:DIRECTORY
           |
         6 | extensions: store
           |             ^
        "#);
        insta::assert_snapshot!(refusal(&SCHEMATIC.replace("panic=-1", "\"a b\"")), @r#"
        s.yaml:7:29: "a b" is not a kernel argument: expected printable ASCII without spaces and quotes
           |
         7 | kernelArgs: [console=ttyS0, "a b"]
           |                             ^
        "#);
    }
}
