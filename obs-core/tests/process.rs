//! What is said about this process, against what the kernel says by other ways. One test each, so one process each would
//! be too much: what others do meanwhile only adds, and the tests allow for it.
#![cfg(all(feature = "process", target_os = "linux", not(loom)))]

#[path = "support/support.rs"]
mod support;

use obs_core::Telemetry;
use obs_core::encode::PageFormat;
use obs_core::metrics::{Data, Metric, Number, Temporality};
use std::fs::{self, File};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::time::{Duration, Instant};
use support::points::{all, find, number, numbers};
use support::{Rig, rig};

/// They count the same process: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn observed() -> Rig {
    let rig = rig(true);
    rig.telemetry.observe_process();
    rig
}

fn now(telemetry: &Telemetry, name: &str) -> f64 {
    number(&all(telemetry), name, &[])
}

fn proc_status(key: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let mut lines = status.lines().filter_map(|line| line.strip_prefix(key));
    let value = lines.next().expect("the key");
    let value = value.trim().trim_end_matches(" kB");
    value.parse().expect("a number")
}

#[test]
fn each_is_the_instrument_of_the_conventions_with_its_unit_and_values() {
    let _alone = alone();
    let metrics = all(&observed().telemetry);
    let mut seen: Vec<_> = metrics
        .iter()
        .filter(|metric| metric.name.starts_with("process."))
        .map(described)
        .collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            "process.context_switches {context_switch} counter i64 process.context_switch.type=involuntary|voluntary",
            "process.cpu.time s counter f64 cpu.mode=system|user",
            "process.disk.io By counter i64 disk.io.direction=read|write",
            "process.memory.usage By updowncounter i64 ",
            "process.memory.virtual By updowncounter i64 ",
            "process.paging.faults {fault} counter i64 system.paging.fault.type=major|minor",
            "process.thread.count {thread} updowncounter i64 ",
            "process.unix.file_descriptor.count {file_descriptor} updowncounter i64 ",
            "process.uptime s gauge f64 ",
        ]
    );
}

fn described(metric: &Metric) -> String {
    let (kind, points) = match &metric.data {
        Data::Sum {
            monotonic: true,
            points,
            ..
        } => ("counter", points),
        Data::Sum { points, .. } => ("updowncounter", points),
        Data::Gauge { points } => ("gauge", points),
        other => panic!("{other:?}"),
    };
    let number = match points[0].value {
        Number::I64(_) => "i64",
        _ => "f64",
    };
    let mut labels: Vec<_> = points
        .iter()
        .flat_map(|point| &point.attributes)
        .map(|(key, value)| (key.to_string(), value.to_text().into_owned()))
        .collect();
    labels.sort();
    let key = labels
        .first()
        .map_or(String::new(), |(key, _)| format!("{key}="));
    let values: Vec<_> = labels.into_iter().map(|(_, value)| value).collect();
    let (name, unit) = (&metric.name, &metric.unit);
    format!("{name} {unit} {kind} {number} {key}{}", values.join("|"))
}

#[test]
fn threads_that_are_spawned_and_end_are_counted() {
    let _alone = alone();
    let telemetry = observed().telemetry;
    let before = now(&telemetry, "process.thread.count");
    assert!((before - proc_status("Threads:")).abs() < 3.0, "{before}");
    let (leave, wait) = mpsc::channel::<()>();
    let wait = std::sync::Arc::new(Mutex::new(wait));
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let wait = wait.clone();
            std::thread::spawn(move || drop(wait.lock().map(|wait| wait.recv())))
        })
        .collect();
    let with = now(&telemetry, "process.thread.count");
    assert!(
        (with - before - 20.0).abs() < 5.0,
        "{before} and then {with}"
    );
    drop(leave);
    for thread in threads {
        thread.join().expect("no panic");
    }
    // A thread that was joined may still be there for a moment.
    let patience = Instant::now() + Duration::from_secs(20);
    while now(&telemetry, "process.thread.count") > before + 5.0 {
        assert!(Instant::now() < patience);
    }
}

#[test]
fn files_that_are_open_are_counted() {
    let _alone = alone();
    let telemetry = observed().telemetry;
    let name = "process.unix.file_descriptor.count";
    let before = now(&telemetry, name);
    let files: Vec<_> = (0..50).map(|_| File::open("/proc/self/stat")).collect();
    let with = now(&telemetry, name);
    assert!(
        (with - before - 50.0).abs() < 10.0,
        "{before} and then {with}"
    );
    drop(files);
    assert!(now(&telemetry, name) < before + 10.0);
}

#[test]
fn memory_that_is_touched_is_in_use_and_costs_faults() {
    let _alone = alone();
    const BYTES: usize = 64 << 20;
    let telemetry = observed().telemetry;
    let read = || {
        let metrics = all(&telemetry);
        let minor = [("system.paging.fault.type", "minor")];
        (
            number(&metrics, "process.memory.usage", &[]),
            number(&metrics, "process.memory.virtual", &[]),
            number(&metrics, "process.paging.faults", &minor),
        )
    };
    let before = read();
    let kernel = proc_status("VmRSS:") * 1024.0;
    assert!(
        (before.0 / kernel - 1.0).abs() < 0.2,
        "{before:?}, {kernel}"
    );
    let kernel = proc_status("VmSize:") * 1024.0;
    assert!(
        (before.1 / kernel - 1.0).abs() < 0.2,
        "{before:?}, {kernel}"
    );
    let block = std::hint::black_box(vec![1_u8; BYTES]);
    let with = read();
    let half = BYTES as f64 / 2.0;
    assert!(
        with.0 - before.0 > half && with.1 - before.1 > half,
        "{before:?}, {with:?}"
    );
    // Large pages may serve many at once.
    assert!(with.2 - before.2 >= 16.0, "{before:?}, {with:?}");
    drop(block);
    assert!(read().0 - before.0 < half);
}

