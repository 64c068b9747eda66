//! What exponential histograms take of the heap, as the documentation of `ExponentialHistogram` says, and when.

#[path = "support/support.rs"]
mod support;

use obs_core::{BoundHistogram, ExponentialHistogram, Instrument, Key, Label, Outcome, Values};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::{SCOPE, rig_with};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: it forwards to the system's allocator and counts in thread-locals without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        BYTES.set(BYTES.get().wrapping_add(layout.size()));
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get().wrapping_sub(layout.size()));
        // SAFETY: the caller upholds the contract of `dealloc`, and all memory is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static SIZES: Instrument = Instrument {
    name: "test.size",
    unit: "By",
    description: "Sizes.",
    labels: &[Label {
        key: Key::new(&"peer"),
        values: Values::Open { cap: 8 },
    }],
    scope: &SCOPE,
};

/// Two series of one histogram on a thread that has recorded, but none of these.
fn series(most: Option<ExponentialHistogram>) -> [BoundHistogram; 2] {
    let rig = rig_with(false, |builder| match most {
        Some(most) => builder.with_histograms(most),
        None => builder,
    });
    rig.root("a").end(Outcome::ANSWERED);
    let sizes = rig.telemetry.histogram(&SIZES, &[1.0]);
    ["a", "b"].map(|peer| sizes.bind(&[peer]))
}

/// What a value takes of the heap.
fn bytes(bound: &BoundHistogram, value: f64) -> usize {
    let before = BYTES.get();
    bound.record(value);
    BYTES.get() - before
}

/// Its cells, what keeps those of others off their cache lines, and two counts of references.
const BLOCK: usize = (64 + 16) * 8 + 16;

/// What the first value of a series takes beside its explicit buckets, and each further power of two.
#[track_caller]
fn check(most: ExponentialHistogram, first: usize, further: usize) {
    let explicit = series(None);
    let exponential = series(Some(most));
    for all in [&explicit, &exponential] {
        all[0].record(1.5);
    }
    let own = bytes(&explicit[1], 1.5);
    assert!(own > 0, "its explicit buckets");
    let took = bytes(&exponential[1], 1.5) - own;
    assert!((first - 512..first).contains(&took), "{took}");
    for power in 1..20 {
        let two = 2_f64.powi(power);
        assert_eq!(bytes(&exponential[1], 1.0001 * two), further, "{power}");
        assert_eq!(bytes(&exponential[1], 1.5 * two), 0, "{power}");
        assert_eq!(bytes(&exponential[1], 2.0 * two), 0, "{power}");
    }
}

#[test]
fn a_series_takes_what_the_documentation_says() {
    let default = ExponentialHistogram::default();
    check(default, 4 << 10, BLOCK);
    let coarse = ExponentialHistogram {
        max_scale: 0,
        ..default
    };
    check(coarse, 3 << 10, 0);
}

#[test]
fn the_first_value_in_a_power_of_two_allocates_and_no_other() {
    let [bound, _] = series(Some(ExponentialHistogram::default()));
    let values = || (1..2_000).map(|value| f64::from(value) * 1e-3);
    values().for_each(|value| bound.record(value));
    let before = COUNT.get();
    values().for_each(|value| bound.record(value));
    assert_eq!(COUNT.get() - before, 0);
    bound.record(-1.0);
    assert!(COUNT.get() > before);
}

#[test]
fn a_thread_takes_a_table_of_series_once() {
    let took = |most| {
        let rig = rig_with(false, |builder| match most {
            Some(most) => builder.with_histograms(most),
            None => builder,
        });
        let sizes = rig.telemetry.histogram(&SIZES, &[1.0]);
        bytes(&sizes.bind(&["a"]), 1.5)
    };
    let (without, with) = (took(None), took(Some(ExponentialHistogram::default())));
    assert!(without > 0 && with > without);
    // Beside the first series.
    assert!(with - without < (12 << 10) + (4 << 10), "{with} {without}");
}
