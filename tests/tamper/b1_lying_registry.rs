//! A registry that sends something else than it was asked for, in twelve ways.

use std::time::{Duration, Instant};

use spec::Digest;
use spec::artifact::media;
use spec::defence::Threat;
use tests::Context;

use crate::harness::{Outcome, Programs, Refusal, is_refused};
use crate::registry::{registry, world};
use crate::server::{Answer, Body, Request};
use crate::world::Extension;

/// Who lies about what may not keep us for longer than this.
const LIMIT: Duration = Duration::from_secs(100);

/// Pulls from a registry whose answers to requests for the image are lies.
fn with_image(programs: &Programs, lie: Lie) -> Outcome {
    let image = format!("blobs/{}", Digest::of(&Extension::new("tool").image().0));
    pull(programs, move |request, honest| match request.path.ends_with(&image) {
        true => lie(request, honest),
        false => honest,
    })
}

/// The same for the manifest.
fn with_manifest(programs: &Programs, lie: Lie) -> Outcome {
    pull(programs, move |request, honest| match request.path.ends_with("manifests/1.0.0") {
        true => lie(request, honest),
        false => honest,
    })
}

fn pull(programs: &Programs, lie: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static) -> Outcome {
    let (world, manifest) = world();
    let (address, _) = registry(&world, &manifest, lie);
    let started = Instant::now();
    let outcome = programs.pull(&Context::new(), address, ":1.0.0");
    assert!(started.elapsed() < LIMIT, "the registry kept us for {:?}", started.elapsed());
    outcome
}

fn bytes(answer: &Answer) -> Vec<u8> {
    match &answer.body {
        Body::Whole(bytes) => bytes.clone(),
        other => panic!("an honest answer is whole: {other:?}"),
    }
}

/// The last byte is another one. The hash tree behind the image ends with zeros, so there is one to change.
fn other_bytes(_: &Request, honest: Answer) -> Answer {
    let mut bytes = bytes(&honest);
    *bytes.last_mut().unwrap() ^= 1;
    Answer { body: Body::Whole(bytes), ..honest }
}

#[test]
fn other_bytes_of_the_right_size() {
    is_refused(Threat::B1, Refusal::with_words("has the digest"), |programs| {
        with_image(programs, other_bytes)
    });
}

/// Something that is said instead of an honest answer.
type Lie = fn(&Request, Answer) -> Answer;

/// The lies about the image that fail at its size or at the clock, with what is said about each.
const OF_THE_IMAGE: [(&str, Lie, &str); 7] = [
    ("short", |_, honest| whole(&bytes(&honest)[1..]), "bytes where its descriptor says"),
    ("long", |_, honest| whole(&[&bytes(&honest)[..], b"!"].concat()), "bytes where its descriptor says"),
    ("long, unannounced", |_, honest| longer(&honest), "bytes where its descriptor says"),
    ("endless", |_, honest| endless(honest, 0), "bytes where its descriptor says"),
    ("cut short", |_, honest| cut(honest), "stopped at byte"),
    ("gzip", |_, _| gzipped(b"another image"), "bytes where its descriptor says"),
    ("gone", |_, _| Answer::status("404 Not Found"), "does not have it"),
];

/// The lies about the manifest.
const OF_THE_MANIFEST: [(&str, Lie, &str); 4] = [
    ("endless", |_, honest| endless(honest, b' '), "more than the 4194304 that are read"),
    ("digest that is a path", |_, honest| replaced(&honest, "sha256:../../../x"), "digest"),
    ("digest of another kind", |_, honest| replaced(&honest, "sha512:"), "digest"),
    (
        "index",
        |_, honest| Answer::ok(media::INDEX, &bytes(&honest)),
        "is not the document that its media type says",
    ),
];

fn whole(bytes: &[u8]) -> Answer {
    Answer::ok("application/octet-stream", bytes)
}

fn longer(honest: &Answer) -> Answer {
    Answer { body: Body::Unannounced([&bytes(honest)[..], b"!"].concat()), ..whole(b"") }
}

fn endless(honest: Answer, byte: u8) -> Answer {
    Answer { body: Body::Endless(vec![byte; 1 << 16]), ..honest }
}

fn cut(honest: Answer) -> Answer {
    let half = bytes(&honest)[..100].to_vec();
    Answer { body: Body::Unannounced(half), ..honest }
}

/// A member of gzip with one stored block (RFC 1952, RFC 1951 section 3.2.4), without a checksum that is right.
fn gzipped(content: &[u8]) -> Answer {
    let length = content.len() as u8;
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, length, 0, !length, 0xff];
    let member = [&head[..], content, &[0; 4], &[length, 0, 0, 0]].concat();
    whole(&member).header("Content-Encoding", "gzip")
}

/// The manifest with another beginning of its first digest.
fn replaced(honest: &Answer, digest: &str) -> Answer {
    let text = String::from_utf8(bytes(honest)).unwrap().replacen("sha256:", digest, 1);
    Answer::ok(media::MANIFEST, text.as_bytes())
}

#[test]
fn eleven_more_lies() {
    let programs = Programs::whole(Threat::B1);
    let image = OF_THE_IMAGE.map(|(name, lie, words)| (name, with_image(&programs, lie), words));
    let manifest = OF_THE_MANIFEST.map(|(name, lie, words)| (name, with_manifest(&programs, lie), words));
    for (name, outcome, words) in image.into_iter().chain(manifest) {
        assert!(matches!(outcome.code, Some(1 | 2)), "{name}: {outcome:#?}");
        assert!(outcome.said.contains(words), "{name} is not told as {words}: {outcome:#?}");
    }
}
