//! What a machine says, held against what its case expects.

use spec::ReasonCode;
use spec::status::{ExtensionStatus, State};

use super::case::{Case, DRIVER, Expected, Images, ROOT_HASH_SIGNED, SIGNATURES_DEMANDED, bad};
use super::workshop;
use crate::machine::Machine;

/// Everything that is otherwise than it should be, a sentence each.
pub(super) fn differences(case: &Case, machine: &Machine) -> Vec<String> {
    let Expected::Runs { refused, unreadable, note } = &case.expected else {
        return vec!["the system runs".to_owned()];
    };
    let mut found = Vec::new();
    if let Some(note) = note {
        if !machine.status.notes.iter().any(|said| said.contains(note)) {
            found.push(format!("no note says \"{note}\": {:?}", machine.status.notes));
        }
        if !machine.status.extensions.is_empty() {
            found.push("there are extensions".to_owned());
        }
        return found;
    }
    let names: Vec<&str> =
        machine.status.extensions.iter().map(|extension| extension.name.as_str()).collect();
    if names != case.extensions {
        found.push(format!("the status is about {names:?}"));
    }
    for extension in &machine.status.extensions {
        let wanted = refused.iter().find(|(name, _)| *name == extension.name.as_str());
        found.extend(match wanted {
            Some((_, reason)) => not_refused(extension, *reason),
            None => not_active(extension, unreadable.contains(&extension.name.as_str()), machine),
        });
    }
    let active = machine.status.extensions.iter().filter(|extension| extension.state == State::Active);
    let through_verity = match case.images {
        Images::Copy => 0,
        Images::Verity if case.arguments == SIGNATURES_DEMANDED => {
            active.filter(|extension| extension.name.as_str() == ROOT_HASH_SIGNED).count()
        }
        // The base is held in the same way.
        Images::Verity => active.count() + 1,
    };
    let said = machine.checks.get("images through dm-verity").map(|check| check.output.trim().to_owned());
    // Where there are no such devices, cat complains before grep counts.
    if said.as_ref().and_then(|said| said.split(' ').next_back()) != Some(through_verity.to_string().as_str())
    {
        found.push(format!("not {through_verity} images are opened through dm-verity: {said:?}"));
    }
    found
}

fn not_refused(extension: &ExtensionStatus, reason: ReasonCode) -> Option<String> {
    let is_refused = extension.state == State::Refused && extension.reasons.iter().any(|r| r.code == reason);
    (!is_refused).then(|| format!("{} is not refused as {reason}: {extension:?}", extension.name))
}

fn not_active(extension: &ExtensionStatus, is_unreadable: bool, machine: &Machine) -> Option<String> {
    let name = extension.name.as_str();
    if extension.state != State::Active {
        return Some(format!("{name} is not active: {extension:?}"));
    }
    if [DRIVER, bad::UNSIGNED].contains(&name) {
        let is_loaded = |module: &spec::status::ModuleStatus| module.error.is_none();
        let all = !extension.modules.is_empty() && extension.modules.iter().all(is_loaded);
        return (!all).then(|| format!("its modules are not loaded: {extension:?}"));
    }
    let Some(check) = machine.checks.get(name) else { return Some(format!("{name} was not tried")) };
    let holds = match is_unreadable {
        // EIO, and no other bytes.
        true => check.exit != 0 && check.output.contains("Input/output error"),
        false => check.exit == 0 && check.output.starts_with(&workshop::sum(name)),
    };
    (!holds).then(|| format!("its file is not what it should be: {check:?}"))
}
