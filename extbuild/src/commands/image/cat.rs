//! `extbuild image cat`

use std::io::{self, ErrorKind};

use squash::Image;
use squash::image::{Limits, StreamError};
use terminal::{Failure, Place};

use super::NoImage;
use crate::cli::ImageCatArgs;

pub(crate) fn run(args: ImageCatArgs) -> Result<(), Failure> {
    let ImageCatArgs { image: place, path } = args;
    let file = super::open(&place)?;
    // One file is read, however much the others have.
    let limits = Limits { content: u64::MAX, ..Limits::default() };
    let image = Image::open(&file, &limits).map_err(NoImage::of(&place))?;
    let mut reader = image.reader().map_err(Place::cannot("read", &place))?;
    match reader.stream(&path, &mut io::stdout().lock()) {
        // A reader that has gone away (`| head`) is no error.
        Err(StreamError::Write { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}
