//! A module that is loaded when its extension is active, and what it is told: one line, as for modprobe(8).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::door::serde_by_text;
use crate::{Grant, GrantKind, ModuleName};

/// Most bytes of all parameters of a module: the kernel takes a page (kernel/module/main.c, `strndup_user`), and a
/// terminal a line.
const PARAMETERS_MAX: usize = 1024;

/// `MODULE`, or `MODULE NAME=VALUE…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Load {
    module: ModuleName,
    parameters: String,
}

impl Load {
    /// The module.
    pub fn module(&self) -> &ModuleName {
        &self.module
    }

    /// What it is told, with one space between parameters; empty if nothing.
    pub fn parameters(&self) -> &str {
        &self.parameters
    }

    /// The grant that it takes: parameters steer a module as a file of modprobe.d does.
    pub fn grant(&self) -> Option<Grant> {
        let grant = || Grant::new(GrantKind::ModprobeOptions, self.module.as_str());
        (!self.parameters.is_empty()).then(|| grant().expect("the name of a module is such a subject"))
    }
}

impl From<ModuleName> for Load {
    fn from(module: ModuleName) -> Load {
        Load { module, parameters: String::new() }
    }
}

/// The text does not say what to load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The first word is no module.
    #[error(transparent)]
    Module(#[from] crate::kernel::ModuleNameError),
    /// A word behind it is no parameter.
    #[error(
        "\"{0}\" is no parameter of a module: expected NAME or NAME=VALUE, without blanks and control characters"
    )]
    Parameter(String),
    /// They are more than a kernel takes.
    #[error("the parameters of module {0} have more than {PARAMETERS_MAX} bytes")]
    Long(ModuleName),
}

impl FromStr for Load {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Load, LoadError> {
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let module: ModuleName = words.next().unwrap_or_default().parse()?;
        let parameters: Vec<&str> = words.collect();
        if let Some(wrong) = parameters.iter().find(|word| !is_parameter(word)) {
            return Err(LoadError::Parameter(wrong.chars().take(80).collect()));
        }
        let parameters = parameters.join(" ");
        match parameters.len() > PARAMETERS_MAX {
            true => Err(LoadError::Long(module)),
            false => Ok(Load { module, parameters }),
        }
    }
}

/// Names are those of C, with a dash for an underscore where people like that (kernel/params.c, `dash2underscore`).
fn is_parameter(word: &str) -> bool {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.chars().all(names) && value.chars().all(|c| c.is_ascii_graphic())
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parameters.is_empty() {
            true => write!(f, "{}", self.module),
            false => write!(f, "{} {}", self.module, self.parameters),
        }
    }
}

serde_by_text!(Load);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_module_and_its_parameters() {
        let load: Load = "kvm-intel  nested=1 x.y_z".parse().unwrap();
        assert_eq!((load.module().as_str(), load.parameters()), ("kvm_intel", "nested=1 x.y_z"));
        assert_eq!(load.to_string(), "kvm_intel nested=1 x.y_z");
        assert_eq!("wireguard".parse::<Load>().unwrap().parameters(), "");
    }

    #[test]
    fn nothing_else_is() {
        for wrong in ["", " ", "a/b", "kvm =1", "kvm x=\n", "kvm a\tb", "kvm x=\u{e4}", "kvm \"x y\""] {
            assert!(wrong.parse::<Load>().is_err(), "{wrong:?}");
        }
        assert!(format!("kvm x={}", "1".repeat(PARAMETERS_MAX)).parse::<Load>().is_err());
    }

    #[test]
    fn parameters_need_a_grant_and_names_alone_do_not() {
        let grant = |text: &str| text.parse::<Load>().unwrap().grant().map(|grant| grant.to_string());
        assert_eq!(grant("kvm-intel nested=1").as_deref(), Some("modprobe-options:kvm_intel"));
        assert_eq!(grant("kvm"), None);
    }
}
