//! `docs/threats.md` is true: every threat has its row, and what the row names is there.

use std::fs;

use spec::defence::Threat;
use tests::root;

/// The cells of the rows of the table whose first cell is the number of a threat.
fn rows() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("docs/threats.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let numbers: Vec<String> = Threat::ALL.iter().map(Threat::to_string).collect();
    text.lines().map(cells).filter(|cells| numbers.contains(&cells[0])).collect()
}

/// What stands between backquotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_threat_has_a_row_in_order() {
    let numbers: Vec<String> = rows().into_iter().map(|cells| cells[0].clone()).collect();
    let expected: Vec<String> = Threat::ALL.iter().map(Threat::to_string).collect();
    assert_eq!(numbers, expected);
}

/// Does a source ask for the defence against the threat of this number, and not of one that begins like it?
fn asks_for(source: &str, number: &str) -> bool {
    let name = format!("Threat::{number}");
    let is_end = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_digit());
    source.contains("defence::stands(") && source.split(&name).skip(1).any(is_end)
}

#[test]
fn what_a_row_names_is_there() {
    for row in rows() {
        let [number, _, _, place, test] = row.as_slice() else { panic!("{row:?} has other columns") };
        for file in quoted(test) {
            assert!(root().join(file).is_file(), "{number}: there is no {file}");
        }
        let Some(file) = quoted(place).into_iter().find(|name| name.ends_with(".rs")) else {
            assert!(quoted(test).is_empty(), "{number} has a test and no place");
            continue;
        };
        let source = fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{number}: no {file}"));
        for function in quoted(place).into_iter().filter(|name| !name.ends_with(".rs")) {
            assert!(source.contains(&format!("fn {function}")), "{number}: {file} has no {function}");
        }
        let asks = asks_for(&source, number);
        let tampered = quoted(test).iter().any(|file| file.starts_with("tests/tamper/"));
        assert_eq!(asks, tampered, "{number}: {file} asks for the defence where tests/tamper/ tests it");
    }
}

/// Every file of an attack has its row.
#[test]
fn every_attack_is_in_the_table() {
    let rows = rows().concat().join(" ");
    for entry in fs::read_dir(root().join("tests/tamper")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_attack = name.split_once('_').is_some_and(|(number, _)| {
            Threat::ALL.iter().any(|threat| threat.to_string().eq_ignore_ascii_case(number))
        });
        assert!(!is_attack || rows.contains(&format!("`tests/tamper/{name}`")), "{name} is not in the table");
    }
}
