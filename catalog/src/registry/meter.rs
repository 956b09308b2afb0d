//! How far a transfer of several blobs at a time is.

use std::cell::{Cell, RefCell};

use super::Progress;
use crate::descriptor::Descriptor;

/// Adds up what is there of each blob and reports the sum.
pub(super) struct Meter<'a> {
    done: Cell<u64>,
    total: u64,
    report: RefCell<&'a mut dyn FnMut(Progress)>,
}

/// The part of one blob.
pub(super) struct Share<'a> {
    meter: &'a Meter<'a>,
    size: u64,
    done: Cell<u64>,
}

impl<'a> Meter<'a> {
    pub(super) fn new<'b>(
        blobs: impl Iterator<Item = &'b Descriptor>,
        report: &'a mut dyn FnMut(Progress),
    ) -> Meter<'a> {
        let total = blobs.fold(0u64, |sum, blob| sum.saturating_add(blob.size));
        Meter { done: Cell::new(0), total, report: RefCell::new(report) }
    }

    pub(super) fn share(&'a self, blob: &Descriptor) -> Share<'a> {
        Share { meter: self, size: blob.size, done: Cell::new(0) }
    }
}

impl Share<'_> {
    /// So many bytes of the blob are there now. They may be fewer than before: what broke off can have to start over.
    pub(super) fn at(&self, bytes: u64) {
        let bytes = bytes.min(self.size);
        let before = self.done.replace(bytes);
        let meter = self.meter;
        let done = meter.done.get().saturating_sub(before).saturating_add(bytes);
        meter.done.set(done);
        (meter.report.borrow_mut())(Progress { done, total: meter.total });
    }

    /// The blob is there as a whole.
    pub(super) fn complete(&self) {
        self.at(self.size);
    }
}

#[cfg(test)]
mod tests {
    use spec::Digest;

    use super::*;

    #[test]
    fn blobs_at_the_same_time_add_up_even_if_one_starts_over() {
        let blobs = [10, 5].map(|size| Descriptor::new("x", Digest::of(b"x"), size));
        let mut seen = Vec::new();
        let mut report = |progress: Progress| seen.push((progress.done, progress.total));
        {
            let meter = Meter::new(blobs.iter(), &mut report);
            let shares = [meter.share(&blobs[0]), meter.share(&blobs[1])];
            shares[0].at(8);
            shares[1].at(3);
            shares[0].at(0);
            shares[1].complete();
            shares[0].at(99);
        }
        assert_eq!(seen, [8, 11, 3, 5, 15].map(|done| (done, 15)));
    }
}
