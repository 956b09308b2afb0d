//! What the tests of this room share: archives made by hand, byte by byte.

use std::fs::File;
use std::io::Write;

use crate::Entry;
use crate::region::Region;

/// A file without a name that holds these bytes.
pub(crate) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("there is room for temporary files");
    file.write_all(bytes).expect("the file can be written");
    file
}

pub(crate) fn region(bytes: &[u8]) -> Region {
    Region::whole(file(bytes)).expect("the file has a size")
}

pub(crate) fn paths(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.path.to_string()).collect()
}

/// Type, name, what the entry holds: the target of a link, the bytes of anything else.
pub(crate) type Member<'a> = (u8, &'a str, &'a [u8]);

pub(crate) const FILE: Member<'static> = (b'0', "file", b"text");

/// A ustar archive of these members.
pub(crate) fn tar(members: &[Member<'_>]) -> Vec<u8> {
    let mut archive: Vec<u8> = members.iter().flat_map(member).collect();
    archive.extend([0; 1024]);
    archive
}

/// One member without the end of an archive.
pub(crate) fn member(&(kind, name, bytes): &Member<'_>) -> Vec<u8> {
    let (link, data) = match kind {
        b'1' | b'2' => (bytes, &[][..]),
        _ => (&[][..], bytes),
    };
    let mut header = [0; 512];
    put(&mut header, 0, name.as_bytes());
    put(&mut header, 100, b"0000644\0");
    put(&mut header, 124, format!("{:011o}", data.len()).as_bytes());
    header[156] = kind;
    put(&mut header, 157, link);
    put(&mut header, 257, b"ustar\x0000");
    let mut member = sealed(header).to_vec();
    member.extend(data);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// Writes bytes into a header.
pub(crate) fn put(header: &mut [u8], at: usize, bytes: &[u8]) {
    header[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A header with the checksum that it should have.
pub(crate) fn sealed(mut header: [u8; 512]) -> [u8; 512] {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    header
}

/// An ar archive of these members.
pub(crate) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100644, bytes.len());
        archive.extend(header.as_bytes());
        archive.extend(*bytes);
        archive.resize(archive.len().next_multiple_of(2), b'\n');
    }
    archive
}
