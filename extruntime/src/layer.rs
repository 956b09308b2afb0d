//! Images as mounted layers: the base, and extensions that kept the promise of their listing.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use spec::listing::Listing;

use crate::cannot::Cannot;
use crate::content::{ContentError, Expected};
use crate::image::ImageError;
use crate::mounts::Detached;
use crate::sealed::{self, Image};
use crate::walk;

/// Offset and value of `xattr_id_table_start` for an image without extended attributes
/// (fs/squashfs/squashfs_fs.h, `struct squashfs_super_block` and `SQUASHFS_INVALID_BLK`). Without the table the kernel
/// finds no attribute on any inode (fs/squashfs/xattr.c), so no layer can say `trusted.overlay.opaque` or the like.
const XATTR_TABLE: u64 = 56;
const NO_XATTRS: [u8; 8] = [0xff; 8];

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

    /// Seals, checks and mounts the image of an extension, and holds its tree against its listing.
    pub(crate) fn extension(
        source: &File,
        expected: &Expected,
        listing: &Listing,
        base: &Listing,
    ) -> Result<Layer, ImageError> {
        let image = sealed::seal(source, expected)?;
        refuse_xattrs(&image)?;
        let mount = Detached::squashfs(&image)?;
        walk::check(mount.root(), listing, base)?;
        Ok(Layer { _image: image, mount })
    }

    /// Makes the layer appear at a directory.
    pub(crate) fn attach(&self, at: &Path) -> Result<(), Cannot> {
        self.mount.attach(at)
    }
}

fn refuse_xattrs(image: &Image) -> Result<(), ImageError> {
    let mut table = [0; 8];
    image.file().read_exact_at(&mut table, XATTR_TABLE).map_err(ContentError::Read)?;
    match table == NO_XATTRS {
        true => Ok(()),
        false => Err(ImageError::ExtendedAttributes),
    }
}
