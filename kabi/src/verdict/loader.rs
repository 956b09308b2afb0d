//! What the loader asks of one module before it looks at a symbol.

use spec::{ModuleName, Reason, ReasonCode};

use super::{Candidate, rebuild_hint};
use crate::{Btf, KernelOption, Module, Profile, index};

/// The first Linux that looks for extended versions (kernel/module/version.c, `modversion_ext_start`).
const EXTENDED_SINCE: (u32, u32) = (6, 14);

/// The extension as a whole is for another kernel.
pub(super) fn wrong_kernel(profile: &Profile, candidate: &Candidate<'_>) -> Option<Reason> {
    let wanted = profile.release();
    let found = candidate.kernel.filter(|found| *found != wanted)?;
    let sentence = format!("extension {} is for kernel {found}; the base has {wanted}", candidate.name);
    let reason = Reason::new(ReasonCode::KernelMismatch, sentence).hint(rebuild_hint(profile));
    Some(reason.wanted_found(wanted.as_str(), found.as_str()))
}

/// The module is for another kernel, or where modprobe does not look.
pub(super) fn wrong_release(profile: &Profile, module: &Module) -> Option<Reason> {
    let wanted = profile.release();
    let name = module.name.as_str();
    let (sentence, wanted, found) = match module.release() {
        Some(found) if found != wanted.as_str() => {
            let sentence = format!("module {name} is built for kernel {found}; the base has {wanted}");
            (sentence, wanted.to_string(), found.to_owned())
        }
        _ if index::inside_release(&module.path, wanted).is_none() => {
            let directory = index::directory(wanted);
            let sentence = format!("module {name} is at {}; modprobe looks in {directory}", module.path);
            (sentence, directory, module.path.to_string())
        }
        _ => return None,
    };
    let reason = Reason::new(ReasonCode::KernelMismatch, sentence).hint(rebuild_hint(profile));
    Some(reason.subject(name).wanted_found(wanted, found))
}

/// Everything else that the kernel holds against the module, releases and symbols aside.
pub(super) fn refusals(profile: &Profile, module: &Module, force: &[ModuleName]) -> Vec<Reason> {
    // Whatever such a module says is about another machine.
    if let Some(reason) = wrong_arch(profile, module) {
        return vec![reason];
    }
    let rules = [
        wrong_vermagic(profile, module),
        unversioned(profile, module, force),
        wrong_layout(profile, module),
        wrong_btf(profile, module),
        livepatch(profile, module),
    ];
    rules.into_iter().flatten().collect()
}

fn wrong_arch(profile: &Profile, module: &Module) -> Option<Reason> {
    let (name, found, wanted) = (module.name.as_str(), module.arch, profile.arch());
    if found == wanted {
        return None;
    }
    let sentence = format!("module {name} is for {found}; the base is for {wanted}");
    let reason = Reason::new(ReasonCode::ArchMismatch, sentence).hint(rebuild_hint(profile));
    Some(reason.subject(name).wanted_found(wanted.as_str(), found.as_str()))
}

/// The release is compared before, and by its own rule; here it is what follows the first blank that counts, as where
/// the kernel compares versions of symbols (kernel/module/version.c, `same_magic`).
fn wrong_vermagic(profile: &Profile, module: &Module) -> Option<Reason> {
    let (wanted, found) = (flags(profile.vermagic()?.as_str()), flags(module.vermagic.as_ref()?.as_str()));
    if wanted == found {
        return None;
    }
    let name = module.name.as_str();
    let sentence =
        format!("module {name} is built for a kernel with \"{found}\"; that of the base has \"{wanted}\"");
    let reason = Reason::new(ReasonCode::VermagicMismatch, sentence).hint(rebuild_hint(profile));
    Some(reason.subject(name).wanted_found(wanted, found))
}

/// What a vermagic says besides the release (linux/vermagic.h), with the blank at its end that the kernel compares too.
fn flags(vermagic: &str) -> &str {
    vermagic.split_once(' ').map_or("", |(_, flags)| flags)
}

/// Without vermagic or versions of symbols the kernel asks `try_to_force_load` (kernel/module/main.c), which says no
/// but for CONFIG_MODULE_FORCE_LOAD, and taints the kernel otherwise.
fn unversioned(profile: &Profile, module: &Module, force: &[ModuleName]) -> Option<Reason> {
    let lacks = lacks(profile, module)?;
    let name = module.name.as_str();
    let refused = |sentence: String| Reason::new(ReasonCode::ModuleUnversioned, sentence).subject(name);
    match (force.contains(&module.name), profile.option(KernelOption::ModuleForceLoad)) {
        (true, Some(true) | None) => None,
        (true, Some(false)) => {
            let sentence = format!("module {name} has {lacks}, and the kernel loads no module by force");
            Some(refused(sentence).hint(rebuild_hint(profile)))
        }
        (false, _) => {
            let sentence = format!(
                "module {name} has {lacks}: nobody can say whether it fits, and loading it would taint the kernel"
            );
            let option = if module.extended_only { "CONFIG_BASIC_MODVERSIONS" } else { "CONFIG_MODVERSIONS" };
            Some(
                refused(sentence)
                    .hint(format!("build it with {option}, or put {name} under force: in the manifest")),
            )
        }
    }
}

