//! Tar archives in every dialect that GNU tar and bsdtar write: v7, ustar, GNU's, pax, with files that have holes.
//!
//! `header` is one block of 512 bytes; `blocks` goes from one to the next. Some headers are about the one that comes
//! next: `extended` collects what they say. `sparse` has the four ways to write a file with holes.
//!
//! Tar has grown for forty years, and its readers disagree at the seams; CVE-2025-62518 hid entries from one reader
//! that another one saw. So whatever has two meanings is refused: two sizes, two names, a path twice, unknown types,
//! anything behind the end.

mod blocks;
mod extended;
mod header;
mod sparse;

use std::fs::File;
use std::path::Path;

use spec::TreePath;
use spec::defence::{self, Threat};

use self::blocks::Blocks;
use self::extended::Extended;
use self::header::{Header, Kind};
use self::sparse::Map;
use crate::compression::Compression;
use crate::entry::{Entry, link_target};
use crate::error::{Problem, SourceError};
use crate::listing::{Listing, Node};
use crate::region::Region;
use crate::spool::Spool;

/// Lists a tar archive whose compression its own first bytes tell. `path` names it in errors.
///
/// The contents of a plain archive are parts of `file`. A compressed one is unpacked once into a temporary file without
/// a name, and so are files with holes.
pub fn list_tar(file: File, path: &Path) -> Result<Vec<Entry>, SourceError> {
    list(file).map_err(|problem| problem.of_archive(path))
}

fn list(file: File) -> Result<Vec<Entry>, Problem> {
    let stream = Region::whole(file).map_err(Problem::Read)?;
    let mut spool = Spool::new();
    let archive = Compression::detect(&stream)?.unpack(&stream, &mut spool)?;
    Ok(read(&archive, &mut spool)?.into_entries()?)
}

/// Reads an archive that is not compressed. `spool` is where files with holes go.
pub(crate) fn read(archive: &Region, spool: &mut Spool) -> Result<Listing, Problem> {
    let mut blocks = Blocks::new(archive);
    let mut listing = Listing::default();
    let mut extended = Extended::default();
    while let Some(header) = blocks.next_header()? {
        match header.kind {
            Kind::LongName => extended.take_name(&blocks.body(&header)?)?,
            Kind::LongLink => extended.take_link(&blocks.body(&header)?)?,
            Kind::Records => extended.take_records(&blocks.body(&header)?)?,
            Kind::GlobalRecords | Kind::Label if extended != Extended::default() => {
                return Err("a header describes something that is no entry".to_owned().into());
            }
            Kind::GlobalRecords => extended::check_global(&blocks.body(&header)?)?,
            Kind::Label => drop(blocks.body(&header)?),
            kind => {
                let member = Member::read(header, std::mem::take(&mut extended), &mut blocks)?;
                member.add_to(&mut listing, kind, spool)?;
            }
        }
    }
    match extended == Extended::default() {
        true => Ok(listing),
        false => Err("its last header describes an entry that is not there".to_owned().into()),
    }
}

/// Something that the archive holds, with all that its headers say about it.
struct Member {
    path: TreePath,
    /// Its name ends with a slash.
    names_directory: bool,
    header: Header,
    extended: Extended,
    /// What is in the archive for it: for a file with holes less than the file.
    data: Region,
    /// Where that belongs in a file with holes.
    map: Option<Map>,
}

impl Member {
    /// Reads to the end of the member.
    fn read(header: Header, mut extended: Extended, blocks: &mut Blocks) -> Result<Member, Problem> {
        let name = extended.name().unwrap_or(&header.name);
        let (path, names_directory) = (tree_path(name)?, name.ends_with(b"/"));
        let size = stored_size(header.size, extended.size).map_err(|problem| format!("{path} {problem}"))?;
        let old_map = match &header.sparse {
            Some(table) => Some(sparse::of_header(table, || blocks.next())?),
            None => None,
        };
        let data = blocks.data(size).map_err(|problem| match problem {
            Problem::Unsound(_) => format!("it ends inside {path}").into(),
            other => other,
        })?;
        let (map, data) = match (old_map, extended.sparse.take()) {
            (None, None) => (None, data),
            (Some(map), None) => (Some(map), data),
            (None, Some(records)) => {
                let (map, data) = records.map(data)?;
                (Some(map), data)
            }
            (Some(_), Some(_)) => return Err(format!("{path} has two maps of its holes").into()),
        };
        Ok(Member { path, names_directory, header, extended, data, map })
    }

