//! Manual mode: what a child records it delivers itself, and what its parent has stays the parent's.

use crate::child::{in_child, spawn};
use crate::collector::{Collector, PATIENCE, Reply};
use crate::received::{self, destinations};
use crate::support::*;
use obs_core::metrics::Temporality;
use obs_core::{Body, Instrument, KeepPolicy, Kind, Labels, LogEvent, Outcome, Parent, Telemetry};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

const JOBS: Instrument = Instrument {
    name: "test.jobs",
    unit: "{job}",
    description: "Jobs.",
    labels: &[],
    scope: &SCOPE,
};

/// By the clock of the machine, to the collector, in manual mode.
fn telemetry(collector: &Collector, sampled: bool) -> Telemetry {
    builder()
        .manual()
        .with_sampler(sampler(sampled))
        .with_otlp_to(destinations(collector))
        .build()
        .expect("usable")
}

fn labels(kind: &Kind, step: &str) -> Labels {
    Labels::NONE.with(METHOD, kind.label(METHOD, step))
}

fn record(telemetry: &Telemetry, step: &str) {
    let kind = telemetry.kind(&WORK);
    kind.start(labels(kind, step), Parent::Root)
        .end(Outcome::ANSWERED);
}

#[track_caller]
fn flushed(telemetry: &Telemetry) {
    telemetry.flush(PATIENCE).expect("delivered");
}

#[test]
fn a_child_delivers_what_it_records_on_a_connection_of_its_own_and_nothing_of_its_parents() {
    let collector = Collector::start([]);
    let telemetry = telemetry(&collector, true);
    record(&telemetry, "1");
    // Its connection stays open.
    flushed(&telemetry);
    record(&telemetry, "2");
    in_child(|| {
        assert_eq!(
            telemetry.accounts().total().accepted,
            0,
            "nothing is here yet"
        );
        record(&telemetry, "3");
        flushed(&telemetry);
        let traces = telemetry.accounts().traces;
        assert_eq!((traces.accepted, traces.delivered), (1, 1));
        assert_eq!(telemetry.counts().collected, 1);
        telemetry.shutdown(PATIENCE).expect("all is delivered");
    });
    telemetry.shutdown(PATIENCE).expect("all is delivered");
    assert_eq!(telemetry.accounts().traces.delivered, 2);
    let spans = received::spans(&collector);
    let [one, three, two] = &spans[..] else {
        panic!("three spans in {spans:#?}");
    };
    assert_eq!(
        [&*one.1.name, &*two.1.name, &*three.1.name],
        ["work 1", "work 2", "work 3"]
    );
    assert_eq!(one.0, two.0, "the parent goes on as before");
    assert_ne!(three.0.connection, one.0.connection);
    assert_ne!(three.0.pid, one.0.pid);
    assert_ne!(three.0.instance, one.0.instance);
    let ids: HashSet<_> = spans.iter().map(|(_, span)| &span.trace_id).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn numbers_of_a_child_count_from_the_fork() {
    let collector = Collector::start([]);
    let telemetry = telemetry(&collector, true);
    let jobs = telemetry.counter(&JOBS).bind(&[]);
    let reader = telemetry.reader(Temporality::Delta);
    jobs.add(5);
    reader.collect();
    flushed(&telemetry);
    in_child(|| {
        jobs.add(2);
        let metrics = reader.collect();
        let theirs = points::number(&metrics, "test.jobs", &[]);
        assert_eq!(theirs, 2.0, "a reader of the parent's reads what is here");
        let page = telemetry.prometheus();
        assert!(page.contains("test_jobs_total 2"), "{page}");
        flushed(&telemetry);
    });
    jobs.add(1);
    flushed(&telemetry);
    let sums = received::sums(&collector, "test.jobs");
    let [first, theirs, last] = &sums[..] else {
        panic!("three points in {sums:#?}");
    };
    assert_eq!((first.value, theirs.value, last.value), (5, 2, 6));
    assert_eq!((first.pid, first.since), (last.pid, last.since));
    assert_ne!(theirs.pid, first.pid);
    assert!(theirs.since >= first.at && theirs.since <= theirs.at);
}

#[test]
fn an_operation_that_runs_at_the_fork_is_its_parents_to_end() {
    let collector = Collector::start([]);
    let telemetry = telemetry(&collector, true);
    let kind = telemetry.kind(&WORK);
    let mut outer = kind.start(labels(kind, "outer"), Parent::Root);
    let handle = outer.handle().expect("recording");
    let mut running = Some(outer);
    in_child(|| {
        handle.add_event("seen in the child", Vec::new());
        let inner = kind.start(labels(kind, "inner"), Parent::Operation(&handle));
        inner.end(Outcome::ANSWERED);
        drop(running.take());
        assert_eq!(points::in_flight(&telemetry), 0, "nothing was counted down");
        flushed(&telemetry);
        assert_eq!(telemetry.accounts().traces.delivered, 1);
    });
    assert_eq!(points::in_flight(&telemetry), 1);
    running.take().expect("it runs").end(Outcome::ANSWERED);
    flushed(&telemetry);
    let spans = received::spans(&collector);
    let [(_, inner), (_, outer)] = &spans[..] else {
        panic!("two spans in {spans:#?}");
    };
    assert_eq!((&*inner.name, &*outer.name), ("work inner", "work outer"));
    assert_eq!(inner.parent_span_id, outer.span_id);
    assert_eq!(inner.trace_id, outer.trace_id);
    assert!(outer.events.is_empty(), "{:?}", outer.events);
}

#[test]
fn what_a_child_does_beneath_an_undecided_root_stands_for_itself() {
    let collector = Collector::start([]);
    let telemetry = builder()
        .manual()
        .with_sampler(sampler(false))
        .with_keep(KeepPolicy::default())
        .with_otlp_to(destinations(&collector))
        .build()
        .expect("usable");
    let kind = telemetry.kind(&WORK);
    let mut root = kind.start(labels(kind, "root"), Parent::Root);
    let handle = root.handle().expect("recording");
    kind.start(labels(kind, "parked"), Parent::Operation(&handle))
        .end(Outcome::ANSWERED);
    assert!(telemetry.counts().parked_bytes > 0);
    in_child(|| {
        let child = |step, outcome| {
            let labels = labels(kind, step);
            kind.start(labels, Parent::Operation(&handle)).end(outcome);
        };
        child("good", Outcome::ANSWERED);
        child("bad", Outcome::failed(obs_core::ErrorType::code(500)));
        assert_eq!(telemetry.counts().parked_bytes, 0, "its root is not here");
        flushed(&telemetry);
    });
    root.end(Outcome::ANSWERED);
    flushed(&telemetry);
    assert_eq!(received::names(&collector), ["work bad"]);
    assert_eq!(telemetry.counts().parked_bytes, 0);
}

#[test]
fn a_child_is_whole_although_its_parent_hangs_in_a_delivery() {
    let collector = Collector::start([Reply::Silence]);
    let telemetry = telemetry(&collector, true);
    record(&telemetry, "hangs");
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| telemetry.flush(PATIENCE / 4));
        // The transport, the collector and the lock of whoever waits are away.
        collector.wait_for(1);
        in_child(|| {
            record(&telemetry, "goes");
            flushed(&telemetry);
            telemetry.shutdown(PATIENCE).expect("all is delivered");
        });
        drop(stop);
    });
    drop(stopped);
    telemetry.shutdown(PATIENCE).expect("tried again");
    assert_eq!(
        received::names(&collector),
        ["work goes", "work hangs", "work hangs"],
        "the second try of the parent's arrived"
    );
}

