//! Images of layers, as the target `oci` reads them.

use std::error::Error;

use super::archives::{Member, tar};

const LOWER: &[Member<'static>] = &[
    (b'5', "d", b""),
    (b'0', "d/a", b"lower"),
    (b'1', "d/b", b"d/a"),
    (b'5', "d/e", b""),
    (b'0', "d/e/f", b""),
    (b'2', "l", b"/d"),
    (b'2', "m", b"l/../n"),
    (b'2', "n", b"m"),
];

/// The lower layer with another one on top that does one thing or several.
pub(super) fn images() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let uppers: [&[Member<'_>]; 10] = [
        &[(b'0', "d/a", b"upper"), (b'0', "new", b"")],
        &[(b'0', "d/.wh.a", b""), (b'0', ".wh.l", b"")],
        &[(b'0', "d/.wh..wh..opq", b""), (b'0', "d/x", b"")],
        &[(b'0', "d", b"a file now")],
        &[(b'5', "l", b""), (b'0', "l/x", b"")],
        &[(b'0', "l/x", b""), (b'0', "l/.wh.a", b"")],
        &[(b'0', "n/x", b"")],
        &[(b'1', "x", b"d/a"), (b'1', "l/y", b"l/b"), (b'1', "z", b"x")],
        &[(b'1', "x", b"d/a"), (b'0', "d/.wh.a", b"")],
        &[(b'2', "l", b"d/e"), (b'0', "l/x", b"")],
    ];
    uppers.into_iter().map(|upper| image(&[LOWER, upper])).collect()
}

/// Each layer behind its number of blocks of 512 bytes.
fn image(layers: &[&[Member<'_>]]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut image = Vec::new();
    for layer in layers {
        let archive = tar(layer);
        image.extend(u16::try_from(archive.len() / 512)?.to_le_bytes());
        image.extend(archive);
    }
    Ok(image)
}
