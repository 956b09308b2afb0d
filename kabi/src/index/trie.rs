//! The `.bin` forms: a trie of names, each with the modules that it stands for (kmod's tools/depmod.c and
//! libkmod/libkmod-index.c).
//!
//! ```text
//! file    magic version root                            each of 32 bits, big-endian; root is a reference
//! node    [prefix NUL] [first last child…] [count value…]
//! child   a reference or 0, for each byte from `first` to `last` that may follow
//! value   priority text NUL
//! ```
//!
//! A reference is the offset of a node, and in its four highest bits which of the three parts the node has. The name of
//! a node is that of its parent, the byte that leads to it, and its prefix. Children come before their parent.

use std::borrow::Cow;

/// "BOOTFAST", in a way, and version 2.1 of the format.
const MAGIC: u32 = 0xB007_F457;
const VERSION: u32 = 0x0002_0001;
/// Which parts a node has.
const PREFIX: u32 = 0x8000_0000;
const VALUES: u32 = 0x4000_0000;
const CHILDREN: u32 = 0x2000_0000;
/// What is left for an offset.
pub(super) const MAX_BYTES: usize = 0x0FFF_FFFF;

/// A name, and a module that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    name: Cow<'a, str>,
    /// What is lower comes first.
    priority: u32,
    value: &'a str,
}

impl<'a> Entry<'a> {
    /// An entry of the module at this place among all modules.
    pub(super) fn new(name: impl Into<Cow<'a, str>>, place: usize, value: &'a str) -> Entry<'a> {
        // More modules than fit have names that do not fit either.
        Entry { name: name.into(), priority: u32::try_from(place).unwrap_or(u32::MAX), value }
    }
}

/// A pattern as it is looked up: `-` and `_` are the same outside of brackets. Nothing if brackets do not match.
pub(super) fn pattern(alias: &str) -> Option<String> {
    let mut inside = false;
    let mut pattern = String::with_capacity(alias.len());
    for c in alias.chars() {
        match c {
            '[' if !inside => inside = true,
            ']' if inside => inside = false,
            ']' => return None,
            _ => {}
        }
        pattern.push(if c == '-' && !inside { '_' } else { c });
    }
    (!inside).then_some(pattern)
}

/// The file for these entries, if its format has numbers for it. Of entries of the same name and priority, the last
/// comes first, as depmod has it. Names and values are ASCII without NUL.
pub(super) fn write(mut entries: Vec<Entry<'_>>) -> Option<Vec<u8>> {
    entries.reverse();
    entries.sort_by(|a, b| (&a.name, a.priority).cmp(&(&b.name, b.priority)));
    let mut writer = Writer::new();
    for names in entries.chunk_by(|a, b| a.name == b.name) {
        writer.add(names)?;
    }
    writer.finish()
}

/// Takes names in order, and writes each node as soon as no later name can be below it.
struct Writer<'a> {
    out: Vec<u8>,
    /// The nodes on the way from the root to the name that came last.
    open: Vec<Node<'a>>,
    /// The name that came last.
    last: &'a str,
}

/// A node that is not written yet.
struct Node<'a> {
    /// How long its name is.
    length: usize,
    values: &'a [Entry<'a>],
    /// Where children are, and by which byte one gets there, in order.
    children: Vec<(u8, u32)>,
}

impl<'a> Writer<'a> {
    fn new() -> Writer<'a> {
        let root = 0;
        let out = [MAGIC, VERSION, root].into_iter().flat_map(u32::to_be_bytes).collect();
        Writer { out, open: vec![Node::new(0)], last: "" }
    }

    /// Adds a name with all its values.
    fn add(&mut self, values: &'a [Entry<'a>]) -> Option<()> {
        let name: &'a str = &values[0].name;
        let shared = self.last.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        self.close(shared)?;
        self.last = name;
        match self.open.last_mut() {
            Some(node) if node.length == name.len() => node.values = values,
            _ => self.open.push(Node { values, ..Node::new(name.len()) }),
        }
        Some(())
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        self.close(0)?;
        let root = self.open.pop().expect("the root stays open");
        let root = self.write(&root, b"")?;
        self.out[8..12].copy_from_slice(&root.to_be_bytes());
        Some(self.out)
    }

    /// Writes the nodes whose names are longer than what the next name shares with the last.
    fn close(&mut self, shared: usize) -> Option<()> {
        while let Some(node) = self.open.pop_if(|node| node.length > shared) {
            if self.open.last().is_none_or(|parent| parent.length < shared) {
                self.open.push(Node::new(shared));
            }
            let start = self.open.last().map_or(0, |parent| parent.length);
            let reference = self.write(&node, &self.last.as_bytes()[start + 1..node.length])?;
            let child = (self.last.as_bytes()[start], reference);
            self.open.last_mut().expect("the root stays open").children.push(child);
        }
        Some(())
    }

    /// Writes a node and gives the reference to it.
    fn write(&mut self, node: &Node<'_>, prefix: &[u8]) -> Option<u32> {
        let Writer { out, .. } = self;
        let mut reference = u32::try_from(out.len()).ok().filter(|_| out.len() <= MAX_BYTES)?;
        if !prefix.is_empty() {
            reference |= PREFIX;
            out.extend(prefix.iter().chain(&[0]));
        }
        if let [(first, _), .., (last, _)] | [(first @ last, _)] = node.children[..] {
            reference |= CHILDREN;
            out.extend([first, last]);
            let mut children = vec![0; usize::from(last - first) + 1];
            for (byte, child) in &node.children {
                children[usize::from(byte - first)] = *child;
            }
            out.extend(children.into_iter().flat_map(u32::to_be_bytes));
        }
        if !node.values.is_empty() {
            reference |= VALUES;
            let count = u32::try_from(node.values.len()).ok()?;
            out.extend(count.to_be_bytes());
            for entry in node.values {
                out.extend(entry.priority.to_be_bytes());
                out.extend(entry.value.bytes().chain([0]));
            }
        }
        Some(reference)
    }
}

impl Node<'_> {
    fn new(length: usize) -> Self {
        Node { length, values: &[], children: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
