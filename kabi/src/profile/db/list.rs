//! Sorted lists of strings: what two neighbours have in common is there once, and tokens stand for the rest.

use super::part::Part;
use super::{BLOCK, ProfileError, STRING_MAX, STRINGS_MAX};

/// What is left of the strings of a list, after what each has in common with the one before it in its block.
pub(super) struct FrontCoded {
    pub(super) common: Vec<usize>,
    pub(super) rest: Vec<Vec<u8>>,
}

impl FrontCoded {
    /// Takes the strings apart, which are sorted.
    pub(super) fn new<'a>(strings: impl Iterator<Item = &'a str>) -> FrontCoded {
        let mut coded = FrontCoded { common: Vec::new(), rest: Vec::new() };
        let mut last = "";
        for (index, string) in strings.enumerate() {
            let common = if index.is_multiple_of(BLOCK) { 0 } else { in_common(last, string) };
            coded.common.push(common);
            coded.rest.push(string.as_bytes()[common..].to_vec());
            last = string;
        }
        coded
    }

    /// As a table of the file, once `rest` has been shortened.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (mut offsets, mut blocks) = (Vec::new(), Vec::new());
        for (index, (common, rest)) in self.common.iter().zip(&self.rest).enumerate() {
            if index.is_multiple_of(BLOCK) {
                offsets.extend(number(blocks.len()));
            }
            put_small(&mut blocks, *common);
            put_small(&mut blocks, rest.len());
            blocks.extend(rest);
        }
        [number(self.rest.len()).as_slice(), &offsets, &blocks].concat()
    }
}

fn in_common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
}

/// A number of four bytes.
pub(super) fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).expect("no part of a profile comes near four gigabytes").to_le_bytes()
}

fn put_small(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// What each byte stands for.
pub(super) struct TokenTable<'a>([Token<'a>; 256]);

/// What a byte stands for; nothing if it stands for nothing.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a [u8],
    /// Its start. Few are longer, and bytes of a fixed number are copied much faster than others.
    start: [u8; WORD],
}

const WORD: usize = 8;

impl<'a> TokenTable<'a> {
    pub(super) fn read(mut part: Part<'a>) -> Result<TokenTable<'a>, ProfileError> {
        let lengths = part.take(256)?;
        let mut tokens = [Token { text: &[], start: [0; WORD] }; 256];
        for (token, length) in tokens.iter_mut().zip(lengths) {
            token.text = part.take(usize::from(*length))?;
            let short = token.text.len().min(WORD);
            token.start[..short].copy_from_slice(&token.text[..short]);
        }
        part.end()?;
        Ok(TokenTable(tokens))
    }
}

/// A string while it is put together.
struct Buffer {
    bytes: [u8; STRING_MAX + WORD],
    len: usize,
}

impl Buffer {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends what a byte stands for. It must stand for something, for which there must be room.
    fn push(&mut self, token: &Token<'_>) -> Option<()> {
        let end = self.len + token.text.len();
        if token.text.is_empty() || end > STRING_MAX {
            return None;
        }
        self.bytes[self.len..self.len + WORD].copy_from_slice(&token.start);
        if token.text.len() > WORD {
            self.bytes[self.len..end].copy_from_slice(token.text);
        }
        self.len = end;
        Some(())
    }
}

/// A list as it lies in the file.
pub(super) struct List<'a> {
    /// What is left of it, which are the blocks.
    part: Part<'a>,
    count: usize,
    offsets: &'a [[u8; 4]],
    tokens: &'a TokenTable<'a>,
}

impl<'a> List<'a> {
    pub(super) fn read(mut part: Part<'a>, tokens: &'a TokenTable<'a>) -> Result<List<'a>, ProfileError> {
        let count = part.number()? as usize;
        if count > STRINGS_MAX {
            return Err(part.wrong(format!("there are {count} strings; at most {STRINGS_MAX} are read")));
        }
        let (offsets, _) = part.take(4 * count.div_ceil(BLOCK))?.as_chunks();
        Ok(List { part, count, offsets, tokens })
    }

    /// Reads all strings, and each as what it must be.
    pub(super) fn parse<T>(&self, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, ProfileError> {
        let mut part = self.part;
        let mut found = Vec::with_capacity(self.count);
        let mut string = Buffer { bytes: [0; STRING_MAX + WORD], len: 0 };
        for index in 0..self.count {
            let place = part;
            let is_next = match index.is_multiple_of(BLOCK) {
                true => self.first_of_block(index / BLOCK, &mut part, &mut string)?,
                false => self.string(&mut part, &mut string)?,
            };
            if !is_next {
                return Err(place.wrong("the string does not come after the one before it".to_owned()));
            }
            let text = str::from_utf8(string.as_slice());
            let text = text.map_err(|_| place.wrong("the string is not UTF-8".to_owned()))?;
            found.push(parse(text).map_err(|complaint| place.wrong(complaint))?);
        }
        part.end()?;
        Ok(found)
    }

    /// Reads the string at the start of a block, which can be read by itself. Does it come after the one before it?
    fn first_of_block(
        &self,
        block: usize,
        part: &mut Part<'a>,
        string: &mut Buffer,
    ) -> Result<bool, ProfileError> {
        let offset = u32::from_le_bytes(self.offsets[block]) as usize;
        if offset != part.at() - self.part.at() {
            return Err(part.wrong(format!("the block starts here and not at {offset:#x}")));
        }
        let last = string.as_slice().to_vec();
        string.len = 0;
        self.string(part, string)?;
        Ok(block == 0 || string.as_slice() > last.as_slice())
    }

    /// Reads a string in the place of the one before it. Does it come after that, and differ from it where it says?
    fn string(&self, part: &mut Part<'a>, string: &mut Buffer) -> Result<bool, ProfileError> {
        let common = part.small()?;
        if common > string.len {
            return Err(part.wrong("the string before it is shorter".to_owned()));
        }
        let differing = |string: &Buffer| string.as_slice().get(common).copied();
        let last = differing(string);
        string.len = common;
        let length = part.small()?;
        for byte in part.take(length)? {
            let pushed = string.push(&self.tokens.0[usize::from(*byte)]);
            pushed.ok_or_else(|| part.wrong(format!("byte {byte:#04x} stands for nothing here")))?;
        }
        Ok(differing(string) > last)
    }
}
