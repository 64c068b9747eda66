//! Records of the `log` crate, by our own bridge and by way of `tracing`.

use crate::rig::{Logs, Written, attribute, body};
use crate::support::{Rig, rig};
use log::{Level, LevelFilter, Log, Record};
use obs_core::logs::{Flood, LogBridge, LogLayer};
use obs_core::{Outcome, Severity};
use serde_json::json;
use std::time::Duration;

fn bridge(set: impl FnOnce(LogLayer) -> LogLayer) -> (Rig, Written, LogBridge) {
    let rig = rig(true);
    let written = Written::default();
    let into = written.clone();
    let layer = set(LogLayer::new(&rig.telemetry).with_lines(move || into.clone()));
    let bridge = layer.bridge().with_max_level(LevelFilter::Debug);
    (rig, written, bridge)
}

#[test]
fn a_record_has_its_own_target_level_place_and_typed_pairs() {
    let (rig, written, bridge) = bridge(|layer| layer.with_location(true));
    let pairs: &[(&str, log::kv::Value)] = &[
        ("n", 7.into()),
        ("below", (-7).into()),
        ("half", 0.5.into()),
        ("yes", true.into()),
        ("who", "ada".into()),
        ("message", "a pair".into()),
    ];
    bridge.log(
        &Record::builder()
            .args(format_args!("query took {} ms", 12))
            .level(Level::Warn)
            .target("sqlx::query")
            .file(Some("src/query.rs"))
            .line(Some(42))
            .key_values(&pairs)
            .build(),
    );
    let mut line = written.line();
    line.as_object_mut().expect("an object").remove("timestamp");
    assert_eq!(
        line,
        json!({
            "level": "WARN", "target": "sqlx::query", "message": "query took 12 ms",
            "fields": {"n": 7, "below": -7, "half": 0.5, "yes": true, "who": "ada", "message": "a pair"},
            "code.file.path": "src/query.rs", "code.line.number": 42,
        })
    );
    let records = rig.events();
    assert_eq!(records.len(), 1);
    assert_eq!(body(&records[0]), "query took 12 ms");
    assert_eq!(records[0].severity, Severity::Warn);
    assert_eq!(
        records[0].scope.map(|scope| scope.name),
        Some("sqlx::query")
    );
    assert_eq!(attribute(&records[0], "n"), Some(&7.into()));
    assert_eq!(attribute(&records[0], "message"), Some(&"a pair".into()));
}

fn log(bridge: &LogBridge, level: Level, line: u32) {
    let record = Record::builder()
        .args(format_args!("x"))
        .level(level)
        .target("t")
        .file(Some("f"))
        .line(Some(line))
        .build();
    bridge.log(&record);
}

#[test]
fn records_have_ids_a_level_and_call_sites() {
    let (rig, written, bridge) =
        bridge(|layer| layer.with_flood(Flood::new(2, Duration::from_secs(1))));
    log(&bridge, Level::Trace, 1);
    assert_eq!(written.lines().len(), 0);
    let mut operation = rig.root("w");
    let ids = operation.active().expect("recording").trace_parent();
    operation.scope(|| log(&bridge, Level::Info, 1));
    assert_eq!(written.line()["span_id"], ids.span_id.to_string());
    operation.end(Outcome::ANSWERED);
    for _ in 0..5 {
        log(&bridge, Level::Info, 1);
        log(&bridge, Level::Info, 2);
    }
    assert_eq!(written.lines().len(), 3);
    assert_eq!(rig.telemetry.counts().log_flood, 7);
}

/// `LogTracer` is one for the whole process; `format_trace` is what it does with each record.
#[test]
fn events_that_log_tracer_makes_are_seen_through() {
    let logs = Logs::with(|layer| {
        layer
            .with_location(true)
            .with_flood(Flood::new(2, Duration::from_secs(1)))
    });
    let log = |target: &str, line: u32| {
        tracing_log::format_trace(
            &Record::builder()
                .args(format_args!("said {target}"))
                .level(Level::Info)
                .target(target)
                .module_path(Some("m"))
                .file(Some("src/a.rs"))
                .line(Some(line))
                .build(),
        )
        .expect("it never fails");
    };
    let mut line = logs.line_of(|| log("reqwest::connect", 7));
    line.as_object_mut().expect("an object").remove("timestamp");
    assert_eq!(
        line,
        json!({
            "level": "INFO", "target": "reqwest::connect", "message": "said reqwest::connect",
            "code.file.path": "src/a.rs", "code.line.number": 7,
        })
    );
    let records = logs.records();
    assert_eq!(
        records[0].scope.map(|scope| scope.name),
        Some("reqwest::connect")
    );
    logs.run(|| {
        for _ in 0..5 {
            log("reqwest::connect", 7);
            log("reqwest::connect", 8);
        }
    });
    assert_eq!(logs.written.lines().len(), 3, "call sites are told apart");
}

#[test]
fn any_key_and_any_value_are_read_back() {
    use proptest::prelude::*;
    let (_rig, written, bridge) = bridge(|layer| layer.with_flood(Flood::off()));
    let run = |(key, value): (String, String)| {
        let pairs: &[(&str, log::kv::Value)] = &[(&key, value.as_str().into())];
        let record = Record::builder()
            .level(Level::Info)
            .key_values(&pairs)
            .build();
        bridge.log(&record);
        let line = written.line();
        prop_assert_eq!(&line["fields"], &json!({ key: value }));
        Ok(())
    };
    let strategy = (any::<String>(), any::<String>());
    proptest::test_runner::TestRunner::default()
        .run(&strategy, run)
        .unwrap();
}

/// OpenTelemetry's context is gone by then, and asking for it panics.
#[test]
fn a_thread_locals_destructor_may_log() {
    struct Last(LogBridge);
    impl Drop for Last {
        fn drop(&mut self) {
            log(&self.0, Level::Info, 1);
        }
    }
    thread_local! {
        static LAST: std::cell::OnceCell<Last> = const { std::cell::OnceCell::new() };
    }
    let (_rig, written, bridge) = bridge(|layer| layer);
    std::thread::spawn(move || {
        // Ours is touched first, so that it goes last.
        LAST.with(|last| assert!(last.set(Last(bridge)).is_ok()));
        let context = obs_core::otel::Context::new();
        drop(context.attach());
    })
    .join()
    .expect("no panic");
    assert_eq!(written.lines().len(), 1);
}
