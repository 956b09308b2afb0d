//! Tar archives, plain or compressed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use liblzma::stream::{CONCATENATED, Stream};
use spec::TreePath;
use tar::EntryType;

use super::bounded::Bounded;
use super::extended::Extended;
use super::pinned::PinnedFile;
use super::spool::Spool;
use super::{Entry, EntryKind, SourceError};

/// Most bytes that one archive may unpack to: twice the largest driver release there is, so that an archive of zeros
/// ends here and not when the disk is full.
const MAX_BYTES: u64 = 16 << 30;

/// Most entries of one archive, all of which are kept in memory: five times those of the Linux source.
const MAX_ENTRIES: usize = 500_000;

/// Most bytes of all its names and link targets together: as many entries with names of usual length.
const MAX_NAMES: usize = 64 << 20;

/// Largest memory that an xz stream may ask for, in bytes. `xz -9` needs 65 MiB to unpack (xz(1), "Memory usage");
/// this is as much as the largest zstd window.
const XZ_MEMORY: u64 = 128 << 20;

/// Squashfs images here have no extended attributes, so these would be lost; capabilities are refused anyway.
const WITH_ATTRIBUTES: EntryKind = EntryKind::Special("something with extended attributes");

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
            Compression::Xz => {
                let decoder = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
                Box::new(liblzma::read::XzDecoder::new_stream(stream, decoder))
            }
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
    let stream = Bounded::new(compression.reader(stream).map_err(io)?, MAX_BYTES);
    let mut archive = tar::Archive::new(stream);
    let mut listing = Listing::new().map_err(io)?;
    let mut extended = Extended::default();
    for entry in archive.entries().map_err(io)?.raw(true) {
        let mut entry = entry.map_err(io)?;
        if !extended.take_in(&mut entry).map_err(unsound)? {
            listing.add(&mut entry, std::mem::take(&mut extended)).map_err(unsound)?;
        }
    }
    match extended == Extended::default() {
        true => Ok(listing.entries),
        false => Err(unsound("its last header describes an entry that is not there".to_owned())),
    }
}

/// What has been read of an archive so far.
struct Listing {
    entries: Vec<Entry>,
    /// Bytes of all names and link targets.
    names: usize,
    /// Files by path, for the hard links to them.
    files: BTreeMap<TreePath, EntryKind>,
    spool: Spool,
}

impl Listing {
    fn new() -> io::Result<Listing> {
        Ok(Listing { entries: Vec::new(), names: 0, files: BTreeMap::new(), spool: Spool::new()? })
    }

