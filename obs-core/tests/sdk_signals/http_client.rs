//! The exporters of `opentelemetry-otlp`, with our client beneath them.

use crate::support::{SOON, decoded, manual, of, theirs};
use obs_core::Telemetry;
use obs_core::courier::{Capture, Signal};
use obs_core::encode::BODY_LIMIT;
use obs_core::otel::KeyValue;
use obs_core::otel::logs::{Logger, LoggerProvider};
use obs_core::otel::metrics::MeterProvider;
use obs_core::otel::trace::{Tracer, TracerProvider};
use obs_core::sdk::CourierHttpClient;
use opentelemetry_http::{Bytes, HttpClient, Request, Response};
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig,
    WithHttpConfig,
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use prost::Message;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn exporter(telemetry: &Telemetry) -> SpanExporter {
    SpanExporter::builder()
        .with_http()
        .with_http_client(telemetry.http_client())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint("http://localhost:1/v1/traces")
        .with_compression(Compression::Gzip)
        .build()
        .expect("usable")
}

fn batching(exporter: SpanExporter) -> SdkTracerProvider {
    let config = BatchConfigBuilder::default()
        .with_max_export_batch_size(512)
        .with_scheduled_delay(Duration::from_secs(3_600))
        .build();
    let processor = BatchSpanProcessor::builder(exporter)
        .with_batch_config(config)
        .build();
    SdkTracerProvider::builder()
        .with_resource(theirs())
        .with_span_processor(processor)
        .build()
}

/// What it answers: it waits for nothing, so it is ready at once.
fn answer(client: &CourierHttpClient, request: Request<Bytes>) -> Response<Bytes> {
    let mut answer = pin!(client.send_bytes(request));
    match answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(answer) => answer.expect("an answer, whatever it is"),
        Poll::Pending => panic!("it has nothing to wait for"),
    }
}

fn request(path: &str, kind: &str, encoding: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request =
        Request::post(format!("http://localhost:1{path}")).header("content-type", kind);
    if !encoding.is_empty() {
        request = request.header("content-encoding", encoding);
    }
    request.body(body.into()).expect("well formed")
}

#[test]
fn exporters_of_all_signals_are_answered_at_once_and_their_items_are_delivered() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let client = telemetry.http_client();
    let tracers = batching(exporter(&telemetry));
    for _ in 0..3 {
        tracers.tracer("t").in_span("span", |_| {});
    }
    tracers.force_flush().expect("answered");
    let logs = LogExporter::builder()
        .with_http()
        .with_http_client(client.clone())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint("http://localhost:1/v1/logs")
        .build()
        .expect("usable");
    let loggers = SdkLoggerProvider::builder()
        .with_batch_exporter(logs)
        .build();
    let logger = loggers.logger("l");
    logger.emit(logger.create_log_record());
    loggers.force_flush().expect("answered");
    let metrics = MetricExporter::builder()
        .with_http()
        .with_http_client(client.clone())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint("http://localhost:1/custom/v1/metrics/")
        .build()
        .expect("usable");
    let reader = PeriodicReader::builder(metrics)
        .with_interval(Duration::from_secs(3_600))
        .build();
    let meters = SdkMeterProvider::builder()
        .with_resource(theirs())
        .with_reader(reader)
        .build();
    let counter = meters.meter("m").u64_counter("c").build();
    counter.add(1, &[]);
    counter.add(1, &[KeyValue::new("k", 1)]);
    meters.force_flush().expect("answered");

    let counts = telemetry.counts();
    assert_eq!(
        (counts.sdk_spans, counts.sdk_log_records, counts.sdk_points),
        (3, 1, 2)
    );
    assert_eq!(counts.sdk_requests_refused, 0);
    telemetry.flush(SOON).expect("delivered");
    let batches = capture.take();
    let spans = of(Signal::Traces, batches.clone());
    assert_eq!(spans.iter().map(|batch| batch.items).sum::<u64>(), 3);
    let request: ExportTraceServiceRequest = decoded(&spans[0]);
    assert_eq!(request.resource_spans[0].schema_url, "url:resource");
    assert_eq!(request.resource_spans[0].scope_spans[0].spans.len(), 3);
    let logs: ExportLogsServiceRequest = decoded(&of(Signal::Logs, batches.clone())[0]);
    assert_eq!(logs.resource_logs[0].scope_logs[0].log_records.len(), 1);
    let metrics = of(Signal::Metrics, batches);
    let theirs = metrics.iter().map(decoded::<ExportMetricsServiceRequest>);
    let theirs = theirs.filter(|request| request.resource_metrics[0].schema_url == "url:resource");
    assert_eq!(theirs.count(), 1);
}

