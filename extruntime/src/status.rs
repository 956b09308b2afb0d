//! What became of each extension, as a document and as lines at the console.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use spec::KernelRelease;
use spec::boot::run;
use spec::status::{ExtensionStatus, ModuleStatus, SetStatus, State, Status};

use crate::admit::{Judgement, Verdict};
use crate::cannot::{Cannot, cannot};
use crate::log::Log;
use crate::modules::Answer;
use crate::places::Run;
use crate::report;
use crate::system::Known;

/// The layout of [`Status`] that this version writes.
const SCHEMA: u32 = 1;

/// The status that a judgement comes to.
pub(crate) fn of<L>(
    judgement: &Judgement<L>,
    base: String,
    kernel: &KernelRelease,
    notes: Vec<String>,
    set: Option<SetStatus>,
    run: Run,
) -> Status {
    // Layers are numbered as the extensions are that are in.
    let mut layers = (0..).map(|extension| run.layer(extension));
    Status {
        schema_version: SCHEMA,
        kernel: kernel.clone(),
        base,
        set,
        extensions: judgement.verdicts().iter().map(|verdict| extension(verdict, &mut layers)).collect(),
        notes,
    }
}

fn extension<L>(verdict: &Verdict<L>, layers: &mut impl Iterator<Item = PathBuf>) -> ExtensionStatus {
    match verdict {
        Verdict::Admitted(admitted) => ExtensionStatus {
            name: admitted.name().clone(),
            state: State::Active,
            version: Some(admitted.config().version.clone()),
            digest: Some(admitted.approval().value().manifest),
            signers: admitted.approval().signers().into_iter().map(str::to_owned).collect(),
            developer: admitted.approval().developer().map(str::to_owned),
            layer: layers.next().map(|layer| layer.display().to_string()),
            verity_root: admitted.config().verity.map(|facts| facts.root_hash),
            modules: Vec::new(),
            reasons: Vec::new(),
            notes: admitted.notes().to_vec(),
        },
        Verdict::Refused(refused) => {
            let chosen = refused.chosen.as_ref();
            ExtensionStatus {
                name: refused.name.clone(),
                state: State::Refused,
                version: chosen.map(|chosen| chosen.version.clone()),
                digest: chosen.map(|chosen| chosen.manifest),
                signers: chosen.map(|chosen| chosen.signers.clone()).unwrap_or_default(),
                developer: None,
                layer: None,
                verity_root: None,
                modules: Vec::new(),
                reasons: refused.reasons.clone(),
                notes: Vec::new(),
            }
        }
    }
}

/// The status of a base that runs alone because that was chosen.
pub(crate) fn alone(known: &Known, notes: Vec<String>, set: Option<SetStatus>) -> Status {
    let kernel = known.facts.kernel.release.clone();
    Status { schema_version: SCHEMA, kernel, base: known.name(), set, extensions: Vec::new(), notes }
}

/// Puts down what the kernel said to the modules of each extension.
pub(crate) fn record(status: &mut Status, answers: Vec<Answer<'_>>) {
    for Answer { asked, status: answer } in answers {
        let asking = status.extensions.iter_mut().find(|extension| extension.name == asked.extension);
        if let Some(extension) = asking {
            extension.modules.push(answer);
        }
    }
}

/// Says the outcome at the console and leaves it, and this program to show it, in `/run` for the booted system.
pub(crate) fn publish(status: &Status, log: &Log) {
    say(status, log);
    leave(status, log);
}

/// Leaves both in `/run`.
pub(crate) fn leave(status: &Status, log: &Log) {
    leave_at(status, Path::new(run::STATUS), Path::new(run::PROGRAM), log);
}

/// A root that is ready is worth more than a report about it: what cannot be written is complained about, no more.
fn leave_at(status: &Status, document: &Path, program: &Path, log: &Log) {
    for done in [write(status, document), copy_program(program)] {
        if let Err(error) = done {
            log.complain(&error);
        }
    }
}

fn write(status: &Status, to: &Path) -> Result<(), Cannot> {
    let json = serde_json::to_string_pretty(status).expect("strings and numbers always have a JSON form");
    fs::write(to, json + "\n").map_err(cannot("write", to.display()))
}

fn copy_program(to: &Path) -> Result<(), Cannot> {
    fs::copy("/proc/self/exe", to).map_err(cannot("copy this program to", to.display()))?;
    fs::set_permissions(to, Permissions::from_mode(0o755)).map_err(cannot("make executable", to.display()))
}

fn say(status: &Status, log: &Log) {
    for note in &status.notes {
        log.say(&format!("note: {note}"));
    }
    for extension in &status.extensions {
        let version = extension.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        match extension.state {
            State::Active => {
                let unsigned = extension.developer.as_ref();
                let unsigned = unsigned.map(|by| format!(" without a signature, by developer override {by}"));
                log.say(&format!("{}{version} is active{}", extension.name, unsigned.unwrap_or_default()));
            }
            State::Refused => log.say(&format!("{}{version} is refused", extension.name)),
        }
        for ModuleStatus { name, error, .. } in &extension.modules {
            match error {
                None => log.say(&format!("  module {name} is loaded")),
                Some(error) => log.say(&format!("  module {name} is not loaded: {error}")),
            }
        }
        for line in [&extension.reasons, &extension.notes].into_iter().flat_map(|all| report::sentences(all))
        {
            log.say(&format!("  {line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_stops_nothing() {
        let status = Status {
            schema_version: SCHEMA,
            kernel: "6.1.0".parse().unwrap(),
            base: "demo 1".into(),
            set: None,
            extensions: Vec::new(),
            notes: Vec::new(),
        };
        let dir = tempfile::tempdir().unwrap();
        let (document, program) = (dir.path().join("status.json"), dir.path().join("program"));
        let nowhere = dir.path().join("missing/file");
        leave_at(&status, &nowhere, &program, &Log::none());
        assert_eq!(fs::metadata(&program).unwrap().permissions().mode() & 0o777, 0o755);
        leave_at(&status, &document, &nowhere, &Log::none());
        let left: Status = serde_json::from_slice(&fs::read(&document).unwrap()).unwrap();
        assert_eq!(left, status);
    }
}
