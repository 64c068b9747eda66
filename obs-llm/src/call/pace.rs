//! When chunks came.

use super::super::llm::Shared;
use crate::descriptor::{CHUNK_GAP, FIRST_CHUNK};
use crate::slow::Slow;
use obs_core::{Active, Event, Kind, Labels, Milestone, Moment, Passages};

/// Two readings of the clock and what came of all: whatever the length of an answer, its times are these.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    first: Option<Moment>,
    last: Option<Moment>,
    /// The longest gap, in ticks.
    longest: u64,
    chunks: u32,
    slow: u32,
    gaps: Passages,
}

impl Pace {
    /// Chunks whose times say nothing: those of an answer in one piece.
    pub(crate) fn count(&mut self, count: u32) {
        self.chunks = self.chunks.saturating_add(count);
    }

    pub(crate) fn counted(&self) -> u32 {
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

    #[inline]
    pub(crate) fn chunks(
        &mut self,
        active: Active<'_>,
        of: (&'static Shared, &'static Kind),
        now: Moment,
        count: u32,
    ) {
        let (_, kind) = of;
        self.chunks = self.chunks.saturating_add(count);
        let mut gaps = count;
        // For those that came at once; of the others they are asked when they are needed.
        let labels = match count {
            1 => Labels::NONE,
            _ => active.labels(),
        };
        match self.last {
            Some(last) => {
                gaps -= 1;
                let all = || active.labels();
                kind.gather_stage(all, CHUNK_GAP, (last, now), &mut self.gaps);
                let took = now.ticks_since(last);
                self.longest = self.longest.max(took);
                if took >= of.0.slow_chunk_gap {
                    self.slow_gap(active, of.0, took);
                }
            }
            None => {
                gaps -= 1;
                self.first = Some(now);
                first_chunk(active, of, now);
            }
        }
        self.last = Some(now);
        for _ in 0..gaps {
            kind.gather_stage(|| labels, CHUNK_GAP, (now, now), &mut self.gaps);
        }
    }

    /// Records what is still gathered: at the end, before which nobody else does.
    pub(crate) fn settle(&mut self, labels: Labels, kind: &Kind) {
        kind.record_gathered(labels, CHUNK_GAP, &mut self.gaps);
    }

    #[cold]
    #[inline(never)]
    fn slow_gap(&mut self, active: Active<'_>, shared: &'static Shared, took: u64) {
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
