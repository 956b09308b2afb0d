//! Progress of long work, on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A line on stderr that shows how far the work is. Where stderr is no terminal it shows nothing. It is taken away
/// when it is dropped.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Work of `bytes` bytes, named by a verb phrase: "packing wireguard".
    pub fn bytes(what: &str, bytes: u64) -> Progress {
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {eta}")
            .expect("the template is valid")
            .progress_chars("=> ");
        Progress(ProgressBar::new(bytes).with_style(style).with_message(what.to_owned()))
    }

    /// Work of unknown size.
    pub fn steps(what: &str) -> Progress {
        let bar = ProgressBar::new_spinner().with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress(bar)
    }

    /// So much is done, of so much.
    pub fn of(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }

    /// What is being done has changed.
    pub fn now(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
