//! From the sources that a manifest names to what they hold: where their files lie, and whether they are those that the
//! manifest pins. How each kind is read is the room `sources`.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use sources::{Entry, EntryKind, PrivateCopy};
use spec::artifact::limits;
use spec::manifest::{Origin, Pinned, Source};
use spec::template::{Template, TemplateError, Variables};
use spec::{Diagnose, Digest, Outcome, TreePath};
use squash::Content;

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
    let pinned = |file| open_pinned(file, variables, search);
    Ok(match &source.origin {
        Origin::Dir(dir) => sources::list_dir(&search.find(dir, variables, Path::is_dir)?)?,
        Origin::File(file) => vec![single(pinned(file)?.1)],
        Origin::Tar(file) => {
            let (path, copy) = pinned(file)?;
            sources::list_tar(copy.file, &path)?
        }
        Origin::Deb(file) => {
            let (path, copy) = pinned(file)?;
            sources::list_deb(copy.file, &path)?
        }
        Origin::Oci(image) => {
            let layout = search.find(&image.file, variables, Path::is_dir)?;
            sources::list_oci(&layout, &image.digest)?
        }
    })
}

/// Finds a file and copies it while its digest is taken.
fn open_pinned(
    pinned: &Pinned,
    variables: &Variables,
    search: &SearchPath,
) -> Result<(PathBuf, PrivateCopy), SourceError> {
    let path = search.find(&pinned.file, variables, Path::is_file)?;
    let copy = sources::private_copy(&path, limits::IMAGE)?;
    if copy.digest != pinned.digest {
        return Err(SourceError::WrongDigest {
            place: pinned.file.place().to_owned(),
            path,
            wanted: pinned.digest,
            found: copy.digest,
        });
    }
    Ok((path, copy))
}

/// A source of one file has it at its root.
fn single(copy: PrivateCopy) -> Entry {
    let content = Content::Span { file: Arc::new(copy.file), offset: 0, len: copy.len };
    Entry { path: TreePath::root(), kind: EntryKind::File { mode: 0o644, content } }
}

/// Why a source could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// A variable has no value.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] sources::SourceError),
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
}

impl Diagnose for SourceError {
    fn outcome(&self) -> Outcome {
        match self {
            SourceError::Missing { .. } => Outcome::Unavailable,
            SourceError::Read(error) => error.outcome(),
            SourceError::Template(_) | SourceError::Outside { .. } | SourceError::WrongDigest { .. } => {
                Outcome::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SourceError::Template(error) => error.hint(),
            SourceError::Read(error) => error.hint(),
            SourceError::Missing { .. } => {
                Some("give the directory that has it with --source-dir DIR".into())
            }
            SourceError::Outside { .. } => {
                Some("put it below the manifest's directory or below a --source-dir".into())
            }
            SourceError::WrongDigest { .. } => {
                Some("get the file again; if a new one is meant, write its sha256 into the manifest".into())
            }
        }
    }
}
