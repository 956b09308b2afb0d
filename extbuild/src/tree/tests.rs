#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use spec::ExtensionName;
use spec::manifest::Manifest;

use super::*;

/// A manifest with two sources in directories of their own, and what a test writes for its contents.
struct Author(tempfile::TempDir);

impl Author {
    fn new() -> Author {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [("one/a/x", "1"), ("two/a/x", "2"), ("two/a/y/z", "3")] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Author(dir)
    }

    fn collect(&self, contents: &[(&str, &str, &str)]) -> Tree {
        let contents: String = contents
            .iter()
            .map(|(from, path, to)| format!("- {{from: {from}, path: {path}, to: {to}}}\n"))
            .collect();
        let text = format!(
            "apiVersion: v1alpha1\nkind: Extension\nname: acme\nversion: 1.0.0\n\
            sources: {{one: {{dir: one}}, two: {{dir: two}}}}\ncontents:\n{contents}"
        );
        let manifest = Manifest::parse(&text, "e.yaml").unwrap();
        let search = SearchPath { manifest: self.0.path().to_owned(), others: Vec::new() };
        let name: ExtensionName = "acme".parse().unwrap();
        let owner = Owner::Extension { name: &name, kernel: None };
        collect(&manifest.payload, &Variables::default(), &search, owner).unwrap()
    }
}

#[test]
fn contents_meet_in_directories() {
    let tree = Author::new().collect(&[("one", "/", "/usr"), ("two", "/a/y", "/usr/a/y")]);
    assert_eq!(tree.listing().to_text(), "/usr/\n/usr/a/\n/usr/a/x\n/usr/a/y/\n/usr/a/y/z\n");
}

#[test]
fn a_conflict_names_both_contents_and_their_sources() {
    let content = |from: &str, place: &str| Content {
        from: from.to_owned(),
        path: Template::literal("/"),
        to: Template::literal("/usr"),
        executable: false,
        place: place.to_owned(),
    };
    let (tools, extra) = (content("tools", "a.yaml:9:5"), content("extra", "a.yaml:12:5"));
    let file = || Node::File { mode: squash::Mode::FILE, content: squash::Content::Bytes(Vec::new()) };
    let message = |first: &str, second: &str| {
        let admitted =
            vec![(first.parse().unwrap(), file(), &tools), (second.parse().unwrap(), file(), &extra)];
        assemble(admitted).unwrap_err().to_string()
    };
    assert_eq!(
        message("/usr/bin/x", "/usr/bin/x"),
        "a.yaml:12:5: /usr/bin/x comes from the source \"extra\" and also, at a.yaml:9:5, from \"tools\""
    );
    assert_eq!(
        message("/usr/bin", "/usr/bin/x"),
        "a.yaml:9:5: /usr/bin from the source \"tools\" is not a directory, but /usr/bin/x comes, at a.yaml:12:5, from \"extra\""
    );
    assert_eq!(
        message("/usr/bin/x", "/usr/bin"),
        "a.yaml:12:5: /usr/bin from the source \"extra\" is not a directory, but /usr/bin/x comes, at a.yaml:9:5, from \"tools\""
    );
}

#[test]
fn names_of_one_file_stay_names_of_one_file() {
    let author = Author::new();
    let link =
        |name: &str| std::fs::hard_link(author.0.path().join("one/a/x"), author.0.path().join(name)).unwrap();
    ["one/0", "one/b", "one/c"].into_iter().for_each(link);
    let shown = |contents: &[(&str, &str, &str)]| -> Vec<String> {
        let tree = author.collect(contents);
        let leaf = |(path, node): (&TreePath, &Node)| match node {
            Node::HardLink { target } => Some(format!("{path} -> {target}")),
            Node::File { .. } => Some(path.to_string()),
            _ => None,
        };
        tree.iter().filter_map(leaf).collect()
    };
    assert_eq!(
        shown(&[("one", "/", "/usr")]),
        ["/usr/0", "/usr/a/x -> /usr/0", "/usr/b -> /usr/0", "/usr/c -> /usr/0"]
    );
    // The first name is not taken, or goes elsewhere.
    assert_eq!(shown(&[("one", "/a", "/usr"), ("one", "/b", "/usr/b")]), ["/usr/b", "/usr/x"]);
}
