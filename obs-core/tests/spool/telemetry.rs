//! The spool of a telemetry: a destination of its own, shutdown, and what the next process finds.

use std::time::{Duration, Instant};

use obs_core::courier::{Batch, Capture, Courier, Sent, Settings, Signal, SpoolSettings};
use obs_core::{Delivery, Labels, Outcome, Parent, Telemetry};

use super::{Scratch, refusing, soon, support};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn what_one_telemetry_could_not_deliver_the_next_one_does() {
    for manual in [true, false] {
        let scratch = Scratch::new();
        let spooled = |transport| {
            let settings = Settings::default().with_spool(SpoolSettings::at(scratch.path("spool")));
            let builder = support::builder().with_sampler(support::sampler(true));
            let builder =
                builder.with_delivery(Delivery::through(transport).with_settings(settings));
            let builder = if manual { builder.manual() } else { builder };
            builder.build().expect("usable")
        };
        let first = spooled(refusing());
        let kind = first.kind(&support::WORK);
        for _ in 0..100 {
            kind.start(Labels::NONE, Parent::Root)
                .end(Outcome::ANSWERED);
        }
        first.shutdown(PATIENCE).expect("kept is not lost");
        let account = first.accounts();
        assert_eq!((account.traces.pending, account.traces.spooled), (100, 100));
        assert!(account.metrics.spooled > 0);

        let capture = Capture::new();
        let second = spooled(capture.clone());
        // In manual mode the first flush opens the spool, and sends what is in it.
        second.flush(PATIENCE).expect("delivered");
        second.shutdown(PATIENCE).expect("nothing was lost");
        let account = second.accounts();
        assert_eq!(
            (account.traces.recovered, account.traces.delivered),
            (100, 100)
        );
        assert_eq!(account.total().pending, 0);
        let spans: u64 = capture
            .take()
            .iter()
            .map(|batch| match batch.signal {
                Signal::Traces => batch.items,
                _ => 0,
            })
            .sum();
        assert_eq!(spans, 100);
    }
}

#[test]
fn what_is_on_disk_and_what_failed_there_is_exported() {
    let scratch = Scratch::new();
    let directory = scratch.path("spool");
    std::fs::write(&directory, "in the way").expect("written");
    let spool = SpoolSettings::at(&directory).with_patience(Duration::ZERO);
    let settings = Settings::default().with_spool(spool);
    let telemetry = support::builder()
        .with_sampler(support::sampler(true))
        .with_delivery(Delivery::through(refusing()).with_settings(settings))
        .manual()
        .build()
        .expect("usable");
    let kind = telemetry.kind(&support::WORK);
    let shown = |name: &str| -> Option<f64> {
        let page = telemetry.prometheus();
        let line = page.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    };
    kind.start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    telemetry
        .flush(Duration::from_millis(10))
        .expect_err("nobody takes it");
    let errors = r#"obs_telemetry_anomalies_total{obs_anomaly="spool_error"}"#;
    assert_eq!(shown(errors), Some(1.0), "{}", telemetry.prometheus());
    assert_eq!(shown("obs_telemetry_spooled_bytes"), None);
    let problem = telemetry.last_problem().expect("told").message;
    assert!(problem.contains("refused"), "{problem}");
    std::fs::remove_file(&directory).expect("removed");
    // The directory is looked for again after a second at the latest.
    let deadline = Instant::now() + PATIENCE;
    while telemetry.accounts().spooled_bytes == 0 {
        assert!(Instant::now() < deadline, "{}", telemetry.prometheus());
        telemetry
            .flush(Duration::from_millis(50))
            .expect_err("nobody takes it");
    }
    let spooled = telemetry.accounts().spooled_bytes as f64;
    assert_eq!(shown("obs_telemetry_spooled_bytes"), Some(spooled));
    telemetry.shutdown(PATIENCE).expect("kept is not lost");
}

