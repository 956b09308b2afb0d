//! What fits, and is worth a second look: nothing here keeps the kernel from loading a module.

use std::collections::BTreeSet;

use spec::listing::{Kind, Listing};
use spec::{ModuleName, Reason, ReasonCode, TreePath};

use super::{Candidate, Host, signatures};
use crate::profile::Owner;
use crate::{KernelOption, Module};

/// How much is said of one kind.
const NOTES_MAX: usize = 32;

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
    let missing = |module| missing_firmware(host, &set, module);
    let mut notes: Vec<Reason> = modules.iter().flat_map(missing).take(NOTES_MAX).collect();
    notes.extend(modules.iter().flat_map(|module| missing_companions(host, &set, module)).take(NOTES_MAX));
    notes.extend(modules.iter().filter_map(|module| assumed(host, &set, module)).take(NOTES_MAX));
    notes.extend(modules.iter().filter_map(|module| taint(host, candidate, module)).take(NOTES_MAX));
    notes
}

/// Firmware that is neither in the base nor in the set. A module asks for what its device needs, seldom for all that it
/// names.
fn missing_firmware(host: &Host<'_>, set: &[&Candidate<'_>], module: &Module) -> Vec<Reason> {
    let (Some(base), true) = (host.paths, set.iter().all(|candidate| candidate.paths.is_some())) else {
        return Vec::new();
    };
    let lists: Vec<&Listing> = set.iter().filter_map(|candidate| candidate.paths).chain([base]).collect();
    let absent = |name: &&str| !places(host, name).iter().any(|path| is_in(&lists, path));
    let names = module.firmware.iter().map(|name| name.as_str());
    names
        .filter(absent)
        .map(|name| {
            let sentence = format!("module {} may ask for firmware {name}, which is nowhere", module.name);
            let reason = Reason::new(ReasonCode::FirmwareMissing, sentence).subject(module.name.as_str());
            reason
                .wanted_found(name, "none")
                .hint("add an extension with the firmware, if the machine has such a device")
        })
        .collect()
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

/// Some modules name their firmware with a pattern; whatever begins as it does will do.
fn is_in(lists: &[&Listing], path: &str) -> bool {
    match path.split_once(['*', '?', '[']) {
        Some((start, _)) => {
            lists.iter().any(|list| list.iter().any(|(path, _)| path.as_str().starts_with(start)))
        }
        None => {
            let Ok(path) = path.parse::<TreePath>() else { return false };
            lists.iter().any(|list| list.get(&path) == Some(Kind::Leaf))
        }
    }
}

/// Modules that should be loaded with this one (modprobe.d(5), softdep and weakdep) and are nowhere. The module loads
/// without them.
fn missing_companions(host: &Host<'_>, set: &[&Candidate<'_>], module: &Module) -> Vec<Reason> {
    let is_there = |name: &ModuleName| {
        let shipped = set.iter().any(|candidate| candidate.record.get(name).is_some());
        shipped || host.modules.is_none() || host.ships(name) || host.profile.is_builtin(name)
    };
    let words =
        module.softdeps.iter().chain(&module.weakdeps).flat_map(|text| text.as_str().split_whitespace());
    let names = words.filter(|word| !word.ends_with(':')).filter_map(|word| word.parse::<ModuleName>().ok());
    names
        .filter(|name| !is_there(name))
        .map(|name| {
            let sentence =
                format!("module {} would have {name} loaded with it, which is nowhere", module.name);
            Reason::new(ReasonCode::SoftDependencyMissing, sentence).subject(module.name.as_str())
        })
        .collect()
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

/// What will mark the kernel as tainted (admin-guide/tainted-kernels): people who are asked for help ask about it.
fn taint(host: &Host<'_>, candidate: &Candidate<'_>, module: &Module) -> Option<Reason> {
    let name = module.name.as_str();
    if candidate.force.contains(&module.name) && (module.vermagic.is_none() || !module.versioned) {
        let sentence = format!("module {name} is loaded by force, which taints the kernel");
        return Some(Reason::new(ReasonCode::ModuleUnversioned, sentence).subject(name));
    }
    let is_judged =
        host.profile.option(KernelOption::ModuleSig) == Some(true) && !signatures::are_required(host);
    match (&module.signature, is_judged) {
        (None, true) => {
            let sentence = format!("module {name} is not signed, which taints the kernel");
            Some(Reason::new(ReasonCode::ModuleUnsigned, sentence).subject(name))
        }
        (Some(signature), true) if !host.profile.keys().is_empty() => {
            let known = host.profile.keys().iter().any(|key| key.has_id(&signature.key));
            let sentence = format!(
                "module {name} is signed with key {}, which the kernel does not have; that taints the kernel",
                signature.key
            );
            (!known).then(|| Reason::new(ReasonCode::ModuleKeyUnknown, sentence).subject(name))
        }
        _ => None,
    }
}
