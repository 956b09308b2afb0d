//! Which base a set was staged for: what must be the same for the set to be tried.

use generations::{BaseIdentity, BuildId};
use spec::Digest;
use spec::base::BaseDescription;

use crate::facts::BaseFacts;

/// What a system is called that has no description: its facts alone say which it is.
const NAMELESS: (&str, &str) = ("system", "0.0.0");

/// The identity of a base. One without a description is what its list of paths and its kernel are.
pub(crate) fn of(description: Option<&BaseDescription>, facts: &BaseFacts) -> BaseIdentity {
    let build_id = facts.profile.build_id().and_then(|id| id.to_string().parse::<BuildId>().ok());
    let kernel = facts.kernel.release.clone();
    match description {
        Some(BaseDescription { name, version, root, .. }) => {
            BaseIdentity { name: name.clone(), version: version.clone(), kernel, build_id, root: root.digest }
        }
        None => {
            let known = "the fixed name and version are words of their kind";
            BaseIdentity {
                name: NAMELESS.0.parse().expect(known),
                version: NAMELESS.1.parse().expect(known),
                kernel,
                build_id,
                root: Digest::of(facts.listing.to_text().as_bytes()),
            }
        }
    }
}
