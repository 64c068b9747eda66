//! A call site that shouts is held back, and it is told how often.

use crate::rig::{Logs, attribute};
use obs_core::logs::Flood;
use serde_json::Value;
use std::time::Duration;

fn flood(events: u32) -> Logs {
    Logs::with(|layer| {
        layer.with_flood(Flood::new(events, Duration::from_secs(1)).with_errors(events * 2))
    })
}

fn shout(times: u32) {
    for time in 0..times {
        tracing::info!(time, "again");
    }
}

fn told(lines: &[Value]) -> Vec<u64> {
    lines
        .iter()
        .filter_map(|line| line["obs.log.held_back"].as_u64())
        .collect()
}

#[test]
fn beyond_its_budget_a_call_site_is_held_back_and_others_are_not() {
    let logs = flood(3);
    logs.run(|| {
        shout(10);
        tracing::info!("another");
    });
    assert_eq!(logs.written.lines().len(), 4);
    assert_eq!(logs.records().len(), 4);
    assert_eq!(logs.rig.telemetry.counts().log_flood, 7);
}

#[test]
fn how_many_were_held_back_is_told_when_the_site_speaks_again() {
    let logs = flood(3);
    logs.run(|| shout(10));
    logs.rig.advance_ms(1_000);
    logs.run(|| shout(1));
    let lines = logs.written.lines();
    assert_eq!((lines.len(), told(&lines)), (5, vec![7]));
    assert_eq!(lines[3]["level"], "INFO");
    assert_eq!(lines[3]["target"], module_path!());
    assert_eq!(lines[3]["code.file.path"], file!());
    let records = logs.records();
    assert_eq!(attribute(&records[3], "obs.log.held_back"), Some(&7.into()));
    logs.rig.advance_ms(1_000);
    logs.run(|| shout(1));
    assert_eq!(told(&logs.written.lines()), [0; 0], "it is told once");
}

#[test]
fn it_is_told_when_another_site_speaks_or_a_collection_comes() {
    let logs = flood(3);
    logs.run(|| shout(5));
    logs.run(|| tracing::info!("another"));
    assert_eq!(
        told(&logs.written.lines()),
        [0; 0],
        "the interval is not over"
    );
    logs.rig.advance_ms(1_000);
    logs.run(|| tracing::info!("another"));
    assert_eq!(told(&logs.written.lines()), [2]);
    logs.run(|| shout(5));
    logs.rig.advance_ms(1_000);
    let records = logs.records();
    assert_eq!(told(&logs.written.lines()), [2]);
    let last = records.last().expect("a record");
    assert_eq!(attribute(last, "obs.log.held_back"), Some(&2.into()));
}

#[test]
fn shutdown_tells_of_what_is_held_back_in_the_midst_of_an_interval() {
    let logs = flood(3);
    logs.run(|| shout(5));
    logs.written.take();
    logs.rig
        .telemetry
        .shutdown(Duration::from_secs(5))
        .expect("nothing to wait for");
    assert_eq!(told(&logs.written.lines()), [2]);
}

#[test]
fn so_does_the_end_of_the_layer() {
    let logs = flood(3);
    let written = logs.written.clone();
    logs.run(|| shout(5));
    written.take();
    drop(logs);
    assert_eq!(told(&written.lines()), [2]);
}

#[test]
fn errors_have_a_budget_of_their_own() {
    let logs = flood(3);
    logs.run(|| {
        for _ in 0..10 {
            tracing::error!("again");
        }
    });
    assert_eq!(logs.written.lines().len(), 6);
}

#[test]
fn it_can_be_switched_off() {
    let logs = Logs::with(|layer| layer.with_flood(Flood::off()));
    logs.run(|| shout(5_000));
    assert_eq!(logs.written.lines().len(), 5_000);
}

#[test]
fn a_budget_of_nothing_lets_nothing_pass() {
    let logs = flood(0);
    logs.run(|| shout(5));
    logs.rig.advance_ms(1_000);
    logs.run(|| shout(5));
    let lines = logs.written.lines();
    assert_eq!(told(&lines).iter().sum::<u64>() as usize, 5, "{lines:#?}");
    assert_eq!(logs.rig.telemetry.counts().log_flood, 10);
}

/// Written, held back and told of: together everything that was logged.
#[test]
fn nothing_is_lost_silently_across_threads_and_windows() {
    const THREADS: u64 = 4;
    const EACH: u64 = 5_000;
    let logs = flood(100);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                logs.run(|| {
                    for round in 0..EACH {
                        tracing::info!(round, "again");
                        if round % 500 == 0 {
                            logs.rig.advance_ms(300);
                        }
                    }
                });
            });
        }
    });
    logs.rig
        .telemetry
        .shutdown(Duration::from_secs(5))
        .expect("nothing to wait for");
    let lines = logs.written.lines();
    let told: u64 = told(&lines).iter().sum();
    let passed = lines
        .iter()
        .filter(|line| line["message"] == "again")
        .count() as u64;
    assert_eq!(passed + told, THREADS * EACH);
    assert_eq!(told, logs.rig.telemetry.counts().log_flood);
    assert!(told > 0 && passed > 100);
}

#[cfg(feature = "log")]
#[test]
fn an_error_stays_an_error_when_there_are_too_many_call_sites() {
    use log::Log;
    use obs_core::Severity;
    const SITES: u32 = 9_000;
    let rig = crate::support::rig(true);
    let written = crate::rig::Written::default();
    let into = written.clone();
    let layer = obs_core::logs::LogLayer::new(&rig.telemetry)
        .with_lines(move || into.clone())
        .with_location(true)
        .with_flood(Flood::new(SITES, Duration::from_secs(1)));
    let bridge = layer.bridge();
    for number in 0..SITES {
        let record = log::Record::builder()
            .args(format_args!("failed"))
            .level(log::Level::Error)
            .target("many")
            .line(Some(number))
            .build();
        bridge.log(&record);
        let line = written.line();
        assert_eq!(line["level"], "ERROR", "{line}");
        assert_eq!(line["target"], "many", "{line}");
        assert_eq!(line["code.line.number"], number, "{line}");
    }
    for record in rig.events() {
        assert_eq!(record.severity, Severity::Error, "{record:?}");
    }
    // Together they have the budget of one, and are told of together.
    let layer = obs_core::logs::LogLayer::new(&rig.telemetry)
        .with_lines(std::io::sink)
        .with_flood(Flood::new(1, Duration::from_secs(1)));
    let bridge = layer.bridge();
    let before = rig.telemetry.counts().log_flood;
    for number in 0..SITES {
        let record = log::Record::builder()
            .args(format_args!("failed"))
            .target("many")
            .line(Some(number))
            .build();
        bridge.log(&record);
    }
    assert!(rig.telemetry.counts().log_flood > before);
}
