//! The content of files: blocks one after the other, and small files together in fragment blocks.

use std::io::Read;

use spec::{Hasher, TreePath};

use crate::compress::{Compressor, Stored};
use crate::duplicates::{self, Sharing};
use crate::format::{DATA_RAW, FileInode, FragmentBlock, FragmentRef};
use crate::numbering::Numbered;
use crate::output::Output;
use crate::{Content, Node, Options, PackError};

/// Where the content of everything is.
pub(crate) struct Data {
    /// For each place of the tree; empty where there is no file.
    pub(crate) files: Vec<FileInode>,
    pub(crate) fragments: Vec<FragmentBlock>,
}

/// Appends the content of all files, each distinct content once, in the order of the tree.
pub(crate) fn write(
    nodes: &[Numbered<'_>],
    options: &Options,
    output: &mut Output<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Data, PackError> {
    let sharing = duplicates::find(nodes)?;
    let mut writer = DataWriter::new(options, output, progress)?;
    let mut files: Vec<FileInode> = Vec::with_capacity(nodes.len());
    for (node, sharing) in nodes.iter().zip(sharing) {
        let file = match (node.node, sharing) {
            (Node::File { content, .. }, Sharing::CopyOf(original)) => {
                writer.advance(content.len());
                files[original].clone()
            }
            (Node::File { content, .. }, _) => writer.write_file(node.path, content, sharing)?,
            (Node::Directory { .. } | Node::Symlink { .. }, _) => FileInode::default(),
        };
        files.push(file);
    }
    Ok(Data { files, fragments: writer.finish()? })
}

struct DataWriter<'a, 'f> {
    output: &'a mut Output<'f>,
    progress: &'a mut dyn FnMut(u64),
    /// Bytes of content that are dealt with.
    done: u64,
    compressor: Compressor,
    block_size: usize,
    /// As long as a block, for comparing.
    zeros: Vec<u8>,
    /// The fragment block that is being filled, never longer than a block.
    pending: Vec<u8>,
    fragments: Vec<FragmentBlock>,
}

impl<'a, 'f> DataWriter<'a, 'f> {
    fn new(
        options: &Options,
        output: &'a mut Output<'f>,
        progress: &'a mut dyn FnMut(u64),
    ) -> Result<Self, PackError> {
        let block_size = options.block_size.get() as usize;
        Ok(DataWriter {
            output,
            progress,
            done: 0,
            compressor: Compressor::new(options.level)?,
            block_size,
            zeros: vec![0; block_size],
            pending: Vec::with_capacity(block_size),
            fragments: Vec::new(),
        })
    }

    fn write_file(
        &mut self,
        path: &TreePath,
        content: &Content,
        sharing: Sharing,
    ) -> Result<FileInode, PackError> {
        let failed = |source| PackError::Read { path: path.clone(), source };
        let mut reader = content.open().map_err(failed)?;
        let is_small = content.len() < self.block_size as u64;
        let start = if is_small { 0 } else { self.output.position() };
        let mut file = FileInode { start, size: content.len(), ..FileInode::default() };
        let mut hasher = Hasher::new();
        let mut block = Vec::with_capacity(self.block_size);
        loop {
            block.clear();
            (&mut reader).take(self.block_size as u64).read_to_end(&mut block).map_err(failed)?;
            if block.is_empty() {
                break;
            }
            if let Sharing::Original(_) = sharing {
                hasher.update(&block);
            }
            if is_small {
                file.fragment = Some(self.add_fragment(&block)?);
            } else {
                self.add_block(&mut file, &block)?;
            }
            self.advance(block.len() as u64);
        }
        match sharing {
            Sharing::Original(digest) if digest != hasher.finish() => {
                Err(PackError::Changed { path: path.clone() })
            }
            _ => Ok(file),
        }
    }

    /// Stores the next block of a file; blocks of zeros are only noted.
    fn add_block(&mut self, file: &mut FileInode, block: &[u8]) -> Result<(), PackError> {
        if block == &self.zeros[..block.len()] {
            file.sparse += block.len() as u64;
            file.blocks.push(0);
        } else {
            let size = append(self.output, &mut self.compressor, block)?;
            file.blocks.push(size);
        }
        Ok(())
    }

    /// Keeps the whole content of a small file for the next fragment block.
    fn add_fragment(&mut self, content: &[u8]) -> Result<FragmentRef, PackError> {
        if self.pending.len() + content.len() > self.block_size {
            self.end_fragment_block()?;
        }
        let index = u32::try_from(self.fragments.len()).map_err(|_| PackError::TooLarge("fragment table"))?;
        let offset = self.pending.len() as u32;
        self.pending.extend_from_slice(content);
        Ok(FragmentRef { index, offset })
    }

    fn end_fragment_block(&mut self) -> Result<(), PackError> {
        let start = self.output.position();
        let size = append(self.output, &mut self.compressor, &self.pending)?;
        self.fragments.push(FragmentBlock { start, size });
        self.pending.clear();
        Ok(())
    }

    fn advance(&mut self, bytes: u64) {
        self.done = self.done.saturating_add(bytes);
        (self.progress)(self.done);
    }

    fn finish(mut self) -> Result<Vec<FragmentBlock>, PackError> {
        if !self.pending.is_empty() {
            self.end_fragment_block()?;
        }
        Ok(self.fragments)
    }
}

/// Appends a block in its shorter form; returns the size as inodes and fragment tables have it.
fn append(output: &mut Output<'_>, compressor: &mut Compressor, block: &[u8]) -> Result<u32, PackError> {
    let (flag, bytes) = match compressor.store(block)? {
        Stored::Compressed(bytes) => (0, bytes),
        Stored::Raw(bytes) => (DATA_RAW, bytes),
    };
    output.append(bytes)?;
    Ok(flag | bytes.len() as u32)
}
