//! A node at work: a machine that changes its sets again and again, on a disk that remembers everything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use spec::status::Status;

use super::disk::Request;
use super::nbd::Recorder;
use crate::boots::Workshop;
use crate::machine::LIMIT;
use crate::vm::{Disk, Start, Vm};
use crate::{Error, command};

/// Label of the node's file system.
pub(super) const LABEL: &str = "NODE";
/// The sets that it stages, of extensions that the medium has.
const SETS: [(&str, &str); 2] = [("a", "word-1"), ("b", "word-2")];
/// What the machine says of itself at each step, with JSON behind it, and at the end.
const STATE: &str = "NODE STATE ";
const STATUS: &str = "NODE STATUS ";
pub(super) const DONE: &str = "NODE DONE";

/// Runs at each boot, from the disk, for power cuts. Everything that it says has happened, and has to be there after a power cut.
pub(super) const WORK: &str = r#"
d=/run/tenon/disk
node() { command=$1; shift; /run/tenon/extruntime $command --state $d/tenon "$@" >/dev/null 2>&1; }
say() { echo "NODE STATE $(/run/tenon/extruntime sets --state $d/tenon --json | tr -d '\n')"; }
stage() { node stage --config $d/$1.yaml --store /run/tenon/medium/tenon/store --trust $d/trust.yaml; say; }
echo "NODE STATUS $(tr -d '\n' < /run/tenon/status.json)"
say
node confirm; say
stage a
node rollback --why "to try it"; say
stage b
node gc --keep 0; say
stage a
echo "NODE DONE"
"#;

/// What `extruntime sets --json` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct NodeState {
    pub(super) current: u64,
    pub(super) previous: u64,
    pub(super) trial: Option<Trial>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trial {
    pub(super) generation: u64,
    pub(super) tries_left: u32,
}

impl NodeState {
    /// A node that keeps nothing.
    pub(super) fn new() -> NodeState {
        NodeState { current: 0, previous: 0, trial: None }
    }

    /// The set that the next boot runs, if everything is whole.
    pub(super) fn next(&self) -> u64 {
        match &self.trial {
            Some(Trial { generation, tries_left: 1.. }) => *generation,
            _ => self.current,
        }
    }

    /// The sets that it names.
    pub(super) fn named(&self) -> Vec<u64> {
        let trial = self.trial.as_ref().map(|trial| trial.generation);
        let mut named: Vec<u64> =
            [Some(self.current), Some(self.previous), trial].into_iter().flatten().collect();
        named.retain(|generation| *generation != 0);
        named
    }
}

/// What came of one session.
#[derive(Debug)]
pub(super) struct Session {
    /// The disk before it.
    pub(super) base: Vec<u8>,
    /// What the disk was asked, in order.
    pub(super) requests: Vec<Request>,
    /// States of the node, and after how many requests it was known that each is durable.
    pub(super) states: Vec<(usize, NodeState)>,
}

impl Session {
    /// The states that the disk may show after a cut behind `requests` of the session: none before the last that was known
    /// to be durable.
    pub(super) fn allowed(&self, requests: usize) -> impl Iterator<Item = &NodeState> {
        let known = self.states.iter().rposition(|(at, _)| *at <= requests).unwrap_or(0);
        self.states[known..].iter().map(|(_, state)| state)
    }
}

/// The disk of a new node, with a script that runs at each boot.
pub(super) fn new_disk(workshop: &Workshop<'_>, work: &str) -> Result<Vec<u8>, Error> {
    let content = workshop.path("node");
    fs::create_dir_all(content.join("tenon")).map_err(Error::file("create", &content))?;
    let write = |file: &str, text: &str| {
        let path = content.join(file);
        fs::write(&path, text).map_err(Error::file("write", &path))
    };
    write("on-boot", work)?;
    for (set, extension) in SETS {
        let extensions = format!("extensions: [{{name: {extension}}}]\n");
        write(
            &format!("{set}.yaml"),
            &format!("apiVersion: v1alpha1\nkind: ExtensionsConfig\n{extensions}"),
        )?;
    }
    let (policy, to) = (workshop.path("trust.yaml"), content.join("trust.yaml"));
    fs::copy(&policy, &to).map_err(Error::file("copy", &policy))?;
    let image = workshop.path("node.img");
    let mut mkfs = Command::new("mkfs.ext4");
    mkfs.args(["-q", "-F", "-L", LABEL, "-d"]).arg(&content).arg(&image).arg("16M");
    command::read(&mut mkfs)?;
    fs::read(&image).map_err(Error::file("read", &image))
}

