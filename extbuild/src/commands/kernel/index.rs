//! `extbuild kernel index`

use std::fs::{self, Permissions};
use std::io::Write;
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use kabi::{Module, ModuleIndex, Record, decompress};
use spec::{KernelRelease, ModuleName};
use terminal::{Failure, Place};
use walkdir::WalkDir;

use crate::cli::KernelIndexArgs;
use crate::kernel::{BuildFiles, KernelError, release_of};

pub(crate) fn run(args: KernelIndexArgs) -> Result<(), Failure> {
    let KernelIndexArgs { modules, output } = args;
    let release = release_of(&modules)?;
    let record = Record::new(read_all(&modules, &release, &find(&modules)?)?)?;
    let index = BuildFiles::read(&modules)?.index(&release, &record)?;
    write(&index, &output)?;
    terminal::success(&format!("{} has the index of {} modules", output.display(), record.modules().len()));
    Ok(())
}

/// Every module below the directory, wherever it is. Links to directories, which are `build` and `source`, lead away
/// from there; links to files are modules of other directories that are welcome here.
fn find(directory: &Path) -> Result<Vec<PathBuf>, KernelError> {
    let mut files = Vec::new();
    for found in WalkDir::new(directory).sort_by_file_name() {
        let found = found.map_err(|error| {
            let path = error.path().unwrap_or(directory).to_owned();
            KernelError::Read { path, source: error.into() }
        })?;
        let is_module = found.file_name().to_str().and_then(ModuleName::from_file_name).is_some();
        if is_module && found.path().is_file() {
            files.push(found.into_path());
        }
    }
    Ok(files)
}

/// Reads the modules on all processors.
fn read_all(
    directory: &Path,
    release: &KernelRelease,
    files: &[PathBuf],
) -> Result<Vec<Module>, KernelError> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let share = files.len().div_ceil(processors).max(1);
    let read = |files: &[PathBuf]| -> Result<Vec<Module>, KernelError> {
        files.iter().map(|file| read_module(directory, release, file)).collect()
    };
    let shares: Result<Vec<Vec<Module>>, KernelError> = thread::scope(|scope| {
        let workers: Vec<_> = files.chunks(share).map(|files| scope.spawn(move || read(files))).collect();
        workers.into_iter().map(|worker| worker.join().expect("reading a module never panics")).collect()
    });
    Ok(shares?.into_iter().flatten().collect())
}

/// Reads a module, which keeps the name that its file has, compressed or not.
fn read_module(directory: &Path, release: &KernelRelease, file: &Path) -> Result<Module, KernelError> {
    let relative = file.strip_prefix(directory).unwrap_or(file).to_string_lossy();
    let path = format!("/usr/lib/modules/{release}/{relative}")
        .parse()
        .map_err(|source| KernelError::Name { file: file.to_owned(), source })?;
    let bytes = fs::read(file).map_err(KernelError::read(file))?;
    let bytes = decompress(&relative, bytes)
        .map_err(|source| KernelError::Compressed { file: file.to_owned(), source })?;
    Module::parse(&path, &bytes).map_err(|source| KernelError::Module { file: file.to_owned(), source })
}

/// Each file appears whole or not at all, and for everybody to read.
fn write(index: &ModuleIndex, output: &Path) -> Result<(), Place> {
    fs::create_dir_all(output).map_err(Place::cannot("make", output))?;
    for (name, bytes) in &index.files {
        let cannot = || Place::cannot("write", output.join(name));
        let mut new = tempfile::Builder::new();
        new.prefix(".new-").permissions(Permissions::from_mode(0o666)); // less the umask, as any file
        let mut file = new.tempfile_in(output).map_err(cannot())?;
        file.write_all(bytes).map_err(cannot())?;
        file.persist(output.join(name)).map_err(|error| cannot()(error.error))?;
    }
    Ok(())
}
