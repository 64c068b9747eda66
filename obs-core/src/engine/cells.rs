//! Cells: the numbers of one series in one thread.
//!
//! A cell that one thread owns is written with a plain load and store and read by the fold at any time; a cell that
//! threads share is written with a read-modify-write. Cumulative numbers never go back, so a fold that reads between
//! two stores of one record sees it a moment later.

use crate::sync::{AtomicU64, Ordering};
use std::sync::Arc;

/// The numbers of one series in one shard; cheap to clone for a thread's cache.
///
/// Cells of two threads must not lie on one pair of cache lines (which processors fetch together): shards are handed
/// from thread to thread, so neighbours on the heap are not of one thread. So there is unused room on either side.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    all: Arc<[AtomicU64]>,
    /// Where those that count begin.
    first: usize,
}

/// Cells on a pair of cache lines.
const LINES: usize = 16;

impl Cells {
    pub(crate) fn new(count: usize) -> Self {
        let room = count.next_multiple_of(LINES) + LINES;
        let all: Arc<[AtomicU64]> = (0..room).map(|_| AtomicU64::new(0)).collect();
        // Loom's cells are larger, and it has no cache.
        let first = if cfg!(loom) {
            0
        } else {
            let at = all.as_ptr().addr() / size_of::<AtomicU64>();
            at.next_multiple_of(LINES) - at
        };
        Self { all, first }
    }

    #[inline(always)]
    fn cell(&self, index: usize) -> Option<&AtomicU64> {
        self.all.get(self.first + index)
    }

    /// Adds, wrapping: a gauge that goes up on one thread and down on another is right in the sum of both.
    #[inline(always)]
    pub(crate) fn add(&self, index: usize, by: u64, owned: bool) {
        let Some(cell) = self.cell(index) else {
            return;
        };
        if owned {
            cell.store(
                cell.load(Ordering::Relaxed).wrapping_add(by),
                Ordering::Relaxed,
            );
        } else {
            cell.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Adds to a cell that holds a floating-point number.
    #[inline(always)]
    pub(crate) fn add_f64(&self, index: usize, by: f64, owned: bool) {
        let Some(cell) = self.cell(index) else {
            return;
        };
        let mut old = cell.load(Ordering::Relaxed);
        if owned {
            cell.store((f64::from_bits(old) + by).to_bits(), Ordering::Relaxed);
            return;
        }
        while let Err(now) = cell.compare_exchange_weak(
            old,
            (f64::from_bits(old) + by).to_bits(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            old = now;
        }
    }

    /// Puts a value: for what is set, not added. The last writer wins.
    pub(crate) fn set(&self, index: usize, value: u64) {
        if let Some(cell) = self.cell(index) {
            cell.store(value, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self, index: usize) -> u64 {
        self.cell(index)
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    }
}
