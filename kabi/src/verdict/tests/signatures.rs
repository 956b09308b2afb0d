//! Who must have signed, and what is said where nobody must.

use super::rules::{ISSUER, Rules, notes, rules, signed, signed_by, sound};
use super::*;
use crate::testing::issuer_of;

#[test]
fn signatures_count_where_the_kernel_wants_them() {
    let unsigned = || Module { signature: None, ..sound() };
    let enforced = || Rules { signatures: SignatureRule::Enforced, ..rules() };
    the_reason(
        &enforced().judge(unsigned()),
        ReasonCode::ModuleUnsigned,
        "module x is not signed, and the kernel loads signed modules only",
    );
    let reason = the_reason(
        &enforced().judge(signed(sound(), "0c")),
        ReasonCode::ModuleKeyUnknown,
        "module x is signed by Build key with key 0c, which the kernel does not have",
    );
    assert_eq!((reason.wanted.as_deref(), reason.found.as_deref()), (Some("0a0b"), Some("0c")));
    for built_so in ["CONFIG_MODULE_SIG_FORCE=y\n", "CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY=y\n"] {
        assert!(!fits(&Rules { config: built_so, ..rules() }.judge(unsigned())), "{built_so}");
    }
    assert_eq!(
        notes(&rules().judge(unsigned())),
        [(ReasonCode::ModuleUnsigned, "module x is not signed, which taints the kernel")]
    );
    assert_eq!(notes(&rules().judge(signed(sound(), "0c")))[0].0, ReasonCode::ModuleKeyUnknown);
}

#[test]
fn a_key_is_a_serial_number_and_its_issuer_or_an_identifier() {
    let enforced = || Rules { signatures: SignatureRule::Enforced, ..rules() };
    assert!(fits(&enforced().judge(signed_by(sound(), None, "0d"))));
    for (issuer, key) in [(None, "0a0b"), (Some(issuer_of(ISSUER)), "0d")] {
        assert!(!fits(&enforced().judge(signed_by(sound(), issuer, key))), "{key}");
    }
    let stranger = || signed_by(sound(), Some(issuer_of("CN=Stranger")), "0a0b");
    the_reason(
        &enforced().judge(stranger()),
        ReasonCode::ModuleKeyUnknown,
        "module x is signed by Build key with key 0a0b, which the kernel does not have: its own of that number has \
         another issuer",
    );
    let sentence = "module x is signed with key 0a0b, which the kernel does not have: its own of that number has \
        another issuer; that taints the kernel";
    assert_eq!(notes(&rules().judge(stranger())), [(ReasonCode::ModuleKeyUnknown, sentence)]);
}

#[test]
fn what_a_machine_with_secure_boot_refuses_is_noted() {
    let config = format!("{}CONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT=y\n", rules().config);
    let with = |module| Rules { config: config.clone().leak(), ..rules() }.judge(module);
    for (module, sentence) in [
        (
            Module { signature: None, ..sound() },
            "module x is not signed, which taints the kernel; where Secure Boot is switched on, the kernel refuses it",
        ),
        (
            signed(sound(), "0c"),
            "module x is signed with key 0c, which the kernel does not have; that taints the kernel; where Secure Boot \
             is switched on, the kernel refuses it",
        ),
    ] {
        assert_eq!(notes(&with(module))[0].1, sentence);
    }
    assert_eq!(notes(&with(sound())), []);
}

#[test]
fn a_key_of_the_machines_owner_counts_where_the_kernel_takes_it() {
    let hint = |more: &str| {
        let config = format!("{}{more}", rules().config).leak();
        let rules = Rules { config, signatures: SignatureRule::Enforced, ..rules() };
        reasons(&rules.judge(signed(sound(), "0c")))[0].hint.clone().unwrap()
    };
    assert_eq!(hint(""), "sign it with a key that is built into the kernel");
    assert!(hint("CONFIG_SECONDARY_TRUSTED_KEYRING=y\n").contains("enrolled on the machine (MOK)"));
}
