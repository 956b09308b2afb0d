//! Archives as GNU tar and bsdtar write them, in every dialect, against the tree that they were made of.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sources::{Entry, EntryKind};
use tempfile::TempDir;

/// What a source has at each path, in a form that can be compared: kind, mode, first name, target, bytes.
type Tree = BTreeMap<String, String>;

fn of_entries(entries: Vec<Entry>) -> Tree {
    let shown = |kind: EntryKind| match kind {
        EntryKind::Directory => "directory".to_owned(),
        EntryKind::File { mode, content } => {
            let mut bytes = Vec::new();
            content.open().unwrap().read_to_end(&mut bytes).unwrap();
            format!("file {mode:04o} {}", spec::Digest::of(&bytes))
        }
        EntryKind::HardLink { target } => format!("name of {target}"),
        EntryKind::Symlink { target } => format!("link to {target}"),
        EntryKind::Special(what) => what,
    };
    let entries = entries.into_iter().filter(|entry| entry.path.as_str() != "/");
    entries.map(|entry| (entry.path.to_string(), shown(entry.kind))).collect()
}

/// The tree on the disk, read without the room that is tested.
fn of_disk(root: &Path) -> Tree {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                waiting.push(path.clone());
            }
            found.push(path);
        }
    }
    let name = |path: &Path| format!("/{}", path.strip_prefix(root).unwrap().to_str().unwrap());
    found.sort();
    let mut first_names = BTreeMap::new();
    let mut tree = Tree::new();
    for path in found {
        let meta = path.symlink_metadata().unwrap();
        let first = first_names.entry((meta.dev(), meta.ino())).or_insert_with(|| name(&path));
        let shown = match meta {
            _ if *first != name(&path) => format!("name of {first}"),
            meta if meta.is_dir() => "directory".to_owned(),
            meta if meta.is_symlink() => format!("link to {}", fs::read_link(&path).unwrap().display()),
            meta => {
                format!("file {:04o} {}", meta.mode() & 0o7777, spec::Digest::of(&fs::read(&path).unwrap()))
            }
        };
        tree.insert(name(&path), shown);
    }
    tree
}

/// Says only what differs; the trees are large.
#[track_caller]
fn assert_same(listed: Vec<Entry>, expected: &Tree, what: &str) {
    let listed = of_entries(listed);
    let other = |one: &Tree, two: &Tree| -> Tree {
        one.iter()
            .filter(|(path, node)| two.get(*path) != Some(*node))
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect()
    };
    assert_eq!(other(&listed, expected), other(expected, &listed), "{what}");
}

