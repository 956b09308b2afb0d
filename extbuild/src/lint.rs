//! What may be in an image. A thing passes by becoming the node that goes into the tree.

use std::fmt;

use spec::{Diagnose, ExtensionName, KernelRelease, Outcome, TreePath};
use squash::{Mode, Node};

use crate::source::EntryKind;

/// Whose image it is; the two have different rights.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// An extension only adds, below [`EXTENSION_ROOTS`].
    Extension {
        name: &'a ExtensionName,
        /// The kernel that modules are for.
        kernel: Option<&'a KernelRelease>,
    },
    /// The base OS owns every path, and still has no setuid files and no devices.
    Base,
}

/// Where an extension may have files. Both are hierarchies that systemd-sysext merges too, so that one image serves.
pub(crate) const EXTENSION_ROOTS: [&str; 2] = ["/usr", "/opt"];

/// Places inside those roots that belong to the base, to Tenon or to the module index, with what to do instead.
const RESERVED: [(&str, &str); 6] = [
    ("/usr/lib/tenon", "the base keeps its own facts there"),
    ("/usr/lib/extension-release.d", "the builder writes that file itself"),
    ("/usr/lib/os-release", "only the base says what the OS is"),
    ("/usr/lib/depmod.d", "the order of modules is fixed by the runtime"),
    ("/usr/lib/modprobe.d", "an extension may not steer how modules are loaded"),
    ("/lib", "use /usr/lib"),
];

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
    let refuse = |(complaint, hint): (String, String)| Problem {
        place: place.to_owned(),
        path: path.clone(),
        complaint,
        hint,
    };
    if let Owner::Extension { name, kernel } = owner {
        check_place(path, matches!(kind, EntryKind::Directory), name, kernel).map_err(refuse)?;
    }
    match kind {
        EntryKind::Directory => Ok(Node::Directory { mode: Mode::DIRECTORY }),
        EntryKind::File { mode, content } => {
            let mode = file_mode(mode).map_err(refuse)?;
            Ok(Node::File { mode, content })
        }
        EntryKind::Symlink { target } => {
            if let Owner::Extension { .. } = owner {
                check_target(path, &target).map_err(refuse)?;
            }
            Ok(Node::Symlink { target })
        }
        EntryKind::Special(what) => {
            let hint = "images hold directories, files and symbolic links only; leave it out".to_owned();
            Err(refuse((format!("is {what}"), hint)))
        }
    }
}

type Complaint = (String, String);

/// Is the path where an extension may have something? A directory may also lie above the roots.
fn check_place(
    path: &TreePath,
    is_directory: bool,
    name: &ExtensionName,
    kernel: Option<&KernelRelease>,
) -> Result<(), Complaint> {
    let within = |root: &str| root.parse().is_ok_and(|root| path.is_within(&root));
    let above_all = is_directory && *path == TreePath::root();
    if let Some((_, why)) = RESERVED.iter().find(|(place, _)| within(place)) {
        return Err(("is reserved".to_owned(), (*why).to_owned()));
    }
    if !above_all && !EXTENSION_ROOTS.iter().any(|root| within(root)) {
        let roots = EXTENSION_ROOTS.join(" and ");
        return Err((format!("is outside {roots}"), format!("extensions only add files below {roots}")));
    }
    let modules = "/usr/lib/modules";
    if within(modules) && !is_directory {
        let allowed = kernel.map(|release| format!("{modules}/{release}/extra/{name}"));
        if !allowed.as_deref().is_some_and(within) {
            let hint = format!(
                "modules go to {modules}/${{kernel.release}}/extra/{name}; name in-tree ones under modules:"
            );
            return Err(("is not a place for this extension's modules".to_owned(), hint));
        }
    }
    if path.file_name().is_some_and(|name| name.starts_with(".wh.")) {
        return Err((
            "has the name of a whiteout".to_owned(),
            "extensions cannot take files away".to_owned(),
        ));
    }
    Ok(())
}

