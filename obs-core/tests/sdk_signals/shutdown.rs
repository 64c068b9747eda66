//! Providers and telemetries end in any order, on any thread, and nobody waits for himself.

use crate::any::plain;
use crate::support::{SOON, dead, manual};
use obs_core::courier::{Capture, Sent, Signal};
use obs_core::otel::logs::{Logger, LoggerProvider};
use obs_core::otel::metrics::MeterProvider;
use obs_core::otel::trace::{Span, Tracer, TracerProvider};
use obs_core::setup::environment::Environment;
use obs_core::{Delivery, Telemetry};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanProcessor};
use std::time::{Duration, Instant};

fn threaded(capture: &Capture) -> Telemetry {
    Telemetry::builder()
        .with_environment(Environment::default())
        .with_transport(capture.clone())
        .build()
        .expect("usable")
}

/// What a service has: three providers on one telemetry.
struct Providers {
    tracers: SdkTracerProvider,
    loggers: SdkLoggerProvider,
    meters: SdkMeterProvider,
}

impl Providers {
    fn of(telemetry: &Telemetry) -> Self {
        let reader = PeriodicReader::builder(telemetry.metric_exporter())
            .with_interval(Duration::from_secs(3_600))
            .build();
        Self {
            tracers: SdkTracerProvider::builder()
                .with_span_processor(telemetry.span_processor())
                .build(),
            loggers: SdkLoggerProvider::builder()
                .with_log_processor(telemetry.log_processor())
                .build(),
            meters: SdkMeterProvider::builder().with_reader(reader).build(),
        }
    }

    fn record(&self) {
        self.tracers.tracer("t").in_span("span", |_| {});
        let logger = self.loggers.logger("l");
        logger.emit(logger.create_log_record());
        self.meters.meter("m").u64_counter("c").build().add(1, &[]);
    }

    fn shut_down(&self) {
        self.tracers.shutdown_with_timeout(SOON).expect("delivered");
        self.loggers.shutdown_with_timeout(SOON).expect("delivered");
        self.meters.shutdown_with_timeout(SOON).expect("delivered");
    }
}

#[track_caller]
fn delivered(telemetry: &Telemetry, signal: Signal) -> u64 {
    let account = *telemetry.accounts().of(signal);
    assert!(account.is_balanced());
    account.delivered
}

#[test]
fn providers_first_and_the_telemetry_goes_on_for_others() {
    for telemetry in [threaded(&Capture::new()), manual(&Capture::new())] {
        let (first, second) = (Providers::of(&telemetry), Providers::of(&telemetry));
        first.record();
        first.shut_down();
        for signal in [Signal::Traces, Signal::Logs] {
            assert_eq!(delivered(&telemetry, signal), 1);
        }
        assert!(!telemetry.is_shut_down());
        second.record();
        second.shut_down();
        for signal in [Signal::Traces, Signal::Logs] {
            assert_eq!(delivered(&telemetry, signal), 2);
        }
        telemetry.shutdown(SOON).expect("nothing was lost");
        assert!(delivered(&telemetry, Signal::Metrics) >= 2);
    }
}

#[test]
fn the_telemetry_first_and_what_comes_after_is_counted() {
    for telemetry in [threaded(&Capture::new()), manual(&Capture::new())] {
        let providers = Providers::of(&telemetry);
        providers.record();
        telemetry
            .shutdown(SOON)
            .expect("all that there was is delivered");
        for signal in [Signal::Traces, Signal::Logs] {
            assert_eq!(delivered(&telemetry, signal), 1);
        }
        providers.record();
        let counts = telemetry.counts();
        assert_eq!((counts.sdk_spans, counts.sdk_spans_after_shutdown), (2, 1));
        assert_eq!(
            (
                counts.sdk_log_records,
                counts.sdk_log_records_after_shutdown
            ),
            (2, 1)
        );
        let told = providers
            .tracers
            .shutdown_with_timeout(SOON)
            .expect_err("one was lost");
        assert!(told.to_string().contains("1 after shutdown"), "{told}");
        assert!(providers.loggers.shutdown_with_timeout(SOON).is_err());
        assert!(providers.meters.shutdown_with_timeout(SOON).is_err());
    }
}

