//! The story of a medium: read, plan, write.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use catalog::{CatalogError, Descriptor, Layout, Store, copy_layout};
use spec::TreePath;
use spec::boot::medium;

use crate::error::ComposeError;
use crate::inputs::{self, Inputs};
use crate::iso::{self, Source};
use crate::plan::{Plan, on_medium};
use crate::secure_boot::SecureBoot;
use crate::{esp, initramfs};

/// A medium that was written.
#[derive(Debug)]
pub struct Composed {
    /// What is on it.
    pub plan: Plan,
    /// The ISO image.
    pub output: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Signatures that were left behind because they are broken.
    pub skipped: Vec<CatalogError>,
}

/// What composing does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading the inputs, the root image included.
    Read,
    /// Packing the initramfs.
    PackInitramfs,
    /// Making the unified kernel image and its partition.
    LinkKernel,
    /// Signing it for Secure Boot.
    SignKernel,
    /// Copying the extensions that were chosen.
    CopyExtensions,
    /// Writing the ISO image.
    WriteImage,
}

/// Composes a bootable ISO image.
///
/// The output appears whole under its name or not at all; what was there before stays until then. Equal inputs and an
/// equal `epoch` (seconds since 1970, UTC; dates the files of the medium) give equal bytes, but for a signature for Secure
/// Boot, which says when it was made.
pub fn compose(
    inputs: &Inputs,
    epoch: u32,
    progress: &mut dyn FnMut(Step),
) -> Result<Composed, ComposeError> {
    progress(Step::Read);
    let plan = plan(inputs)?;
    write(plan, &inputs.output, epoch, progress)
}

/// The output replaces a regular file or nothing: never a device, and never what it is made from.
fn check_output(inputs: &Inputs) -> Result<(), ComposeError> {
    let Inputs { schematic, patches, runtime, stub, secure_boot, output, occasion: _ } = inputs;
    let keys = secure_boot.iter().flat_map(|SecureBoot { key, certificate }| [key, certificate]);
    let refuse = |why| Err(ComposeError::Output { path: output.clone(), why });
    match fs::symlink_metadata(output) {
        Err(_) => return Ok(()),
        Ok(meta) if !meta.is_file() => return refuse("is there and is not a regular file"),
        Ok(_) => {}
    }
    let same = |input: &PathBuf| match (fs::canonicalize(input), fs::canonicalize(output)) {
        (Ok(input), Ok(output)) => input == output,
        _ => false,
    };
    let mut inputs = [schematic, runtime, stub].into_iter().chain(patches).chain(keys);
    match inputs.any(same) || inputs::names(schematic, output)? {
        true => refuse("is an input of this image"),
        false => Ok(()),
    }
}

/// Reads and checks all inputs, judges the extensions, and decides what goes onto the medium; writes nothing.
pub fn plan(inputs: &Inputs) -> Result<Plan, ComposeError> {
    check_output(inputs)?;
    Plan::make(inputs::load(inputs)?)
}

/// Writes the medium that was planned, as [`compose`] does.
pub fn write(
    plan: Plan,
    output: &Path,
    epoch: u32,
    progress: &mut dyn FnMut(Step),
) -> Result<Composed, ComposeError> {
    let stage = Stage::beside(output)?;
    progress(Step::PackInitramfs);
    let initramfs = initramfs::pack(&plan.initramfs).map_err(ComposeError::Initramfs)?;
    progress(Step::LinkKernel);
    let mut kernel = plan.link(&initramfs)?;
    if let Some(secure_boot) = &plan.secure_boot {
        progress(Step::SignKernel);
        kernel = secure_boot.sign(&kernel, stage.directory.path()).map_err(ComposeError::SecureBoot)?;
    }
    let partition = esp::image(&kernel, plan.base.arch).map_err(ComposeError::Esp)?;
    progress(Step::CopyExtensions);
    let (store, skipped) = stage.copy_extensions(&plan)?;
    progress(Step::WriteImage);
    let mut files = plan.files.clone();
    files.extend(store);
    let size = stage.write_image(&files, partition, epoch)?;
    stage.publish()?;
    Ok(Composed { plan, output: output.to_owned(), size, skipped })
}

/// A directory beside the output, on the same file system, that vanishes with everything unfinished in it.
struct Stage {
    directory: tempfile::TempDir,
    output: PathBuf,
}

impl Stage {
    fn beside(output: &Path) -> Result<Stage, ComposeError> {
        let directory = tempfile::Builder::new()
            .prefix(".compose-")
            .tempdir_in(parent(output))
            .map_err(ComposeError::io("write in", parent(output)))?;
        Ok(Stage { directory, output: output.to_owned() })
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image.iso")
    }

    /// Makes the layout of the medium and returns its files.
    fn copy_extensions(
        &self,
        plan: &Plan,
    ) -> Result<(BTreeMap<TreePath, Source>, Vec<CatalogError>), ComposeError> {
        let store = Store::create_or_open(self.directory.path().join("store"))?;
        let selected: Vec<Descriptor> =
            plan.extensions.iter().map(|selected| selected.entry.descriptor.clone()).collect();
        let skipped = copy_layout(&plan.layout, &selected, &store)?;
        Ok((files_of(&store.layout()?)?, skipped))
    }

    fn write_image(
        &self,
        files: &BTreeMap<TreePath, Source>,
        partition: Vec<u8>,
        epoch: u32,
    ) -> Result<u64, ComposeError> {
        let image = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.image())
            .map_err(ComposeError::io("write", self.image()))?;
        let size = iso::write(files, partition, epoch, &image)
            .map_err(|source| ComposeError::Iso { path: self.output.clone(), source })?;
        image.sync_all().map_err(ComposeError::io("write", self.image()))?;
        Ok(size)
    }

    /// Gives the finished image its name.
    fn publish(self) -> Result<(), ComposeError> {
        fs::rename(self.image(), &self.output).map_err(ComposeError::io("write", &self.output))?;
        let directory = parent(&self.output);
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(ComposeError::io("write in", directory))
    }
}

/// The files of a layout that has nothing but what a layout has.
fn files_of(layout: &Layout) -> Result<BTreeMap<TreePath, Source>, ComposeError> {
    let mut names = vec!["oci-layout".to_owned(), "index.json".to_owned()];
    let blobs = layout.dir().join("blobs/sha256");
    for blob in fs::read_dir(&blobs).map_err(ComposeError::io("read", &blobs))? {
        let name = blob.map_err(ComposeError::io("read", &blobs))?.file_name();
        names.push(format!("blobs/sha256/{}", name.to_string_lossy()));
    }
    let place = |name: String| {
        let file = layout.dir().join(&name);
        (on_medium(&format!("{}/{name}", medium::STORE)), Source::File(file))
    };
    Ok(names.into_iter().map(place).collect())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Read => "reading the base and the extensions",
            Step::PackInitramfs => "packing the initramfs",
            Step::LinkKernel => "making the unified kernel image",
            Step::SignKernel => "signing it for Secure Boot",
            Step::CopyExtensions => "copying the extensions",
            Step::WriteImage => "writing the ISO image",
        })
    }
}

#[cfg(test)]
mod tests;
