//! What the official SDK sends through the official exporter is read back whole.

use crate::client::PATIENCE;
use obs_testing::{Kind, Receiver, TreeSpan, assert_tree, attrs};
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// The exporter's client over ureq, which blocks: the providers below export on a thread of theirs or on ours.
#[derive(Debug)]
struct Ureq(ureq::Agent);

#[async_trait::async_trait]
impl HttpClient for Ureq {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let response = self.0.run(Request::from_parts(parts, body.to_vec()))?;
        let (parts, mut body) = response.into_parts();
        Ok(Response::from_parts(
            parts,
            Bytes::from(body.read_to_vec()?),
        ))
    }
}

fn client() -> Ureq {
    Ureq(
        ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .build()
            .into(),
    )
}

fn resource() -> Resource {
    Resource::builder_empty()
        .with_attribute(KeyValue::new("service.name", "shop"))
        .build()
}

#[test]
fn spans_of_the_sdk_arrive() {
    let receiver = Receiver::start().unwrap();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client())
        .with_endpoint(format!("{}/v1/traces", receiver.endpoint()))
        .build()
        .unwrap();
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let tracer = provider.tracer("shop");
    let mut parent = tracer
        .span_builder("checkout")
        .with_kind(SpanKind::Server)
        .start(&tracer);
    parent.set_attribute(KeyValue::new("items", 3));
    parent.add_event("priced", vec![KeyValue::new("currency", "EUR")]);
    let parent = Context::new().with_span(parent);
    let mut child = tracer
        .span_builder("charge")
        .with_kind(SpanKind::Client)
        .start_with_context(&tracer, &parent);
    child.set_status(Status::error("declined"));
    child.end();
    parent.span().end();
    provider.force_flush().unwrap();

    assert!(receiver.wait_for(PATIENCE, |receiver| receiver.spans().len() == 2));
    let spans: Vec<TreeSpan> = receiver.spans().into_iter().map(TreeSpan::from).collect();
    let child = spans.iter().find(|span| span.kind == Kind::Client).unwrap();
    assert_eq!(child.parent_is_remote, Some(false), "the SDK tells");
    assert_eq!(
        receiver.spans()[0].resource_attr("service.name"),
        Some("shop".into())
    );
    assert_eq!(receiver.spans()[0].scope.name, "shop");
    assert_tree(
        receiver.tree(),
        r#"
        trace 1
          checkout [server]
            - items: 3
            * priced {currency: "EUR"}
            charge [client] error "declined"
        "#,
    );
    provider.shutdown().unwrap();
}

#[test]
fn metrics_of_the_sdk_arrive() {
    let receiver = Receiver::start().unwrap();
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(client())
        .with_endpoint(format!("{}/v1/metrics", receiver.endpoint()))
        .build()
        .unwrap();
    let provider = SdkMeterProvider::builder()
        .with_resource(resource())
        .with_periodic_exporter(exporter)
        .build();
    let meter = provider.meter("shop");
    let duration = meter
        .f64_histogram("duration")
        .with_unit("s")
        .with_boundaries(vec![1.0, 2.0, 4.0])
        .build();
    for value in [0.5, 1.5, 3.0, 9.0] {
        duration.record(value, &[KeyValue::new("route", "/a")]);
    }
    meter
        .u64_counter("orders")
        .build()
        .add(2, &[KeyValue::new("route", "/a")]);
    meter.i64_gauge("depth").build().record(-7, &[]);
    provider.force_flush().unwrap();

    let points = receiver.points();
    let duration = points
        .histogram("duration", &attrs!["route" => "/a"])
        .unwrap();
    assert_eq!((duration.count, duration.sum), (4, Some(14.0)));
    assert_eq!(duration.bucket_counts, [1, 1, 1, 1]);
    assert_eq!((duration.min, duration.max), (Some(0.5), Some(9.0)));
    assert_eq!(duration.quantile(0.5), Some(2.0));
    assert!(duration.start_ns > 0 && duration.time_ns >= duration.start_ns);
    assert_eq!(points.sum_by("orders", "route")["/a"], 2.0);
    assert_eq!(points.gauge("depth", &[]).unwrap().as_f64(), -7.0);
    provider.shutdown().unwrap();
}

#[test]
fn log_records_of_the_sdk_arrive() {
    let receiver = Receiver::start().unwrap();
    let exporter = LogExporter::builder()
        .with_http()
        .with_http_client(client())
        .with_endpoint(format!("{}/v1/logs", receiver.endpoint()))
        .build()
        .unwrap();
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let logger = provider.logger("shop");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Warn);
    record.set_body(AnyValue::from("out of stock"));
    record.add_attribute("item", 42);
    logger.emit(record);
    provider.force_flush().unwrap();

    let [record] = receiver.log_records().try_into().unwrap();
    assert_eq!(record.body(), Some("out of stock".into()));
    assert_eq!(record.attr("item"), Some(42.into()));
    assert_eq!(record.resource_attr("service.name"), Some("shop".into()));
    assert_eq!(
        (
            record.record.severity_number,
            record.trace_id(),
            record.span_id()
        ),
        (Severity::Warn as i32, 0, 0)
    );
    provider.shutdown().unwrap();
}
