//! apt's package sources: reading the machine's own, and deriving the private list that the inputs come from.
//!
//! Both notations are in sources.list(5): one line per source, and deb822 paragraphs.

use std::fmt::Write as _;

/// The Debian release that the inputs come from, whatever the machine runs: the extensions' manifests pin files of it.
pub const RELEASE: &str = "bookworm";

/// One source of binary packages, as far as we need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its addresses.
    pub uris: Vec<String>,
    /// Its suites.
    pub suites: Vec<String>,
    /// Its components.
    pub components: Vec<String>,
    /// `Signed-By`: a keyring file, key ids, or a whole key over several lines.
    pub signed_by: Option<String>,
    /// `Trusted`: the machine's owner has decided about signatures.
    pub trusted: Option<String>,
}

/// Reads a `.list` file; lines that are no source of binary packages are passed over.
pub fn parse_lines(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let option = |name: &str| {
        let pair = options.split_whitespace().find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
        pair.map(|value| value.replace(',', " "))
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        signed_by: option("signed-by"),
        trusted: option("trusted"),
    })
}

/// Reads a `.sources` file; paragraphs that are disabled or hold only source code are passed over.
pub fn parse_paragraphs(text: &str) -> Vec<Source> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.split(|line| line.trim().is_empty()).filter_map(parse_paragraph).collect()
}

fn parse_paragraph(lines: &[&str]) -> Option<Source> {
    let words = |name| -> Vec<String> {
        let value = field(lines, name).unwrap_or_default();
        value.split_whitespace().map(str::to_owned).collect()
    };
    let enabled = field(lines, "Enabled").is_none_or(|value| !value.eq_ignore_ascii_case("no"));
    if !enabled || !words("Types").iter().any(|word| word == "deb") {
        return None;
    }
    Some(Source {
        uris: words("URIs"),
        suites: words("Suites"),
        components: words("Components"),
        signed_by: field(lines, "Signed-By"),
        trusted: field(lines, "Trusted"),
    })
}

/// The value of a field with its continuation lines, which begin with a blank (deb822(5)).
fn field(lines: &[&str], name: &str) -> Option<String> {
    let is_it = |line: &&str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
    let at = lines.iter().position(is_it)?;
    let (_, first) = lines[at].split_once(':')?;
    let more = lines[at + 1..].iter().take_while(|line| line.starts_with([' ', '\t']));
    let value: Vec<&str> = std::iter::once(first.trim()).chain(more.copied()).collect();
    Some(value.join("\n"))
}

/// The private list: the machine's own Debian archives with the suites and components that the inputs need.
///
/// Nothing if none of `sources` is Debian's main archive.
pub fn private_view(sources: &[Source]) -> Option<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut main_archive = false;
    for source in sources.iter().filter(|source| is_debian(source)) {
        let security = source.suites.iter().any(|suite| suite.ends_with("-security"));
        main_archive |= !security;
        let paragraph = paragraph(source, security);
        if !paragraphs.contains(&paragraph) {
            paragraphs.push(paragraph);
        }
    }
    main_archive.then(|| paragraphs.join("\n"))
}

fn paragraph(source: &Source, security: bool) -> String {
    let suites = match security {
        true => format!("{RELEASE}-security"),
        // The second kernel, of another ABI, may be in backports only.
        false => format!("{RELEASE} {RELEASE}-updates {RELEASE}-backports"),
    };
    let mut text = format!("Types: deb\nURIs: {}\nSuites: {suites}\n", source.uris.join(" "));
    // Firmware is in non-free-firmware, in releases before 12 in non-free.
    text.push_str("Components: main contrib non-free non-free-firmware\n");
    for (name, value) in [("Signed-By", &source.signed_by), ("Trusted", &source.trusted)] {
        if let Some(value) = value {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    text
}

/// Is this an archive of Debian itself, or a mirror of it, and not of a third party that builds for Debian?
///
/// Mirrors keep the archive's directory names `debian` and `debian-security` (a snapshot adds a date); a list of
/// mirrors (apt-transport-mirror(1)) has them in its file name.
fn is_debian(source: &Source) -> bool {
    let named = |uri: &String| {
        let mut parts = uri.trim_end_matches('/').rsplit('/').peekable();
        parts.next_if(|last| last.starts_with(|c: char| c.is_ascii_digit()) && last.ends_with('Z'));
        let last = parts.next().unwrap_or_default();
        matches!(last.strip_suffix(".list").unwrap_or(last), "debian" | "debian-security")
    };
    let served = |uri: &String| !uri.starts_with("cdrom:");
    source.components.iter().any(|component| component == "main")
        && source.uris.iter().all(served)
        && source.uris.iter().any(named)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARAGRAPHS: &str = "\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
 -----END PGP PUBLIC KEY BLOCK-----

types: deb
uris: mirror+file:///etc/apt/mirrors/debian-security.list
suites: bookworm-security
components: main

Types: deb
URIs: https://packages.example/debian/12/prod
Suites: bookworm
Components: main

Types: deb
Enabled: no
URIs: http://other.example/debian
Suites: bookworm
Components: main
";

    #[test]
    fn the_private_view_keeps_mirrors_and_keys_and_drops_third_parties() {
        let view = private_view(&parse_paragraphs(PARAGRAPHS)).unwrap();
        assert_eq!(
            view,
            "\
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib non-free non-free-firmware
Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: mirror+file:///etc/apt/mirrors/debian-security.list
Suites: bookworm-security
Components: main contrib non-free non-free-firmware
"
        );
    }

    #[test]
    fn one_line_sources_give_the_same_view_once_per_archive() {
        let lines = "\
deb cdrom:[Debian 12]/ bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ trixie main # own
deb [ signed-by=/k.gpg ] http://mirror.example/debian/ trixie-updates main
deb-src http://mirror.example/debian/ trixie main
deb https://tools.example/linux/debian trixie stable
";
        let view = private_view(&parse_lines(lines)).unwrap();
        assert_eq!(view.matches("URIs:").count(), 1, "{view}");
        assert!(view.contains("Suites: bookworm bookworm-updates bookworm-backports\n"), "{view}");
        assert!(view.ends_with("Signed-By: /k.gpg\n"), "{view}");
    }

    #[test]
    fn a_snapshot_is_an_archive() {
        let lines =
            "deb [check-valid-until=no] http://s.example/archive/debian/20250520T000000Z bookworm main";
        assert!(private_view(&parse_lines(lines)).is_some());
    }

    #[test]
    fn without_the_main_archive_there_is_no_view() {
        assert_eq!(private_view(&parse_lines("deb http://m.example/ubuntu noble main")), None);
        assert_eq!(
            private_view(&parse_lines("deb http://m.example/debian-security bookworm-security main")),
            None
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "(deb|Types|URIs|[ \\t\\n:\\[\\]#=]|\\PC){0,60}") {
            private_view(&parse_lines(&text));
            private_view(&parse_paragraphs(&text));
        }
    }
}
