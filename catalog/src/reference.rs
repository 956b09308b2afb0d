//! Where an artifact is: `oci:DIR[:TAG]` for an image layout on disk, `HOST[:PORT]/REPO[:TAG]` for a registry,
//! each with `@sha256:…` behind it where exactly one manifest is meant.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use spec::{Diagnose, Digest, Outcome};

/// What stands before the directory of a layout, as the container tools write it.
const LAYOUT_PREFIX: &str = "oci:";
/// What stands between a place and a digest.
const DIGEST_MARK: &str = "@sha256:";
/// Longest tag (OCI distribution-spec 1.1, "Pulling manifests").
const TAG_MAX: usize = 128;
/// Longest host and repository together that common clients accept (distribution-spec, same section).
const PLACE_MAX: usize = 255;

/// The place of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// An image layout on disk.
    Layout(LayoutReference),
    /// A repository of a registry.
    Registry(RegistryReference),
}

/// `oci:DIR[:TAG][@DIGEST]`.
///
/// The tag is what follows the last `:` after the last `/`. A directory whose own name has a `:` is therefore
/// written with a `/` at its end: `oci:odd:name/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutReference {
    /// The directory of the layout.
    pub dir: PathBuf,
    /// Which of its artifacts.
    pub select: Selector,
}

/// `HOST[:PORT]/REPO[:TAG][@DIGEST]`. The host is always written: there is no default registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryReference {
    /// The registry.
    pub host: Host,
    /// The repository on it.
    pub repository: Repository,
    /// Which of its artifacts; none means the tag `latest`, as everywhere.
    pub select: Selector,
}

/// Which artifact of a place is meant. A digest decides; a tag beside it is for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// By name.
    pub tag: Option<Tag>,
    /// By content.
    pub digest: Option<Digest>,
}

/// A registry: a name or an address, and a port where it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

/// A repository: path parts of lower-case letters and digits with `.`, `_`, `__` or `-` between them
/// (distribution-spec 1.1, "Pulling manifests").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository(String);

/// A tag: 1 to 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-` (distribution-spec 1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

/// The text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct ReferenceError {
    sentence: String,
    hint: &'static str,
}

impl Diagnose for ReferenceError {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }

    fn hint(&self) -> Option<String> {
        Some(self.hint.to_owned())
    }
}

const FORMS: &str = "write oci:DIR:TAG for a layout on disk, or HOST/REPOSITORY:TAG for a registry";

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        let parsed = match text.strip_prefix(LAYOUT_PREFIX) {
            Some(rest) => parse_layout(rest).map(Reference::Layout),
            None => parse_registry(text).map(Reference::Registry),
        };
        parsed.map_err(|ReferenceError { sentence, hint }| {
            let text: String = text.chars().take(200).collect();
            wrong(format!("\"{text}\" is not a reference: {sentence}"), hint)
        })
    }
}

fn wrong(sentence: impl Into<String>, hint: &'static str) -> ReferenceError {
    ReferenceError { sentence: sentence.into(), hint }
}

fn parse_layout(text: &str) -> Result<LayoutReference, ReferenceError> {
    let (place, digest) = split_digest(text)?;
    let (dir, tag) = split_tag(place)?;
    if dir.is_empty() || dir.contains('\0') {
        return Err(wrong("it names no directory", FORMS));
    }
    Ok(LayoutReference { dir: PathBuf::from(dir), select: Selector { tag, digest } })
}

fn parse_registry(text: &str) -> Result<RegistryReference, ReferenceError> {
    if text.contains("://") {
        return Err(wrong("a registry is named without a scheme", "leave out what stands before the host"));
    }
    let (place, digest) = split_digest(text)?;
    let Some((host, rest)) = place.split_once('/') else {
        return Err(wrong("it has no repository", FORMS));
    };
    if !(host.contains(['.', ':']) || host == "localhost") {
        return Err(wrong(
            format!("\"{host}\" is not a host name with a dot or a port"),
            "name the registry too, for example docker.io/library/NAME; a directory is written oci:DIR",
        ));
    }
    let (repository, tag) = split_tag(rest)?;
    if host.len() + 1 + repository.len() > PLACE_MAX {
        return Err(wrong(format!("host and repository have more than {PLACE_MAX} characters"), FORMS));
    }
    Ok(RegistryReference {
        host: host.parse()?,
        repository: repository.parse()?,
        select: Selector { tag, digest },
    })
}

