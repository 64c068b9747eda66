//! What budgets compare with their limits: numbers of one session or of one run, kept for as long as a budget reads them, whatever
//! becomes of the session in its ledger.

use super::seen::Seen;
use super::totals::Totals;
use std::sync::atomic::{AtomicU64, Ordering};

/// What has been used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) picodollars: u64,
    pub(super) inference_calls: u64,
    pub(super) tool_calls: u64,
}

impl Used {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            input: self.input.saturating_sub(before.input),
            output: self.output.saturating_sub(before.output),
            picodollars: self.picodollars.saturating_sub(before.picodollars),
            inference_calls: { self.inference_calls }.saturating_sub(before.inference_calls),
            tool_calls: self.tool_calls.saturating_sub(before.tool_calls),
        }
    }
}

impl From<&Totals> for Used {
    fn from(totals: &Totals) -> Self {
        Self {
            input: totals.input,
            output: totals.output,
            picodollars: totals.picodollars,
            inference_calls: totals.inference_calls,
            tool_calls: totals.tool_calls,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    input: AtomicU64,
    output: AtomicU64,
    picodollars: AtomicU64,
    inference_calls: AtomicU64,
    tool_calls: AtomicU64,
}

impl Tally {
    pub(super) fn new(used: Used) -> Self {
        Self {
            input: used.input.into(),
            output: used.output.into(),
            picodollars: used.picodollars.into(),
            inference_calls: used.inference_calls.into(),
            tool_calls: used.tool_calls.into(),
        }
    }

    /// What is done within a run ends on any thread, so that two may add at once.
    pub(super) fn add(&self, seen: &Seen<'_>) {
        let mut one = Totals::default();
        one.add(seen);
        let one = Used::from(&one);
        for (to, by) in [
            (&self.input, one.input),
            (&self.output, one.output),
            (&self.picodollars, one.picodollars),
            (&self.inference_calls, one.inference_calls),
            (&self.tool_calls, one.tool_calls),
        ] {
            if by > 0 {
                let add = |before: u64| Some(before.saturating_add(by));
                // It is never refused.
                _ = to.fetch_update(Ordering::Release, Ordering::Relaxed, add);
            }
        }
    }

    pub(super) fn used(&self) -> Used {
        let read = |of: &AtomicU64| of.load(Ordering::Acquire);
        Used {
            input: read(&self.input),
            output: read(&self.output),
            picodollars: read(&self.picodollars),
            inference_calls: read(&self.inference_calls),
            tool_calls: read(&self.tool_calls),
        }
    }
}

/// The note that a budget leaves in a run's session: whatever ends within the run is added to it.
#[derive(Debug)]
pub(super) struct OfRun {
    /// Of several ledgers only its own adds.
    pub(super) ledger: LedgerId,
    pub(super) tally: Tally,
}

/// Which ledger of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LedgerId(u64);

impl LedgerId {
    pub(super) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}
