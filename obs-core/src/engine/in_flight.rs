//! Which operations have not ended: what shutdown waits for. Known from the cells of the in-flight gauges, so that starting
//! and ending an operation costs nothing more for it. An operation of a kind without such a gauge is not seen.

use super::Engine;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Between two looks, at first and at most.
const FIRST: Duration = Duration::from_millis(1);
const MOST: Duration = Duration::from_millis(10);

impl Engine {
    /// Operations that have started and not ended.
    pub(crate) fn in_flight(&self) -> u64 {
        let kinds = self.kinds();
        let gauges = kinds.iter().filter_map(|kind| kind.gauge.as_ref());
        let sets: HashSet<u16> = gauges.map(|(set, _)| set.id).collect();
        let shards = self.shards();
        let mut running = 0_u64;
        for (series, set, _) in self.registry.all() {
            if sets.contains(&set) {
                let cells = shards.iter().filter_map(|shard| shard.touched(series));
                // What one thread started and another ended is right in the sum.
                running = cells.fold(running, |sum, cells| sum.wrapping_add(cells.read(0)));
            }
        }
        // Between the two halves of a move from thread to thread it may look like less than none.
        (running as i64).max(0) as u64
    }

    /// Waits until none is running, at most until then.
    pub(crate) fn wait_for_operations(&self, until: Instant) {
        let mut pause = FIRST;
        let mut quiet = false;
        loop {
            let left = until.saturating_duration_since(crate::clock::now());
            if left.is_zero() {
                return;
            }
            // Twice: an operation leaves the gauge a moment before its record is in a ring.
            let none = self.in_flight() == 0;
            if none && quiet {
                return;
            }
            quiet = none;
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(MOST);
        }
    }
}
