//! How often the same tool is called with the same arguments.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Calls that are told apart. Beyond that one that came once makes room, or the one that came fewest.
const MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Repeats {
    calls: Mutex<Calls>,
    /// The most that one came, beside the lock: whoever asks waits for nobody.
    most: AtomicU32,
}

/// By their hashes, in the order in which they came last.
#[derive(Debug, Default)]
struct Calls(Vec<(u64, u32)>);

impl Repeats {
    pub(super) fn add(&self, hash: u64) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        self.most.fetch_max(calls.add(hash), Ordering::Release);
    }

    pub(super) fn most(&self) -> u32 {
        self.most.load(Ordering::Acquire)
    }
}

impl Calls {
    /// How often it came by now.
    fn add(&mut self, hash: u64) -> u32 {
        let count = match self.0.iter().position(|(known, _)| *known == hash) {
            Some(place) => self.0.remove(place).1.saturating_add(1),
            None => {
                self.make_room();
                1
            }
        };
        self.0.push((hash, count));
        count
    }

    /// What is forgotten counts from one again: too few are told, never too many.
    fn make_room(&mut self) {
        if self.0.len() < MOST {
            return;
        }
        let counts = self.0.iter().enumerate();
        if let Some((place, _)) = counts.min_by_key(|(_, (_, count))| *count) {
            self.0.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_counted_wherever_it_comes_again() {
        let repeats = Repeats::default();
        assert_eq!(repeats.most(), 0);
        for hash in [1, 2, 1, 2, 1] {
            repeats.add(hash);
        }
        assert_eq!(repeats.most(), 3);
    }

    #[test]
    fn what_came_often_is_not_forgotten_for_what_came_once() {
        let repeats = Repeats::default();
        for _ in 0..2 {
            repeats.add(u64::MAX);
        }
        for hash in 0..10_000 {
            repeats.add(hash);
        }
        assert_eq!(
            (repeats.most(), repeats.calls.lock().unwrap().0.len()),
            (2, MOST)
        );
        repeats.add(u64::MAX);
        assert_eq!(repeats.most(), 3);
        // One that was forgotten is a new one.
        repeats.add(0);
        assert_eq!(repeats.most(), 3);
    }
}
