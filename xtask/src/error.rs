//! Why a chore did not succeed.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use spec::{Diagnose, Outcome};

/// One sentence with a place; what another program said is its source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file operation of ours failed.
    #[error("cannot {doing} {}", .path.display())]
    File {
        /// The operation, as a verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {program}")]
    Start {
        /// Its name or path.
        program: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A program ended without success; it has printed its reasons itself.
    #[error("`{command}` failed ({status})")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A program whose output we kept ended without success.
    #[error("`{command}` failed ({status})")]
    FailedQuietly {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        #[source]
        said: LastLines,
    },
    /// Packages are missing, and only root may install them.
    #[error("these Debian packages are missing: {}", .0.join(" "))]
    PackagesMissing(Vec<String>),
    /// Programs are missing on a system whose package manager we do not know.
    #[error("these programs are missing, and there is no apt-get to install them with: {}", .0.join(", "))]
    NotDebian(Vec<String>),
    /// The programs of Node.js are missing.
    #[error("{0} of Node.js is missing")]
    NoNode(String),
    /// apt's sources name no archive that could serve the inputs.
    #[error("apt's sources ({}) name no Debian archive", .0.display())]
    NoArchive(PathBuf),
    /// The private package lists could not be brought up to date.
    #[error("cannot fetch the package lists of Debian {release}")]
    Lists {
        /// Code name of the release.
        release: &'static str,
        /// The end of what apt printed.
        #[source]
        said: LastLines,
    },
    /// No archive has such a package.
    #[error("the package {package} is not in Debian {release}")]
    UnknownPackage {
        /// Its name.
        package: String,
        /// Code name of the release.
        release: &'static str,
        /// The end of what apt printed.
        #[source]
        said: LastLines,
    },
    /// Packages could not be fetched.
    #[error("cannot download {}", .packages.join(", "))]
    Download {
        /// Those that are not there yet.
        packages: Vec<String>,
        /// The end of what apt printed.
        #[source]
        said: LastLines,
    },
    /// A package does not hold what it is fetched for.
    #[error("the package {package} has no {}", .path.display())]
    NotInPackage {
        /// The package.
        package: String,
        /// The file, from the root of the package.
        path: PathBuf,
    },
    /// The virtual machine did not get to the awaited line.
    #[error("the machine {how} before it printed \"{awaited}\" (console: {})", .console.display())]
    Boot {
        /// How it ended instead.
        how: BootEnd,
        /// The line that was waited for.
        awaited: String,
        /// Everything that it printed.
        console: PathBuf,
        /// The end of that, and of what QEMU said.
        #[source]
        said: LastLines,
    },
    /// Tests and benchmarks mount images, which only root may.
    #[error("this chore mounts images, which only root may")]
    NotRoot,
    /// The demo did not show what it is there to show.
    #[error("the demo went wrong: {0}")]
    Demo(String),
    /// A machine says something else than it should.
    #[error("{0}")]
    Machine(String),
    /// A measurement cannot be believed.
    #[error("the benchmark went wrong: {0}")]
    Bench(String),
    /// The kernel was not asked what it was to be asked, or something else of the truth matrix is not as it should be.
    #[error("the truth matrix went wrong: {0}")]
    Truth(String),
    /// The kernel takes what the verdict refuses, or refuses what it accepts.
    #[error("kernel and verdict differ about {0} modules")]
    Differences(usize),
    /// A kernel lacks a module that a chore wants.
    #[error("the kernel has no module {0}")]
    NoModule(String),
    /// A page has no place for a table.
    #[error("{} has no two lines `<!-- {name}: begin -->` and `<!-- {name}: end -->`", .path.display())]
    NoMarkers {
        /// The page.
        path: PathBuf,
        /// The name in the markers.
        name: String,
    },
    /// No such chore.
    #[error("there is no chore \"{0}\"")]
    UnknownChore(String),
}

/// How a boot that did not succeed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootEnd {
    /// QEMU ended by itself: the guest powered off or rebooted, or QEMU refused to start.
    Stopped,
    /// The time limit passed.
    TimedOut(Duration),
}

impl fmt::Display for BootEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootEnd::Stopped => f.write_str("stopped"),
            BootEnd::TimedOut(limit) => write!(f, "ran into its limit of {} s", limit.as_secs()),
        }
    }
}

/// The last lines that another program printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LastLines(String);

impl LastLines {
    /// More than this hides the sentence above it.
    const COUNT: usize = 15;

    /// The last 15 lines of `text` that are not blank.
    pub fn of(text: &str) -> LastLines {
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        match lines.len() {
            0 => LastLines("it printed nothing".to_owned()),
            count => LastLines(lines[count.saturating_sub(LastLines::COUNT)..].join("\n")),
        }
    }
}

impl Error {
    /// For `map_err` on a file operation: `Error::file("write", &path)`.
    pub fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |cause| Error::File { doing, path, cause }
    }
}

impl Diagnose for Error {
    fn outcome(&self) -> Outcome {
        match self {
            Error::Failed { .. }
            | Error::Boot { .. }
            | Error::Demo(_)
            | Error::Machine(_)
            | Error::Bench(_)
            | Error::Differences(_) => Outcome::Refused,
            _ => Outcome::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::PackagesMissing(packages) => {
                Some(format!("run as root: apt-get install --no-install-recommends {}", packages.join(" ")))
            }
            Error::NotDebian(_) => {
                Some("install them with the system's own package manager, or use a Debian machine".to_owned())
            }
            Error::NoNode(_) => Some(
                "install Node.js 20.17 or a later one with its npm; the verifier of sigstore runs on no older one"
                    .to_owned(),
            ),
            Error::NotRoot => Some("run it as root; `cargo xtask check` runs as anybody".to_owned()),
            Error::NoArchive(_) => Some(
                "name a file in apt's deb822 format, with Debian's main and security archives, in TENON_APT_SOURCES"
                    .to_owned(),
            ),
            Error::Lists { .. } | Error::Download { .. } => Some(
                "check the network and apt's proxy settings, then run the same command again; what is downloaded \
                 is kept"
                    .to_owned(),
            ),
            Error::UnknownPackage { .. } => Some(
                "the archive may be a partial mirror; TENON_APT_SOURCES can name a file with other sources"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_keep_the_end_and_never_nothing() {
        let long: String = (0..100).map(|n| format!("line {n}\n\n")).collect();
        let last = LastLines::of(&long).to_string();
        assert_eq!(last.lines().count(), LastLines::COUNT);
        assert!(last.ends_with("line 99"), "{last}");
        assert_eq!(LastLines::of(" \n").to_string(), "it printed nothing");
    }

    #[test]
    fn missing_packages_are_named_with_the_command_that_installs_them() {
        let error = Error::PackagesMissing(vec!["ovmf".into(), "xorriso".into()]);
        assert_eq!(error.to_string(), "these Debian packages are missing: ovmf xorriso");
        assert!(error.hint().is_some_and(|hint| hint.ends_with("ovmf xorriso")));
    }
}
