//! Work on several threads whose results come out in the order in which the work went in.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// The consumer has stopped, so nothing more is wanted.
#[derive(Debug)]
pub(crate) struct Stopped;

/// Takes the items of the producer.
pub(crate) struct Queue<T, R> {
    jobs: SyncSender<(T, SyncSender<R>)>,
    order: SyncSender<Receiver<R>>,
}

impl<T, R> Queue<T, R> {
    /// Waits while [`WAITING`] items a thread are on their way already.
    pub(crate) fn push(&self, item: T) -> Result<(), Stopped> {
        let (result, place) = sync_channel(1);
        self.order.send(place).map_err(|_| Stopped)?;
        self.jobs.send((item, result)).map_err(|_| Stopped)
    }
}

/// Items for each thread that wait for it, or whose results wait for earlier ones: enough that no thread is idle while
/// one block takes longer than the others.
const WAITING: usize = 3;

/// Runs `produce` on a thread of its own, each of the workers on one more, and `consume` here.
///
/// Memory is bounded by [`WAITING`] items and results a thread. The first error of `consume` ends everything and is
/// the one that is returned; an error of `produce` comes after what it had produced before is consumed. There must be a
/// worker.
pub(crate) fn ordered<T: Send, R: Send, P: Send, E: Send>(
    workers: Vec<impl FnMut(T) -> R + Send>,
    produce: impl FnOnce(&Queue<T, R>) -> Result<P, E> + Send,
    mut consume: impl FnMut(R) -> Result<(), E>,
) -> Result<P, E> {
    let waiting = WAITING * workers.len();
    let (jobs, taken) = sync_channel::<(T, SyncSender<R>)>(waiting);
    let (order, places) = sync_channel(waiting);
    let taken = Mutex::new(taken);
    // A poisoned lock means that another worker panicked, which the scope passes on.
    let next = || taken.lock().ok().and_then(|taken| taken.recv().ok());
    thread::scope(|scope| {
        let producer = scope.spawn(move || produce(&Queue { jobs, order }));
        for mut work in workers {
            scope.spawn(move || {
                while let Some((item, result)) = next() {
                    // Nobody may be waiting any more.
                    let _ = result.send(work(item));
                }
            });
        }
        let consumed = places.iter().map_while(|place| place.recv().ok()).try_for_each(&mut consume);
        // Whoever still wants to send learns that nobody listens.
        drop(places);
        let produced = producer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        consumed.and(produced)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(threads: usize, stop_at: Option<u32>) -> (Result<(), String>, Vec<u32>) {
        let mut seen = Vec::new();
        // The first items take the longest.
        let work = |item: u32| {
            thread::sleep(std::time::Duration::from_micros(u64::from(200 / (item + 1))));
            item
        };
        let result = ordered(
            vec![work; threads],
            |queue| {
                for item in 0..1000u32 {
                    if queue.push(item).is_err() {
                        return Ok(());
                    }
                }
                Err("the source ended".to_owned())
            },
            |item| {
                seen.push(item);
                if Some(item) == stop_at { Err("the sink is full".to_owned()) } else { Ok(()) }
            },
        );
        (result, seen)
    }

    #[test]
    fn results_come_in_order_and_then_the_error_of_the_producer() {
        for threads in [1, 2, 7] {
            let (result, seen) = run(threads, None);
            assert_eq!(result, Err("the source ended".to_owned()));
            assert_eq!(seen, (0..1000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_error_of_the_consumer_ends_everything() {
        let (result, seen) = run(2, Some(10));
        assert_eq!((result, seen.len()), (Err("the sink is full".to_owned()), 11));
    }
}
