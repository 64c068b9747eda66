//! Exemplars: for each bucket of a histogram one operation that counted in it, to be looked up by its trace.
//!
//! They are taken in the background, from the records that were just handed to exporters and subscribers: an exemplar
//! never names a trace that the head or late keep left out, and the caller's thread does nothing for it. What becomes of a
//! record after that (a collector that refuses it) is not known here. Where nobody takes records there are none.

use super::live::Live;
use crate::clock::Anchor;
use crate::fork::PerProcess;
use crate::sync::lock_std;
use std::collections::HashMap;
use std::sync::Mutex;

#[derive(Debug, Default)]
pub(crate) struct Exemplars(PerProcess<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    /// By series: the cells of few buckets, each with the latest. Bounded by the series there are and their buckets.
    series: HashMap<u32, Vec<(u16, Stored)>>,
    /// Batches so far, by which a reader knows what it has seen.
    round: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) value: f64,
    pub(crate) unix_nanos: u64,
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    round: u64,
}

impl Exemplars {
    /// From records that went out.
    pub(crate) fn take(&self, records: &[Box<Live>], anchor: &Anchor) {
        let mut taken = lock_std(&self.0);
        taken.round += 1;
        let round = taken.round;
        for live in records {
            let (kind, unix_nanos) = (live.kind, anchor.unix_nanos(live.end));
            let buckets = taken.series.entry(live.series).or_default();
            kind.each_value(live, |cell, value| {
                let stored = Stored {
                    value,
                    unix_nanos,
                    trace_id: live.trace_id,
                    span_id: live.span_id,
                    round,
                };
                match buckets
                    .iter_mut()
                    .find(|(known, _)| usize::from(*known) == cell)
                {
                    Some((_, old)) => *old = stored,
                    None => buckets.push((cell as u16, stored)),
                }
            });
        }
    }

    /// Those of a reader that has seen the batches up to `seen`.
    pub(crate) fn read<R>(&self, seen: u64, read: impl FnOnce(View<'_>) -> R) -> R {
        read(View {
            taken: &lock_std(&self.0),
            seen,
        })
    }
}

#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    taken: &'a Taken,
    seen: u64,
}

impl View<'_> {
    /// Of one series, those whose cell is in the range, by bucket.
    pub(crate) fn of(&self, series: u32, cells: std::ops::Range<usize>) -> Vec<Stored> {
        let Some(buckets) = self.taken.series.get(&series) else {
            return Vec::new();
        };
        let fits = |(cell, stored): &&(u16, Stored)| {
            cells.contains(&usize::from(*cell)) && stored.round > self.seen
        };
        let mut found: Vec<_> = buckets.iter().filter(fits).collect();
        found.sort_unstable_by_key(|(cell, _)| *cell);
        found.into_iter().map(|(_, stored)| *stored).collect()
    }

    pub(crate) fn round(&self) -> u64 {
        self.taken.round
    }
}
