//! The sets that a node keeps: staging one, confirming it, going back, clearing up.
//!
//! What is staged was judged as a boot would, and read to its last byte, for the base that it is meant for. It is judged
//! again whenever it is activated: a disk is not a signature.

use std::fs;
use std::path::{Path, PathBuf};

use catalog::{CatalogError, Descriptor, Export, Layout, TrustFiles};
use generations::state::TRIES;
use generations::{Blob, FilePath, Generation, Member, NewSet, RealDisk, Store, StoreError};
use signing::Updates;
use spec::machine::to_yaml;
use spec::status::Status;
use spec::{Diagnose, Digest, Outcome};

use crate::admit::{Admitted, Grounds, judge};
use crate::cannot::{Cannot, cannot};
use crate::choice::{self, OpenError};
use crate::grounds::{self, ConfigError, GroundsError};
use crate::offer::{Offer, files};
use crate::places::Run;
use crate::plan;
use crate::status;
use crate::system::Known;

/// What came of staging.
#[derive(Debug)]
pub(crate) struct Staged {
    /// What a boot would make of the set.
    pub(crate) status: Status,
    /// Its number; none if it was not kept, because something of it is refused.
    pub(crate) generation: Option<Generation>,
}

/// Reads the whole set, judges it for a base, and keeps it for the next boot on that base if nothing of it is refused.
pub(crate) fn stage(dir: &Path, offer: &Offer, trust: &Path, base: &Known) -> Result<Staged, NodeError> {
    let config = grounds::read_config(&offer.config)?;
    // The directory itself, and not what it is in: that may be a disk that is not mounted.
    if !dir.exists() {
        fs::create_dir(dir).map_err(cannot("make the directory", dir.display()))?;
    }
    let mut store = choice::open(dir)?;
    let offer = offer.clone().with_updates(choice::known_updates(dir, &store));
    let grounds = grounds::gather(config, &grounds::places(&offer, trust), base.facts.clone())?;
    let judgement = judge(&grounds, plan::read_whole);
    let notes = grounds.trust.notes().to_vec();
    let release = &base.facts.kernel.release;
    let status = status::of(&judgement, base.name(), release, notes, None, Run::BOOT);
    let admitted = judgement.admitted();
    if admitted.len() < judgement.verdicts().len() {
        return Ok(Staged { status, generation: None });
    }
    let export = grounds.store.export(&manifests(&grounds, &admitted))?;
    let new = NewSet {
        base: base.identity(),
        members: admitted.iter().map(|admitted| member(admitted)).collect(),
        blobs: keep(&mut store, &export, &grounds.store)?,
        files: documents(&grounds, &export, &offer.updates[..1])?,
    };
    let generation = store.stage(&new, TRIES)?;
    Ok(Staged { status, generation: Some(generation) })
}

fn manifests<L>(grounds: &Grounds, admitted: &[&Admitted<L>]) -> Vec<Descriptor> {
    let digests: Vec<_> = admitted.iter().map(|admitted| admitted.approval().value().manifest).collect();
    let entries = grounds.store.extensions().into_iter().map(|entry| entry.descriptor);
    let mut found: Vec<Descriptor> = entries.filter(|listed| digests.contains(&listed.digest)).collect();
    found.dedup_by_key(|listed| listed.digest);
    found
}

fn member<L>(admitted: &Admitted<L>) -> Member {
    Member {
        name: admitted.name().clone(),
        version: admitted.config().version.clone(),
        manifest: admitted.approval().value().manifest,
    }
}

/// Brings all blobs to the node. Each is hashed on its way.
fn keep(store: &mut Store<RealDisk>, export: &Export, from: &Layout) -> Result<Vec<Blob>, NodeError> {
    let mut kept = Vec::new();
    for exported in &export.blobs {
        let blob = Blob { digest: exported.descriptor.digest, size: exported.descriptor.size };
        store.put_blob(&mut exported.open(from)?, &blob)?;
        kept.push(blob);
    }
    Ok(kept)
}

/// The small files of a generation: what of the updates of trust came with it, and what else is believed. What cannot be
/// read was told of by the judgement.
fn documents(
    grounds: &Grounds,
    export: &Export,
    updates: &[PathBuf],
) -> Result<Vec<(FilePath, Vec<u8>)>, NodeError> {
    let fixed = |name: &str| name.parse::<FilePath>().expect("the names of our files are paths");
    let mut documents = vec![
        (fixed(files::CONFIG), to_yaml(&grounds.config).into_bytes()),
        (fixed(files::INDEX), export.index.clone()),
    ];
    for directory in updates {
        for (path, bytes) in TrustFiles::read(directory)?.files {
            let name = Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned();
            let path = format!("{}/{name}", files::UPDATES);
            let path = path.parse().map_err(|_| NodeError::Name(directory.join(name)))?;
            documents.push((path, bytes));
        }
    }
    let Updates { documents: believed, bundles } = grounds.trust.history();
    let believed = believed.iter().map(|update| (&update.bytes, "yaml"));
    for (bytes, ending) in believed.chain(bundles.iter().map(|bytes| (bytes, "json"))) {
        if !documents.iter().any(|(_, known)| known == bytes) {
            let name = format!("{}/{}.{ending}", files::UPDATES, Digest::of(bytes).hex());
            documents.push((fixed(&name), bytes.clone()));
        }
    }
    Ok(documents)
}

/// Why a node keeps what it kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Grounds(#[from] GroundsError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    System(#[from] Cannot),
    #[error("{} has a name that no file of a set can have", .0.display())]
    Name(PathBuf),
}

impl NodeError {
    fn inner(&self) -> Option<&dyn Diagnose> {
        match self {
            NodeError::Config(error) => Some(error),
            NodeError::Grounds(error) => Some(error),
            NodeError::Catalog(error) => Some(error),
            NodeError::Store(error) => Some(error),
            NodeError::Open(error) => Some(error),
            NodeError::System(error) => Some(error),
            NodeError::Name(_) => None,
        }
    }
}

impl Diagnose for NodeError {
    fn outcome(&self) -> Outcome {
        self.inner().map_or(Outcome::Refused, Diagnose::outcome)
    }

    fn hint(&self) -> Option<String> {
        match self.inner() {
            Some(inner) => inner.hint(),
            None => Some("name it with letters, digits and the characters . _ -".into()),
        }
    }
}
