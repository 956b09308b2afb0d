//! What nobody knows about the kernel, and what was not judged because of that.

use spec::{Reason, ReasonCode};

use super::{Candidate, Host, signatures};
use crate::KernelOption;

/// One sentence about all modules of the candidate: rules about facts that are not known object to nothing.
pub(super) fn note(host: &Host<'_>, candidate: &Candidate<'_>) -> Option<Reason> {
    let profile = host.profile;
    let (mut unknown, mut unjudged) = (Vec::new(), Vec::new());
    // Whoever knows one option has read the configuration, and knows all.
    if profile.option(KernelOption::Modversions).is_none() {
        unknown.push("configuration");
        if !signatures::are_required(host) {
            unjudged.push("signatures");
        }
        unjudged.extend(["force", "type information", "live patches"]);
    }
    if profile.vermagic().is_none() {
        unknown.push("vermagic");
        unjudged.push("the flags of the vermagic");
    }
    if profile.layout().is_none() {
        unknown.push("struct module");
        unjudged.push("its layout");
    }
    if unknown.is_empty() || candidate.record.modules().is_empty() {
        return None;
    }
    let sentence = format!(
        "the profile of kernel {} lacks {}: nobody judged {}",
        profile.release(),
        unknown.join(", "),
        unjudged.join(", ")
    );
    let hint =
        "make a profile of the kernel's image, configuration and modules, with extbuild kernel profile";
    Some(Reason::new(ReasonCode::KernelFactsUnknown, sentence).hint(hint))
}