/// 0755 for what its owner may run, else 0644. Special bits and files that all may write are refused, not repaired:
/// who packed them may have relied on them.
fn file_mode(mode: u32) -> Result<Mode, Complaint> {
    let special =
        [(0o4000, "setuid"), (0o2000, "setgid"), (0o1000, "sticky"), (0o002, "writable for everybody")];
    if let Some((_, what)) = special.iter().find(|(bit, _)| mode & bit != 0) {
        let hint =
            "images are mounted nosuid and read-only; remove the bit where the file is packed".to_owned();
        return Err((format!("is {what} (mode {mode:04o})"), hint));
    }
    match mode & 0o100 {
        0 => Ok(Mode::FILE),
        _ => Ok(Mode::DIRECTORY),
    }
}

/// A link must stay inside the roots wherever the image is laid: relative, and not climbing out.
fn check_target(path: &TreePath, target: &str) -> Result<(), Complaint> {
    if target.starts_with('/') {
        let hint =
            "write the target relative to the link, so that it means the same below any root".to_owned();
        return Err((format!("is an absolute symbolic link to {target}"), hint));
    }
    let mut place: Vec<&str> = path.components().collect();
    place.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if place.pop().is_none() => {
                return Err(escape(target));
            }
            ".." => {}
            name => place.push(name),
        }
    }
    let end = format!("/{}", place.join("/"));
    let inside = |root: &&str| matches!((end.parse::<TreePath>(), root.parse()), (Ok(end), Ok(root)) if end.is_within(&root));
    match EXTENSION_ROOTS.iter().any(inside) {
        true => Ok(()),
        false => Err(escape(target)),
    }
}

fn escape(target: &str) -> Complaint {
    let roots = EXTENSION_ROOTS.join(" and ");
    (
        format!("is a symbolic link to {target}, which is outside {roots}"),
        format!("link only to files below {roots}"),
    )
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
            judge("/usr/lib/null", EntryKind::Special("a device node")).unwrap_err(),
            "is a device node"
        );
        let base = admit(&"/bin/su".parse().unwrap(), file(0o4755), "b.yaml:1:1", Owner::Base);
        assert_eq!(base.unwrap_err().complaint, "is setuid (mode 4755)");
    }

    /// Both of these pass the validator of the nearest peer, which compares strings (trust.md, C4).
    #[test]
    fn paths_are_judged_by_component() {
        assert!(judge("/usr/bin/x", file(0o755)).is_ok());
        assert!(judge("/opt/x", file(0o755)).is_ok());
        for outside in ["/usrlocal/x", "/etc/passwd", "/x"] {
            assert_eq!(judge(outside, file(0o644)).unwrap_err(), "is outside /usr and /opt", "{outside}");
        }
        assert_eq!(judge("/usr/lib/tenon/kabi.db", file(0o644)).unwrap_err(), "is reserved");
        assert!(judge("/usr/lib/tenon-tools/x", file(0o644)).is_ok());
        assert!(judge("/usr/lib/modules/6.1.0/extra/acme/a.ko", file(0o644)).is_ok());
        for elsewhere in
            ["6.1.0/kernel/a.ko", "6.1.0/modules.dep", "6.1.0/extra/acme2/a.ko", "6.2.0/extra/acme/a.ko"]
        {
            let path = format!("/usr/lib/modules/{elsewhere}");
            assert_eq!(judge(&path, file(0o644)).unwrap_err(), "is not a place for this extension's modules");
        }
        assert_eq!(judge("/usr/lib/.wh.passwd", file(0o644)).unwrap_err(), "has the name of a whiteout");
    }

    #[test]
    fn links_stay_inside() {
        for good in ["libx.so.1", "../share/x", "./x", "../../opt/x"] {
            assert!(judge("/usr/lib/x", link(good)).is_ok(), "{good}");
        }
        assert_eq!(
            judge("/usr/lib/x", link("/usr/lib/y")).unwrap_err(),
            "is an absolute symbolic link to /usr/lib/y"
        );
        for bad in ["../../etc/passwd", "../../../x", "../..", "x/../../../etc"] {
            assert!(judge("/usr/lib/x", link(bad)).unwrap_err().contains("outside /usr and /opt"), "{bad}");
        }
    }
}
