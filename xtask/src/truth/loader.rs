//! How the kernel's loader says what we say with a reason: the table of the errors that it returns, in which order it
//! looks, and where we are stricter than it on purpose.

use kabi::ModuleProblem;
use kabi::signature::SignatureProblem;
use spec::{Reason, ReasonCode};

use super::condition::Condition;
use super::errno::Errno;

/// Something that we hold against a module, as the loader would say it.
#[derive(Debug, Clone)]
pub(super) struct Objection {
    /// Which check of the loader's finds it.
    pub(super) check: Check,
    /// What that returns.
    pub(super) errnos: &'static [Errno],
    /// Why the loader may take the module all the same, if it may.
    pub(super) stricter: Option<&'static str>,
    /// What the loader's message has in it.
    pub(super) evidence: Option<String>,
    /// Our own words.
    pub(super) sentence: String,
}

/// The checks of `load_module` (kernel/module/main.c), in their order. One that fails ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    /// Before that, `kernel_read_file` (fs/kernel_read_file.c).
    Read,
    /// `module_sig_check` (kernel/module/signing.c).
    Signature,
    /// `elf_validity_cache_copy` and `rewrite_section_headers`.
    File,
    /// `check_modstruct_version` and `check_modinfo`, since 6.2 in `early_mod_check`.
    Claims,
    /// `add_unformed_module` and `module_patient_check_exists`.
    Name,
    /// `check_export_symbol_versions` and `simplify_symbols`, with `resolve_symbol`.
    Symbols,
    /// `apply_relocations`.
    Relocations,
    /// `verify_exported_symbols`.
    Exports,
    /// `btf_module_notify` (kernel/bpf/btf.c).
    TypeInformation,
    /// `mod_sysfs_init` (kernel/module/sysfs.c).
    Directory,
}

/// Without this the check returns the error for certain.
const NEVER: Option<&str> = None;

const OTHER_RELEASE: Option<&str> =
    Some("the loader compares CRCs and not releases, but modprobe looks in the directory of the release only");
const BY_FORCE: Option<&str> =
    Some("built with CONFIG_MODULE_FORCE_LOAD, the kernel loads what nobody can judge, and is tainted");
const OLD_LOADER: Option<&str> = Some("only newer loaders look at it");
const BUILT_IN: Option<&str> =
    Some("the loader knows a built-in module only if it has parameters, but both would be the same module");
const UNKNOWN_KIND: Option<&str> = Some("the loader takes a signature of a kind that it does not know for none");

impl Objection {
    /// What the loader says about a reason of a verdict. `is_built_in` is whether the kernel itself has the module.
    pub(super) fn of_reason(reason: &Reason, condition: Condition, is_built_in: bool) -> Objection {
        use Check::*;
        let symbol = reason.symbol.as_deref();
        let is_layout = symbol == Some("module_layout");
        let (check, errnos, stricter): (Check, &[Errno], _) = match reason.code {
            ReasonCode::ModuleUnsigned | ReasonCode::ModuleKeyUnknown => {
                (Signature, signature_required(condition), NEVER)
            }
            ReasonCode::ArchMismatch => (File, &[Errno::ENOEXEC], NEVER),
            ReasonCode::KernelMismatch => (Claims, &[Errno::ENOEXEC], OTHER_RELEASE),
            ReasonCode::VermagicMismatch | ReasonCode::KernelOptionMissing => (Claims, &[Errno::ENOEXEC], NEVER),
            // try_to_force_load.
            ReasonCode::ModuleUnversioned => (Claims, &[Errno::ENOEXEC], BY_FORCE),
            ReasonCode::SymbolCrcMismatch if is_layout => (Claims, &[Errno::ENOEXEC], NEVER),
            ReasonCode::ModuleDuplicate if is_built_in => (Directory, &[Errno::EINVAL], BUILT_IN),
            ReasonCode::ModuleDuplicate => (Name, &[Errno::EEXIST], NEVER),
            ReasonCode::SymbolMissing => (Symbols, &[Errno::ENOENT], NEVER),
            ReasonCode::SymbolCrcMismatch => (Symbols, &[Errno::EINVAL], NEVER),
            // Symbols that are not for the licence do not exist for it; verify_namespace_is_imported says EINVAL.
            ReasonCode::SymbolRestricted => (Symbols, &[Errno::ENOENT, Errno::EINVAL], NEVER),
            // The size is looked at in the file since 6.4; the offsets, when relocations find something there already.
            ReasonCode::ModuleLayoutMismatch => (Relocations, &[Errno::ENOEXEC], OLD_LOADER),
            ReasonCode::SymbolDuplicate => (Exports, &[Errno::ENOEXEC], NEVER),
            ReasonCode::BtfMismatch => (TypeInformation, &[Errno::EINVAL], NEVER),
            // No other reason is about the loader; one that turns up here agrees with nothing.
            _ => (Directory, &[], NEVER),
        };
        let evidence = symbol.map(|symbol| match reason.code {
            ReasonCode::SymbolDuplicate => format!("duplicate symbol {symbol} "),
            _ if is_layout => symbol.to_owned(),
            _ => format!("Unknown symbol {symbol} "),
        });
        Objection { check, errnos, stricter, evidence, sentence: reason.sentence.clone() }
    }

    /// What the loader says about a file that we cannot read.
    pub(super) fn of_problem(problem: &ModuleProblem, is_empty: bool) -> Objection {
        use Check::*;
        let (check, errnos, stricter): (Check, &[Errno], _) = match problem {
            _ if is_empty => (Read, &[Errno::EINVAL], NEVER),
            ModuleProblem::Signature(SignatureProblem::Trailer) => (Signature, &[Errno::EBADMSG], UNKNOWN_KIND),
            ModuleProblem::Signature(_) => (Signature, &[Errno::EBADMSG], NEVER),
            ModuleProblem::SectionTwice(_) => (File, &[Errno::ENOEXEC], OLD_LOADER),
            // Then it has no licence either, and no GPL-only symbol is for it.
            ModuleProblem::SectionMissing(".modinfo") => (Symbols, &[Errno::ENOENT], BY_FORCE),
            _ => (File, &[Errno::ENOEXEC], NEVER),
        };
        Objection { check, errnos, stricter, evidence: None, sentence: problem.to_string() }
    }

    /// A signature that the kernel can hold against a key, and that is not by it.
    pub(super) fn of_bad_signature(sentence: String) -> Objection {
        Objection {
            check: Check::Signature,
            errnos: &[Errno::EKEYREJECTED],
            stricter: NEVER,
            evidence: None,
            sentence,
        }
    }

    /// A file that cannot be read and has no signature either.
    pub(super) fn of_unsigned_file(condition: Condition) -> Option<Objection> {
        let errnos = signature_required(condition);
        let sentence = "the file is not signed".to_owned();
        let objection = Objection { check: Check::Signature, errnos, stricter: NEVER, evidence: None, sentence };
        (!errnos.is_empty()).then_some(objection)
    }
}

/// Enforcement comes before lockdown.
fn signature_required(condition: Condition) -> &'static [Errno] {
    match condition {
        Condition::AsBuilt => &[],
        Condition::SigEnforce => &[Errno::EKEYREJECTED],
        Condition::Lockdown => &[Errno::EPERM],
    }
}
