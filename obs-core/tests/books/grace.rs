//! A request that ends just after its server has stopped is not lost; one that never ends holds nobody up.

use super::LONG;
use crate::support::{WORK, builder, rig_with, sampler};
use obs_core::courier::Capture;
use obs_core::{Labels, Outcome, Parent};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

#[test]
fn an_operation_that_ends_while_shutdown_waits_for_it_is_delivered() {
    for manual in [true, false] {
        let builder = builder()
            .with_sampler(sampler(true))
            .with_shutdown_grace(Duration::from_secs(20))
            .with_transport(Capture::new());
        let builder = if manual { builder.manual() } else { builder };
        let telemetry = builder.build().expect("usable");
        let (started, running) = channel();
        let (over, go) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let operation = telemetry.kind(&WORK).start(Labels::NONE, Parent::Root);
                started.send(()).expect("somebody waits");
                // Until shutdown has begun.
                let _ = go.recv();
                operation.end(Outcome::ANSWERED);
            });
            running.recv().expect("it runs");
            let ending = scope.spawn(move || telemetry.shutdown(Duration::from_secs(300)));
            // It cannot be over while the operation runs.
            std::thread::sleep(Duration::from_millis(20));
            assert!(!ending.is_finished() && !telemetry.is_shut_down());
            drop(over);
            ending.join().expect("no panic").expect("nothing is lost");
        });
        let traces = telemetry.books().traces;
        assert_eq!(
            (traces.created, traces.delivered),
            (1, 1),
            "manual: {manual}"
        );
    }
}

#[test]
fn one_that_never_ends_costs_the_grace_and_no_more_than_a_tenth_of_the_deadline() {
    for (grace, deadline) in [
        (Duration::from_millis(50), LONG),
        (LONG, Duration::from_secs(1)),
    ] {
        let rig = rig_with(true, |builder| builder.with_shutdown_grace(grace));
        let running = rig.root("running");
        let begun = Instant::now();
        rig.telemetry
            .shutdown(deadline)
            .expect("nothing that ended is lost");
        let took = begun.elapsed();
        let least = grace.min(deadline / 10);
        assert!(
            took >= least && took < least + Duration::from_secs(5),
            "{took:?}"
        );
        running.end(Outcome::ANSWERED);
        assert_eq!(rig.telemetry.books().traces.lost.total(), 1);
    }
}
