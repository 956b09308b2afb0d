//! Real archives with a few bytes changed: they are refused, or they mean to GNU tar and bsdtar what they mean here.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use proptest::prelude::*;
use sources::EntryKind;

/// Small archives of every dialect.
fn archives() -> &'static [Vec<u8>] {
    static ARCHIVES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ARCHIVES.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("dir")).unwrap();
        fs::write(dir.path().join("dir/file"), [b'f'; 600]).unwrap();
        fs::write(dir.path().join("dir").join("long".repeat(40)), "x").unwrap();
        fs::hard_link(dir.path().join("dir/file"), dir.path().join("name")).unwrap();
        symlink("dir/file", dir.path().join("link")).unwrap();
        let holes = File::create(dir.path().join("holes")).unwrap();
        holes.set_len(500_000).unwrap();
        (0..6).for_each(|part| holes.write_all_at(b"part", part * 65536).unwrap());
        let dialects = [
            ("tar", &["--format=oldgnu", "--sparse"][..]),
            ("tar", &["--format=ustar", "--exclude=long*"]),
            ("tar", &["--format=pax", "--sparse", "--sparse-version=0.0"]),
            ("tar", &["--format=pax", "--sparse", "--sparse-version=0.1"]),
            ("tar", &["--format=pax", "--sparse"]),
            ("bsdtar", &["--format=pax"]),
            ("bsdtar", &["--format=gnutar", "--exclude=holes"]),
        ];
        let pack = |(program, args): (&str, &[&str])| {
            let mut command = Command::new(program);
            let output =
                command.args(args).args(["-cf", "-", "-C"]).arg(dir.path()).arg(".").output().unwrap();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        dialects.map(pack).to_vec()
    })
}

/// The headers of an archive get the checksums that they should have, so that a change is seen by more than the checksum.
fn seal(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512).filter(|block| block.iter().any(|byte| *byte != 0)) {
        let looks_like_header =
            block[148..154].iter().all(|byte| (b'0'..=b'7').contains(byte)) && block[155] == b' ';
        if looks_like_header {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
            block[154] = 0;
        }
    }
}

/// What all programs can say about the same thing.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Directory,
    /// With its size, unless it is another name of a file: which name is the first differs.
    File(Option<u64>),
    Symlink(String),
    Special,
}

type Tree = BTreeMap<String, Shape>;

fn ours(archive: &[u8]) -> Option<Tree> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(archive).unwrap();
    let shape = |kind| match kind {
        EntryKind::Directory => Shape::Directory,
        EntryKind::File { content, .. } => Shape::File(Some(content.len())),
        EntryKind::HardLink { .. } => Shape::File(None),
        EntryKind::Symlink { target } => Shape::Symlink(target),
        EntryKind::Special(_) => Shape::Special,
    };
    let entries = sources::list_tar(file, Path::new("a.tar")).ok()?;
    Some(entries.into_iter().map(|entry| (entry.path.to_string(), shape(entry.kind))).collect())
}

/// What another program lists of an archive, and whether it went to its end without complaint. It may complain of what
/// does not matter here, such as times and owners. `size` is the column that has the size, `name` the one that begins the
/// name.
fn theirs(command: &mut Command, size: usize, name: usize, archive: &[u8]) -> (Tree, bool) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(archive).unwrap();
    let output =
        command.args(["--numeric-owner", "-tvf"]).arg(file.path()).env("TZ", "UTC").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let read = |line: &str| {
        let mut columns = Vec::new();
        let mut rest = line;
        for _ in 0..name {
            let (column, behind) = rest.trim_start().split_once(' ')?;
            columns.push(column);
            rest = behind;
            // A time that has no date any more is a number of seconds to GNU tar, and one column instead of two.
            if columns.len() == 4 && name == 5 && !column.trim_start_matches('-').contains('-') {
                break;
            }
        }
        // Columns are as wide as what they have had so far.
        let rest = rest.trim_start();
        let cut = |at: &str| rest.split_once(at).map_or((rest, ""), |(name, target)| (name, target));
        let (path, shape) = match columns[0].chars().next()? {
            'd' => (rest, Shape::Directory),
            // C is the type 7 of GNU tar.
            '-' | 'C' => (rest, Shape::File(Some(columns[size].parse().ok()?))),
            'h' => (cut(" link to ").0, Shape::File(None)),
            'l' => (cut(" -> ").0, Shape::Symlink(cut(" -> ").1.to_owned())),
            _ => (rest, Shape::Special),
        };
        let below =
            path.strip_prefix('.').filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
        Some((format!("/{}", below.trim_matches('/')), shape))
    };
    let read = |line: &str| read(line).unwrap_or_else(|| panic!("{command:?} said {line:?}"));
    (text.lines().map(read).collect(), output.status.success())
}

/// Does a program that has complained, and so may have left something out, say the same of all it has listed?
fn agrees(theirs: &Tree, all: bool, ours: &Tree) -> bool {
    let same = |path: &String, theirs: &Shape| match (theirs, ours.get(path)) {
        (Shape::File(None), Some(Shape::File(_))) | (Shape::File(_), Some(Shape::File(None))) => true,
        (theirs, ours) => ours == Some(theirs),
    };
    theirs.iter().all(|(path, shape)| same(path, shape)) && (!all || theirs.len() == ours.len())
}

/// What may be written over the bytes of an archive: anything, or what means something in a header.
fn change() -> impl Strategy<Value = (prop::sample::Index, Vec<u8>)> {
    let words = [
        &b"00000000000\0"[..],
        b"00000001000\0",
        b"0",
        b"1",
        b"5",
        b"7",
        b"S",
        b"x",
        b"size=",
        b"ustar  \0",
        b"\x80",
    ];
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..3),
        prop::sample::select(words.map(<[u8]>::to_vec).to_vec()),
    ];
    (any::<prop::sample::Index>(), bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_archive_is_refused_or_means_the_same_to_all(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec(change(), 1..4),
    ) {
        let mut archive = which.get(archives()).clone();
        // Behind the last header nothing is worth a change.
        let end = archive.iter().rposition(|byte| *byte != 0).unwrap();
        for (place, bytes) in changes {
            let place = place.index(end);
            let len = bytes.len().min(end - place);
            archive[place..place + len].copy_from_slice(&bytes[..len]);
        }
        seal(&mut archive);
        let Some(ours) = ours(&archive) else { return Ok(()) };
        // How they write other characters differs.
        let plain = |text: &str| text.chars().all(|letter| letter.is_ascii_graphic() && letter != '\\');
        prop_assume!(ours.iter().all(|(path, shape)| plain(path) && !matches!(shape, Shape::Symlink(to) if !plain(to))));
        let (mut tar, mut bsdtar) = (Command::new("tar"), Command::new("bsdtar"));
        tar.args(["--quoting-style=literal", "--force-local"]);
        for (program, size, name) in [(&mut tar, 2, 5), (&mut bsdtar, 4, 8)] {
            let (theirs, all) = theirs(program, size, name, &archive);
            let said = format!("{:?}\nlists {theirs:?}\nand not {ours:?}", program.get_program());
            prop_assert!(agrees(&theirs, all, &ours), "{}", said);
        }
    }
}