#[test]
fn a_processor_made_after_the_shutdown_counts_too() {
    let telemetry = manual(&Capture::new());
    telemetry.shutdown(SOON).expect("nothing was lost");
    let processor = telemetry.span_processor();
    processor.on_end(plain("late"));
    assert_eq!(processor.counts().after_shutdown, 1);
}

#[test]
fn a_span_that_ends_after_its_providers_shutdown_is_counted() {
    let telemetry = manual(&Capture::new());
    let processor = telemetry.span_processor();
    processor.on_end(plain("in time"));
    processor.shutdown().expect("delivered");
    processor.on_end(plain("late"));
    let counts = processor.counts();
    assert_eq!((counts.handed_over, counts.after_shutdown), (1, 1));
    assert!(counts.is_balanced());
}

#[test]
fn a_flush_that_the_destination_does_not_answer_says_how_much_is_left() {
    let telemetry = threaded(&dead());
    let tracers = SdkTracerProvider::builder()
        .with_span_processor(telemetry.span_processor())
        .build();
    for _ in 0..7 {
        tracers.tracer("t").in_span("span", |_| {});
    }
    let began = Instant::now();
    let told = tracers
        .shutdown_with_timeout(Duration::from_millis(200))
        .expect_err("nobody answers");
    assert!(began.elapsed() < SOON);
    assert!(told.to_string().contains("7 items still pending"), "{told}");
}

#[test]
fn nobody_waits_for_himself_on_a_runtime_with_one_thread() {
    for telemetry in [threaded(&Capture::new()), manual(&Capture::new())] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let providers = Providers::of(&telemetry);
            providers.record();
            providers.tracers.force_flush().expect("delivered");
            providers.loggers.force_flush().expect("delivered");
            providers.meters.force_flush().expect("delivered");
            providers.shut_down();
        });
        telemetry.shutdown(SOON).expect("nothing was lost");
    }
}

#[test]
fn a_transport_that_ends_spans_of_the_same_provider_blocks_nobody() {
    let (spans, inner) = std::sync::mpsc::channel::<SdkTracerProvider>();
    let inner = std::sync::Mutex::new(inner);
    let capture = Capture::new().with_answer(move |_| {
        if let Ok(tracers) = inner.lock().expect("unbroken").try_recv() {
            let tracer = tracers.tracer("within");
            // In the suppressed scope of the delivery no span is recorded, and none waits for this thread.
            let mut span = tracer.start("within");
            span.end();
        }
        Sent::DELIVERED
    });
    let telemetry = threaded(&capture);
    let processor = telemetry.span_processor();
    let tracers = SdkTracerProvider::builder()
        .with_span_processor(processor.clone())
        .build();
    spans.send(tracers.clone()).expect("heard");
    tracers.tracer("t").in_span("span", |_| {});
    tracers.force_flush().expect("delivered");
    assert_eq!(processor.counts().created, 1);
}

#[test]
fn a_provider_waits_for_its_own_signal_and_fails_for_no_other() {
    let no_logs = || {
        Capture::new().with_answer(|batch| match batch.signal {
            Signal::Logs => Sent::retry("nobody listens"),
            _ => Sent::DELIVERED,
        })
    };
    let builder = || Telemetry::builder().with_environment(Environment::default());
    let one = || builder().with_transport(no_logs());
    let several = || {
        let logs = Delivery::through(dead()).only(&[Signal::Logs]);
        builder()
            .with_transport(Capture::new())
            .with_delivery(logs.named("logs"))
    };
    for builder in [one(), one().manual(), several(), several().manual()] {
        let telemetry = builder.build().expect("usable");
        let providers = Providers::of(&telemetry);
        providers.record();
        let moment = Duration::from_millis(20);
        let told = providers.loggers.shutdown_with_timeout(moment);
        assert!(told.is_err(), "nobody takes logs");
        providers.tracers.force_flush().expect("spans are taken");
        let began = Instant::now();
        let tracers = providers.tracers.shutdown_with_timeout(SOON);
        tracers.expect("spans are taken");
        let meters = providers.meters.shutdown_with_timeout(SOON);
        meters.expect("points are taken");
        assert!(began.elapsed() < SOON / 2);
        assert_eq!(telemetry.accounts().of(Signal::Traces).pending, 0);
        assert!(telemetry.flush(moment).is_err(), "logs are pending");
    }
}
