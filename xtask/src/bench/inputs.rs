//! What is packed: a kernel, firmware and libraries of Debian.
//!
//! ```text
//! target/bench/tree/       all of it, unpacked together, and one file that changes
//! target/bench/userland/   the same without the kernel
//! target/bench/busybox/    for the machine that loads modules
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::apt::PrivateApt;
use crate::cache::{self, Cache};
use crate::progress::{Task, size};
use crate::record::Deb;
use crate::sources::RELEASE;
use crate::workspace::Workspace;
use crate::{Error, packages};

/// The metapackage of the kernel with all modules.
const KERNEL: &str = "linux-image-amd64";

/// Firmware, which hardly compresses in parts, and libraries that big programs come with.
const USERLAND: [&str; 9] = [
    "firmware-amd-graphics",
    "firmware-iwlwifi",
    "firmware-misc-nonfree",
    "libc6",
    "libclang-cpp14",
    "libicu72",
    "libllvm15",
    "libssl3",
    "libstdc++6",
];

const BUSYBOX: &str = "busybox-static";

/// The module that the changing file is a copy of: of a usual size, and in every kernel.
const MODEL: &str = "kernel/drivers/net/wireguard/wireguard.ko";

/// The complete cache; only [`prepare`] makes one.
#[derive(Debug)]
pub(super) struct Inputs {
    dir: PathBuf,
    release: String,
}

/// Makes the cache complete; on a complete one this takes milliseconds.
///
/// # Errors
/// Those of [`PrivateApt`], [`Error::NotDebian`] without apt, and [`Error::File`].
pub(super) fn prepare(workspace: &Workspace) -> Result<Inputs, Error> {
    let dir = workspace.bench();
    fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
    let dir = dir.canonicalize().map_err(Error::file("find", &dir))?;
    let _alone = cache::lock(&dir)?;
    if cache::recorded(&dir, &request()).is_none() {
        fill(&dir)?;
    }
    let release = only_entry(&dir.join("tree/lib/modules"))?;
    let inputs = Inputs { dir, release };
    inputs.change(0)?;
    Ok(inputs)
}

fn fill(dir: &Path) -> Result<(), Error> {
    packages::require(&["apt-get", "apt-cache", "dpkg-deb"])?;
    let apt = PrivateApt::open(&dir.join("apt"))?;
    apt.update()?;
    let userland = USERLAND.map(str::to_owned).to_vec();
    let all = [vec![apt.dependency(KERNEL, "linux-image-")?], userland.clone()].concat();
    let busybox = vec![BUSYBOX.to_owned()];
    let debs: Vec<Deb> = apt.download(&[all.clone(), busybox.clone()].concat())?;
    let cache = Cache { dir, apt: &apt, debs: &debs };
    cache.unpack("tree", &all)?;
    cache.unpack("userland", &userland)?;
    cache.unpack("busybox", &busybox)?;
    cache.record(&request())
}

/// What this version of xtask asks for, in one line.
fn request() -> String {
    format!("1 {RELEASE} {KERNEL} {BUSYBOX} {}", USERLAND.join(" "))
}

fn only_entry(dir: &Path) -> Result<String, Error> {
    let mut entries = fs::read_dir(dir).map_err(Error::file("read", dir))?;
    let entry = entries.next().transpose().map_err(Error::file("read", dir))?;
    let name = entry.and_then(|entry| entry.file_name().into_string().ok());
    name.ok_or_else(|| Error::Bench(format!("there is no kernel in {}", dir.display())))
}

impl Inputs {
    /// The directory that images and other results may lie in.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Everything.
    pub(super) fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }

    /// The kernel's modules alone.
    pub(super) fn modules(&self) -> PathBuf {
        self.dir.join("tree/lib/modules")
    }

    /// Firmware and libraries alone.
    pub(super) fn userland(&self) -> PathBuf {
        self.dir.join("userland")
    }

    /// The kernel itself.
    pub(super) fn vmlinuz(&self) -> PathBuf {
        self.dir.join("tree/boot").join(format!("vmlinuz-{}", self.release))
    }

    /// The kernel's release, the name of its directory of modules.
    pub(super) fn release(&self) -> &str {
        &self.release
    }

    /// A static program with all that a small guest needs.
    pub(super) fn busybox(&self) -> PathBuf {
        self.dir.join("busybox/bin/busybox")
    }

    /// Gives the file `changed` in the tree another content of the same length: a module with a number behind it.
    ///
    /// It is no file of a package, so an interrupted run leaves nothing behind that matters.
    pub(super) fn change(&self, revision: u64) -> Result<(), Error> {
        let model = self.modules().join(&self.release).join(MODEL);
        let mut content = fs::read(&model).map_err(Error::file("read", model))?;
        content.extend(revision.to_le_bytes());
        let changed = self.tree().join("changed");
        fs::write(&changed, content).map_err(Error::file("write", changed))
    }
}

/// What a directory holds, its own top counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Everything that has a name.
    pub entries: u64,
    /// Regular files among that.
    pub files: u64,
    /// Their lengths together.
    pub bytes: u64,
}

/// Counts a directory, and reads its files once, so that no later reader waits for a disk.
///
/// # Errors
/// [`Error::File`].
pub(super) fn count_and_read(dir: &Path) -> Result<Extent, Error> {
    let task = Task::spin(format!("reading {}", dir.display()));
    let mut extent = Extent { entries: 1, ..Extent::default() };
    for entry in entries(dir) {
        let entry = entry?;
        extent.entries += 1;
        if entry.file_type().is_file() {
            let mut file = fs::File::open(entry.path()).map_err(Error::file("open", entry.path()))?;
            extent.files += 1;
            extent.bytes +=
                std::io::copy(&mut file, &mut std::io::sink()).map_err(Error::file("read", entry.path()))?;
        }
    }
    task.finish(&format!("{} files, {}", extent.files, size(extent.bytes)));
    Ok(extent)
}

/// Everything below a directory, in the order of the names.
pub(super) fn entries(dir: &Path) -> impl Iterator<Item = Result<DirEntry, Error>> {
    let dir = dir.to_owned();
    WalkDir::new(&dir).min_depth(1).sort_by_file_name().into_iter().map(move |entry| {
        entry.map_err(|error| {
            let path = error.path().unwrap_or(&dir).to_owned();
            Error::file("read", path)(error.into())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_counted_with_its_top_and_its_links() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("b")).unwrap();
        fs::write(dir.path().join("b/file"), "12345").unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("a")).unwrap();
        let extent = count_and_read(dir.path()).unwrap();
        assert_eq!(extent, Extent { entries: 4, files: 1, bytes: 5 });
        let names: Vec<_> = entries(dir.path()).map(|entry| entry.unwrap().file_name().to_owned()).collect();
        assert_eq!(names, ["a", "b", "file"]);
    }

    #[test]
    fn each_change_makes_another_file_of_the_same_length() {
        let dir = tempfile::tempdir().unwrap();
        let inputs = Inputs { dir: dir.path().to_owned(), release: "6.1".to_owned() };
        let model = inputs.modules().join("6.1").join(MODEL);
        fs::create_dir_all(model.parent().unwrap()).unwrap();
        fs::write(&model, "module").unwrap();
        let content = |revision| {
            inputs.change(revision).unwrap();
            fs::read(inputs.tree().join("changed")).unwrap()
        };
        let (first, second) = (content(1), content(2));
        assert_eq!(first.len(), second.len());
        assert_ne!(first, second);
    }
}
