//! `extbuild trust`

mod explain;
mod policy;
mod revoke;
mod set;
mod sign;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use catalog::TrustFiles;
use signing::{DocumentKind, Role, TrustPolicy};
use terminal::{Failure, Place};

use crate::cli::TrustCommand;
use crate::new_file::NewFile;

pub(crate) fn run(command: TrustCommand) -> Result<(), Failure> {
    match command {
        TrustCommand::Init(args) => policy::init(args),
        TrustCommand::Add(args) => policy::add(args),
        TrustCommand::Rotate(args) => policy::rotate(args),
        TrustCommand::Revoke(args) => revoke::run(args),
        TrustCommand::Set(args) => set::run(args),
        TrustCommand::Sign(args) => sign::run(args),
        TrustCommand::Explain(args) => explain::run(args),
    }
}

/// Writes a text whole or not at all, in place of what was there.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    };
    let write = || {
        let mut file = NewFile::in_dir(dir)?;
        file.as_file_mut().write_all(text.as_bytes())?;
        file.persist(dir, path)
    };
    Ok(write().map_err(Place::cannot("write", path))?)
}

/// The documents of one kind in a directory that are sound, whoever has signed them.
fn documents<T, E>(
    directory: &Path,
    kind: DocumentKind,
    parse: impl Fn(&str, &str) -> Result<T, E>,
) -> Result<Vec<T>, Failure>
where
    E: spec::Diagnose + Send + Sync + 'static,
{
    let TrustFiles { files, skipped } = TrustFiles::read(directory)?;
    if let Some(error) = skipped.into_iter().next() {
        return Err(error.into());
    }
    let mut found = Vec::new();
    for (file, bytes) in files.iter().filter(|(file, _)| file.ends_with(".yaml")) {
        let text = String::from_utf8_lossy(bytes);
        if DocumentKind::of(&text, file)? == kind {
            found.push(parse(&text, file)?);
        }
    }
    Ok(found)
}

/// The next policy takes root keys of its own, too: without one it is no successor, and has none.
fn warn_without_root(policy: &TrustPolicy, file: &Path) {
    if policy.keys().iter().any(|key| key.roles().contains(&Role::Root)) {
        return;
    }
    let version = policy.version();
    terminal::warning(&format!(
        "version {version} of the trust policy has no root key: no machine takes it for the next one, and nothing follows it"
    ));
    terminal::hint(&format!(
        "give it one: extbuild trust add {} --name NAME --public-key FILE --role root; or build it into new boot images",
        file.display()
    ));
}

/// Writes a document that is not there yet into a directory, and says what comes next.
fn put(directory: &Path, name: &str, text: &str) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(Place::cannot("make the directory", directory))?;
    let path: PathBuf = directory.join(name);
    write(&path, text)?;
    terminal::success(&format!("{} is written; have it signed: extbuild trust sign {0}", path.display()));
    Ok(terminal::text(&format!("{}\n", path.display()))?)
}
