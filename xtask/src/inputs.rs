//! The real inputs of demo and tests: two Debian kernels of different ABIs, firmware, and a few programs.
//!
//! ```text
//! target/inputs/kernel/         image and headers of linux-image-cloud-amd64, unpacked
//! target/inputs/other-kernel/   the same of a 6.12 kernel: another ABI
//! target/inputs/registry/       docker-registry, unpacked
//! target/inputs/stub/           linuxx64.efi.stub
//! target/inputs/sigstore/       npm packages, see npm.rs
//! target/inputs/debs/           every package as PACKAGE.deb and under its archive's name with the version
//! target/inputs/SHA256SUMS      of debs/PACKAGE.deb
//! ```
//!
//! All of it is a cache: remove the directory to get today's versions.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::apt::PrivateApt;
use crate::cache::{self, Cache};
use crate::record::Deb;
use crate::sources::RELEASE;
use crate::workspace::Workspace;
use crate::{Error, packages};

/// The metapackage of the kernel that the demo boots. Cloud kernels are small and have what a virtual machine needs.
const KERNEL: &str = "linux-image-cloud-amd64";

/// How the package of a kernel is called that a metapackage depends on.
const IMAGE: &str = "linux-image-";

/// The metapackage of the kernel whose modules must not fit, and the names to choose from where there is none.
const OTHER_KERNEL: &str = "linux-image-6.12-cloud-amd64";
const OTHER_KERNELS: (&str, &str) = ("linux-image-6.12", "-cloud-amd64");

/// Everything else: what the base, the extensions, the composed image and the tests are made of.
const PACKAGES: [&str; 6] =
    ["busybox-static", "docker-registry", "firmware-realtek", "libc6", "systemd-boot-efi", "wireguard-tools"];

/// The UEFI stub in systemd-boot-efi.
const STUB: &str = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/// The complete cache; only [`prepare`] makes one.
#[derive(Debug, Clone)]
pub struct Inputs {
    dir: PathBuf,
    debs: Vec<Deb>,
}

impl Inputs {
    /// The cache itself: `TENON_INPUTS` of the tests.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The kernel that the demo boots: `boot/`, `lib/modules/`, `usr/src/`.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join("kernel")
    }

    /// The kernel of another ABI, laid out alike.
    pub fn other_kernel(&self) -> PathBuf {
        self.dir.join("other-kernel")
    }

    /// The UEFI stub for unified kernel images.
    pub fn stub(&self) -> PathBuf {
        self.dir.join("stub/linuxx64.efi.stub")
    }

    /// The server program of docker-registry.
    pub fn registry(&self) -> PathBuf {
        self.dir.join("registry/usr/bin/docker-registry")
    }

    /// A package of the cache, by its stable name.
    pub fn deb(&self, package: &str) -> PathBuf {
        self.dir.join("debs").join(format!("{package}.deb"))
    }

    /// All packages, in the order of their names.
    pub fn debs(&self) -> &[Deb] {
        &self.debs
    }
}

/// Makes the cache complete. When it is, this takes milliseconds and asks no network.
///
/// # Errors
/// Those of [`PrivateApt`], [`Error::NotDebian`] without apt, and [`Error::File`].
pub fn prepare(workspace: &Workspace) -> Result<Inputs, Error> {
    let dir = workspace.inputs();
    fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
    let dir = dir.canonicalize().map_err(Error::file("find", &dir))?;
    let _alone = cache::lock(&dir)?;
    if let Some(inputs) = cached(&dir) {
        return Ok(inputs);
    }
    packages::require(&["apt-get", "apt-cache", "dpkg-deb"])?;

    let apt = PrivateApt::open(&dir.join("apt"))?;
    apt.update()?;
    let kernel = Kernel::of(&apt.dependency(KERNEL, IMAGE)?);
    let other_kernel = Kernel::of(&find_other_kernel(&apt)?);
    let mut wanted = PACKAGES.map(str::to_owned).to_vec();
    wanted.extend([&kernel, &other_kernel].into_iter().flat_map(Kernel::packages));
    wanted.sort();
    let debs = apt.download(&wanted)?;

    let cache = Cache { dir: &dir, apt: &apt, debs: &debs };
    place(&cache)?;
    cache.unpack("kernel", &kernel.packages())?;
    cache.unpack("other-kernel", &other_kernel.packages())?;
    cache.unpack("registry", &["docker-registry".to_owned()])?;
    unpack_stub(&cache)?;
    write_sums(&cache)?;
    cache.record(&request())?;
    Ok(Inputs { dir, debs })
}

/// The two packages of one kernel.
struct Kernel {
    image: String,
    headers: String,
}

impl Kernel {
    /// The headers, which hold `Module.symvers`, are named like the image.
    fn of(image: &str) -> Kernel {
        Kernel { image: image.to_owned(), headers: image.replacen(IMAGE, "linux-headers-", 1) }
    }

