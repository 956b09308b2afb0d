//! The one door through which YAML comes in: strict, bounded, and with a place for every complaint.

use serde::de::DeserializeOwned;
use serde_saphyr::{Options, options};

use crate::{Diagnose, Outcome};

/// Largest YAML document that is read: far above any real manifest, far below what could hurt.
pub const MAX_BYTES: usize = 1 << 20;

/// Why a document was refused, with the file it came from, line, column and the lines around it.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub struct YamlError {
    /// File, and line and column where they are known.
    place: String,
    message: String,
}

impl Diagnose for YamlError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

/// Reads one document as a `T`.
///
/// Refused, with line and column: unknown fields (by `T`), duplicate keys, aliases and anchors, merge keys, YAML 1.1
/// booleans such as `yes`, a second document, more than [`MAX_BYTES`].
pub fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, YamlError> {
    check_size(text, file)?;
    serde_saphyr::from_str_with_options(text, strict()).map_err(|error| describe(&error, text, file))
}

/// Splits a stream into its documents. Each keeps the line numbers of the whole file, because the lines of the others
/// are left in place as empty ones; documents of nothing but comments are left out.
pub fn documents(text: &str, file: &str) -> Result<Vec<String>, YamlError> {
    check_size(text, file)?;
    let mut documents = Vec::new();
    let mut current = String::new();
    let mut line_number = 0;
    for line in text.split_inclusive('\n') {
        line_number += 1;
        // YAML 1.2.2, 9.1.2: `---` at the start of a line is a marker even inside a scalar.
        let is_marker = line.strip_prefix("---").is_some_and(|rest| rest.trim().is_empty());
        if is_marker {
            documents.push(std::mem::replace(&mut current, "\n".repeat(line_number)));
        } else {
            current.push_str(line);
        }
    }
    documents.push(current);
    let says_something =
        |doc: &String| doc.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    Ok(documents.into_iter().filter(says_something).collect())
}

fn check_size(text: &str, file: &str) -> Result<(), YamlError> {
    match text.len() {
        0..=MAX_BYTES => Ok(()),
        size => Err(YamlError {
            place: file.to_owned(),
            message: format!("the document has {size} bytes; at most {MAX_BYTES} are read"),
        }),
    }
}

fn strict() -> Options {
    options! {
        duplicate_keys: options::DuplicateKeyPolicy::Error,
        merge_keys: options::MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false, // `describe` draws its own, with the name of the file
        budget: serde_saphyr::budget! { max_aliases: 0, max_anchors: 0, max_depth: 32 },
    }
}

fn describe(error: &serde_saphyr::Error, text: &str, file: &str) -> YamlError {
    use serde_saphyr::budget::BudgetBreach;
    let complaint = match error {
        serde_saphyr::Error::Budget {
            breach: BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. },
            ..
        } => "anchors and aliases are not allowed".to_owned(),
        other => {
            let whole = other.to_string();
            // The library writes the place in front of its sentence; ours stands before the colon already.
            match whole.strip_prefix("error: line ").and_then(|rest| rest.split_once(": ")) {
                Some((_, sentence)) => sentence.to_owned(),
                None => whole,
            }
        }
    };
    let Some(place) = error.location() else {
        return YamlError { place: file.to_owned(), message: complaint };
    };
    let (line, column) = (place.line() as usize, place.column() as usize);
    let complaint = complaint.trim_end_matches(&format!(" at line {line}, column {column}"));
    // Advice for whoever calls the library is none for whoever writes the file.
    let complaint = complaint.split(", set DuplicateKeyPolicy").next().unwrap_or(complaint);
    let mut message = complaint.to_owned();
    if let Some(source) =
        text.lines().nth(line.saturating_sub(1)).filter(|source| source.chars().count() <= 160)
    {
        let margin = " ".repeat(line.to_string().len());
        let pointer = " ".repeat(column.saturating_sub(1));
        message += &format!("\n {margin} |\n {line} | {source}\n {margin} | {pointer}^");
    }
    YamlError { place: format!("{file}:{line}:{column}"), message }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)] // it is only ever refused
    struct Sample {
        name: crate::ExtensionName,
        #[serde(default)]
        flag: bool,
    }

    #[track_caller]
    fn refused(text: &str, wanted: &[&str]) {
        let error = parse::<Sample>(text, "x.yaml").unwrap_err().to_string();
        for part in wanted {
            assert!(error.contains(part), "{error:?} does not say {part:?}");
        }
    }

    #[test]
    fn every_complaint_names_its_place() {
        refused("name: a\ncolour: red\n", &["x.yaml:2:1", "colour"]);
        refused("name: a\nname: b\n", &["x.yaml:2:1: duplicate mapping key: name\n"]);
        refused("name: A\n", &["x.yaml:1:7", "is not a name"]);
        refused("name: a\nflag: yes\n", &["x.yaml:2:7"]);
        refused("name: [a\n", &["x.yaml:"]);
        refused("a: &a [x]\nname: *a\n", &["x.yaml:"]);
        refused("<<: {name: a}\n", &["x.yaml:"]);
        refused("name: a\n---\nname: b\n", &["x.yaml"]);
        refused("", &["x.yaml"]);
        refused(&format!("name: {}", "[".repeat(10_000)), &["x.yaml"]);
        refused(&"#".repeat(MAX_BYTES + 1), &["at most 1048576"]);
    }

    #[test]
    fn an_alias_bomb_does_not_go_off() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let item = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", [item.as_str(); 9].join(", "));
        }
        let error = parse::<BTreeMap<String, serde_json::Value>>(&bomb, "bomb.yaml").unwrap_err();
        assert!(error.to_string().starts_with("bomb.yaml:1:"), "{error}");
    }

    #[test]
    fn documents_keep_their_line_numbers() {
        let docs = documents("# only this\n---\nname: a\n---\nname: b\n", "x.yaml").unwrap();
        assert_eq!(docs, ["\n\nname: a\n", "\n\n\n\nname: b\n"]);
    }
}
