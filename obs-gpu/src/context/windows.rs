//! What was between two moments, again and again, for whoever asks later.

use obs_core::Moment;
use std::collections::VecDeque;

/// As many seconds as the rings of devices have.
const KEPT: usize = 600;

/// What was from one moment to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window<T> {
    pub(super) from: Moment,
    pub(super) to: Moment,
    pub(super) what: T,
}

/// The last of them, in their order.
#[derive(Debug)]
pub(super) struct Windows<T>(VecDeque<Window<T>>);

impl<T> Default for Windows<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Copy> Windows<T> {
    /// One more. One without a length, or that lies before the last one's end, says nothing: a clock that went back.
    pub(super) fn push(&mut self, from: Moment, to: Moment, what: T) {
        let late = self.0.back().is_none_or(|last| last.to <= from);
        if from >= to || !late {
            return;
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Window { from, to, what });
    }

    /// Those that tell of a time, the newest first.
    pub(super) fn within(&self, from: Moment, to: Moment) -> impl Iterator<Item = &Window<T>> {
        let newest = self.0.iter().rev().skip_while(move |one| one.from >= to);
        let meets = newest.take_while(move |one| one.to > from);
        meets.filter(move |one| tells_of((one.from, one.to), (from, to)))
    }

    /// Those that were over before a time began, the newest first, back to `since`.
    pub(super) fn before(&self, from: Moment, since: Moment) -> impl Iterator<Item = &Window<T>> {
        let over = self.0.iter().rev().skip_while(move |one| one.to > from);
        over.take_while(move |one| one.from >= since)
    }
}

/// Whether what was from one moment to another tells of a wait: half of it at least lies in the wait, or half of the wait in it and
/// that is a quarter of it. What was mostly before a call says nothing of the call, and is absent.
pub(crate) fn tells_of(window: (Moment, Moment), wait: (Moment, Moment)) -> bool {
    let common = window.1.min(wait.1).ticks_since(window.0.max(wait.0));
    let (length, wait) = (window.1.ticks_since(window.0), wait.1.ticks_since(wait.0));
    common > 0 && common >= length.min(wait).div_ceil(2) && common >= length.div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tick: u64) -> Moment {
        Moment::from_bits(tick).expect("not zero")
    }

    fn windows() -> Windows<u64> {
        let mut windows = Windows::default();
        (1..5).for_each(|n| windows.push(at(n * 10), at((n + 1) * 10), n));
        windows
    }

    #[track_caller]
    fn within(from: u64, to: u64, expect: &[u64]) {
        let windows = windows();
        let found: Vec<u64> = { windows.within(at(from), at(to)) }
            .map(|one| one.what)
            .collect();
        assert_eq!(found, expect, "{from} to {to}");
    }

    #[test]
    fn what_lies_mostly_before_or_after_says_nothing() {
        within(20, 40, &[3, 2]);
        within(15, 45, &[4, 3, 2, 1]);
        within(16, 44, &[3, 2]);
        // Shorter than a window, and in it.
        within(23, 26, &[2]);
        within(24, 26, &[]);
        // In two of them, equally.
        within(17, 23, &[2, 1]);
        within(17, 20, &[1]);
        within(1, 10, &[]);
        within(50, 60, &[]);
        // The other way round.
        within(40, 20, &[]);
        within(25, 25, &[]);
    }

    #[test]
    fn what_was_before_is_over() {
        let windows = windows();
        let before = |from, since| -> Vec<u64> {
            let before = windows.before(at(from), at(since));
            before.map(|one| one.what).collect()
        };
        assert_eq!(before(40, 10), [3, 2, 1]);
        assert_eq!(before(39, 20), [2]);
        assert_eq!(before(10, 1), [0; 0]);
    }

    #[test]
    fn time_does_not_go_back_and_is_bounded() {
        let mut windows = windows();
        windows.push(at(40), at(60), 7);
        windows.push(at(50), at(50), 8);
        windows.push(at(60), at(55), 9);
        assert_eq!(windows.0.len(), 4);
        (0..2_000).for_each(|n| windows.push(at(100 + n), at(101 + n), n));
        assert_eq!((windows.0.len(), windows.0[0].what), (KEPT, 1_400));
    }
}
