//! Reading the files that a person names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Opens a regular file for reading.
///
/// A pipe that nobody writes to would hang the program and a device might never end, so both are refused unopened.
pub fn open_regular(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

/// Reads a regular file, at most `limit` bytes of it.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        for other in ["/", "/dev/zero"] {
            assert_eq!(read_regular(Path::new(other), 10).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(read_regular(Path::new("/proc/version"), 5).unwrap(), b"Linux");
    }
}
