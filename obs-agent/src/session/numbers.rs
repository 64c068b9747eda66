//! Numbers of sessions, as metrics.

use super::event::{REASONS, SCOPE};
use super::limits::{LIMITS, Limit};
use super::state::LedgerCounts;
use obs_core::semconv::obs::agent;
use obs_core::{BoundCounter, BoundUpDownCounter, Instrument, Label, Telemetry, Values};

const fn instrument(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    labels: &'static [Label],
) -> Instrument {
    Instrument {
        name,
        unit,
        description,
        labels,
        scope: &SCOPE,
    }
}

static LIVE: Instrument = instrument(
    agent::SESSIONS,
    "{session}",
    "Sessions that a ledger holds.",
    &[],
);
static MEMORY: Instrument = instrument(
    agent::SESSIONS_MEMORY,
    "By",
    "What the sessions of a ledger take of the memory.",
    &[],
);
static ENDED: Instrument = instrument(
    agent::SESSIONS_ENDED,
    "{session}",
    "Sessions that a ledger holds no longer.",
    &[Label {
        key: agent::SESSION_END_REASON,
        values: Values::Closed(REASONS),
    }],
);
static EXCEEDED: Instrument = instrument(
    agent::BUDGETS_EXCEEDED,
    "{budget}",
    "Budgets that were used up.",
    &[Label {
        key: agent::BUDGET_EXCEEDED,
        values: Values::Closed(LIMITS),
    }],
);

/// Those of one ledger. Several ledgers of a telemetry show one, the last that was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    live: BoundUpDownCounter,
    memory: BoundUpDownCounter,
    ended: [BoundCounter; REASONS.len()],
    exceeded: [BoundCounter; LIMITS.len()],
}

impl Numbers {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        let ended = telemetry.absolute_counter(&ENDED);
        let exceeded = telemetry.counter(&EXCEEDED);
        Self {
            live: telemetry.absolute_up_down_counter(&LIVE).bind(&[]),
            memory: telemetry.absolute_up_down_counter(&MEMORY).bind(&[]),
            ended: std::array::from_fn(|index| ended.bind(&[REASONS[index]])),
            exceeded: std::array::from_fn(|index| exceeded.bind(&[LIMITS[index]])),
        }
    }

    pub(super) fn set(&self, counts: &LedgerCounts) {
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.live.set_absolute(whole(counts.live));
        self.memory.set_absolute(whole(counts.bytes));
        let ended = [counts.idle, counts.evicted, counts.closed, counts.shutdown];
        for (bound, count) in self.ended.iter().zip(ended) {
            bound.set_absolute(count);
        }
    }

    pub(super) fn exceeded(&self, limit: Limit) {
        self.exceeded[limit as usize].add(1);
    }
}
