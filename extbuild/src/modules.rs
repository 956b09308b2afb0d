//! Kernel modules of an image: which ones must be in it, and what they say of themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use kabi::compress::MAX_BYTES;
use kabi::signature::{self, SignatureError};
use kabi::{Module, Record, TrustedKey};
use spec::{Diagnose, ModuleName, Outcome, TreePath};
use squash::image::Kind;
use squash::{Content, Image, Mode, Node, Tree};
use terminal::Failure;

use crate::kernel::{Kernel, KernelError, KernelModule};

/// The named in-tree modules and all that they need, without those of `have`; each before what needs it.
pub(crate) fn with_dependencies(
    roots: &[ModuleName],
    kernel: &Kernel,
    have: &BTreeSet<ModuleName>,
) -> Result<Vec<KernelModule>, Failure> {
    let mut read = BTreeMap::new();
    let facts = |name: &ModuleName| -> Result<Option<Module>, KernelError> {
        let Some(KernelModule { bytes, facts }) = kernel.module(name)? else { return Ok(None) };
        read.insert(facts.name.clone(), bytes);
        Ok(Some(facts))
    };
    let mut needed = kabi::closure(roots, facts, &kernel.profile, have)?;
    let order: Vec<ModuleName> = load_order(&needed).into_iter().cloned().collect();
    let module = |name| Some(KernelModule { bytes: read.remove(&name)?, facts: needed.remove(&name)? });
    Ok(order.into_iter().filter_map(module).collect())
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

/// Reads every module of the tree, wherever it came from; nothing where there is none. Signatures by one of the `keys`
/// must be good: a kernel that has the key refuses a module with a bad one, whether it wants signatures or not.
pub(crate) fn record(tree: &Tree, keys: &[TrustedKey]) -> Result<Option<Record>, Failure> {
    let mut modules = Vec::new();
    for (path, node) in tree.iter().filter(|(path, _)| is_module(path)) {
        let Some(content) = content(tree, node) else { continue };
        check_size(path, content.len())?;
        let mut bytes = Vec::new();
        let read = content.open().and_then(|mut reader| reader.read_to_end(&mut bytes));
        read.map_err(|source| ModulesError::Read { path: path.clone(), source })?;
        modules.push(parse(path, bytes, keys)?);
    }
    of_modules(modules)
}

/// The same of an image.
pub(crate) fn record_of_image(image: &Image<'_>, keys: &[TrustedKey]) -> Result<Option<Record>, Failure> {
    let mut modules = Vec::new();
    let mut reader = None;
    for entry in image.entries() {
        let (Some(path), Kind::File { size }) = (entry.path(), entry.kind()) else { continue };
        if !is_module(&path) {
            continue;
        }
        check_size(&path, size)?;
        let reader = match &mut reader {
            Some(reader) => reader,
            none => {
                let opened = image.reader();
                none.insert(opened.map_err(|source| ModulesError::Read { path: path.clone(), source })?)
            }
        };
        let mut bytes = Vec::new();
        reader.stream_entry(entry, &mut bytes)?;
        modules.push(parse(&path, bytes, keys)?);
    }
    of_modules(modules)
}

fn is_module(path: &TreePath) -> bool {
    path.file_name().is_some_and(|name| ModuleName::from_file_name(name).is_some())
}

/// Reads a module from the bytes of its file.
fn parse(path: &TreePath, bytes: Vec<u8>, keys: &[TrustedKey]) -> Result<Module, Failure> {
    let bytes = kabi::decompress(path.file_name().unwrap_or_default(), bytes)?;
    let module = Module::parse(path, &bytes)?;
    check_signature(&module, &bytes, keys)?;
    Ok(module)
}

fn of_modules(modules: Vec<Module>) -> Result<Option<Record>, Failure> {
    match modules.is_empty() {
        true => Ok(None),
        false => Ok(Some(Record::new(modules)?)),
    }
}

fn check_signature(module: &Module, bytes: &[u8], keys: &[TrustedKey]) -> Result<(), ModulesError> {
    let Some(signature) = &module.signature else { return Ok(()) };
    for key in keys.iter().filter(|key| key.is_named_by(signature)) {
        match signature::verify(bytes, &key.spki) {
            // What we cannot check, the kernel will.
            Ok(()) | Err(SignatureError::Unsupported { .. }) => {}
            Err(source) => {
                return Err(ModulesError::Signature {
                    path: module.path.clone(),
                    key: key.subject.to_string(),
                    source,
                });
            }
        }
    }
    Ok(())
}

fn check_size(path: &TreePath, size: u64) -> Result<(), ModulesError> {
    match size <= MAX_BYTES as u64 {
        true => Ok(()),
        false => Err(ModulesError::TooLarge { path: path.clone(), size }),
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
    #[error("{path} has {size} bytes; a module has at most {MAX_BYTES}")]
    TooLarge { path: TreePath, size: u64 },
    /// The kernel would refuse it.
    #[error("{path} is signed with the key of {key}, and the signature does not hold")]
    Signature { path: TreePath, key: String, source: SignatureError },
    #[error("cannot read {path} from its source")]
    Read { path: TreePath, source: std::io::Error },
}

impl Diagnose for ModulesError {
    fn outcome(&self) -> Outcome {
        match self {
            ModulesError::TooLarge { .. } | ModulesError::Signature { .. } => Outcome::Refused,
            ModulesError::Read { .. } => Outcome::Unavailable,
        }
    }
}
