//! Trying again: what passes by itself is waited for, a bounded number of times and for a bounded time.

use std::time::{Duration, Instant};

use super::RegistryError;
use super::access::Patience;
use super::session::{Result, Session};

/// So many new bytes earn a transfer all its tries anew. Their number is bounded by the size of the blob.
const EARNED: u64 = 16 << 20;

/// The tries of one thing.
#[derive(Debug)]
pub(super) struct Tries {
    patience: Patience,
    failed: u32,
    since: Instant,
    /// The furthest point that a transfer had reached when its tries were last counted anew, in bytes.
    furthest: u64,
}

impl Session<'_> {
    /// Does `work`, which must be safe to repeat, until it succeeds or fails for good.
    pub(super) async fn retrying<T>(&self, work: impl AsyncFn() -> Result<T>) -> Result<T> {
        let mut tries = Tries::new(self.access.patience);
        loop {
            match work().await {
                Ok(done) => return Ok(done),
                Err(error) => tries.wait_after(error).await?,
            }
        }
    }
}

impl Tries {
    pub(super) fn new(patience: Patience) -> Tries {
        Tries { patience, failed: 0, since: Instant::now(), furthest: 0 }
    }

    /// The transfer is at byte `at`, for certain.
    pub(super) fn reached(&mut self, at: u64) {
        if at >= self.furthest.saturating_add(EARNED) {
            *self = Tries { furthest: at, ..Tries::new(self.patience) };
        }
    }

    /// Waits until the next try is due; gives the error back where there is none.
    pub(super) async fn wait_after(&mut self, error: RegistryError) -> Result<()> {
        let pause = error.passes().and_then(|asked| self.pause(asked, self.since.elapsed()));
        match pause {
            Some(pause) => {
                tokio::time::sleep(pause).await;
                Ok(())
            }
            None => Err(error),
        }
    }

    /// How long to wait when the registry asks for `asked`, `elapsed` after the first try.
    fn pause(&mut self, asked: Duration, elapsed: Duration) -> Option<Duration> {
        let Patience { tries, first_wait, longest_wait, total, .. } = self.patience;
        self.failed = self.failed.saturating_add(1);
        let doubled = first_wait.saturating_mul(1 << (self.failed - 1).min(16));
        let pause = doubled.min(longest_wait).max(asked);
        let worth_it = self.failed < tries && asked <= longest_wait && elapsed.saturating_add(pause) <= total;
        worth_it.then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn tries() -> Tries {
        Tries::new(Patience {
            tries: 4,
            first_wait: SECOND,
            longest_wait: 3 * SECOND,
            stall: SECOND,
            total: 10 * SECOND,
        })
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let mut tries = tries();
        let mut pause = || tries.pause(Duration::ZERO, Duration::ZERO);
        assert_eq!([pause(), pause(), pause()], [1, 2, 3].map(|n| Some(n * SECOND)));
        assert_eq!(pause(), None);
    }

    #[test]
    fn a_registry_may_ask_for_more_and_not_for_any_time() {
        assert_eq!(tries().pause(2 * SECOND, Duration::ZERO), Some(2 * SECOND));
        assert_eq!(tries().pause(4 * SECOND, Duration::ZERO), None);
        assert_eq!(tries().pause(Duration::MAX, Duration::ZERO), None);
        assert_eq!(tries().pause(SECOND, 9 * SECOND), Some(SECOND));
        assert_eq!(tries().pause(2 * SECOND, 9 * SECOND), None);
        assert_eq!(tries().pause(SECOND, Duration::MAX), None);
    }

    #[test]
    fn only_what_is_new_earns_more_tries() {
        let mut tries = tries();
        let mut left = |at| {
            tries.reached(at);
            (0..9).take_while(|_| tries.pause(Duration::ZERO, Duration::ZERO).is_some()).count()
        };
        assert_eq!(left(EARNED - 1), 3);
        assert_eq!(left(EARNED), 3);
        // The same place again, or one a little further, is no progress.
        assert_eq!(left(EARNED), 0);
        assert_eq!(left(2 * EARNED - 1), 0);
        assert_eq!(left(2 * EARNED), 3);
    }
}
