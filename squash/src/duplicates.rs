//! Which files have the same bytes, so that they are stored once.

use std::collections::HashMap;
use std::io::Read;

use spec::{Digest, Hasher, TreePath};

use crate::numbering::Numbered;
use crate::{Content, Node, PackError};

/// How the content of a node is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Nothing else in the tree has it.
    Alone,
    /// It may be shared by later files; this is its SHA-256.
    Original(Digest),
    /// It is that of the file at this earlier place.
    CopyOf(usize),
}

/// Compares all files by length and SHA-256, and reads only those whose length is not unique.
pub(crate) fn find(nodes: &[Numbered<'_>]) -> Result<Vec<Sharing>, PackError> {
    let mut of_length: HashMap<u64, usize> = HashMap::new();
    for content in nodes.iter().filter_map(content) {
        *of_length.entry(content.len()).or_default() += 1;
    }

    let mut originals: HashMap<(u64, Digest), usize> = HashMap::new();
    let mut sharing = vec![Sharing::Alone; nodes.len()];
    for (place, node) in nodes.iter().enumerate() {
        let Some(content) = content(node) else { continue };
        if content.is_empty() || of_length.get(&content.len()) == Some(&1) {
            continue;
        }
        let digest = digest(node.path, content)?;
        let original = *originals.entry((content.len(), digest)).or_insert(place);
        sharing[place] =
            if original == place { Sharing::Original(digest) } else { Sharing::CopyOf(original) };
    }
    Ok(sharing)
}

fn content<'a>(node: &Numbered<'a>) -> Option<&'a Content> {
    match node.node {
        Node::File { content, .. } => Some(content),
        Node::Directory { .. } | Node::Symlink { .. } => None,
    }
}

fn digest(path: &TreePath, content: &Content) -> Result<Digest, PackError> {
    let failed = |source| PackError::Read { path: path.clone(), source };
    let mut reader = content.open().map_err(failed)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Tree, numbering};

    #[test]
    fn equal_files_are_found_and_the_rest_is_left_alone() {
        let mut tree = Tree::new();
        for (path, bytes) in
            [("/a", "same"), ("/b", "diff"), ("/c", "same"), ("/d", "longer"), ("/e", ""), ("/f", "")]
        {
            let content = Content::Bytes(bytes.as_bytes().to_vec());
            tree.insert(path.parse().unwrap(), Node::File { mode: Mode::FILE, content }).unwrap();
        }
        use Sharing::{Alone, CopyOf, Original};
        let expected = [
            Alone, // the root
            Original(Digest::of(b"same")),
            Original(Digest::of(b"diff")),
            CopyOf(1),
            Alone,
            Alone,
            Alone,
        ];
        assert_eq!(find(&numbering::number(&tree).unwrap()).unwrap(), expected);
    }
}