/// One with so many destinations, which all refuse, and spools below this directory.
fn refused_by(several: usize, scratch: &Scratch, manual: bool) -> Telemetry {
    let mut builder = support::builder().with_sampler(support::sampler(true));
    for number in 0..several {
        let spool = SpoolSettings::at(scratch.path(&format!("spool-{number}")));
        let settings = Settings::default().with_spool(spool);
        builder = builder.with_delivery(Delivery::through(refusing()).with_settings(settings));
    }
    let builder = if manual { builder.manual() } else { builder };
    let telemetry = builder.build().expect("usable");
    let kind = telemetry.kind(&support::WORK);
    for _ in 0..100 {
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
    }
    telemetry
}

#[test]
fn a_shutdown_does_not_wait_for_destinations_that_all_refuse_once_all_is_on_disk() {
    for manual in [true, false] {
        let scratch = Scratch::new();
        let telemetry = refused_by(2, &scratch, manual);
        let began = Instant::now();
        telemetry.shutdown(PATIENCE).expect("kept is not lost");
        let took = began.elapsed();
        assert!(took < PATIENCE / 2, "{took:?}");
        assert_eq!(telemetry.accounts().traces.spooled, 200);
    }
}

#[test]
fn disks_that_hang_cost_a_shutdown_one_moment_and_not_one_each() {
    let scratch = Scratch::new();
    for number in 0..8 {
        let spool = scratch.path(&format!("spool-{number}"));
        std::fs::create_dir_all(&spool).expect("made");
        // Whoever opens it waits for somebody at its other end.
        let pipe = std::process::Command::new("mkfifo")
            .arg(spool.join("traces.cursor"))
            .status();
        assert!(pipe.is_ok_and(|made| made.success()));
    }
    let telemetry = refused_by(8, &scratch, false);
    let deadline = Duration::from_secs(1);
    let began = Instant::now();
    let lost = telemetry.shutdown(deadline).expect_err("no disk takes it");
    let took = began.elapsed();
    assert_eq!(lost.losses().traces.total(), 800, "{lost}");
    assert!(took < deadline + Duration::from_millis(300), "{took:?}");
}

#[test]
fn what_was_found_of_a_signal_that_a_destination_no_longer_takes_is_in_the_books() {
    let scratch = Scratch::new();
    let settings = Settings::default().with_spool(SpoolSettings::at(scratch.path("spool")));
    let before = Courier::new(refusing(), settings.clone());
    for (signal, items) in [(Signal::Traces, 5), (Signal::Logs, 7)] {
        let batch = Batch::new(signal, vec![0; 100], items);
        before.outbox().push(batch);
    }
    before.shutdown(soon()).expect("kept is not lost");

    let answers = |batch: &Batch| match batch.signal {
        Signal::Logs => Sent::refused("never"),
        _ => Sent::DELIVERED,
    };
    let delivery = Delivery::through(Capture::new().with_answer(answers));
    let telemetry = support::builder()
        .with_delivery(delivery.only(&[Signal::Traces]).with_settings(settings))
        .manual()
        .build()
        .expect("usable");
    telemetry.flush(PATIENCE).expect_err("logs are refused");
    let books = telemetry.books();
    assert!(books.is_balanced(), "{books:?}");
    assert_eq!((books.traces.created, books.traces.delivered), (5, 5));
    assert_eq!((books.logs.created, books.lost().logs.total()), (7, 7));
    let lost = telemetry.shutdown(PATIENCE).expect_err("logs were refused");
    assert_eq!(lost.lost(), 7, "{lost}");
}

#[test]
fn two_destinations_of_one_spool_are_refused_before_one_is_sent_what_was_the_others() {
    let scratch = Scratch::new();
    let to = |name: &str, directory: &str, transport| {
        let spool = SpoolSettings::at(scratch.path(directory)).with_patience(Duration::ZERO);
        Delivery::through(transport)
            .named(name)
            .with_settings(Settings::default().with_spool(spool))
    };
    let built = |one: Delivery, two: Delivery| {
        let builder = support::builder().with_delivery(one);
        builder.with_delivery(two).manual().build()
    };
    let refused = built(
        to("a", "same", Capture::new()),
        to("b", "./same/", Capture::new()),
    );
    let error = refused.expect_err("one spool, one destination");
    assert!(error.is_configuration(), "{error}");
    built(
        to("a", "one", Capture::new()),
        to("b", "other", Capture::new()),
    )
    .expect("each has its own");
}