/// 512 spans of a prompt each are more than a gRPC server takes: the plain exporter would send them as one.
#[test]
fn a_batch_cut_by_number_leaves_in_bodies_cut_by_bytes() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let tracers = batching(exporter(&telemetry));
    let tracer = tracers.tracer("prompts");
    for number in 0..512 {
        let prompt = KeyValue::new("prompt", "x".repeat(16 << 10));
        drop(
            tracer
                .span_builder(format!("{number}"))
                .with_attributes([prompt])
                .start(&tracer),
        );
    }
    tracers.force_flush().expect("answered");
    telemetry.flush(SOON).expect("delivered");
    let batches = of(Signal::Traces, capture.take());
    assert!(batches.len() > 1);
    let mut names = Vec::new();
    for batch in &batches {
        assert!(batch.body.len() <= BODY_LIMIT);
        let request: ExportTraceServiceRequest = decoded(batch);
        let of = &request.resource_spans[0];
        assert_eq!(of.schema_url, "url:resource");
        assert_eq!(of.scope_spans[0].spans.len() as u64, batch.items);
        names.extend(of.scope_spans[0].spans.iter().map(|span| span.name.clone()));
    }
    let expect: Vec<String> = (0..512).map(|number| number.to_string()).collect();
    assert_eq!(names, expect);
}

#[test]
fn one_span_too_large_is_a_partial_success_and_alone_a_refusal() {
    let telemetry = manual(&Capture::new());
    let client = telemetry.http_client();
    let of = |lens: &[usize]| {
        use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
        let spans = lens.iter().map(|len| Span {
            name: "x".repeat(*len),
            ..Span::default()
        });
        let scope = ScopeSpans {
            spans: spans.collect(),
            ..ScopeSpans::default()
        };
        let of = ResourceSpans {
            scope_spans: vec![scope],
            ..ResourceSpans::default()
        };
        ExportTraceServiceRequest {
            resource_spans: vec![of],
        }
        .encode_to_vec()
    };
    let sent = |lens: &[usize]| {
        answer(
            &client,
            request("/v1/traces", "application/x-protobuf", "", of(lens)),
        )
    };
    let told = sent(&[10, BODY_LIMIT + 1, 20]);
    assert_eq!(told.status(), 200);
    let told = ExportTraceServiceResponse::decode(&**told.body()).expect("the official response");
    let told = told.partial_success.expect("told");
    assert_eq!(told.rejected_spans, 1);
    assert!(!told.error_message.is_empty());
    assert_eq!(sent(&[BODY_LIMIT + 1]).status(), 413);
    let counts = client.counts(Signal::Traces);
    assert_eq!(
        (counts.created, counts.too_large, counts.handed_over),
        (4, 2, 2)
    );
    assert!(counts.is_balanced());
    assert_eq!(telemetry.counts().sdk_spans_too_large, 2);
    assert_eq!(
        telemetry.counts().sdk_requests_refused,
        0,
        "all are counted by items"
    );
}

#[test]
fn what_cannot_be_read_is_refused_for_good_and_counted_as_a_request() {
    let telemetry = manual(&Capture::new());
    let client = telemetry.http_client();
    let protobuf = "application/x-protobuf";
    let cases = [
        (request("/v1/traces", "application/json", "", "{}"), 415),
        (request("/v1/traces", protobuf, "zstd", "?"), 415),
        (request("/v1/traces", protobuf, "gzip", "?"), 400),
        (request("/v1/traces", protobuf, "", "no protobuf"), 400),
        (request("/elsewhere", protobuf, "", ""), 404),
    ];
    let all = cases.len() as u64;
    for (request, status) in cases {
        assert_eq!(answer(&client, request).status(), status);
    }
    assert_eq!(telemetry.counts().sdk_requests_refused, all);
    assert_eq!(telemetry.accounts().total().accepted, 0);
    // One that the code names needs no path.
    let traces = client.for_signal(Signal::Traces);
    assert_eq!(
        answer(&traces, request("/elsewhere", protobuf, "", "")).status(),
        200
    );
}

#[test]
fn after_shutdown_an_exporter_is_told_and_its_spans_are_counted() {
    let telemetry = manual(&Capture::new());
    let tracers = batching(exporter(&telemetry));
    telemetry.shutdown(SOON).expect("nothing was lost");
    tracers.tracer("t").in_span("late", |_| {});
    tracers.force_flush().expect_err("refused");
    let counts = telemetry.counts();
    assert_eq!((counts.sdk_spans, counts.sdk_spans_after_shutdown), (1, 1));
}
