//! The matrix: what is booted, what is done to it before, and what must come of it. Nothing here does anything.

use spec::ReasonCode;

/// How many extensions of one file there are, `word-1` and so on.
pub(super) const WORDS: usize = 32;
/// An extension with a file of many blocks.
pub(super) const LARGE: &str = "large";
/// One with modules of the kernel.
pub(super) const DRIVER: &str = "wireguard";

/// One whose root hash is signed by a key that the firmware knows.
pub(super) const ROOT_HASH_SIGNED: &str = "root-hash-signed";
/// To dm-verity: nothing without such a signature (drivers/md/dm-verity-verify-sig.c).
pub(super) const SIGNATURES_DEMANDED: &str = "dm_verity.require_signatures=1";

/// Extensions that a machine must refuse.
pub(super) mod bad {
    /// Signed by a key that the machine does not trust.
    pub(in crate::boots) const STRANGE: &str = "strange";
    /// Has a path that `word-1` has too.
    pub(in crate::boots) const COLLIDING: &str = "colliding";
    /// Needs an extension that nobody has.
    pub(in crate::boots) const NEEDY: &str = "needy";
    /// Needs [`STRANGE`].
    pub(in crate::boots) const DEPENDENT: &str = "dependent";
    /// Has modules for another kernel.
    pub(in crate::boots) const FOREIGN: &str = "foreign";
    /// Has a module that lost its signature, which only matters to a kernel that is locked down.
    pub(in crate::boots) const UNSIGNED: &str = "unsigned";
}

/// A kernel of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kernel {
    /// Debian's 6.1: virtio as modules, overlays by mount(2), modules that are not compressed.
    Six1,
    /// Debian's 6.12: virtio built in, compressed modules.
    Six12,
}

/// What starts the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Firmware {
    Uefi,
    Bios,
    /// UEFI that starts only what our key has signed.
    SecureBoot,
}

/// How images are to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Images {
    Copy,
    Verity,
}

