//! What a thread has recorded to before costs it no allocation.

use crate::recording;
use crate::support::rig;
use metrics::{counter, gauge, histogram};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Counts the allocations of each thread.
struct Counting;

// SAFETY: everything is handed to the system's allocator as it comes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract of `dealloc`, and all memory is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_macro_with_labels_that_are_literals_allocates_nothing_the_second_time() {
    let rig = rig(false);
    let all = || {
        counter!("orders_total", "shop" => "north", "paid" => "card").increment(1);
        gauge!("depth", "queue" => "in").set(1.0);
        histogram!("took_seconds", "shop" => "north").record(0.2);
    };
    recording(&rig, || {
        all();
        let before = COUNT.get();
        (0..1_000).for_each(|_| all());
        assert_eq!(COUNT.get() - before, 0);
    });
}
