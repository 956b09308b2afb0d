//! The kernel's log, as `/dev/kmsg` gives it: one record a read (Documentation/ABI/testing/dev-kmsg).

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// `PRINTK_MESSAGE_MAX` (kernel/printk/internal.h): no record is longer.
const RECORD_MAX: usize = 2048;

/// What one module is worth hearing: enough for a line about each of its symbols that is missing.
const MESSAGES_MAX: usize = 100;

/// The log, from a point on that moves.
pub(crate) struct KernelLog(File);

impl KernelLog {
    pub(crate) fn open() -> io::Result<KernelLog> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        Ok(KernelLog(File::options().read(true).custom_flags(flags).open("/dev/kmsg")?))
    }

    /// Passes over everything up to now.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        rustix::fs::seek(&self.0, rustix::fs::SeekFrom::End(0))?;
        Ok(())
    }

    /// The messages since the last call of this or of [`KernelLog::forget`], a bounded number of them.
    pub(crate) fn since(&mut self) -> io::Result<Vec<String>> {
        let mut messages = Vec::new();
        let mut record = [0; RECORD_MAX];
        loop {
            match self.0.read(&mut record) {
                Ok(0) => return Ok(messages),
                Ok(length) if messages.len() < MESSAGES_MAX => messages.push(message(&record[..length])),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(messages),
                // Records were overwritten before they were read; the next read gives the oldest that is left.
                Err(error) if error.raw_os_error() == Some(Errno::PIPE.raw_os_error()) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The text of a record: `PRIORITY,NUMBER,TIME,FLAGS;TEXT`, and perhaps more lines about who said it.
fn message(record: &[u8]) -> String {
    let record = String::from_utf8_lossy(record);
    let text = record.split_once(';').map_or(&*record, |(_, text)| text);
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_record_is_its_message_alone() {
        let record = b"4,812,5094711,-;foo: Unknown symbol bar (err -2); that is all\n SUBSYSTEM=module\n";
        assert_eq!(message(record), "foo: Unknown symbol bar (err -2); that is all");
        assert_eq!(message(b""), "");
        assert_eq!(message(b"\xff;\xff"), "\u{fffd}");
    }
}
