//! `extbuild trust init|add|rotate`

use std::path::Path;

use signing::PublicKey;
use spec::{Diagnose, Outcome};
use terminal::Failure;

use super::{put, warn_without_root, write};
use crate::cli::{TrustAddArgs, TrustInitArgs, TrustKeyArgs, TrustRotateArgs};
use crate::key_file;
use crate::pipeline::read_text;
use crate::trust::draft::{Draft, NewKey};

pub(super) fn init(args: TrustInitArgs) -> Result<(), Failure> {
    let TrustInitArgs { file, key, expires } = args;
    if file.exists() {
        return Err(Exists(file.display().to_string()).into());
    }
    let draft = Draft::new(file.display().to_string());
    let draft = match expires {
        Some(expires) => draft.set("expires", &expires.to_string()),
        None => draft,
    };
    finish(with_key(draft, &key)?, &file)?;
    terminal::success(&format!("{} trusts {}", file.display(), key.name));
    Ok(())
}

pub(super) fn add(args: TrustAddArgs) -> Result<(), Failure> {
    let TrustAddArgs { file, key } = args;
    finish(with_key(read(&file)?, &key)?, &file)?;
    terminal::success(&format!("{} trusts {}, too", file.display(), key.name));
    Ok(())
}

pub(super) fn rotate(args: TrustRotateArgs) -> Result<(), Failure> {
    let TrustRotateArgs { file, output, drops, expires } = args;
    let draft = read(&file)?;
    let version = draft.clone().finish()?.1.version() + 1;
    let mut next = draft.set("version", &version.to_string());
    if let Some(expires) = expires {
        next = next.set("expires", &expires.to_string());
    }
    for name in drops {
        next = next.drop(&name)?;
    }
    let (text, policy) = next.finish()?;
    let name = format!("policy-{version}.yaml");
    put(&output, &name, &text)?;
    warn_without_root(&policy, &output.join(name));
    Ok(())
}

fn read(file: &Path) -> Result<Draft, Failure> {
    Ok(Draft::of(read_text(file)?, file.display().to_string())?)
}

fn with_key(draft: Draft, key: &TrustKeyArgs) -> Result<Draft, Failure> {
    let TrustKeyArgs { name, public_key, roles, extensions, may } = key;
    let pem = PublicKey::to_pem(&key_file::read_public(public_key)?);
    Ok(draft.add(&NewKey { name, roles, extensions, may, pem: &pem })?)
}

fn finish(draft: Draft, file: &Path) -> Result<(), Failure> {
    let (text, _) = draft.finish()?;
    write(file, &text)
}

/// There is a file already.
#[derive(Debug, thiserror::Error)]
#[error("{0} is there already")]
struct Exists(String);

impl Diagnose for Exists {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(format!("add a key to it with extbuild trust add {}, or write to another file", self.0))
    }
}
