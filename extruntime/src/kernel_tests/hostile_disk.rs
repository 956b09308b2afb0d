//! A disk that somebody else wrote to, or that has gone bad: whatever is on it, the node ends in a set that was staged there,
//! of which each extension is whole or left out with a reason, or in the base alone.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use generations::{Generation, RealDisk, Store};
use spec::status::{State, Status};

use super::alone;
use super::in_place::{System, mounted};
use crate::activate::{Request, Source, activate, deactivate};
use crate::clock::Clock;

/// Disks of a run.
const DISKS: u64 = 300;
/// What no activation takes, on the busiest machine: beyond it, something waits for ever.
const HANGS: Duration = Duration::from_secs(120);
/// Bytes of a file that nobody may read to its end.
const HUGE: u64 = 1 << 42;

/// Numbers that follow from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

/// What may have become of something on the disk.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Flipped,
    Cut,
    Longer,
    Noise,
    Gone,
    Another,
    Swapped,
    Directory,
    LinkAway,
    LinkToItself,
    Pipe,
    Endless,
    Huge,
}

const DAMAGES: [Damage; 13] = [
    Damage::Flipped,
    Damage::Cut,
    Damage::Longer,
    Damage::Noise,
    Damage::Gone,
    Damage::Another,
    Damage::Swapped,
    Damage::Directory,
    Damage::LinkAway,
    Damage::LinkToItself,
    Damage::Pipe,
    Damage::Endless,
    Damage::Huge,
];

/// Everything below a directory, in order: a seed means the same on every machine.
fn everything(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(everything(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Damages something below `node`, and says what.
fn damage(node: &Path, chance: &mut Chance) -> String {
    let all = everything(node);
    let (Some(damage), false) = (DAMAGES.get(chance.below(DAMAGES.len())), all.is_empty()) else {
        return String::new();
    };
    let (path, other) = (chance.of(&all), chance.of(&all));
    let read = |path: &Path| match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() < HUGE => fs::read(path).unwrap(),
        _ => Vec::new(),
    };
    let bytes = read(path);
    let rewrite = |bytes: &[u8]| {
        remove(path);
        fs::write(path, bytes).unwrap();
    };
    match damage {
        Damage::Flipped if !bytes.is_empty() => {
            let mut bytes = bytes;
            let at = chance.below(bytes.len());
            bytes[at] ^= 1 << chance.below(8);
            rewrite(&bytes);
        }
        Damage::Flipped | Damage::Cut => rewrite(&bytes[..chance.below(bytes.len())]),
        Damage::Longer => rewrite(&[bytes.as_slice(), &[0; 4096]].concat()),
        Damage::Noise => rewrite(&(0..5000).map(|_| chance.below(256) as u8).collect::<Vec<_>>()),
        Damage::Gone => remove(path),
        Damage::Another => rewrite(&read(other)),
        Damage::Swapped if !path.starts_with(other) && !other.starts_with(path) => {
            let between = node.join("between");
            fs::rename(path, &between).unwrap();
            fs::rename(other, path).unwrap();
            fs::rename(&between, other).unwrap();
        }
        Damage::Swapped | Damage::Directory => {
            remove(path);
            fs::create_dir(path).unwrap();
        }
        Damage::LinkAway => {
            remove(path);
            symlink("/etc/passwd", path).unwrap();
        }
        Damage::LinkToItself => {
            remove(path);
            symlink(path, path).unwrap();
        }
        Damage::Pipe | Damage::Endless => {
            remove(path);
            // /dev/zero: 1:5 (Linux Documentation/admin-guide/devices.txt).
            let arguments: &[&str] = if matches!(damage, Damage::Pipe) { &["p"] } else { &["c", "1", "5"] };
            assert!(Command::new("mknod").arg(path).args(arguments).status().unwrap().success());
        }
        Damage::Huge => {
            rewrite(&bytes);
            File::options().write(true).open(path).unwrap().set_len(HUGE).unwrap();
        }
    }
    format!("{damage:?} {}", path.strip_prefix(node).unwrap().display())
}

fn copy(from: &Path, to: &Path) {
    remove(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Activates what the node keeps. A panic of it is one of ours, and so is a wait without end.
fn boot(request: Request, what: &str) -> Option<Status> {
    let (tell, hear) = mpsc::channel();
    let booting = thread::spawn(move || {
        let outcome = activate(&request, &Clock::start());
        let _ = tell.send(outcome);
    });
    match hear.recv_timeout(HANGS) {
        Ok(outcome) => {
            booting.join().unwrap();
            outcome.ok()
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs: {what}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("it panics: {what}"),
    }
}

/// What each of the extensions has, where it shows.
fn shows(system: &System, name: &str) -> Option<String> {
    fs::read_to_string(system.path(&format!("usr/bin/{name}"))).ok()
}

#[test]
fn whatever_is_on_the_disk_only_what_was_staged_runs() {
    if !alone("hostile_disk::whatever_is_on_the_disk_only_what_was_staged_runs") {
        return;
    }
    let system = System::new();
    let sets: [&[&str]; 2] = [&["tool"], &["other", "tool"]];
    system.stage(sets[0]);
    system.boot();
    let disk = RealDisk::open(system.node()).unwrap();
    Store::open(disk).unwrap().confirm(Generation::new(1)).unwrap();
    system.stage(sets[1]);
    deactivate(system.root()).unwrap();
    let (node, whole) = (system.node(), system.path("whole"));
    copy(&node, &whole);
    let before = mounted();

    let mut ends = [0; 3];
    for disk in 0..DISKS {
        copy(&whole, &node);
        let mut chance = Chance(disk);
        let damages: Vec<String> = (0..=chance.below(3)).map(|_| damage(&node, &mut chance)).collect();
        let what = format!("disk {disk}: {}", damages.join(", "));
        let request = Request { source: Source::Node(node.clone()), ..system.request() };
        let status = boot(request, &what);

        let generation =
            status.as_ref().and_then(|status| status.set.as_ref()).map_or(0, |set| set.generation);
        let extensions = status.map(|status| status.extensions).unwrap_or_default();
        let names: Vec<&str> = extensions.iter().map(|extension| extension.name.as_str()).collect();
        let staged = generation.checked_sub(1).map_or(&[][..], |number| sets[number as usize]);
        assert_eq!(names, staged, "{what}");
        let is_active = |name: &str| {
            let extension = extensions.iter().find(|extension| extension.name.as_str() == name);
            extension.is_some_and(|extension| extension.state == State::Active)
        };
        assert!(extensions.iter().all(|e| e.state == State::Active || !e.reasons.is_empty()), "{what}");
        for name in ["tool", "other"] {
            let wanted = is_active(name).then(|| format!("the program {name}"));
            assert_eq!(shows(&system, name), wanted, "{what}");
        }
        assert_eq!(shows(&system, "sh").as_deref(), Some("the shell"), "{what}");
        ends[generation as usize] += 1;
        deactivate(system.root()).unwrap();
        assert_eq!(mounted(), before, "{what}");
    }
    // A disk that always ends in the same way would show nothing.
    assert!(ends.iter().all(|end| *end > 0), "{ends:?}");
}
