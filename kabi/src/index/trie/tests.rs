//! What is written is found again, by a reader that shares nothing with the writer.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A file that is read as libkmod reads it.
struct File<'a>(&'a [u8]);

/// A node of it, with its parts.
struct Parsed<'a> {
    prefix: &'a [u8],
    children: Vec<(u8, u32)>,
    values: Values<'a>,
}

/// With their priorities.
type Values<'a> = Vec<(u32, &'a [u8])>;

impl<'a> File<'a> {
    fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    fn text(&self, at: usize) -> &'a [u8] {
        self.0[at..].split(|byte| *byte == 0).next().unwrap()
    }

    fn node(&self, reference: u32) -> Parsed<'a> {
        let mut at = (reference & 0x0FFF_FFFF) as usize;
        let (mut prefix, mut children, mut values) = (&b""[..], Vec::new(), Vec::new());
        if reference & 0x8000_0000 != 0 {
            prefix = self.text(at);
            at += prefix.len() + 1;
        }
        if reference & 0x2000_0000 != 0 {
            let (first, last) = (self.0[at], self.0[at + 1]);
            at += 2;
            for byte in first..=last {
                children.push((byte, self.number(at)));
                at += 4;
            }
            assert!(children[0].1 != 0 && children.last().unwrap().1 != 0, "children at both ends");
            children.retain(|(_, child)| *child != 0);
        }
        if reference & 0x4000_0000 != 0 {
            let count = self.number(at);
            at += 4;
            for _ in 0..count {
                let value = self.text(at + 4);
                values.push((self.number(at), value));
                at += 4 + value.len() + 1;
            }
        }
        Parsed { prefix, children, values }
    }

    /// All names with their values, in the order of the names.
    fn all(&self) -> Vec<(Vec<u8>, Values<'a>)> {
        assert_eq!((self.number(0), self.number(4)), (0xB007_F457, 0x0002_0001));
        let mut waiting = vec![(Vec::new(), self.number(8))];
        let mut all = Vec::new();
        while let Some((mut name, reference)) = waiting.pop() {
            let node = self.node(reference);
            name.extend(node.prefix);
            assert!(
                name.is_empty() || !node.values.is_empty() || node.children.len() > 1,
                "a node for nothing"
            );
            for (byte, child) in node.children.into_iter().rev() {
                waiting.push(([&name[..], &[byte]].concat(), child));
            }
            if !node.values.is_empty() {
                all.push((name, node.values));
            }
        }
        all
    }

    /// The values of every pattern that the name matches.
    fn matches(&self, name: &[u8]) -> BTreeSet<&'a [u8]> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![(Vec::new(), self.number(8))];
        while let Some((mut pattern, reference)) = waiting.pop() {
            let node = self.node(reference);
            pattern.extend(node.prefix);
            // As far as a pattern is literal, it must be the start of the name.
            let literal = pattern.iter().take_while(|byte| !b"*?[".contains(byte)).count();
            if !name.starts_with(&pattern[..literal]) {
                continue;
            }
            for (byte, child) in node.children {
                waiting.push(([&pattern[..], &[byte]].concat(), child));
            }
            if glob(&pattern, name) {
                found.extend(node.values.iter().map(|(_, value)| *value));
            }
        }
        found
    }
}

/// fnmatch(3), as far as aliases use it.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', pattern @ ..], _) => (0..=name.len()).any(|skipped| glob(pattern, &name[skipped..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => glob(pattern, name),
        ([b'[', a, b'-', z, b']', pattern @ ..], [c, name @ ..]) => {
            (a..=z).contains(&c) && glob(pattern, name)
        }
        ([a, pattern @ ..], [b, name @ ..]) => a == b && glob(pattern, name),
        _ => false,
    }
}

fn entries<'a>(list: &[(&'a str, u32, &'a str)]) -> Vec<Entry<'a>> {
    list.iter().map(|&(name, priority, value)| Entry { name: name.into(), priority, value }).collect()
}

