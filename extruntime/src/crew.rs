//! The same work for each of several things, on all processors.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` for each item; the results are in the order of the items.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        while let Some((index, item)) = claim(&next, items) {
            done.push((index, work(item)));
        }
        done
    };
    let hands = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(items.len());
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        // Whoever asked works too, so that one item needs no thread.
        let others: Vec<_> = (1..hands).map(|_| scope.spawn(take)).collect();
        let mine = take();
        let theirs = others
            .into_iter()
            .flat_map(|hand| hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        mine.into_iter().chain(theirs).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

fn claim<'t, T>(next: &AtomicUsize, items: &'t [T]) -> Option<(usize, &'t T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, items.get(index)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_and_in_order() {
        for count in [0, 1, 2, 100] {
            let items: Vec<usize> = (0..count).collect();
            let expected: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(each(&items, |item| item * 2), expected);
        }
    }

    #[test]
    #[should_panic(expected = "the seventh")]
    fn a_panic_is_not_lost() {
        let items: Vec<usize> = (0..100).collect();
        each(&items, |item| assert!(*item != 7, "the seventh"));
    }
}
