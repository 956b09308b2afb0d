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

/// A list as it lies in the file, its offsets within it.
pub(super) struct List<'a> {
    part: Part<'a>,
    count: usize,
    offsets: &'a [u8],
    /// Where in `part` the blocks start.
    start: usize,
    tokens: &'a TokenTable<'a>,
}

/// What each byte stands for.
pub(super) struct TokenTable<'a>([&'a [u8]; 256]);

impl<'a> TokenTable<'a> {
    pub(super) fn read(mut part: Part<'a>) -> Result<TokenTable<'a>, ProfileError> {
        let lengths = part.take(256)?;
        let mut tokens = [[].as_slice(); 256];
        for (token, length) in tokens.iter_mut().zip(lengths) {
            *token = part.take(usize::from(*length))?;
        }
        part.end()?;
        Ok(TokenTable(tokens))
    }
}

impl<'a> List<'a> {
    pub(super) fn read(mut part: Part<'a>, tokens: &'a TokenTable<'a>) -> Result<List<'a>, ProfileError> {
        let count = part.number()? as usize;
        if count > STRINGS_MAX {
            return Err(part.wrong(format!("there are {count} strings; at most {STRINGS_MAX} are read")));
        }
        let offsets = part.take(4 * count.div_ceil(BLOCK))?;
        let start = part.at();
        Ok(List { part, count, offsets, start, tokens })
    }

    /// Reads all strings, and each as what it must be.
    pub(super) fn parse<T>(&self, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, ProfileError> {
        let mut part = self.part;
        let mut found = Vec::with_capacity(self.count);
        let (mut last, mut string) = (Vec::new(), Vec::new());
        let (offsets, _) = self.offsets.as_chunks();
        for index in 0..self.count {
            let place = part;
            if index.is_multiple_of(BLOCK) {
                let offset = u32::from_le_bytes(offsets[index / BLOCK]) as usize;
                if offset != part.at() - self.start {
                    return Err(place.wrong(format!("the block starts here and not at {offset:#x}")));
                }
            }
            self.string(&mut part, index, &last, &mut string)?;
            if index > 0 && string <= last {
                return Err(place.wrong("the string does not come after the one before it".to_owned()));
            }
            let text =
                str::from_utf8(&string).map_err(|_| place.wrong("the string is not UTF-8".to_owned()))?;
            found.push(parse(text).map_err(|complaint| place.wrong(complaint))?);
            std::mem::swap(&mut last, &mut string);
        }
        part.end()?;
        Ok(found)
    }

    fn string(
        &self,
        part: &mut Part<'a>,
        index: usize,
        last: &[u8],
        string: &mut Vec<u8>,
    ) -> Result<(), ProfileError> {
        let common = part.small()?;
        let common = match index.is_multiple_of(BLOCK) {
            true => [].get(..common),
            false => last.get(..common),
        };
        let common = common.ok_or_else(|| part.wrong("the string before it is shorter".to_owned()))?;
        string.clear();
        string.extend(common);
        let length = part.small()?;
        for byte in part.take(length)? {
            let token = self.tokens.0[usize::from(*byte)];
            if token.is_empty() || string.len() + token.len() > STRING_MAX {
                return Err(part.wrong(format!("byte {byte:#04x} stands for nothing here")));
            }
            string.extend(token);
        }
        Ok(())
    }
}
