//! The oracle for spans: what `opentelemetry-proto` makes of the same `SpanData`.

use crate::any::{plain, span};
use crate::support::{built, decoded, manual, theirs};
use obs_core::Telemetry;
use obs_core::courier::Capture;
use obs_core::encode::BODY_LIMIT;
use obs_core::otel::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Status};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::{SpanData, SpanProcessor};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

/// What the processor exports of these spans, as one request.
fn exported(spans: Vec<SpanData>) -> Vec<ResourceSpans> {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let mut processor = telemetry.span_processor();
    processor.set_resource(&theirs());
    let sampled = spans.iter().filter(|span| span.span_context.is_sampled());
    let sampled = sampled.count() as u64;
    for span in spans {
        processor.on_end(span);
    }
    assert_eq!(processor.counts().created, sampled);
    telemetry
        .flush(Duration::from_secs(60))
        .expect("a destination that takes everything");
    let batches = crate::support::of(obs_core::courier::Signal::Traces, capture.take());
    assert_eq!(
        batches.iter().map(|batch| batch.items).sum::<u64>(),
        sampled
    );
    batches
        .iter()
        .flat_map(|batch| decoded::<ExportTraceServiceRequest>(batch).resource_spans)
        .collect()
}

fn official(spans: Vec<SpanData>) -> Vec<ResourceSpans> {
    let resource = ResourceAttributesWithSchema::from(&theirs());
    group_spans_by_resource_and_scope(spans, &resource)
}

/// To a decoder an unset status and none are the same; scopes have no order.
fn normal(requests: Vec<ResourceSpans>) -> Vec<ResourceSpans> {
    let mut all: Vec<ResourceSpans> = Vec::new();
    // Long spans are more than one request.
    for mut request in requests {
        let known = { all.iter_mut() }.find(|known| {
            (&known.resource, &known.schema_url) == (&request.resource, &request.schema_url)
        });
        let Some(known) = known else {
            all.push(request);
            continue;
        };
        for mut scope in request.scope_spans.drain(..) {
            let same = { known.scope_spans.iter_mut() }
                .find(|same| (&same.scope, &same.schema_url) == (&scope.scope, &scope.schema_url));
            match same {
                Some(same) => same.spans.append(&mut scope.spans),
                None => known.scope_spans.push(scope),
            }
        }
    }
    for resource in &mut all {
        let spans = |scope: &mut ScopeSpans| {
            for span in &mut scope.spans {
                span.status.get_or_insert_with(Status::default);
            }
        };
        resource.scope_spans.iter_mut().for_each(spans);
        resource
            .scope_spans
            .sort_by_key(|scope| format!("{:?}", (&scope.scope, &scope.schema_url)));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn spans_are_what_the_official_conversion_makes_of_them(spans in vec(span(), 1..5)) {
        let sampled = spans.iter().filter(|span| span.span_context.is_sampled());
        let sampled: Vec<SpanData> = sampled.cloned().collect();
        let expect = if sampled.is_empty() { Vec::new() } else { official(sampled) };
        prop_assert_eq!(normal(exported(spans)), normal(expect));
    }
}

#[test]
fn many_spans_of_many_scopes_are_cut_into_bodies_and_none_is_missing() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let processor = telemetry.span_processor();
    // A prime number of scopes, so that every cut begins with another one; texts that fill several bodies.
    let mut sent = 0;
    while sent < 12 * BODY_LIMIT / 10 / 1_000 {
        let mut span = plain(format!("{sent}"));
        span.attributes
            .push(KeyValue::new("text", "x".repeat(1_000)));
        let name = format!("scope {}", sent % 7);
        span.instrumentation_scope = InstrumentationScope::builder(name).build();
        processor.on_end(span);
        sent += 1;
    }
    telemetry.flush(Duration::from_secs(60)).expect("taken");
    let batches = crate::support::of(obs_core::courier::Signal::Traces, capture.take());
    assert!(batches.len() > 1);
    let mut seen = vec![0; sent];
    for batch in &batches {
        assert!(batch.body.len() <= BODY_LIMIT);
        let request: ExportTraceServiceRequest = decoded(batch);
        let mut items = 0;
        for scope in request.resource_spans.iter().flat_map(|of| &of.scope_spans) {
            let name = &scope.scope.as_ref().expect("written").name;
            for span in &scope.spans {
                let number: usize = span.name.parse().expect("a number");
                assert_eq!(*name, format!("scope {}", number % 7));
                seen[number] += 1;
                items += 1;
            }
        }
        assert_eq!(items, batch.items);
    }
    assert!(seen.iter().all(|times| *times == 1));
}

#[test]
fn a_span_that_no_request_has_room_for_is_dropped_and_counted_and_the_next_is_not() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let processor = telemetry.span_processor();
    for len in [BODY_LIMIT, 2 * BODY_LIMIT, 3 << 20, 1] {
        let mut span = plain(format!("{len}"));
        span.attributes.push(KeyValue::new("text", "x".repeat(len)));
        processor.on_end(span);
    }
    let counts = processor.counts();
    assert_eq!((counts.created, counts.too_large), (4, 2));
    assert!(counts.is_balanced(), "{counts:?}");
    telemetry.flush(Duration::from_secs(60)).expect("taken");
    let batches = crate::support::of(obs_core::courier::Signal::Traces, capture.take());
    assert_eq!(batches.iter().map(|batch| batch.items).sum::<u64>(), 2);
    assert!(batches.iter().all(|batch| batch.body.len() <= BODY_LIMIT));
    let counts = telemetry.counts();
    assert_eq!((counts.sdk_spans, counts.sdk_spans_too_large), (4, 2));
    let book = telemetry.books().traces;
    assert_eq!((book.created, book.delivered, book.lost.total()), (4, 2, 2));
    assert!(book.is_balanced(), "{book:?}");
}

#[test]
fn a_scope_that_would_fill_a_body_costs_its_spans_and_no_others() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let processor = telemetry.span_processor();
    for len in [1 << 20, 3] {
        let mut span = plain("span");
        span.instrumentation_scope = InstrumentationScope::builder("x".repeat(len)).build();
        processor.on_end(span);
    }
    telemetry.flush(Duration::from_secs(60)).expect("taken");
    assert_eq!(processor.counts().too_large, 1);
    assert_eq!(
        telemetry
            .accounts()
            .of(obs_core::courier::Signal::Traces)
            .delivered,
        1
    );
}

#[test]
fn a_processor_of_a_telemetry_that_exports_no_spans_is_warned_about() {
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let recorder = obs_core::Recorder::sdk(provider);
    let telemetry = built(&Capture::new(), |builder| builder.with_recorder(recorder));
    let warned = |telemetry: &Telemetry| {
        let warnings = telemetry.warnings();
        warnings.iter().any(|it| it.contains("`span_processor`"))
    };
    assert!(!warned(&telemetry));
    telemetry.span_processor().on_end(plain("span"));
    assert!(warned(&telemetry), "it is lost, and must not be silently");
    #[cfg(feature = "http-client")]
    {
        use opentelemetry_http::{Bytes, HttpClient, Request};
        let client = telemetry
            .http_client()
            .for_signal(obs_core::courier::Signal::Traces);
        drop(client.send_bytes(Request::new(Bytes::new())));
        assert!(
            telemetry
                .warnings()
                .iter()
                .any(|it| it.contains("`http_client`"))
        );
    }
    let flat = manual(&Capture::new());
    flat.span_processor().on_end(plain("span"));
    assert!(!warned(&flat));
}
