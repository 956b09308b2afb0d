//! Who exports what: the kernel image and its modules, put together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use spec::{Diagnose, ModuleName, Outcome};

use crate::{Export, InfoText, Module, SymbolName};

/// What modpost calls the kernel image (scripts/mod/modpost.c).
pub(super) const VMLINUX: &str = "vmlinux";

/// An export of the kernel or of one of its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelExport {
    /// How it is exported.
    pub export: Export,
    /// Who exports it.
    pub owner: Owner,
}

/// Who exports a symbol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The kernel image: always there.
    Kernel,
    /// A module: there if the base or an extension ships it.
    Module(ModuleName),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Kernel => f.write_str(VMLINUX),
            Owner::Module(name) => name.fmt(f),
        }
    }
}

/// Most exports; there are about 40,000 `EXPORT_SYMBOL` in the sources of Linux, and no kernel has all of them.
pub(crate) const EXPORTS_MAX: usize = 1 << 17;
/// Most modules that export something: as many as `kabi.db` has numbers for.
const OWNERS_MAX: usize = (1 << 15) - 1;

/// Everything that a kernel and its modules export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exports {
    pub(super) by_symbol: BTreeMap<SymbolName, KernelExport>,
    /// The modules that export something, with the place in the kernel's sources that each is in, if that is known.
    pub(super) owners: BTreeMap<ModuleName, Option<InfoText>>,
}

/// Exports that no kernel can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportsError {
    /// The kernel would refuse the second exporter.
    #[error("symbol {symbol} is exported by {first} and by {second}")]
    SymbolTwice {
        /// The symbol.
        symbol: SymbolName,
        /// One who exports it.
        first: Owner,
        /// The other.
        second: Owner,
    },
    /// Two modules have the same name.
    #[error("there are two modules of the same name: {first} and {second}")]
    ModuleTwice {
        /// One, with its directory.
        first: String,
        /// The other.
        second: String,
    },
    /// More than any kernel has.
    #[error("there are more than {EXPORTS_MAX} exports or {OWNERS_MAX} modules that export something")]
    TooMany,
}

impl Diagnose for ExportsError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

impl Exports {
    /// Adds what the kernel image exports.
    pub fn add_kernel(&mut self, exports: BTreeMap<SymbolName, Export>) -> Result<(), ExportsError> {
        exports.into_iter().try_for_each(|(symbol, export)| {
            self.add(symbol, KernelExport { export, owner: Owner::Kernel }, None)
        })
    }

    /// Adds what a module exports that is in this directory of the kernel's sources.
    pub fn add_module(&mut self, directory: Option<&InfoText>, module: &Module) -> Result<(), ExportsError> {
        module.exports.iter().try_for_each(|(symbol, export)| {
            let owner = Owner::Module(module.name.clone());
            self.add(symbol.clone(), KernelExport { export: export.clone(), owner }, directory)
        })
    }

    /// The first symbol that the kernel image exports otherwise than it does here, or not in both.
    pub fn differs_from_kernel<'a>(
        &'a self,
        image: &'a BTreeMap<SymbolName, Export>,
    ) -> Option<&'a SymbolName> {
        let here = |symbol: &SymbolName| {
            self.by_symbol.get(symbol).filter(|known| known.owner == Owner::Kernel).map(|known| &known.export)
        };
        let mut symbols = image.keys().chain(self.by_symbol.keys());
        symbols.find(|symbol| here(symbol) != image.get(*symbol))
    }

    pub(super) fn add(
        &mut self,
        symbol: SymbolName,
        known: KernelExport,
        directory: Option<&InfoText>,
    ) -> Result<(), ExportsError> {
        if let Owner::Module(module) = &known.owner {
            self.add_owner(module, directory)?;
        }
        match self.by_symbol.get(&symbol) {
            Some(first) => {
                let (first, second) = (first.owner.clone(), known.owner);
                Err(ExportsError::SymbolTwice { symbol, first, second })
            }
            None if self.by_symbol.len() == EXPORTS_MAX => Err(ExportsError::TooMany),
            None => {
                self.by_symbol.insert(symbol, known);
                Ok(())
            }
        }
    }

    fn add_owner(&mut self, module: &ModuleName, directory: Option<&InfoText>) -> Result<(), ExportsError> {
        match self.owners.get(module) {
            Some(first) if first.as_ref() == directory => Ok(()),
            Some(first) => Err(ExportsError::ModuleTwice {
                first: module_path(first.as_ref(), module),
                second: module_path(directory, module),
            }),
            None if self.owners.len() == OWNERS_MAX => Err(ExportsError::TooMany),
            None => {
                self.owners.insert(module.clone(), directory.cloned());
                Ok(())
            }
        }
    }

    /// Those that are there if only these of the kernel's modules are.
    pub(super) fn restricted_to(&self, modules: &BTreeSet<ModuleName>) -> Exports {
        let stays = |owner: &Owner| match owner {
            Owner::Kernel => true,
            Owner::Module(name) => modules.contains(name),
        };
        let exports = self.by_symbol.iter().filter(|(_, known)| stays(&known.owner));
        let owners = self.owners.iter().filter(|(name, _)| modules.contains(name));
        Exports {
            by_symbol: exports.map(|(symbol, known)| (symbol.clone(), known.clone())).collect(),
            owners: owners.map(|(name, place)| (name.clone(), place.clone())).collect(),
        }
    }
}

/// A module behind its directory, as in Module.symvers.
pub(super) fn module_path(directory: Option<&InfoText>, module: &ModuleName) -> String {
    match directory {
        Some(directory) => format!("{directory}/{module}"),
        None => module.to_string(),
    }
}
