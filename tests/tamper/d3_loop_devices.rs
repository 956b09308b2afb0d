//! A loop device that stays behind serves an old image to whoever takes it for a new one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use spec::defence::Threat;

use crate::harness::{comes_to_nothing, loops};
use crate::world::{Extension, World};

/// The loop devices that serve sealed images and were not there before, after a while in which others went.
fn left(before: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let new = loops().into_iter().filter(|(device, file)| before.get(device) != Some(file));
        let new: Vec<PathBuf> = new.map(|(device, _)| device).collect();
        if new.is_empty() || Instant::now() > end {
            return new;
        }
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_loop_device_ends_with_its_mount() {
    comes_to_nothing(Threat::D3, |programs| {
        let world = World::new();
        world.publish(&Extension::new("tool"));
        world.want(&["tool"]);
        let before = loops();
        let booted = programs.boot(&world);
        assert!(booted.file("/usr/bin/tool").is_some(), "{:#?}", booted.status);
        let left = left(&before);
        if left.is_empty() {
            return Ok(());
        }
        for device in &left {
            let device = PathBuf::from("/dev").join(device.file_name().unwrap());
            drop(Command::new("losetup").arg("-d").arg(device).status());
        }
        Err(format!("{left:?} stay behind"))
    });
}
