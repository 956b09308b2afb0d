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

    fn collect(&self, contents: &[(&str, &str, &str)]) -> Result<Tree, String> {
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
        collect(&manifest.payload, &Variables::default(), &search, owner)
            .map_err(|error| format!("{error:?}"))
    }
}

#[test]
fn contents_meet_in_directories() {
    let tree = Author::new().collect(&[("one", "/", "/usr"), ("two", "/a/y", "/usr/a/y")]).unwrap();
    assert_eq!(tree.listing().to_text(), "/usr/\n/usr/a/\n/usr/a/x\n/usr/a/y/\n/usr/a/y/z\n");
}

#[test]
fn a_conflict_names_both_contents_and_their_sources() {
    let author = Author::new();
    for (contents, message) in [
        (
            [("one", "/", "/usr"), ("two", "/", "/usr")],
            "e.yaml:8:10: /usr/a/x comes from the source \"two\" and also, at e.yaml:7:10, from \"one\"",
        ),
        (
            [("one", "/a/x", "/usr/a/y"), ("two", "/a/y/z", "/usr/a/y/z")],
            "e.yaml:7:10: /usr/a/y from the source \"one\" is not a directory, but /usr/a/y/z comes, at e.yaml:8:10, from \"two\"",
        ),
        (
            [("two", "/a/y/z", "/usr/a/y/z"), ("one", "/a/x", "/usr/a/y")],
            "e.yaml:8:10: /usr/a/y from the source \"one\" is not a directory, but /usr/a/y/z comes, at e.yaml:7:10, from \"two\"",
        ),
    ] {
        assert_eq!(author.collect(&contents).unwrap_err(), message);
    }
}

#[test]
fn names_of_one_file_stay_names_of_one_file() {
    let author = Author::new();
    let link =
        |name: &str| std::fs::hard_link(author.0.path().join("one/a/x"), author.0.path().join(name)).unwrap();
    ["one/0", "one/b", "one/c"].map(link);
    let shown = |contents: &[(&str, &str, &str)]| -> Vec<String> {
        let tree = author.collect(contents).unwrap();
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
