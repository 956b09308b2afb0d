//! A command line as a program and its arguments, without a shell.

use std::mem;

use spec::{Diagnose, Outcome};

/// Splits a command line as a POSIX shell splits one that holds nothing but words and quotes (POSIX.1-2024, Shell
/// Command Language, section 2.2): at blanks, unless they are in quotes or behind a backslash. Nothing is replaced: `$`,
/// `*`, `~`, `#`, `;` and the like stand for themselves.
pub(super) fn split(line: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            ' ' | '\t' | '\n' => words.extend(mem::take(&mut word)),
            '\'' => quoted(&mut rest, word.get_or_insert_default())?,
            '"' => double_quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => {
                let next = rest.next().ok_or(SplitError::Backslash)?;
                word.get_or_insert_default().push(next);
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    match words.is_empty() {
        true => Err(SplitError::Empty),
        false => Ok(words),
    }
}

/// Everything up to the next quote, as it is.
fn quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), SplitError> {
    loop {
        match rest.next().ok_or(SplitError::Quote('\''))? {
            '\'' => return Ok(()),
            other => word.push(other),
        }
    }
}

/// Everything up to the next quote; a backslash before a quote or another backslash takes its meaning away.
fn double_quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), SplitError> {
    loop {
        match rest.next().ok_or(SplitError::Quote('"'))? {
            '"' => return Ok(()),
            '\\' => match rest.next().ok_or(SplitError::Quote('"'))? {
                plain @ ('"' | '\\') => word.push(plain),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

/// Why a text is no command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SplitError {
    #[error("the command that signs is empty")]
    Empty,
    #[error("the command that signs has an opening {0} without a closing one")]
    Quote(char),
    #[error("the command that signs ends with a backslash")]
    Backslash,
}

impl Diagnose for SplitError {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn words_are_those_that_a_shell_sees() {
        let lines = [
            "sign",
            "  sign\t--slot 9c  ",
            r#"sign 'a b' "c d" e\ f"#,
            r#"sign '' "" x"#,
            r#"sign a'b'"c"\d"#,
            r#"sign "a\"b\\c\d" 'a\b'"#,
            "sign \"it's\" 'a \"b\"'",
        ];
        for line in lines {
            let script = format!("for word in {line}; do printf '%s\\n' \"$word\"; done");
            let shell = Command::new("sh").args(["-c", &script]).output().unwrap();
            let words = split(line).unwrap().iter().map(|word| format!("{word}\n")).collect::<String>();
            assert_eq!(words, String::from_utf8(shell.stdout).unwrap(), "{line}");
        }
    }

    #[test]
    fn nothing_is_replaced() {
        let line = "sign $HOME `id` *.pem ~ # a;b|c>d & (e)";
        assert_eq!(split(line).unwrap(), line.split(' ').collect::<Vec<_>>());
    }

    #[test]
    fn what_has_no_end_is_refused() {
        for (line, error) in [
            ("", SplitError::Empty),
            (" \t ", SplitError::Empty),
            ("sign 'a", SplitError::Quote('\'')),
            ("sign \"a\\\"", SplitError::Quote('"')),
            ("sign \"a\\", SplitError::Quote('"')),
            ("sign a\\", SplitError::Backslash),
        ] {
            assert_eq!(split(line).unwrap_err(), error, "{line:?}");
        }
    }
}