/// What all dialects can say.
fn plain_tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, mode: u32, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    write("empty", 0o644, b"");
    write("one", 0o4711, b"1");
    write("block", 0o600, &[b'b'; 512]);
    write("dir/block-and-one", 0o755, &[b'c'; 513]);
    write("dir/große Datei", 0o666, &(0..200_000u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    fs::create_dir(dir.path().join("dir/nothing-in-it")).unwrap();
    symlink("../one", dir.path().join("dir/link")).unwrap();
    // The archive has them in the order of the directory, whichever that is.
    for name in ["a-name", "dir/z-name"] {
        fs::hard_link(dir.path().join("block"), dir.path().join(name)).unwrap();
    }
    dir
}

/// The same with names longer than the fields of a header.
fn tree_with_long_names() -> TempDir {
    let dir = plain_tree();
    let deep = PathBuf::from_iter([&*"d".repeat(90), &*"e".repeat(200), &*"f".repeat(101)]);
    fs::create_dir_all(dir.path().join(&deep)).unwrap();
    for length in [99, 100, 101, 154, 155, 156, 255] {
        fs::write(dir.path().join(deep.parent().unwrap()).join("n".repeat(length)), [b'n'; 700]).unwrap();
        fs::write(dir.path().join("ü".repeat(length / 2)), [b'u'; 700]).unwrap();
        symlink("t/".repeat(length), dir.path().join(format!("link{length}"))).unwrap();
    }
    let file = dir.path().join("ü".repeat(127));
    fs::hard_link(file, dir.path().join(&deep).join("name")).unwrap();
    dir
}

fn add_files_with_holes(dir: &Path) {
    let with_parts = |name: &str, len: u64, parts: &[u64]| {
        let file = File::create(dir.join(name)).unwrap();
        file.set_len(len).unwrap();
        parts.iter().for_each(|part| file.write_all_at(&[b'x'; 4096], *part).unwrap());
    };
    with_parts("hole", 1 << 20, &[]);
    with_parts("hole-at-start", 100_000, &[95_904]);
    with_parts("hole-at-end", 100_001, &[0]);
    let many: Vec<u64> = (0..100).map(|part| part * 65536).collect();
    with_parts("many-holes", 100 * 65536, &many);
    with_parts(&format!("dir/{}", "l".repeat(200)), 300_000, &[8192, 65536]);
}

#[track_caller]
fn pack(program: &str, args: &[&str], from: &Path) -> (TempDir, PathBuf) {
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("archive");
    let output =
        Command::new(program).args(args).arg("-cf").arg(&archive).arg("-C").arg(from).arg(".").output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; run `cargo xtask test`"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    (out, archive)
}

#[track_caller]
fn same(program: &str, args: &[&str], tree: &Path) {
    let (_out, archive) = pack(program, args, tree);
    let listed = sources::list_tar(File::open(&archive).unwrap(), &archive);
    let listed = listed.unwrap_or_else(|error| panic!("{program} {args:?}: {error}"));
    assert_same(listed, &of_disk(tree), &format!("{program} {args:?}"));
}

#[test]
fn every_dialect_is_read() {
    let plain = plain_tree();
    for dialect in ["v7", "oldgnu", "gnu", "ustar", "pax"] {
        same("tar", &[&format!("--format={dialect}")], plain.path());
    }
    for dialect in ["v7tar", "ustar", "gnutar", "pax", "paxr"] {
        same("bsdtar", &[&format!("--format={dialect}")], plain.path());
    }
}

#[test]
fn names_longer_than_a_header_are_read() {
    let long = tree_with_long_names();
    for dialect in ["oldgnu", "gnu", "pax"] {
        same("tar", &[&format!("--format={dialect}")], long.path());
    }
    for dialect in ["gnutar", "pax", "paxr"] {
        same("bsdtar", &[&format!("--format={dialect}")], long.path());
    }
}

#[test]
fn files_with_holes_are_read_in_all_four_ways() {
    let tree = tree_with_long_names();
    add_files_with_holes(tree.path());
    for args in [
        &["--format=oldgnu", "--sparse"][..],
        &["--format=gnu", "--sparse"],
        &["--format=pax", "--sparse", "--sparse-version=0.0"],
        &["--format=pax", "--sparse", "--sparse-version=0.1"],
        &["--format=pax", "--sparse", "--sparse-version=1.0"],
        &["--format=pax"],
    ] {
        same("tar", args, tree.path());
    }
    // It looks for holes by itself.
    same("bsdtar", &["--format=pax"], tree.path());
    same("bsdtar", &["--format=gnutar"], tree.path());
}

#[test]
fn compressed_archives_are_read() {
    let tree = plain_tree();
    for compression in ["--gzip", "--xz", "--zstd"] {
        same("tar", &[compression], tree.path());
        same("bsdtar", &[compression], tree.path());
    }
}

/// More than the size field of a header can say in octal digits. All but a few bytes are a hole, here and in the archive.
#[test]
fn files_above_8_gib_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let len = (8 << 30) + 4096;
    let file = File::create(dir.path().join("large")).unwrap();
    file.write_all_at(b"the end", len - 7).unwrap();
    fs::write(dir.path().join("next"), "next").unwrap();
    for (program, args) in [
        ("tar", &["--sparse", "--format=gnu"][..]),
        ("tar", &["--sparse", "--format=pax", "--sparse-version=0.1"]),
        ("tar", &["--sparse", "--format=pax"]),
        ("bsdtar", &["--format=pax"]),
    ] {
        let (_out, archive) = pack(program, args, dir.path());
        let mut entries = sources::list_tar(File::open(&archive).unwrap(), &archive).unwrap();
        entries.retain(|entry| entry.path.as_str() != "/");
        let [large, next] = &entries[..] else { panic!("{program} {args:?}: {entries:?}") };
        assert_eq!(next.path.as_str(), "/next");
        let EntryKind::File { content: squash::Content::Span { file, offset, len: found }, .. } = &large.kind
        else {
            panic!("{large:?}")
        };
        let mut end = [0; 7];
        file.read_exact_at(&mut end, offset + len - 7).unwrap();
        assert_eq!((*found, &end), (len, b"the end"), "{program} {args:?}");
    }
}

/// A header of more than 8 GiB that is not all hole, as each program writes it, cut behind the header: what counts is that
/// the size is understood, and not taken for an attack.
#[test]
fn sizes_above_8_gib_are_understood() {
    let dir = tempfile::tempdir().unwrap();
    File::create(dir.path().join("large")).unwrap().set_len((8 << 30) + 4096).unwrap();
    for (program, format) in [
        ("tar", "--format=gnu"),
        ("tar", "--format=pax"),
        ("bsdtar", "--format=gnutar"),
        ("bsdtar", "--format=pax --no-read-sparse"),
    ] {
        let command = format!("{program} {format} -cf - large | head -c 4096");
        let output = Command::new("sh").args(["-c", &command]).current_dir(dir.path()).output().unwrap();
        let archive = dir.path().join("head");
        fs::write(&archive, output.stdout).unwrap();
        let error = sources::list_tar(File::open(&archive).unwrap(), Path::new("head")).unwrap_err();
        let message = error.to_string();
        assert_eq!(message, "head is not a sound archive: it ends inside /large", "{command}");
    }
}

