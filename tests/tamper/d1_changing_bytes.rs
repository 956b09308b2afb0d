//! Somebody writes to an image on the medium while it is checked and mounted (CVE-2020-25860).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use spec::Digest;
use spec::defence::Threat;
use spec::status::State;

use crate::harness::{Programs, comes_to_nothing};
use crate::world::{Extension, World};

/// How many boots there are to hit; each takes some hundredths of a second.
const BOOTS: usize = 40;

/// A writer that flips a byte of a file to and fro until it is dropped.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    fn on(file: File, at: u64) -> Writer {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                for byte in [byte[0] ^ 1, byte[0]] {
                    file.write_all_at(&[byte], at).unwrap();
                    std::thread::yield_now();
                }
            }
        });
        Writer { stop, thread: Some(thread) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

/// The content of the file: too wild to be compressed, so that a byte of the image is a byte of it.
fn wild() -> Vec<u8> {
    (0..100_000u64).flat_map(|n| Digest::of(&n.to_le_bytes()).as_bytes()[..8].to_vec()).collect()
}

/// Boots while a byte changes; returns what went wrong, and how often the extension was active and refused.
fn boots(programs: &Programs) -> Result<[usize; 2], String> {
    let mut counts = [0, 0];
    for _ in 0..BOOTS {
        let world = World::new();
        let mut tool = Extension::new("tool");
        tool.files[0].1 = wild();
        world.publish(&tool);
        world.want(&["tool"]);
        let image = world.blob(&Digest::of(&tool.image().0));
        let writer = Writer::on(File::options().read(true).write(true).open(&image).unwrap(), 300_000);
        let booted = programs.boot(&world);
        drop(writer);
        match booted.status.extensions[0].state {
            State::Active => counts[0] += 1,
            State::Refused => counts[1] += 1,
        }
        if booted.file("/usr/bin/tool").is_some_and(|found| found != wild()) {
            return Err(format!("bytes that nobody signed are served: {:#?}", booted.status));
        }
    }
    Ok(counts)
}

#[test]
fn what_is_served_is_what_was_signed_or_nothing() {
    comes_to_nothing(Threat::D1, |programs| {
        let [active, refused] = boots(programs)?;
        println!("{active} active, {refused} refused");
        assert!(refused > 0, "no write hit a boot: the test has no teeth");
        Ok(())
    });
}
