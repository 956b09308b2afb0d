//! `extbuild image pack`

use std::io::{self, Read};
use std::path::Path;

use sources::{Entry, EntryKind};
use spec::artifact::limits;
use spec::{Diagnose, Outcome, TreePath};
use squash::{BlockSize, Means, Mode, ModeError, Node, Options, Packed, Tree};
use terminal::{Failure, Place, Progress};

use crate::cli::ImagePackArgs;
use crate::commands::size;
use crate::new_file::NewFile;

/// What every ar archive, and so every Debian package, begins with (deb(5)).
const AR_MAGIC: &[u8; 8] = b"!<arch>\n";

pub(crate) fn run(args: ImagePackArgs) -> Result<(), Failure> {
    let ImagePackArgs { source, output, no_verity, packing, json } = args;
    let packing = packing.into_packing()?;
    let tree = tree(list(&source)?)?;
    let options = Options { verity: !no_verity, ..packing.options(BlockSize::suited_to(&tree)) };
    let packed = write(&tree, &options, packing.means(), &output)?;
    if json {
        return Ok(terminal::json(&serde_json::json!({
            "digest": packed.digest,
            "size": packed.size,
            "content": packed.facts,
            "verity": packed.verity,
        }))?);
    }
    terminal::success(&format!(
        "{} has {} for {} of content in {} files and directories",
        output.display(),
        size(packed.size),
        size(packed.facts.bytes),
        packed.facts.inodes,
    ));
    Ok(terminal::text(&format!("{}\n", packed.digest))?)
}

/// What the source holds, whatever kind it is of.
fn list(source: &Path) -> Result<Vec<Entry>, Failure> {
    if source.is_dir() {
        return Ok(sources::list_dir(source)?);
    }
    let read = || Place::cannot("read", source);
    let mut file = terminal::open_regular(source).map_err(read())?;
    let mut start = Vec::new();
    (&mut file).take(AR_MAGIC.len() as u64).read_to_end(&mut start).map_err(read())?;
    let copy = sources::private_copy(source, limits::IMAGE)?;
    if copy.len > limits::IMAGE {
        let too_long = format!("it has more than {} bytes", limits::IMAGE);
        return Err(read()(io::Error::new(io::ErrorKind::InvalidData, too_long)).into());
    }
    match start == AR_MAGIC {
        true => Ok(sources::list_deb(copy.file, source)?),
        false => Ok(sources::list_tar(copy.file, source)?),
    }
}

/// The same as a tree: files with their permissions, directories with 0755, everything owned by root.
fn tree(entries: Vec<Entry>) -> Result<Tree, Failure> {
    let nodes: Result<Vec<_>, NotForImages> = entries.into_iter().map(node).collect();
    Ok(Tree::of(nodes?)?)
}

fn node(Entry { path, kind }: Entry) -> Result<(TreePath, Node), NotForImages> {
    let node = match kind {
        EntryKind::Directory => Node::Directory { mode: Mode::DIRECTORY },
        EntryKind::File { mode, content } => match Mode::new(mode) {
            Ok(mode) => Node::File { mode, content },
            Err(source) => return Err(NotForImages::Mode { path, source }),
        },
        EntryKind::HardLink { target } => Node::HardLink { target },
        EntryKind::Symlink { target } => Node::Symlink { target },
        EntryKind::Special(what) => return Err(NotForImages::Special { path, what }),
    };
    Ok((path, node))
}

/// Packs into a file that takes the place of the output when it is whole.
fn write(tree: &Tree, options: &Options, means: Means<'_>, output: &Path) -> Result<Packed, Failure> {
    let cannot = || Place::cannot("write", output);
    let dir = output.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NewFile::in_dir(dir).map_err(cannot())?;
    let (progress, all) = (Progress::bytes("packing", 0), tree.facts().bytes);
    let packed = squash::pack(tree, options, means, file.as_file_mut(), &mut |done| {
        progress.of(done, all);
    })?;
    drop(progress);
    file.persist(dir, output).map_err(cannot())?;
    Ok(packed)
}

/// The source has something that no image holds.
#[derive(Debug, thiserror::Error)]
enum NotForImages {
    #[error("{path} is {what}")]
    Special { path: TreePath, what: String },
    #[error("{path} cannot be in an image")]
    Mode { path: TreePath, source: ModeError },
}

impl Diagnose for NotForImages {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            NotForImages::Special { .. } => {
                Some("images hold directories, files and links only; leave it out".into())
            }
            NotForImages::Mode { source, .. } => source.hint(),
        }
    }
}
