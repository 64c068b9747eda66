//! When which tier is due.

use super::Shared;
use crate::quantity::Tier;
use obs_core::Moment;
use std::time::Duration;

/// When each tier is due next. What is late is read once and its turns that were missed are counted, not made up for: reading
/// twice at one moment says nothing new.
#[derive(Debug)]
pub(super) struct Schedule {
    next: [Moment; 3],
}

impl Schedule {
    /// All of them now.
    pub(super) fn new(now: Moment) -> Self {
        Self { next: [now; 3] }
    }

    /// What is due, and how many turns of the fast tier were missed.
    pub(super) fn due(&mut self, shared: &Shared, now: Moment) -> ([bool; 3], u64) {
        let mut missed = 0;
        let due = Tier::ALL.map(|tier| {
            let next = &mut self.next[tier as usize];
            if *next > now {
                return false;
            }
            let period = shared.period_ticks(tier);
            let late = now.ticks_since(*next) / period;
            if tier == Tier::Fast {
                missed = late;
            }
            let after = next
                .to_bits()
                .saturating_add(period.saturating_mul(late + 1));
            *next = Moment::from_bits(after).unwrap_or(now);
            true
        });
        (due, missed)
    }

    /// How long nothing is due.
    pub(super) fn rest(&self, shared: &Shared, now: Moment) -> Duration {
        let next = self.next.iter().min().copied().unwrap_or(now);
        shared.telemetry.between(now, next)
    }
}
