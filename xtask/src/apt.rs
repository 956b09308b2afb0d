//! A private view of apt: its own sources, lists and empty package status, so that nothing of the machine changes
//! and nothing that is installed there changes the answers. It works for any user.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::error::LastLines;
use crate::progress::{Task, size};
use crate::record::Deb;
use crate::sources::{self, RELEASE, Source};
use crate::{Error, command};

/// Where apt keeps its sources (sources.list(5)).
const APT_DIR: &str = "/etc/apt";

/// The private view, in a directory of its own.
///
/// `apt-get -c DIR/apt.conf …` typed by hand uses it too.
#[derive(Debug)]
pub struct PrivateApt {
    dir: PathBuf,
}

impl PrivateApt {
    /// Writes configuration and sources to `dir`. The sources are those of the file `TENON_APT_SOURCES` names, or
    /// else follow from the machine's own.
    ///
    /// # Errors
    /// [`Error::NoArchive`] if the machine's sources name no Debian archive, and [`Error::File`].
    pub fn open(dir: &Path) -> Result<PrivateApt, Error> {
        let dir = std::path::absolute(dir).map_err(Error::file("find", dir))?;
        for below in ["lists/partial", "cache", "archive", "none"] {
            let below = dir.join(below);
            fs::create_dir_all(&below).map_err(Error::file("create", &below))?;
        }
        let view = match env::var_os("TENON_APT_SOURCES") {
            Some(file) => fs::read_to_string(&file).map_err(Error::file("read", file))?,
            None => sources::private_view(&machine_sources()?).ok_or(Error::NoArchive(APT_DIR.into()))?,
        };
        write(&dir.join("private.sources"), &view)?;
        write(&dir.join("status"), "")?;
        write(&dir.join("apt.conf"), &configuration(&dir))?;
        Ok(PrivateApt { dir })
    }

    /// Brings the package lists up to date.
    ///
    /// # Errors
    /// [`Error::Lists`] if any of them cannot be fetched.
    pub fn update(&self) -> Result<(), Error> {
        let task = Task::spin(format!("package lists of Debian {RELEASE}"));
        let output = command::capture(self.apt("apt-get").args(["-q", "update"]))?;
        if !output.status.success() {
            return Err(Error::Lists { release: RELEASE, said: LastLines::of(&command::said(&output)) });
        }
        task.finish("up to date");
        Ok(())
    }

    /// The first package that a package depends on whose name begins with `prefix`: that of a metapackage, or of a
    /// part, whose name holds a version.
    ///
    /// # Errors
    /// [`Error::UnknownPackage`] if there is no such package.
    pub fn dependency(&self, package: &str, prefix: &str) -> Result<String, Error> {
        let output = command::capture(self.apt("apt-cache").args(["depends", package]))?;
        let found = first_dependency(&String::from_utf8_lossy(&output.stdout), prefix);
        found.ok_or_else(|| unknown(package, &command::said(&output)))
    }

