//! Archives and packages.

use std::error::Error;

use tar::{EntryType, Header};

/// What every second archive here begins with.
const FILE: Member<'static> = (b'0', "usr/file", b"content");

/// Type, name, and what the entry holds: the target of a link, the bytes of anything else.
pub(super) type Member<'a> = (u8, &'a str, &'a [u8]);

/// Archives with old, GNU and pax headers, a compressed one, and those that deceive.
pub(super) fn archives() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let headers: [fn() -> Header; 3] = [Header::new_old, Header::new_ustar, Header::new_gnu];
    let mut archives = Vec::new();
    for header in headers {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |kind, name: &str, link: Option<&str>, bytes: &[u8]| {
            let mut header = header();
            header.set_entry_type(kind);
            header.set_mode(0o755);
            header.set_size(bytes.len() as u64);
            match link {
                Some(link) => builder.append_link(&mut header, name, link),
                None => builder.append_data(&mut header, name, bytes),
            }
        };
        add(EntryType::Directory, "usr/", None, b"")?;
        add(EntryType::Regular, "usr/file", None, b"content")?;
        add(EntryType::Link, "usr/again", Some("usr/file"), b"")?;
        add(EntryType::Symlink, "usr/link", Some("file"), b"")?;
        archives.push(builder.into_inner()?);
    }
    archives.push(pax()?);
    let gnu = archives[2].clone();
    archives.push(super::zstd(&gnu)?);
    archives.extend(crafted());
    Ok(archives)
}

fn pax() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([
        ("path", b"usr/from-pax".as_slice()),
        ("mtime", b"1.5"),
        ("comment", b"x"),
    ])?;
    let mut header = Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(7);
    builder.append_data(&mut header, "usr/file", b"content".as_slice())?;
    builder.append_pax_extensions([
        ("GNU.sparse.major", b"1".as_slice()),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"usr/sparse"),
        ("GNU.sparse.realsize", b"10000"),
    ])?;
    let map = [b"1\n9000\n4\n".as_slice(), &[0; 503], b"data"].concat();
    header.set_size(map.len() as u64);
    builder.append_data(&mut header, "usr/GNUSparseFile.0/sparse", map.as_slice())?;
    Ok(builder.into_inner()?)
}

/// What readers understand differently, and what leads out of the archive.
fn crafted() -> Vec<Vec<u8>> {
    let long = [&b"d/".repeat(100)[..], b"name\0"].concat();
    let archives: [&[Member<'_>]; 12] = [
        &[FILE, (b'L', "x", &long), (b'K', "x", b"usr/file\0"), (b'1', "link", b"")],
        &[(b'x', "x", b"12 size=512\n"), FILE, FILE],
        &[(b'x', "x", b"12 path=a/b\n16 linkpath=c/d\n"), (b'2', "link", b"target")],
        &[(b'g', "x", b"20 comment=whatever\n"), (b'V', "label", b""), FILE],
        &[(b'x', "x", b"22 GNU.sparse.major=0\n"), FILE],
        &[FILE, FILE],
        &[(b'0', "../outside", b"")],
        &[(b'2', "usr", b"/etc"), FILE],
        &[(b'1', "again", b"usr/file"), FILE],
        &[FILE, (b'1', "again", b"usr/file"), (b'1', "thrice", b"again")],
        &[(b'3', "device", b""), (b'6', "fifo", b"")],
        &[(b'0', "directory/", b""), (b'5', "other", b"bytes"), (b'7', "contiguous", b"bytes")],
    ];
    let mut archives: Vec<Vec<u8>> = archives.into_iter().map(tar).collect();
    archives.push(old_sparse());
    archives.push([tar(&[FILE]), tar(&[FILE])].concat());
    archives
}

/// A file with a hole as GNU tar wrote it before pax: its map is in the header.
fn old_sparse() -> Vec<u8> {
    let mut header = [0; 512];
    header.copy_from_slice(&tar(&[(b'S', "usr/sparse", b"data")])[..512]);
    for (at, number) in [(386, 9000), (398, 4), (483, 9004)] {
        put(&mut header, at, format!("{number:011o}").as_bytes());
    }
    put(&mut header, 257, b"ustar  \0");
    let mut archive = sealed(header).to_vec();
    archive.extend(b"data");
    archive.resize(4 * 512, 0);
    archive
}

/// A ustar archive of these members.
pub(super) fn tar(members: &[Member<'_>]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (kind, name, bytes) in members {
        let (link, data) = match kind {
            b'1' | b'2' => (*bytes, &[][..]),
            _ => (&[][..], *bytes),
        };
        let mut header = [0; 512];
        put(&mut header, 0, name.as_bytes());
        put(&mut header, 100, b"0000644\0");
        put(&mut header, 124, format!("{:011o}", data.len()).as_bytes());
        header[156] = *kind;
        put(&mut header, 157, link);
        put(&mut header, 257, b"ustar\x0000");
        archive.extend(sealed(header));
        archive.extend(data);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.extend([0; 1024]);
    archive
}

fn put(header: &mut [u8], at: usize, bytes: &[u8]) {
    header[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The header with its checksum.
fn sealed(mut header: [u8; 512]) -> [u8; 512] {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    header
}

/// A package around an archive: deb(5) and ar(5).
pub(super) fn deb(archive: &[u8]) -> Vec<u8> {
    let kind = if archive.starts_with(&[0x28, 0xb5]) { "data.tar.zst" } else { "data.tar" };
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in [("debian-binary", b"2.0\n".as_slice()), ("control.tar", b""), (kind, archive)] {
        let len = content.len();
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{len:<10}`\n", 0, 0, 0, 100644).into_bytes());
        bytes.extend(content);
        bytes.extend(vec![b'\n'; len % 2]);
    }
    bytes
}
