use std::io;

use proptest::prelude::*;

use super::*;
use crate::EntryKind;
use crate::testing::{FILE, file, member, paths, put, sealed, tar};

fn listed(archive: &[u8]) -> Result<Vec<Entry>, String> {
    list_tar(file(archive), Path::new("a.tar")).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(archive: &[u8], problem: &str) {
    assert_eq!(listed(archive).unwrap_err(), format!("a.tar is not a sound archive: {problem}"));
}

/// A pax record with its length, which counts itself.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n").len();
    let len = (rest + 1..).find(|len| len.to_string().len() + rest == *len).unwrap();
    format!("{len} {key}={value}\n")
}

fn records(all: &[(&str, &str)]) -> String {
    all.iter().map(|(key, value)| record(key, value)).collect()
}

/// One member whose header is changed before it is sealed.
fn changed(from: (u8, &str, &[u8]), change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut member = member(&from);
    change(&mut member[..512]);
    let header: [u8; 512] = member[..512].try_into().unwrap();
    put(&mut member, 0, &sealed(header));
    member
}

fn ended(members: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = members.concat();
    archive.extend([0; 1024]);
    archive
}

fn text(entry: &Entry) -> String {
    let EntryKind::File { content, .. } = &entry.kind else { panic!("{entry:?} is no file") };
    io::read_to_string(content.open().unwrap()).unwrap()
}

#[test]
fn long_names_and_records_are_about_the_next_entry_only() {
    let long = "d/".repeat(150) + "name\0";
    let pax = records(&[("path", "from/pax"), ("size", "4")]);
    let archive = tar(&[
        (b'L', "x", long.as_bytes()),
        FILE,
        (b'x', "x", pax.as_bytes()),
        FILE,
        FILE,
        (b'V', "name", b""),
    ]);
    // Only GNU has labels.
    refused(&archive, "\"name\" is of an unknown kind (tar type 'V')");
    let archive = tar(&[(b'L', "x", long.as_bytes()), FILE, (b'x', "x", pax.as_bytes()), FILE, FILE]);
    assert_eq!(
        paths(&listed(&archive).unwrap()),
        [&format!("/{}", long.trim_end_matches('\0')), "/file", "/from/pax"]
    );
    refused(&tar(&[(b'L', "x", b"long"), FILE]), "a long name has no end");
    refused(
        &tar(&[FILE, (b'x', "x", pax.as_bytes())]),
        "its last header describes an entry that is not there",
    );
    let global = (b'g', "x", &b"13 comment=a\n"[..]);
    assert_eq!(listed(&tar(&[global, FILE])).unwrap().len(), 1);
    refused(
        &tar(&[(b'x', "x", pax.as_bytes()), global, FILE]),
        "a header describes something that is no entry",
    );
}

/// The attack of CVE-2025-62518: where the size of a record and that of the header differ, one reader takes for the
/// bytes of a file what another one takes for the next headers.
#[test]
fn two_sizes_are_refused() {
    let inner = tar(&[(b'0', "hidden", b"")]);
    for size in ["0", "4", "2048", "99999999999"] {
        let pax = record("size", size);
        refused(&tar(&[(b'x', "x", pax.as_bytes()), (b'0', "outer", &inner)]), "/outer has two sizes");
    }
    // Below 8 GiB nobody leaves the field empty.
    let pax = record("size", &inner.len().to_string());
    let empty = changed((b'0', "outer", &inner), |header| put(header, 124, b"00000000000\0"));
    refused(&ended(&[member(&(b'x', "x", pax.as_bytes())), empty]), "/outer has two sizes");
}

#[test]
fn sizes_that_no_field_has_room_for_come_from_the_record() {
    assert_eq!(stored_size(5, None), Ok(5));
    assert_eq!(stored_size(5, Some(5)), Ok(5));
    assert_eq!(stored_size(0, Some(8 << 30)), Ok(8 << 30));
    assert_eq!(stored_size(9 << 30, Some(9 << 30)), Ok(9 << 30));
    for (field, record) in [(0, (8 << 30) - 1), (1, 8 << 30), (9 << 30, 0), (0, 1)] {
        assert!(stored_size(field, Some(record)).is_err(), "{field} {record}");
    }
}

