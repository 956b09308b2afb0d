//! `extbuild trust revoke`

use signing::{DocumentKind, Revocation};
use terminal::Failure;

use super::{documents, put};
use crate::cli::TrustRevokeArgs;

/// The next revocation has all that the last one has: floors only rise, and what is denied stays so.
pub(super) fn run(args: TrustRevokeArgs) -> Result<(), Failure> {
    let TrustRevokeArgs { directory, generations, deny } = args;
    let known = documents(&directory, DocumentKind::Revocation, Revocation::parse)?;
    let last = known.into_iter().max_by_key(|revocation| revocation.version).unwrap_or_default();
    let mut next = Revocation { version: last.version + 1, ..last };
    for (component, floor) in generations {
        let known = next.generations.entry(component.clone()).or_default();
        if *known > floor {
            terminal::warning(&format!("{component} stays at {known}: a floor is never lowered"));
        }
        *known = floor.max(*known);
    }
    next.denied.extend(deny);
    let name = format!("revocation-{}.yaml", next.version);
    let text = next.to_yaml();
    Revocation::parse(&text, &name)?;
    put(&directory, &name, &text)
}