fn split_digest(text: &str) -> Result<(&str, Option<Digest>), ReferenceError> {
    // A `/` behind the mark means that it is a part of a directory's name.
    match text.rfind(DIGEST_MARK) {
        Some(at) if !text[at..].contains('/') => match text[at + 1..].parse() {
            Ok(digest) => Ok((&text[..at], Some(digest))),
            Err(error) => Err(wrong(error.to_string(), "copy the whole digest")),
        },
        _ => Ok((text, None)),
    }
}

fn split_tag(text: &str) -> Result<(&str, Option<Tag>), ReferenceError> {
    let name = text.rfind('/').map_or(0, |slash| slash + 1);
    match text[name..].rfind(':') {
        Some(colon) => Ok((&text[..name + colon], Some(text[name + colon + 1..].parse()?))),
        None => Ok((text, None)),
    }
}

impl FromStr for Host {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Host, ReferenceError> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (text, None),
        };
        let sound_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => name.split('.').all(is_domain_label),
        };
        // `parse` alone would let `+80` through.
        let sound_port = port.is_none_or(|port| {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
        match sound_name && sound_port {
            // Credentials are kept under the one way to write it.
            true => Ok(Host(text.to_ascii_lowercase())),
            false => Err(wrong(format!("\"{text}\" is not HOST or HOST:PORT"), FORMS)),
        }
    }
}

fn is_domain_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Repository, ReferenceError> {
        match text.split('/').all(is_repository_part) {
            true => Ok(Repository(text.to_owned())),
            false => Err(wrong(
                format!("\"{text}\" is not a repository"),
                "a repository has lower-case letters, digits, and . _ - between them, in parts separated by /",
            )),
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_repository_part(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends_are_words = part.bytes().next().is_some_and(word) && part.bytes().last().is_some_and(word);
    let separators_are_known = part
        .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-'));
    ends_are_words && separators_are_known
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Tag, ReferenceError> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let sound =
            (1..=TAG_MAX).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with(['.', '-']);
        match sound {
            true => Ok(Tag(text.to_owned())),
            false => Err(wrong(
                format!("\"{}\" is not a tag", text.chars().take(TAG_MAX).collect::<String>()),
                "a tag has up to 128 letters, digits, _ . and -; a directory with : in its name ends with /",
            )),
        }
    }
}

impl Host {
    /// Is it this machine, so that nobody else can listen to plain HTTP?
    pub fn is_loopback(&self) -> bool {
        let name = match self.0.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => name,
            _ => &self.0,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        name == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl Tag {
    /// The tag under which registries without a referrers API keep the list of referrers of a manifest
    /// (distribution-spec 1.1, "Referrers Tag Schema").
    pub fn of_referrers(subject: &Digest) -> Tag {
        Tag(format!("sha256-{}", subject.hex()))
    }

    /// The tag of cosign's older form of signatures of a manifest (cosign, specs/SIGNATURE_SPEC.md, "Tag-based Discovery").
    pub fn of_simple(subject: &Digest) -> Tag {
        Tag(format!("sha256-{}.sig", subject.hex()))
    }

    /// Is `tag` that of signatures, of [`Tag::of_referrers`] or [`Tag::of_simple`]?
    pub fn is_of_signatures(tag: &str) -> bool {
        Tag::is_of_referrers(tag.strip_suffix(".sig").unwrap_or(tag))
    }

    /// Is `tag` one that [`Tag::of_referrers`] makes?
    pub fn is_of_referrers(tag: &str) -> bool {
        tag.strip_prefix("sha256-").is_some_and(|hex| Digest::from_hex(hex).is_ok())
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Layout(layout) => layout.fmt(f),
            Reference::Registry(registry) => registry.fmt(f),
        }
    }
}

impl fmt::Display for LayoutReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.dir.display().to_string();
        let name = &dir[dir.rfind('/').map_or(0, |slash| slash + 1)..];
        // Without the slash the end of the name would be read as a tag or as a digest.
        let slash = match (&self.select.tag, name.contains(DIGEST_MARK)) {
            (None, _) if name.contains(':') => "/",
            (Some(_), true) => "/",
            _ => "",
        };
        write!(f, "{LAYOUT_PREFIX}{dir}{slash}{}", self.select)
    }
}

