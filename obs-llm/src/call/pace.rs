//! When chunks came.

use super::super::llm::Shared;
use crate::descriptor::{CHUNK_GAP, FIRST_CHUNK};
use crate::slow::Slow;
use obs_core::{Active, Event, Kind, Labels, Milestone, Moment, Operation, Passages};
use std::time::Duration;

/// Two readings of the clock and what came of all: whatever the length of an answer, its times are these.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    first: Option<Moment>,
    last: Option<Moment>,
    /// The longest gap, in ticks.
    longest: u64,
    /// No answer has as many as would not fit.
    chunks: u64,
    slow: u32,
    gaps: Passages,
}

impl Pace {
    /// Chunks whose times say nothing: those of an answer in one piece.
    pub(crate) fn count(&mut self, count: u32) {
        self.chunks = self.chunks.wrapping_add(count.into());
    }

    pub(crate) fn counted(&self) -> u64 {
        self.chunks
    }

    pub(crate) fn first(&self) -> Option<Moment> {
        self.first
    }

    /// From the first to the last.
    pub(crate) fn spread(&self) -> Option<(Moment, Moment)> {
        Some((self.first?, self.last?))
    }

    /// The longest gap in ticks, if there was one.
    pub(crate) fn longest(&self) -> Option<u64> {
        (self.first.is_some() && self.chunks > 1).then_some(self.longest)
    }

    /// How many gaps were slow.
    pub(crate) fn slow(&self) -> u32 {
        self.slow
    }

    /// A chunk after others: this is what a stream does most of the time. Nothing is done where there was none before, or where
    /// the call is over.
    #[inline(always)]
    pub(crate) fn further(
        &mut self,
        operation: &mut Operation,
        of: (&'static Shared, &'static Kind),
    ) -> bool {
        let Some(last) = self.last else {
            return false;
        };
        let (shared, kind) = of;
        let now = kind.now();
        self.last = Some(now);
        self.chunks = self.chunks.wrapping_add(1);
        let took = now.ticks_since(last);
        if took > self.longest {
            self.note_longest(took);
        }
        if took >= shared.slow_chunk_gap {
            self.slow_gap(operation, shared, took);
        }
        let labels = || labels(operation);
        kind.gather_stage(labels, CHUNK_GAP, (last, now), &mut self.gaps);
        true
    }

    /// So many chunks with content, at once.
    #[inline(never)]
    pub(crate) fn chunks(
        &mut self,
        operation: &mut Operation,
        of: (&'static Shared, &'static Kind),
        count: u32,
    ) {
        let mut at_once = count;
        if count > 0 && self.further(operation, of) {
            at_once -= 1;
        } else if let (Some(active), true) = (operation.active(), count > 0) {
            let now = of.1.now();
            self.first = Some(now);
            self.last = Some(now);
            self.chunks = self.chunks.wrapping_add(1);
            first_chunk(active, of, now);
            at_once -= 1;
        }
        let Some(now) = self.last else {
            return;
        };
        self.chunks = self.chunks.wrapping_add(at_once.into());
        for _ in 0..at_once {
            let labels = || labels(operation);
            of.1.gather_stage(labels, CHUNK_GAP, (now, now), &mut self.gaps);
        }
    }

    /// When the first one came, where nobody saw it come.
    pub(crate) fn first_after(
        &mut self,
        operation: &mut Operation,
        (shared, kind): (&'static Shared, &'static Kind),
        time: Duration,
    ) {
        let Some(active) = operation.active().filter(|_| self.first.is_none()) else {
            return;
        };
        let at = active.started().to_bits().saturating_add(kind.ticks(time));
        // It cannot be later than whoever tells it.
        let at = Moment::from_bits(at.min(kind.now().to_bits()));
        if let Some(at) = at {
            (self.first, self.last) = (Some(at), Some(at));
            first_chunk(active, (shared, kind), at);
        }
    }

    /// Nothing that is told after the end of a call counts.
    pub(crate) fn stop(&mut self) {
        self.last = None;
    }

    /// Longer ones are rare: each is longer than all before.
    #[cold]
    #[inline(never)]
    fn note_longest(&mut self, took: u64) {
        self.longest = took;
    }

    /// Records what is still gathered: at the end, before which nobody else does.
    pub(crate) fn settle(&mut self, labels: Labels, kind: &Kind) {
        kind.record_gathered(labels, CHUNK_GAP, &mut self.gaps);
    }

    #[cold]
    #[inline(never)]
    fn slow_gap(&mut self, operation: &mut Operation, shared: &'static Shared, took: u64) {
        let Some(active) = operation.active() else {
            return;
        };
        self.slow = self.slow.saturating_add(1);
        // A stream that stutters says so once.
        if self.slow == 1 {
            let slow = Slow {
                cause: "chunk_gap",
                took,
                threshold: shared.slow_chunk_gap,
            };
            slow.tell(active, &shared.telemetry, shared.settings.keeps_slow);
        }
    }
}

#[inline(never)]
fn first_chunk(
    mut active: Active<'_>,
    (shared, kind): (&'static Shared, &'static Kind),
    now: Moment,
) {
    active.stamp_at(Event::FIRST_OUTPUT, now);
    let started = active.started();
    kind.record_stage(active.labels(), FIRST_CHUNK, started, now);
    let took = now.ticks_since(started);
    let slow = took >= shared.slow_first_chunk;
    kind.annotate(|| Milestone::FirstOutput { at: now, slow }, &mut active);
    if slow {
        let slow = Slow {
            cause: "first_chunk",
            took,
            threshold: shared.slow_first_chunk,
        };
        slow.tell(active, &shared.telemetry, shared.settings.keeps_slow);
    }
}

/// Those that are known of a call by now.
fn labels(operation: &mut Operation) -> Labels {
    operation
        .active()
        .map_or(Labels::NONE, |active| active.labels())
}
