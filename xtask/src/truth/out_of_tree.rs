//! A real module from sources that are not the kernel's: Debian's package of dm-writeboost, built as DKMS would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use spec::ModuleName;

use super::kernel::Kernel;
use crate::apt::PrivateApt;
use crate::cache::{self, Cache};
use crate::progress::Task;
use crate::{Error, command};

/// The package, and the beginning of the name of the directory that it has in `usr/src`.
const PACKAGE: &str = "dm-writeboost-dkms";
const SOURCES: &str = "dm-writeboost-";

/// What the build makes.
const FILE: &str = "dm-writeboost.ko";

/// The modules that it takes symbols from.
pub(super) const NEEDS: [&str; 2] = ["dm_mod", "libcrc32c"];

/// What the kernel calls the module.
pub(super) fn name() -> Result<ModuleName, Error> {
    ModuleName::from_file_name(FILE).ok_or_else(|| Error::NoModule(FILE.to_owned()))
}

/// Fetches sources and headers into `dir`, and builds the module for a kernel.
///
/// # Errors
/// Those of [`PrivateApt`], [`Error::NotInPackage`], [`Error::FailedQuietly`] with the compiler's words, [`Error::File`].
pub(super) fn build(kernel: &Kernel, dir: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(dir).map_err(Error::file("create", dir))?;
    let dir = dir.canonicalize().map_err(Error::file("find", dir))?;
    let headers = format!("linux-headers-{}", kernel.release());
    fetch(&headers, &dir)?;
    let task = Task::spin(format!("building {FILE}"));
    let tree = dir.join("unpacked/usr/src");
    point_to_common_headers(&tree.join(&headers), &tree)?;
    let mut make = Command::new("make");
    make.arg("-C").arg(tree.join(&headers)).arg(format!("M={}", sources(&tree)?.display())).arg("modules");
    command::read(&mut make)?;
    task.finish("built");
    Ok(sources(&tree)?.join(FILE))
}

/// The headers of a Debian kernel are in three packages: for the one build, for all builds of the version, and programs.
fn fetch(headers: &str, dir: &Path) -> Result<(), Error> {
    let _alone = cache::lock(dir)?;
    let request = format!("1 {PACKAGE} {headers}");
    if cache::recorded(dir, &request).is_some() {
        return Ok(());
    }
    let apt = PrivateApt::open(&dir.join("apt"))?;
    apt.update()?;
    let (common, programs) =
        (apt.dependency(headers, "linux-headers-")?, apt.dependency(headers, "linux-kbuild-")?);
    let wanted = [PACKAGE.to_owned(), headers.to_owned(), common, programs];
    let debs = apt.download(&wanted)?;
    let cache = Cache { dir, apt: &apt, debs: &debs };
    cache.unpack("unpacked", &wanted)?;
    cache.record(&request)
}

/// The Makefile of the headers is one line, which includes that of the common headers by the path that it has where the
/// package is installed.
fn point_to_common_headers(headers: &Path, tree: &Path) -> Result<(), Error> {
    let makefile = headers.join("Makefile");
    let text = fs::read_to_string(&makefile).map_err(Error::file("read", &makefile))?;
    let here = format!("include {}/", tree.display());
    fs::write(&makefile, text.replace("include /usr/src/", &here)).map_err(Error::file("write", &makefile))
}

fn sources(tree: &Path) -> Result<PathBuf, Error> {
    let mut entries = fs::read_dir(tree).map_err(Error::file("read", tree))?.filter_map(Result::ok);
    let found = entries.find(|entry| entry.file_name().to_string_lossy().starts_with(SOURCES));
    let missing =
        || Error::NotInPackage { package: PACKAGE.to_owned(), path: Path::new("usr/src").join(SOURCES) };
    found.map(|entry| entry.path()).ok_or_else(missing)
}
