//! `extbuild sign`

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use catalog::{Reference, RegistryReference, Store};
use signer::{Sign, with_signer};
use signing::{Signer, sign_extension, sign_simple};
use terminal::Failure;

use super::{choose, for_several, layout_of, name_on_registry, size};
use crate::cli::{RequireFitArgs, SignArgs};
use crate::ground::Facts;

pub(crate) fn run(args: SignArgs) -> Result<(), Failure> {
    let SignArgs { reference, signer, legacy, fit } = args;
    let legacy = legacy.map(name_on_registry).transpose()?;
    with_signer(signer, SignExtension { reference, legacy, fit })
}

struct SignExtension {
    reference: Reference,
    legacy: Option<RegistryReference>,
    fit: RequireFitArgs,
}

impl Sign for SignExtension {
    fn sign<S: Signer>(self, signer: &S) -> Result<(), Failure>
    where
        S::Error: Send + Sync,
    {
        sign(signer, self)
    }
}

fn sign<S: Signer>(signer: &S, what: SignExtension) -> Result<(), Failure>
where
    S::Error: Send + Sync,
{
    let SignExtension { reference, legacy, fit } = what;
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
        if let Some(name) = &legacy {
            let signed = sign_simple(signer, &name.to_string(), &document.digest)?;
            store.attach_simple_signature(document, &signed.payload, &BASE64.encode(signed.signature))?;
        }
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
    let carries = listed("; carries ", config.grants.iter().map(ToString::to_string));
    let generations = config.generations.iter().map(|(name, number)| format!("{name} {number}"));
    let generations = listed("; generations ", generations);
    format!(
        "{} {} for {}{kernel}: {modules}, {} in {} files and directories{carries}{generations}",
        config.name,
        config.version,
        config.arch,
        size(config.content.bytes),
        config.content.inodes
    )
}

/// The items after `title`, or nothing where there are none.
fn listed(title: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.is_empty() {
        true => String::new(),
        false => format!("{title}{}", items.join(", ")),
    }
}
