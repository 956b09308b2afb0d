//! The text forms. Their first lines are part of them: programs compare and skip them.

use std::fmt;

use super::Owned;
use super::order::Modules;
use crate::{Alias, Module};

/// `PATH: NEEDED NEEDED`.
pub(super) fn dep(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// `alias PATTERN MODULE`.
pub(super) fn alias(modules: &Modules<'_>) -> String {
    let first = "# Aliases extracted from modules themselves.\n";
    text(first, modules, |module| {
        let Module { name, aliases, .. } = module;
        aliases.iter().map(|alias| format!("alias {alias} {name}\n")).collect()
    })
}

/// `softdep MODULE pre: NEEDED post: NEEDED`, in the words of the module.
pub(super) fn softdep(modules: &Modules<'_>) -> String {
    let first = "# Soft dependencies extracted from modules themselves.\n";
    text(first, modules, |module| {
        let Module { name, softdeps, .. } = module;
        softdeps.iter().map(|softdep| format!("softdep {name} {softdep}\n")).collect()
    })
}

/// `weakdep MODULE NEEDED`, if a module has such dependencies.
pub(super) fn weakdep(modules: &Modules<'_>) -> Option<String> {
    modules.iter().find(|entry| !entry.module.weakdeps.is_empty())?;
    let first = "# Weak dependencies extracted from modules themselves.\n";
    Some(text(first, modules, |module| {
        let Module { name, weakdeps, .. } = module;
        weakdeps.iter().map(|weakdep| format!("weakdep {name} {weakdep}\n")).collect()
    }))
}

/// `alias symbol:SYMBOL MODULE`.
pub(super) fn symbols(modules: &Modules<'_>, symbols: &[Owned<'_>]) -> String {
    let mut text = "# Aliases for symbols, used by symbol_request().\n".to_owned();
    for (symbol, owner) in symbols {
        let line = ["alias symbol:", symbol.as_str(), " ", modules[*owner].module.name.as_str(), "\n"];
        text.extend(line);
    }
    text
}

/// `MODULE FILE TYPE MAJOR:MINOR`: files that udev makes in /dev before the module is there, so that opening them loads
/// it. Without any, the file is empty.
pub(super) fn devname(modules: &Modules<'_>) -> String {
    let nodes = text("", modules, |module| match device(&module.aliases) {
        Some((file, node)) => format!("{} {file} {node}\n", module.name),
        None => String::new(),
    });
    match nodes.is_empty() {
        true => nodes,
        false => format!("# Device nodes to trigger on-demand module loading.\n{nodes}"),
    }
}

/// The first file and node that the aliases of a module name, once both are known.
fn device(aliases: &[Alias]) -> Option<(&str, Node)> {
    let (mut file, mut node) = (None, None);
    for alias in aliases.iter().map(Alias::as_str) {
        match alias.strip_prefix("devname:") {
            Some(name) => file = Some(name),
            None => node = Node::of(alias).or(node),
        }
        if let (Some(file), Some(node)) = (file, node) {
            return Some((file, node));
        }
    }
    None
}

/// A device node as udev wants it: `c10:200`.
#[derive(Clone, Copy)]
struct Node {
    kind: char,
    major: u32,
    minor: u32,
}

impl Node {
    /// Of `char-major-10-200`, and whatever follows; not of a whole major number, `char-major-10-*`.
    fn of(alias: &str) -> Option<Node> {
        [("char-major-", 'c'), ("block-major-", 'b')].into_iter().find_map(|(start, kind)| {
            let (major, rest) = number(alias.strip_prefix(start)?)?;
            let (minor, _) = number(rest.strip_prefix('-')?)?;
            Some(Node { kind, major, minor })
        })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}:{}", self.kind, self.major, self.minor)
    }
}

/// The number that a text starts with, and the rest.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

fn text(first: &str, modules: &Modules<'_>, lines: impl Fn(&Module) -> String) -> String {
    modules.iter().fold(first.to_owned(), |text, entry| text + &lines(entry.module))
}
