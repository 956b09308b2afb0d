//! Which base a set was staged for: what must be the same for the set to be tried.

use generations::BaseIdentity;
use spec::Hasher;
use spec::base::BaseDescription;

use crate::facts::BaseFacts;

/// What a system is called that has no description.
const NAMELESS: (&str, &str) = ("system", "0.0.0");

/// The identity of a base. It follows from facts alone, which a system has in its root: whether a set is staged on the
/// system itself, or for it from the directory of its base, must not make a difference.
pub(crate) fn of(description: Option<&BaseDescription>, facts: &BaseFacts) -> BaseIdentity {
    let known = "the fixed name and version are words of their kind";
    let nameless = || (NAMELESS.0.parse().expect(known), NAMELESS.1.parse().expect(known));
    let (name, version) =
        description.map_or_else(nameless, |described| (described.name.clone(), described.version.clone()));
    let build_id = facts.profile.build_id().cloned();
    let mut hasher = Hasher::new();
    for fact in [facts.listing.to_text().into_bytes(), facts.modules.to_json()] {
        hasher.update(&(fact.len() as u64).to_le_bytes());
        hasher.update(&fact);
    }
    BaseIdentity { name, version, kernel: facts.kernel.release.clone(), build_id, facts: hasher.finish() }
}
