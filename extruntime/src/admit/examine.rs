//! One extension by itself: chosen, believed, read, opened, in this order.

use catalog::Entry;
use kabi::{Fits, Record};
use signing::{Approval, Cleared, Refusal, Verified, clear, verify_extension};
use spec::artifact::ExtensionConfig;
use spec::defence::{self, Threat};
use spec::listing::Listing;
use spec::machine::Wanted;
use spec::{Reason, VersionRange};
use squash::Promise;

use super::objection::Objection;
use super::set::Member;
use super::{Admitted, Chosen, Grounds, Refused, Unopened};
use crate::content::Expected;
use crate::image::ImageError;

/// An extension that is what it says it is; whether it can be together with the others is not decided.
#[derive(Debug)]
pub(super) struct Sound<L> {
    cleared: Cleared,
    config: ExtensionConfig,
    listing: Listing,
    record: Record,
    layer: L,
}

/// What an examination comes to.
pub(super) type Examined<L> = Result<Sound<L>, Box<Refused>>;

/// Finds the extension in the store and decides whether it is what it says it is.
pub(super) fn examine<L>(
    wanted: &Wanted,
    grounds: &Grounds,
    open: impl Fn(Unopened<'_>) -> Result<L, ImageError>,
) -> Examined<L> {
    let refused = |chosen, objection: Objection| {
        Box::new(Refused { name: wanted.name.clone(), chosen, reasons: vec![objection.reason()] })
    };
    let entry = choose(wanted, grounds).map_err(|objection| refused(None, objection))?;
    let mut chosen =
        Chosen { version: entry.version.clone(), manifest: entry.descriptor.digest, signers: Vec::new() };
    let approval =
        believe(wanted, &entry, grounds).map_err(|objection| refused(Some(chosen.clone()), objection))?;
    chosen.signers = approval.signers().into_iter().map(str::to_owned).collect();
    read(approval, &entry, grounds, open).map_err(|objection| refused(Some(chosen), objection))
}

/// The highest version in the range; the one that is in the set, where the policy demands a set. Name, version and
/// platform are hints of the index: a wrong one leads to an artifact that is refused, never to one that is believed.
fn choose(wanted: &Wanted, grounds: &Grounds) -> Result<Entry, Objection> {
    let Wanted { name, version: range, .. } = wanted;
    let candidates = grounds.store.candidates(name, range);
    let for_us = |entry: &&Entry| {
        let platform = entry.descriptor.platform.as_ref();
        platform.is_none_or(|platform| platform.architecture == grounds.base.kernel.arch.as_str())
    };
    let member = grounds.trust.set().and_then(|set| set.members.get(name));
    let in_set = |entry: &&Entry| member.is_some_and(|member| member.manifest == entry.descriptor.digest);
    let chosen = candidates.iter().find(in_set).or(candidates.iter().find(for_us)).or(candidates.first());
    chosen.cloned().ok_or_else(|| not_found(wanted, grounds))
}

fn not_found(wanted: &Wanted, grounds: &Grounds) -> Objection {
    let Wanted { name, version: range, .. } = wanted;
    let others = grounds.store.candidates(name, &VersionRange::any());
    match others.is_empty() {
        true => Objection::NoSuchName { name: name.clone() },
        false => Objection::NoSuchVersion {
            name: name.clone(),
            range: range.clone(),
            found: others.into_iter().map(|entry| entry.version).collect(),
        },
    }
}

/// Nothing of the artifact is parsed before this: the digest of its manifest is all that a signature is about.
fn believe(wanted: &Wanted, entry: &Entry, grounds: &Grounds) -> Result<Verified<Approval>, Objection> {
    let manifest = entry.descriptor.digest;
    let signatures = grounds.store.signatures(&manifest);
    let verdict = verify_extension(&grounds.trust, &wanted.name, &manifest, &signatures.bundles);
    verdict.map_err(|refusal| match (refusal, signatures.skipped.into_iter().next()) {
        (Refusal::Missing { name, .. }, Some(first)) => Objection::Unreadable { name, first },
        (refusal, _) => refusal.into(),
    })
}

fn read<L>(
    approval: Verified<Approval>,
    entry: &Entry,
    grounds: &Grounds,
    open: impl Fn(Unopened<'_>) -> Result<L, ImageError>,
) -> Result<Sound<L>, Objection> {
    let artifact = grounds.store.read_extension(&entry.descriptor)?;
    let cleared = clear(&grounds.trust, approval, &artifact.config)?;
    check_identity(&artifact.config, entry, grounds)?;
    artifact.config.check_steps()?;
    let record = artifact.kabi.as_deref().map(Record::parse).transpose()?.unwrap_or_default();
    let image = &artifact.image;
    let file = grounds.store.open_blob(&image.digest)?;
    let expected = Expected {
        digest: image.digest,
        size: image.size,
        verity: artifact.config.verity,
        signature: artifact.config.root_hash_signature.clone(),
    };
    let promise = Promise { facts: &artifact.config.content, listing: &artifact.paths };
    let grants = &artifact.config.grants;
    let layer = open(Unopened { name: &artifact.config.name, file, expected, promise, grants })?;
    Ok(Sound { cleared, config: artifact.config, listing: artifact.paths, record, layer })
}

/// Is the signed config the one of the version that was asked for, and for this machine?
fn check_identity(config: &ExtensionConfig, entry: &Entry, grounds: &Grounds) -> Result<(), Objection> {
    if config.version != entry.version && defence::stands(Threat::D4) {
        let (wanted, found) = (Box::new(entry.version.clone()), Box::new(config.version.clone()));
        return Err(Objection::OtherVersion { wanted, found });
    }
    match config.arch == grounds.base.kernel.arch || !defence::stands(Threat::A4) {
        true => Ok(()),
        false => Err(Objection::OtherArch { wanted: grounds.base.kernel.arch, found: config.arch }),
    }
}

impl<L> Sound<L> {
    pub(super) fn member(&self) -> Member<'_> {
        Member { config: &self.config, listing: &self.listing, record: &self.record }
    }

    pub(super) fn admit(self, fits: Fits) -> Admitted<L> {
        let Sound { cleared, config, listing, record, layer } = self;
        Admitted { cleared, config, listing, record, fits, layer }
    }

    pub(super) fn refuse(self, reasons: Vec<Reason>) -> Refused {
        Refused::known(&self.cleared, self.config, reasons)
    }
}
