//! Which modules of a kernel must be shipped so that some of them can be loaded.

use std::collections::{BTreeMap, BTreeSet};

use spec::{Diagnose, KernelRelease, ModuleName, Outcome};

use crate::profile::Owner;
use crate::{Module, Profile, SymbolName};

/// Why the modules to ship are not known.
#[derive(Debug, thiserror::Error)]
pub enum ClosureError<E: std::error::Error + 'static> {
    /// The kernel has no file for a module that was asked for.
    #[error("the kernel has no module {0}")]
    Unknown(ModuleName),
    /// A module that was asked for is no file: it is there whenever the kernel is.
    #[error("module {module} is built into the kernel {kernel}")]
    BuiltIn {
        /// The module.
        module: ModuleName,
        /// The kernel.
        kernel: KernelRelease,
    },
    /// The kernel has no file for a module that its own exports name.
    #[error("the kernel has no file of module {module}, which exports symbol {symbol} to module {user}")]
    FileMissing {
        /// The module that is missing.
        module: ModuleName,
        /// A symbol of it.
        symbol: SymbolName,
        /// A module that imports the symbol.
        user: ModuleName,
    },
    /// The file of a module could not be read.
    #[error("module {name} cannot be read")]
    Unreadable {
        /// The module.
        name: ModuleName,
        /// What `facts_of` says.
        #[source]
        source: E,
    },
}

impl<E: std::error::Error + 'static> Diagnose for ClosureError<E> {
    fn outcome(&self) -> Outcome {
        match self {
            ClosureError::Unknown(_) | ClosureError::BuiltIn { .. } | ClosureError::FileMissing { .. } => {
                Outcome::Refused
            }
            ClosureError::Unreadable { .. } => Outcome::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ClosureError::Unknown(_) => Some("check the spelling".to_owned()),
            ClosureError::BuiltIn { .. } => Some("for this kernel, do not ask for it".to_owned()),
            _ => None,
        }
    }
}

/// The modules `roots` and every module that exports a symbol which one of them must have, without those that the
/// base has.
///
/// `facts_of` reads a module of the kernel, or says that there is none of that name; it is asked once for each.
/// `profile` is the whole kernel's. Symbols that it does not know are left to [`crate::judge`].
pub fn closure<E: std::error::Error + 'static>(
    roots: &[ModuleName],
    mut facts_of: impl FnMut(&ModuleName) -> Result<Option<Module>, E>,
    profile: &Profile,
    base_has: &BTreeSet<ModuleName>,
) -> Result<BTreeMap<ModuleName, Module>, ClosureError<E>> {
    let mut shipped = BTreeMap::new();
    let mut reached = base_has.clone();
    let mut waiting: Vec<(ModuleName, Option<(SymbolName, ModuleName)>)> = Vec::new();
    for root in roots {
        if reached.insert(root.clone()) {
            waiting.push((root.clone(), None));
        }
    }
    while let Some((name, wanted)) = waiting.pop() {
        let facts =
            facts_of(&name).map_err(|source| ClosureError::Unreadable { name: name.clone(), source })?;
        let module = facts.ok_or_else(|| match wanted {
            None if profile.is_builtin(&name) => {
                ClosureError::BuiltIn { module: name.clone(), kernel: profile.release().clone() }
            }
            None => ClosureError::Unknown(name.clone()),
            Some((symbol, user)) => ClosureError::FileMissing { module: name.clone(), symbol, user },
        })?;
        for (symbol, _) in module.imports.iter().filter(|(_, import)| !import.weak) {
            if let Some(Owner::Module(owner)) = profile.owner(symbol)
                && reached.insert(owner.clone())
            {
                waiting.push((owner.clone(), Some((symbol.clone(), name.clone()))));
            }
        }
        shipped.insert(name, module);
    }
    Ok(shipped)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::testing::{ModuleFile, module, profile};

    const SYMVERS: &str = "0x00000001\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n\
        0x00000001\tmid_call\tnet/mid\tEXPORT_SYMBOL\t\n\
        0x00000001\tcore_call\tnet/core\tEXPORT_SYMBOL\t\n\
        0x00000001\textra_call\tnet/extra\tEXPORT_SYMBOL\t\n\
        0x00000001\tlost_call\tnet/lost\tEXPORT_SYMBOL\t\n";

    fn shipped(root: &str, base_has: &[&str]) -> Result<Vec<String>, ClosureError<Infallible>> {
        let kernel = [
            ModuleFile::new("top").import("_printk", 1).import("mid_call", 1).weak("extra_call").parse(),
            // In a circle with core, which no real kernel has.
            module("mid", &[("core_call", 1), ("not_known", 1)], &[]),
            module("core", &[("mid_call", 1)], &[]),
            module("needs_lost", &[("lost_call", 1)], &[]),
        ];
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<_>>();
        let facts_of = |name: &ModuleName| Ok(kernel.iter().find(|module| module.name == *name).cloned());
        let found = closure(&[root.parse().unwrap()], facts_of, &profile(SYMVERS), &names(base_has))?;
        Ok(found.into_keys().map(String::from).collect())
    }

    #[test]
    fn everything_needed_is_shipped_unless_the_base_has_it() {
        assert_eq!(shipped("top", &[]).unwrap(), ["core", "mid", "top"]);
        assert_eq!(shipped("top", &["core"]).unwrap(), ["mid", "top"]);
        assert_eq!(shipped("top", &["mid"]).unwrap(), ["top"]);
        assert_eq!(shipped("top", &["top"]).unwrap(), [""; 0]);
    }

    #[test]
    fn what_the_kernel_does_not_have_is_named() {
        assert_eq!(shipped("nothing", &[]).unwrap_err().to_string(), "the kernel has no module nothing");
        assert_eq!(
            shipped("needs_lost", &[]).unwrap_err().to_string(),
            "the kernel has no file of module lost, which exports symbol lost_call to module needs_lost"
        );
    }
}
