//! Lines and words of configuration files, with their places.

use crate::At;

/// A line that says something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'t> {
    pub(crate) number: usize,
    pub(crate) text: &'t str,
}

/// A word in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'t> {
    pub(crate) text: &'t str,
    pub(crate) at: At,
}

/// The lines that are neither empty nor begin with one of the marks of a comment.
pub(crate) fn lines<'t>(text: &'t str, comments: &'static [char]) -> impl Iterator<Item = Line<'t>> {
    let numbered = text.lines().enumerate().map(|(index, text)| Line { number: index + 1, text });
    numbered.filter(move |line| {
        let start = line.text.trim_start();
        !start.is_empty() && !start.starts_with(comments)
    })
}

impl<'t> Line<'t> {
    /// The place of a part of this line.
    pub(crate) fn at(&self, part: &'t str) -> At {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let before = self.text.get(..offset).unwrap_or_default();
        At { line: self.number, column: before.chars().count() + 1 }
    }

    /// The place of the first thing that it says.
    pub(crate) fn start(&self) -> At {
        self.at(self.text.trim_start())
    }

    /// Its words, separated by blanks.
    pub(crate) fn words(&self) -> impl Iterator<Item = Word<'t>> {
        let line = *self;
        line.text.split_ascii_whitespace().map(move |text| Word { text, at: line.at(text) })
    }
}

/// Lines whose end is escaped with a backslash, joined with the next: what they say, and where each character came from.
pub(crate) struct Joined {
    pub(crate) text: String,
    /// Byte offsets in `text` at which a new line of the file begins, with its number and how many blanks in front of it
    /// were left out.
    starts: Vec<(usize, usize, usize)>,
}

/// What a line that begins with `#` is behind one whose end is escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommentsInside {
    /// A comment, and the lines around it are joined (systemd's `udev-rules.c`).
    Skipped,
    /// A part of what it continues (kmod's `libkmod-config.c`, which joins first).
    Joined,
}

/// Joins lines, and passes over comments. A comment ends at its own line.
pub(crate) fn joined(text: &str, inside: CommentsInside) -> Vec<Joined> {
    let mut all = Vec::new();
    let mut current: Option<Joined> = None;
    for (index, line) in text.lines().enumerate() {
        let begins = current.is_none();
        let comment = line.trim_start().starts_with('#') && (begins || inside == CommentsInside::Skipped);
        if comment || begins && line.trim_start().is_empty() {
            continue;
        }
        let mut joined = current.take().unwrap_or(Joined { text: String::new(), starts: Vec::new() });
        // udev leaves out the blanks before what it continues; kmod does not.
        let kept = match inside {
            CommentsInside::Skipped if !begins => line.trim_start(),
            _ => line,
        };
        joined.starts.push((joined.text.len(), index + 1, line.len() - kept.len()));
        let line = kept;
        match line.strip_suffix('\\') {
            Some(start) => {
                joined.text.push_str(start);
                current = Some(joined);
            }
            None => {
                joined.text.push_str(line);
                all.push(joined);
            }
        }
    }
    all.extend(current);
    all
}

impl Joined {
    /// The place of what begins at a byte offset.
    pub(crate) fn at(&self, offset: usize) -> At {
        let line = self.starts.iter().rev().find(|(start, ..)| *start <= offset);
        let (start, number, indent) = line.copied().unwrap_or((0, 1, 0));
        let before = self.text.get(start..offset).unwrap_or_default();
        At { line: number, column: indent + before.chars().count() + 1 }
    }

    /// Its words, separated by blanks.
    pub(crate) fn words(&self) -> Vec<Word<'_>> {
        let offset = |word: &str| word.as_ptr() as usize - self.text.as_ptr() as usize;
        self.text.split_ascii_whitespace().map(|text| Word { text, at: self.at(offset(text)) }).collect()
    }
}

/// Enough of a foreign text to recognise it by.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_words_have_their_places() {
        let text = "# remark\n\n  one  zwö three\n; other\n";
        let line = lines(text, &['#', ';']).next().unwrap();
        let words: Vec<(&str, usize)> = line.words().map(|word| (word.text, word.at.column)).collect();
        assert_eq!(words, [("one", 3), ("zwö", 8), ("three", 12)]);
        assert_eq!((line.number, lines(text, &['#', ';']).count()), (3, 1));
    }

    #[test]
    fn joined_lines_know_where_each_part_came_from() {
        let text = "# remark \\\noptions a \\\n  b=1\nblacklist c";
        let all = joined(text, CommentsInside::Joined);
        let words: Vec<(&str, usize, usize)> = all
            .iter()
            .flat_map(Joined::words)
            .map(|word| (word.text, word.at.line, word.at.column))
            .collect();
        assert_eq!(words, [("options", 2, 1), ("a", 2, 9), ("b=1", 3, 3), ("blacklist", 4, 1), ("c", 4, 11)]);
        assert_eq!(joined("a \\", CommentsInside::Joined).len(), 1);
        let around = joined("a \\\n# b \\\nc", CommentsInside::Skipped);
        assert_eq!((around[0].text.as_str(), around[0].at(2)), ("a c", At { line: 3, column: 1 }));
    }
}