/// What happens to the finished medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    None,
    /// One bit in the middle of an extension's image, among its data.
    Data(&'static str),
    /// One bit in the first block of an extension's image.
    Superblock(&'static str),
    /// One bit of the kernel's command line, in the program that the firmware starts.
    Kernel,
    /// One bit of the root image.
    Root,
    /// The machine config is no text any more.
    MachineConfig,
    /// The store says no more that it is one.
    Store,
}

/// What must come of it.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// The system starts.
    Runs {
        /// With these out, each for this reason; all others are in.
        refused: Vec<(&'static str, ReasonCode)>,
        /// Extensions that are in, and whose file cannot be read.
        unreadable: Vec<&'static str>,
        /// What the status says of the whole.
        note: Option<&'static str>,
    },
    /// The boot program gives up with this sentence, and the machine starts again.
    Ends(&'static str),
    /// The firmware does not start it.
    NotStarted,
}

/// One boot.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// For people, and for `--only`.
    pub(super) name: &'static str,
    /// It is booted in every test run, and not only with `--all`.
    pub(super) usual: bool,
    pub(super) kernel: Kernel,
    pub(super) firmware: Firmware,
    /// The program that the firmware starts is signed for Secure Boot.
    pub(super) signed: bool,
    pub(super) images: Images,
    /// More for the command line of the kernel.
    pub(super) arguments: &'static str,
    /// The extensions of the machine config.
    pub(super) extensions: Vec<String>,
    /// The one without which the set is worth nothing.
    pub(super) required: Option<&'static str>,
    pub(super) damage: Damage,
    pub(super) expected: Expected,
}

impl Case {
    /// Version 6.1, by BIOS, with copies, and nothing that is wrong.
    fn of(name: &'static str, extensions: Vec<String>) -> Case {
        let expected = Expected::Runs { refused: Vec::new(), unreadable: Vec::new(), note: None };
        Case {
            name,
            usual: true,
            kernel: Kernel::Six1,
            firmware: Firmware::Bios,
            signed: false,
            images: Images::Copy,
            arguments: "",
            extensions,
            required: None,
            damage: Damage::None,
            expected,
        }
    }

    fn rare(self) -> Case {
        Case { usual: false, ..self }
    }

    fn new_kernel(self) -> Case {
        Case { kernel: Kernel::Six12, ..self }
    }

    fn uefi(self) -> Case {
        Case { firmware: Firmware::Uefi, ..self }
    }

    /// Only what is signed is started, and this is.
    fn secure_boot(self) -> Case {
        Case { firmware: Firmware::SecureBoot, signed: true, ..self }
    }

    fn verity(self) -> Case {
        Case { images: Images::Verity, ..self }
    }

    fn damaged(self, damage: Damage) -> Case {
        Case { damage, ..self }
    }

    fn requires(self, name: &'static str) -> Case {
        Case { required: Some(name), ..self }
    }

    fn with_arguments(self, arguments: &'static str) -> Case {
        Case { arguments, ..self }
    }

    fn never_starts(self) -> Case {
        Case { expected: Expected::NotStarted, ..self }
    }

    fn ends(self, sentence: &'static str) -> Case {
        Case { expected: Expected::Ends(sentence), ..self }
    }

    fn refuses(mut self, more: &[(&'static str, ReasonCode)]) -> Case {
        if let Expected::Runs { refused, .. } = &mut self.expected {
            refused.extend_from_slice(more);
        }
        self
    }

    fn cannot_read(mut self, name: &'static str) -> Case {
        if let Expected::Runs { unreadable, .. } = &mut self.expected {
            unreadable.push(name);
        }
        self
    }

    fn notes(mut self, sentence: &'static str) -> Case {
        if let Expected::Runs { note, .. } = &mut self.expected {
            *note = Some(sentence);
        }
        self
    }
}

/// The first `count` small extensions.
fn words(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("word-{number}")).collect()
}

fn and(mut extensions: Vec<String>, more: &[&str]) -> Vec<String> {
    extensions.extend(more.iter().map(|name| (*name).to_owned()));
    extensions
}

/// All cases.
pub(super) fn all() -> Vec<Case> {
    use ReasonCode::{
        DigestMismatch, KeyUnknown, ModuleUnsigned, PathCollision, RequirementUnmet, SymbolCrcMismatch,
    };
    let some = || and(words(2), &[DRIVER]);
    let mut cases = vec![
        Case::of("6.1-uefi-copy", some()).uefi(),
        Case::of("6.1-uefi-verity", some()).uefi().verity().rare(),
        Case::of("6.1-bios-copy", some()).rare(),
        Case::of("6.1-bios-verity", some()).verity(),
        Case::of("6.12-uefi-copy", some()).new_kernel().uefi().rare(),
        Case::of("6.12-uefi-verity", some()).new_kernel().uefi().verity(),
        Case::of("6.12-bios-copy", some()).new_kernel(),
        Case::of("6.12-bios-verity", some()).new_kernel().verity().rare(),
        Case::of("0-extensions", words(0)),
        Case::of("1-extension", words(1)).rare(),
        Case::of("8-extensions", words(8)).rare(),
        Case::of("32-extensions", words(WORDS)),
        Case::of("32-extensions-verity", words(WORDS)).verity(),
        Case::of("32-extensions-6.12", words(WORDS)).new_kernel().verity().rare(),
    ];
    let everything = [bad::STRANGE, bad::COLLIDING, bad::NEEDY, bad::DEPENDENT, bad::FOREIGN];
    let reasons = [
        (bad::STRANGE, KeyUnknown),
        (bad::COLLIDING, PathCollision),
        (bad::NEEDY, RequirementUnmet),
        (bad::DEPENDENT, RequirementUnmet),
        (bad::FOREIGN, SymbolCrcMismatch),
    ];
    cases.push(Case::of("all-that-is-bad", and(some(), &everything)).refuses(&reasons));
    for (name, reason) in reasons {
        let others: &[&str] = if name == bad::DEPENDENT { &[bad::STRANGE] } else { &[] };
        let refused = [(name, reason)];
        let case = Case::of(name, and(and(words(2), others), &[name])).refuses(&refused).rare();
        cases.push(if others.is_empty() { case } else { case.refuses(&[reasons[0]]) });
    }
    cases.extend([
        Case::of("required-and-refused", and(words(1), &[bad::STRANGE]))
            .requires(bad::STRANGE)
            .refuses(&[("word-1", RequirementUnmet), (bad::STRANGE, KeyUnknown)]),
        Case::of("flipped-in-copy", and(words(1), &[LARGE]))
            .damaged(Damage::Data(LARGE))
            .refuses(&[(LARGE, DigestMismatch)])
            .rare(),
        Case::of("flipped-data-in-verity", and(words(1), &[LARGE]))
            .verity()
            .damaged(Damage::Data(LARGE))
            .cannot_read(LARGE),
        Case::of("flipped-superblock-in-verity", and(words(1), &[LARGE]))
            .verity()
            .damaged(Damage::Superblock(LARGE))
            .refuses(&[(LARGE, DigestMismatch)]),
        Case::of("flipped-root", words(1))
            .damaged(Damage::Root)
            .ends("is not the one that this initramfs is for"),
        Case::of("broken-machine-config", words(1))
            .damaged(Damage::MachineConfig)
            .notes("the base runs alone"),
        Case::of("broken-store", words(1))
            .damaged(Damage::Store)
            .refuses(&[("word-1", ReasonCode::MalformedArtifact)])
            .rare(),
        // Media are dated 1980 unless somebody says otherwise, and that is their UUID.
        Case::of("medium-by-uuid", words(1))
            .with_arguments("tenon.medium=UUID=1980-01-01-00-00-00-00")
            .rare(),
        Case::of("unsigned-module", and(some(), &[bad::UNSIGNED])).rare(),
        Case::of("secure-boot", and(some(), &[bad::UNSIGNED]))
            .secure_boot()
            .refuses(&[(bad::UNSIGNED, ModuleUnsigned)]),
        Case::of("secure-boot-6.12", some()).new_kernel().secure_boot().verity().rare(),
        Case::of("secure-boot-tampered", words(1)).secure_boot().damaged(Damage::Kernel).never_starts(),
        Case { signed: false, ..Case::of("secure-boot-without-signature", words(1)).secure_boot() }
            .never_starts()
            .rare(),
        Case::of("root-hash-signatures-demanded", and(words(1), &[ROOT_HASH_SIGNED]))
            .new_kernel()
            .secure_boot()
            .verity()
            .with_arguments(SIGNATURES_DEMANDED),
    ]);
    cases
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_case_has_a_name_of_its_own_and_what_it_expects_is_asked_for() {
        let cases = all();
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases.len());
        for case in &cases {
            let Expected::Runs { refused, unreadable, .. } = &case.expected else { continue };
            let told = refused.iter().map(|(name, _)| *name).chain(unreadable.iter().copied());
            for name in told {
                assert!(case.extensions.iter().any(|asked| asked == name), "{}: {name}", case.name);
            }
        }
        for kernel in [Kernel::Six1, Kernel::Six12] {
            assert!(cases.iter().any(|case| case.usual && case.kernel == kernel), "{kernel:?}");
        }
    }
}
