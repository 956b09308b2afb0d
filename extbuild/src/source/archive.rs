//! Tar archives, plain or compressed.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use spec::TreePath;
use squash::Content;
use tar::EntryType;

use super::pinned::PinnedFile;
use super::spool::Spool;
use super::{Entry, EntryKind, SourceError};

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Compression {
    /// By the magic bytes at the start of a stream (RFC 1952; xz file format 1.1; RFC 8878).
    fn detect(start: &[u8]) -> Compression {
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// Reads the stream inside. A zstd window above 128 MiB is refused by the library, which bounds memory.
    pub(super) fn reader<'a>(self, stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Compression::None => Box::new(stream),
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(stream)),
            Compression::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(stream)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(stream)?),
        })
    }
}

/// Lists a tar archive whose compression its own first bytes tell.
pub(super) fn list_tar(mut archive: PinnedFile) -> Result<Vec<Entry>, SourceError> {
    let read = SourceError::read(&archive.path);
    let mut start = Vec::new();
    let peeked = archive.file.by_ref().take(6).read_to_end(&mut start).and_then(|_| archive.file.rewind());
    peeked.map_err(read)?;
    list(BufReader::new(archive.file), Compression::detect(&start), &archive.path)
}

/// Lists a tar stream. `path` names the archive in errors.
pub(super) fn list(
    stream: impl Read,
    compression: Compression,
    path: &Path,
) -> Result<Vec<Entry>, SourceError> {
    let unsound = |problem: String| SourceError::Archive { path: path.to_owned(), problem };
    let io = |error: io::Error| unsound(error.to_string());
    let mut spool = Spool::new().map_err(io)?;
    let mut archive = tar::Archive::new(compression.reader(stream).map_err(io)?);
    let mut entries = Vec::new();
    let mut files: BTreeMap<TreePath, (u32, Content)> = BTreeMap::new();
    for entry in archive.entries().map_err(io)? {
        let mut entry = entry.map_err(io)?;
        let path = tree_path(&entry.path_bytes()).map_err(&unsound)?;
        let kind = match entry.header().entry_type() {
            EntryType::Directory => EntryKind::Directory,
            EntryType::Regular | EntryType::Continuous => {
                let mode = entry.header().mode().map_err(io)? & 0o7777;
                let content = spool.add(&mut entry).map_err(io)?;
                files.insert(path.clone(), (mode, content.clone()));
                EntryKind::File { mode, content }
            }
            EntryType::Link => {
                let target = link_target(&entry).map_err(&unsound)?;
                let target = tree_path(target.as_bytes()).map_err(&unsound)?;
                let (mode, content) = files.get(&target).ok_or_else(|| {
                    unsound(format!("{path} is a hard link to {target}, which is not before it"))
                })?;
                EntryKind::File { mode: *mode, content: content.clone() }
            }
            EntryType::Symlink => EntryKind::Symlink { target: link_target(&entry).map_err(&unsound)? },
            EntryType::Char | EntryType::Block => EntryKind::Special("a device node"),
            EntryType::Fifo => EntryKind::Special("a fifo"),
            EntryType::XGlobalHeader => continue,
            other => {
                return Err(unsound(format!(
                    "{path} is of an unknown kind (tar type {:?})",
                    other.as_byte() as char
                )));
            }
        };
        entries.push(Entry { path, kind });
    }
    Ok(entries)
}

/// `./usr/bin`, `usr/bin` and `/usr/bin` all name the same place in an archive.
fn tree_path(name: &[u8]) -> Result<TreePath, String> {
    let name = std::str::from_utf8(name)
        .map_err(|_| format!("the name \"{}\" is not UTF-8", String::from_utf8_lossy(name)))?;
    let inside =
        name.strip_prefix('.').filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(name);
    let inside = inside.trim_start_matches('/');
    format!("/{inside}").parse().map_err(|error: spec::path::PathError| error.to_string())
}

fn link_target<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String, String> {
    let target = entry.link_name_bytes().ok_or("a link without a target")?;
    String::from_utf8(target.into_owned()).map_err(|_| "the target of a link is not UTF-8".to_owned())
}
