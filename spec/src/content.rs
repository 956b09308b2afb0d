//! What an extension may hold: where its paths may be, and where its links may lead.
//!
//! The builder and the boot both ask here, so that nobody gets around a rule by packing an image without the builder.

use crate::listing::Kind;
use crate::{ExtensionName, KernelRelease, TreePath};

/// Where an extension may have files. Both are hierarchies that systemd-sysext merges too, so that one image serves.
pub const ROOTS: [&str; 2] = ["/usr", "/opt"];

/// Where the base keeps its own facts ([`crate::base::places`]).
pub const BASE_FACTS: &str = "/usr/lib/tenon";

/// Where systemd-sysext looks for what an image says of itself (systemd, man systemd-sysext(8)).
pub const RELEASE_FILES: &str = "/usr/lib/extension-release.d";

/// Places inside the roots that belong to the base or to the module index, with what to do instead. kmod reads
/// `depmod.d` (kmod, man depmod.d(5)). What else steers the machine needs a grant ([`crate::grant`]).
const RESERVED: [(&str, &str); 5] = [
    (BASE_FACTS, "the base keeps its own facts there"),
    ("/usr/lib/os-release", "only the base says what the OS is"),
    ("/usr/lib/depmod.d", "the order of modules is fixed by the runtime"),
    // kmod reads this as well (kmod, libkmod.c, default_config_paths).
    ("/usr/local/lib/depmod.d", "the order of modules is fixed by the runtime"),
    ("/lib", "use /usr/lib"),
];

/// Why something may not be in an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong, as a sentence that the path begins.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl Complaint {
    /// A complaint from its two halves.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Complaint {
        Complaint { what: what.into(), hint: hint.into() }
    }
}

/// May the extension `name`, whose modules are for `kernel`, have this path?
pub fn check_path(
    path: &TreePath,
    kind: Kind,
    name: &ExtensionName,
    kernel: Option<&KernelRelease>,
) -> Result<(), Complaint> {
    check_place(path, kind)?;
    check_release_file(path, kind, name)?;
    check_module_place(path, kind, name, kernel)
}

/// The part of [`check_path`] that is the same for every extension. A directory may also lie above the roots.
fn check_place(path: &TreePath, kind: Kind) -> Result<(), Complaint> {
    if let Some((_, why)) = RESERVED.iter().find(|(place, _)| within(path, place)) {
        return Err(Complaint::new("is reserved", *why));
    }
    let above_all = kind == Kind::Directory && *path == TreePath::root();
    if !above_all && !ROOTS.iter().any(|root| within(path, root)) {
        let roots = ROOTS.join(" and ");
        let hint = format!("extensions only add files below {roots}");
        return Err(Complaint::new(format!("is outside {roots}"), hint));
    }
    match path.file_name().is_some_and(|name| name.starts_with(".wh.")) {
        true => Err(Complaint::new("has the name of a whiteout", "extensions cannot take files away")),
        false => Ok(()),
    }
}

/// An extension speaks for itself only.
fn check_release_file(path: &TreePath, kind: Kind, name: &ExtensionName) -> Result<(), Complaint> {
    let own = match kind {
        Kind::Directory => path.as_str() == RELEASE_FILES,
        Kind::Leaf => path.as_str() == format!("{RELEASE_FILES}/extension-release.{name}"),
    };
    match own || !within(path, RELEASE_FILES) {
        true => Ok(()),
        false => {
            let hint = format!("the only file there is extension-release.{name}, which the builder writes");
            Err(Complaint::new("is reserved", hint))
        }
    }
}

fn check_module_place(
    path: &TreePath,
    kind: Kind,
    name: &ExtensionName,
    kernel: Option<&KernelRelease>,
) -> Result<(), Complaint> {
    let modules = "/usr/lib/modules";
    let allowed = kernel.map(|release| format!("{modules}/{release}/extra/{name}"));
    let elsewhere = !allowed.is_some_and(|allowed| within(path, &allowed));
    if within(path, modules) && kind == Kind::Leaf && elsewhere {
        let hint = format!(
            "modules go to {modules}/${{kernel.release}}/extra/{name}; name in-tree ones under modules:"
        );
        return Err(Complaint::new("is not a place for this extension's modules", hint));
    }
    Ok(())
}

/// May a symbolic link at `path` have this target? It must stay inside the roots wherever the image is laid: relative,
/// and not climbing out.
///
/// `..` may only lead. After a name it would climb from wherever that name leads, which may be another link, and not
/// from where the text says.
pub fn check_link(path: &TreePath, target: &str) -> Result<(), Complaint> {
    let shown = target.escape_debug();
    if target.starts_with('/') {
        let hint = "write the target relative to the link, so that it means the same below any root";
        return Err(Complaint::new(format!("is an absolute symbolic link to {shown}"), hint));
    }
    let outside = || {
        let roots = ROOTS.join(" and ");
        Complaint::new(
            format!("is a symbolic link to {shown}, which is outside {roots}"),
            format!("link only to files below {roots}"),
        )
    };
    let mut place: Vec<&str> = path.components().collect();
    place.pop();
    let mut descended = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if descended => {
                let what = format!("is a symbolic link to {shown}, which climbs after it has descended");
                return Err(Complaint::new(what, "write the target in its shortest form"));
            }
            ".." => {
                place.pop().ok_or_else(outside)?;
            }
            name => {
                descended = true;
                place.push(name);
            }
        }
    }
    let end = format!("/{}", place.join("/")).parse::<TreePath>();
    match end.is_ok_and(|end| ROOTS.iter().any(|root| within(&end, root))) {
        true => Ok(()),
        false => Err(outside()),
    }
}

