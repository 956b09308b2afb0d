//! What follows the squashfs: padding, and perhaps a dm-verity area.

use super::finding::{Findings, Place, Rule};
use super::{Source, Unreadable};
use crate::format::{IMAGE_ALIGNMENT, Superblock};
use crate::verity;

/// Most zeros after an image, in bytes. Writers pad to the block of the device that it goes to, which has 1 MiB at most
/// (mksquashfs and gensquashfs have 4 KiB unless told otherwise).
const PADDING_MAX: u64 = 1 << 20;

/// Reports bytes after the image that are neither zeros nor a hash tree of it.
pub(super) fn check(
    source: &dyn Source,
    superblock: &Superblock,
    findings: &mut Findings,
) -> Result<(), Unreadable> {
    let size = source.size().map_err(Unreadable::Read)?;
    let padded = superblock.bytes_used.checked_next_multiple_of(IMAGE_ALIGNMENT).unwrap_or(size);
    if !is_zero(source, superblock.bytes_used, padded.min(size))? {
        findings.add(Rule::Padding(superblock.bytes_used), || Place::Image);
    }
    if size <= padded {
        return Ok(());
    }
    if let Some(block) = verity_block(source, padded, size)? {
        if let Err(reason) = check_verity(&block, padded, size) {
            findings.add(Rule::Verity { at: padded, reason }, || Place::Image);
        }
    } else if size - padded > PADDING_MAX || !is_zero(source, padded, size)? {
        findings.add(Rule::Trailing(padded), || Place::Image);
    }
    Ok(())
}

/// The block that begins a verity area.
fn verity_block(source: &dyn Source, at: u64, size: u64) -> Result<Option<[u8; verity::BLOCK]>, Unreadable> {
    let mut block = [0; verity::BLOCK];
    if size - at < block.len() as u64 {
        return Ok(None);
    }
    source.read_exact_at(&mut block, at).map_err(Unreadable::Read)?;
    Ok(block.starts_with(verity::MAGIC).then_some(block))
}

/// Does the area cover this image and nothing else? Whether its hashes are right is for [`verity::check`].
fn check_verity(block: &[u8; verity::BLOCK], at: u64, size: u64) -> Result<(), String> {
    let superblock = verity::Superblock::read(block).map_err(|error| error.to_string())?;
    let blocks = at / verity::BLOCK as u64;
    if superblock.data_blocks != blocks {
        return Err(format!("it is for {} blocks of data and there are {blocks}", superblock.data_blocks));
    }
    match (size - at, verity::area_len(at)) {
        (found, wanted) if found != wanted => Err(format!("it has {found} bytes and must have {wanted}")),
        _ => Ok(()),
    }
}

fn is_zero(source: &dyn Source, from: u64, to: u64) -> Result<bool, Unreadable> {
    let mut buffer = [0; 4096];
    let mut at = from;
    while at < to {
        let len = (to - at).min(buffer.len() as u64);
        let bytes = &mut buffer[..len as usize];
        source.read_exact_at(bytes, at).map_err(Unreadable::Read)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += len;
    }
    Ok(true)
}
