//! What a kernel that wants signatures loads (kernel/module/signing.c, `module_sig_check`).
//!
//! That a signature matches the bytes of its module was verified when they were read; here it is who signed.

use spec::defence::{self, Threat};
use spec::{Reason, ReasonCode};

use super::{Host, SignatureRule};
use crate::{KernelOption, Module, ModuleSignature, Profile};

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

/// Is the module signed with a key that is built into the kernel?
pub(super) fn is_by_kernel(profile: &Profile, module: &Module) -> bool {
    module.signature.as_ref().is_some_and(|signature| is_known(profile, signature))
}

fn is_known(profile: &Profile, signature: &ModuleSignature) -> bool {
    profile.keys().iter().any(|key| key.is_named_by(signature))
}

/// Why the kernel does not load the module, if it insists on signatures.
pub(super) fn refusal(host: &Host<'_>, module: &Module) -> Option<Reason> {
    if !(are_required(host) && defence::stands(Threat::D5)) {
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
    if is_known(host.profile, signature) {
        return None;
    }
    let signer = signature.signer.as_ref().map_or("nobody by name", |signer| signer.as_str());
    let sentence = format!(
        "module {name} is signed by {signer} with key {}, which the kernel does not have{}",
        signature.key,
        namesake(host.profile, signature)
    );
    let known: Vec<String> = host.profile.keys().iter().map(|key| key.serial.to_string()).collect();
    let reason = Reason::new(ReasonCode::ModuleKeyUnknown, sentence).subject(name);
    let reason = reason.hint(key_hint(host.profile));
    Some(reason.wanted_found(
        if known.is_empty() { "none".to_owned() } else { known.join(", ") },
        signature.key.to_string(),
    ))
}

/// Serial numbers are an issuer's own: the kernel may have a key of the same one.
fn namesake(profile: &Profile, signature: &ModuleSignature) -> &'static str {
    match signature.issuer.is_some() && profile.keys().iter().any(|key| key.serial == signature.key) {
        true => ": its own of that number has another issuer",
        false => "",
    }
}

/// What marks the kernel as tainted, or keeps the module out on machines with Secure Boot, where the kernel does not
/// insist on signatures.
pub(super) fn note(host: &Host<'_>, module: &Module) -> Option<Reason> {
    let profile = host.profile;
    if profile.option(KernelOption::ModuleSig) != Some(true) || are_required(host) {
        return None;
    }
    let name = module.name.as_str();
    let (code, what) = match &module.signature {
        None => (ReasonCode::ModuleUnsigned, "is not signed, which taints the kernel".to_owned()),
        Some(signature) if profile.keys().is_empty() || is_known(profile, signature) => return None,
        Some(signature) => (
            ReasonCode::ModuleKeyUnknown,
            format!(
                "is signed with key {}, which the kernel does not have{}; that taints the kernel",
                signature.key,
                namesake(profile, signature)
            ),
        ),
    };
    let on_machines = match profile.option(KernelOption::LockdownInSecureBoot) {
        Some(true) => "; where Secure Boot is switched on, the kernel refuses it",
        _ => "",
    };
    let reason = Reason::new(code, format!("module {name} {what}{on_machines}")).subject(name);
    Some(reason.hint(key_hint(profile)))
}

/// Which keys count. Those of a machine's owner are in no image (security/integrity/platform_certs/load_uefi.c,
/// `load_moklist_certs`).
fn key_hint(profile: &Profile) -> &'static str {
    match profile.option(KernelOption::SecondaryTrustedKeyring) {
        Some(true) => {
            "sign it with a key that is built into the kernel, or that is enrolled on the machine (MOK), which cannot be seen from here"
        }
        _ => "sign it with a key that is built into the kernel",
    }
}
