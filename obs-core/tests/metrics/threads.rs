//! Threads that come and go, and more of them than own a shard.

use crate::CALLS;
use crate::support::points::{all, finished, histogram};
use crate::support::rig_with;
use obs_core::Outcome;
use std::sync::Barrier;

#[test]
fn threads_come_and_go_and_nothing_is_lost() {
    let rig = rig_with(false, |builder| builder.with_shards(4));
    let sizes = rig.telemetry.histogram(&CALLS, &[1.0, 10.0]);
    for round in 0..20 {
        std::thread::scope(|scope| {
            for thread in 0..10 {
                let (rig, sizes) = (&rig, &sizes);
                scope.spawn(move || {
                    let step = ["a", "b", "c"][(round + thread) % 3];
                    for _ in 0..5 {
                        rig.root(step).end(Outcome::ANSWERED);
                        sizes.bind(&["p"]).record(2.0);
                    }
                });
            }
        });
    }
    assert_eq!(finished(&rig.telemetry), 1_000);
    let sizes = histogram(&all(&rig.telemetry), "test.calls", &[("peer", "p")]);
    assert_eq!(
        (sizes.count, sizes.sum, sizes.buckets),
        (1_000, 2_000.0, vec![0, 1_000, 0])
    );
    rig.assert_at_rest();
}

#[test]
fn more_threads_than_shards_share_one_exactly() {
    let rig = rig_with(true, |builder| builder.with_shards(1));
    const THREADS: usize = 8;
    let together = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                for _ in 0..40 {
                    rig.root("w").end(Outcome::ANSWERED);
                }
                // All are alive now, so that at most one of them owns a shard.
                together.wait();
            });
        }
    });
    assert_eq!(finished(&rig.telemetry), 320);
    assert_eq!(
        rig.spans().len() as u64 + rig.telemetry.counts().ring_full,
        320
    );
    rig.assert_at_rest();
}
