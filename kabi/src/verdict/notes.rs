//! What fits, and is worth a second look: nothing here keeps the kernel from loading a module.

use std::collections::BTreeSet;

use spec::listing::{Kind, Listing};
use spec::{ModuleName, Reason, ReasonCode, TreePath};

use super::{Candidate, Host, loader, signatures, unknown};
use crate::profile::Owner;
use crate::{KernelOption, Module, Record};

/// How much is said of one kind.
const NOTES_MAX: usize = 32;
/// How many names of one extension are looked for: more than any has, for boot waits.
const LOOKED_AT_MAX: usize = 4096;

/// What to say about one candidate of a set of which those that are `fit` will be there.
pub(super) fn notes(
    host: &Host<'_>,
    candidates: &[Candidate<'_>],
    index: usize,
    fit: &[bool],
) -> Vec<Reason> {
    let set: Vec<&Candidate<'_>> =
        candidates.iter().zip(fit).filter(|(_, fit)| **fit).map(|(candidate, _)| candidate).collect();
    let candidate = &candidates[index];
    let modules = candidate.record.modules();
    let mut notes: Vec<Reason> = unknown::note(host, candidate).into_iter().collect();
    notes.extend(missing_firmware(host, &set, modules).take(NOTES_MAX));
    notes.extend(missing_companions(host, &set, modules).take(NOTES_MAX));
    notes.extend(modules.iter().filter_map(|module| assumed(host, &set, module)).take(NOTES_MAX));
    notes.extend(modules.iter().filter_map(|module| unproven_build(host, module)).take(NOTES_MAX));
    notes.extend(modules.iter().filter_map(|module| taint(host, candidate, module)).take(NOTES_MAX));
    notes
}

/// Firmware that is neither in the base nor in the set. A module asks for what its device needs, seldom for all that it
/// names. Names that are patterns are not looked for.
fn missing_firmware<'a>(
    host: &'a Host<'_>,
    set: &[&'a Candidate<'_>],
    modules: &'a [Module],
) -> impl Iterator<Item = Reason> {
    let all_known = set.iter().all(|candidate| candidate.paths.is_some());
    let base = host.paths.filter(|_| all_known);
    let lists: Vec<&Listing> = set.iter().filter_map(|candidate| candidate.paths).chain(base).collect();
    let names =
        modules.iter().flat_map(|module| module.firmware.iter().map(move |name| (module, name.as_str())));
    let names = names.filter(|(_, name)| !name.contains(['*', '?', '['])).take(LOOKED_AT_MAX);
    let absent =
        move |(_, name): &(&Module, &str)| !places(host, name).iter().any(|path| is_in(&lists, path));
    names.filter(move |_| base.is_some()).filter(absent).map(|(module, name)| {
        let sentence = format!("module {} may ask for firmware {name}, which is nowhere", module.name);
        let reason = Reason::new(ReasonCode::FirmwareMissing, sentence).subject(module.name.as_str());
        reason
            .wanted_found(name, "none")
            .hint("add an extension with the firmware, if the machine has such a device")
    })
}

/// Where the kernel looks for firmware (drivers/base/firmware_loader/main.c, `fw_path`), and in which forms.
fn places(host: &Host<'_>, name: &str) -> Vec<String> {
    let release = host.profile.release();
    let has = |option| host.profile.option(option).unwrap_or(true);
    let endings = [
        ("", true),
        (".zst", has(KernelOption::FwLoaderCompressZstd)),
        (".xz", has(KernelOption::FwLoaderCompressXz)),
    ];
    let directories =
        [format!("updates/{release}/"), "updates/".to_owned(), format!("{release}/"), String::new()];
    directories
        .iter()
        .flat_map(|directory| {
            let endings = endings.iter().filter(|(_, is_read)| *is_read);
            endings.map(move |(ending, _)| format!("/usr/lib/firmware/{directory}{name}{ending}"))
        })
        .collect()
}

fn is_in(lists: &[&Listing], path: &str) -> bool {
    let Ok(path) = path.parse::<TreePath>() else { return false };
    lists.iter().any(|list| list.get(&path) == Some(Kind::Leaf))
}