#[test]
fn work_takes_processor_time_and_sleep_switches_voluntarily() {
    let _alone = alone();
    let telemetry = observed().telemetry;
    let user = || {
        number(
            &all(&telemetry),
            "process.cpu.time",
            &[("cpu.mode", "user")],
        )
    };
    let before = user();
    let patience = Instant::now() + Duration::from_secs(60);
    while user() < before + 0.1 {
        assert!(Instant::now() < patience, "{before}, {}", user());
        std::hint::black_box((0..100_000_u64).map(std::hint::black_box).sum::<u64>());
    }
    let switches = || {
        let voluntary = [("process.context_switch.type", "voluntary")];
        number(&all(&telemetry), "process.context_switches", &voluntary)
    };
    let before = switches();
    // On a thread that is gone when it is counted: of the whole process is meant.
    let sleeper = std::thread::spawn(|| {
        for _ in 0..30 {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    sleeper.join().expect("no panic");
    assert!(switches() - before >= 30.0, "{before}, {}", switches());
}

#[test]
fn the_uptime_is_that_of_the_process_and_goes_on() {
    let _alone = alone();
    let telemetry = observed().telemetry;
    let up = now(&telemetry, "process.uptime");
    // Its own folder is as old as it is.
    let born = fs::metadata("/proc/self").and_then(|about| about.modified());
    assert!(born.is_ok() && up > 0.0 && up < 3600.0, "{up}");
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    let later = now(&telemetry, "process.uptime") - up;
    assert!(
        later >= 0.02 && later <= start.elapsed().as_secs_f64() + 1.0,
        "{later}"
    );
}

#[test]
fn counters_are_deltas_for_who_wants_them_and_levels_never_are() {
    let _alone = alone();
    let telemetry = observed().telemetry;
    let reader = telemetry.reader(Temporality::Delta);
    let first = reader.collect();
    let second = reader.collect();
    let cpu = |metrics: &[Metric]| number(metrics, "process.cpu.time", &[("cpu.mode", "user")]);
    assert!(
        cpu(&second) >= 0.0 && cpu(&second) < 5.0,
        "{}",
        cpu(&second)
    );
    let total = cpu(&all(&telemetry));
    assert!(total >= cpu(&first) + cpu(&second));
    for metrics in [&first, &second] {
        assert!(number(metrics, "process.memory.usage", &[]) > 1e5);
        assert!(number(metrics, "process.thread.count", &[]) >= 1.0);
    }
    let temporality = |name| match &find(&second, name).expect("there").data {
        Data::Sum { temporality, .. } => *temporality,
        other => panic!("{other:?}"),
    };
    assert_eq!(temporality("process.cpu.time"), Temporality::Delta);
    assert_eq!(temporality("process.memory.usage"), Temporality::Cumulative);
}

#[test]
fn telemetries_observe_for_themselves_and_twice_is_once() {
    let _alone = alone();
    let (with, without) = (observed(), rig(true));
    with.telemetry.observe_process();
    assert_eq!(numbers(&all(&with.telemetry), "process.cpu.time").len(), 2);
    assert!(find(&all(&without.telemetry), "process.cpu.time").is_none());
    assert_eq!(with.telemetry.warnings(), [""; 0]);
    without.telemetry.observe_process();
    with.telemetry
        .shutdown(Duration::from_secs(5))
        .expect("in time");
    assert!(now(&without.telemetry, "process.memory.usage") > 0.0);
    Telemetry::noop().observe_process();
}

#[test]
fn the_page_has_them_under_the_names_of_prometheus() {
    let _alone = alone();
    let page = observed().telemetry.prometheus_page(PageFormat::Text);
    for line in [
        "# TYPE process_cpu_time_seconds_total counter",
        "# TYPE process_memory_usage_bytes gauge",
        "# TYPE process_disk_io_bytes_total counter",
        "# TYPE process_thread_count gauge",
        "# TYPE process_unix_file_descriptor_count gauge",
        "# TYPE process_context_switches_total counter",
        "# TYPE process_uptime_seconds gauge",
    ] {
        assert!(
            page.lines().any(|known| known == line),
            "no {line} in\n{page}"
        );
    }
}

#[test]
fn reading_takes_less_than_a_millisecond() {
    let _alone = alone();
    let telemetry = observed().telemetry;
    // The best of many: a machine may be busy with others.
    let best = (0..50).map(|_| {
        let start = Instant::now();
        drop(all(&telemetry));
        start.elapsed()
    });
    let best = best.min().expect("fifty");
    assert!(best < Duration::from_millis(1), "{best:?}");
    assert_eq!(telemetry.counts().panics, 0);
}
