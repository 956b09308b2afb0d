//! Resets: the machine starts again in the middle of what it does to its disk, at each place that has a name, with a boot
//! program that can be told to; and the same program panics in the middle of a boot.

use std::fs;
use std::path::PathBuf;

use generations::fault::{POINTS, SWITCH};

use super::session::{self, Medium, NodeState};
use super::{judge, medium};
use crate::Error;
use crate::boots::Workshop;
use crate::error::BootEnd;
use crate::inputs::Inputs;
use crate::programs::{self, Programs};
use crate::vm::{Disk, Start};
use crate::workspace::Workspace;

/// Runs at each boot, from the disk; the kernel command line says which story, and where it is to end.
const WORK: &str = r#"
d=/run/tenon/disk
story= at=
for word in $(cat /proc/cmdline); do case $word in story=*) story=${word#*=};; at=*) at=${word#*=};; esac; done
node() { command=$1; shift; /run/tenon/extruntime $command --state $d/tenon "$@" >/dev/null 2>&1; }
say() { echo "NODE STATE $(/run/tenon/extruntime sets --state $d/tenon --json | tr -d '\n')"; }
stage() { node stage --config $d/$1.yaml --store /run/tenon/medium/tenon/store --trust $d/trust.yaml; }
here() { TENON_FAULT=$at:reboot "$@"; }
[ -e /run/tenon/status.json ] && echo "NODE STATUS $(tr -d '\n' < /run/tenon/status.json)"
case $story in
  stage) say; here stage a; say;;
  boot) stage a; say;;
  counted) say;;
  collect) stage a; stage b; stage a; node rollback --why "to try it"; say; here node gc --keep 0; say;;
esac
echo "NODE DONE"
"#;

/// What a machine does, and at which places it may end there: those whose names begin so.
const STORIES: [(&str, &[&str]); 2] = [("stage", &["put.", "stage.", "state."]), ("collect", &["collect."])];
/// Places in the boot itself: on a new disk, and on one with a set that is on trial.
const OPENING: &str = "open.";
const COUNTED: &str = "boot.counted";
/// Places of the boot at which there is a bug, and whether there is a base to fall back to.
const BUGS: [(&str, bool); 4] =
    [("boot.started", false), ("boot.judged", true), ("boot.laid", true), ("boot.entered", true)];

/// Does it all, and says how many places there were.
///
/// # Errors
/// [`Error::Machine`] for a disk that is not whole, or a machine that is dead; those of the programs.
pub(super) fn run(workspace: &Workspace, inputs: &Inputs, programs: &Programs) -> Result<(), Error> {
    let faulty = Programs { extruntime: programs::build_with_faults(workspace)?, ..programs.clone() };
    let workshop = Workshop::open(workspace, "resets", inputs, &faulty)?;
    let lab =
        Lab { medium: medium(&workshop)?, fresh: session::new_disk(&workshop, WORK)?, workshop, programs };
    let mut places = 0;
    for (story, groups) in STORIES {
        let states = lab.undisturbed(&lab.fresh, story)?;
        for place in POINTS.iter().filter(|place| groups.iter().any(|group| place.starts_with(group))) {
            lab.resets(&lab.fresh, &format!("story={story} at={place}"), place)?;
            lab.judge(place, &states)?;
            places += 1;
        }
    }
    lab.undisturbed(&lab.fresh, "boot")?;
    let staged = lab.read()?;
    for place in POINTS.iter().filter(|place| place.starts_with(OPENING) || **place == COUNTED) {
        let disk = if *place == COUNTED { &staged } else { &lab.fresh };
        let states = lab.undisturbed(disk, "counted")?;
        lab.resets(disk, &format!("{SWITCH}={place}:reboot"), place)?;
        lab.judge(place, &states)?;
        places += 1;
    }
    for (place, has_base) in BUGS {
        lab.write(&staged)?;
        lab.survives(place, has_base)?;
    }
    println!("{places} resets at named places, {} bugs in the boot: no machine was worse off", BUGS.len());
    Ok(())
}

struct Lab<'a> {
    workshop: Workshop<'a>,
    medium: Medium,
    fresh: Vec<u8>,
    /// Those without faults, for this machine.
    programs: &'a Programs,
}

impl Lab<'_> {
    fn disk(&self) -> PathBuf {
        self.workshop.path("disk.img")
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        // A new file, as for a power cut.
        let _ = fs::remove_file(self.disk());
        fs::write(self.disk(), bytes).map_err(Error::file("write", self.disk()))
    }

    fn read(&self) -> Result<Vec<u8>, Error> {
        fs::read(self.disk()).map_err(Error::file("read", self.disk()))
    }

    /// Boots the disk as it is, with more words for the kernel.
    fn boot(&self, words: &str, awaited: &str) -> Result<String, Error> {
        let medium = self.medium.with(words);
        medium.boot(Disk::File(self.disk()), &self.workshop.path("resets.log"), awaited, |_| ())
    }

    /// The states that the node goes through in a story when nothing happens.
    fn undisturbed(&self, disk: &[u8], story: &str) -> Result<Vec<NodeState>, Error> {
        self.write(disk)?;
        Ok(session::states(&self.boot(&format!("story={story}"), session::DONE)?))
    }

    /// The machine must start again before it is done; QEMU ends then.
    fn resets(&self, disk: &[u8], words: &str, place: &str) -> Result<(), Error> {
        self.write(disk)?;
        match self.boot(words, session::DONE) {
            Err(Error::Boot { how: BootEnd::Stopped, .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(Error::Machine(format!("nothing comes by {place}"))),
        }
    }

    /// The disk must be in one of these states, and the machine run what is next.
    fn judge(&self, place: &str, states: &[NodeState]) -> Result<(), Error> {
        let fault = judge::fault(&self.disk(), &self.programs.extruntime, states.iter())?;
        if let Some(fault) = fault {
            return Err(Error::Machine(format!("reset at {place}: {fault}")));
        }
        let ran = session::active(&self.boot("", session::DONE)?)?;
        match states.iter().any(|state| state.next() == ran) {
            true => Ok(()),
            false => Err(Error::Machine(format!("reset at {place}: set {ran} runs, which was not next"))),
        }
    }

    /// After a bug the base runs, and says so, or the machine starts again if it has none yet.
    fn survives(&self, place: &str, has_base: bool) -> Result<(), Error> {
        let awaited = if has_base { session::DONE } else { crate::boots::GIVES_UP };
        let said = self.boot(&format!("{SWITCH}={place}:panic"), awaited)?;
        match said.contains(&format!("asked for at {place}")) {
            true => Ok(()),
            false => Err(Error::Machine(format!("there was no bug at {place}"))),
        }
    }
}

impl Medium {
    /// The same with more words on the kernel command line.
    fn with(&self, words: &str) -> Medium {
        let mut start = self.start.clone();
        if let Start::Bios { arguments, .. } = &mut start {
            *arguments = format!("{arguments} {words}");
        }
        Medium { iso: self.iso.clone(), start }
    }
}
