//! When the event points of one operation happened: first write wins, order kept, nothing allocated in steady state.

use crate::event::{Event, FIRST_USER_EVENT};
use crate::level::StatsLevel;

/// Stamps in the order they came, one word each: ticks since the start above, the event's index below.
///
/// 56 bits of ticks are 320 days at 2.6 GHz; an operation that is older keeps its first 320 days of stamps.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    seen: u64,
    stamps: Vec<u64>,
}

impl Timeline {
    #[inline(always)]
    pub(crate) fn stamp(&mut self, event: Event, since_start: u64) {
        if !self.has(event) {
            self.stamp_first(event, since_start);
        }
    }

    /// For those who asked whether it [`has`](Self::has) the event.
    #[inline(always)]
    pub(crate) fn stamp_first(&mut self, event: Event, since_start: u64) {
        self.seen |= event.bit();
        self.stamps
            .push(since_start << 8 | u64::from(event.index()));
    }

    /// Adds what was stamped elsewhere: of two stamps of an event the earlier one stands.
    pub(crate) fn merge(&mut self, others: impl Iterator<Item = (Event, u64)>) {
        for (event, since_start) in others {
            match self.at(event) {
                Some(at) if at <= since_start => continue,
                Some(_) => self.stamps.retain(|stamp| *stamp as u8 != event.index()),
                None => self.seen |= event.bit(),
            }
            self.stamps
                .push(since_start << 8 | u64::from(event.index()));
        }
        // What coincides stays in the order it was told.
        self.stamps.sort_by_key(|stamp| stamp >> 8);
    }

    #[inline(always)]
    pub(crate) fn has(&self, event: Event) -> bool {
        self.seen & event.bit() != 0
    }

    /// Ticks since the start at which `event` happened.
    pub(crate) fn at(&self, event: Event) -> Option<u64> {
        if !self.has(event) {
            return None;
        }
        // From the end: stages end late.
        self.stamps
            .iter()
            .rev()
            .find(|stamp| **stamp as u8 == event.index())
            .map(|stamp| stamp >> 8)
    }

    /// Those that are events of the span, by their indices, with their ticks since the start, oldest first: at Detailed all, at
    /// Base the service's own. What their levels do not allow was never stamped.
    #[inline(always)]
    pub(crate) fn shown(&self, level: StatsLevel) -> impl Iterator<Item = (u8, u64)> + '_ {
        let first = match level {
            StatsLevel::Detailed => 0,
            _ => FIRST_USER_EVENT,
        };
        // Most of Base have none.
        let none = self.seen >> first == 0;
        let stamps = if none { &[][..] } else { &self.stamps[..] };
        stamps
            .iter()
            .map(|stamp| (*stamp as u8, stamp >> 8))
            .filter(move |(index, _)| *index >= first)
    }

    pub(crate) fn clear(&mut self) {
        self.seen = 0;
        self.stamps.clear();
    }

    pub(crate) fn capacity_bytes(&self) -> usize {
        self.stamps.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stamp_of_an_event_wins() {
        let mut timeline = Timeline::default();
        timeline.stamp(Event::WRITE_START, 5);
        timeline.stamp(Event::WRITE_START, 9);
        timeline.stamp(Event::WRITE_FINISH, 11);
        assert_eq!(timeline.at(Event::WRITE_START), Some(5));
        assert_eq!(
            timeline
                .shown(StatsLevel::Detailed)
                .map(|(_, at)| at)
                .collect::<Vec<_>>(),
            [5, 11]
        );
        assert_eq!(timeline.at(Event::READ_START), None);
    }
}