/// Lets the machine work on this disk to the end, and remembers what it did to it. `before` is the state of the disk.
pub(super) fn record(
    workshop: &Workshop<'_>,
    medium: &Medium,
    base: Vec<u8>,
    before: NodeState,
) -> Result<Session, Error> {
    let socket = workshop.path("disk.socket");
    let _ = fs::remove_file(&socket);
    let recorder = Recorder::serve(base.clone(), &socket).map_err(Error::file("listen at", &socket))?;
    let next = before.next();
    let mut states = vec![(0, before)];
    let said = medium.boot(Disk::Nbd(socket), &workshop.path("session.log"), DONE, |line| {
        if let Some(state) = json(line, STATE) {
            states.push((recorder.count(), state));
        }
    })?;
    match active(&said)? {
        ran if ran == next => {}
        ran => {
            return Err(Error::Machine(format!("the machine runs set {ran}, and {next} was the next one")));
        }
    }
    Ok(Session { base, requests: recorder.requests(), states })
}

/// Boots from a disk that has seen a power cut, lets the machine do all its work again, and says which set it ran.
pub(super) fn boot(workshop: &Workshop<'_>, medium: &Medium, disk: PathBuf) -> Result<u64, Error> {
    active(&medium.boot(Disk::File(disk), &workshop.path("after.log"), DONE, |_| ())?)
}

/// The set that ran, if all of its extensions did.
pub(super) fn active(console: &str) -> Result<u64, Error> {
    let status: Option<Status> = console.lines().find_map(|line| json(line, STATUS));
    let status = status.ok_or_else(|| Error::Machine("the machine says nothing of its set".to_owned()))?;
    let refused = status.extensions.iter().find(|extension| !extension.reasons.is_empty());
    match (refused, status.set) {
        (Some(refused), _) => Err(Error::Machine(format!("an extension is refused: {refused:?}"))),
        (None, None) => Err(Error::Machine(format!("the machine found no disk: {:?}", status.notes))),
        (None, Some(set)) => Ok(set.generation),
    }
}

/// The states that the machine told of, in order.
pub(super) fn states(console: &str) -> Vec<NodeState> {
    console.lines().filter_map(|line| json(line, STATE)).collect()
}

fn json<T: serde::de::DeserializeOwned>(line: &str, prefix: &str) -> Option<T> {
    let (_, text) = line.split_once(prefix)?;
    serde_json::from_str(text.trim()).ok()
}

/// What the machine is started with.
#[derive(Debug)]
pub(super) struct Medium {
    pub(super) iso: PathBuf,
    pub(super) start: Start,
}

impl Medium {
    /// Boots until the machine says what is awaited; what it said.
    pub(super) fn boot(
        &self,
        disk: Disk,
        console: &Path,
        awaited: &str,
        on_line: impl FnMut(&str),
    ) -> Result<String, Error> {
        let vm = Vm {
            start: self.start.clone(),
            iso: self.iso.clone(),
            disk: Some(disk),
            console: console.to_owned(),
            limit: LIMIT,
        };
        vm.boot(awaited, on_line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_to_be_durable_cannot_be_undone() {
        let state = |current| NodeState { current, ..NodeState::new() };
        let states = vec![(0, state(0)), (10, state(1)), (20, state(2))];
        let session = Session { base: Vec::new(), requests: Vec::new(), states };
        let allowed = |requests| session.allowed(requests).map(|state| state.current).collect::<Vec<_>>();
        assert_eq!((allowed(9), allowed(10), allowed(99)), (vec![0, 1, 2], vec![1, 2], vec![2]));
    }

    #[test]
    fn the_machine_is_understood() {
        let line = r#"x NODE STATE {"current":1,"previous":0,"trial":{"generation":2,"triesLeft":1},"why":"","sets":[]}"#;
        let state: NodeState = json(line, STATE).unwrap();
        assert_eq!(state.named(), [1, 2]);
        let status = r#"NODE STATUS {"schemaVersion":1,"kernel":"6.1.0","base":"b 1","set":{"generation":3,"role":"trial"},"extensions":[]}"#;
        assert_eq!(active(status).unwrap(), 3);
        assert!(active("").is_err());
    }
}