fn within(path: &TreePath, place: &str) -> bool {
    place.parse().is_ok_and(|place| path.is_within(&place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(path: &str, kind: Kind) -> Result<(), String> {
        let (name, kernel) = ("acme".parse().unwrap(), "6.1.0".parse().unwrap());
        check_path(&path.parse().unwrap(), kind, &name, Some(&kernel)).map_err(|complaint| complaint.what)
    }

    fn file(path: &str) -> Result<(), String> {
        judge(path, Kind::Leaf)
    }

    fn link(target: &str) -> Result<(), String> {
        check_link(&"/usr/lib/x".parse().unwrap(), target).map_err(|complaint| complaint.what)
    }

    /// Both of these pass the validator of the nearest peer, which compares strings (trust.md, C4).
    #[test]
    fn paths_are_judged_by_component() {
        for good in ["/usr/bin/x", "/opt/x", "/usr/lib/tenon-tools/x", "/usr/lib/modprobe.d.txt"] {
            assert_eq!(file(good), Ok(()), "{good}");
        }
        for outside in ["/usrlocal/x", "/etc/passwd", "/x"] {
            assert_eq!(file(outside).unwrap_err(), "is outside /usr and /opt", "{outside}");
        }
        assert_eq!(judge("/", Kind::Directory), Ok(()));
        assert_eq!(file("/usr/lib/.wh.passwd").unwrap_err(), "has the name of a whiteout");
    }

    #[test]
    fn reserved_places_are_closed_even_to_directories() {
        for (place, _) in RESERVED {
            for path in [place.to_owned(), format!("{place}/x")] {
                assert_eq!(judge(&path, Kind::Directory).unwrap_err(), "is reserved", "{path}");
                assert_eq!(file(&path).unwrap_err(), "is reserved", "{path}");
            }
        }
    }

    #[test]
    fn an_extension_has_no_release_file_but_its_own() {
        let own = "/usr/lib/extension-release.d/extension-release.acme";
        assert_eq!(judge(RELEASE_FILES, Kind::Directory), Ok(()));
        assert_eq!(file(own), Ok(()));
        assert_eq!(judge(own, Kind::Directory).unwrap_err(), "is reserved");
        for other in ["", "/extension-release.acme2", "/extension-release.acme/x", "/x"] {
            assert_eq!(file(&format!("{RELEASE_FILES}{other}")).unwrap_err(), "is reserved", "{other}");
        }
    }

    #[test]
    fn modules_are_in_the_directory_of_their_extension() {
        assert_eq!(file("/usr/lib/modules/6.1.0/extra/acme/a.ko"), Ok(()));
        for elsewhere in
            ["6.1.0/kernel/a.ko", "6.1.0/modules.dep", "6.1.0/extra/acme2/a.ko", "6.2.0/extra/acme/a.ko"]
        {
            let path = format!("/usr/lib/modules/{elsewhere}");
            assert_eq!(file(&path).unwrap_err(), "is not a place for this extension's modules");
        }
        let (path, name) =
            ("/usr/lib/modules/6.1.0/extra/acme/a.ko".parse().unwrap(), "acme".parse().unwrap());
        assert!(check_path(&path, Kind::Leaf, &name, None).is_err(), "a module for no kernel");
    }

    #[test]
    fn links_stay_inside() {
        for good in ["libx.so.1", "../share/x", "./x", "./../x", "../../opt/x"] {
            assert_eq!(link(good), Ok(()), "{good}");
        }
        assert_eq!(link("/usr/lib/y").unwrap_err(), "is an absolute symbolic link to /usr/lib/y");
        for bad in ["../../etc/passwd", "../../../x", "../.."] {
            assert!(link(bad).unwrap_err().contains("outside /usr and /opt"), "{bad}");
        }
        assert_eq!(link("/a\nb").unwrap_err(), "is an absolute symbolic link to /a\\nb");
    }

    /// With `d -> ../../../opt` beside it, `d/../etc/shadow` is /etc/shadow.
    #[test]
    fn links_do_not_climb_out_of_other_links() {
        for bad in ["d/../etc/shadow", "d/..", "../d/./../x", "x/../../../etc"] {
            let what = link(bad).unwrap_err();
            assert!(what.ends_with("which climbs after it has descended"), "{bad}: {what}");
        }
    }
}
