//! Images as mounted layers: the base, and extensions that kept the promise of their listing.

use std::fs::File;
use std::path::Path;

use spec::Grant;
use spec::defence::{self, Threat};
use squash::Promise;

use crate::cannot::Cannot;
use crate::content::Expected;
use crate::image::ImageError;
use crate::mounts::Detached;
use crate::sealed::{self, Image};

/// A mounted layer. It holds the very file that was hashed, and no path led from the one to the other.
#[derive(Debug)]
pub struct Layer {
    _image: Image,
    mount: Detached,
}

impl Layer {
    /// Mounts the image of the base, whose content is the base's own business.
    pub(crate) fn base(image: Image) -> Result<Layer, Cannot> {
        Ok(Layer { mount: Detached::squashfs(&image)?, _image: image })
    }

    /// Seals the image of an extension, holds it against what was signed, and mounts it.
    pub(crate) fn extension(
        source: &File,
        expected: &Expected,
        promise: Promise<'_>,
        grants: &[Grant],
    ) -> Result<Layer, ImageError> {
        let image = sealed::seal(source, expected)?;
        if defence::stands(Threat::C8) {
            grants::of_image(&promise.check(image.file())?).check(grants)?;
        }
        Ok(Layer { mount: Detached::squashfs(&image)?, _image: image })
    }

    /// Makes the layer appear at a directory.
    pub(crate) fn attach(&self, at: &Path) -> Result<(), Cannot> {
        self.mount.attach(at)
    }
}
