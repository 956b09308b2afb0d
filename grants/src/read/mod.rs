//! What the files of each place say.

mod kernel;
mod linker;
mod systemd;
mod udev;

use spec::{GrantKind, TreePath};

use crate::place::{Found, Reader};
use crate::{FILE_MAX, Needs, Unread};

/// A file in a place that steers. Only those are read that are about more than their name.
pub(crate) fn file(
    path: &TreePath,
    found: Found<'_>,
    content: &mut dyn FnMut() -> Result<Vec<u8>, Unread>,
    needs: &mut Needs,
) {
    let name = path.file_name().unwrap_or_default();
    let read: fn(&TreePath, &str, &mut Needs) = match found.reader {
        Reader::Units => return units(path, &found, needs),
        Reader::Generators => return needs.add(path, None, GrantKind::Generators, name),
        Reader::Cri => return needs.add(path, None, GrantKind::Cri, name),
        Reader::Cni => return needs.add(path, None, GrantKind::Cni, name),
        Reader::Hooks => return needs.add(path, None, GrantKind::Hooks, path.as_str()),
        Reader::Presets => systemd::presets,
        Reader::Udev => udev::rules,
        Reader::Modprobe => kernel::modprobe,
        Reader::ModulesLoad => kernel::modules_load,
        Reader::Sysctl => kernel::sysctl,
        Reader::Tmpfiles => systemd::tmpfiles,
        Reader::Sysusers => systemd::sysusers,
        Reader::Binfmt => kernel::binfmt,
        Reader::Linker => linker::directories,
    };
    // There it comes before a file of the same name in /usr/lib, which may be the base's, and hides it.
    if path.components().nth(1) == Some("local") {
        needs.add(path, None, GrantKind::Hooks, path.as_str());
    }
    match content().map(String::from_utf8) {
        Ok(Ok(text)) if !text.chars().any(is_misleading) => read(path, &text, needs),
        Ok(_) => {
            let hint = "write it as UTF-8, with no control characters but tabs and the ends of lines";
            needs.refuse(path, None, "is read as text, and is none", hint);
        }
        Err(Unread::TooLarge) => {
            let what = format!("has more than {FILE_MAX} bytes, which is too many to see what it does");
            needs.refuse(path, None, what, "split it");
        }
        Err(Unread::Broken(what)) => needs.refuse(path, None, what, "build the image again"),
    }
}

/// Readers differ about what these are: to systemd a carriage return ends a line (`read_line`), to kmod it does not, and
/// what one takes for a comment the other would run. None of them takes blanks outside of ASCII for blanks.
fn is_misleading(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t')) || (c.is_whitespace() && !c.is_ascii()) || c == '\u{feff}'
}

/// A unit, or a drop-in for one: of a whole type where the directory is called like one (systemd.unit(5)). What it runs
/// is its own business, since there is nothing that a unit cannot do.
fn units(path: &TreePath, found: &Found<'_>, needs: &mut Needs) {
    let unit = match found.below.as_slice() {
        [name] => Some(*name),
        [directory, _] => directory.strip_suffix(".d").or(Some(path.file_name().unwrap_or_default())),
        _ => None,
    };
    match unit {
        Some(unit) => needs.add(path, None, GrantKind::Units, unit),
        None => needs.refuse(path, None, "is deeper among units than systemd reads", "leave it out"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a file of this content at this path needs: grants with their places, and complaints.
    pub(crate) fn needed(path: &str, text: &str) -> (Vec<String>, Vec<String>) {
        let path: TreePath = path.parse().unwrap();
        let mut needs = Needs::default();
        let found = crate::place::of(&path).unwrap();
        file(&path, found, &mut || Ok(text.as_bytes().to_vec()), &mut needs);
        let place =
            |at: Option<crate::At>| at.map(|at| format!("{}:{} ", at.line, at.column)).unwrap_or_default();
        (
            needs.needs.iter().map(|need| format!("{}{}", place(need.at), need.grant)).collect(),
            needs.opaque.iter().map(|opaque| format!("{}{}", place(opaque.at), opaque.what)).collect(),
        )
    }

    #[track_caller]
    pub(crate) fn grants(path: &str, text: &str, wanted: &[&str]) {
        let (needs, opaque) = needed(path, text);
        assert_eq!(
            (needs.as_slice(), opaque.as_slice()),
            (wanted.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>().as_slice(), &[][..])
        );
    }

    #[track_caller]
    pub(crate) fn refused(path: &str, text: &str, wanted: &str) {
        let (_, opaque) = needed(path, text);
        assert!(opaque.iter().any(|what| what.contains(wanted)), "{opaque:?} does not say {wanted:?}");
    }

    #[test]
    fn units_are_named_whatever_is_in_them() {
        let dir = "/usr/lib/systemd/system";
        grants(&format!("{dir}/a.service"), "\u{0}", &["units:a.service"]);
        grants(&format!("{dir}/sshd.service.d/x.conf"), "", &["units:sshd.service"]);
        grants(&format!("{dir}/service.d/x.conf"), "", &["units:service"]);
        grants(&format!("{dir}/multi-user.target.wants/a.service"), "", &["units:a.service"]);
        refused(&format!("{dir}/a/b/c.service"), "", "deeper");
        grants("/usr/lib/systemd/system-generators/g", "", &["generators:g"]);
        grants("/usr/lib/systemd/system-sleep/s", "", &["hooks:/usr/lib/systemd/system-sleep/s"]);
        grants(
            "/usr/share/dbus-1/system-services/x.service",
            "",
            &["hooks:/usr/share/dbus-1/system-services/x.service"],
        );
        grants("/opt/cni/bin/bridge", "", &["cni:bridge"]);
        grants("/usr/share/containers/oci/hooks.d/nvidia.json", "", &["cri:nvidia.json"]);
    }

    #[test]
    fn what_hides_a_file_of_the_base_is_more_than_what_it_says() {
        let path = "/usr/local/lib/sysctl.d/50-default.conf";
        grants(
            path,
            "kernel.sysrq=1",
            &["hooks:/usr/local/lib/sysctl.d/50-default.conf", "1:1 sysctl:kernel.sysrq"],
        );
    }

    #[test]
    fn what_is_no_text_is_not_guessed_at() {
        refused("/usr/lib/sysctl.d/x.conf", "a\u{0}b", "is none");
        refused("/usr/lib/sysctl.d/x.conf", "# harmless\rkernel.sysrq=1", "is none");
        refused("/usr/lib/modprobe.d/x.conf", "options a \\\r\ninstall evil /bin/sh", "is none");
        let path = "/usr/lib/sysctl.d/x.conf".parse().unwrap();
        let mut needs = Needs::default();
        let found = crate::place::of(&path).unwrap();
        file(&path, found.clone(), &mut || Err(Unread::TooLarge), &mut needs);
        file(&path, found, &mut || Ok(vec![0xff]), &mut needs);
        assert_eq!((needs.needs.len(), needs.opaque.len()), (0, 2));
    }
}
