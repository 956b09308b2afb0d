//! Writes small inputs for every target into DIR/TARGET, for the fuzzer to start from: sound ones, and some that deceive.

mod archives;
#[path = "../../../squash/tests/checker/corpus/mod.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests of the checker have more use for it")]
mod corpus;
#[path = "../../../squash/tests/checker/craft.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests of the checker have more use for it")]
mod craft;
mod images;
mod kernels;
mod keys;
mod layers;
mod modules;
mod nodes;
mod trust;

use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("usage: fuzz-seeds DIR")?;
    let dir = Path::new(&dir);
    let crafted = corpus::all().into_iter().map(|(_, image)| image);
    write(&dir.join("image"), images::images()?.into_iter().chain(crafted).collect())?;
    let archives = archives::archives()?;
    write(&dir.join("deb"), archives.iter().map(|archive| archives::deb(archive)).collect())?;
    write(&dir.join("tar"), archives)?;
    write(&dir.join("oci"), layers::images()?)?;
    write(&dir.join("vmlinuz"), kernels::images()?)?;
    write(&dir.join("profile"), kernels::profiles()?)?;
    write(&dir.join("key"), keys::keys()?)?;
    write(&dir.join("bundle"), trust::bundles()?)?;
    write(&dir.join("policy"), trust::policies()?)?;
    write(&dir.join("documents"), trust::documents()?)?;
    write(&dir.join("referrers"), trust::referrers()?)?;
    write(&dir.join("headers"), trust::headers())?;
    write(&dir.join("grants"), trust::steering())?;
    write(&dir.join("machine"), trust::machines())?;
    write(&dir.join("generations"), nodes::states()?)?;
    let modules = modules::modules()?;
    write(&dir.join("record"), modules::records(&modules)?)?;
    write(&dir.join("module"), modules)
}

fn write(dir: &Path, seeds: Vec<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(dir.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

/// The bytes in a zstd frame with one raw block, which needs no compressor (RFC 8878, section 3.1.1).
fn zstd(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let size = u32::try_from(bytes.len())?;
    // A frame of a single segment with its size in four bytes, then the last block, which is raw.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(size.to_le_bytes());
    frame.extend(&(size << 3 | 1).to_le_bytes()[..3]);
    frame.extend(bytes);
    Ok(frame)
}
