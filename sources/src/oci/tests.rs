use std::fs;
use std::io;

use spec::artifact::media;
use tempfile::TempDir;

use super::*;
use crate::EntryKind;
use crate::testing::{Member, paths, tar};

/// A layout without an index, which nobody asks for.
struct Layout(TempDir);

impl Layout {
    fn new() -> Layout {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
        Layout(dir)
    }

    fn add(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        fs::write(blob(self.0.path(), &digest), bytes).unwrap();
        digest
    }

    /// An image of these layers: what comes behind their type, and their bytes.
    fn image(&self, layers: &[(&str, &[u8])]) -> Digest {
        let layers: Vec<String> = layers
            .iter()
            .map(|(kind, bytes)| {
                let (digest, size) = (self.add(bytes), bytes.len());
                format!(r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar{kind}","digest":"{digest}","size":{size}}}"#)
            })
            .collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{}},"layers":[{}]}}"#,
            media::MANIFEST,
            layers.join(",")
        );
        self.add(manifest.as_bytes())
    }

    fn list(&self, image: &Digest) -> Result<Vec<Entry>, String> {
        list_oci(self.0.path(), image).map_err(|error| error.to_string())
    }
}

/// What an image of these layers holds.
fn listed(layers: &[&[Member<'_>]]) -> Result<Vec<Entry>, String> {
    let layout = Layout::new();
    let layers: Vec<Vec<u8>> = layers.iter().map(|members| tar(members)).collect();
    let layers: Vec<(&str, &[u8])> = layers.iter().map(|layer| ("", &layer[..])).collect();
    layout.list(&layout.image(&layers))
}

#[track_caller]
fn refused(layers: &[&[Member<'_>]], problem: &str) {
    let message = listed(layers).unwrap_err();
    assert!(message.ends_with(&format!(" is not a sound archive: {problem}")), "{message}");
}

const LOWER: &[Member<'static>] = &[
    (b'5', "d", b""),
    (b'0', "d/a", b"lower a"),
    (b'0', "d/b", b"lower b"),
    (b'1', "d/c", b"d/b"),
    (b'5', "d/e", b""),
    (b'0', "d/e/f", b"deep"),
    (b'2', "l", b"d"),
];

#[test]
fn layers_lie_on_top_of_each_other() {
    let entries = listed(&[LOWER, &[(b'0', "d/a", b"upper a"), (b'0', "new", b"")]]).unwrap();
    assert_eq!(paths(&entries), ["/d", "/d/a", "/d/b", "/d/c", "/d/e", "/d/e/f", "/l", "/new"]);
    let EntryKind::File { content, .. } = &entries[1].kind else { panic!("{entries:?}") };
    assert_eq!(io::read_to_string(content.open().unwrap()).unwrap(), "upper a");
    assert!(matches!(&entries[3].kind, EntryKind::HardLink { target } if target.as_str() == "/d/b"));
}

#[test]
fn whiteouts_take_away_from_below_only() {
    let left = |upper: &[Member<'_>]| paths(&listed(&[LOWER, upper]).unwrap());
    assert_eq!(left(&[(b'0', "d/.wh.e", b""), (b'0', ".wh.l", b"")]), ["/d", "/d/a", "/d/b", "/d/c"]);
    assert_eq!(left(&[(b'0', ".wh.d", b""), (b'0', "d/new", b"")]), ["/d/new", "/l"]);
    // Wherever in its layer it stands.
    for opaque in [
        [(b'0', "d/new", &b""[..]), (b'0', "d/.wh..wh..opq", b"")],
        [(b'0', "d/.wh..wh..opq", b""), (b'0', "d/new", b"")],
    ] {
        assert_eq!(left(&opaque), ["/d", "/d/new", "/l"]);
    }
    assert_eq!(left(&[(b'0', "d/.wh.b", b"")]), ["/d", "/d/a", "/d/c", "/d/e", "/d/e/f", "/l"]);
    assert_eq!(left(&[(b'0', ".wh..wh..opq", b"")]), ["/"; 0]);
    assert_eq!(left(&[(b'0', ".wh.nothing", b"")]).len(), 7);
}

#[test]
fn anything_replaces_anything() {
    let left = |upper: &[Member<'_>]| paths(&listed(&[LOWER, upper]).unwrap());
    assert_eq!(left(&[(b'0', "d", b"")]), ["/d", "/l"]);
    assert_eq!(left(&[(b'5', "l", b""), (b'0', "l/x", b"")])[6..], ["/l", "/l/x"]);
    let opaque = [(b'5', "l", &b""[..]), (b'0', "l/.wh..wh..opq", b""), (b'0', "l/x", b"")];
    assert_eq!(left(&opaque)[6..], ["/l", "/l/x"]);
    assert_eq!(left(&[(b'2', "d/e", b"a")]), ["/d", "/d/a", "/d/b", "/d/c", "/d/e", "/l"]);
}

/// Whoever unpacks the layers writes through the link, or takes away through it.
#[test]
fn links_of_other_layers_are_no_directories() {
    let own = "but /l is not a directory in its layer 1";
    refused(&[LOWER, &[(b'0', "l/x", b"")]], &format!("its layer 2 is about /l/x, {own}"));
    refused(&[LOWER, &[(b'0', "l/.wh.a", b"")]], &format!("its layer 2 is about /l/a, {own}"));
    refused(
        &[LOWER, &[(b'0', "l/.wh..wh..opq", b"")]],
        &format!("its layer 2 is about /l/.wh..wh..opq, {own}"),
    );
    refused(&[LOWER, &[], &[(b'1', "x", b"d/a")]], "/x is a hard link to /d/a, which is not before it");
}

#[test]
fn whiteouts_that_are_none_are_refused() {
    for (kind, name, bytes) in [
        (b'0', ".wh.", &b""[..]),
        (b'0', ".wh..", b""),
        (b'0', ".wh...", b""),
        (b'0', ".wh..wh.plnk", b""),
        (b'0', ".wh..wh..wh..opq", b""),
        (b'0', ".wh.d", b"x"),
        (b'5', ".wh.d", b""),
        (b'2', ".wh.d", b"x"),
    ] {
        refused(
            &[LOWER, &[(kind, name, bytes)]],
            &format!("/{name} is not a whiteout, though it is named like one"),
        );
    }
}

#[test]
fn layers_may_be_compressed_as_their_type_says() {
    let layer = tar(LOWER);
    let zstd = zstd::encode_all(&layer[..], 3).unwrap();
    let mut gzip = flate2::read::GzEncoder::new(&layer[..], Default::default());
    let mut gzipped = Vec::new();
    io::Read::read_to_end(&mut gzip, &mut gzipped).unwrap();
    let layout = Layout::new();
    assert_eq!(layout.list(&layout.image(&[("+gzip", &gzipped)])).unwrap().len(), 7);
    assert_eq!(layout.list(&layout.image(&[("+zstd", &zstd), ("", &layer)])).unwrap().len(), 7);
    assert!(layout.list(&layout.image(&[("+zstd", &gzipped)])).is_err());
    assert!(layout.list(&layout.image(&[("", &gzipped)])).is_err());
}

#[test]
fn every_blob_is_the_one_that_is_named() {
    let layout = Layout::new();
    let layer = tar(LOWER);
    let image = layout.image(&[("", &layer)]);
    let place = blob(layout.0.path(), &Digest::of(&layer));
    let mut changed = layer.clone();
    changed[600] ^= 1;
    fs::write(&place, &changed).unwrap();
    let wrong = |place: &Path| format!("{} is not the blob that it is named for", place.display());
    assert!(layout.list(&image).unwrap_err().starts_with(&wrong(&place)));
    for other in [&layer[..layer.len() - 1], &[&layer[..], b"\0"].concat()] {
        fs::write(&place, other).unwrap();
        assert!(layout.list(&image).unwrap_err().contains("bytes that the manifest says"));
    }
    fs::remove_file(&place).unwrap();
    assert!(layout.list(&image).unwrap_err().starts_with("cannot read"));
    let manifest = blob(layout.0.path(), &image);
    fs::write(&manifest, "{}").unwrap();
    assert!(layout.list(&image).unwrap_err().starts_with(&wrong(&manifest)));
}
