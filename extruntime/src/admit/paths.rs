//! May an extension have these paths? Extensions only add, and only where there is room for them.

use std::collections::BTreeSet;

use spec::content::{BASE_FACTS, check_path};
use spec::defence::{self, Threat};
use spec::listing::{Kind, Listing};
use spec::{KernelRelease, ModuleName, Reason, ReasonCode, TreePath};

use super::set::Member;

/// Reasons that are worth listing; an image for another base may have thousands.
const REASONS_MAX: usize = 8;

/// What stands against the paths of one extension on this base.
pub(super) fn objections(member: &Member<'_>, base: &Listing, kernel: &KernelRelease) -> Vec<Reason> {
    let Member { config, listing, record } = *member;
    // An extension without modules names no kernel.
    let made_for = config.kernel.as_ref().unwrap_or(kernel);
    let facts = fixed(BASE_FACTS);
    let index = fixed(&format!("/usr/lib/modules/{kernel}"));
    let known: BTreeSet<&TreePath> = record.modules().iter().map(|module| &module.path).collect();
    let own = listing.iter().filter_map(|(path, kind)| {
        if path.is_within(&facts) || is_index_file(path, kind, &index) {
            return Some(collision(path, "belongs to the base alone"));
        }
        if let Err(complaint) = check_path(path, kind, &config.name, Some(made_for)) {
            return Some(malformed(path, &complaint.what).hint(complaint.hint));
        }
        if path.parent().is_some_and(|parent| !is_directory(listing, &parent)) {
            return Some(malformed(path, "is listed without the directory that holds it"));
        }
        let module = kind == Kind::Leaf && path.file_name().and_then(ModuleName::from_file_name).is_some();
        (module && !known.contains(path))
            .then(|| malformed(path, "is a kernel module that the kernel ABI record does not have"))
    });
    let replaced = |path: &&TreePath| listing.get(path) == Some(Kind::Leaf) && config.replaces(path, base);
    let shared = listing.collisions(base).filter(|path| !replaced(path) && defence::stands(Threat::C2));
    let shared = shared.map(|path| collision(path, "is in the base already"));
    own.chain(shared).take(REASONS_MAX).collect()
}

/// What stands against `listing` beside `other`, which is the extension `name`.
pub(super) fn collisions(listing: &Listing, name: &str, other: &Listing) -> Vec<Reason> {
    let shared = listing.collisions(other).filter(|_| defence::stands(Threat::C3));
    shared.map(|path| collision(path, &format!("is in the extension {name} too"))).take(REASONS_MAX).collect()
}

fn is_directory(listing: &Listing, path: &TreePath) -> bool {
    *path == TreePath::root() || listing.get(path) == Some(Kind::Directory)
}

/// The files that depmod writes and we write instead (kmod, `tools/depmod.c`): all are called `modules.` something.
fn is_index_file(path: &TreePath, kind: Kind, directory: &TreePath) -> bool {
    let name = path.file_name().unwrap_or_default();
    kind == Kind::Leaf && name.starts_with("modules.") && path.parent().as_ref() == Some(directory)
}

fn collision(path: &TreePath, what: &str) -> Reason {
    Reason::new(ReasonCode::PathCollision, format!("{path} {what}")).subject(path.as_str())
}

fn malformed(path: &TreePath, what: &str) -> Reason {
    Reason::new(ReasonCode::MalformedArtifact, format!("{path} {what}")).subject(path.as_str())
}

fn fixed(path: &str) -> TreePath {
    path.parse().expect("a fixed path and a kernel release make a sound path")
}

#[cfg(test)]
mod tests {
    use kabi::Record;
    use spec::artifact::ExtensionConfig;

    use super::*;

