//! What is in the cache of inputs: one line per package, so that a warm run need ask nobody.

use std::fmt;
use std::str::FromStr;

use spec::Digest;

/// One package of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deb {
    /// Package name.
    pub package: String,
    /// The archive's file name: `package_version_architecture.deb`, with `%3a` for the colon of an epoch.
    pub file: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256, as the archive's signed lists give it; apt has checked the file against it.
    pub digest: Digest,
}

impl Deb {
    /// One line of `apt-get download --print-uris`: `'URI' FILE BYTES SHA256:HEX`. Nothing if it is another line.
    pub fn from_uri_line(line: &str) -> Option<Deb> {
        let [uri, file, bytes, hash] = words(line)?;
        let quoted = uri.starts_with('\'') && uri.ends_with('\'');
        quoted.then_some(())?;
        Deb::new(file, bytes, hash.strip_prefix("SHA256:")?)
    }

    /// Version, with the colon of an epoch as it is.
    pub fn version(&self) -> String {
        self.file.split('_').nth(1).unwrap_or_default().replace("%3a", ":")
    }

    /// The name without a version that manifests and tests use: `package.deb`.
    pub fn stable_name(&self) -> String {
        format!("{}.deb", self.package)
    }

    /// The file name becomes a path below the cache, so it is one plain name.
    fn new(file: &str, bytes: &str, hex: &str) -> Option<Deb> {
        let (package, rest) = file.split_once('_')?;
        let plain = file.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._~%".contains(&b));
        let sound = plain && !package.is_empty() && !package.starts_with('.') && rest.ends_with(".deb");
        sound.then_some(())?;
        Some(Deb {
            package: package.to_owned(),
            file: file.to_owned(),
            bytes: bytes.parse().ok()?,
            digest: Digest::from_hex(hex).ok()?,
        })
    }
}

/// A line of the record: `FILE BYTES HEX`.
impl fmt::Display for Deb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.file, self.bytes, self.digest.hex())
    }
}

/// All packages of the cache, and what was asked for when they were chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The request. Another request, of a newer checkout, makes the record void.
    pub request: String,
    /// The answer.
    pub debs: Vec<Deb>,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        self.debs.iter().try_for_each(|deb| writeln!(f, "{deb}"))
    }
}

/// The text is no record that this version of xtask has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a record of inputs")]
pub struct RecordError;

impl FromStr for Record {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Record, RecordError> {
        let mut lines = text.lines();
        let request = lines.next().ok_or(RecordError)?.to_owned();
        let debs = lines.map(|line| {
            let [file, bytes, hex] = words(line).ok_or(RecordError)?;
            Deb::new(file, bytes, hex).ok_or(RecordError)
        });
        Ok(Record { request, debs: debs.collect::<Result<_, _>>()? })
    }
}

/// Exactly `N` words.
fn words<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split_whitespace().collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "3d3fdbe91d4660c873e14b092c213fe81c1da6362daa236eb25d0171eb108744";

    fn uri_line(file: &str) -> String {
        format!("'http://m.example/pool/b.deb' {file} 928188 SHA256:{HEX}")
    }

    #[test]
    fn a_line_of_apt_names_package_version_size_and_digest() {
        let deb = Deb::from_uri_line(&uri_line("busybox-static_1%3a1.35.0-4+deb12u1+b1_amd64.deb")).unwrap();
        assert_eq!(deb.package, "busybox-static");
        assert_eq!(deb.version(), "1:1.35.0-4+deb12u1+b1");
        assert_eq!(deb.stable_name(), "busybox-static.deb");
        assert_eq!((deb.bytes, deb.digest.hex().as_str()), (928_188, HEX));
    }

    #[test]
    fn a_file_name_cannot_leave_the_cache() {
        for file in
            ["../x_1_all.deb", "x_1_all.deb/../y_1_all.deb", "_1_all.deb", ".x_1_all.deb", "x_1_all.sh"]
        {
            assert_eq!(Deb::from_uri_line(&uri_line(file)), None, "{file}");
        }
        assert_eq!(Deb::from_uri_line("Reading package lists..."), None);
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let deb = Deb::from_uri_line(&uri_line("x_1_all.deb")).unwrap();
        let record = Record { request: "a b".into(), debs: vec![deb.clone(), deb] };
        assert_eq!(record.to_string().parse(), Ok(record));
        assert_eq!("a b\nx_1_all.deb 12".parse::<Record>(), Err(RecordError));
        assert_eq!("".parse::<Record>(), Err(RecordError));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<Record>();
            Deb::from_uri_line(&text);
        }
    }
}
