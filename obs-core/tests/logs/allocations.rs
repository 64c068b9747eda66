//! A line in steady state allocates nothing.

use crate::rig::sampler;
use crate::support::builder;
use obs_core::logs::{Flood, LogLayer};
use obs_core::{Outcome, Session};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tracing_subscriber::layer::SubscriberExt;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: it forwards to the system's allocator and counts in a thread-local without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
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
fn a_line_of_five_fields_allocates_nothing() {
    let telemetry = builder()
        .manual()
        .with_sampler(sampler(true))
        .build()
        .expect("usable");
    let layer = LogLayer::new(&telemetry)
        .with_lines(std::io::sink)
        .with_flood(Flood::new(1_000_000, std::time::Duration::from_secs(1)));
    let kind = telemetry.kind(&crate::support::WORK);
    let mut operation = kind.start(obs_core::Labels::NONE, obs_core::Parent::Root);
    let session = Session::new("s-1").with_user("ada");
    operation.active().expect("recording").set_session(session);
    let line = |n: u64| {
        tracing::info!(n, below = -1, ratio = 0.5, who = "ada", kind = ?Some(n), "added {n} \"pieces\"");
    };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        operation.scope(|| {
            (0..10).for_each(line);
            let before = COUNT.get();
            (0..1_000).for_each(line);
            assert_eq!(COUNT.get() - before, 0);
        });
    });
    operation.end(Outcome::ANSWERED);
}
