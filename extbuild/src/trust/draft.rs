//! Changing the text of a trust policy, so that what people have written in it stays: order, comments and all.
//!
//! The text is changed by lines, as people lay out such files. Whether that was right, the parser says: a draft that does
//! not mean what it should is never written.

use signing::{PolicyError, Role, TrustPolicy, TrustedKey};
use spec::{Diagnose, GrantPattern, NamePattern, Outcome};

/// The text of a policy.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    text: String,
    file: String,
}

/// A key that is to be in a policy.
#[derive(Debug)]
pub(crate) struct NewKey<'a> {
    pub(crate) name: &'a str,
    pub(crate) roles: &'a [Role],
    pub(crate) extensions: &'a [NamePattern],
    pub(crate) may: &'a [GrantPattern],
    /// SPKI PEM.
    pub(crate) pem: &'a str,
}

impl Draft {
    /// A policy without keys, which is not one yet.
    pub(crate) fn new(file: String) -> Draft {
        let text = "apiVersion: v1alpha1\nkind: TrustPolicy\nversion: 1\nkeys:\n".to_owned();
        Draft { text, file }
    }

    /// The text of a policy that is sound.
    pub(crate) fn of(text: String, file: String) -> Result<Draft, PolicyError> {
        TrustPolicy::parse(&text, &file)?;
        Ok(Draft { text, file })
    }

    /// The text, and what it means.
    pub(crate) fn finish(self) -> Result<(String, TrustPolicy), PolicyError> {
        let policy = TrustPolicy::parse(&self.text, &self.file)?;
        Ok((self.text, policy))
    }

    /// Adds a key behind the others.
    pub(crate) fn add(self, key: &NewKey<'_>) -> Result<Draft, DraftError> {
        let before = self.keys();
        let item = item(key);
        let Some((_, end)) = self.block("keys") else { return Err(self.by_hand(&item)) };
        let mut lines: Vec<&str> = self.text.lines().collect();
        let indent = self.items().first().map_or("  ", |(start, _)| indentation(lines[*start]));
        let added: Vec<String> = item.lines().map(|line| format!("{indent}{line}")).collect();
        lines.splice(end..end, added.iter().map(String::as_str));
        let draft = Draft { text: joined(&lines), file: self.file.clone() };
        let right = match TrustPolicy::parse(&draft.text, &self.file) {
            // A key that the policy cannot have is the user's mistake and not the editor's.
            Err(error @ (PolicyError::KeyTwice { .. } | PolicyError::NameTwice { .. })) => {
                return Err(error.into());
            }
            Err(error @ (PolicyError::NoExtensions { .. } | PolicyError::NoPublisher { .. })) => {
                return Err(error.into());
            }
            Err(_) => false,
            Ok(after) => {
                after.keys().split_last().is_some_and(|(new, rest)| rest == before && new.name() == key.name)
            }
        };
        if right { Ok(draft) } else { Err(self.by_hand(&item)) }
    }

    /// Takes a key out.
    pub(crate) fn drop(self, name: &str) -> Result<Draft, DraftError> {
        let before = self.keys();
        if !before.iter().any(|key| key.name() == name) {
            return Err(DraftError::NoSuchKey { file: self.file, name: name.to_owned() });
        }
        let rest: Vec<TrustedKey> = before.into_iter().filter(|key| key.name() != name).collect();
        let mut lines: Vec<&str> = self.text.lines().collect();
        let says = |line: &str| {
            let value = line.trim_start().trim_start_matches("- ").trim_start().strip_prefix("name:");
            value.is_some_and(|value| value.trim().trim_matches(['"', '\'']) == name)
        };
        let found =
            self.items().into_iter().find(|(start, end)| lines[*start..*end].iter().any(|line| says(line)));
        let Some((start, end)) = found else { return Err(self.by_hand(&format!("take the key {name} out"))) };
        lines.drain(start..end);
        let draft = Draft { text: joined(&lines), file: self.file.clone() };
        match TrustPolicy::parse(&draft.text, &self.file) {
            Ok(after) if after.keys() == rest => Ok(draft),
            Err(
                error @ (PolicyError::NoKeys { .. }
                | PolicyError::Threshold { .. }
                | PolicyError::NoOperator { .. }),
            ) => Err(error.into()),
            _ => Err(self.by_hand(&format!("take the key {name} out"))),
        }
    }