/// Links, directories and devices have no bytes; some readers skip what their headers claim, others do not.
#[test]
fn only_files_have_bytes() {
    for kind in [b'1', b'2', b'3', b'5', b'6'] {
        let hidden = changed((kind, "x", b""), |header| put(header, 124, b"00000001000\0"));
        refused(&ended(&[hidden, member(&FILE)]), "/x is no file and has bytes");
    }
    let directory = changed((b'0', "x/", b"text"), |_| {});
    refused(&ended(&[directory]), "/x is no file and has bytes");
}

#[test]
fn nothing_is_behind_the_end_of_an_archive() {
    let good = tar(&[FILE]);
    let without_end = &good[..good.len() - 1024];
    assert!(listed(&[&good[..], &[0; 9001]].concat()).is_ok());
    refused(&[&good[..], &[0; 100], b"x"].concat(), "something is behind its end");
    refused(&[&good[..], &good].concat(), "something is behind its end");
    refused(&[without_end, &[0; 512], &good].concat(), "something is behind its end");
    for end in [0, 100, 512] {
        assert_eq!(listed(&[without_end, &vec![0; end]].concat()).is_ok(), end != 100, "{end}");
    }
    refused(&good[..512], "it ends inside /file");
    refused(&good[..600], "it ends inside /file");
    refused(&good[..100], "it ends inside a header");
}