#[test]
fn directories_are_read_as_they_are() {
    let tree = tree_with_long_names();
    add_files_with_holes(tree.path());
    // Of a checkout, what the umask takes away is not meant.
    fs::set_permissions(tree.path().join("dir/große Datei"), Permissions::from_mode(0o644)).unwrap();
    assert_same(sources::list_dir(tree.path()).unwrap(), &of_disk(tree.path()), "directory");
}

#[test]
fn attributes_of_files_are_seen_wherever_they_are() {
    let tree = plain_tree();
    let one = tree.path().join("one");
    let set = |name: &str| {
        rustix::fs::setxattr(&one, name, b"value", rustix::fs::XattrFlags::empty())
            .unwrap_or_else(|error| panic!("the temporary directory takes no attributes: {error}"));
    };
    // The label alone is no reason: every file of some hosts has one.
    if rustix::fs::setxattr(&one, "security.selinux", b"x", rustix::fs::XattrFlags::empty()).is_ok() {
        assert!(of_entries(sources::list_dir(tree.path()).unwrap())["/one"].starts_with("file 4711"));
    }
    set("user.note");
    let marked = "something with the extended attribute user.note";
    assert_eq!(of_entries(sources::list_dir(tree.path()).unwrap())["/one"], marked);
    let other = tempfile::tempdir().unwrap();
    fs::create_dir_all(other.path().join("d/e")).unwrap();
    rustix::fs::setxattr(other.path().join("d"), "user.note", b"", rustix::fs::XattrFlags::empty()).unwrap();
    let problem = sources::list_dir(other.path()).unwrap_err().to_string();
    assert!(problem.ends_with(&format!(": it has /d/e, but /d is {marked}")), "{problem}");
    for program in ["tar", "bsdtar"] {
        let (_out, archive) = pack(program, &["--format=pax", "--xattrs"], tree.path());
        let listed = sources::list_tar(File::open(&archive).unwrap(), &archive).unwrap();
        assert_eq!(of_entries(listed)["/one"], marked, "{program}");
    }
}

/// Layers as `tar` unpacks them one after another, with the whiteouts done by hand.
#[test]
fn layers_give_what_unpacking_them_in_order_gives() {
    let work = tempfile::tempdir().unwrap();
    let lower = tree_with_long_names();
    let upper = tempfile::tempdir().unwrap();
    let top = tempfile::tempdir().unwrap();
    fs::create_dir(upper.path().join("dir")).unwrap();
    for (name, bytes) in [("dir/.wh.link", ""), ("one", "other"), ("dir/new", "new"), (".wh.empty", "")] {
        fs::write(upper.path().join(name), bytes).unwrap();
    }
    fs::create_dir_all(upper.path().join("block")).unwrap();
    fs::write(upper.path().join("block/in-it"), "a file became a directory").unwrap();
    fs::create_dir(top.path().join("dir")).unwrap();
    for (name, bytes) in
        [("dir/.wh..wh..opq", ""), ("dir/only", "only"), ("a-name", "no longer a name of block")]
    {
        fs::write(top.path().join(name), bytes).unwrap();
    }

    let layout = work.path().join("layout");
    fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    let add = |bytes: &[u8]| {
        let digest = spec::Digest::of(bytes);
        fs::write(layout.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        digest
    };
    let unpacked = work.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let mut layers = Vec::new();
    for (dir, args, kind) in
        [(&lower, &["--gzip"][..], "+gzip"), (&upper, &["--format=pax"], ""), (&top, &["--zstd"], "+zstd")]
    {
        let (_out, archive) = pack("tar", args, dir.path());
        let bytes = fs::read(&archive).unwrap();
        layers.push(format!(
            r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar{kind}","digest":"{}","size":{}}}"#,
            add(&bytes),
            bytes.len()
        ));
        unpack(&archive, &unpacked);
    }
    let manifest = format!(r#"{{"schemaVersion":2,"config":{{}},"layers":[{}]}}"#, layers.join(","));
    let listed = sources::list_oci(&layout, &add(manifest.as_bytes())).unwrap();
    assert_same(listed, &of_disk(&unpacked), "layers");
}

/// Takes away what a layer takes away or replaces, then lets `tar` do the rest.
fn unpack(archive: &Path, to: &Path) {
    let run = |args: &[&str]| {
        let output =
            Command::new("tar").args(args).arg("-f").arg(archive).arg("-C").arg(to).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for line in run(&["-t", "--quoting-style=literal"]).lines() {
        let (dir, name) = line.rsplit_once('/').unwrap();
        let place = to.join(line.trim_end_matches('/'));
        match name.strip_prefix(".wh.") {
            Some(".wh..opq") => {
                fs::remove_dir_all(to.join(dir)).unwrap();
                fs::create_dir(to.join(dir)).unwrap();
            }
            Some(hidden) => fs::remove_file(to.join(dir).join(hidden)).unwrap(),
            None if name.is_empty() && place.is_file() => fs::remove_file(place).unwrap(),
            None if !name.is_empty() && place.is_dir() => fs::remove_dir_all(place).unwrap(),
            None => {}
        }
    }
    run(&["-x", "--preserve-permissions", "--exclude=.wh.*"]);
}
