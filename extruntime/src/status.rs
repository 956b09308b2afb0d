//! What became of each extension, as a document and as lines at the console.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use spec::base::BaseDescription;
use spec::boot::run;
use spec::status::{ExtensionStatus, ModuleStatus, SetStatus, SettingStatus, State, Status};
use spec::{ExtensionName, KernelRelease};

use crate::admit::{Judgement, Verdict};
use crate::cannot::{Cannot, cannot};
use crate::log::Log;
use crate::places::Run;
use crate::system::Known;
use crate::{modules, mounts, report, settings, views};

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
            settings: Vec::new(),
            probes: admitted.config().probes.clone(),
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
                settings: Vec::new(),
                probes: Vec::new(),
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

/// The status of a base that runs alone because this program failed; nothing that may fail again is asked.
pub(crate) fn after_bug(base: &BaseDescription, bug: &str) -> Status {
    Status {
        schema_version: SCHEMA,
        kernel: base.kernel.clone(),
        base: base.to_string(),
        set: None,
        extensions: Vec::new(),
        notes: vec![format!("the base runs alone because of {bug}")],
    }
}

/// Puts down what the kernel said to the modules of each extension.
pub(crate) fn record_modules(status: &mut Status, answers: Vec<modules::Answer<'_>>) {
    for modules::Answer { asked, status: answer } in answers {
        if let Some(extension) = find(status, &asked.extension) {
            extension.modules.push(answer);
        }
    }
}

/// Puts down what it said to their settings.
pub(crate) fn record_settings(status: &mut Status, answers: Vec<settings::Answer>) {
    for settings::Answer { extension, status: answer } in answers {
        if let Some(extension) = find(status, &extension) {
            extension.settings.push(answer);
        }
    }
}

fn find<'s>(status: &'s mut Status, name: &ExtensionName) -> Option<&'s mut ExtensionStatus> {
    status.extensions.iter_mut().find(|extension| extension.name == *name)
}

/// Says the outcome at the console and leaves it, and this program to show it, in `/run` for the booted system.
pub(crate) fn publish(status: &Status, log: &Log) {
    say(status, log);
    leave(status, log);
}

/// Leaves them in `/run`.
pub(crate) fn leave(status: &Status, log: &Log) {
    leave_at(status, Path::new("/"), log);
}

/// A root that is ready is worth more than a report about it: what cannot be written is complained about, no more.
fn leave_at(status: &Status, root: &Path, log: &Log) {
    let json = serde_json::to_string_pretty(status).expect("strings and numbers always have a JSON form");
    let documents = [
        (run::STATUS, json + "\n"),
        (run::TALOS, views::talos(status)),
        (run::FEATURES, views::features(status)),
    ];
    let written = documents.into_iter().map(|(path, text)| write(&text, &root.join(&path[1..])));
    for done in written.chain([copy_program(&root.join(&run::PROGRAM[1..]))]) {
        if let Err(error) = done {
            log.complain(&error);
        }
    }
}

fn write(text: &str, to: &Path) -> Result<(), Cannot> {
    mounts::make_directory(to.parent().unwrap_or(to))?;
    fs::write(to, text).map_err(cannot("write", to.display()))
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
        for SettingStatus { key, value, error } in &extension.settings {
            if let Some(error) = error {
                log.say(&format!("  setting {key} is not {value}: {error}"));
            }
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
        let at = |path: &str| dir.path().join(&path[1..]);
        for in_the_way in [run::STATUS, run::PROGRAM] {
            fs::create_dir_all(at(in_the_way)).unwrap();
        }
        leave_at(&status, dir.path(), &Log::none());
        assert_eq!(fs::read_to_string(at(run::TALOS)).unwrap(), "layers: []\n");
        for in_the_way in [run::STATUS, run::PROGRAM] {
            fs::remove_dir(at(in_the_way)).unwrap();
        }
        leave_at(&status, dir.path(), &Log::none());
        assert_eq!(fs::metadata(at(run::PROGRAM)).unwrap().permissions().mode() & 0o777, 0o755);
        let left: Status = serde_json::from_slice(&fs::read(at(run::STATUS)).unwrap()).unwrap();
        assert_eq!(left, status);
    }
}