/// What the kernel would have to know of the module and does not: it loads such a module by force or not at all.
pub(super) fn lacks(profile: &Profile, module: &Module) -> Option<&'static str> {
    let compares = compares_versions(profile);
    match (&module.vermagic, has_versions(profile, module) || !compares) {
        (Some(_), true) if compares && exports_without_versions(module) => {
            Some("no versions of the symbols that it exports")
        }
        (Some(_), true) => None,
        (None, true) => Some("no vermagic"),
        (Some(_), false) if module.extended_only => {
            Some("versions of symbols only in the form that kernels before 6.14 do not read")
        }
        (Some(_), false) => Some("no versions of symbols"),
        (None, false) => Some("neither vermagic nor versions of symbols"),
    }
}

/// Lacks one of the tables of exports its versions? (kernel/module/main.c, `check_export_symbol_versions`)
fn exports_without_versions(module: &Module) -> bool {
    [false, true].into_iter().any(|gpl| {
        let mut table = module.exports.values().filter(|export| export.gpl == gpl).peekable();
        table.peek().is_some() && table.all(|export| export.crc.is_none())
    })
}

/// Does the kernel compare versions of symbols?
fn compares_versions(profile: &Profile) -> bool {
    profile
        .option(KernelOption::Modversions)
        .unwrap_or_else(|| profile.exports().any(|(_, known)| known.export.crc.is_some()))
}

/// Has the module versions of symbols, in a form that the kernel reads?
///
/// All kernels since [`EXTENDED_SINCE`] read the extended form, however they were configured. A kernel that does not say
/// which series it is of is taken for one of them.
pub(super) fn has_versions(profile: &Profile, module: &Module) -> bool {
    let reads_extended = || profile.release().series().is_none_or(|series| series >= EXTENDED_SINCE);
    module.versioned && (!module.extended_only || reads_extended())
}

/// The size is checked by kernels since 6.4 (kernel/module/main.c, `elf_validity_cache_index_mod`); those before take
/// what comes and read beyond it. The offsets are where the loader writes the addresses of init and exit.
fn wrong_layout(profile: &Profile, module: &Module) -> Option<Reason> {
    let (kernel, own) = (profile.layout()?, module.layout?);
    let fields = [
        ("the size", Some(kernel.size), Some(own.size)),
        ("the offset of init", kernel.init, own.init),
        ("the offset of exit", kernel.exit, own.exit),
    ];
    let (what, wanted, found) = fields.into_iter().find_map(|(what, wanted, found)| {
        let (wanted, found) = (wanted?, found?);
        (wanted != found).then_some((what, wanted, found))
    })?;
    let name = module.name.as_str();
    let sentence = format!(
        "module {name} was built with another struct module: {what} is {found}; in the kernel it is {wanted}"
    );
    let reason = Reason::new(ReasonCode::ModuleLayoutMismatch, sentence).hint(rebuild_hint(profile));
    Some(reason.subject(name).wanted_found(wanted.to_string(), found.to_string()))
}

/// Type information that counts on from the types of the kernel is right for the one build that it was made with
/// (kernel/bpf/btf.c, `btf_module_notify`); only modules of that build have it for certain.
///
/// A module that says that it was built with its kernel may be lying; where nothing shows that it was, there is a note.
fn wrong_btf(profile: &Profile, module: &Module) -> Option<Reason> {
    if module.in_tree || !is_btf_decisive(profile, module) {
        return None;
    }
    let name = module.name.as_str();
    let sentence = format!(
        "module {name} has type information (BTF) for one build of the kernel, and the kernel refuses that of another"
    );
    Some(Reason::new(ReasonCode::BtfMismatch, sentence).subject(name).hint(REMOVE_BTF))
}

/// What helps against type information of another build.
pub(super) const REMOVE_BTF: &str = "remove it before signing: objcopy --remove-section .BTF";

/// Does the kernel refuse the module if its type information is of another build?
pub(super) fn is_btf_decisive(profile: &Profile, module: &Module) -> bool {
    module.btf == Some(Btf::Split)
        && profile.option(KernelOption::DebugInfoBtfModules) == Some(true)
        && profile.option(KernelOption::ModuleAllowBtfMismatch) == Some(false)
}

fn livepatch(profile: &Profile, module: &Module) -> Option<Reason> {
    if !module.livepatch || profile.option(KernelOption::Livepatch) != Some(false) {
        return None;
    }
    let name = module.name.as_str();
    let sentence =
        format!("module {name} is a live patch, and the kernel was built without CONFIG_LIVEPATCH");
    Some(Reason::new(ReasonCode::KernelOptionMissing, sentence).subject(name))
}
