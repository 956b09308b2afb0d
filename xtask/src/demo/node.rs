//! A node with a disk of its own: a new set is tried, and kept when it is confirmed or given up when it is not.

use std::fs;
use std::path::Path;

use spec::status::{SetRole, State};

use super::shell::{self, Shell};
use super::{DIR, expected};
use crate::Error;
use crate::inputs::Inputs;
use crate::machine::Machine;

/// Label of the file system, as examples/demo/node.yaml has it.
const LABEL: &str = "NODE";
/// What examples/base-debian does at each boot, and here that is to confirm the set that runs.
const ON_BOOT: (&str, &str) = ("on-boot", "/run/tenon/extruntime confirm\n");
/// What is staged; the medium has others.
const STAGED: &str = "realtek-firmware";

/// What a boot must show: the number of the set, and its role.
type Expected = (u64, SetRole);

/// Stages a set on the disk of a node that nobody confirms, and of one that does, and boots both until it shows.
pub(super) fn run(shell: &Shell, inputs: &Inputs, dir: &Path) -> Result<(), Error> {
    shell::heading("A node that keeps its sets");
    for file in ["node.yaml", "node-machine.yaml"] {
        let (from, to) = (shell.root().join("examples/demo").join(file), dir.join(file));
        fs::copy(&from, &to).map_err(Error::file("copy", &from))?;
    }
    let (runtime, stub) = (shell.runtime(), shell.short(&inputs.stub()));
    let iso = format!("{DIR}/node.iso");
    let options = ["--runtime", &runtime, "--stub", &stub, "-o", &iso];
    shell.extfactory(&[&["compose", &format!("{DIR}/node.yaml")], &options[..]].concat())?;

    use SetRole::{Current, Trial};
    let given_up = [(1, Trial), (1, Trial), (0, Current)];
    let kept = [(1, Trial), (1, Current)];
    for (name, confirm, boots) in [("unconfirmed", false, &given_up[..]), ("confirmed", true, &kept)] {
        let disk = staged(shell, dir, name, confirm)?;
        for (number, expected) in boots.iter().enumerate() {
            let console = dir.join(format!("node-{name}-{number}.log"));
            let machine = Machine::boot(&dir.join("node.iso"), &console, Some(&disk))?;
            check(&machine, *expected)?;
        }
    }
    Ok(())
}

/// A disk on which a set is staged for the base of the demo.
fn staged(shell: &Shell, dir: &Path, name: &str, confirm: bool) -> Result<std::path::PathBuf, Error> {
    let content = dir.join(format!("node-{name}"));
    let state = content.join("tenon");
    fs::create_dir_all(&state).map_err(Error::file("create", &state))?;
    if confirm {
        let (name, text) = ON_BOOT;
        fs::write(content.join(name), text).map_err(Error::file("write", &content))?;
    }
    shell.extruntime(&[
        "stage",
        "--state",
        &shell.short(&state),
        "--for-base",
        &format!("{DIR}/base"),
        "--config",
        &format!("{DIR}/node-machine.yaml"),
        "--store",
        &format!("{DIR}/pulled"),
        "--trust",
        &format!("{DIR}/trust.yaml"),
        "--trust-updates",
        &format!("{DIR}/trust.d"),
    ])?;
    let disk = dir.join(format!("node-{name}.img"));
    let (from, to) = (shell.short(&content), shell.short(&disk));
    shell.run("mkfs.ext4", &["-q", "-L", LABEL, "-d", &from, &to, "64M"])?;
    Ok(disk)
}

fn check(machine: &Machine, (generation, role): Expected) -> Result<(), Error> {
    let set = machine.status.set.as_ref();
    expected::expect(set.is_some_and(|set| (set.generation, set.role) == (generation, role)), || {
        format!("set {generation} should run as {role:?}, and not {set:?}")
    })?;
    let active = machine.status.extensions.iter().filter(|extension| extension.state == State::Active);
    let names: Vec<&str> = active.map(|extension| extension.name.as_str()).collect();
    expected::expect((names == [STAGED]) == (generation == 1), || {
        format!("set {generation} should have other extensions than {}", names.join(", "))
    })?;
    eprintln!("  set {generation} runs as {role:?}, with {}", names.join(", "));
    Ok(())
}
