//! What a kernel that wants signatures loads (kernel/module/signing.c, `module_sig_check`).
//!
//! That a signature matches the bytes of its module was verified when they were read; here it is who signed.

use spec::{Reason, ReasonCode};

use super::{Host, SignatureRule};
use crate::{KernelOption, Module};

/// Does the kernel refuse modules that are not signed with a key of its own?
pub(super) fn are_required(host: &Host<'_>) -> bool {
    let options = [
        KernelOption::ModuleSigForce,
        KernelOption::LockdownIntegrity,
        KernelOption::LockdownConfidentiality,
    ];
    let as_built = || options.iter().any(|option| host.profile.option(*option) == Some(true));
    host.signatures == SignatureRule::Enforced || as_built()
}

/// Why the kernel does not load the module, if it insists on signatures.
pub(super) fn refusal(host: &Host<'_>, module: &Module) -> Option<Reason> {
    if !are_required(host) {
        return None;
    }
    let name = module.name.as_str();
    let Some(signature) = &module.signature else {
        let sentence = format!("module {name} is not signed, and the kernel loads signed modules only");
        let reason = Reason::new(ReasonCode::ModuleUnsigned, sentence).subject(name);
        return Some(
            reason.hint("sign it with a key that the kernel trusts, as the kernel's scripts/sign-file does"),
        );
    };
    if host.profile.keys().iter().any(|key| key.is_named_by(signature)) {
        return None;
    }
    let signer = signature.signer.as_ref().map_or("nobody by name", |signer| signer.as_str());
    let sentence = format!(
        "module {name} is signed by {signer} with key {}, which the kernel does not have",
        signature.key
    );
    let known: Vec<String> = host.profile.keys().iter().map(|key| key.serial.to_string()).collect();
    let reason = Reason::new(ReasonCode::ModuleKeyUnknown, sentence).subject(name);
    let reason = reason.hint("sign it with a key that is built into the kernel");
    Some(reason.wanted_found(
        if known.is_empty() { "none".to_owned() } else { known.join(", ") },
        signature.key.to_string(),
    ))
}
