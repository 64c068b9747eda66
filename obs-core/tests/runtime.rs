//! What a tokio runtime says about itself.
#![cfg(all(feature = "tokio", not(loom)))]

#[path = "support/support.rs"]
mod support;

use obs_core::Telemetry;
use obs_core::metrics::Metric;
use std::time::{Duration, Instant};
use support::points::{all, find, number, numbers};
use support::rig;
use tokio::runtime::{Builder, Runtime};

fn runtime(name: &str, workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).enable_time();
    if !name.is_empty() {
        builder.name(name);
    }
    builder.build().expect("threads")
}

#[track_caller]
fn of(metrics: &[Metric], name: &str, runtime: &str) -> f64 {
    number(metrics, name, &[("obs.tokio.runtime", runtime)])
}

#[track_caller]
fn until(telemetry: &Telemetry, holds: impl Fn(&[Metric]) -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !holds(&all(telemetry)) {
        assert!(Instant::now() < patience, "{:#?}", all(telemetry));
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn tasks_are_counted_while_they_live() {
    let rig = rig(true);
    let runtime = runtime("main", 2);
    rig.telemetry.observe_tokio(runtime.handle());
    assert_eq!(of(&all(&rig.telemetry), "obs.tokio.tasks", "main"), 0.0);
    let (leave, wait) = tokio::sync::watch::channel(());
    let tasks: Vec<_> = (0..7)
        .map(|_| {
            let mut wait = wait.clone();
            runtime.spawn(async move { wait.changed().await.is_err() })
        })
        .collect();
    assert_eq!(of(&all(&rig.telemetry), "obs.tokio.tasks", "main"), 7.0);
    drop(leave);
    runtime.block_on(async {
        for task in tasks {
            assert!(task.await.expect("no panic"));
        }
    });
    until(&rig.telemetry, |metrics| {
        of(metrics, "obs.tokio.tasks", "main") == 0.0
    });
}

#[test]
fn workers_are_told_apart_and_their_time_is_counted() {
    let rig = rig(true);
    let runtime = runtime("main", 3);
    rig.telemetry.observe_tokio(runtime.handle());
    let metrics = all(&rig.telemetry);
    assert_eq!(of(&metrics, "obs.tokio.workers", "main"), 3.0);
    for name in ["obs.tokio.worker.busy.time", "obs.tokio.worker.parks"] {
        let mut workers: Vec<_> = numbers(&metrics, name)
            .iter()
            .map(|point| point.attributes[1].1.to_text().into_owned())
            .collect();
        workers.sort();
        assert_eq!(workers, ["0", "1", "2"], "{name}");
    }
    let total = |metrics: &[Metric], name: &str| -> f64 {
        numbers(metrics, name)
            .iter()
            .map(|point| point.value.as_f64())
            .sum()
    };
    let busy = total(&metrics, "obs.tokio.worker.busy.time");
    let parks = total(&metrics, "obs.tokio.worker.parks");
    let work = runtime.spawn(async { std::thread::sleep(Duration::from_millis(30)) });
    runtime.block_on(work).expect("no panic");
    until(&rig.telemetry, |metrics| {
        total(metrics, "obs.tokio.worker.busy.time") - busy >= 0.03
            && total(metrics, "obs.tokio.worker.parks") > parks
    });
}

#[test]
fn a_queue_that_nobody_works_on_grows() {
    let rig = rig(true);
    let runtime = Builder::new_current_thread()
        .name("one")
        .build()
        .expect("no thread");
    rig.telemetry.observe_tokio(runtime.handle());
    for _ in 0..5 {
        runtime.spawn(async {});
    }
    let depth = |metrics: &[Metric]| of(metrics, "obs.tokio.global_queue.depth", "one");
    assert_eq!(depth(&all(&rig.telemetry)), 5.0);
    runtime.block_on(tokio::task::yield_now());
    until(&rig.telemetry, |metrics| depth(metrics) == 0.0);
}

#[test]
fn workers_beyond_the_cap_are_one_series() {
    let rig = rig(true);
    let runtime = runtime("wide", 70);
    rig.telemetry.observe_tokio(runtime.handle());
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, "obs.tokio.worker.parks").len(), 65);
    let rest = [("obs.tokio.worker", "_OTHER")];
    assert!(number(&metrics, "obs.tokio.worker.parks", &rest) >= 0.0);
    assert_eq!(of(&metrics, "obs.tokio.workers", "wide"), 70.0);
}

#[test]
fn runtimes_are_told_apart_by_name_or_number_and_twice_is_once() {
    let rig = rig(true);
    let (named, unnamed) = (runtime("named", 1), runtime("", 2));
    for runtime in [&named, &unnamed, &named] {
        rig.telemetry.observe_tokio(runtime.handle());
    }
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, "obs.tokio.workers").len(), 2);
    assert_eq!(of(&metrics, "obs.tokio.workers", "named"), 1.0);
    let number = unnamed.handle().id().to_string();
    assert_eq!(of(&metrics, "obs.tokio.workers", &number), 2.0);
    assert_eq!(rig.telemetry.warnings(), [""; 0]);
}

#[test]
fn more_runtimes_than_there_is_room_for_are_left_out() {
    let rig = rig(true);
    let runtimes: Vec<_> = (0..20).map(|n| runtime(&format!("r{n}"), 1)).collect();
    for runtime in &runtimes {
        rig.telemetry.observe_tokio(runtime.handle());
    }
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, "obs.tokio.workers").len(), 16);
    assert_eq!(of(&metrics, "obs.tokio.workers", "r15"), 1.0);
}

#[test]
fn a_runtime_that_is_gone_hurts_nobody_and_no_other_telemetry_has_it() {
    let (rig, other) = (rig(true), rig(true));
    let runtime = runtime("main", 1);
    rig.telemetry.observe_tokio(runtime.handle());
    runtime.spawn(std::future::pending::<()>());
    assert_eq!(of(&all(&rig.telemetry), "obs.tokio.tasks", "main"), 1.0);
    drop(runtime);
    assert_eq!(of(&all(&rig.telemetry), "obs.tokio.tasks", "main"), 0.0);
    assert_eq!(rig.telemetry.counts().panics, 0);
    assert!(find(&all(&other.telemetry), "obs.tokio.tasks").is_none());
    let page = rig.telemetry.prometheus();
    for line in [
        "# TYPE obs_tokio_tasks gauge",
        "# TYPE obs_tokio_worker_busy_time_seconds_total counter",
        "# TYPE obs_tokio_worker_parks_total counter",
    ] {
        assert!(
            page.lines().any(|known| known == line),
            "no {line} in\n{page}"
        );
    }
}