#[test]
fn headers_that_would_fill_memory_are_refused_before_they_are_read() {
    for kind in [b'L', b'K', b'x', b'g'] {
        let huge = changed((kind, "x", b""), |header| put(header, 124, b"10000000000\0"));
        refused(&huge, "a header has 1073741824 bytes, and the limit is 1048576");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let mut broken = tar(&[FILE]);
    broken[0] ^= 1;
    refused(&broken, "the checksum of a header is wrong");
    for kind in [b'8', b'A', b'D', b'M', b'N', b'S', b'X', b'!'] {
        let problem = format!("\"x\" is of an unknown kind (tar type {:?})", char::from(kind));
        refused(&tar(&[(kind, "x", b"")]), &problem);
    }
    let other = changed(FILE, |header| put(header, 257, b"USTAR\x0000"));
    refused(&other, "\"file\" is in an unknown dialect of tar");
    let negative = changed(FILE, |header| put(header, 124, &[0xff; 12]));
    refused(&negative, "the size of \"file\" is not a number");
}

#[test]
fn names_stay_inside_and_are_said_once() {
    for (name, problem) in [
        ("../etc/passwd", "\"/../etc/passwd\" is not a path inside an image: it has a . or .. component"),
        ("a/../../b", "\"/a/../../b\" is not a path inside an image: it has a . or .. component"),
        ("a//b", "\"/a//b\" is not a path inside an image: it has an empty component"),
        ("", "an entry has no name"),
    ] {
        refused(&tar(&[(b'0', name, b"")]), problem);
    }
    refused(&tar(&[FILE, (b'0', "./file", b"other")]), "it has /file twice");
    // The attack of CVE-2021-29136 and CVE-2021-41072: through a link to somewhere else.
    refused(
        &tar(&[(b'2', "l", b"/etc"), (b'0', "l/passwd", b"")]),
        "it has /l/passwd, but /l is not a directory",
    );
    refused(&tar(&[(b'2', ".", b"/etc")]), "its root is not a directory");
    refused(&tar(&[(b'2', "l/", b"x")]), "/l is no directory and is named like one");
    let root = listed(&tar(&[(b'5', "./", b""), (b'5', "/usr/", b""), (b'0', "/usr/x", b"")])).unwrap();
    assert_eq!(paths(&root), ["/", "/usr", "/usr/x"]);
}

#[test]
fn an_entry_is_described_once() {
    let path = record("path", "a");
    let header = (b'x', "x", path.as_bytes());
    refused(&tar(&[header, header, FILE]), "two headers describe the same entry");
    refused(&tar(&[header, (b'L', "x", b"b\0"), FILE]), "two headers describe the same entry");
    refused(&tar(&[(b'K', "x", b"b\0"), FILE]), "/file is no link and has a target");
}

#[test]
fn hard_links_lead_back_and_links_to_links_work() {
    let archive = tar(&[
        (b'0', "m", b"text"),
        (b'1', "z", b"m"),
        (b'1', "a", b"./z"),
        (b'2', "s", b"m"),
        (b'1', "t", b"s"),
    ]);
    let entries = listed(&archive).unwrap();
    assert_eq!(paths(&entries), ["/a", "/m", "/s", "/t", "/z"]);
    assert_eq!(text(&entries[0]), "text");
    for link in [1, 4] {
        assert!(matches!(&entries[link].kind, EntryKind::HardLink { target } if target.as_str() == "/a"));
    }
    assert!(matches!(&entries[3].kind, EntryKind::Symlink { target } if target == "m"));
    refused(&tar(&[(b'1', "z", b"m"), (b'0', "m", b"")]), "/z is a hard link to /m, which is not before it");
}

#[test]
fn contents_of_a_plain_archive_are_not_copied() {
    let entries = listed(&tar(&[(b'0', "a", b""), FILE])).unwrap();
    let EntryKind::File { content, mode: 0o644 } = &entries[1].kind else { panic!("{entries:?}") };
    assert!(matches!(content, squash::Content::Span { offset: 1024, len: 4, .. }), "{content:?}");
}

#[test]
fn what_has_attributes_is_marked_and_so_are_its_links() {
    let attributes = record("SCHILY.xattr.security.capability", "x");
    let header = (b'x', "x", attributes.as_bytes());
    let entries = listed(&tar(&[header, FILE, (b'1', "link", b"file"), (b'0', "other", b"")])).unwrap();
    let marked = |entry: &Entry| match &entry.kind {
        EntryKind::Special(what) => what == "something with the extended attribute security.capability",
        _ => false,
    };
    assert_eq!(entries.iter().map(marked).collect::<Vec<_>>(), [true, true, false]);
}

/// A header of GNU tar for a file of 4096 bytes with holes.
fn old_sparse(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    changed((b'S', "s", &[b'x'; 1024]), |header| {
        put(header, 257, b"ustar  \0");
        put(header, 386, b"00000001000\x0000000001000\0");
        put(header, 410, b"00000006000\x0000000001000\0");
        put(header, 483, b"00000010000\0");
        change(header);
    })
}

#[test]
fn holes_are_read_as_zeros() {
    let filled = |ranges: &[std::ops::Range<usize>], len: usize| {
        let mut bytes = vec![0; len];
        ranges.iter().for_each(|range| bytes[range.clone()].fill(b'x'));
        String::from_utf8(bytes).unwrap()
    };
    let expected = filled(&[512..1024, 3072..3584], 4096);
    assert_eq!(text(&listed(&ended(&[old_sparse(|_| {})])).unwrap()[0]), expected);
    let pairs = "512,512,3072,512,4096,0";
    let map_0_1 = [("size", "4096"), ("numblocks", "3"), ("name", "s"), ("map", pairs)];
    let mut map_0_0 = vec![("size", "4096"), ("numblocks", "3")];
    let numbers: Vec<&str> = pairs.split(',').collect();
    for pair in numbers.chunks(2) {
        map_0_0.extend([("offset", pair[0]), ("numbytes", pair[1])]);
    }
    let map_1_0 = [("major", "1"), ("minor", "0"), ("name", "s"), ("realsize", "4096")];
    let leading = "3\n512\n512\n3072\n512\n4096\n0\n";
    let mut data_1_0 = leading.as_bytes().to_vec();
    data_1_0.resize(512, 0);
    data_1_0.extend([b'x'; 1024]);
    for (map, data) in [(&map_0_0[..], &[b'x'; 1024][..]), (&map_0_1, &[b'x'; 1024]), (&map_1_0, &data_1_0)] {
        let pax: String =
            map.iter().map(|(key, value)| record(&format!("GNU.sparse.{key}"), value)).collect();
        let archive = tar(&[(b'x', "x", pax.as_bytes()), (b'0', "s", data)]);
        assert_eq!(text(&listed(&archive).unwrap()[0]), expected, "{pax}");
    }
}

#[test]
fn holes_that_readers_see_differently_are_refused() {
    let old = |change: fn(&mut [u8])| ended(&[old_sparse(change)]);
    let malformed = "the map of the holes of a file is malformed";
    refused(&old(|header| put(header, 410, b"00000000000\0")), "the holes of a file overlap");
    refused(
        &old(|header| put(header, 422, b"00000000777\0")),
        "/s: the parts of a file with holes are not what is in the archive",
    );
    refused(&old(|header| put(header, 483, b"00000001000\0")), "a file with holes has bytes behind its end");
    refused(&old(|header| header[386..398].fill(0)), malformed);
    refused(&old(|header| header[398..410].fill(0)), malformed);
    refused(&old(|header| header[386..410].fill(0)), malformed);
    refused(&old(|header| header[482] = 1), malformed);
    refused(&old(|header| header[156] = b'0'), "\"s\" is no file with holes and has some");
    refused(
        &old(|header| put(header, 483, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff")),
        "/s: it unpacks to more than 17179869184 bytes",
    );
    for map in [
        &[("major", "1"), ("minor", "1"), ("realsize", "4")][..],
        &[("major", "1"), ("minor", "0")],
        &[("name", "other")],
        &[("size", "4"), ("numblocks", "2"), ("map", "0,4")],
        &[("size", "4"), ("numblocks", "1"), ("offset", "0")],
    ] {
        let pax: String =
            map.iter().map(|(key, value)| record(&format!("GNU.sparse.{key}"), value)).collect();
        refused(&tar(&[(b'x', "x", pax.as_bytes()), FILE]), "it has a file with holes of an unknown kind");
    }
    let pax = records(&[("GNU.sparse.size", "0"), ("GNU.sparse.numblocks", "0")]);
    refused(&tar(&[(b'x', "x", pax.as_bytes()), (b'5', "d", b"")]), "/d is no file and has holes");
}

#[test]
fn a_map_before_the_data_is_bounded() {
    let map =
        records(&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "4096")]);
    for (data, problem) in [
        (&b"9999999\n"[..], "a file has more than 1048576 holes"),
        (b"123456789012345678901\n", "the map of the holes of a file is malformed"),
        (b"2\n0\n512\n", "\"\" in a header is not a number"),
        (b"1\n0\n512\n", "/s: the parts of a file with holes are not what is in the archive"),
    ] {
        let mut padded = data.to_vec();
        padded.resize(512, b'\n');
        refused(&tar(&[(b'x', "x", map.as_bytes()), (b'0', "s", &padded)]), problem);
    }
    refused(
        &tar(&[(b'x', "x", map.as_bytes()), (b'0', "s", &[b'1'; 10])]),
        "it ends inside the map of the holes of a file",
    );
}

proptest! {
    #[test]
    fn any_bytes_are_listed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = listed(&bytes);
    }

    /// With its checksum right, a header is read to its last field.
    #[test]
    fn any_header_is_listed_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 512),
        magic in prop::sample::select(vec![&b"ustar  \0"[..], b"ustar\x0000", b"\0\0\0\0\0\0\0\0"]),
        kind in prop::sample::select(b"0125LKxgSV".to_vec()),
        sizes in prop::collection::vec(0u64..4000, 4),
    ) {
        let mut header: [u8; 512] = bytes.try_into().unwrap();
        header[156] = kind;
        put(&mut header, 0, b"name\0");
        put(&mut header, 100, b"0000644\0");
        put(&mut header, 257, magic);
        for (at, size) in [(124, sizes[0]), (386, sizes[1]), (398, sizes[2]), (483, sizes[3])] {
            put(&mut header, at, format!("{size:011o}\0").as_bytes());
        }
        let archive = [&sealed(header)[..], &[b'1'; 4096], &[0; 1024]].concat();
        let _ = listed(&archive);
    }
}
