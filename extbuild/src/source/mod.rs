//! Where files come from. Every kind of source becomes the same list of entries; nothing is unpacked to disk under a
//! name that the source chose.

mod archive;
mod bounded;
mod deb;
mod dir;
mod extended;
mod pinned;
mod spool;

use std::path::{Component, Path, PathBuf};

use spec::manifest::{Origin, Source};
use spec::template::{Template, TemplateError, Variables};
use spec::{Diagnose, Digest, Outcome, TreePath};
use squash::Content;

/// One thing in a source.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where it is inside the source; the root for a source of one file.
    pub path: TreePath,
    /// What it is.
    pub kind: EntryKind,
}

/// What a source can hold. What an image may hold is `lint`'s business.
#[derive(Debug, Clone)]
pub(crate) enum EntryKind {
    /// A directory.
    Directory,
    /// A file with the permission bits that the source gives it, setuid and its like included.
    File {
        /// `st_mode & 0o7777`.
        mode: u32,
        /// Its bytes.
        content: Content,
    },
    /// A symbolic link.
    Symlink {
        /// The text of the link.
        target: String,
    },
    /// A device, fifo or socket, in words.
    Special(&'static str),
}

/// Directories in which files are looked for, in order.
#[derive(Debug)]
pub(crate) struct SearchPath {
    /// The directory of the manifest.
    pub manifest: PathBuf,
    /// Those given on the command line.
    pub others: Vec<PathBuf>,
}

impl SearchPath {
    /// The first place that has what the template names and is of the right kind.
    fn find(
        &self,
        name: &Template,
        variables: &Variables,
        kind: fn(&Path) -> bool,
    ) -> Result<PathBuf, SourceError> {
        let file = name.expand(variables)?;
        if !stays_below(&file) {
            return Err(SourceError::Outside { place: name.place().to_owned(), file });
        }
        let directories = || std::iter::once(&self.manifest).chain(&self.others);
        directories().map(|dir| dir.join(&file)).find(|path| kind(path)).ok_or_else(|| SourceError::Missing {
            place: name.place().to_owned(),
            file,
            looked_in: directories().map(|dir| show(dir)).collect(),
        })
    }
}

/// A manifest names what lies below the directories that its reader chose, and nothing else of the machine.
fn stays_below(file: &str) -> bool {
    Path::new(file).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn show(dir: &Path) -> String {
    match dir.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => dir.display().to_string(),
    }
}

/// Lists what a source holds, sorted by path.
pub(crate) fn open(
    source: &Source,
    variables: &Variables,
    search: &SearchPath,
) -> Result<Vec<Entry>, SourceError> {
    let mut entries = match &source.origin {
        Origin::Dir(dir) => dir::list(&search.find(dir, variables, Path::is_dir)?)?,
        Origin::File(file) => vec![pinned::open(file, variables, search)?.into_entry()],
        Origin::Tar(file) => archive::list_tar(pinned::open(file, variables, search)?)?,
        Origin::Deb(file) => deb::list(pinned::open(file, variables, search)?)?,
    };
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    match entries.windows(2).find(|pair| pair[0].path == pair[1].path && !pair[0].is_same_directory(&pair[1]))
    {
        Some(pair) => Err(SourceError::Twice { place: source.place.clone(), path: pair[0].path.clone() }),
        None => Ok(entries),
    }
}

impl Entry {
    fn is_same_directory(&self, other: &Entry) -> bool {
        matches!((&self.kind, &other.kind), (EntryKind::Directory, EntryKind::Directory))
    }
}

/// Why a source could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// A variable has no value.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The name of a file leads out of every directory.
    #[error("{place}: the source {file} is not below the directory of the manifest")]
    Outside {
        /// Line and column in the manifest.
        place: String,
        /// The name.
        file: String,
    },
    /// The file is in none of the directories.
    #[error("{place}: {file} was not found in {}", looked_in.join(", "))]
    Missing {
        /// Line and column in the manifest.
        place: String,
        /// The name that was looked for.
        file: String,
        /// The directories.
        looked_in: Vec<String>,
    },
    /// The file is not the one that the manifest pins.
    #[error("{place}: {} has another sha256 than the manifest says\n  wanted {}\n  found  {}", path.display(), wanted.hex(), found.hex())]
    WrongDigest {
        /// Line and column in the manifest.
        place: String,
        /// The file.
        path: PathBuf,
        /// The pinned digest.
        wanted: Digest,
        /// Its digest.
        found: Digest,
    },
    /// A file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An archive is damaged, or not what its kind says.
    #[error("{} is not a sound archive: {problem}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A source has the same path twice, so that it means different things to different readers.
    #[error("{place}: the source has {path} twice")]
    Twice {
        /// Line and column in the manifest.
        place: String,
        /// The path.
        path: TreePath,
    },
}

impl SourceError {
    fn read(path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
        let path = path.to_owned();
        move |source| SourceError::Read { path, source }
    }
}

impl Diagnose for SourceError {
    fn outcome(&self) -> Outcome {
        match self {
            SourceError::Missing { .. } | SourceError::Read { .. } => Outcome::Unavailable,
            _ => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SourceError::Template(error) => error.hint(),
            SourceError::Missing { .. } => {
                Some("give the directory that has it with --source-dir DIR".into())
            }
            SourceError::Outside { .. } => {
                Some("put it below the manifest's directory or below a --source-dir".into())
            }
            SourceError::WrongDigest { .. } => {
                Some("get the file again; if a new one is meant, write its sha256 into the manifest".into())
            }
            _ => None,
        }
    }
}
