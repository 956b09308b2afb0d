//! How images are read: no more than is asked for, no longer than limits allow, and with errors that say where.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::process::Command;

use spec::{Diagnose, Outcome};
use squash::image::{Image, Limits, Rule, Source, StreamError, Unreadable};

use crate::corpus::base;
use crate::corpus::names::path_of;
use crate::corpus::trailing::with_verity;
use crate::craft::{BLOCK, Craft, What, superblock};
use crate::findings_within;
use crate::seen::{assert_same, by_checker, by_kernel, run};

/// Memory that remembers what was read of it, and breaks at some byte.
struct Watched {
    bytes: Vec<u8>,
    read: RefCell<Vec<std::ops::Range<u64>>>,
    breaks_at: Option<u64>,
}

impl Watched {
    fn new(bytes: Vec<u8>, breaks_at: Option<u64>) -> Watched {
        Watched { bytes, read: RefCell::default(), breaks_at }
    }
}

impl Source for Watched {
    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let range = at..at + buffer.len() as u64;
        if self.breaks_at.is_some_and(|byte| range.contains(&byte)) {
            return Err(io::Error::other("a bad sector"));
        }
        self.read.borrow_mut().push(range);
        self.bytes.as_slice().read_exact_at(buffer, at)
    }
}

#[test]
fn opening_reads_no_content() {
    let source = Watched::new(base().done(), None);
    let image = Image::open(&source, &Limits::default()).unwrap();
    assert!(image.findings().is_empty());
    let data = 96..u64::from_le_bytes(source.bytes[superblock::INODE_TABLE..][..8].try_into().unwrap());
    let read = source.read.borrow();
    assert!(read.iter().all(|range| range.end <= data.start || range.start >= data.end), "{read:?}");
}

#[test]
fn a_source_that_cannot_be_read_is_not_called_a_bad_image() {
    let source = Watched::new(base().done(), Some(0));
    let error = Image::open(&source, &Limits::default()).unwrap_err();
    assert!(matches!(error, Unreadable::Read(_)));
    assert_eq!(error.outcome(), Outcome::Unavailable);

    let source = Watched::new(base().done(), Some(100));
    let image = Image::open(&source, &Limits::default()).unwrap();
    assert!(matches!(image.check_data(), Err(Unreadable::Read(_))));
    let error = image.reader().unwrap().stream(&"/aa/bb".parse().unwrap(), &mut io::sink()).unwrap_err();
    assert_eq!(error.to_string(), "/aa/bb: the image cannot be read");
    assert_eq!(error.outcome(), Outcome::Unavailable);
}

/// Has no room.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn files_are_streamed_or_it_is_said_why_not() {
    let bytes = base().done();
    let source = bytes.as_slice();
    let image = Image::open(&source, &Limits::default()).unwrap();
    let mut reader = image.reader().unwrap();
    let mut content = Vec::new();
    let written = reader.stream(&"/aa/bb".parse().unwrap(), &mut content).unwrap();
    assert_eq!((written as usize, content), (2 * BLOCK + 100, vec![b'b'; 2 * BLOCK + 100]));

    let mut error = |path: &str| reader.stream(&path.parse().unwrap(), &mut Full).unwrap_err();
    assert_eq!(error("/aa/xx").to_string(), "/aa/xx is not in the image");
    assert_eq!(error("/aa").to_string(), "/aa is not a file");
    assert_eq!(error("/ll").to_string(), "/ll is not a file");
    let full = error("/aa/cc");
    assert!(matches!(&full, StreamError::Write { path, .. } if path == "/aa/cc"));
    assert_eq!(full.outcome(), Outcome::Unavailable);
}

/// The few bytes of this fragment block are 4096 in memory. Many of them would make many more.
#[test]
fn c9_fragment_blocks_may_not_hold_more_than_the_files() {
    let stored = zstd::bulk::compress(&[0; BLOCK], 1).unwrap();
    let nodes = [("/f", What::File(stored.clone()))];
    let craft = Craft::new(&nodes).put32("fragments", 8, stored.len() as u32);
    let bytes = craft.done();
    let source = bytes.as_slice();
    let limits = Limits { content: stored.len() as u64, ..Limits::default() };
    let image = Image::open(&source, &limits).unwrap();
    assert!(image.findings().is_empty());
    let found = image.check_data().unwrap();
    assert!(matches!(found.iter().next().unwrap().rule, Rule::TooMuchContent { bytes: 4096, .. }));
}

#[test]
fn long_paths_of_few_bytes_have_a_limit() {
    let deep = path_of(15).done();
    let within = |metadata| findings_within(&deep, &Limits { metadata, ..Limits::default() });
    assert_eq!(within(20_000), ["it has more than 20000 bytes of paths"]);
    assert_eq!(within(40_000), [""; 0]);
}

/// Looking for the end of an inode that has none takes time, so that is not done a million times.
#[test]
fn an_image_of_broken_inodes_is_given_up() {
    let room = tempfile::tempdir().unwrap();
    let (tree, path) = (room.path().join("tree"), room.path().join("image"));
    fs::create_dir(&tree).unwrap();
    for n in 0..1500 {
        File::create(tree.join(n.to_string())).unwrap();
    }
    run(Command::new("mksquashfs").arg(&tree).arg(&path).args([
        "-all-root",
        "-noI",
        "-quiet",
        "-no-progress",
    ]));
    let mut image = fs::read(&path).unwrap();
    // Inodes of 32 bytes in blocks of 8192, each after its length; that of the root is the last.
    let table = u64::from_le_bytes(image[superblock::INODE_TABLE..][..8].try_into().unwrap()) as usize;
    for inode in 0..1500 {
        let at = table + inode * 32 + 2 * (inode * 32 / 8192 + 1);
        image[at..at + 2].copy_from_slice(&[0xff, 0xff]);
    }
    assert_eq!(
        findings_within(&image, &Limits::default()),
        ["it has more than 1000 inodes that cannot be read"]
    );
}

/// What is not a finding must be an image, or the others prove nothing.
#[test]
fn the_kernel_takes_what_is_without_fault() {
    for craft in [base(), with_verity(), path_of(15)] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &craft.bytes).unwrap();
        let image = craft.bytes.as_slice();
        assert_same(&by_checker(&Image::open(&image, &Limits::default()).unwrap()), &by_kernel(file.path()));
    }
}
