//! `extbuild sign`

use catalog::{Reference, Store};
use signing::{Signer, sign_extension};
use terminal::Failure;

use super::{choose, for_several, key, layout_of, size};
use crate::cli::{RequireFitArgs, SignArgs, SignerArgs};
use crate::ground::Facts;
use crate::key_file;
use crate::passphrase::Source;
use crate::signer::Program;

pub(crate) fn run(args: SignArgs) -> Result<(), Failure> {
    let SignArgs { reference, signer, fit } = args;
    with_signer(signer, SignExtension { reference, fit })
}

/// Something that whoever signs is asked for.
pub(crate) trait Sign {
    fn sign<S: Signer>(self, signer: &S) -> Result<(), Failure>
    where
        S::Error: Send + Sync;
}

/// Finds out who signs, and has it done.
pub(crate) fn with_signer(args: SignerArgs, what: impl Sign) -> Result<(), Failure> {
    let SignerArgs { key, passphrase, signer_cmd, public_key, signer_timeout } = args;
    if let Some(file) = key {
        let key = key::open(key_file::read(&file)?, &file, &Source::from(passphrase))?;
        return what.sign(&key);
    }
    let (command, file) = signer_cmd.zip(public_key).expect("without --key the parser demands both");
    let program = Program::new(&command, key_file::read_public(&file)?, signer_timeout)?;
    what.sign(&program)
}

struct SignExtension {
    reference: Reference,
    fit: RequireFitArgs,
}

impl Sign for SignExtension {
    fn sign<S: Signer>(self, signer: &S) -> Result<(), Failure>
    where
        S::Error: Send + Sync,
    {
        sign(signer, self.reference, &self.fit)
    }
}

fn sign<S: Signer>(signer: &S, reference: Reference, fit: &RequireFitArgs) -> Result<(), Failure>
where
    S::Error: Send + Sync,
{
    let place = layout_of(reference)?;
    let (layout, found) = choose(&place, None)?;
    // The name that is signed is the one inside the artifact, whatever tag it was found by.
    let facts = fit.read_all(&layout, &found)?;
    facts.iter().for_each(|facts| terminal::note(&summary(facts)));
    let config = &facts.first().expect("nothing without a manifest is found").config;
    let store = Store::open(&place.dir)?;
    for document in found.documents() {
        let bundle = sign_extension(signer, &config.name, &document.digest)?;
        store.attach_signature(document, &bundle.to_json())?;
    }
    let (several, hint) = (for_several(&found), signer.public_key().hint());
    terminal::success(&format!("{} {}{several} is signed with key {hint}", config.name, config.version));
    Ok(terminal::text(&format!("{}\n", found.named().digest))?)
}

/// What is about to be signed: what a person wants to have seen.
fn summary(facts: &Facts) -> String {
    let Facts { config, record, .. } = facts;
    let kernel = config.kernel.as_ref().map(|release| format!(" and kernel {release}")).unwrap_or_default();
    let modules = match record.modules().len() {
        0 => "no kernel modules".to_owned(),
        1 => "1 kernel module".to_owned(),
        many => format!("{many} kernel modules"),
    };
    format!(
        "{} {} for {}{kernel}: {modules}, {} in {} files and directories",
        config.name,
        config.version,
        config.arch,
        size(config.content.bytes),
        config.content.inodes
    )
}
