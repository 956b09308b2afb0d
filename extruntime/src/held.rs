//! How the bytes of an image are held, from the verdict until nobody uses them any more.

use std::fs::File;

use squash::image::Source;

use crate::cannot::{Cannot, cannot};
use crate::content::{ContentError, Expected};
use crate::mounts::Detached;
use crate::sealed::{self, Room};
use crate::sys::loopdev::LoopDevice;
use crate::verity::{Verity, VerityImage};

/// What this machine can hold images with.
#[derive(Debug)]
pub(crate) struct Means {
    first: Way,
    verity: Option<Verity>,
    room: Room,
}

/// A way to hold images. Either will do; what differs is when damage shows, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Read all of it, and keep a copy: damage anywhere is a refusal at boot, and the medium may be taken away after.
    Copy,
    /// Read what is asked for: no time and memory for what is not, but a damaged block shows when a file is read.
    Verity,
}

/// An image whose bytes are the expected ones whenever they are read, or cannot be read.
#[derive(Debug)]
pub(crate) enum Held {
    /// All of it was read, and is in memory.
    Sealed(sealed::Image),
    /// It is where it was, and each block is checked when it is read.
    Verity(VerityImage),
}

impl Means {
    /// What there is, and which way is to be tried first.
    pub(crate) fn find(first: Way) -> Means {
        Means { first, verity: Verity::find(), room: Room::default() }
    }

    /// Holds the image: in the other way where the first one does not take it.
    pub(crate) fn hold(&self, source: &File, expected: &Expected) -> Result<Held, ContentError> {
        let verity = || self.open(source, expected).ok_or(());
        match self.first {
            Way::Verity => verity().or_else(|()| self.copy(source, expected)),
            Way::Copy => match self.copy(source, expected) {
                Err(too_large @ ContentError::TooLarge { .. }) => verity().map_err(|()| too_large),
                copied => copied,
            },
        }
    }

    fn open(&self, source: &File, expected: &Expected) -> Option<Held> {
        let (verity, facts) = self.verity.as_ref().zip(expected.verity.as_ref())?;
        // A kernel that does not know the key, or does not care, shows the blocks without a signature too, unless it demands
        // one. That the root hash is right is not what it is asked.
        let signature = expected.signature.as_ref();
        let opened = verity.open(source, facts, signature);
        opened.or_else(|_| verity.open(source, facts, None)).ok().map(Held::Verity)
    }

    /// Holds a copy in memory.
    pub(crate) fn copy(&self, source: &File, expected: &Expected) -> Result<Held, ContentError> {
        self.room.seal(source, expected).map(Held::Sealed)
    }
}

impl Held {
    /// The image, for reading at offsets.
    pub(crate) fn source(&self) -> &dyn Source {
        match self {
            Held::Sealed(image) => image.file(),
            Held::Verity(image) => image,
        }
    }

    /// Mounts its squashfs, which keeps what it needs for as long as it is mounted.
    pub(crate) fn mount(&self) -> Result<Detached, Cannot> {
        match self {
            Held::Verity(image) => Detached::squashfs(image.device()),
            Held::Sealed(image) => {
                let device =
                    LoopDevice::attach(image).map_err(cannot("attach an image to", "a loop device"))?;
                Detached::squashfs(device.path())
            }
        }
    }
}
