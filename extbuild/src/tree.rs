//! From the contents of a manifest to the tree of an image: what is taken, where it goes, and whether it may.

use std::collections::BTreeMap;

use spec::manifest::{Content, Payload};
use spec::path::PathError;
use spec::template::{Template, Variables};
use spec::{Diagnose, Outcome, TreePath};
use squash::{Tree, TreeError};
use terminal::Failure;

use crate::lint::{self, LintError, Owner};
use crate::source::{self, Entry, EntryKind, SearchPath};

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
    let mut tree = Tree::new();
    let mut problems = Vec::new();
    for content in &payload.contents {
        let entries = sources.get(content.from.as_str()).map(Vec::as_slice).unwrap_or_default();
        for (path, kind) in select(content, entries, variables)? {
            match lint::admit(&path, kind, &content.place, owner) {
                Ok(node) => tree
                    .insert(path, node)
                    .map_err(|source| ContentError::Insert { place: content.place.clone(), source })?,
                Err(problem) => problems.push(problem),
            }
        }
    }
    match problems.is_empty() {
        true => Ok(tree),
        false => Err(LintError(problems).into()),
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
    for entry in entries.iter().filter(|entry| entry.path.is_within(&from)) {
        let below: Vec<&str> = entry.path.components().skip(from.components().count()).collect();
        let path = to
            .join(&below.join("/"))
            .map_err(|source| ContentError::Path { place: content.to.place().to_owned(), source })?;
        selected.push((path, with_mode(content, entry.kind.clone())));
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

/// Why contents do not make a tree, besides what their sources and the lint say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    #[error("{place}: the path cannot be used")]
    Path { place: String, source: PathError },
    #[error("{place}: the source {source_name} has nothing at {path}")]
    Nothing { place: String, source_name: String, path: TreePath, nearest: String },
    #[error("{place}: two contents do not go together")]
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
            ContentError::Insert { .. } => "give each path to one content only".into(),
        })
    }
}