    fn add<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, extended: Extended) -> Result<(), String> {
        let path = tree_path(&extended.name.unwrap_or_else(|| entry.path_bytes().into_owned()))?;
        if extended.size.is_some_and(|size| size != entry.size().to_string().as_bytes()) {
            return Err(format!("{path} has two sizes"));
        }
        let link = extended.link.or_else(|| entry.link_name_bytes().map(Cow::into_owned));
        let kind = match entry.header().entry_type() {
            EntryType::Link if !extended.has_attributes => {
                let target = tree_path(&link.ok_or("a link without a target")?)?;
                let file = self.files.get(&target).cloned();
                file.ok_or_else(|| format!("{path} is a hard link to {target}, which is not before it"))?
            }
            EntryType::Regular | EntryType::Continuous => {
                let file = match extended.has_attributes {
                    true => WITH_ATTRIBUTES,
                    false => self.file(entry).map_err(|error| error.to_string())?,
                };
                self.files.insert(path.clone(), file.clone());
                file
            }
            _ if extended.has_attributes => WITH_ATTRIBUTES,
            EntryType::Directory => EntryKind::Directory,
            EntryType::Symlink => {
                let target = String::from_utf8(link.ok_or("a link without a target")?);
                EntryKind::Symlink { target: target.map_err(|_| "the target of a link is not UTF-8")? }
            }
            EntryType::Char | EntryType::Block => EntryKind::Special("a device node"),
            EntryType::Fifo => EntryKind::Special("a fifo"),
            other => {
                let letter = other.as_byte() as char;
                return Err(format!("{path} is of an unknown kind (tar type {letter:?})"));
            }
        };
        self.push(Entry { path, kind })
    }

    fn file<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> io::Result<EntryKind> {
        let mode = entry.header().mode()? & 0o7777;
        Ok(EntryKind::File { mode, content: self.spool.add(entry)? })
    }

    fn push(&mut self, entry: Entry) -> Result<(), String> {
        self.names += entry.path.as_str().len();
        if let EntryKind::Symlink { target } = &entry.kind {
            self.names += target.len();
        }
        if self.entries.len() == MAX_ENTRIES {
            return Err(format!("it has more than {MAX_ENTRIES} entries"));
        }
        if self.names > MAX_NAMES {
            return Err(format!("its names have more than {MAX_NAMES} bytes"));
        }
        self.entries.push(entry);
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A tar stream of these entries: kind, name, bytes.
    fn tar(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, name, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn listed(stream: &[u8]) -> Result<Vec<Entry>, String> {
        list(stream, Compression::None, Path::new("a.tar")).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(stream: &[u8], problem: &str) {
        assert_eq!(listed(stream).unwrap_err(), format!("a.tar is not a sound archive: {problem}"));
    }

    const FILE: (EntryType, &str, &[u8]) = (EntryType::Regular, "file", b"text");

    #[test]
    fn long_names_and_pax_records_are_applied_to_the_next_entry_only() {
        let long = "d/".repeat(150) + "name";
        let pax = (EntryType::XHeader, "x", &b"17 path=from/pax\n10 size=4\n"[..]);
        let entries = listed(&tar(&[(EntryType::Regular, &long, b"text"), pax, FILE, FILE])).unwrap();
        let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, [&format!("/{long}"), "/from/pax", "/file"]);
        refused(&tar(&[FILE, pax]), "its last header describes an entry that is not there");
        let two_sizes = (EntryType::XHeader, "x", &b"10 size=0\n"[..]);
        refused(&tar(&[two_sizes, FILE]), "/file has two sizes");
    }

    #[test]
    fn headers_that_would_fill_memory_are_refused_before_they_are_read() {
        for kind in [b'L', b'K', b'x', b'g'] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(EntryType::new(kind));
            header.set_size(1 << 30);
            header.set_cksum();
            refused(header.as_bytes(), "a header has 1073741824 bytes, and the limit is 65536");
        }
    }

    #[test]
    fn entries_and_names_are_counted() {
        let directory = || Entry { path: TreePath::root(), kind: EntryKind::Directory };
        let mut listing = Listing::new().unwrap();
        (0..MAX_ENTRIES).for_each(|_| listing.push(directory()).unwrap());
        assert_eq!(listing.push(directory()).unwrap_err(), "it has more than 500000 entries");

        let kind = EntryKind::Symlink { target: "x".repeat(MAX_NAMES) };
        let problem = Listing::new().unwrap().push(Entry { path: TreePath::root(), kind }).unwrap_err();
        assert_eq!(problem, "its names have more than 67108864 bytes");
    }

    /// The memory limit lies above what `xz -9` needs and below what one byte of a header can ask for.
    #[test]
    fn xz_streams_may_ask_for_the_memory_of_the_highest_preset_and_no_more() {
        let packed = |dictionary: u32| {
            let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
            options.dict_size(dictionary);
            let mut filters = liblzma::stream::Filters::new();
            filters.lzma2(&options);
            let encoder = Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32).unwrap();
            let mut packed = Vec::new();
            let stream = tar(&[FILE]);
            liblzma::read::XzEncoder::new_stream(&stream[..], encoder).read_to_end(&mut packed).unwrap();
            list(&packed[..], Compression::Xz, Path::new("a.tar.xz"))
        };
        assert_eq!(packed(64 << 20).unwrap().len(), 1);
        assert!(packed(256 << 20).is_err());
    }

    #[test]
    fn a_file_with_attributes_and_its_hard_link_are_marked() {
        let attributes = (EntryType::XHeader, "x", &b"26 SCHILY.xattr.user.a=\0\n\n"[..]);
        let mut builder = tar::Builder::new(tar(&[attributes, FILE]));
        builder.get_mut().truncate(4 * 512);
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(EntryType::Link);
        link.set_size(0);
        builder.append_link(&mut link, "link", "file").unwrap();
        builder.append_pax_extensions([("SCHILY.xattr.user.a", &b"1"[..])]).unwrap();
        builder.append_link(&mut link, "marked-itself", "file").unwrap();
        let entries = listed(&builder.into_inner().unwrap()).unwrap();
        let marked = |entry: &Entry| matches!(entry.kind, EntryKind::Special(_));
        assert_eq!((entries.len(), entries.iter().filter(|entry| marked(entry)).count()), (3, 3));
    }
}
