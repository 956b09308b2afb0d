//! The module index: the files that depmod would write about the modules of a base and its extensions together, byte
//! for byte, from their records alone.
//!
//! ```text
//! records, modules.order ─order▶ Modules ─dependencies▶ lines of modules.dep
//!                                   ├─text▶ modules.{dep,alias,softdep,weakdep,symbols,devname}
//! modules.builtin* ─builtin────────┴─trie▶ modules.{dep,alias,symbols,builtin,builtin.alias}.bin
//! ```
//!
//! modprobe and udev look names up in the `.bin` files; `modules.softdep`, `modules.weakdep` and `modules.devname` have
//! no such form. busybox reads the text of `modules.dep` and `modules.alias`.
//!
//! The files are those of kmod 30. Three things are done otherwise, none of which any real kernel meets:
//!
//! - depmod lets one of two modules of the same name win, by `depmod.d`; here both are refused. It gives up where modules
//!   need each other in a circle; here a circle is opened where an import is weak, as the kernel would.
//! - Where the base has no `modules.builtin` or `modules.builtin.modinfo`, depmod writes empty `.bin` files that no
//!   program takes; here there are none.
//! - `modules.weakdep`, which kmod writes since version 33, is there if a module has such dependencies.
//!
//! One more difference comes from the records, which say what the loader sees: without CONFIG_MODVERSIONS depmod takes
//! the names of namespaces for exports.

mod builtin;
mod dependencies;
mod hash;
mod loading;
mod order;
mod text;
mod trie;

use std::collections::{BTreeMap, HashMap};

use spec::{Diagnose, KernelRelease, ModuleName, Outcome, TreePath};

use crate::{BuiltinError, Record, SymbolName};
pub use loading::loading;

use dependencies::Dependencies;
use hash::superfast;
use order::Modules;
use trie::Entry;

/// What an index is made of.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The kernel.
    pub release: &'a KernelRelease,
    /// The modules of the base.
    pub base: &'a Record,
    /// The modules of each extension.
    pub extensions: &'a [&'a Record],
    /// `modules.order` of the base: the order in which the kernel's build lists its modules, which decides which of
    /// several modules for a device comes first.
    pub order: Option<&'a str>,
    /// `modules.builtin` of the base: modules that are part of the kernel.
    pub builtin: Option<&'a str>,
    /// `modules.builtin.modinfo` of the base: what those say of themselves.
    pub builtin_modinfo: Option<&'a [u8]>,
}

/// The files of a module index, by name, to be put into `/usr/lib/modules/RELEASE`. `modules.order`,
/// `modules.builtin` and `modules.builtin.modinfo` belong to the kernel and stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleIndex {
    /// Contents by name.
    pub files: BTreeMap<&'static str, Vec<u8>>,
}

/// Why there is no index of these modules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// A module is where modprobe does not look.
    #[error("module {path} is not below {directory}")]
    Outside {
        /// Its path.
        path: TreePath,
        /// Where modules of this kernel are.
        directory: String,
    },
    /// Two modules have the same name.
    #[error("module {name} is there twice: {first} and {second}")]
    Duplicate {
        /// The name.
        name: ModuleName,
        /// One file.
        first: TreePath,
        /// The other.
        second: TreePath,
    },
    /// Modules that cannot be loaded in any order.
    #[error("modules need symbols of each other in a circle: {0}")]
    Circle(String),
    /// `modules.builtin` is not what the kernel's build writes.
    #[error("modules.builtin cannot be used")]
    Builtin(#[source] BuiltinError),
    /// `modules.builtin.modinfo` is not what the kernel's build writes.
    #[error("modules.builtin.modinfo, entry {entry}: \"{found}\" is not {wanted}")]
    BuiltinInfo {
        /// Which entry of it, from 1.
        entry: usize,
        /// The start of the entry.
        found: String,
        /// What an entry is.
        wanted: &'static str,
    },
    /// A file of the index would be larger than its format allows.
    #[error("{0} would have more than 256 MiB, which its format has no numbers for")]
    TooLarge(&'static str),
}

impl Diagnose for IndexError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

/// The directory that modprobe looks into for modules of a kernel.
pub(crate) fn directory(release: &KernelRelease) -> String {
    format!("/usr/lib/modules/{release}")
}

/// The path of a module inside the directory of its kernel, if it is there.
pub(crate) fn inside_release<'a>(path: &'a TreePath, release: &KernelRelease) -> Option<&'a str> {
    path.as_str().strip_prefix(&directory(release))?.strip_prefix('/')
}