/// Modules that should be loaded with one of these (modprobe.d(5), softdep and weakdep) and are nowhere, under their own
/// name or an alias. The module loads without them.
fn missing_companions<'a>(
    host: &'a Host<'_>,
    set: &'a [&'a Candidate<'_>],
    modules: &'a [Module],
) -> impl Iterator<Item = Reason> {
    let texts = |module: &'a Module| module.softdeps.iter().chain(&module.weakdeps);
    let words = modules
        .iter()
        .flat_map(move |module| texts(module).map(move |text| (module, text)))
        .flat_map(|(module, text)| text.as_str().split_whitespace().map(move |word| (module, word)))
        .filter(|(_, word)| !word.ends_with(':'))
        .take(LOOKED_AT_MAX);
    let names = words.filter_map(|(module, word)| Some((module, word.parse::<ModuleName>().ok()?)));
    let absent = move |(_, name): &(&Module, ModuleName)| {
        let shipped = set.iter().any(|candidate| candidate.record.get(name).is_some());
        let by_name = shipped || host.ships(name) || host.profile.is_builtin(name);
        !by_name && host.modules.is_some() && !is_alias(host, set, name)
    };
    names.filter(absent).map(|(module, name)| {
        let sentence = format!("module {} would have {name} loaded with it, which is nowhere", module.name);
        Reason::new(ReasonCode::SoftDependencyMissing, sentence).subject(module.name.as_str())
    })
}

/// Is it another name of a module? Aliases of built-in modules are not known, so one that looks like an algorithm of the
/// kernel's (linux/crypto.h, MODULE_ALIAS_CRYPTO) is taken to be there.
fn is_alias(host: &Host<'_>, set: &[&Candidate<'_>], name: &ModuleName) -> bool {
    let records = set.iter().map(|candidate| candidate.record).chain(host.modules);
    let mut aliases = records.flat_map(Record::modules).flat_map(|module| &module.aliases);
    name.as_str().starts_with("crypto_")
        || aliases.any(|alias| alias.as_str().parse::<ModuleName>().is_ok_and(|alias| alias == *name))
}

/// Which modules of the kernel must be there, where nobody said which are.
fn assumed(host: &Host<'_>, set: &[&Candidate<'_>], module: &Module) -> Option<Reason> {
    if host.modules.is_some() {
        return None;
    }
    let in_set = |name: &&ModuleName| set.iter().any(|candidate| candidate.record.get(name).is_some());
    let owners = module.imports.keys().filter_map(|symbol| match host.profile.owner(symbol) {
        Some(Owner::Module(name)) => Some(name),
        _ => None,
    });
    let names: BTreeSet<&str> = owners.filter(|name| !in_set(name)).map(ModuleName::as_str).collect();
    if names.is_empty() {
        return None;
    }
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let sentence = format!("module {} needs {names} of the kernel, which the base must ship", module.name);
    let reason = Reason::new(ReasonCode::ModuleAssumed, sentence).subject(module.name.as_str());
    Some(reason.hint("hold it against a base instead: --kernel BASE_DIR"))
}

/// What will mark the kernel as tainted, once for each module.
fn taint(host: &Host<'_>, candidate: &Candidate<'_>, module: &Module) -> Option<Reason> {
    force(host, candidate, module).or_else(|| signatures::note(host, module))
}

/// A module that is loaded by force marks the kernel as tainted (admin-guide/tainted-kernels): people who are asked for
/// help ask about it.
fn force(host: &Host<'_>, candidate: &Candidate<'_>, module: &Module) -> Option<Reason> {
    let lacks = loader::lacks(host.profile, module).filter(|_| candidate.force.contains(&module.name))?;
    let name = module.name.as_str();
    let sentence = match host.profile.option(KernelOption::ModuleForceLoad) {
        Some(_) => format!("module {name} has {lacks}: it is loaded by force, which taints the kernel"),
        None => format!(
            "module {name} has {lacks}: the kernel loads it by force, which taints it, or not at all ({})",
            KernelOption::ModuleForceLoad
        ),
    };
    Some(Reason::new(ReasonCode::ModuleUnversioned, sentence).subject(name))
}

/// A module that says that it was built with the kernel, on a kernel that refuses type information of another build.
///
/// The kernel's key makes it believable: who builds the kernel uses it, and mostly throws it away. Without any key in the
/// profile there is nothing to tell such modules by, and it is believed.
fn unproven_build(host: &Host<'_>, module: &Module) -> Option<Reason> {
    let profile = host.profile;
    let is_claimed = module.in_tree && loader::is_btf_decisive(profile, module);
    if !is_claimed || profile.keys().is_empty() || signatures::is_by_kernel(profile, module) {
        return None;
    }
    let name = module.name.as_str();
    let sentence = format!(
        "module {name} says that it was built with the kernel, and is not signed with its key: if it was not, the kernel refuses its type information (BTF)"
    );
    Some(Reason::new(ReasonCode::BtfMismatch, sentence).subject(name).hint(loader::REMOVE_BTF))
}
