//! What in an image can run or steer something, and which grant it needs.
//!
//! Most files of an extension wait until somebody opens them. Some are read by a program of the base without anybody
//! asking: rules of udev, units, kernel settings, what modprobe runs. Those need a grant, which the extension declares
//! and the machine's trust policy allows. `place` says which files they are, `read` what is in them, and
//! [`of_image`] and [`of_tree`] ask both for everything in an image, before it is packed and after. The builder, whoever
//! signs and the boot ask the same.

mod image;
mod place;
mod read;
mod setting;
mod text;
mod tree;

use std::collections::BTreeSet;
use std::fmt;

use spec::defence::{self, Threat};
use spec::{Diagnose, Grant, GrantKind, ModuleName, Outcome, TreePath};

pub use image::of_image;
pub use setting::{NoSettingKey, Setting, SettingKey, settings};
pub use tree::of_tree;

/// Largest file that is read for what it says, in bytes. Those of distributions have some thousand.
pub const FILE_MAX: u64 = 1 << 20;

/// Something in an image that needs a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The grant.
    pub grant: Grant,
    /// The file, link or directory.
    pub path: TreePath,
    /// Where in the file, for what is written in one.
    pub at: Option<At>,
}

/// A place in a text: line and column, counted from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Something that no grant helps: nobody can say what it would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{} {what}", placed(at))]
pub struct Opaque {
    /// The file, link or directory.
    pub path: TreePath,
    /// Where in the file.
    pub at: Option<At>,
    /// What is wrong with it, as a sentence that the path begins.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Need { grant, path, at } = self;
        write!(f, "{path}{} needs the grant {grant}", placed(at))
    }
}

fn placed(at: &Option<At>) -> String {
    at.map(|At { line, column }| format!(":{line}:{column}")).unwrap_or_default()
}

/// What an image holds and its extension does not declare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undeclared {
    /// Something that needs a grant.
    #[error("{0}, which the extension does not declare")]
    Need(Need),
    /// Something that no grant helps.
    #[error(transparent)]
    Opaque(#[from] Opaque),
}

impl Undeclared {
    /// The file, link or directory.
    pub fn path(&self) -> &TreePath {
        match self {
            Undeclared::Need(need) => &need.path,
            Undeclared::Opaque(opaque) => &opaque.path,
        }
    }
}

impl Diagnose for Undeclared {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            Undeclared::Need(need) => {
                Some(format!("add {} under grants: in its manifest, and build it again", need.grant))
            }
            Undeclared::Opaque(opaque) => opaque.hint(),
        }
    }
}

impl Diagnose for Opaque {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

/// Everything that an image needs grants for, in the order of its paths, and everything that none helps.
#[derive(Debug, Default)]
pub struct Needs {
    /// What needs a grant.
    pub needs: Vec<Need>,
    /// What may not be there.
    pub opaque: Vec<Opaque>,
}

impl Needs {
    /// The grants, sorted, each once.
    pub fn grants(&self) -> Vec<Grant> {
        let mut grants: Vec<Grant> = self.needs.iter().map(|need| need.grant.clone()).collect();
        grants.sort_unstable();
        grants.dedup();
        grants
    }

    /// The first of what is needed and not among `declared`, for each grant once.
    pub fn missing<'n>(&'n self, declared: &[Grant]) -> Vec<&'n Need> {
        let mut known: BTreeSet<&Grant> = declared.iter().collect();
        self.needs.iter().filter(|need| known.insert(&need.grant)).collect()
    }

    /// The verdict about an image whose extension declares these grants: the first thing that stands against it.
    pub fn check(&self, declared: &[Grant]) -> Result<(), Undeclared> {
        if !defence::stands(Threat::C10) {
            return Ok(());
        }
        if let Some(opaque) = self.opaque.first() {
            return Err(Undeclared::Opaque(opaque.clone()));
        }
        let declared: BTreeSet<&Grant> = declared.iter().collect();
        match self.needs.iter().find(|need| !declared.contains(&need.grant)) {
            Some(need) => Err(Undeclared::Need(need.clone())),
            None => Ok(()),
        }
    }

    fn add(&mut self, path: &TreePath, at: Option<At>, kind: GrantKind, subject: &str) {
        match Grant::new(kind, subject) {
            Ok(grant) => self.needs.push(Need { grant, path: path.clone(), at }),
            Err(_) => {
                let what = format!("is about {:?}, which no grant can name", text::excerpt(subject));
                let hint = "name each thing by itself, without patterns and blanks".to_owned();
                self.opaque.push(Opaque { path: path.clone(), at, what, hint });
            }
        }
    }

    fn refuse(&mut self, path: &TreePath, at: Option<At>, what: impl Into<String>, hint: impl Into<String>) {
        self.opaque.push(Opaque { path: path.clone(), at, what: what.into(), hint: hint.into() });
    }
}

/// One thing of an image. The content of a file is only asked for where it matters.
enum Thing<'a> {
    Directory,
    File { executable: bool, content: &'a mut dyn FnMut() -> Result<Vec<u8>, Unread> },
    Link,
}

/// Why the content of a file is not there.
enum Unread {
    /// It is larger than [`FILE_MAX`].
    TooLarge,
    /// It cannot be read.
    Broken(String),
}

/// Adds what one thing needs.
fn examine(path: &TreePath, thing: Thing<'_>, needs: &mut Needs) {
    match thing {
        Thing::Directory => {}
        Thing::Link => examine_link(path, needs),
        Thing::File { executable, content } => {
            plain(path, executable, needs);
            if let Some(found) = place::of(path) {
                read::file(path, found, content, needs);
            }
        }
    }
}

/// What is seen from outside: modules, firmware and programs.
fn plain(path: &TreePath, executable: bool, needs: &mut Needs) {
    let is_module = path.file_name().and_then(ModuleName::from_file_name).is_some();
    let seen = [
        (is_module, GrantKind::Modules),
        (place::is_firmware(path), GrantKind::Firmware),
        (executable, GrantKind::Binaries),
    ];
    for (_, kind) in seen.into_iter().filter(|(is, _)| *is) {
        needs.add(path, None, kind, "");
    }
}

/// A link among files that steer is another way to have one there, and one in place of their directory brings all that
/// it leads to.
fn examine_link(path: &TreePath, needs: &mut Needs) {
    if place::is_firmware(path) {
        needs.add(path, None, GrantKind::Firmware, "");
    }
    if place::holds_one(path) || matches!(path.file_name(), Some("dist-packages" | "site-packages")) {
        let hint = "ship the directory and what is in it under its own name";
        return needs.refuse(path, None, "is a link in place of a directory that steers the machine", hint);
    }
    match place::of(path) {
        None => {}
        Some(found) => match place::enabled_unit(path, &found) {
            Some(unit) => needs.add(path, None, GrantKind::Units, unit),
            None => needs.refuse(
                path,
                None,
                "is a link among files that steer the machine",
                "ship the file itself",
            ),
        },
    }
}
