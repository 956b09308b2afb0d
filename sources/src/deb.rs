//! Debian packages (deb(5)): an ar archive whose third member `data.tar*` holds the files.

use std::fs::File;
use std::path::Path;

use crate::ar::{Member, Members};
use crate::compression::Compression;
use crate::entry::Entry;
use crate::error::{Problem, SourceError};
use crate::region::Region;
use crate::spool::Spool;
use crate::tar;

/// Lists the files that a package installs. Its maintainer scripts are not run and not looked at. `path` names the
/// package in errors.
pub fn list_deb(file: File, path: &Path) -> Result<Vec<Entry>, SourceError> {
    list(file).map_err(|problem| problem.of_archive(path))
}

fn list(file: File) -> Result<Vec<Entry>, Problem> {
    let (data, compression) = data(&Region::whole(file).map_err(Problem::Read)?)?;
    let mut spool = Spool::new();
    let archive = compression.unpack(&data, &mut spool)?;
    Ok(tar::read(&archive, &mut spool)?.into_entries()?)
}

/// The member with the files: `debian-binary` is before it, which says that the package is of version 2, then
/// `control.tar*`, and maybe members whose names begin with `_`. What is behind it is ignored, as deb(5) demands.
fn data(package: &Region) -> Result<(Region, Compression), Problem> {
    let mut members = Members::new(package)?;
    let mut next = |wanted: &str| match members.next()? {
        Some(member) => Ok(member),
        None => Err(Problem::Unsound(format!("it has no member {wanted}, so it is no Debian package"))),
    };
    check_version(&next("debian-binary")?)?;
    let control = next("control.tar")?;
    if !control.name.starts_with("control.tar") {
        return Err(format!("its second member is {}, and not control.tar", control.name).into());
    }
    let mut member = next("data.tar")?;
    while member.name.starts_with('_') {
        member = next("data.tar")?;
    }
    let compression = match member.name.as_str() {
        "data.tar" => Compression::None,
        "data.tar.gz" => Compression::Gzip,
        "data.tar.xz" => Compression::Xz,
        "data.tar.zst" => Compression::Zstd,
        other if other.starts_with("data.tar") => {
            return Err(format!("{other} is compressed in an unknown way").into());
        }
        other => return Err(format!("{other} is in the place of data.tar").into()),
    };
    Ok((member.data, compression))
}

/// Higher minor versions may add lines and members.
fn check_version(member: &Member) -> Result<(), Problem> {
    let mut start = [0; 2];
    member.data.read_at(0, &mut start).map_err(Problem::Read)?;
    match member.name == "debian-binary" && &start == b"2." {
        true => Ok(()),
        false => Err("it does not begin with a debian-binary of version 2, so it is no Debian package"
            .to_owned()
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{FILE, ar, file, paths, tar};

    const VERSION: (&str, &[u8]) = ("debian-binary", b"2.0\n");
    const CONTROL: (&str, &[u8]) = ("control.tar.xz", b"not looked at");

    fn listed(members: &[(&str, &[u8])]) -> Result<Vec<String>, String> {
        let entries = list_deb(file(&ar(members)), Path::new("a.deb"));
        entries.map(|entries| paths(&entries)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_files_of_a_package_are_listed() {
        let plain = tar(&[FILE]);
        let zstd = zstd::encode_all(&plain[..], 3).unwrap();
        for data in [("data.tar", &plain[..]), ("data.tar.zst", &zstd)] {
            assert_eq!(listed(&[VERSION, CONTROL, data]).unwrap(), ["/file"]);
        }
        let later = [("data.tar", &plain[..]), ("data.tar", &b"ignored"[..])];
        assert_eq!(listed(&[VERSION, CONTROL, ("_note", b""), later[0], later[1]]).unwrap(), ["/file"]);
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let data = ("data.tar", &tar(&[FILE])[..]);
        for (members, problem) in [
            (
                &[CONTROL, data][..],
                "it does not begin with a debian-binary of version 2, so it is no Debian package",
            ),
            (
                &[("debian-binary", b"3.0\n"), CONTROL, data],
                "it does not begin with a debian-binary of version 2, so it is no Debian package",
            ),
            (&[VERSION, data], "its second member is data.tar, and not control.tar"),
            (&[VERSION, CONTROL], "it has no member data.tar, so it is no Debian package"),
            (&[VERSION, CONTROL, ("other", b"")], "other is in the place of data.tar"),
            (&[VERSION, CONTROL, ("data.tar.lzma", b"")], "data.tar.lzma is compressed in an unknown way"),
        ] {
            assert_eq!(listed(members).unwrap_err(), format!("a.deb is not a sound archive: {problem}"));
        }
    }

    proptest! {
        #[test]
        fn a_changed_package_is_listed_or_refused(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            end in any::<prop::sample::Index>(),
        ) {
            let mut package = ar(&[VERSION, CONTROL, ("data.tar", &tar(&[FILE]))]);
            for (place, byte) in changes {
                *place.get_mut(&mut package) = byte;
            }
            let _ = list_deb(file(&package), Path::new("a.deb"));
            let _ = list_deb(file(&package[..end.index(package.len())]), Path::new("a.deb"));
        }
    }
}
