//! What a command that succeeded has to say.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, presets};
use spec::{Diagnose, Outcome};

/// Prints data as JSON on stdout, for other programs.
pub fn json(data: &impl serde::Serialize) -> Result<(), OutputError> {
    let text = serde_json::to_string_pretty(data).map_err(|error| OutputError(error.into()))?;
    self::text(&format!("{text}\n"))
}

/// Prints data on stdout as it is. A reader that has gone away (`| head`) is no error.
pub fn text(text: &str) -> Result<(), OutputError> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(OutputError),
    }
}

/// Says on stderr that something is done.
pub fn success(sentence: &str) {
    tell(AnsiColor::Green, "done:", sentence);
}

/// Says on stderr what a person should know and may ignore.
pub fn note(sentence: &str) {
    tell(AnsiColor::Cyan, "note:", sentence);
}

/// Says on stderr what a person should not ignore.
pub fn warning(sentence: &str) {
    tell(AnsiColor::Yellow, "warning:", sentence);
}

/// Says on stderr what to do about what was said last.
pub fn hint(sentence: &str) {
    tell(AnsiColor::Cyan, "hint:", sentence);
}

fn tell(colour: AnsiColor, word: &str, sentence: &str) {
    let style = Style::new().bold().fg_color(Some(colour.into()));
    // Nothing can be told to someone whose stderr is closed.
    drop(writeln!(anstream::stderr(), "{style}{word}{style:#} {}", harmless(sentence)));
}

/// The text without orders to the terminal: a sentence may quote what a stranger has written into a file or an answer.
pub(crate) fn harmless(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// Stdout could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[source] std::io::Error);

impl Diagnose for OutputError {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }
}

/// A table for people; `--json` has the same facts for programs.
#[derive(Debug)]
pub struct Table(comfy_table::Table);

impl Table {
    /// A table with these column titles, or with none for a list of facts.
    pub fn new(titles: &[&str]) -> Table {
        let mut table = comfy_table::Table::new();
        // Lines may be longer than the terminal is wide: a digest in two pieces cannot be copied.
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if !titles.is_empty() {
            table.set_header(titles.iter().map(|title| title.to_uppercase()));
        }
        Table(table)
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl ToString>) {
        self.0.add_row(cells.into_iter().map(|cell| cell.to_string()));
    }

    /// Prints it on stdout.
    pub fn print(&self) -> Result<(), OutputError> {
        text(&self.to_text())
    }

    fn to_text(&self) -> String {
        self.0.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_gives_the_terminal_no_orders() {
        assert_eq!(harmless("ab\u{1b}[2J\u{9b}1A\r\u{7}\n\tü"), "ab\\u{1b}[2J\\u{9b}1A\\r\\u{7}\n\tü");
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["name", "state"]);
        table.row(["wireguard", "active"]);
        table.row(["x", "refused"]);
        let text = table.to_text();
        let columns: Vec<_> = text.lines().map(|line| line.rfind(' ')).collect();
        assert_eq!(columns.len(), 3, "{text}");
        assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}