#[test]
fn a_grandchild_from_a_thread_is_whole_and_so_are_its_threads() {
    let collector = Collector::start([]);
    let telemetry = telemetry(&collector, true);
    record(&telemetry, "first");
    std::thread::scope(|scope| {
        // As daemons do: twice, and not from the thread that set it up.
        scope.spawn(|| {
            in_child(|| {
                record(&telemetry, "middle");
                in_child(|| {
                    record(&telemetry, "second");
                    let thread = std::thread::spawn(move || record(&telemetry, "third"));
                    thread.join().expect("no panic");
                    telemetry.emit(LogEvent::new("test.said", Body::Text("here".into())));
                    telemetry.shutdown(PATIENCE).expect("all is delivered");
                });
                flushed(&telemetry);
            });
        });
    });
    flushed(&telemetry);
    assert_eq!(
        received::names(&collector),
        ["work first", "work middle", "work second", "work third"]
    );
    let spans = received::spans(&collector);
    let pid = |name: &str| {
        let (from, _) = spans
            .iter()
            .find(|(_, span)| span.name == name)
            .expect("it");
        from.pid
    };
    assert_eq!(pid("work second"), pid("work third"));
    let pids: HashSet<_> = spans.iter().map(|(from, _)| from.pid).collect();
    assert_eq!(pids.len(), 3);
    assert_eq!(
        received::logs(&collector),
        [(pid("work second"), "here".to_owned())]
    );
}

#[test]
fn subscribers_and_observables_go_on_in_a_child() {
    let rig = rig(true);
    let observed = Arc::new(AtomicU64::new(0));
    let jobs = rig.telemetry.absolute_counter(&JOBS).bind(&[]);
    rig.telemetry.observe({
        let observed = observed.clone();
        move || jobs.set_absolute(observed.fetch_add(1, Ordering::Relaxed) + 1)
    });
    rig.root("parents").end(Outcome::ANSWERED);
    in_child(|| {
        rig.root("childs").end(Outcome::ANSWERED);
        assert_eq!(rig.exported(), ["childs"]);
        let before = observed.load(Ordering::Relaxed);
        let page = rig.telemetry.prometheus();
        assert_eq!(observed.load(Ordering::Relaxed), before + 1);
        assert!(
            page.contains(&format!("test_jobs_total {}", before + 1)),
            "{page}"
        );
    });
    assert_eq!(rig.exported(), ["parents"]);
}

#[test]
fn a_child_and_its_parent_deliver_at_once_without_disturbing_each_other() {
    const EACH: usize = 50;
    let collector = Collector::start([]);
    let telemetry = telemetry(&collector, true);
    record(&telemetry, "0");
    flushed(&telemetry);
    let deliver = |telemetry: &Telemetry| {
        for _ in 0..EACH {
            record(telemetry, "n");
            flushed(telemetry);
        }
        let traces = telemetry.accounts().traces;
        assert!(traces.delivered >= EACH as u64 && traces.dropped.total() == 0);
    };
    let children: Vec<_> = (0..3).map(|_| spawn(|| deliver(&telemetry))).collect();
    deliver(&telemetry);
    for child in children {
        child.wait().expect("whole");
    }
    assert_eq!(received::names(&collector).len(), 1 + 4 * EACH);
    let connections: HashSet<_> = { received::spans(&collector).into_iter() }
        .map(|(from, _)| (from.pid, from.connection))
        .collect();
    assert_eq!(connections.len(), 4, "one connection each: {connections:?}");
}