#[test]
fn a_small_file_is_known_byte_for_byte() {
    let file = write(entries(&[("once", 7, "b"), ("on", 1, "a"), ("one", 2, "c"), ("on", 0, "d")])).unwrap();
    let wanted = [
        &b"\xb0\x07\xf4\x57\0\x02\0\x01\x20\0\0\x42"[..],
        b"e\0\0\0\0\x01\0\0\0\x07b\0", // 12: on-c-e
        b"\0\0\0\x01\0\0\0\x02c\0",    // 24: on-e
        b"n\0ce\xc0\0\0\x0c\0\0\0\0\x40\0\0\x18\0\0\0\x02\0\0\0\0d\0\0\0\0\x01a\0", // 34: o
        b"oo\xe0\0\0\x22",             // 66: the root
    ]
    .concat();
    assert_eq!(file.escape_ascii().to_string(), wanted.escape_ascii().to_string());
}

#[test]
fn nothing_is_a_root_without_anything() {
    let file = write(Vec::new()).unwrap();
    assert_eq!(file, b"\xb0\x07\xf4\x57\0\x02\0\x01\0\0\0\x0c");
    assert_eq!(File(&file).all(), []);
}

#[test]
fn of_equal_values_the_last_comes_first() {
    let file = write(entries(&[("a", 3, "first"), ("a", 3, "second"), ("a", 2, "front"), ("a", 3, "first")]))
        .unwrap();
    let values: [(u32, &[u8]); 4] = [(2, b"front"), (3, b"first"), (3, b"second"), (3, b"first")];
    assert_eq!(File(&file).all(), [(b"a".to_vec(), values.to_vec())]);
}

#[test]
fn patterns_are_normal_outside_of_brackets() {
    for (alias, wanted) in [
        ("char-major-10-*", Some("char_major_10_*")),
        ("pci:v[a-c]-x", Some("pci:v[a-c]_x")),
        ("a[[-]-", Some("a[[-]_")),
        ("a]", None),
        ("a[b-", None),
    ] {
        assert_eq!(pattern(alias).as_deref(), wanted, "{alias}");
    }
}

proptest! {
    #[test]
    fn every_name_is_found_with_its_values_in_order(
        list in prop::collection::vec(("[ab*_]{0,6}|[!-~]{1,40}", 0_u32..4, "[a-c]{0,2}"), 0..60),
    ) {
        let list: Vec<_> = list.iter().map(|(name, priority, value)| (&name[..], *priority, &value[..])).collect();
        let file = write(entries(&list)).unwrap();
        let found = File(&file).all();
        let names: BTreeSet<&str> = list.iter().map(|(name, ..)| *name).collect();
        prop_assert_eq!(found.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(),
            names.iter().map(|name| name.as_bytes()).collect::<Vec<_>>());
        for (name, values) in found {
            let mut wanted: Vec<_> = list.iter().rev().filter(|entry| entry.0.as_bytes() == name)
                .map(|(_, priority, value)| (*priority, value.as_bytes())).collect();
            wanted.sort_by_key(|(priority, _)| *priority);
            prop_assert_eq!(values, wanted);
        }
    }

    #[test]
    fn every_pattern_is_found_by_what_it_matches(
        patterns in prop::collection::btree_set("[abc]{0,3}(\\*|\\?|\\[a-b\\]|[abc])[abc]{0,3}\\*?", 1..30),
        name in "[abc]{1,9}",
    ) {
        let list: Vec<_> = patterns.iter().map(|pattern| (&pattern[..], 0, &pattern[..])).collect();
        let file = write(entries(&list)).unwrap();
        let wanted: BTreeSet<&[u8]> =
            patterns.iter().map(|pattern| pattern.as_bytes()).filter(|pattern| glob(pattern, name.as_bytes())).collect();
        prop_assert_eq!(File(&file).matches(name.as_bytes()), wanted);
    }
}
