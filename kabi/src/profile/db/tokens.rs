//! Bytes that stand for strings: those that no name has stand for what names have often.
//!
//! As in the kernel's own table of symbols (scripts/kallsyms.c), the pair of bytes that is there most often becomes a
//! byte of its own, again and again, until no byte is left. Here the pairs are counted in what is left of the names after
//! what each has in common with the one before it.

/// A pair that is there less often gains less than the table of tokens grows.
const WORTH: u32 = 4;
/// Longest string that a byte stands for: its length is in a byte.
const TOKEN_MAX: usize = 255;

/// What each byte stands for; nothing if it is in no string.
#[derive(Debug)]
pub(super) struct Tokens(Vec<Vec<u8>>);

impl Tokens {
    /// Makes the strings shorter and says what their bytes now stand for. The same strings give the same tokens.
    pub(super) fn shorten(strings: &mut [Vec<u8>]) -> Tokens {
        let mut tokens = Tokens::of_bytes(strings);
        for byte in 0..=u8::MAX {
            if !tokens.0[usize::from(byte)].is_empty() {
                continue;
            }
            let Some((pair, joined)) = tokens.best_pair(strings) else { break };
            tokens.0[usize::from(byte)] = joined;
            strings.iter_mut().for_each(|string| replace(string, pair, byte));
        }
        tokens
    }

    /// Every byte that is there stands for itself.
    fn of_bytes(strings: &[Vec<u8>]) -> Tokens {
        let mut tokens = vec![Vec::new(); 256];
        for &byte in strings.iter().flatten() {
            tokens[usize::from(byte)] = vec![byte];
        }
        Tokens(tokens)
    }

    /// The pair of bytes that is there most often, of several the lowest, and what it stands for.
    fn best_pair(&self, strings: &[Vec<u8>]) -> Option<([u8; 2], Vec<u8>)> {
        let mut counts = vec![0u32; 1 << 16];
        for pair in strings.iter().flat_map(|string| string.array_windows()) {
            counts[usize::from(u16::from_be_bytes(*pair))] += 1;
        }
        let joined = |pair: u16| {
            let [first, second] = pair.to_be_bytes().map(|byte| &self.0[usize::from(byte)]);
            [first.as_slice(), second].concat()
        };
        let fits = |pair: u16| joined(pair).len() <= TOKEN_MAX;
        let worthy = (0..=u16::MAX).filter(|pair| counts[usize::from(*pair)] >= WORTH && fits(*pair));
        let best = worthy.rev().max_by_key(|pair| counts[usize::from(*pair)])?;
        Some((best.to_be_bytes(), joined(best)))
    }

    /// As the table of the file: the lengths, then the strings.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let lengths = self.0.iter().map(|token| u8::try_from(token.len()).expect("tokens are kept short"));
        let mut bytes: Vec<u8> = lengths.collect();
        bytes.extend(self.0.iter().flatten());
        bytes
    }
}

fn replace(string: &mut Vec<u8>, pair: [u8; 2], byte: u8) {
    if !string.array_windows().any(|window| *window == pair) {
        return;
    }
    let mut short = Vec::with_capacity(string.len());
    let mut rest = string.as_slice();
    while let Some((&first, after)) = rest.split_first() {
        let found = rest.starts_with(&pair);
        short.push(if found { byte } else { first });
        rest = if found { &after[1..] } else { after };
    }
    *string = short;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(strings: &[&str]) -> (Vec<Vec<u8>>, Tokens) {
        let mut short: Vec<Vec<u8>> = strings.iter().map(|string| string.as_bytes().to_vec()).collect();
        let tokens = Tokens::shorten(&mut short);
        for (string, short) in strings.iter().zip(&short) {
            let long: Vec<u8> = short.iter().flat_map(|byte| tokens.0[usize::from(*byte)].clone()).collect();
            assert_eq!(*string, String::from_utf8(long).unwrap());
        }
        (short, tokens)
    }

    #[test]
    fn what_is_there_often_becomes_a_byte() {
        let (short, tokens) =
            shortened(&["register_driver", "unregister_driver", "register", "register_net"]);
        assert_eq!(short[2].len(), 1);
        assert_eq!(tokens.0.iter().filter(|token| *token == b"register").count(), 1);
        assert!(tokens.0.iter().all(|token| token != b"driver"), "it is there twice only");
    }

    #[test]
    fn odd_strings_survive() {
        shortened(&[]);
        shortened(&["", "a", "aaaaaaaaaaaaaaaaaaaaaaa", &"ab".repeat(2000)]);
    }
}
