//! Is a disk whole after a power cut? This machine's ext4 replays the journal, and then every byte is read that the state
//! of the node names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use spec::{Digest, sentence};

use super::session::NodeState;
use crate::{Error, command};

/// A file system that is mounted until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn at(image: &Path, directory: PathBuf) -> Result<Mounted, Error> {
        fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
        command::read(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&directory))?;
        Ok(Mounted(directory))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What is still mounted then is in the way of the next disk, which says so.
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

/// What a generation is made of, as far as it has to be there.
#[derive(Debug, Deserialize)]
struct Set {
    blobs: Vec<Blob>,
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct Blob {
    digest: Digest,
}

#[derive(Debug, Deserialize)]
struct File {
    path: String,
    digest: Digest,
}

/// What is wrong with the disk; nothing if its state is one of those allowed, and all sets that it names are whole.
pub(super) fn fault<'s>(
    image: &Path,
    extruntime: &Path,
    allowed: impl Iterator<Item = &'s NodeState>,
) -> Result<Option<String>, Error> {
    let mounted = match Mounted::at(image, image.with_extension("mounted")) {
        Ok(mounted) => mounted,
        Err(error @ Error::FailedQuietly { .. }) => return Ok(Some(sentence(&error))),
        Err(error) => return Err(error),
    };
    let node = mounted.0.join("tenon");
    // Exit code 1 means that something is damaged, such as the slot that was being written. The state has to stand.
    let said = command::capture(Command::new(extruntime).args(["sets", "--json", "--state"]).arg(&node))?;
    let Ok(state) = serde_json::from_slice::<NodeState>(&said.stdout) else {
        return Ok(Some(format!("it has no state: {}", command::said(&said))));
    };
    let allowed: Vec<&NodeState> = allowed.collect();
    if !allowed.contains(&&state) {
        return Ok(Some(format!("its state is {state:?}, and may only be one of {allowed:?}")));
    }
    Ok(state.named().into_iter().find_map(|generation| broken(&node, generation)))
}

/// What is missing of a set, or is not what it should be.
fn broken(node: &Path, generation: u64) -> Option<String> {
    let directory = node.join("generations").join(generation.to_string());
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let set = read(&directory.join("set.json"))
        .and_then(|json| serde_json::from_slice::<Set>(&json).map_err(|error| error.to_string()));
    let set = match set {
        Ok(set) => set,
        Err(why) => return Some(format!("set {generation} has no list: {why}")),
    };
    let blobs = set.blobs.iter().map(|blob| (node.join("blobs/sha256").join(blob.digest.hex()), blob.digest));
    let files = set.files.iter().map(|file| (directory.join(&file.path), file.digest));
    blobs.chain(files).find_map(|(path, digest)| match read(&path) {
        Ok(bytes) if Digest::of(&bytes) == digest => None,
        Ok(_) => Some(format!("set {generation}: {} has other bytes", path.display())),
        Err(why) => Some(format!("set {generation}: {why}")),
    })
}
