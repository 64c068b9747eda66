//! The outage, the other way round: nothing arrives, and every span is accounted for.

use crate::any::plain;
use crate::support::{SOON, dead, manual};
use obs_core::courier::{Capture, DropReason, Settings, Signal};
use obs_core::otel::KeyValue;
use obs_core::otel::logs::{Logger, LoggerProvider};
use obs_core::otel::trace::{Tracer, TracerProvider};
use obs_core::setup::environment::Environment;
use obs_core::{Delivery, Telemetry};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanProcessor};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn an_outage_loses_what_has_no_room_and_says_so_to_the_last_span() {
    outage(Delivery::through(dead()));
}

#[cfg(feature = "otlp")]
#[test]
fn and_so_it_does_where_connections_are_refused() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    outage(to(address));
}

#[cfg(feature = "otlp")]
#[test]
fn and_where_they_are_accepted_and_never_answered_on_a_runtime_with_one_thread() {
    // The kernel accepts; nobody else does.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async { outage(to(address)) });
}

#[cfg(feature = "otlp")]
fn to(address: std::net::SocketAddr) -> Delivery {
    Delivery::otlp(obs_core::courier::Destinations::below(&format!(
        "http://{address}"
    )))
}

/// 20,000 spans to a destination that is down, as in the table of the plain SDK's exporters: there all were lost, and a
/// shutdown said `Ok` or could not say what.
fn outage(delivery: Delivery) {
    const SPANS: u64 = 20_000;
    const ROOM: usize = 1 << 20;
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_delivery(delivery.with_settings(Settings::default().with_capacity_bytes(ROOM)))
        .build()
        .expect("usable");
    let processor = telemetry.span_processor();
    let tracers = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(processor.clone())
        .build();
    let tracer = tracers.tracer("outage");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..SPANS / 4 {
                    let attributes = [KeyValue::new("number", number as i64)];
                    let span = tracer.span_builder("call").with_attributes(attributes);
                    drop(span.start(&tracer));
                    let accounts = telemetry.accounts();
                    assert!(accounts.pending_bytes <= ROOM as u64);
                }
            });
        }
    });
    let check = || {
        // First what is on our side: what leaves it meanwhile is counted on the other one.
        let counts = processor.counts();
        assert_eq!(counts.created, SPANS);
        assert!(counts.is_balanced(), "{counts:?}");
        counts
    };
    check();
    let began = Instant::now();
    let deadline = Duration::from_millis(500);
    let told = tracers
        .shutdown_with_timeout(deadline)
        .expect_err("nothing was delivered");
    assert!(
        began.elapsed() < deadline + SOON / 2,
        "{:?}",
        began.elapsed()
    );
    let said = told.to_string();
    assert!(
        said.contains("still pending") && said.contains("lost"),
        "{said}"
    );
    let counts = check();
    assert_eq!((counts.handed_over, counts.waiting), (SPANS, 0));
    let account = *telemetry.accounts().of(Signal::Traces);
    assert!(account.is_balanced());
    assert_eq!(account.accepted, SPANS);
    assert_eq!(
        (account.delivered, account.pending + account.dropped.total()),
        (0, SPANS)
    );
    assert!(account.pending > 0 && account.dropped.by(DropReason::QueueFull) > 0);

    let told = telemetry
        .shutdown(Duration::from_millis(500))
        .expect_err("all is lost");
    assert!(told.lost() >= SPANS, "{told}");
    let book = telemetry.books().traces;
    assert_eq!((book.created, book.lost.total()), (SPANS, SPANS));
    assert!(book.is_balanced(), "{book:?}");
    let account = *telemetry.accounts().of(Signal::Traces);
    assert_eq!((account.pending, account.dropped.total()), (0, SPANS));
}

#[test]
fn what_waits_is_seen_and_leaves_with_the_collection() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let processor = telemetry.span_processor();
    for number in 0..10 {
        processor.on_end(plain(format!("{number}")));
    }
    assert_eq!(processor.counts().waiting, 10);
    let book = telemetry.books().traces;
    assert_eq!((book.created, book.pending), (10, 10));
    assert!(book.is_balanced(), "{book:?}");
    assert_eq!(telemetry.books().logs.pending, 0);
    assert_eq!(telemetry.counts().sdk_spans, 10);
    assert_eq!(telemetry.accounts().of(Signal::Traces).accepted, 0);
    telemetry.collect(SOON).expect("in time");
    assert_eq!(processor.counts().waiting, 0);
    assert_eq!(telemetry.accounts().of(Signal::Traces).accepted, 10);
}

#[test]
fn a_thread_of_ours_hands_over_what_no_call_asks_for() {
    let capture = Capture::new();
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_transport(capture.clone())
        .with_collect_interval(Duration::from_millis(5))
        .build()
        .expect("usable");
    let processor = telemetry.span_processor();
    processor.on_end(plain("one"));
    let until = Instant::now() + SOON;
    while telemetry.accounts().of(Signal::Traces).delivered == 0 {
        assert!(Instant::now() < until, "{:?}", processor.counts());
        thread::yield_now();
    }
}

#[test]
fn a_telemetry_that_exports_nothing_takes_nothing() {
    let nowhere = Telemetry::builder()
        .with_environment(Environment::default())
        .manual()
        .build()
        .expect("usable");
    let metrics_only = Telemetry::builder()
        .with_environment(Environment::default())
        .with_delivery(Delivery::through(dead()).only(&[Signal::Metrics]))
        .manual()
        .build()
        .expect("usable");
    for telemetry in [nowhere, metrics_only, Telemetry::noop()] {
        let processor = telemetry.span_processor();
        processor.on_end(plain("one"));
        assert_eq!(processor.counts(), Default::default());
        processor.force_flush().expect("nothing to wait for");
        processor.shutdown().expect("nothing was lost");
        assert!(processor.shutdown().is_err(), "once");
    }
}

#[test]
fn a_processor_dropped_without_a_shutdown_leaves_what_it_holds() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let processor = telemetry.span_processor();
    processor.on_end(plain("one"));
    drop(processor);
    assert_eq!(telemetry.counts().sdk_spans, 1);
    assert_eq!(telemetry.accounts().of(Signal::Traces).accepted, 1);
}

#[test]
fn an_unsampled_span_is_nobodys_loss() {
    let telemetry = manual(&Capture::new());
    let processor = telemetry.span_processor();
    let tracers = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOff)
        .with_span_processor(processor.clone())
        .build();
    tracers.tracer("off").in_span("off", |_| {});
    assert_eq!(processor.counts(), Default::default());
}

#[test]
fn all_that_was_counted_is_on_the_page() {
    let telemetry = manual(&Capture::new());
    let loggers = SdkLoggerProvider::builder()
        .with_log_processor(telemetry.log_processor())
        .build();
    let logger = loggers.logger("page");
    for _ in 0..3 {
        logger.emit(logger.create_log_record());
    }
    let page = telemetry.prometheus();
    let line = page
        .lines()
        .find(|known| known.starts_with("obs_telemetry_from_sdk_total"));
    assert!(
        line.is_some_and(|line| line.contains("logs") && line.ends_with(" 3")),
        "{page}"
    );
}
