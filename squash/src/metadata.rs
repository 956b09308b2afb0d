//! Metadata: a stream that is cut into blocks of 8 KiB, each compressed and preceded by its length.

use crate::compress::{Compressor, Stored};
use crate::format::{METADATA_RAW, METADATA_SIZE, MetadataRef};
use crate::{Options, PackError};

/// Collects a metadata stream in memory.
pub(crate) struct MetadataWriter {
    /// For the error when the table grows too large.
    name: &'static str,
    compressor: Compressor,
    /// Finished blocks.
    stored: Vec<u8>,
    /// The block that is being filled, always shorter than [`METADATA_SIZE`].
    block: Vec<u8>,
}

impl MetadataWriter {
    pub(crate) fn new(name: &'static str, options: &Options) -> Result<MetadataWriter, PackError> {
        let compressor = Compressor::new(options.compression, options.block_size)?;
        Ok(MetadataWriter { name, compressor, stored: Vec::new(), block: Vec::with_capacity(METADATA_SIZE) })
    }

    /// Where the next byte will be.
    pub(crate) fn position(&self) -> Result<MetadataRef, PackError> {
        let block = u32::try_from(self.stored.len()).map_err(|_| PackError::TooLarge(self.name))?;
        Ok(MetadataRef { block, offset: self.block.len() as u16 })
    }

    /// How many bytes still fit into the block that is being filled.
    pub(crate) fn room(&self) -> usize {
        METADATA_SIZE - self.block.len()
    }

    pub(crate) fn append(&mut self, mut bytes: &[u8]) -> Result<(), PackError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.block.extend_from_slice(now);
            if self.room() == 0 {
                self.end_block()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), PackError> {
        let (flag, bytes) = match self.compressor.store(&self.block)? {
            Stored::Compressed(bytes) => (0, bytes),
            Stored::Raw(bytes) => (METADATA_RAW, bytes),
        };
        self.stored.extend_from_slice(&(flag | bytes.len() as u16).to_le_bytes());
        self.stored.extend_from_slice(bytes);
        self.block.clear();
        Ok(())
    }

    /// All blocks of the stream; the last may be short.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, PackError> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        Ok(self.stored)
    }
}

/// A lookup table: entries of equal size in metadata blocks, and a list of where in the image these blocks are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LookupTable {
    /// Blocks and list, in this order.
    pub(crate) bytes: Vec<u8>,
    /// Position of the list in the image: what the superblock says of the table.
    pub(crate) start: u64,
    list: usize,
}

impl LookupTable {
    /// The table of `entries` if it is put at `position` of the image.
    pub(crate) fn new(
        entries: impl IntoIterator<Item = impl AsRef<[u8]>>,
        position: u64,
        options: &Options,
    ) -> Result<LookupTable, PackError> {
        let mut table = MetadataWriter::new("lookup table", options)?;
        let mut starts: Vec<u64> = Vec::new();
        for entry in entries {
            let MetadataRef { block, offset } = table.position()?;
            if offset == 0 {
                starts.push(position + u64::from(block));
            }
            table.append(entry.as_ref())?;
        }
        let mut bytes = table.finish()?;
        let list = bytes.len();
        bytes.extend(starts.into_iter().flat_map(u64::to_le_bytes));
        Ok(LookupTable { bytes, start: position + list as u64, list })
    }

    /// The metadata blocks.
    pub(crate) fn blocks(&self) -> &[u8] {
        &self.bytes[..self.list]
    }

    /// Where they are.
    pub(crate) fn list(&self) -> &[u8] {
        &self.bytes[self.list..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decompresses blocks up to the end of `bytes`.
    fn decode(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut blocks = Vec::new();
        while let [low, high, rest @ ..] = bytes {
            let header = u16::from_le_bytes([*low, *high]);
            let (stored, rest) = rest.split_at((header & !METADATA_RAW).into());
            blocks.push(match header & METADATA_RAW {
                0 => zstd::bulk::decompress(stored, METADATA_SIZE).unwrap(),
                _ => stored.to_vec(),
            });
            bytes = rest;
        }
        blocks
    }

    #[test]
    fn a_stream_is_cut_into_full_blocks_and_positions_point_into_it() {
        let mut writer = MetadataWriter::new("table", &Options::default()).unwrap();
        let text: Vec<u8> = (0..20_000u32).map(|n| (n / 7) as u8).collect();
        writer.append(&text[..8192]).unwrap();
        let second = writer.position().unwrap();
        assert_eq!((second.offset, writer.room()), (0, METADATA_SIZE));
        writer.append(&text[8192..]).unwrap();
        assert_eq!(writer.position().unwrap().offset, 20_000 - 16_384);

        let stored = writer.finish().unwrap();
        let blocks = decode(&stored);
        assert_eq!(blocks.iter().map(Vec::len).collect::<Vec<_>>(), [8192, 8192, 3616]);
        assert_eq!(blocks.concat(), text);
        assert_eq!(decode(&stored[second.block as usize..]).concat(), text[8192..]);
    }

    #[test]
    fn a_lookup_table_lists_every_block_that_it_has() {
        let entries: Vec<[u8; 8]> = (0..1025u64).map(u64::to_le_bytes).collect();
        let table = LookupTable::new(&entries, 1000, &Options::default()).unwrap();
        assert_eq!(table.start, 1000 + table.blocks().len() as u64);
        assert_eq!(decode(table.blocks()).concat(), entries.concat());
        let (first, second) = table.list().split_at(8);
        assert_eq!(first, 1000u64.to_le_bytes());
        let second = u64::from_le_bytes(second.try_into().unwrap()) as usize - 1000;
        assert_eq!(decode(&table.blocks()[second..]).concat(), 1024u64.to_le_bytes());
    }

    #[test]
    fn an_empty_lookup_table_has_no_bytes() {
        let table = LookupTable::new(Vec::<[u8; 8]>::new(), 77, &Options::default()).unwrap();
        assert_eq!(table, LookupTable { bytes: Vec::new(), start: 77, list: 0 });
    }
}