/// The index of the modules of a base and of extensions.
pub fn build(inputs: &Inputs<'_>) -> Result<ModuleIndex, IndexError> {
    let modules = Modules::of(inputs)?;
    let owners = modules.owners();
    let lines = Dependencies::of(&modules, &owners)?.lines(&modules, trie::MAX_BYTES)?;
    let symbols = symbols(&owners);
    let mut files = BTreeMap::from([
        ("modules.dep", text::dep(&lines)),
        ("modules.alias", text::alias(&modules)),
        ("modules.softdep", text::softdep(&modules)),
        ("modules.symbols", text::symbols(&modules, &symbols)),
        ("modules.devname", text::devname(&modules)),
    ]);
    files.extend(text::weakdep(&modules).map(|text| ("modules.weakdep", text)));
    let mut files: BTreeMap<_, _> = files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();

    let mut trie = |name, entries| -> Result<(), IndexError> {
        let bytes = trie::write(entries).ok_or(IndexError::TooLarge(name))?;
        files.insert(name, bytes);
        Ok(())
    };
    trie("modules.dep.bin", dep_entries(&modules, &lines))?;
    trie("modules.alias.bin", alias_entries(&modules))?;
    trie("modules.symbols.bin", symbol_entries(&modules, &symbols))?;
    if let Some(list) = inputs.builtin {
        trie("modules.builtin.bin", builtin::names(list)?)?;
    }
    if let Some(modinfo) = inputs.builtin_modinfo {
        trie("modules.builtin.alias.bin", builtin::aliases(modinfo)?)?;
    }
    Ok(ModuleIndex { files })
}

/// A symbol that a module exports, and the place of the module.
type Owned<'a> = (&'a SymbolName, usize);

/// All exports in the order in which depmod's table of 2,048 chains gives them back.
fn symbols<'a>(owners: &HashMap<&'a SymbolName, usize>) -> Vec<Owned<'a>> {
    const CHAINS: u32 = 2048;
    let mut symbols: Vec<Owned<'a>> = owners.iter().map(|(symbol, owner)| (*symbol, *owner)).collect();
    symbols.sort_by_cached_key(|(symbol, _)| (superfast(symbol.as_str().as_bytes()) % CHAINS, *symbol));
    symbols
}

fn dep_entries<'a>(modules: &'a Modules<'a>, lines: &'a [String]) -> Vec<Entry<'a>> {
    let line = |(place, entry): (usize, &order::Entry<'a>)| {
        Entry::new(entry.module.name.as_str(), place, lines[place].as_str())
    };
    modules.iter().enumerate().map(line).collect()
}

fn alias_entries<'a>(modules: &'a Modules<'a>) -> Vec<Entry<'a>> {
    let aliases = modules.iter().enumerate().flat_map(|(place, entry)| {
        let patterns = entry.module.aliases.iter().filter_map(|alias| trie::pattern(alias.as_str()));
        patterns.map(move |pattern| Entry::new(pattern, place, entry.module.name.as_str()))
    });
    aliases.collect()
}

fn symbol_entries<'a>(modules: &'a Modules<'a>, symbols: &[Owned<'a>]) -> Vec<Entry<'a>> {
    let entry = |&(symbol, owner): &Owned<'a>| {
        Entry::new(format!("symbol:{symbol}"), owner, modules[owner].module.name.as_str())
    };
    symbols.iter().map(entry).collect()
}

#[cfg(test)]
mod tests;
