//! Lines for the person at the console, and for `dmesg` afterwards.

use std::fs::File;
use std::io::Write;

/// The console and the kernel's log. A line that cannot be written is lost: booting goes on without it.
#[derive(Debug)]
pub(crate) struct Log {
    console: Option<File>,
    kernel: Option<File>,
}

impl Log {
    /// Opens both; needs `/dev`.
    pub(crate) fn open() -> Log {
        let open = |path| File::options().write(true).open(path).ok();
        Log { console: open("/dev/console"), kernel: open("/dev/kmsg") }
    }

    /// A log that nobody reads.
    pub(crate) fn none() -> Log {
        Log { console: None, kernel: None }
    }

    /// Says one thing.
    pub(crate) fn say(&self, line: &str) {
        if let Some(mut console) = self.console.as_ref() {
            // A serial console in raw mode needs the carriage return.
            let _ = console.write_all(format!("tenon: {line}\r\n").as_bytes());
        }
        if let Some(mut kernel) = self.kernel.as_ref() {
            // <7> is KERN_DEBUG (linux/kern_levels.h): recorded, and not shown on the console a second time.
            let _ = kernel.write_all(format!("<7>tenon: {line}\n").as_bytes());
        }
    }

    /// Says an error, its causes one a line, and what to do about it.
    pub(crate) fn complain(&self, error: &dyn spec::Diagnose) {
        self.say(&format!("error: {error}"));
        for cause in spec::causes(error) {
            self.say(&format!("  caused by: {cause}"));
        }
        if let Some(hint) = error.hint() {
            self.say(&format!("hint: {hint}"));
        }
    }
}
