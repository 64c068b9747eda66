//! A global allocator that counts per thread.
//!
//! Refused: `allocation-counter` (a lazily built 3 KiB thread-local and two `RefCell` borrows in every allocation, which
//! the instruction counts of the peers would carry), `stats_alloc` (process-wide atomics: no per-thread figure, and
//! contention of its own), `dhat` (a backtrace per allocation). This one adds three plain stores to an allocation.
#![allow(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; it forwards to `System` and counts"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, bytes: 0, live: 0 }) };
}

/// What one thread asked of the heap so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Calls of `alloc`, `alloc_zeroed` and growing or shrinking `realloc`.
    pub(crate) allocations: u64,
    /// Bytes asked for by those calls.
    pub(crate) bytes: u64,
    /// Bytes asked for minus bytes given back on this thread.
    pub(crate) live: i64,
}

impl Counts {
    /// The counters of the calling thread.
    pub(crate) fn here() -> Self {
        COUNTS.try_with(Cell::get).unwrap_or_default()
    }

    /// What happened on this thread since `earlier`.
    pub(crate) fn since(earlier: Self) -> Self {
        let now = Self::here();
        Self {
            allocations: now.allocations - earlier.allocations,
            bytes: now.bytes - earlier.bytes,
            live: now.live - earlier.live,
        }
    }
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[inline]
fn count(allocations: u64, asked: usize, given_back: usize) {
    // A thread that is ending may have no thread-locals left: its frees are nobody's operation.
    let _ = COUNTS.try_with(|cell| {
        let mut counts = cell.get();
        counts.allocations += allocations;
        counts.bytes += asked as u64;
        counts.live += asked as i64 - given_back as i64;
        cell.set(counts);
    });
}

// SAFETY: every method forwards its arguments unchanged to `System`, which upholds the contract; the counters are plain
// thread-local cells without a destructor, so counting never allocates and never re-enters the allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller upholds `GlobalAlloc::alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_this_thread_and_no_other() {
        let before = Counts::here();
        let kept = std::hint::black_box(vec![0u8; 100]);
        std::thread::scope(|scope| {
            // The spawn itself allocates here; what the thread does inside is its own.
            scope.spawn(|| {
                let inside = Counts::here();
                drop(std::hint::black_box(vec![0u8; 1 << 20]));
                let seen = Counts::since(inside);
                assert_eq!((seen.allocations, seen.bytes, seen.live), (1, 1 << 20, 0));
            });
        });
        let seen = Counts::since(before);
        assert!(seen.bytes >= 100 && seen.bytes < 1 << 20, "{seen:?}");
        drop(kept);
    }
}
