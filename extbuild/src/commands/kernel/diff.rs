//! `extbuild kernel diff`

use kabi::{ChangeKind, Diff, ExportChange, Profile};
use serde_json::{Value, json};
use spec::ModuleName;
use terminal::{Failure, Table};

use super::show::{self, export_json};
use crate::cli::KernelDiffArgs;
use crate::ground::Ground;

/// The columns of the table, in order.
const KINDS: [(ChangeKind, &str); 6] = [
    (ChangeKind::Gone, "gone"),
    (ChangeKind::New, "new"),
    (ChangeKind::Crc, "crc"),
    (ChangeKind::Gpl, "gpl"),
    (ChangeKind::Namespace, "namespace"),
    (ChangeKind::Owner, "owner"),
];

pub(crate) fn run(args: KernelDiffArgs) -> Result<(), Failure> {
    let KernelDiffArgs { old, new, all, json } = args;
    let (old, new) = (Ground::open(&old)?.profile, Ground::open(&new)?.profile);
    let diff = kabi::diff(&old, &new);
    match json {
        true => Ok(terminal::json(&to_json(&old, &new, &diff))?),
        false => print(&old, &new, &diff, all),
    }
}

fn print(old: &Profile, new: &Profile, diff: &Diff<'_>, all: bool) -> Result<(), Failure> {
    facts(old, new, diff, all).print()?;
    if !diff.exports.is_empty() {
        terminal::text("\n")?;
        if all { by_symbol(diff) } else { by_part(diff) }.print()?;
    }
    terminal::success(&match diff.exports.values().map(Vec::len).sum::<usize>() {
        0 => "both kernels have the same exports".to_owned(),
        1 => "1 export differs".to_owned(),
        exports => format!("{exports} exports differ"),
    });
    Ok(())
}

/// What the two kernels are, and what differs besides their exports.
fn facts(old: &Profile, new: &Profile, diff: &Diff<'_>, all: bool) -> Table {
    let mut table = Table::new(&["", "old", "new"]);
    for (name, value) in FACTS {
        let [before, after] = [value(old), value(new)];
        if name == "release" || before != after {
            table.row([name.to_owned(), before, after]);
        }
    }
    let word = |is_on: bool| if is_on { "on" } else { "off" };
    for (option, is_on) in &diff.options {
        table.row([option.as_str(), word(!is_on), word(*is_on)]);
    }
    let modules = |modules: &[&ModuleName]| match (modules.len(), all) {
        (0, _) => String::new(),
        (count, false) => count.to_string(),
        (_, true) => modules.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    };
    if !diff.now_builtin.is_empty() || !diff.no_longer_builtin.is_empty() {
        let [before, after] = [&diff.no_longer_builtin, &diff.now_builtin].map(|names| modules(names));
        table.row(["built-in modules that the other has not".to_owned(), before, after]);
    }
    table
}

/// What is shown of a kernel if it differs, and how.
type Fact = (&'static str, fn(&Profile) -> String);

const FACTS: [Fact; 6] = [
    ("release", |profile| profile.release().to_string()),
    ("architecture", |profile| profile.arch().to_string()),
    ("build id", |profile| profile.build_id().map(ToString::to_string).unwrap_or_default()),
    ("vermagic", |profile| profile.vermagic().map(ToString::to_string).unwrap_or_default()),
    ("struct module", show::layout),
    ("trusted keys", |profile| {
        profile.keys().iter().map(|key| key.serial.to_string()).collect::<Vec<_>>().join(" ")
    }),
];

/// A row a part of the kernel: how many of its exports differ, and in which ways.
fn by_part(diff: &Diff<'_>) -> Table {
    let titles: Vec<&str> = ["part"].into_iter().chain(KINDS.iter().map(|(_, title)| *title)).collect();
    let mut table = Table::new(&titles);
    let row = |name: &str, changes: &mut dyn Iterator<Item = &ExportChange<'_>>| {
        let kinds: Vec<ChangeKind> = changes.flat_map(|change| change.kinds()).collect();
        let count = |kind| kinds.iter().filter(|found| **found == kind).count().to_string();
        [name.to_owned()].into_iter().chain(KINDS.map(|(kind, _)| count(kind))).collect::<Vec<_>>()
    };
    for (part, changes) in &diff.exports {
        table.row(row(part, &mut changes.iter()));
    }
    table.row(row("all", &mut diff.exports.values().flatten()));
    table
}

/// A row an export.
fn by_symbol(diff: &Diff<'_>) -> Table {
    let mut table = Table::new(&["part", "symbol", "differs"]);
    for (part, changes) in &diff.exports {
        for change in changes {
            table.row([part.clone(), change.symbol.to_string(), kinds(change).join(", ")]);
        }
    }
    table
}

fn kinds(change: &ExportChange<'_>) -> Vec<&'static str> {
    let found = change.kinds();
    KINDS.iter().filter(|(kind, _)| found.contains(kind)).map(|(_, title)| *title).collect()
}

fn to_json(old: &Profile, new: &Profile, diff: &Diff<'_>) -> Value {
    let exports = diff.exports.iter().map(|(part, changes)| {
        let changes = changes.iter().map(|change| {
            json!({
                "symbol": change.symbol,
                "differs": kinds(change),
                "old": change.old.map(|known| export_json(change.symbol, known)),
                "new": change.new.map(|known| export_json(change.symbol, known)),
            })
        });
        (part.clone(), changes.collect())
    });
    let options = diff.options.iter().map(|(option, is_on)| (option.to_string(), json!(is_on)));
    json!({
        "old": show::facts_json(old),
        "new": show::facts_json(new),
        "options": Value::Object(options.collect()),
        "nowBuiltin": diff.now_builtin,
        "noLongerBuiltin": diff.no_longer_builtin,
        "exports": Value::Object(exports.collect()),
    })
}
