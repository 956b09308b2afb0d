//! Images as mounted layers: the base, and extensions that kept the promise of their listing.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use spec::TreePath;
use squash::BrokenPromise;
use squash::image::Unreadable;

use crate::admit::Unopened;
use crate::cannot::Cannot;
use crate::clock::Clock;
use crate::content::Expected;
use crate::held::{Held, Means};
use crate::image::{self, ImageError};
use crate::mounts::Detached;

/// A mounted layer. Nothing but the bytes that were judged is mounted, and no path led from the one to the other.
#[derive(Debug)]
pub struct Layer {
    image: Held,
    mount: Detached,
}

impl Layer {
    /// Mounts the image of the base, whose content is the base's own business.
    pub(crate) fn base(source: &File, expected: &Expected, means: &Means) -> Result<Layer, ImageError> {
        match means.hold(source, expected)? {
            // A copy says which image it is, if it is another one.
            held @ Held::Verity(_) => {
                Layer::mounted(held).or_else(|_| Layer::mounted(means.copy(source, expected)?))
            }
            held => Layer::mounted(held),
        }
    }

    /// Holds the image of an extension, compares it with what was signed, and mounts it.
    pub(crate) fn extension(image: &Unopened<'_>, means: &Means, clock: &Clock) -> Result<Layer, ImageError> {
        let Unopened { name, file, expected, promise, grants } = image;
        let held = clock.time(&format!("  hold {name}"), || means.hold(file, expected))?;
        let checked = clock.time(&format!("  check {name}"), || image::check(held.source(), promise, grants));
        match checked {
            Ok(()) => clock.time(&format!("  mount the image of {name}"), || Layer::mounted(held)),
            // Blocks that are not those that were signed cannot be read. A copy says which image it is instead.
            Err(error) if matches!(held, Held::Verity(_)) && is_unreadable(&error) => {
                let held = means.copy(file, expected)?;
                image::check(held.source(), promise, grants)?;
                Layer::mounted(held)
            }
            Err(error) => Err(error),
        }
    }

    fn mounted(image: Held) -> Result<Layer, ImageError> {
        Ok(Layer { mount: image.mount()?, image })
    }

    /// How its bytes are held, for a person, to be said after "is".
    pub(crate) fn held(&self) -> &'static str {
        match self.image {
            Held::Sealed(_) => "whole, and copied into memory",
            Held::Verity(_) => "opened through dm-verity",
        }
    }

    /// Makes the layer appear at a directory.
    pub(crate) fn attach(&self, at: &Path) -> Result<(), Cannot> {
        self.mount.attach(at)
    }

    /// Opens a file of it, by a path without links.
    pub(crate) fn open_file(&self, path: &TreePath) -> Result<File, Cannot> {
        self.mount.open_file(path)
    }

    /// Opens a directory of it.
    pub(crate) fn open(&self, directory: &str) -> Result<OwnedFd, Cannot> {
        self.mount.open(directory)
    }
}

fn is_unreadable(error: &ImageError) -> bool {
    matches!(error, ImageError::Contents(BrokenPromise::Unreadable(Unreadable::Read(_))))
}
