//! Tables in Markdown, laid out so that they can be read in a terminal as well.

use std::fmt;

/// A table whose first column is text and whose others are figures.
#[derive(Debug, Clone)]
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(header: &[&str]) -> Table {
        Table { header: header.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as the header has.
    pub(super) fn push(&mut self, row: Vec<String>) {
        debug_assert_eq!(row.len(), self.header.len());
        self.rows.push(row);
    }

    fn width(&self, column: usize) -> usize {
        let cells = std::iter::once(&self.header).chain(&self.rows).filter_map(|row| row.get(column));
        // Three dashes are the shortest rule that every reader of Markdown takes for one.
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.header.len()).map(|column| self.width(column)).collect();
        let line = |f: &mut fmt::Formatter<'_>, row: &[String]| {
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "| {cell:<width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            writeln!(f)
        };
        line(f, &self.header)?;
        for (column, &width) in widths.iter().enumerate() {
            match column {
                0 => write!(f, "|{:-<1$}|", "", width + 2)?,
                _ => write!(f, "{:->1$}:|", "", width + 1)?,
            }
        }
        writeln!(f)?;
        self.rows.iter().try_for_each(|row| line(f, row))
    }
}

/// Millions of bytes: `240.76`.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1e6)
}

/// A power of two as the tools write it: `128K`, `1M`.
pub(super) fn block_size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{}K", bytes >> 10),
        _ => format!("{}M", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_figures_stand_on_the_right() {
        let mut table = Table::new(&["writer", "s"]);
        table.push(vec!["a".into(), "1.25".into()]);
        table.push(vec!["Ténon".into(), "10.5".into()]);
        assert_eq!(
            table.to_string(),
            "| writer |    s |\n|--------|-----:|\n| a      | 1.25 |\n| Ténon  | 10.5 |\n"
        );
    }

    #[test]
    fn sizes_read_as_the_tools_take_them() {
        assert_eq!(["128K", "1M"], [128 << 10, 1 << 20].map(block_size));
        assert_eq!(megabytes(240_760_320), "240.76");
    }
}
