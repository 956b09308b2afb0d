//! The JavaScript verifier of the sigstore project: packages of npm, in the versions and with the digests that
//! `tests/sigstore/package-lock.json` has.
//!
//! ```text
//! target/inputs/sigstore/node_modules/       what the lock file names
//! target/inputs/sigstore/package-lock.json   the lock file of which it was made
//! ```

use std::fs;
use std::process::Command;

use crate::cache::{self, remove_dir};
use crate::progress::Task;
use crate::workspace::Workspace;
use crate::{Error, command};

/// The lock file names no host: each package comes from wherever npm is set up to ask, and is refused if its digest is
/// another.
const LOCK: &str = "package-lock.json";

/// Fetches the packages; when they are there, this takes no time and asks no network.
///
/// # Errors
/// [`Error::NoNode`] without `node` and `npm`, [`Error::FailedQuietly`] with npm's words, [`Error::File`].
pub fn prepare(workspace: &Workspace) -> Result<(), Error> {
    let missing: Vec<&str> =
        ["node", "npm"].into_iter().filter(|program| command::find(program).is_none()).collect();
    if !missing.is_empty() {
        return Err(Error::NoNode(missing.join(" and ")));
    }
    let (from, place) = (workspace.root().join("tests/sigstore"), workspace.inputs().join("sigstore"));
    let lock = fs::read_to_string(from.join(LOCK)).map_err(Error::file("read", from.join(LOCK)))?;
    fs::create_dir_all(workspace.inputs()).map_err(Error::file("create", workspace.inputs()))?;
    let _alone = cache::lock(&workspace.inputs())?;
    if fs::read_to_string(place.join(LOCK)).is_ok_and(|found| found == lock) {
        return Ok(());
    }
    let task = Task::spin("fetching the verifier of sigstore");
    let partial = workspace.inputs().join("sigstore.partial");
    remove_dir(&partial)?;
    fs::create_dir_all(&partial).map_err(Error::file("create", &partial))?;
    for name in ["package.json", LOCK] {
        fs::copy(from.join(name), partial.join(name)).map_err(Error::file("copy", from.join(name)))?;
    }
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    command::read(Command::new("npm").args(arguments).current_dir(&partial))?;
    remove_dir(&place)?;
    fs::rename(&partial, &place).map_err(Error::file("rename", &partial))?;
    task.finish("done");
    Ok(())
}