    fn add_to(self, listing: &mut Listing, kind: Kind, spool: &mut Spool) -> Result<(), Problem> {
        self.check(kind)?;
        let Member { path, names_directory, header, extended, data, map } = self;
        if let Some(attribute) = extended.attribute {
            return Ok(listing.insert(path, Node::Special(attribute.owner()))?);
        }
        let node = match kind {
            // Before ustar there was no type for directories; old archives, and some newer ones, say it so.
            Kind::File if names_directory => Node::Directory,
            Kind::File | Kind::SparseFile => {
                let content = match map {
                    Some(map) => map.expand(&data, spool).map_err(|problem| problem.within(&path))?,
                    None => data,
                };
                Node::file(header.mode, content.content())
            }
            Kind::HardLink => {
                let target = tree_path(&extended.link.unwrap_or(header.link))?;
                return Ok(listing.link(path, &target)?);
            }
            Kind::Symlink => Node::Symlink(
                link_target(extended.link.unwrap_or(header.link))
                    .map_err(|problem| format!("{path}: {problem}"))?,
            ),
            Kind::Directory => Node::Directory,
            Kind::Device => Node::Special("a device node".to_owned()),
            Kind::Fifo => Node::Special("a fifo".to_owned()),
            Kind::LongName | Kind::LongLink | Kind::Records | Kind::GlobalRecords | Kind::Label => {
                return Err("a header stands for itself".to_owned().into());
            }
        };
        Ok(listing.insert(path, node)?)
    }

    /// Refuses what readers understand differently.
    fn check(&self, kind: Kind) -> Result<(), String> {
        let Member { path, names_directory, data, map, extended, .. } = self;
        let is_file = matches!(kind, Kind::File | Kind::SparseFile);
        let is_link = matches!(kind, Kind::HardLink | Kind::Symlink);
        // Some readers skip the bytes of what can have none, others take them for the next header.
        match () {
            () if data.len() > 0 && (!is_file || *names_directory) => {
                Err(format!("{path} is no file and has bytes"))
            }
            () if map.is_some() && (!is_file || *names_directory) => {
                Err(format!("{path} is no file and has holes"))
            }
            () if *names_directory && !matches!(kind, Kind::File | Kind::Directory) => {
                Err(format!("{path} is no directory and is named like one"))
            }
            () if extended.link.is_some() && !is_link => Err(format!("{path} is no link and has a target")),
            () => Ok(()),
        }
    }
}

/// How many bytes of the archive belong to an entry.
///
/// Eleven octal digits end before 8 GiB. A larger size is in a pax record, and its writer leaves the field of the header
/// empty (POSIX, pax, "size") or writes the same number into it in base 256. Any other difference is made to hide
/// entries from readers of one of the two.
fn stored_size(field: u64, record: Option<u64>) -> Result<u64, &'static str> {
    const FIELD_MAX: u64 = (8 << 30) - 1;
    match record {
        None => Ok(field),
        Some(size) if size == field => Ok(size),
        Some(size) if field == 0 && size > FIELD_MAX => Ok(size),
        Some(size) => match defence::stands(Threat::C7) {
            true => Err("has two sizes"),
            false => Ok(size),
        },
    }
}

/// `./usr/bin`, `usr/bin` and `/usr/bin` all name the same place in an archive.
fn tree_path(name: &[u8]) -> Result<TreePath, String> {
    let name = std::str::from_utf8(name)
        .map_err(|_| format!("the name \"{}\" is not UTF-8", String::from_utf8_lossy(name).escape_debug()))?;
    if name.is_empty() {
        return Err("an entry has no name".to_owned());
    }
    let inside =
        name.strip_prefix('.').filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(name);
    let inside = inside.trim_start_matches('/');
    format!("/{inside}").parse().map_err(|error: spec::path::PathError| error.to_string())
}

#[cfg(test)]
mod tests;
