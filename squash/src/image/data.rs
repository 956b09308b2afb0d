//! Is the content of every file there?

use std::{fmt, io};

use super::finding::{Findings, Place, Rule};
use super::inode::Body;
use super::read::{Failure, Reader};
use super::{Image, Unreadable};
use crate::format::NO_FRAGMENT;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The block with this number, from 0.
    Block(u64),
    /// The end of the file, in the fragment block with this number.
    Fragment(u32),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Block(number) => write!(f, "block {number}"),
            Part::Fragment(number) => write!(f, "the end, in fragment block {number},"),
        }
    }
}

/// Part of the content of a file is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataFault {
    /// Which part.
    pub part: Part,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is where no data can be.
    Place,
    /// It does not decompress, or to more than a block.
    Damaged,
    /// It has another length than the file needs.
    Length {
        /// What it has.
        found: u64,
        /// What the file needs.
        wanted: u64,
    },
}

impl fmt::Display for DataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part;
        match self.flaw {
            Flaw::Place => write!(f, "{part} is not within the data of the image"),
            Flaw::Damaged => write!(f, "{part} cannot be decompressed to at most the size of a block"),
            Flaw::Length { found, wanted } => write!(f, "{part} has {found} bytes instead of {wanted}"),
        }
    }
}

impl std::error::Error for DataFault {}

impl Image<'_> {
    /// Decompresses all that is in the files, each once, and reports what is not as it must be.
    ///
    /// What is decompressed has [`super::Limits::content`] as its limit; with more than that in the image, nothing is
    /// read, and that is what is reported.
    ///
    /// # Errors
    /// [`Unreadable::Read`]
    pub fn check_data(&self) -> Result<Findings, Unreadable> {
        let mut findings = Findings::default();
        if self.content > self.limits.content {
            findings.add(self.too_much(self.content), || Place::Image);
            return Ok(findings);
        }
        let reader = Reader::new(self).map_err(Unreadable::Read)?;
        let mut check = Check { image: self, reader, findings, tails: Vec::new() };
        check.blocks()?;
        check.fragments()?;
        Ok(check.findings)
    }

    fn too_much(&self, bytes: u64) -> Rule {
        Rule::TooMuchContent { bytes, limit: self.limits.content }
    }
}

struct Check<'i> {
    image: &'i Image<'i>,
    reader: Reader<'i>,
    findings: Findings,
    tails: Vec<Tail>,
}

/// The end of a file that is in a fragment block.
struct Tail {
    fragment: u32,
    node: usize,
    len: u64,
}

impl Check<'_> {
    /// Decompresses what is in blocks of its own.
    fn blocks(&mut self) -> Result<(), Unreadable> {
        let mut seen = vec![false; self.image.inodes.len()];
        for node in 0..self.image.nodes.len() {
            let inode = self.image.nodes.inode(node);
            let Body::File(file) = &self.image.inodes[inode].body else { continue };
            if std::mem::replace(&mut seen[inode], true) {
                continue;
            }
            match self.reader.whole_blocks(file, &mut io::sink()) {
                Ok(len) if file.fragment != NO_FRAGMENT => {
                    self.tails.push(Tail { fragment: file.fragment, node, len });
                }
                Ok(_) => {}
                Err(failure) => self.report(node, failure)?,
            }
        }
        Ok(())
    }

    /// Decompresses each fragment block once. Every byte of one is the end of some file, so all of them together are no
    /// more than what the files hold.
    fn fragments(&mut self) -> Result<(), Unreadable> {
        let mut tails = std::mem::take(&mut self.tails);
        tails.sort_by_key(|tail| (tail.fragment, tail.node));
        let mut total = 0;
        for of_one in tails.chunk_by(|a, b| a.fragment == b.fragment) {
            match self.reader.load(of_one[0].fragment) {
                Ok(len) => total += len as u64,
                Err(failure) => {
                    self.report(of_one[0].node, failure)?;
                    continue;
                }
            }
            if total > self.image.limits.content {
                self.findings.add(self.image.too_much(total), || Place::Image);
                break;
            }
            for Tail { node, len, .. } in of_one {
                if let Body::File(file) = &self.image.inodes[self.image.nodes.inode(*node)].body
                    && let Err(failure) = self.reader.tail(file, *len)
                {
                    self.report(*node, failure)?;
                }
            }
        }
        Ok(())
    }

    fn report(&mut self, node: usize, failure: Failure) -> Result<(), Unreadable> {
        match failure {
            Failure::Data(fault) => {
                self.findings.add(Rule::Data(fault), || Place::Path(self.image.nodes.shown(node)));
                Ok(())
            }
            Failure::Read(error) | Failure::Write(error) => Err(Unreadable::Read(error)),
        }
    }
}
