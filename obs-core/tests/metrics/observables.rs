//! What is called at each collection: panics, slowness, more of the same.

use crate::CALLS;
use crate::support::points::{all, number};
use crate::support::{rig, rig_with};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn an_observable_that_panics_is_counted_and_the_others_run() {
    let rig = rig(false);
    let gauge = rig.telemetry.gauge(&CALLS).bind(&["p"]);
    rig.telemetry.observe(|| panic!("on purpose"));
    let mut value = 0.0;
    rig.telemetry.observe(move || {
        value += 1.0;
        gauge.set(value);
    });
    assert_eq!(number(&all(&rig.telemetry), "test.calls", &[]), 1.0);
    assert_eq!(number(&all(&rig.telemetry), "test.calls", &[]), 2.0);
    assert_eq!(rig.telemetry.counts().panics, 2);
}

#[test]
fn an_observable_that_is_slow_is_counted_and_sits_out() {
    let rig = rig_with(false, |builder| {
        builder.with_observable_deadline(Duration::from_millis(5))
    });
    let (slow, calls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let (is_slow, counted) = (slow.clone(), calls.clone());
    rig.telemetry.observe(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        if is_slow.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let others = Arc::new(AtomicU64::new(0));
    let other = others.clone();
    rig.telemetry.observe(move || {
        other.fetch_add(1, Ordering::Relaxed);
    });
    let collect = |times| (0..times).for_each(|_| drop(all(&rig.telemetry)));
    collect(1);
    assert_eq!(rig.telemetry.counts().slow_observables, 1);
    slow.store(false, Ordering::Relaxed);
    collect(10);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "it sits out");
    collect(3);
    assert_eq!(calls.load(Ordering::Relaxed), 4, "and is called again");
    assert_eq!(
        others.load(Ordering::Relaxed),
        14,
        "nobody else missed a call"
    );
    assert_eq!(rig.telemetry.counts().slow_observables, 1);
}

#[test]
fn an_observable_may_register_another() {
    let rig = rig(false);
    let telemetry = rig.telemetry;
    let gauge = telemetry.gauge(&CALLS).bind(&["p"]);
    let mut first = true;
    telemetry.observe(move || {
        if std::mem::take(&mut first) {
            telemetry.observe(move || gauge.set(4.0));
        }
    });
    drop(all(&telemetry));
    assert_eq!(number(&all(&telemetry), "test.calls", &[]), 4.0);
}
