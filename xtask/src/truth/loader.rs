//! How the kernel's loader says what we say with a reason: the table of the errors that it returns, in which order it
//! looks, and where we are stricter than it on purpose.

use kabi::ModuleProblem;
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
    /// One of these is in the loader's message, if there are any: where the error alone does not tell.
    pub(super) evidence: Vec<String>,
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
    /// `verify_exported_symbols`.
    Exports,
    /// `btf_module_notify` (kernel/bpf/btf.c).
    TypeInformation,
    /// `mod_sysfs_init` (kernel/module/sysfs.c).
    Directory,
}

/// Stands for the layout of `struct module` among the symbols; it has a check of its own.
const MODULE_LAYOUT: &str = "module_layout";

/// Without this the check returns the error for certain.
const NEVER: Option<&str> = None;

const OTHER_RELEASE: Option<&str> = Some(
    "the loader compares CRCs and not releases, but modprobe looks in the directory of the release only",
);
const BY_FORCE: Option<&str> =
    Some("built with CONFIG_MODULE_FORCE_LOAD, the kernel loads what nobody can judge, and is tainted");
const OLD_LOADER: Option<&str> = Some("only newer loaders look at it");
const BUILT_IN: Option<&str> =
    Some("the loader knows a built-in module only if it has parameters, but both would be the same module");
const NAMELESS: Option<&str> = Some(
    "modpost names every module; the loader takes one without a name, but nothing can be said of it to anybody",
);

impl Objection {
    /// What the loader says about a reason of a verdict. `is_built_in` is whether the kernel itself has the module.
    pub(super) fn of_reason(reason: &Reason, condition: Condition, is_built_in: bool) -> Objection {
        use Check::*;
        let symbol = reason.symbol.as_deref();
        let is_layout = symbol == Some(MODULE_LAYOUT);
        let (check, errnos, stricter): (Check, &[Errno], _) = match reason.code {
            ReasonCode::ModuleUnsigned | ReasonCode::ModuleKeyUnknown => {
                (Signature, signature_required(condition), NEVER)
            }
            ReasonCode::ArchMismatch => (File, &[Errno::ENOEXEC], NEVER),
            ReasonCode::KernelMismatch => (Claims, &[Errno::ENOEXEC], OTHER_RELEASE),
            ReasonCode::VermagicMismatch | ReasonCode::KernelOptionMissing => {
                (Claims, &[Errno::ENOEXEC], NEVER)
            }
            // try_to_force_load.
            ReasonCode::ModuleUnversioned => (Claims, &[Errno::ENOEXEC], BY_FORCE),
            ReasonCode::SymbolCrcMismatch if is_layout => (Claims, &[Errno::ENOEXEC], NEVER),
            ReasonCode::ModuleDuplicate if is_built_in => (Directory, &[Errno::EINVAL], BUILT_IN),
            ReasonCode::ModuleDuplicate => (Name, &[Errno::EEXIST], NEVER),
            ReasonCode::SymbolMissing => (Symbols, &[Errno::ENOENT], NEVER),
            ReasonCode::SymbolCrcMismatch => (Symbols, &[Errno::EINVAL], NEVER),
            // Symbols that are not for the licence do not exist for it; verify_namespace_is_imported says EINVAL.
            ReasonCode::SymbolRestricted => (Symbols, &[Errno::ENOENT, Errno::EINVAL], NEVER),
            // Newer loaders hold the size against their own; all that check relocations find offsets that are wrong.
            ReasonCode::ModuleLayoutMismatch => (File, &[Errno::ENOEXEC], OLD_LOADER),
            ReasonCode::SymbolDuplicate => (Exports, &[Errno::ENOEXEC], NEVER),
            ReasonCode::BtfMismatch => (TypeInformation, &[Errno::EINVAL], NEVER),
            // No other reason is about the loader; one that turns up here agrees with nothing.
            _ => (Directory, &[], NEVER),
        };
        let sentence = reason.sentence.clone();
        Objection { check, errnos, stricter, evidence: evidence(reason.code, symbol), sentence }
    }

    /// What the loader says about a file that we cannot read.
    pub(super) fn of_problem(problem: &ModuleProblem, is_empty: bool) -> Objection {
        use Check::*;
        let (check, errnos, stricter): (Check, &[Errno], _) = match problem {
            _ if is_empty => (Read, &[Errno::EINVAL], NEVER),
            ModuleProblem::Signature(_) => (Signature, &[Errno::EBADMSG], NEVER),
            ModuleProblem::InfoMissing("name") => (File, &[Errno::ENOEXEC], NAMELESS),
            ModuleProblem::SectionTwice(_) => (File, &[Errno::ENOEXEC], OLD_LOADER),
            // Then it has no licence either, and no GPL-only symbol is for it.
            ModuleProblem::SectionMissing(".modinfo") => (Symbols, &[Errno::ENOENT], BY_FORCE),
            _ => (File, &[Errno::ENOEXEC], NEVER),
        };
        Objection { check, errnos, stricter, evidence: Vec::new(), sentence: problem.to_string() }
    }

    /// A signature that the kernel can hold against a key, and that is not by it.
    pub(super) fn of_bad_signature(sentence: String) -> Objection {
        Objection {
            check: Check::Signature,
            errnos: &[Errno::EKEYREJECTED],
            stricter: NEVER,
            evidence: Vec::new(),
            sentence,
        }
    }

    /// A file that cannot be read and has no signature either.
    pub(super) fn of_unsigned_file(condition: Condition) -> Option<Objection> {
        let errnos = signature_required(condition);
        let sentence = "the file is not signed".to_owned();
        let objection =
            Objection { check: Check::Signature, errnos, stricter: NEVER, evidence: Vec::new(), sentence };
        (!errnos.is_empty()).then_some(objection)
    }
}

/// What the loader prints.
fn evidence(code: ReasonCode, symbol: Option<&str>) -> Vec<String> {
    let words: &[&str] = match (code, symbol) {
        (ReasonCode::SymbolDuplicate, Some(symbol)) => return vec![format!("duplicate symbol {symbol} ")],
        (_, Some(MODULE_LAYOUT)) => {
            &["disagrees about version of symbol module_layout", "no symbol version for module_layout"]
        }
        (_, Some(symbol)) => return vec![format!("Unknown symbol {symbol} (")],
        (ReasonCode::ArchMismatch, _) => &["Invalid architecture"],
        (ReasonCode::KernelMismatch | ReasonCode::VermagicMismatch, _) => &["version magic"],
        (ReasonCode::KernelOptionMissing, _) => &["livepatch"],
        // Loaders of one series differ in what they do about the same finding.
        (ReasonCode::ModuleLayoutMismatch, _) => &["nvalid relocation target", ".gnu.linkonce.this_module"],
        (ReasonCode::BtfMismatch, _) => &["BTF"],
        _ => &[],
    };
    words.iter().map(|words| (*words).to_owned()).collect()
}

/// Enforcement comes before lockdown.
fn signature_required(condition: Condition) -> &'static [Errno] {
    match condition {
        Condition::AsBuilt => &[],
        Condition::SigEnforce => &[Errno::EKEYREJECTED],
        Condition::Lockdown => &[Errno::EPERM],
    }
}
