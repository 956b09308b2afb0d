//! From the contents of a manifest to the tree of an image: what is taken, where it goes, and whether it may.

use std::collections::{BTreeMap, HashMap};

use sources::{Entry, EntryKind};
use spec::manifest::{Content, Payload};
use spec::path::PathError;
use spec::template::{Template, Variables};
use spec::{Diagnose, Outcome, TreePath};
use squash::{Node, Tree, TreeError};
use terminal::Failure;

use crate::lint::{self, LintError, Owner};
use crate::source::{self, SearchPath};

/// Opens the sources and takes the contents from them. All complaints about paths come at once.
pub(crate) fn collect(
    payload: &Payload,
    variables: &Variables,
    search: &SearchPath,
    owner: Owner<'_>,
) -> Result<Tree, Failure> {
    let mut sources = BTreeMap::new();
    for (name, source) in &payload.sources {
        sources.insert(name.as_str(), source::open(source, variables, search)?);
    }
    let mut admitted = Vec::new();
    let mut problems = Vec::new();
    for content in &payload.contents {
        let entries = sources.get(content.from.as_str()).map(Vec::as_slice).unwrap_or_default();
        for (path, kind) in select(content, entries, variables)? {
            match lint::admit(&path, kind, &content.place, owner) {
                Ok(node) => admitted.push((path, node, content)),
                Err(problem) => problems.push(problem),
            }
        }
    }
    match problems.is_empty() {
        true => Ok(assemble(admitted)?),
        false => Err(LintError(problems).into()),
    }
}

/// Puts everything into one tree, where contents may meet in directories only.
fn assemble(admitted: Vec<(TreePath, Node, &Content)>) -> Result<Tree, ContentError> {
    let mut tree = Tree::new();
    let mut origins: BTreeMap<TreePath, &Content> = BTreeMap::new();
    for (path, node, content) in admitted {
        tree.insert(path.clone(), node).map_err(|error| conflict(error, content, &origins))?;
        origins.entry(path).or_insert(content);
    }
    Ok(tree)
}

/// The same from the view of whoever wrote the manifest: which two contents are at odds.
fn conflict(error: TreeError, content: &Content, origins: &BTreeMap<TreePath, &Content>) -> ContentError {
    // A directory may be there only for what another content has in it.
    let origin = |path: &TreePath| {
        let (below, other) =
            origins.range(path.clone()..).next().filter(|(below, _)| below.is_within(path))?;
        Some((below.clone(), Origin::of(other)))
    };
    let own = Origin::of(content);
    match &error {
        TreeError::Taken { path } => match origin(path) {
            Some((same, other)) if same == *path => ContentError::Twice { path: same, own, other },
            Some((below, other)) => ContentError::NoDirectory { path: path.clone(), own, below, other },
            None => ContentError::Insert { place: own.place, source: error },
        },
        TreeError::ParentNotDirectory { path, parent } => match origin(parent) {
            Some((leaf, other)) => {
                ContentError::NoDirectory { path: leaf, own: other, below: path.clone(), other: own }
            }
            None => ContentError::Insert { place: own.place, source: error },
        },
        _ => ContentError::Insert { place: own.place, source: error },
    }
}

/// The entries at or below the path of a content, at their places in the image.
fn select(
    content: &Content,
    entries: &[Entry],
    variables: &Variables,
) -> Result<Vec<(TreePath, EntryKind)>, Failure> {
    let from = tree_path(&content.path, variables)?;
    let to = tree_path(&content.to, variables)?;
    let mut selected = Vec::new();
    let mut links = Links { entries, places: HashMap::new() };
    for entry in entries.iter().filter(|entry| entry.path.is_within(&from)) {
        let below: Vec<&str> = entry.path.components().skip(from.components().count()).collect();
        let path = to
            .join(&below.join("/"))
            .map_err(|source| ContentError::Path { place: content.to.place().to_owned(), source })?;
        let kind = with_mode(content, links.lead(entry, &path));
        selected.push((path, kind));
    }
    if selected.is_empty() {
        return Err(ContentError::Nothing {
            place: content.place.clone(),
            source_name: content.from.clone(),
            nearest: nearest(&from, entries),
            path: from,
        }
        .into());
    }
    Ok(selected)
}