    /// The names of all packages that begin with `prefix`, unsorted.
    ///
    /// # Errors
    /// [`Error::FailedQuietly`].
    pub fn names(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let names = command::read(self.apt("apt-cache").args(["pkgnames", prefix]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Fetches packages, or keeps what is there already, and says which versions they are, in the order of
    /// `packages`. apt continues a part of a file and checks each against its signed lists.
    ///
    /// # Errors
    /// [`Error::UnknownPackage`], and [`Error::Download`] with those that could not be fetched.
    pub fn download(&self, packages: &[String]) -> Result<Vec<Deb>, Error> {
        let debs = self.choose(packages)?;
        self.fetch(&debs)?;
        Ok(debs)
    }

    /// Where a downloaded package lies.
    pub fn path(&self, deb: &Deb) -> PathBuf {
        self.archive().join(&deb.file)
    }

    /// Asks apt what it would fetch, in an empty directory: it does not list what it finds in the current one.
    fn choose(&self, packages: &[String]) -> Result<Vec<Deb>, Error> {
        let mut apt = self.apt("apt-get");
        apt.args(["-q", "download", "--print-uris"]).args(packages).current_dir(self.dir.join("none"));
        let output = command::capture(&mut apt)?;
        let listed = String::from_utf8_lossy(&output.stdout);
        let listed: Vec<Deb> = listed.lines().filter_map(Deb::from_uri_line).collect();
        let chosen = packages.iter().map(|package| {
            let deb = listed.iter().find(|deb| deb.package == *package).cloned();
            deb.ok_or_else(|| unknown(package, &String::from_utf8_lossy(&output.stderr)))
        });
        chosen.collect()
    }

    fn fetch(&self, debs: &[Deb]) -> Result<(), Error> {
        let total = debs.iter().map(|deb| deb.bytes).sum();
        let task = Task::bytes(format!("{} packages, {}", debs.len(), size(total)), total);
        let log = self.dir.join("download.log");
        let log_file = fs::File::create(&log).map_err(Error::file("create", &log))?;
        let mut apt = self.apt("apt-get");
        apt.args(["-q", "download"]).args(debs.iter().map(|deb| &deb.package));
        apt.stdin(Stdio::null())
            .stdout(log_file.try_clone().map_err(Error::file("open", &log))?)
            .stderr(log_file);
        let mut child = apt.spawn().map_err(|cause| Error::Start { program: "apt-get".into(), cause })?;
        let status = loop {
            if let Some(status) =
                child.try_wait().map_err(Error::file("wait for apt-get in", self.archive()))?
            {
                break status;
            }
            task.advance(debs.iter().map(|deb| self.size(deb)).sum());
            thread::sleep(Duration::from_millis(100));
        };
        let missing: Vec<String> =
            debs.iter().filter(|deb| self.size(deb) != deb.bytes).map(|deb| deb.package.clone()).collect();
        if !status.success() || !missing.is_empty() {
            let said = fs::read(&log).map_err(Error::file("read", &log))?;
            let said = LastLines::of(&String::from_utf8_lossy(&said));
            return Err(Error::Download { packages: missing, said });
        }
        task.finish("downloaded");
        Ok(())
    }

    /// How much of a package is there.
    fn size(&self, deb: &Deb) -> u64 {
        self.path(deb).metadata().map_or(0, |meta| meta.len())
    }

    fn archive(&self) -> PathBuf {
        self.dir.join("archive")
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // `apt-get download` writes into the current directory.
        command.arg("-c").arg(self.dir.join("apt.conf")).current_dir(self.archive());
        command.env("LC_ALL", "C");
        command
    }
}

/// Options of apt.conf(5) and apt-transport-http(1), read after the machine's own, of which proxies remain in force.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "\
// The private view of apt that cargo xtask uses; for your own use: apt-get -c {dir}/apt.conf
Dir::Etc::sourcelist \"{dir}/private.sources\";
Dir::Etc::sourceparts \"{dir}/none\";
Dir::State::lists \"{dir}/lists\";
Dir::Cache \"{dir}/cache\";
Dir::Cache::pkgcache \"pkgcache.bin\";
Dir::Cache::srcpkgcache \"srcpkgcache.bin\";

// What is installed, pinned or preferred on the machine must not change the choice.
Dir::State::status \"{dir}/status\";
Dir::Etc::preferences \"/dev/null\";
Dir::Etc::preferencesparts \"{dir}/none\";
APT::Default-Release \"\";
APT::Architecture \"amd64\";
#clear APT::Architectures;
APT::Architectures {{ \"amd64\"; }};

// The user's own files: no other user to become, and no hooks for the machine's lists.
APT::Sandbox::User \"root\";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;

// A list that cannot be fetched is an error, not a reason to use an old one.
APT::Update::Error-Mode \"any\";
Acquire::Languages \"none\";
Acquire::Retries \"3\";
Acquire::http::Timeout \"30\";
Acquire::https::Timeout \"30\";
"
    )
}

/// All sources of the machine; files of other kinds are no sources.
fn machine_sources() -> Result<Vec<Source>, Error> {
    let parts = Path::new(APT_DIR).join("sources.list.d");
    let mut files = vec![Path::new(APT_DIR).join("sources.list")];
    if parts.is_dir() {
        for entry in fs::read_dir(&parts).map_err(Error::file("read", &parts))? {
            files.push(entry.map_err(Error::file("read", &parts))?.path());
        }
    }
    files.sort();
    let mut all = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let parse = match file.extension().and_then(|end| end.to_str()) {
            Some("list") => sources::parse_lines,
            Some("sources") => sources::parse_paragraphs,
            _ => continue,
        };
        all.extend(parse(&fs::read_to_string(file).map_err(Error::file("read", file))?));
    }
    Ok(all)
}

/// The first package that `apt-cache depends` names with this beginning.
fn first_dependency(depends: &str, prefix: &str) -> Option<String> {
    let names =
        depends.lines().filter_map(|line| line.trim_start_matches([' ', '|']).strip_prefix("Depends: "));
    names.map(str::trim).find(|name| name.starts_with(prefix)).map(str::to_owned)
}

fn unknown(package: &str, said: &str) -> Error {
    Error::UnknownPackage { package: package.to_owned(), release: RELEASE, said: LastLines::of(said) }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dependency_names_the_abi() {
        let depends =
            "linux-image-cloud-amd64\n  Depends: foo\n |Depends: linux-image-6.1.0-56-cloud-amd64\n";
        let found = first_dependency(depends, "linux-image-");
        assert_eq!(found.as_deref(), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(first_dependency("linux-image-cloud-amd64\n", "linux-image-"), None);
    }
}
