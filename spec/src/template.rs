//! Text with variables, filled in per build. There is nothing here like a programming language, and there will not be.

use std::collections::BTreeMap;

use crate::{Diagnose, Outcome};

/// Text with variables such as `${kernel.release}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    /// File, line and column.
    place: String,
}

/// The values of variables in one build.
#[derive(Debug, Clone, Default)]
pub struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    /// Gives a variable its value.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.insert(name, value.into());
    }
}

/// Variables that a manifest may use; those of the kernel have a value only where a kernel was given.
pub const VARIABLES: [&str; 4] = ["arch", "kernel.release", "name", "version"];

impl Template {
    /// Text that stands at `place`: file, line and column.
    pub(crate) fn new(text: String, place: String) -> Template {
        Template { text, place }
    }

    /// A template without variables that stands nowhere in a file.
    pub fn literal(text: &str) -> Template {
        Template { text: text.to_owned(), place: String::new() }
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// File, line and column, for errors about the expanded value.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Puts the values in.
    pub fn expand(&self, variables: &Variables) -> Result<String, TemplateError> {
        let wrong = |problem| TemplateError { place: self.place.clone(), problem };
        let mut expanded = String::new();
        let mut rest = self.text.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            expanded.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                return Err(wrong(Problem::Open(self.text.clone())));
            };
            match variables.0.get(name) {
                Some(value) => expanded.push_str(value),
                None if VARIABLES.contains(&name) => return Err(wrong(Problem::NoValue(name.to_owned()))),
                None => return Err(wrong(Problem::Unknown(name.to_owned()))),
            }
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

/// Why a template could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct TemplateError {
    place: String,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("\"{0}\" opens a variable and does not close it")]
    Open(String),
    #[error("${{{0}}} has no value in this build")]
    NoValue(String),
    #[error("${{{0}}} is not a variable")]
    Unknown(String),
}

impl Diagnose for TemplateError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self.problem {
            Problem::Open(_) => "write ${name}".to_owned(),
            Problem::NoValue(_) => "give the kernel with --kernel DIR".to_owned(),
            Problem::Unknown(_) => format!("there are {}", VARIABLES.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_or_explained() {
        let mut variables = Variables::default();
        let expand = |text: &str, variables: &Variables| {
            Template::new(text.to_owned(), "e.yaml:5:11".to_owned()).expand(variables)
        };
        let complaint = |text: &str| expand(text, &Variables::default()).unwrap_err();
        assert_eq!(
            complaint("${kernel.release}").to_string(),
            "e.yaml:5:11: ${kernel.release} has no value in this build"
        );
        assert_eq!(
            complaint("${kernel.release}").hint().as_deref(),
            Some("give the kernel with --kernel DIR")
        );
        assert_eq!(complaint("a${b}").to_string(), "e.yaml:5:11: ${b} is not a variable");
        assert_eq!(
            complaint("a${b").to_string(),
            "e.yaml:5:11: \"a${b\" opens a variable and does not close it"
        );
        variables.set("kernel.release", "6.1.0");
        variables.set("name", "${arch}");
        assert_eq!(expand("${name} for ${kernel.release}.", &variables).unwrap(), "${arch} for 6.1.0.");
    }
}