/// The hard links of one content. All names of a file that are taken become one file again; where its first name is not
/// taken, the next one is the file.
struct Links<'a> {
    entries: &'a [Entry],
    /// Where the files are in the image, by their first names in the source.
    places: HashMap<&'a TreePath, TreePath>,
}

impl<'a> Links<'a> {
    /// What comes to `place` for the entry.
    fn lead(&mut self, entry: &'a Entry, place: &TreePath) -> EntryKind {
        let first = match &entry.kind {
            EntryKind::File { .. } => &entry.path,
            EntryKind::HardLink { target } => target,
            other => return other.clone(),
        };
        match self.places.get(first) {
            Some(file) => EntryKind::HardLink { target: file.clone() },
            None => {
                self.places.insert(first, place.clone());
                let file = self.entries.binary_search_by(|other| other.path.cmp(first));
                file.map_or(&entry.kind, |at| &self.entries[at].kind).clone()
            }
        }
    }
}

/// Only adds to the bits of the source, so that the lint still sees setuid and its like.
fn with_mode(content: &Content, kind: EntryKind) -> EntryKind {
    match kind {
        EntryKind::File { mode, content: bytes } if content.executable => {
            EntryKind::File { mode: mode | 0o111, content: bytes }
        }
        kind => kind,
    }
}

fn tree_path(template: &Template, variables: &Variables) -> Result<TreePath, Failure> {
    let place = template.place().to_owned();
    Ok(template.expand(variables)?.parse().map_err(|source| ContentError::Path { place, source })?)
}

/// The deepest directory above `path` that the source has, and a few names in it: where the author meant to look.
fn nearest(path: &TreePath, entries: &[Entry]) -> String {
    let mut above = path.parent();
    while let Some(dir) = above {
        let names: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.path.parent().as_ref() == Some(&dir))
            .filter_map(|entry| entry.path.file_name())
            .collect();
        if !names.is_empty() {
            let more = if names.len() > 8 { ", …" } else { "" };
            return format!("{dir} has {}{more}", names[..names.len().min(8)].join(", "));
        }
        above = dir.parent();
    }
    "the source is empty".to_owned()
}

/// A content, as errors name it.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Line and column in the manifest.
    place: String,
    /// The name of its source.
    source: String,
}

impl Origin {
    fn of(content: &Content) -> Box<Origin> {
        Box::new(Origin { place: content.place.clone(), source: content.from.clone() })
    }
}

/// Why contents do not make a tree, besides what their sources and the lint say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    #[error("{place}: the path cannot be used")]
    Path { place: String, source: PathError },
    #[error("{place}: the source {source_name} has nothing at {path}")]
    Nothing { place: String, source_name: String, path: TreePath, nearest: String },
    #[error("{}: {path} comes from the source \"{}\" and also, at {}, from \"{}\"", own.place, own.source, other.place, other.source)]
    Twice { path: TreePath, own: Box<Origin>, other: Box<Origin> },
    #[error(
        "{}: {path} from the source \"{}\" is not a directory, but {below} comes, at {}, from \"{}\"",
        own.place, own.source, other.place, other.source
    )]
    NoDirectory { path: TreePath, own: Box<Origin>, below: TreePath, other: Box<Origin> },
    #[error("{place}: the content does not go together with the others")]
    Insert { place: String, source: TreeError },
}

impl Diagnose for ContentError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            ContentError::Path { .. } => "write an absolute path, such as /usr/lib/firmware".into(),
            ContentError::Nothing { nearest, .. } => nearest.clone(),
            ContentError::Twice { .. } | ContentError::NoDirectory { .. } | ContentError::Insert { .. } => {
                "give each path to one content only".into()
            }
        })
    }
}

#[cfg(test)]
mod tests;
