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
pub(crate) use read::Stored;
use read::{Of, Piece};
use store::{Packed, Packer};

/// Where the content of a file is; the default is that of an empty one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FileData<'a> {
    /// Position of the first block in the image; 0 without one.
    pub(crate) start: u64,
    /// How much of the content is in blocks of zeros, which are not stored.
    pub(crate) sparse: u64,
    /// Stored size of each block, with [`crate::format::DATA_RAW`]; 0 is a block of zeros.
    pub(crate) blocks: &'a [u32],
    pub(crate) fragment: Option<FragmentRef>,
}

/// Where the content of everything is. Most files of a large tree are small, so only those with blocks have more than
/// a few bytes here.
#[derive(Default)]
pub(crate) struct Data {
    /// For each place of the tree.
    pub(crate) stored: Vec<Stored>,
    /// The files with blocks, by place.
    blocks: Vec<Blocks>,
    /// Sizes of all their blocks, one file after the other.
    sizes: Vec<u32>,
    pub(crate) fragments: Vec<FragmentBlock>,
}

/// The blocks of one file.
struct Blocks {
    place: usize,
    start: u64,
    sparse: u64,
    /// Which of all sizes is its first; they end where those of the next file begin.
    first_size: usize,
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
    let mut data = Data::default();
    let stored = parallel::ordered(
        workers,
        |queue| read::read(nodes, options.block_size.get() as usize, queue),
        |packed| {
            let packed = packed?;
            progress(packed.done);
            data.append(packed, output)
        },
    )?;
    Ok(Data { stored, ..data })
}

impl Data {
    fn append(&mut self, packed: Packed, output: &mut Output<'_>) -> Result<(), PackError> {
        let (start, size) = (output.position(), packed.size());
        output.append(&packed.bytes)?;
        match packed.of {
            Of::Fragments => self.fragments.push(FragmentBlock { start, size, unused: 0 }),
            Of::File(place) => {
                let sparse = if size == 0 { packed.len as u64 } else { 0 };
                match self.blocks.last_mut().filter(|blocks| blocks.place == place) {
                    Some(blocks) => blocks.sparse += sparse,
                    None => self.blocks.push(Blocks { place, start, sparse, first_size: self.sizes.len() }),
                }
                self.sizes.push(size);
            }
        }
        Ok(())
    }

    /// Where the content of the file at this place is.
    pub(crate) fn of(&self, place: usize) -> FileData<'_> {
        match self.stored[place] {
            Stored::Fragment(fragment) => FileData { fragment: Some(fragment), ..FileData::default() },
            Stored::Blocks => self.blocks_of(place),
            // An original is like no other.
            Stored::Like(original) => self.of(original as usize),
        }
    }

    fn blocks_of(&self, place: usize) -> FileData<'_> {
        let Ok(at) = self.blocks.binary_search_by_key(&place, |blocks| blocks.place) else {
            return FileData::default();
        };
        let Blocks { start, sparse, first_size, .. } = self.blocks[at];
        let end = self.blocks.get(at + 1).map_or(self.sizes.len(), |next| next.first_size);
        FileData { start, sparse, blocks: &self.sizes[first_size..end], fragment: None }
    }
}
