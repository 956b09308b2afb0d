//! Images with a few bytes changed or missing: nothing panics, and nothing takes long.

use std::io;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use squash::image::{Image, Limits};

use crate::{corpus, writers};

/// Small, so that also what is within the limits is soon read.
const LIMITS: Limits =
    Limits { inodes: 10_000, names: 10_000, metadata: 1 << 20, depth: 20, content: 16 << 20 };

/// More than any of these images takes, even with other tests beside it.
const LONG: Duration = Duration::from_secs(20);

/// Does everything with an image that can be done with it.
fn use_all_of(bytes: &[u8]) {
    let start = Instant::now();
    if let Ok(image) = Image::open(&bytes, &LIMITS) {
        let mut reader = image.reader().unwrap();
        let listing = image.listing();
        for entry in image.entries() {
            let path = entry.path();
            assert!(path.is_none_or(|path| path.as_str() == "/" || listing.get(&path).is_some()));
            let _ = (entry.shown(), entry.kind(), entry.mode(), entry.uid(), entry.links());
            if image.content() <= LIMITS.content {
                let _ = reader.stream_entry(entry, &mut io::sink());
            }
        }
        let _ = image.findings().iter().map(ToString::to_string).count();
        let _ = image.check_data().unwrap();
    }
    let took = start.elapsed();
    assert!(took < LONG, "it took {took:?}");
}

/// Good and bad ones.
fn seeds() -> Vec<Vec<u8>> {
    let crafted = corpus::all().into_iter().map(|(_, image)| image);
    crafted.chain(writers::small_images()).collect()
}

/// xorshift64*: the same edits in every run, so that what is found once is found again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    /// Values at which counts and positions turn over, or any.
    fn byte(&mut self) -> u8 {
        match self.below(4) {
            0 => [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
            _ => self.below(256) as u8,
        }
    }
}

#[test]
fn a_few_changed_bytes_do_no_harm() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for seed in seeds() {
        // The superblock, the tables at the end, and anything.
        let places = [0..96, seed.len().saturating_sub(5000)..seed.len(), 0..seed.len()];
        for _ in 0..60 {
            let mut image = seed.clone();
            let place = &places[random.below(places.len())];
            for _ in 0..=random.below(4) {
                let at = place.start + random.below(place.len());
                image[at] = random.byte();
            }
            use_all_of(&image);
        }
    }
}

#[test]
fn an_image_may_end_anywhere() {
    for image in writers::small_images() {
        for len in (0..image.len()).step_by(image.len() / 200 + 1).chain(0..200) {
            use_all_of(&image[..len.min(image.len())]);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_after_a_superblock_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut image = corpus::base().done();
        let at = 96 + seed.index(image.len() - 96);
        let end = (at + bytes.len()).min(image.len());
        image[at..end].copy_from_slice(&bytes[..end - at]);
        use_all_of(&image);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        use_all_of(&bytes);
    }
}
