//! What may be in an image. A thing passes by becoming the node that goes into the tree.

use std::fmt;

use sources::EntryKind;
use spec::content::{self, Complaint, RELEASE_FILES};
use spec::listing::Kind;
use spec::{Diagnose, ExtensionName, KernelRelease, Outcome, TreePath};
use squash::{Mode, Node};

/// Whose image it is; the two have different rights.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// An extension only adds, below [`content::ROOTS`].
    Extension {
        name: &'a ExtensionName,
        /// The kernel that modules are for.
        kernel: Option<&'a KernelRelease>,
    },
    /// The base OS owns every path, and still has no setuid files and no devices.
    Base,
}

/// A complaint about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// File, line and column of the manifest.
    pub place: String,
    /// The path in the image.
    pub path: TreePath,
    /// What is wrong with it.
    pub complaint: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.place, self.path, self.complaint)
    }
}

/// Everything that is wrong with the contents, at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", list(.0))]
pub(crate) struct LintError(pub Vec<Problem>);

fn list(problems: &[Problem]) -> String {
    match problems {
        [one] => one.to_string(),
        many => {
            let lines: String =
                many.iter().map(|problem| format!("\n  {problem}\n    ({})", problem.hint)).collect();
            format!("{} things cannot be in this image:{lines}", many.len())
        }
    }
}

impl Diagnose for LintError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self.0.as_slice() {
            [one] => Some(one.hint.clone()),
            _ => None,
        }
    }
}

/// Judges one thing; it passes as a node with normal permissions (0755 for directories and programs, else 0644), so
/// that they do not depend on anybody's umask.
pub(crate) fn admit(
    path: &TreePath,
    kind: EntryKind,
    place: &str,
    owner: Owner<'_>,
) -> Result<Node, Problem> {
    let refuse = |Complaint { what, hint }| Problem {
        place: place.to_owned(),
        path: path.clone(),
        complaint: what,
        hint,
    };
    if let Owner::Extension { name, kernel } = owner {
        let listed = match kind {
            EntryKind::Directory => Kind::Directory,
            _ => Kind::Leaf,
        };
        check_release_files(path).map_err(refuse)?;
        content::check_path(path, listed, name, kernel).map_err(refuse)?;
    }
    match kind {
        EntryKind::Directory => Ok(Node::Directory { mode: Mode::DIRECTORY }),
        EntryKind::File { mode, content } => {
            let mode = file_mode(mode).map_err(refuse)?;
            Ok(Node::File { mode, content })
        }
        EntryKind::HardLink { target } => Ok(Node::HardLink { target }),
        EntryKind::Symlink { target } => {
            if let Owner::Extension { .. } = owner {
                content::check_link(path, &target).map_err(refuse)?;
            }
            Ok(Node::Symlink { target })
        }
        EntryKind::Special(what) => {
            let hint = "images hold directories, files and symbolic links only; leave it out";
            Err(refuse(Complaint::new(format!("is {what}"), hint)))
        }
    }
}

/// The image will have a release file, but not from its contents.
fn check_release_files(path: &TreePath) -> Result<(), Complaint> {
    match RELEASE_FILES.parse().is_ok_and(|place| path.is_within(&place)) {
        true => Err(Complaint::new("is reserved", "the builder writes that file itself")),
        false => Ok(()),
    }
}

/// 0755 for what its owner may run, else 0644. Special bits and files that all may write are refused, not repaired:
/// who packed them may have relied on them.
fn file_mode(mode: u32) -> Result<Mode, Complaint> {
    let special =
        [(0o4000, "setuid"), (0o2000, "setgid"), (0o1000, "sticky"), (0o002, "writable for everybody")];
    if let Some((_, what)) = special.iter().find(|(bit, _)| mode & bit != 0) {
        let hint = "images are mounted nosuid and read-only; remove the bit where the file is packed";
        return Err(Complaint::new(format!("is {what} (mode {mode:04o})"), hint));
    }
    match mode & 0o100 {
        0 => Ok(Mode::FILE),
        _ => Ok(Mode::DIRECTORY),
    }
}

#[cfg(test)]
mod tests {
    use squash::Content;

    use super::*;

    fn file(mode: u32) -> EntryKind {
        EntryKind::File { mode, content: Content::Bytes(Vec::new()) }
    }

    fn link(target: &str) -> EntryKind {
        EntryKind::Symlink { target: target.to_owned() }
    }

    fn judge(path: &str, kind: EntryKind) -> Result<Node, String> {
        let (name, kernel) = ("acme".parse().unwrap(), "6.1.0".parse().unwrap());
        let owner = Owner::Extension { name: &name, kernel: Some(&kernel) };
        admit(&path.parse().unwrap(), kind, "e.yaml:1:1", owner).map_err(|problem| problem.complaint)
    }

    #[test]
    fn permissions_become_one_of_two() {
        let mode = |bits| match judge("/usr/bin/x", file(bits)).unwrap() {
            Node::File { mode, .. } => mode.bits(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [mode(0o700), mode(0o777 & !0o002), mode(0o664), mode(0o400)],
            [0o755, 0o755, 0o644, 0o644]
        );
    }

    #[test]
    fn whatever_could_raise_rights_is_refused() {
        assert_eq!(judge("/usr/bin/su", file(0o4755)).unwrap_err(), "is setuid (mode 4755)");
        assert_eq!(judge("/usr/bin/su", file(0o2755)).unwrap_err(), "is setgid (mode 2755)");
        assert_eq!(judge("/usr/bin/su", file(0o666)).unwrap_err(), "is writable for everybody (mode 0666)");
        assert_eq!(
            judge("/usr/lib/null", EntryKind::Special("a device node".into())).unwrap_err(),
            "is a device node"
        );
        let base = admit(&"/bin/su".parse().unwrap(), file(0o4755), "b.yaml:1:1", Owner::Base);
        assert_eq!(base.unwrap_err().complaint, "is setuid (mode 4755)");
    }

    /// The rules themselves are in [`spec::content`].
    #[test]
    fn paths_and_links_are_judged() {
        assert!(judge("/usr/lib/modules/6.1.0/extra/acme/a.ko", file(0o644)).is_ok());
        assert_eq!(judge("/usr/lib/depmod.d/x.conf", file(0o644)).unwrap_err(), "is reserved");
        assert_eq!(judge("/etc", EntryKind::Directory).unwrap_err(), "is outside /usr and /opt");
        assert!(judge("/usr/lib/x", link("../share/x")).is_ok());
        assert!(judge("/usr/lib/x", link("d/../../opt")).unwrap_err().contains("climbs"));
    }

    #[test]
    fn contents_have_no_release_file() {
        for name in ["acme", "other"] {
            let path = format!("/usr/lib/extension-release.d/extension-release.{name}");
            assert_eq!(judge(&path, file(0o644)).unwrap_err(), "is reserved");
        }
    }
}
