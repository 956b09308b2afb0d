//! Modules that are wrong in one point each, made from modules of the kernel that is to be asked.
//!
//! Most come from `vsock`, which needs no other module and can be removed again. They are asked about in the order of
//! the tables, in one machine: what stays is there for all that follow.

mod elf;
mod signature;
mod variants;

use std::fs;
use std::path::{Path, PathBuf};

use super::kernel::Kernel;
use super::question::Question;
use crate::Error;
use elf::Elf;
use signature::Stranger;
use variants::Variant;

/// What variants are made from.
struct Kit<'a> {
    kernel: &'a Kernel,
    stranger: Stranger,
}

impl Kit<'_> {
    /// A module of the kernel's own, signed as it ships.
    fn shipped(&self, name: &str) -> Result<Vec<u8>, Error> {
        shipped(self.kernel, name)
    }

    /// The same without its signature.
    fn unsigned(&self, name: &str) -> Result<Vec<u8>, Error> {
        self.changed(name, |_| Ok(()))
    }

    /// The same with a change.
    fn changed(
        &self,
        name: &str,
        change: impl FnOnce(&mut Elf) -> Result<(), Error>,
    ) -> Result<Vec<u8>, Error> {
        changed(self.kernel, name, change)
    }
}

/// Makes all variants for a kernel, in a directory below `dir`.
///
/// # Errors
/// [`Error::Truth`] if a module of the kernel's lacks what was to be changed, [`Error::File`], those of openssl.
pub(super) fn questions(kernel: &Kernel, dir: &Path) -> Result<Vec<Question>, Error> {
    let kit = Kit { kernel, stranger: Stranger::in_dir(&dir.join("stranger"))? };
    let dir = dir.join(kernel.release().as_str());
    variants::all().map(|variant| question(variant, &kit, &dir)).collect()
}

fn question(variant: Variant, kit: &Kit<'_>, dir: &Path) -> Result<Question, Error> {
    let Variant { name, module, after, force, craft } = variant;
    let file = write(dir, name, &craft(kit)?)?;
    let module = module.parse().map_err(|error| Error::Truth(spec::sentence(&error)))?;
    Ok(Question { name: name.to_owned(), after, force, ..Question::new(module, file) })
}

/// A copy of a module that does nothing when it is loaded or removed, so that what it exports is there on a machine
/// without its hardware.
///
/// # Errors
/// As [`questions`].
pub(super) fn without_start(kernel: &Kernel, name: &str, dir: &Path) -> Result<PathBuf, Error> {
    write(
        &dir.join(kernel.release().as_str()).join("without-start"),
        name,
        &changed(kernel, name, remove_start)?,
    )
}

/// Is there a signature at the end of the file, of whatever kind?
pub(super) fn is_signed(file: &[u8]) -> bool {
    signature::split(file).0.len() < file.len()
}

fn remove_start(module: &mut Elf) -> Result<(), Error> {
    module.remove_function("init_module")?;
    module.remove_function("cleanup_module")
}

fn changed(
    kernel: &Kernel,
    name: &str,
    change: impl FnOnce(&mut Elf) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let mut module = shipped(kernel, name)?;
    module.truncate(signature::split(&module).0.len());
    let mut elf = Elf::new(module);
    change(&mut elf)?;
    Ok(elf.into_bytes())
}

fn shipped(kernel: &Kernel, name: &str) -> Result<Vec<u8>, Error> {
    let path = kernel.module(name)?;
    fs::read(path).map_err(Error::file("read", path))
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    fs::create_dir_all(dir).map_err(Error::file("create", dir))?;
    let path = dir.join(format!("{name}.ko"));
    fs::write(&path, bytes).map_err(Error::file("write", &path))?;
    Ok(path)
}
