//! Between the processors and the queues of destinations: what is cut for them, and what the books say meanwhile.

use crate::any::plain;
use crate::support::SOON;
use obs_core::courier::{Capture, Settings, Signal};
use obs_core::otel::KeyValue;
use obs_core::otel::metrics::MeterProvider;
use obs_core::setup::environment::Environment;
use obs_core::{Delivery, Telemetry};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SpanProcessor;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A destination that takes everything at once, and for which little may wait.
fn small(capture: &Capture, capacity: usize) -> Telemetry {
    Telemetry::builder()
        .with_environment(Environment::default())
        .with_delivery(
            Delivery::through(capture.clone())
                .with_settings(Settings::default().with_capacity_bytes(capacity)),
        )
        .manual()
        .build()
        .expect("usable")
}

#[test]
fn an_export_of_metrics_larger_than_a_small_queue_has_room_for_is_cut_for_it() {
    const SERIES: u64 = 1_500;
    let telemetry = small(&Capture::new(), 512 << 10);
    let reader = PeriodicReader::builder(telemetry.metric_exporter())
        .with_interval(Duration::from_secs(3_600))
        .build();
    let meters = SdkMeterProvider::builder().with_reader(reader).build();
    let counter = meters.meter("m").u64_counter("c").build();
    for number in 0..SERIES {
        let long = format!("{number}{}", "x".repeat(400));
        counter.add(1, &[KeyValue::new("k", long)]);
    }
    meters
        .force_flush()
        .expect("queued, at the cost of the oldest");
    telemetry.flush(SOON).expect("delivered");
    // In one body, for which there is no room, none would be.
    let account = *telemetry.accounts().of(Signal::Metrics);
    assert!(account.delivered > SERIES / 2, "{account:?}");
}

#[cfg(feature = "http-client")]
#[test]
fn a_request_of_an_exporter_is_cut_for_it_too_and_a_long_item_still_goes() {
    use opentelemetry_http::{Bytes, HttpClient, Request};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;
    use std::task::{Context, Waker};

    let capture = Capture::new();
    let telemetry = small(&capture, 512 << 10);
    let span = |bytes: usize| Span {
        name: "x".repeat(bytes),
        ..Span::default()
    };
    let spans = (0..1_000).map(|_| span(1_000)).chain([span(300_000)]);
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: spans.collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    let client = telemetry.http_client().for_signal(Signal::Traces);
    let request = Request::new(Bytes::from(request.encode_to_vec()));
    let mut answer = std::pin::pin!(client.send_bytes(request));
    let mut context = Context::from_waker(Waker::noop());
    assert!(answer.as_mut().poll(&mut context).is_ready());
    telemetry.flush(SOON).expect("the rest is delivered");
    let account = *telemetry.accounts().of(Signal::Traces);
    assert_eq!(account.accepted, 1_001);
    assert!(account.delivered > 100, "{account:?}");
    let taken = capture.take();
    let longest = taken.iter().map(|batch| batch.body.len()).max();
    assert!(longest.is_some_and(|bytes| bytes > 300_000));
}

#[test]
fn spans_of_several_threads_are_joined_to_no_more_than_a_small_queue_has_room_for() {
    let telemetry = small(&Capture::new(), 160 << 10);
    let processor = telemetry.span_processor();
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..100 {
                    let mut span = plain("span");
                    span.attributes.push(KeyValue::new("k", "x".repeat(900)));
                    processor.on_end(span);
                }
            });
        }
    });
    let _ = telemetry.flush(SOON);
    let account = *telemetry.accounts().of(Signal::Traces);
    assert!(account.delivered > 100, "{account:?}");
}

#[test]
fn books_count_each_span_once_while_threads_record_them() {
    const READS: usize = 500;
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_transport(Capture::new())
        .build()
        .expect("usable");
    let processor = telemetry.span_processor();
    let over = AtomicBool::new(false);
    let (mut wrong, mut last) = (0, 0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let mut span = plain("span");
                    span.attributes.push(KeyValue::new("k", "x".repeat(900)));
                    processor.on_end(span);
                }
            });
        }
        for _ in 0..READS {
            let books = telemetry.books();
            let now = books.traces.created;
            let is_right = last <= now && now <= processor.counts().created;
            wrong += usize::from(!is_right);
            last = now;
        }
        over.store(true, Ordering::SeqCst);
    });
    telemetry.flush(SOON).expect("delivered");
    assert_eq!(telemetry.books().traces.created, processor.counts().created);
    // Where a thread that moves spans is not let go on for long, a read is not of a moment.
    assert!(wrong <= READS / 100, "{wrong} of {READS}");
}
