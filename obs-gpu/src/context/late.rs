//! Calls whose first output came late, until they end.
//!
//! Why it did is told at once, by what has been read by then, which lacks the last moments: devices are read four times a second, the
//! host and links once. When the call ends that has been read, too, and then it is told again if that speaks more clearly.

use crate::lock::lock;
use obs_core::Moment;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many are remembered; of more the oldest ones keep what they were told first.
const MOST: usize = 256;

/// By when each started and when its first output was there, with how strong the cause was that it was told: two that share both to
/// the tick are told the same.
#[derive(Debug, Default)]
pub(super) struct Late {
    many: AtomicUsize,
    calls: Mutex<VecDeque<(Times, f64)>>,
}

type Times = (Moment, Moment);

impl Late {
    pub(super) fn note(&self, times: Times, strength: f64) {
        let mut calls = lock(&self.calls);
        if calls.len() == MOST {
            calls.pop_front();
        }
        calls.push_back((times, strength));
        self.many.store(calls.len(), Ordering::Relaxed);
    }

    /// What it was told, if it is one of them; from now on it is none. Where there are none no lock is taken.
    pub(super) fn take(&self, times: Times) -> Option<f64> {
        if self.many.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut calls = lock(&self.calls);
        let found = calls.iter().position(|(one, _)| *one == times);
        let found = found.and_then(|place| calls.remove(place));
        self.many.store(calls.len(), Ordering::Relaxed);
        found.map(|(_, strength)| strength)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_again_once() {
        let times = |n: u64| {
            (
                Moment::from_bits(n).unwrap(),
                Moment::from_bits(n + 5).unwrap(),
            )
        };
        let late = Late::default();
        assert_eq!(late.take(times(1)), None);
        late.note(times(1), 0.5);
        late.note(times(2), 0.0);
        assert_eq!(late.take((times(1).0, times(2).1)), None);
        assert_eq!(late.take(times(1)), Some(0.5));
        assert_eq!(
            (late.take(times(1)), late.take(times(2))),
            (None, Some(0.0))
        );
        assert_eq!(late.many.load(Ordering::Relaxed), 0);
        (1..=MOST as u64 + 3).for_each(|n| late.note(times(n), 1.0));
        assert_eq!(
            (late.take(times(3)), late.take(times(4))),
            (None, Some(1.0))
        );
        assert_eq!(lock(&late.calls).len(), MOST - 1);
    }
}