    fn packages(&self) -> [String; 2] {
        [self.image.clone(), self.headers.clone()]
    }
}

fn find_other_kernel(apt: &PrivateApt) -> Result<String, Error> {
    match apt.dependency(OTHER_KERNEL, IMAGE) {
        Err(unknown @ Error::UnknownPackage { .. }) => {
            let (prefix, suffix) = OTHER_KERNELS;
            let mut names = apt.names(prefix)?;
            names.retain(|name| name.ends_with(suffix) && name != OTHER_KERNEL);
            names.sort_by_key(|name| figures(name));
            names.pop().ok_or(unknown)
        }
        found => found,
    }
}

/// The numbers in a name, for an order in which 6.12.101 is newer than 6.12.95.
fn figures(name: &str) -> Vec<u64> {
    let runs = name.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.map(|run| run.parse().unwrap_or(u64::MAX)).collect()
}

/// What this version of xtask asks for, in one line.
fn request() -> String {
    format!("1 {RELEASE} {KERNEL} {OTHER_KERNEL} {}", PACKAGES.join(" "))
}

/// The cache, if it is complete and is what this version of xtask asks for.
fn cached(dir: &Path) -> Option<Inputs> {
    let inputs = Inputs { dir: dir.to_owned(), debs: cache::recorded(dir, &request())? };
    let whole = |deb: &Deb| inputs.deb(&deb.package).metadata().is_ok_and(|meta| meta.len() == deb.bytes);
    let unpacked = [inputs.kernel(), inputs.other_kernel(), inputs.stub(), inputs.registry()];
    let complete = inputs.debs.iter().all(whole) && unpacked.iter().all(|path| path.exists());
    complete.then_some(inputs)
}

/// `debs/`: hard links, so that both names cost nothing.
fn place(cache: &Cache) -> Result<(), Error> {
    let place = cache.dir.join("debs");
    cache::remove_dir(&place)?;
    fs::create_dir_all(&place).map_err(Error::file("create", &place))?;
    for deb in cache.debs {
        for name in [deb.stable_name(), deb.file.clone()] {
            let link = place.join(name);
            fs::hard_link(cache.apt.path(deb), &link).map_err(Error::file("link", &link))?;
        }
    }
    Ok(())
}

/// `stub/linuxx64.efi.stub`.
fn unpack_stub(cache: &Cache) -> Result<(), Error> {
    let package = "systemd-boot-efi";
    cache.unpack("stub", &[package.to_owned()])?;
    let (place, name) = (cache.dir.join("stub"), cache.dir.join("stub/linuxx64.efi.stub"));
    match fs::hard_link(place.join(STUB), &name) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Error::NotInPackage { package: package.to_owned(), path: STUB.into() })
        }
        Err(error) => Err(Error::file("link", name)(error)),
    }
}

/// The sums, for people.
fn write_sums(cache: &Cache) -> Result<(), Error> {
    let line = |deb: &Deb| format!("{}  debs/{}\n", deb.digest.hex(), deb.stable_name());
    cache::write(&cache.dir.join("SHA256SUMS"), &cache.debs.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_is_chosen_by_numbers() {
        let mut names = ["linux-image-6.12.101+deb12-cloud-amd64", "linux-image-6.12.95+deb12-cloud-amd64"];
        names.sort_by_key(|name| figures(name));
        assert!(names[1].contains("6.12.101"));
    }

    #[test]
    fn headers_are_named_like_the_image() {
        assert_eq!(
            Kernel::of("linux-image-6.1.0-56-cloud-amd64").headers,
            "linux-headers-6.1.0-56-cloud-amd64"
        );
    }

    #[test]
    fn a_cache_with_a_short_file_is_not_complete() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for below in ["debs", "kernel", "other-kernel", "stub", "registry/usr/bin"] {
            fs::create_dir_all(dir.join(below)).unwrap();
        }
        for file in ["stub/linuxx64.efi.stub", "registry/usr/bin/docker-registry"] {
            fs::write(dir.join(file), "").unwrap();
        }
        let record = format!("{}\nx_1_all.deb 3 {}\n", request(), spec::Digest::of(b"abc").hex());
        fs::write(dir.join("record"), &record).unwrap();
        fs::write(dir.join("debs/x.deb"), "abc").unwrap();
        assert!(cached(dir).is_some());

        fs::write(dir.join("debs/x.deb"), "ab").unwrap();
        assert!(cached(dir).is_none(), "a short package");
        fs::write(dir.join("debs/x.deb"), "abc").unwrap();
        fs::write(dir.join("record"), record.replacen("1 ", "0 ", 1)).unwrap();
        assert!(cached(dir).is_none(), "another request");
    }
}
