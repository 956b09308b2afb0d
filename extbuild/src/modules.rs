//! Kernel modules of an image: which ones must be in it, and what they say of themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use kabi::compress::MAX_BYTES;
use kabi::{Module, Record};
use spec::{Diagnose, ModuleName, Outcome, TreePath};
use squash::{Content, Mode, Node, Tree};
use terminal::Failure;

use crate::kernel::{Kernel, KernelModule};

/// The named in-tree modules and all that they need, without those of `have`; each before what needs it.
pub(crate) fn with_dependencies(
    roots: &[ModuleName],
    kernel: &Kernel,
    have: &BTreeSet<ModuleName>,
) -> Result<Vec<KernelModule>, Failure> {
    let facts = |name: &ModuleName| kernel.module(name).map(|module| module.map(|module| module.facts));
    let needed = kabi::closure(roots, facts, &kernel.profile, have)?;
    load_order(&needed)
        .into_iter()
        .map(|name| Ok(kernel.module(name)?.ok_or_else(|| ModulesError::Gone { name: name.clone() })?))
        .collect()
}

/// The names in an order in which each comes after all that it depends on. Modules do not depend on each other in
/// circles; if some did, each would still be named once.
fn load_order(modules: &BTreeMap<ModuleName, Module>) -> Vec<&ModuleName> {
    let mut order: Vec<&ModuleName> = Vec::new();
    while order.len() < modules.len() {
        let waiting = || modules.iter().filter(|(name, _)| !order.contains(name));
        let ready = waiting().find(|(_, module)| {
            let known = |needed: &&ModuleName| modules.contains_key(needed);
            module.depends.iter().filter(known).all(|needed| order.contains(&needed))
        });
        let next = ready.or_else(|| waiting().next()).map(|(name, _)| name);
        order.extend(next);
    }
    order
}

/// Puts a module into the tree.
pub(crate) fn insert(tree: &mut Tree, path: TreePath, module: &KernelModule) -> Result<(), Failure> {
    let content = Content::Bytes(module.bytes.clone());
    Ok(tree.insert(path, Node::File { mode: Mode::FILE, content })?)
}

/// Reads every module of the tree, wherever it came from; nothing where there is none.
pub(crate) fn record(tree: &Tree) -> Result<Option<Record>, Failure> {
    let mut modules = Vec::new();
    for (path, node) in tree.iter() {
        let Some(name) = path.file_name() else { continue };
        let (Some(_), Some(content)) = (ModuleName::from_file_name(name), content(tree, node)) else {
            continue;
        };
        if content.len() > MAX_BYTES as u64 {
            return Err(ModulesError::TooLarge { path: path.clone(), size: content.len() }.into());
        }
        let mut bytes = Vec::new();
        let read = content.open().and_then(|mut reader| reader.read_to_end(&mut bytes));
        read.map_err(|source| ModulesError::Read { path: path.clone(), source })?;
        let bytes = kabi::decompress(name, bytes)?;
        modules.push(Module::parse(path, &bytes)?);
    }
    match modules.is_empty() {
        true => Ok(None),
        false => Ok(Some(Record::new(modules)?)),
    }
}

/// The bytes of a file, by whichever of its names.
fn content<'a>(tree: &'a Tree, node: &'a Node) -> Option<&'a Content> {
    match node {
        Node::File { content, .. } => Some(content),
        Node::HardLink { target } => tree.get(target).and_then(|file| content(tree, file)),
        Node::Directory { .. } | Node::Symlink { .. } => None,
    }
}

/// Why a module cannot be taken, besides being damaged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModulesError {
    #[error("the module {name} is gone from the kernel directory")]
    Gone { name: ModuleName },
    #[error("{path} has {size} bytes; a module has at most {MAX_BYTES}")]
    TooLarge { path: TreePath, size: u64 },
    #[error("cannot read {path} from its source")]
    Read { path: TreePath, source: std::io::Error },
}

impl Diagnose for ModulesError {
    fn outcome(&self) -> Outcome {
        match self {
            ModulesError::TooLarge { .. } => Outcome::Refused,
            ModulesError::Gone { .. } | ModulesError::Read { .. } => Outcome::Unavailable,
        }
    }
}
