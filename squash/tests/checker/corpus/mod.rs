//! Images that deceive, one for each way to do so, and what is found in them.
//!
//! C1, C4 and so on are the threats of the same names in the threat model.
//!
//! The seeds of the fuzzer are made of this, too.

/// Makes a test of each image, and a list of all.
macro_rules! corpus {
    ($($(#[$doc:meta])* $name:ident: $image:expr => [$($finding:expr),* $(,)?];)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                let expected: &[&str] = &[$($finding),*];
                assert_eq!(crate::findings(&$image.done()), expected);
            }
        )*

        /// All images of this file by name.
        pub(super) fn all() -> Vec<(&'static str, Vec<u8>)> {
            vec![$((stringify!($name), $image.done())),*]
        }
    };
}

pub(crate) mod content;
mod directories;
mod hiding;
mod inodes;
mod layout;
pub(crate) mod names;
mod rights;
pub(crate) mod trailing;

use crate::craft::{BLOCK, Craft, What};

/// Every part of squashfs that is not a finding.
pub(crate) fn base() -> Craft {
    Craft::new(&base_nodes())
}

fn base_nodes() -> Vec<(&'static str, What)> {
    vec![
        ("/aa", What::IndexedDirectory),
        ("/aa/bb", What::File(vec![b'b'; 2 * BLOCK + 100])),
        ("/aa/cc", What::File(b"cccccccccc".to_vec())),
        ("/dd", What::Directory),
        ("/ee", What::Directory),
        ("/ee/ff", What::Directory),
        ("/ee/ff/gg", What::File(vec![b'g'; BLOCK])),
        ("/ll", What::Link(b"aa/bb".to_vec())),
    ]
}

/// The base and one thing more.
fn with(path: &'static str, what: What) -> Craft {
    let mut nodes = base_nodes();
    nodes.push((path, what));
    Craft::new(&nodes)
}

/// The base with attributes.
fn with_attributes() -> Craft {
    Craft::with_attributes(&base_nodes(), &[(1, "overlay.opaque", "y"), (0, "note", "x")])
}

/// The number of nodes in the base, its root included.
pub(crate) const INODES: u32 = 9;

/// All images by name.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let of_subjects = [
        content::all(),
        directories::all(),
        hiding::all(),
        inodes::all(),
        layout::all(),
        names::all(),
        rights::all(),
        trailing::all(),
    ];
    of_subjects.into_iter().flatten().collect()
}
