//! The checker against images of other people's writers, images made to deceive, and damaged ones.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod corpus;
mod craft;
mod damage;
mod data;
mod limits;
mod reading;
mod seen;
#[path = "../support/mod.rs"]
mod support;
mod writers;

use squash::image::{Image, Limits};

/// Everything that is found in an image, as sentences.
fn findings(image: &[u8]) -> Vec<String> {
    findings_within(image, &Limits::default())
}

fn findings_within(image: &[u8], limits: &Limits) -> Vec<String> {
    match Image::open(&image, limits) {
        Ok(image) => image.findings().iter().map(ToString::to_string).collect(),
        Err(unreadable) => vec![spec::sentence(&unreadable)],
    }
}
