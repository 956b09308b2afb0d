//! The content of files: blocks one after the other, and small files together in fragment blocks.
//!
//! One thread reads (`read`, with `duplicates` and `fragments`), several compress (`store`), and the caller's appends to
//! the image. What is decided before compression depends on the tree alone and what is decided after it on the order of
//! the pieces, so the number of threads decides nothing.

mod duplicates;
mod fragments;
mod read;
mod store;

use crate::format::FragmentBlock;
use crate::numbering::Numbered;
use crate::output::Output;
use crate::parallel;
use crate::writer::Means;
use crate::{Options, PackError};

pub(crate) use fragments::FragmentRef;
use read::{Of, Piece, Stored};
use store::{Packed, Packer};

/// Where the content of a file is; the default is that of an empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileData {
    /// Position of the first block in the image; 0 without one.
    pub(crate) start: u64,
    /// How much of the content is in blocks of zeros, which are not stored.
    pub(crate) sparse: u64,
    /// Stored size of each block, with [`crate::format::DATA_RAW`]; 0 is a block of zeros.
    pub(crate) blocks: Vec<u32>,
    pub(crate) fragment: Option<FragmentRef>,
}

/// Where the content of everything is.
pub(crate) struct Data {
    /// For each place of the tree; empty where there is no file.
    pub(crate) files: Vec<FileData>,
    pub(crate) fragments: Vec<FragmentBlock>,
}

/// Appends the content of all files, each distinct content once, in the order of the tree.
pub(crate) fn write(
    nodes: &[Numbered<'_>],
    options: &Options,
    means: Means<'_>,
    output: &mut Output<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Data, PackError> {
    let cache = means.cache.map(|cache| cache.blocks(options)).transpose()?;
    let mut workers = Vec::new();
    for _ in 0..means.threads.get() {
        let mut packer = Packer::new(options, cache.as_ref())?;
        workers.push(move |piece: Piece| packer.store(piece));
    }
    let mut data = Data { files: vec![FileData::default(); nodes.len()], fragments: Vec::new() };
    let stored = parallel::ordered(
        workers,
        |queue| read::read(nodes, options.block_size.get() as usize, queue),
        |packed| {
            let packed = packed?;
            progress(packed.done);
            data.append(packed, output)
        },
    )?;
    data.share(&stored);
    Ok(data)
}

impl Data {
    fn append(&mut self, packed: Packed, output: &mut Output<'_>) -> Result<(), PackError> {
        let (start, size) = (output.position(), packed.size());
        output.append(&packed.bytes)?;
        match packed.of {
            Of::Fragments => self.fragments.push(FragmentBlock { start, size, unused: 0 }),
            Of::File(place) => {
                let file = &mut self.files[place];
                if file.blocks.is_empty() {
                    file.start = start;
                }
                if size == 0 {
                    file.sparse += packed.len as u64;
                }
                file.blocks.push(size);
            }
        }
        Ok(())
    }

    /// Adds what was known before compression: fragments, and which files lie where others do.
    fn share(&mut self, stored: &[Stored]) {
        for (place, stored) in stored.iter().enumerate() {
            match stored {
                Stored::Blocks => {}
                Stored::Fragment(fragment) => self.files[place].fragment = Some(*fragment),
                Stored::Like(original) => self.files[place] = self.files[*original].clone(),
            }
        }
    }
}
