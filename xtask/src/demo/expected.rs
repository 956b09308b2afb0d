//! What the machine must say. A demo that shows the wrong thing has failed, however well it ran.

use spec::ReasonCode;
use spec::status::{ExtensionStatus, State};

use super::{FLIPPED, FOREIGN, GOOD, STRANGE};
use crate::Error;
use crate::machine::Machine;

/// Holds the status and the trials against what the demo is there to show.
pub(super) fn check(machine: &Machine) -> Result<(), Error> {
    for (name, _) in GOOD {
        let status = status_of(machine, name)?;
        expect(status.state == State::Active && status.signers == ["demo-publisher"], || {
            format!("{name} should be active and signed by demo-publisher: {status:?}")
        })?;
    }
    let loaded = &status_of(machine, GOOD[0].0)?.modules;
    expect(loaded.last().is_some_and(|last| last.name.as_str() == GOOD[0].0), || {
        format!("{} should be loaded, after what it needs: {loaded:?}", GOOD[0].0)
    })?;
    expect(loaded.len() > 1 && loaded.iter().all(|module| module.error.is_none()), || {
        format!("the kernel should take all of its modules: {loaded:?}")
    })?;
    refused(machine, FLIPPED.0, ReasonCode::DigestMismatch)?;
    refused(machine, STRANGE.0, ReasonCode::KeyUnknown)?;
    let foreign = refused(machine, FOREIGN.0, ReasonCode::SymbolCrcMismatch)?;
    let telling = foreign.reasons.iter().filter(|reason| reason.code == ReasonCode::SymbolCrcMismatch);
    let mut telling = telling.filter(|r| r.symbol.is_some() && r.wanted.is_some() && r.found.is_some());
    expect(telling.next().is_some(), || "no symbol is named with its wanted and found CRC".to_owned())?;
    expect(machine.status.extensions.len() == GOOD.len() + 3, || {
        "there are extensions that nobody asked for".to_owned()
    })?;
    trials(machine)
}

fn trials(machine: &Machine) -> Result<(), Error> {
    trial(machine, "modprobe wireguard", |exit, _| exit == 0)?;
    trial(machine, "wireguard is loaded", |exit, output| exit == 0 && output.starts_with("wireguard "))?;
    trial(machine, "wg --version", |exit, output| exit == 0 && output.starts_with("wireguard-tools v"))?;
    trial(machine, "firmware", |exit, output| exit == 0 && output.ends_with("rtl8125b-2.fw"))?;
    trial(machine, "write to /usr", |exit, output| exit != 0 && output.contains("Read-only file system"))?;
    trial(machine, "mount flags of /", |exit, output| exit == 0 && output.contains(" ro,nosuid,nodev,"))?;
    trial(machine, "probes", |exit, output| exit == 0 && output.contains("module wireguard is loaded"))?;
    trial(machine, "extensions.yaml", |exit, output| exit == 0 && output.trim() == GOOD.len().to_string())?;
    trial(machine, "own status", |exit, output| exit == 0 && output.contains("wireguard"))
}

fn status_of<'a>(machine: &'a Machine, name: &str) -> Result<&'a ExtensionStatus, Error> {
    let found = machine.status.extensions.iter().find(|extension| extension.name.as_str() == name);
    found.ok_or_else(|| Error::Demo(format!("the machine says nothing of {name}")))
}

fn refused<'a>(machine: &'a Machine, name: &str, code: ReasonCode) -> Result<&'a ExtensionStatus, Error> {
    let status = status_of(machine, name)?;
    let has_code = status.reasons.iter().any(|reason| reason.code == code && !reason.sentence.is_empty());
    expect(status.state == State::Refused && has_code, || {
        format!("{name} should be refused with {code}: {status:?}")
    })?;
    Ok(status)
}

fn trial(machine: &Machine, name: &str, sound: impl Fn(i32, &str) -> bool) -> Result<(), Error> {
    let check = machine.checks.get(name);
    let check = check.ok_or_else(|| Error::Demo(format!("the machine did not try \"{name}\"")))?;
    expect(sound(check.exit, &check.output), || {
        format!("\"{name}\" ended otherwise than it should: {check:?}")
    })
}

pub(super) fn expect(sound: bool, otherwise: impl FnOnce() -> String) -> Result<(), Error> {
    if sound { Ok(()) } else { Err(Error::Demo(otherwise())) }
}
