//! The needs of an image that is packed.

use std::io::{self, Write};

use squash::Image;
use squash::image::{Entry, Kind, Reader};

use crate::{FILE_MAX, Needs, Thing, Unread, examine};

/// What an image needs, as a machine would read it. Only files that steer are read.
pub fn of_image(image: &Image<'_>) -> Needs {
    let mut needs = Needs::default();
    let mut reader = None;
    for entry in image.entries() {
        // What has no path that could be one is a finding of the image, and nobody uses it.
        let Some(path) = entry.path() else { continue };
        let mut content = || read(image, entry, &mut reader);
        let thing = match entry.kind() {
            Kind::File { .. } => Thing::File { executable: entry.mode() & 0o111 != 0, content: &mut content },
            Kind::Symlink { .. } => Thing::Link,
            Kind::Directory | Kind::Special(_) => Thing::Directory,
        };
        examine(&path, thing, &mut needs);
    }
    needs
}

fn read<'i>(
    image: &'i Image<'i>,
    entry: Entry<'i>,
    reader: &mut Option<Reader<'i>>,
) -> Result<Vec<u8>, Unread> {
    if let Kind::File { size } = entry.kind()
        && size > FILE_MAX
    {
        return Err(Unread::TooLarge);
    }
    let reader = match reader {
        Some(reader) => reader,
        none => {
            none.insert(image.reader().map_err(|error| Unread::Broken(format!("cannot be read: {error}")))?)
        }
    };
    let mut bytes = Bounded(Vec::new());
    match reader.stream_entry(entry, &mut bytes) {
        Ok(_) => Ok(bytes.0),
        Err(error) => Err(Unread::Broken(format!("cannot be read: {}", spec::sentence(&error)))),
    }
}

/// A buffer that takes no more than [`FILE_MAX`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (self.0.len() + bytes.len()) as u64 > FILE_MAX {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
