//! `extbuild trust set`

use std::collections::BTreeMap;

use catalog::Reference;
use signing::{DocumentKind, ExtensionSet, Member};
use spec::{Diagnose, ExtensionName, Outcome};
use terminal::Failure;

use super::{documents, put};
use crate::cli::TrustSetArgs;
use crate::commands::find;

pub(super) fn run(args: TrustSetArgs) -> Result<(), Failure> {
    let TrustSetArgs { directory, class, members: references, expires } = args;
    let known = documents(&directory, DocumentKind::Set, ExtensionSet::parse)?;
    let of_class = known.into_iter().filter(|set| set.class == class);
    let version = of_class.map(|set| set.version).max().unwrap_or(0) + 1;
    let mut members = BTreeMap::new();
    for reference in references {
        let (name, member) = member(reference)?;
        if members.insert(name.clone(), member).is_some() {
            return Err(Twice(name).into());
        }
    }
    let name = format!("set-{class}-{version}.yaml");
    put(&directory, &name, &ExtensionSet { class, version, expires, members }.to_yaml())
}

/// The name that is in the set is the one inside the artifact, whatever tag it was found by.
fn member(reference: Reference) -> Result<(ExtensionName, Member), Failure> {
    let (layout, manifest) = find(reference)?;
    let config = layout.read_extension(&manifest)?.config;
    Ok((config.name, Member { version: config.version, manifest: manifest.digest }))
}

/// Two members go by one name.
#[derive(Debug, thiserror::Error)]
#[error("{0} is named twice; a set has each extension once")]
struct Twice(ExtensionName);

impl Diagnose for Twice {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}
