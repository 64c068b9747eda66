//! The bound on what waits for undecided roots, over all families of a telemetry.

use super::Engine;
use super::live::{Live, TraceFamily};
use crate::fork::PerProcess;
use crate::sync::lock_std;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Weak};

#[derive(Debug)]
pub(crate) struct Parked {
    bytes: AtomicI64,
    cap: usize,
    families: PerProcess<Mutex<Families>>,
}

#[derive(Debug, Default)]
struct Families {
    list: Vec<Weak<TraceFamily>>,
    /// The list is cleaned of dead ones when it has grown to this.
    clean_at: usize,
}

impl Parked {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            bytes: AtomicI64::new(0),
            cap,
            families: PerProcess::default(),
        }
    }

    /// Lists a family for its whole life: it is pooled with its root's record, so this is rare.
    pub(crate) fn list(&self, family: &Arc<TraceFamily>) {
        let mut families = lock_std(&self.families);
        if families.list.len() >= families.clean_at {
            families.list.retain(|family| family.strong_count() > 0);
            families.clean_at = (families.list.len() * 2).max(64);
        }
        families.list.push(Arc::downgrade(family));
    }

    /// Says whether the cap is passed.
    pub(crate) fn add(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes as i64, Ordering::Relaxed) + bytes as i64 > self.cap as i64
    }

    pub(crate) fn sub(&self, bytes: usize) {
        if bytes > 0 {
            self.bytes.fetch_sub(bytes as i64, Ordering::Relaxed);
        }
    }

    /// In a forked child nothing waits.
    pub(crate) fn begin_anew(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed).max(0) as usize
    }

    /// Children that wait, over all families.
    pub(crate) fn waiting(&self) -> u64 {
        self.live()
            .iter()
            .map(|family| family.waiting() as u64)
            .sum()
    }

    /// Those that still have a root. The others are struck off: a weak reference holds their memory.
    fn live(&self) -> Vec<Arc<TraceFamily>> {
        let mut families = lock_std(&self.families);
        families.list.retain(|family| family.strong_count() > 0);
        families.list.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Engine {
    /// Over the cap: the oldest undecided roots lose their waiting children until an eighth of the room is free, so
    /// that this is done once in a while and not for each child.
    #[cold]
    pub(crate) fn shed_oldest(&self, freed: &mut Vec<Box<Live>>) {
        let mut families: Vec<_> = self
            .parked
            .live()
            .into_iter()
            .map(|family| (family.state(), family))
            .filter(|(s, _)| s.1 > 0)
            .collect();
        families.sort_by_key(|((start, _), _)| *start);
        for (_, family) in families {
            if self.parked.bytes() <= self.parked.cap / 8 * 7 {
                break;
            }
            self.shed(&family, freed);
        }
    }

    /// Roots open for longer than the patience hold nobody back: what waits for them was decided by its own outcome
    /// when it ended (an error would have kept the trace), so it goes.
    pub(crate) fn shed_overdue(&self, freed: &mut Vec<Box<Live>>) {
        let patience = self.ticks(self.config.patience);
        let now = self.clock.ticks();
        for family in self.parked.live() {
            let (start, bytes) = family.state();
            if bytes > 0 && now.saturating_sub(start) > patience {
                self.shed(&family, freed);
            }
        }
    }

    /// The last collection is over: what still waits for a root waits in vain.
    pub(crate) fn shed_all(&self) {
        let mut freed = Vec::new();
        for family in self.parked.live() {
            self.shed(&family, &mut freed);
        }
    }

    fn shed(&self, family: &TraceFamily, freed: &mut Vec<Box<Live>>) {
        let before = freed.len();
        self.parked.sub(family.shed(freed));
        self.counts
            .keep_truncated
            .add((freed.len() - before) as u64);
    }
}