    fn listing(lines: &[&str]) -> Listing {
        Listing::parse(&lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap()
    }

    fn codes(lines: &[&str]) -> Vec<(ReasonCode, String)> {
        granted(lines, &[])
    }

    fn granted(lines: &[&str], grants: &[&str]) -> Vec<(ReasonCode, String)> {
        let base = ["/usr/", "/usr/bin/", "/usr/bin/sh", "/usr/lib/", "/usr/lib/modules/"];
        let modules = ["/usr/lib/modules/6.1.0/", "/usr/lib/modules/6.1.0/base.ko", "/usr/lib64"];
        let base = listing(&[&base[..], &modules].concat());
        let kernel = "6.1.0".parse().unwrap();
        let config = r#"{"schemaVersion":1,"name":"acme","version":"1.0.0","arch":"amd64","content":{"inodes":0,"bytes":0}}"#;
        let mut config: ExtensionConfig = serde_json::from_str(config).unwrap();
        config.grants = grants.iter().map(|grant| grant.parse().unwrap()).collect();
        let (listing, record) = (listing(lines), Record::default());
        let member = Member { config: &config, listing: &listing, record: &record };
        let reasons = objections(&member, &base, &kernel);
        reasons.into_iter().map(|reason| (reason.code, reason.subject.unwrap())).collect()
    }

    #[test]
    fn new_files_below_usr_and_opt_are_welcome() {
        assert_eq!(codes(&["/opt/", "/opt/x", "/usr/", "/usr/bin/", "/usr/bin/wg"]), []);
    }

    #[test]
    fn nothing_of_the_base_is_replaced() {
        use ReasonCode::{MalformedArtifact, PathCollision};
        assert_eq!(codes(&["/usr/", "/usr/bin/", "/usr/bin/sh"]), [(PathCollision, "/usr/bin/sh".into())]);
        assert_eq!(codes(&["/usr/", "/usr/bin"]), [(PathCollision, "/usr/bin".into())]);
        // The base has /usr/lib64 as a link: a directory of that name would hide it, and leaving it out of the list
        // does not help.
        let through = ["/usr/", "/usr/lib64/", "/usr/lib64/ld.so"];
        assert_eq!(codes(&through), [(PathCollision, "/usr/lib64".into())]);
        assert_eq!(codes(&["/usr/", "/usr/lib64/ld.so"]), [(MalformedArtifact, "/usr/lib64/ld.so".into())]);
    }

    #[test]
    fn a_grant_replaces_one_file_and_never_a_directory() {
        use ReasonCode::PathCollision;
        let shell = ["/usr/", "/usr/bin/", "/usr/bin/sh"];
        assert_eq!(granted(&shell, &["replaces:/usr/bin/sh"]), []);
        for other in ["replaces:/usr/bin", "replaces:/usr/bin/", "replaces:/usr/bin/s", "hooks:/usr/bin/sh"] {
            assert_eq!(granted(&shell, &[other]), [(PathCollision, "/usr/bin/sh".into())], "{other}");
        }
        // A leaf over a directory, and a directory over a leaf.
        assert_eq!(
            granted(&["/usr/", "/usr/bin"], &["replaces:/usr/bin"]),
            [(PathCollision, "/usr/bin".into())]
        );
        let over = ["/usr/", "/usr/lib64/"];
        assert_eq!(granted(&over, &["replaces:/usr/lib64"]), [(PathCollision, "/usr/lib64".into())]);
    }

    #[test]
    fn no_grant_opens_what_is_of_the_base_alone() {
        let modules = ["/usr/", "/usr/lib/", "/usr/lib/modules/", "/usr/lib/modules/6.1.0/"];
        for file in ["modules.dep", "base.ko"].map(|name| format!("/usr/lib/modules/6.1.0/{name}")) {
            let said = granted(&[&modules[..], &[&file]].concat(), &[&format!("replaces:{file}")]);
            assert!(said.iter().any(|(_, path)| *path == file), "{file}: {said:?}");
        }
        let facts = ["/usr/", "/usr/lib/", "/usr/lib/tenon/", "/usr/lib/tenon/kabi.db"];
        let said = granted(&facts, &["replaces:/usr/lib/tenon/kabi.db"]);
        assert!(said.contains(&(ReasonCode::PathCollision, "/usr/lib/tenon/kabi.db".into())), "{said:?}");
    }

    #[test]
    fn no_grant_replaces_a_file_of_another_extension() {
        let both = listing(&["/usr/", "/usr/bin/", "/usr/bin/wg"]);
        assert_eq!(collisions(&both, "other", &both).len(), 1);
    }

    #[test]
    fn places_of_others_are_closed() {
        use ReasonCode::{MalformedArtifact, PathCollision};
        assert_eq!(codes(&["/etc/", "/etc/passwd"])[0], (MalformedArtifact, "/etc".into()));
        assert_eq!(codes(&["/usr-x/"]), [(MalformedArtifact, "/usr-x".into())]);
        let own = ["/usr/", "/usr/lib/", "/usr/lib/tenon/", "/usr/lib/tenon/kabi.db"];
        assert!(codes(&own).contains(&(PathCollision, "/usr/lib/tenon/kabi.db".into())));
        let index = ["/usr/", "/usr/lib/", "/usr/lib/modules/", "/usr/lib/modules/6.1.0/"];
        let with = [&index[..], &["/usr/lib/modules/6.1.0/modules.dep"]].concat();
        assert_eq!(codes(&with), [(PathCollision, "/usr/lib/modules/6.1.0/modules.dep".into())]);
    }

    #[test]
    fn no_module_goes_unjudged() {
        let hidden = ["/opt/", "/opt/evil.ko.xz"];
        assert_eq!(codes(&hidden), [(ReasonCode::MalformedArtifact, "/opt/evil.ko.xz".into())]);
    }

    #[test]
    fn a_list_of_reasons_stays_readable() {
        let many: Vec<String> = (10..90).map(|n| format!("/etc/{n}")).collect();
        let lines: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(codes(&lines).len(), REASONS_MAX);
    }
}
