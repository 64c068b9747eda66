//! What is wrong is told: all of it, in order, to whoever asks and to whoever wants to be told.

use crate::support::builder;
use crate::{CALLS, environment};
use obs_core::courier::{Capture, Sent};
use obs_core::{Diagnostic, Error, Records, Subscriber, Telemetry};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

const LONG: Duration = Duration::from_secs(20);

/// Refuses everything.
fn refusing() -> Capture {
    Capture::new().with_answer(|_| Sent::Refused {
        why: "no such tenant".into(),
    })
}

fn conflict(telemetry: Telemetry) {
    telemetry.counter(&CALLS);
    telemetry.gauge(&CALLS);
}

const BAD: &[(&str, &str)] = &[
    ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
    ("OTEL_TRACES_SAMPLER", "coin"),
    ("OTEL_PROPAGATORS", "smoke"),
];

#[test]
fn warnings_are_those_of_set_up_in_order_and_then_those_that_came_later() {
    let telemetry = builder()
        .with_environment(environment(BAD))
        .manual()
        .build()
        .expect("usable");
    conflict(telemetry);
    let warnings = telemetry.warnings();
    let about = [
        "OTEL_METRIC_EXPORT_INTERVAL",
        "coin",
        "smoke",
        "`test.calls`",
    ];
    assert_eq!(warnings.len(), about.len(), "{warnings:#?}");
    for (warning, about) in warnings.iter().zip(about) {
        assert!(warning.contains(about), "{warning}");
    }
}

#[test]
fn a_telemetry_that_the_environment_disables_still_says_what_is_wrong_and_who_it_is() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = told.clone();
    let variables = [
        BAD,
        &[("OTEL_SDK_DISABLED", "true"), ("OTEL_SERVICE_NAME", "shop")],
    ]
    .concat();
    let telemetry = builder()
        .with_environment(environment(&variables))
        .with_diagnostics(move |diagnostic| hook.lock().unwrap().push(diagnostic.to_string()))
        .build()
        .expect("usable");
    assert_eq!(telemetry.warnings().len(), 3, "{:?}", telemetry.warnings());
    assert_eq!(*told.lock().unwrap(), telemetry.warnings());
    let name = telemetry
        .resource()
        .and_then(|resource| resource.get("service.name"));
    assert_eq!(name, Some(&"shop".into()));
    conflict(telemetry);
    assert_eq!(telemetry.warnings().len(), 3, "its instruments are inert");
    telemetry.shutdown(LONG).expect("nothing to deliver");
}

#[test]
fn the_last_problem_is_told_with_its_time() {
    for manual in [true, false] {
        let builder = builder().with_transport(refusing());
        let builder = if manual { builder.manual() } else { builder };
        let telemetry = builder.build().expect("usable");
        assert!(telemetry.last_problem().is_none());
        telemetry.counter(&CALLS).bind(&["p"]).add(1);
        let before = SystemTime::now();
        telemetry.flush(LONG).expect_err("refused");
        let problem = telemetry.last_problem().expect("it was refused");
        assert!(problem.message.contains("no such tenant"), "{problem:?}");
        let slack = Duration::from_millis(100);
        assert!(problem.at >= before - slack && problem.at <= SystemTime::now() + slack);
        assert_eq!(problem.count, 1);
    }
}

struct Fails;

impl Subscriber for Fails {
    fn on_records(&mut self, _: Records<'_>) {}

    fn flush(&mut self, _: Duration) -> Result<(), Error> {
        Err(Error::failed("the ledger is full"))
    }
}

#[test]
fn a_subscriber_that_fails_is_the_last_problem() {
    let telemetry = builder().manual().with_subscriber(Fails).build();
    let telemetry = telemetry.expect("usable");
    telemetry.flush(LONG).expect_err("it failed");
    let problem = telemetry.last_problem().expect("it failed");
    assert_eq!(problem.message, "the ledger is full");
}

#[test]
fn whoever_wants_to_hear_is_told_each_thing_once() {
    for manual in [true, false] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (hook, caller) = (told.clone(), std::thread::current().id());
        let builder = builder()
            .with_environment(environment(BAD))
            .with_transport(refusing())
            .with_diagnostics(move |diagnostic| {
                let kind = match diagnostic {
                    Diagnostic::Warning(_) => "warning",
                    Diagnostic::Problem(_) => "problem",
                    _ => "?",
                };
                assert!(manual || std::thread::current().id() != caller);
                hook.lock().unwrap().push((kind, diagnostic.to_string()));
            });
        let builder = if manual { builder.manual() } else { builder };
        let telemetry = builder.build().expect("usable");
        telemetry.counter(&CALLS).bind(&["p"]).add(1);
        telemetry.flush(LONG).expect_err("refused");
        conflict(telemetry);
        let begun = Instant::now();
        while told.lock().unwrap().len() < 5 {
            assert!(begun.elapsed() < LONG, "{told:?}");
            telemetry.collect(LONG).expect("in time");
        }
        let told = told.lock().unwrap();
        let warnings: Vec<_> = told.iter().filter(|(kind, _)| *kind == "warning").collect();
        assert_eq!(warnings.len(), 4, "{told:#?}");
        assert!(
            told.iter()
                .any(|(kind, text)| *kind == "problem" && text.contains("tenant"))
        );
        assert_eq!(telemetry.counts().panics, 0);
    }
}

#[test]
fn a_hook_that_panics_is_contained_and_counted() {
    let telemetry = builder()
        .with_environment(environment(BAD))
        .with_diagnostics(|_| panic!("on purpose"))
        .manual()
        .build()
        .expect("usable");
    telemetry.collect(LONG).expect("in time");
    assert_eq!(telemetry.counts().panics, 3);
}

/// It says what it is told, to a destination that refuses it.
#[cfg(feature = "tracing")]
#[test]
fn a_hook_that_logs_is_not_told_about_what_it_logged_for_ever() {
    use obs_core::courier::Signal;
    use obs_core::logs::LogLayer;
    use obs_core::{Body, Delivery, LogEvent};
    use std::sync::OnceLock;
    use tracing::dispatcher::{Dispatch, with_default};
    use tracing_subscriber::layer::SubscriberExt;
    let logger: Arc<OnceLock<Dispatch>> = Arc::default();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let (by, told) = (logger.clone(), heard.clone());
    let telemetry = builder()
        .with_delivery(Delivery::through(refusing()).only(&[Signal::Logs]))
        .with_diagnostics(move |diagnostic| {
            told.lock().unwrap().push(diagnostic.to_string());
            if let Some(logger) = by.get() {
                with_default(logger, || tracing::warn!("{diagnostic}"));
            }
        })
        .manual()
        .build()
        .expect("usable");
    let layer = LogLayer::new(&telemetry).with_lines(std::io::sink);
    let _ = logger.set(Dispatch::new(tracing_subscriber::registry().with(layer)));
    telemetry.emit(LogEvent::new("one", Body::Text("x".into())));
    for _ in 0..5 {
        telemetry.flush(LONG).ok();
    }
    let logs = telemetry.books().logs;
    assert_eq!(logs.created, 1, "{logs:?}; {heard:?}");
    assert!(!heard.lock().unwrap().is_empty() && telemetry.counts().log_nested > 0);
}
