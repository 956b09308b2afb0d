//! What an image holds, as a table or as JSON.

use serde_json::{Value, json};
use squash::Image;
use squash::image::{Entry, Kind};
use terminal::{OutputError, Table};

/// Prints one line an entry: permissions, owner, length, path.
pub(crate) fn print(image: &Image<'_>) -> Result<(), OutputError> {
    let mut table = Table::new(&["MODE", "OWNER", "BYTES", "PATH"]);
    for entry in image.entries() {
        table.row([mode(entry), owner(entry), length(entry), shown(entry)]);
    }
    table.print()
}

/// Every entry with all that is known of it.
pub(crate) fn to_json(image: &Image<'_>) -> Vec<Value> {
    image.entries().map(entry_json).collect()
}

fn entry_json(entry: Entry<'_>) -> Value {
    let mut value = json!({
        "path": entry.shown(),
        "mode": format!("{:04o}", entry.mode()),
        "uid": entry.uid(),
        "gid": entry.gid(),
        "mtime": entry.mtime(),
        "inode": entry.inode_number(),
        "links": entry.links(),
    });
    match entry.kind() {
        Kind::Directory => value["kind"] = json!("directory"),
        Kind::File { size } => {
            value["kind"] = json!("file");
            value["bytes"] = json!(size);
        }
        Kind::Symlink { target } => {
            value["kind"] = json!("symlink");
            value["target"] = json!(target);
        }
        Kind::Special(special) => value["kind"] = json!(special.to_string()),
    }
    value
}

fn mode(entry: Entry<'_>) -> String {
    let kind = match entry.kind() {
        Kind::Directory => 'd',
        Kind::File { .. } => '-',
        Kind::Symlink { .. } => 'l',
        Kind::Special(_) => '?',
    };
    format!("{kind}{:04o}", entry.mode())
}

fn owner(entry: Entry<'_>) -> String {
    let id = |id: Option<u32>| id.map_or("?".to_owned(), |id| id.to_string());
    format!("{}:{}", id(entry.uid()), id(entry.gid()))
}

fn length(entry: Entry<'_>) -> String {
    match entry.kind() {
        Kind::File { size } => size.to_string(),
        _ => String::new(),
    }
}

fn shown(entry: Entry<'_>) -> String {
    match entry.kind() {
        Kind::Symlink { target } => format!("{} -> {}", entry.shown(), target.escape_debug()),
        Kind::Special(special) => format!("{} ({special})", entry.shown()),
        _ => entry.shown(),
    }
}