    /// Gives a field of the document itself a value.
    pub(crate) fn set(self, field: &str, value: &str) -> Draft {
        let line = format!("{field}: {value}");
        let mut lines: Vec<&str> = self.text.lines().collect();
        let is_field =
            |name: &str, line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
        match lines.iter().position(|line| is_field(field, line)) {
            Some(place) => lines[place] = &line,
            None => {
                let kind = lines.iter().position(|line| is_field("kind", line)).map_or(0, |place| place + 1);
                lines.insert(kind, &line);
            }
        }
        Draft { text: joined(&lines), file: self.file.clone() }
    }

    fn keys(&self) -> Vec<TrustedKey> {
        TrustPolicy::parse(&self.text, &self.file).map(|policy| policy.keys().to_vec()).unwrap_or_default()
    }

    /// The lines below a field: from the one after it to the one behind the last that is indented.
    fn block(&self, field: &str) -> Option<(usize, usize)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let start = lines.iter().position(|line| line.trim_end() == format!("{field}:"))? + 1;
        let inside = |line: &&str| line.is_empty() || line.starts_with([' ', '#']) || line.starts_with("- ");
        let end = start + lines[start..].iter().take_while(|line| inside(line)).count();
        let last = lines[start..end]
            .iter()
            .rposition(|line| line.starts_with([' ', '-']))
            .map_or(0, |last| last + 1);
        Some((start, start + last))
    }

    /// The items of `keys:`, as ranges of lines.
    fn items(&self) -> Vec<(usize, usize)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let Some((start, end)) = self.block("keys") else { return Vec::new() };
        let indent = lines[start..end].iter().find(|line| is_item(line)).map_or("", |line| indentation(line));
        let begins = |place: &usize| is_item(lines[*place]) && indentation(lines[*place]) == indent;
        let starts: Vec<usize> = (start..end).filter(begins).collect();
        let ends = starts.iter().skip(1).copied().chain([end]);
        // A remark above an item is about that one.
        let remark = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        let without = |start: usize, end: usize| {
            end - lines[start..end].iter().rev().take_while(|line| remark(line)).count()
        };
        starts.iter().copied().zip(ends).map(|(start, end)| (start, without(start, end))).collect()
    }

    fn by_hand(&self, what: &str) -> DraftError {
        DraftError::ByHand { file: self.file.clone(), what: what.trim_end().to_owned() }
    }
}

fn is_item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn item(key: &NewKey<'_>) -> String {
    let NewKey { name, roles, extensions, may, pem } = key;
    let quoted =
        |texts: Vec<String>| texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ");
    let mut text = format!("- name: \"{}\"\n", name.replace('\\', "\\\\").replace('"', "\\\""));
    if !roles.is_empty() {
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        text += &format!("  roles: [{}]\n", roles.join(", "));
    }
    if !extensions.is_empty() {
        text +=
            &format!("  extensions: [{}]\n", quoted(extensions.iter().map(ToString::to_string).collect()));
    }
    if !may.is_empty() {
        text += &format!("  may: [{}]\n", quoted(may.iter().map(ToString::to_string).collect()));
    }
    text += "  publicKey: |\n";
    for line in pem.lines() {
        text += &format!("    {line}\n");
    }
    text
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DraftError {
    /// It would not be a policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("{file} has no key {name}")]
    NoSuchKey { file: String, name: String },
    #[error("{file} is laid out in a way that this program cannot change safely")]
    ByHand { file: String, what: String },
}

impl Diagnose for DraftError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            DraftError::Policy(error) => error.hint(),
            DraftError::NoSuchKey { file, .. } => {
                Some(format!("extbuild trust explain --trust {file} lists the keys"))
            }
            DraftError::ByHand { what, .. } => Some(format!("change it by hand, below keys:\n{what}")),
        }
    }
}