impl fmt::Display for RegistryReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.host, self.repository, self.select)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout(text: &str) -> LayoutReference {
        match text.parse() {
            Ok(Reference::Layout(layout)) => layout,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn registry(text: &str) -> RegistryReference {
        match text.parse() {
            Ok(Reference::Registry(registry)) => registry,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_tag_of_a_layout_is_behind_the_last_colon_of_the_last_part() {
        let parts = |text: &str| {
            let LayoutReference { dir, select } = layout(text);
            (dir.display().to_string(), select.tag.map(|tag| tag.to_string()))
        };
        let tag = |tag: &str| Some(tag.to_owned());
        assert_eq!(parts("oci:out"), ("out".into(), None));
        assert_eq!(parts("oci:out:v1"), ("out".into(), tag("v1")));
        assert_eq!(parts("oci:/a:b/out:v1"), ("/a:b/out".into(), tag("v1")));
        assert_eq!(parts("oci:a:b:v1"), ("a:b".into(), tag("v1")));
        assert_eq!(parts("oci:a:b/"), ("a:b/".into(), None));
        assert_eq!(parts("oci:../x"), ("../x".into(), None));
    }

    #[test]
    fn a_registry_has_a_host_a_repository_and_a_selector() {
        let digest = Digest::of(b"x");
        let full = registry(&format!("localhost:5000/ext/wireguard:1.0.0@{digest}"));
        assert_eq!(full.host.to_string(), "localhost:5000");
        assert_eq!(full.repository.to_string(), "ext/wireguard");
        assert_eq!(full.select.tag.unwrap().as_str(), "1.0.0");
        assert_eq!(full.select.digest, Some(digest));
        assert_eq!(registry("GHCR.io/a").host.to_string(), "ghcr.io");
        assert!(registry("LocalHost:5000/a").host.is_loopback());
        assert_eq!(registry("[::1]:5000/a").host.to_string(), "[::1]:5000");
        assert_eq!(registry("ghcr.io/a/b__c-d.e").select, Selector::default());
        assert_eq!(layout(&format!("oci:out@{digest}")).select.digest, Some(digest));
    }

    #[test]
    fn what_is_no_reference_is_refused_with_a_hint() {
        let digest = Digest::of(b"x").to_string();
        for wrong in [
            "",
            "oci:",
            "oci::tag",
            "oci:out:",
            "oci:out:-x",
            "oci:out:a b",
            "out/dir",
            "wireguard",
            "wireguard:1",
            "https://ghcr.io/a",
            "ghcr.io/",
            "ghcr.io/A",
            "ghcr.io/a//b",
            "ghcr.io/../b",
            "ghcr.io/a..b",
            "ghcr.io/a:",
            "ghcr.io/a@sha256:00",
            &format!("ghcr.io/a@{}", digest.to_uppercase()),
            "ghcr.io:0/a",
            "ghcr.io:+80/a",
            "ghcr.io:99999/a",
            "::1/a",
            "[::g]/a",
            "-a.b/c",
            "a.b/c?x=y",
            "a.b/c#d",
            "user@a.b/c",
        ] {
            let error = wrong.parse::<Reference>().expect_err(wrong);
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, is) in [
            ("localhost:5000", true),
            ("127.0.0.1", true),
            ("127.8.9.10:80", true),
            ("[::1]:5000", true),
            ("[::1]", true),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org", false),
            ("128.0.0.1", false),
            ("[::2]:5000", false),
        ] {
            assert_eq!(registry(&format!("{host}/x")).host.is_loopback(), is, "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            let _ = text.parse::<Reference>();
        }

        #[test]
        fn what_is_parsed_is_written_back(text in "(oci:)?[a-z./:@_-]{0,12}(:[a-z0-9.]{1,3})?(@sha256:[0-9a-f]{64})?") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
            }
        }

        #[test]
        fn a_directory_of_any_name_is_written_so_that_it_is_read_back(
            dir in "[a-z:@/]{1,10}(@sha256:[0-9a-f]{0,3})?",
            tag in proptest::option::of("[a-z]{1,3}"),
        ) {
            let select = Selector { tag: tag.map(|tag| tag.parse().unwrap()), digest: None };
            let reference = Reference::Layout(LayoutReference { dir: PathBuf::from(dir), select });
            let text = reference.to_string();
            prop_assert_eq!(text.parse::<Reference>().map_err(|error| error.to_string()), Ok(reference), "{}", text);
        }
    }
}
