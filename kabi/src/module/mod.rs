//! One module: what its file says about itself.

mod exports;
mod imports;
mod in_order;
mod info;
mod layout;
mod problem;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spec::{Arch, ModuleName, TreePath};

pub(crate) use imports::MODULE_LAYOUT;
pub use info::InfoEntry;
pub use layout::StructLayout;
pub use problem::{ModuleError, ModuleProblem};

use crate::elf::Elf;
use crate::signature::{self, ModuleSignature};
use crate::text::SYMBOL_MAX;
use crate::{Alias, Crc, InfoText, SymbolName};
use info::ModInfo;

/// Far above any module: those of Debian's 6.1 cloud kernel import up to 570 symbols.
const MAX_NAMES: usize = 1 << 16;

/// The facts about a module that decide whether a kernel takes it, and those that modprobe needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Module {
    /// Its name.
    pub name: ModuleName,
    /// Its file in the image.
    pub path: TreePath,
    /// Its architecture.
    pub arch: Arch,
    /// Release and flags of the kernel it was built for, with the blank at the end that the kernel has. Without it, it
    /// loads by force only (CONFIG_MODULE_FORCE_LOAD).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vermagic: Option<InfoText>,
    /// Does it say which CRCs its symbols have, if only of none? If not, it loads by force only where the kernel compares
    /// them (CONFIG_MODVERSIONS).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub versioned: bool,
    /// Does it say so in the extended form alone? Kernels before 6.14 do not know that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extended_only: bool,
    /// How it lays out `struct module`. A record of an older version of this program has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<StructLayout>,
    /// Its type information, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub btf: Option<Btf>,
    /// Who signed it, as the signature itself has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ModuleSignature>,
    /// Its licence, as the kernel reads it; none makes it proprietary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<InfoText>,
    /// Does it say that it was built with its kernel? One that does not taints it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_tree: bool,
    /// Is it a live patch?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub livepatch: bool,
    /// A hash of its sources, where the build made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srcversion: Option<InfoText>,
    /// Modules that its build took symbols from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<ModuleName>,
    /// Modules to load before or after it if they are there: `pre: a b post: c`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub softdeps: Vec<InfoText>,
    /// Modules that it may load itself, and that belong into its initramfs: `a b`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weakdeps: Vec<InfoText>,
    /// Firmware that it may ask for, below /usr/lib/firmware.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firmware: Vec<InfoText>,
    /// Devices and names that stand for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
    /// Symbol namespaces that it imports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<InfoText>,
    /// Symbols that it takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "in_order")]
    pub imports: BTreeMap<SymbolName, Import>,
    /// Symbols that it gives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "in_order::exports")]
    pub exports: BTreeMap<SymbolName, Export>,
}

/// Type information of a module (Documentation/bpf/btf.rst).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Btf {
    /// It counts on from the types of one build of the kernel: `.BTF`.
    Split,
    /// It brings along what it needs to find its types in any: `.BTF` and `.BTF.base`, since Linux 6.11.
    Relocatable,
}

/// How a module imports a symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The CRC that it was built against; none without CONFIG_MODVERSIONS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc: Option<Crc>,
    /// May the symbol be missing?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weak: bool,
    /// Its place among the imports in the symbol table, which modules.dep depends on. A document lists imports in this
    /// order, and does not say it besides.
    #[serde(skip)]
    pub place: u32,
}

/// How a symbol is exported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Its CRC; none without CONFIG_MODVERSIONS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc: Option<Crc>,
    /// Is it for GPL-compatible modules only?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gpl: bool,
    /// The namespace that must be imported to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<InfoText>,
}

impl Module {
    /// Reads the uncompressed module `bytes`, which is at `path` in its image. It may have a signature at its end.
    pub fn parse(path: &TreePath, bytes: &[u8]) -> Result<Module, ModuleError> {
        read(path, bytes).map_err(|problem| ModuleError { path: path.clone(), problem })
    }

    /// Everything that the uncompressed module `bytes` says about itself in words, in its own order.
    pub fn info(bytes: &[u8]) -> Result<Vec<InfoEntry>, ModuleProblem> {
        let elf = Elf::parse(signature::split(bytes)?.module)?;
        Ok(ModInfo::of(&elf)?.entries())
    }

    /// The kernel release that it was built for: the first word of the vermagic (linux/vermagic.h).
    pub fn release(&self) -> Option<&str> {
        self.vermagic.as_ref()?.as_str().split(' ').next()
    }
}

fn read(path: &TreePath, bytes: &[u8]) -> Result<Module, ModuleProblem> {
    // The loader looks at the signature before anything else (kernel/module/main.c, load_module).
    let parts = signature::split(bytes)?;
    let signature = parts.message.map(ModuleSignature::parse).transpose()?;
    let elf = Elf::parse(parts.module)?;
    let info = ModInfo::of(&elf)?;
    let table = elf.symbols()?;
    let versions = versions::read(&elf)?;
    Ok(Module {
        name: name(path, &info)?,
        path: path.clone(),
        arch: elf.arch,
        vermagic: info.first("vermagic")?,
        versioned: versions.is_some(),
        extended_only: versions::are_extended_only(&elf)?,
        layout: Some(StructLayout::read(&elf, &table)?),
        btf: btf(&elf)?,
        signature,
        license: info.first("license")?,
        in_tree: info.has("intree"),
        livepatch: info.has("livepatch"),
        srcversion: info.first("srcversion")?,
        depends: info.listed("depends")?,
        softdeps: info.all("softdep")?,
        weakdeps: info.all("weakdep")?,
        firmware: info.all("firmware")?,
        aliases: info.all("alias")?,
        namespaces: info.all("import_ns")?,
        imports: imports::read(elf.arch, &table, versions.as_ref())?,
        exports: exports::read(&elf, &table)?,
    })
}

/// modprobe finds a module by the name of its file and the kernel knows it by the one inside: they must agree.
fn name(path: &TreePath, info: &ModInfo<'_>) -> Result<ModuleName, ModuleProblem> {
    let inside: ModuleName = info.first("name")?.ok_or(ModuleProblem::InfoMissing("name"))?;
    match path.file_name().and_then(ModuleName::from_file_name) {
        Some(outside) if outside == inside => Ok(inside),
        _ => Err(ModuleProblem::NameDiffers(inside.to_string())),
    }
}

/// The loader takes an empty section for none (kernel/bpf/btf.c, `btf_module_notify`).
fn btf(elf: &Elf<'_>) -> Result<Option<Btf>, ModuleProblem> {
    let has = |name| elf.section(name).map(|found| found.is_some_and(|(_, data)| !data.is_empty()));
    Ok(match (has(".BTF")?, has(".BTF.base")?) {
        (false, _) => None,
        (true, false) => Some(Btf::Split),
        (true, true) => Some(Btf::Relocatable),
    })
}

fn text<T>(bytes: &[u8], place: impl Fn() -> String) -> Result<T, ModuleProblem>
where
    T: std::str::FromStr<Err = crate::TextError>,
{
    let wrong = |complaint| ModuleProblem::Text { place: place(), complaint };
    let text = str::from_utf8(bytes).map_err(|_| wrong("the name is not UTF-8".to_owned()))?;
    text.parse().map_err(|error: crate::TextError| wrong(error.to_string()))
}

fn endless(place: String) -> ModuleProblem {
    ModuleProblem::Text { place, complaint: format!("the name has no end within {SYMBOL_MAX} bytes") }
}
