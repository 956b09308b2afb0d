//! The kernel profile: everything about a kernel that decides whether a module fits.

mod db;
mod exports;
mod facts;
mod options;
mod symvers;

use std::collections::BTreeSet;

use spec::{Arch, BuildId, KernelRelease, ModuleName};

pub use db::ProfileError;
pub(crate) use exports::EXPORTS_MAX;
pub use exports::{Exports, ExportsError, KernelExport, Owner};
pub use facts::{KernelFacts, TrustedKey};
pub use options::{ConfigError, KernelOption, KernelOptions};
pub use symvers::SymversError;

use crate::{InfoText, StructLayout, SymbolName};

/// What a kernel exports, and what else is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    release: KernelRelease,
    arch: Arch,
    exports: Exports,
    facts: KernelFacts,
}

impl Profile {
    /// The profile of a kernel.
    pub fn new(release: KernelRelease, arch: Arch, exports: Exports, facts: KernelFacts) -> Profile {
        let vermagic = facts.vermagic.filter(|text| !text.as_str().is_empty());
        let lies_in = |layout: &StructLayout| {
            [layout.init, layout.exit].into_iter().flatten().all(|offset| offset < layout.size)
        };
        let layout = facts.layout.filter(|layout| layout.size > 0 && lies_in(layout));
        Profile { release, arch, exports, facts: KernelFacts { vermagic, layout, ..facts } }
    }

    /// The profile of a kernel of which nothing is known but the Module.symvers of its build.
    pub fn from_symvers(text: &str, release: KernelRelease, arch: Arch) -> Result<Profile, SymversError> {
        Ok(Profile::new(release, arch, Exports::from_symvers(text)?, KernelFacts::default()))
    }

    /// Reads `kabi.db`, all of it.
    pub fn parse(bytes: &[u8]) -> Result<Profile, ProfileError> {
        db::read(bytes)
    }

    /// `kabi.db`: the same bytes for the same profile.
    pub fn to_bytes(&self) -> Vec<u8> {
        db::write(self)
    }

    /// The kernel, as `uname -r` says.
    pub fn release(&self) -> &KernelRelease {
        &self.release
    }

    /// Its architecture.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The export of a symbol.
    pub fn get(&self, symbol: &SymbolName) -> Option<&KernelExport> {
        self.exports.by_symbol.get(symbol)
    }

    /// Who exports a symbol.
    pub fn owner(&self, symbol: &SymbolName) -> Option<&Owner> {
        self.get(symbol).map(|known| &known.owner)
    }

    /// All exports, sorted by symbol.
    pub fn exports(&self) -> impl Iterator<Item = (&SymbolName, &KernelExport)> {
        self.exports.by_symbol.iter()
    }

    /// Where in the kernel's sources a module is that exports something: `net/ipv4`.
    pub fn directory(&self, module: &ModuleName) -> Option<&InfoText> {
        self.exports.owners.get(module)?.as_ref()
    }

    /// The vermagic of the kernel's own modules.
    pub fn vermagic(&self) -> Option<&InfoText> {
        self.facts.vermagic.as_ref()
    }

    /// Which build of the release it is.
    pub fn build_id(&self) -> Option<&BuildId> {
        self.facts.build_id.as_ref()
    }

    /// `struct module` in the kernel's own modules.
    pub fn layout(&self) -> Option<StructLayout> {
        self.facts.layout
    }

    /// Was it built with this option? Nothing where its configuration was not known.
    pub fn option(&self, option: KernelOption) -> Option<bool> {
        self.facts.options.get(option)
    }

    /// Is this module a part of the kernel image?
    pub fn is_builtin(&self, module: &ModuleName) -> bool {
        self.facts.builtins.contains(module)
    }

    /// The modules that are parts of the kernel image, sorted.
    pub fn builtins(&self) -> impl Iterator<Item = &ModuleName> {
        self.facts.builtins.iter()
    }

    /// The keys that are built into it; none where its image was not read.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.facts.keys
    }

    /// The profile of a base that ships only these of the kernel's modules.
    pub fn restricted_to(&self, modules: &BTreeSet<ModuleName>) -> Profile {
        Profile {
            release: self.release.clone(),
            arch: self.arch,
            exports: self.exports.restricted_to(modules),
            facts: self.facts.clone(),
        }
    }
}
