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

/// What of the layers is in each file.
fn contents(layers: &[&[Member<'_>]]) -> Vec<String> {
    let shown = |entry: Entry| match entry.kind {
        EntryKind::File { content, .. } => {
            Some(format!("{} = {}", entry.path, io::read_to_string(content.open().unwrap()).unwrap()))
        }
        EntryKind::HardLink { target } => Some(format!("{} -> {target}", entry.path)),
        _ => None,
    };
    listed(layers).unwrap().into_iter().filter_map(shown).collect()
}

#[test]
fn a_directory_that_has_no_entry_of_its_own_is_one() {
    let lower: &[Member<'_>] = &[(b'0', "d/a", b"lower")];
    assert_eq!(contents(&[lower, &[(b'5', "d", b"")]]), ["/d/a = lower"]);
    assert_eq!(contents(&[lower, &[(b'5', "d", b""), (b'0', "d/b", b"x")]]), ["/d/a = lower", "/d/b = x"]);
}

#[test]
fn a_hard_link_may_be_to_a_file_of_a_layer_below() {
    let of = |upper: &[Member<'_>]| contents(&[LOWER, &[], upper]);
    let d = ["/d/a = lower a", "/d/b = lower b", "/d/c -> /d/b", "/d/e/f = deep"];
    assert_eq!(of(&[(b'1', "x", b"d/a")]), [&d[..], &["/x -> /d/a"]].concat());
    // Names of the lower file that are there already, and those that come, are names of one file.
    assert_eq!(of(&[(b'1', "a", b"d/c")])[..1], ["/a = lower b"]);
    assert_eq!(of(&[(b'1', "a", b"d/c")])[2..4], ["/d/b -> /a", "/d/c -> /a"]);
    assert_eq!(of(&[(b'1', "x", b"d/a"), (b'1', "y", b"x")])[4..], ["/x -> /d/a", "/y -> /d/a"]);
    assert_eq!(of(&[(b'1', "x", b"l/a")])[4..], ["/x -> /d/a"]);
    // In the next layer the file is another one, and the link is not.
    let next = contents(&[LOWER, &[(b'1', "x", b"d/a")], &[(b'0', "d/a", b"new")]]);
    assert_eq!((next[0].as_str(), next[4].as_str()), ("/d/a = new", "/x = lower a"));
    let EntryKind::Symlink { target } = &listed(&[LOWER, &[(b'1', "x", b"l")]]).unwrap()[7].kind else {
        panic!()
    };
    assert_eq!(target, "d");
}

#[test]
fn a_hard_link_to_what_its_layer_changes_too_is_refused() {
    let is = |upper: &[Member<'_>], problem: &str| refused(&[LOWER, upper], problem);
    is(&[(b'1', "x", b"none")], "/x is a hard link to /none, which is not before it");
    is(&[(b'1', "x", b"d/e")], "/x is a hard link to the directory /d/e");
    is(&[(b'1', "x", b"d/a"), (b'0', "d/.wh.a", b"")], "/x is a hard link to /d/a, which is not before it");
    is(
        &[(b'1', "x", b"d/a"), (b'0', "d/.wh..wh..opq", b"")],
        "/x is a hard link to /d/a, which is not before it",
    );
    is(
        &[(b'1', "x", b"d/a"), (b'0', "d/a", b"new")],
        "/x is a hard link to /d/a, which its layer 2 replaces",
    );
    is(
        &[(b'1', "x", b"d/a"), (b'1', "d/a", b"d/b")],
        "/x is a hard link to /d/a, which its layer 2 replaces",
    );
    is(&[(b'1', "d/a", b"d/a")], "/d/a is a hard link to /d/a, which its layer 2 replaces");
    is(&[(b'1', "d", b"d/a")], "/d is a hard link to /d/a, which its layer 2 replaces");
    is(&[(b'1', "x", b"y"), (b'1', "y", b"x")], "/x is a hard link to /y, which is not before it");
    is(&[(b'1', ".wh.d", b"d/a")], "/.wh.d is not a whiteout, though it is named like one");
    refused(&[&[(b'1', "x", b"d/a")], LOWER], "/x is a hard link to /d/a, which is not before it");
}

#[test]
fn links_of_layers_below_are_followed_inside_the_root() {
    for target in ["d", "/d", "./d/", "../../d", "/../d", "d/../d", "d/e/..", "l2", "/l2/../d", "none/../d"] {
        let lower = [LOWER, &[(b'2', "l2", b"/d")]].concat();
        let link: &[Member<'_>] = &[(b'2', "l", target.as_bytes())];
        let of = |upper: &[Member<'_>]| paths(&listed(&[&lower, link, upper]).unwrap());
        let links = ["/l", "/l2"];
        let d = ["/d", "/d/a", "/d/b", "/d/c", "/d/e", "/d/e/f"];
        assert_eq!(of(&[(b'0', "l/x", b"")]), [&d[..], &["/d/x"], &links].concat(), "{target}");
        assert_eq!(of(&[(b'0', "l/.wh.e", b"")]), [&d[..4], &links].concat(), "{target}");
        assert_eq!(of(&[(b'0', "l/.wh..wh..opq", b"")]), [&d[..1], &links].concat(), "{target}");
        assert_eq!(of(&[(b'5', "l/a", b"")]), [&d[..], &links].concat(), "{target}");
        assert_eq!(of(&[(b'0', "l/e", b"")]), [&d[..5], &links].concat(), "{target}");
    }
    // A link to nothing leads to a new directory.
    let dangling = listed(&[&[(b'2', "l", b"new/dir")], &[(b'0', "l/x", b"")]]).unwrap();
    assert_eq!(paths(&dangling), ["/l", "/new/dir/x"]);
}

#[test]
fn links_that_lead_nowhere_are_refused() {
    let circle = "its layer 2 is about /l/x, and that leads in circles";
    for lower in [
        &[(b'2', "l", &b"l"[..])][..],
        &[(b'2', "l", b"/l/l")],
        &[(b'2', "l", b"m"), (b'2', "m", b"../l")],
        &[(b'2', "l", b"m/n"), (b'5', "d", b""), (b'2', "m", b"d"), (b'2', "d/n", b"/l/x")],
    ] {
        refused(&[lower, &[(b'0', "l/x", b"")]], circle);
        refused(&[lower, &[(b'1', "y", b"l/x")]], circle);
    }
    let chain = |links: usize| {
        let names: Vec<String> = (0..=links).map(|n| format!("l{n:02}")).collect();
        let mut lower: Vec<Member<'_>> = vec![(b'5', &names[0], b"")];
        lower.extend(names.windows(2).map(|pair| (b'2', pair[1].as_str(), pair[0].as_bytes())));
        let through = format!("{}/x", names[links]);
        listed(&[&lower, &[(b'0', &through, b"")]]).map(|entries| paths(&entries)[1].clone())
    };
    assert_eq!(chain(40).unwrap(), "/l00/x");
    assert!(chain(41).unwrap_err().ends_with("and that leads in circles"));

    let file = "its layer 2 is about /l/x, but /d/a is not a directory in its layer 1";
    refused(&[&LOWER[..6], &[(b'0', "d/a/x", b"")]], &file.replace("/l/x", "/d/a/x"));
    for target in ["d/a", "d/a/..", "d/a/../../d"] {
        let lower = [&LOWER[..6], &[(b'2', "l", target.as_bytes())]].concat();
        refused(&[&lower, &[(b'0', "l/x", b"")]], file);
    }
}

/// Two runtimes that unpack in another order would have something else.
#[test]
fn a_layer_that_changes_a_link_that_it_leads_through_is_refused() {
    let is = |upper: &[Member<'_>], problem: &str| refused(&[LOWER, upper], problem);
    let own = "its layer 2 is about /l/x, but /l is not a directory in its layer 2";
    is(&[(b'0', "l/x", b""), (b'0', "l", b"")], own);
    let round = [LOWER, &[(b'2', "z", b"/")]].concat();
    let replaces = "its layer 2 is about /l/x, and replaces the link /l above that";
    is(&[(b'0', "l/x", b""), (b'2', "l", b"d/e")], replaces);
    refused(&[&round, &[(b'0', "l/x", b""), (b'2', "z/l", b"d/e")]], replaces);
    // Where a directory or whiteout says that the link goes, there is nothing to follow.
    for gone in [(b'5', "l", &b""[..]), (b'0', ".wh.l", b"")] {
        let all = paths(&listed(&[LOWER, &[gone, (b'0', "l/x", b"")]]).unwrap());
        assert_eq!(all.last().unwrap(), "/l/x");
    }
    is(&[(b'0', "l/x", b""), (b'0', "d/x", b"")], "its layer 2 has /d/x twice");
    is(
        &[(b'0', "l/x", b""), (b'0', "d", b"")],
        "its layer 2 is about /l/x, but /d is not a directory in its layer 2",
    );
    let below = [LOWER, &[(b'2', "a", b"d")]].concat();
    refused(
        &[&below, &[(b'0', "a/x", b""), (b'0', "d", b"")]],
        "its layer 2 is about /d/x, but /d is not a directory in its layer 2",
    );
    assert_eq!(contents(&[&below, &[(b'0', "a/x", b"new"), (b'5', "d", b"")]])[4], "/d/x = new");
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
