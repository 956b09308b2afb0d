//! What became of each extension, as a document and as lines at the console.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use spec::KernelRelease;
use spec::base::BaseDescription;
use spec::boot::run;
use spec::status::{ExtensionStatus, State, Status};

use crate::admit::{Judgement, Verdict};
use crate::cannot::{Cannot, cannot};
use crate::log::Log;
use crate::report;

/// The layout of [`Status`] that this version writes.
const SCHEMA: u32 = 1;

/// The status that a judgement comes to.
pub(crate) fn of<L>(
    judgement: &Judgement<L>,
    base: &BaseDescription,
    kernel: &KernelRelease,
    notes: Vec<String>,
) -> Status {
    Status {
        schema_version: SCHEMA,
        kernel: kernel.clone(),
        base: format!("{} {}", base.name, base.version),
        extensions: judgement.verdicts().iter().map(extension).collect(),
        notes,
    }
}

fn extension<L>(verdict: &Verdict<L>) -> ExtensionStatus {
    match verdict {
        Verdict::Admitted(admitted) => ExtensionStatus {
            name: admitted.name().clone(),
            state: State::Active,
            version: Some(admitted.config().version.clone()),
            digest: Some(admitted.approval().value().manifest),
            signer: Some(admitted.approval().signer().to_owned()),
            reasons: Vec::new(),
        },
        Verdict::Refused(refused) => {
            let chosen = refused.chosen.as_ref();
            ExtensionStatus {
                name: refused.name.clone(),
                state: State::Refused,
                version: chosen.map(|chosen| chosen.version.clone()),
                digest: chosen.map(|chosen| chosen.manifest),
                signer: chosen.and_then(|chosen| chosen.signer.clone()),
                reasons: refused.reasons.clone(),
            }
        }
    }
}

/// Says the outcome at the console and leaves it, and this program to show it, in `/run` for the booted system.
pub(crate) fn write(status: &Status, log: &Log) -> Result<(), Cannot> {
    say(status, log);
    let json = serde_json::to_string_pretty(status).expect("strings and numbers always have a JSON form");
    fs::write(run::STATUS, json + "\n").map_err(cannot("write", run::STATUS))?;
    fs::copy("/proc/self/exe", run::PROGRAM).map_err(cannot("copy this program to", run::PROGRAM))?;
    fs::set_permissions(Path::new(run::PROGRAM), Permissions::from_mode(0o755))
        .map_err(cannot("make executable", run::PROGRAM))
}

fn say(status: &Status, log: &Log) {
    for note in &status.notes {
        log.say(&format!("note: {note}"));
    }
    for extension in &status.extensions {
        let version = extension.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        match extension.state {
            State::Active => log.say(&format!("{}{version} is active", extension.name)),
            State::Refused => log.say(&format!("{}{version} is refused", extension.name)),
        }
        for line in report::sentences(&extension.reasons) {
            log.say(&format!("  {line}"));
        }
    }
}
