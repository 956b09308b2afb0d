//! The outcome for people: a table, the reasons below it, and errors.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};

use spec::status::{ExtensionStatus, State, Status};
use spec::{Diagnose, Reason};

use crate::cannot::{Cannot, cannot};
use crate::probe::Probed;

/// Prints data. A reader that has gone away is no error.
pub(crate) fn text(text: &str) -> Result<(), Cannot> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(cannot("write to", "standard output")),
    }
}

/// Prints what is not data.
pub(crate) fn aside(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints an error: the sentence, one cause a line, and what to do.
pub(crate) fn failure(error: &dyn Diagnose) {
    let mut text = format!("error: {error}\n");
    for cause in spec::causes(error) {
        text += &format!("  caused by: {cause}\n");
    }
    if let Some(hint) = error.hint() {
        text += &format!("\nhint: {hint}\n");
    }
    aside(&text);
}

/// The status as a table, with a paragraph for each extension that was refused.
pub(crate) fn table(status: &Status) -> String {
    let mut text = format!("base {}, kernel {}\n", status.base, status.kernel);
    for note in &status.notes {
        text += &format!("note: {note}\n");
    }
    if status.extensions.is_empty() {
        return text + "no extensions are asked for\n";
    }
    let header = ["EXTENSION", "VERSION", "STATE", "SIGNED BY"].map(str::to_owned);
    let rows: Vec<[String; 4]> = [header].into_iter().chain(status.extensions.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    text.push('\n');
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    for extension in &status.extensions {
        text += &reasons(extension);
    }
    printable(&text)
}

/// A line for each probe.
pub(crate) fn probes(probed: &[Probed]) -> String {
    let line = |Probed { extension, probe, failure }: &Probed| match failure {
        None => format!("ok      {extension}: {probe}\n"),
        Some(why) => format!("failed  {extension}: {probe} ({why})\n"),
    };
    printable(&probed.iter().map(line).collect::<String>())
}

fn row(extension: &ExtensionStatus) -> [String; 4] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let state = match extension.state {
        State::Active => "active",
        State::Refused => "refused",
    };
    [
        extension.name.to_string(),
        or_dash(extension.version.as_ref().map(ToString::to_string)),
        state.to_owned(),
        or_dash(signed_by(extension)),
    ]
}

fn signed_by(extension: &ExtensionStatus) -> Option<String> {
    match &extension.developer {
        Some(name) => Some(format!("nobody (developer override {name})")),
        None => Some(extension.signers.join(", ")).filter(|names| !names.is_empty()),
    }
}

fn reasons(extension: &ExtensionStatus) -> String {
    let (heading, reasons) = match (&extension.reasons[..], &extension.notes[..]) {
        ([], []) => return String::new(),
        ([], notes) => ("is active; worth a second look", notes),
        (reasons, _) => ("is refused", reasons),
    };
    let mut text = format!("\n{} {heading}:\n", extension.name);
    for line in sentences(reasons) {
        text += &format!("  {line}\n");
    }
    let hints: BTreeSet<&str> = reasons.iter().filter_map(|reason| reason.hint.as_deref()).collect();
    for hint in hints {
        text += &format!("  hint: {hint}\n");
    }
    text
}

/// How many reasons for one refusal a person is shown; a module for another kernel has hundreds.
const SHOWN: usize = 5;

/// The first reasons as lines, and where the others are.
pub(crate) fn sentences(reasons: &[Reason]) -> Vec<String> {
    let mut lines: Vec<String> =
        reasons.iter().take(SHOWN).map(|reason| format!("{}: {reason}", reason.code)).collect();
    if reasons.len() > SHOWN {
        lines.push(format!("and {} reasons more, all in: extruntime status --json", reasons.len() - SHOWN));
    }
    lines
}

/// Reasons quote what strangers wrote: nothing in them may move the cursor or change colours.
pub(crate) fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use spec::ReasonCode;

    use super::*;

    fn status() -> Status {
        let refused = ExtensionStatus {
            name: "nvidia".parse().unwrap(),
            state: State::Refused,
            version: Some("535.0.0".parse().unwrap()),
            digest: None,
            signers: vec![],
            developer: None,
            layer: None,
            verity_root: None,
            modules: vec![],
            settings: vec![],
            probes: vec![],
            reasons: vec![
                Reason::new(ReasonCode::KeyUnknown, "a key \u{1b}[31mnobody knows")
                    .hint("add it")
                    .wanted_found("a", "b"),
            ],
            notes: vec![],
        };
        let active = ExtensionStatus {
            name: "wg".parse().unwrap(),
            state: State::Active,
            signers: vec!["demo".into()],
            reasons: vec![],
            ..refused.clone()
        };
        Status {
            schema_version: 1,
            kernel: "6.1.0".parse().unwrap(),
            base: "demo 1.0.0".into(),
            set: None,
            extensions: vec![active, refused],
            notes: vec!["a note".into()],
        }
    }

    #[test]
    fn a_person_sees_the_state_and_every_reason() {
        let expected = "\
base demo 1.0.0, kernel 6.1.0
note: a note

EXTENSION  VERSION  STATE    SIGNED BY
wg         535.0.0  active   demo
nvidia     535.0.0  refused  -

nvidia is refused:
  key-unknown: a key \u{fffd}[31mnobody knows
  hint: add it
";
        assert_eq!(table(&status()), expected);
    }

    #[test]
    fn the_first_few_reasons_stand_for_hundreds() {
        let many = vec![Reason::new(ReasonCode::SymbolMissing, "x").hint("build it again"); 171];
        let lines = sentences(&many);
        assert_eq!(lines.len(), SHOWN + 1);
        assert_eq!(lines[SHOWN], "and 166 reasons more, all in: extruntime status --json");
        let unfit = ExtensionStatus { reasons: many, ..status().extensions.remove(1) };
        assert_eq!(reasons(&unfit).matches("hint: build it again").count(), 1);
    }

    #[test]
    fn a_base_alone_says_so() {
        let alone = Status { extensions: vec![], notes: vec![], ..status() };
        assert_eq!(table(&alone), "base demo 1.0.0, kernel 6.1.0\nno extensions are asked for\n");
    }
}
