//! What a service's own OpenTelemetry providers record beneath our layer arrives where our operation does, on the same way,
//! and as its child.

#[path = "tracing_span/world.rs"]
mod world;

use http::HeaderValue;
use obs_core::Telemetry;
use obs_core::courier::{Destinations, Signal};
use obs_core::otel::KeyValue;
use obs_core::otel::logs::{LogRecord as _, Logger, LoggerProvider};
use obs_core::otel::metrics::MeterProvider;
use obs_core::otel::trace::{SpanKind, Tracer, TracerProvider};
use obs_core::setup::environment::Environment;
use obs_http::HttpServerLayer;
use obs_testing::{AttrValue, Receiver};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tower::Layer;
use world::{Handler, ask, request};

const SOON: Duration = Duration::from_secs(60);
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn the_users_spans_records_and_points_arrive_with_our_operation_in_one_trace() {
    let receiver = Receiver::start().expect("a receiver");
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_service_name("shop")
        .with_otlp_to(Destinations::below(&receiver.endpoint()))
        .build()
        .expect("usable");
    let resource = telemetry.resource().expect("a telemetry").to_sdk();
    let tracers = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_span_processor(telemetry.span_processor())
        .build();
    let loggers = SdkLoggerProvider::builder()
        .with_resource(resource.clone())
        .with_log_processor(telemetry.log_processor())
        .build();
    let reader = PeriodicReader::builder(telemetry.metric_exporter())
        .with_interval(Duration::from_secs(3_600))
        .build();
    let meters = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_reader(reader)
        .build();

    let (tracer, logger) = (tracers.tracer("orders"), loggers.logger("orders"));
    let settled = meters.meter("orders").u64_counter("orders.settled").build();
    let handler = Handler(move || {
        let span = tracer.span_builder("settle").with_kind(SpanKind::Client);
        tracer.build_with_context(span, &obs_core::otel::Context::current());
        tracer.in_span("charge", |_| {
            let mut record = logger.create_log_record();
            record.set_event_name("order.charged");
            logger.emit(record);
        });
        settled.add(1, &[KeyValue::new("kind", "book")]);
    });
    let mut asked = request("/orders/7");
    let traceparent = HeaderValue::from_static(TRACEPARENT);
    asked.headers_mut().insert("traceparent", traceparent);
    ask(HttpServerLayer::new(&telemetry).layer(handler), asked);

    for ended in [
        tracers.shutdown_with_timeout(SOON),
        loggers.shutdown_with_timeout(SOON),
        meters.shutdown_with_timeout(SOON),
    ] {
        ended.expect("delivered");
    }
    telemetry.shutdown(SOON).expect("nothing was lost");

    let spans = receiver.spans();
    let named = |name: &str| {
        let mut found = spans.iter().filter(|span| span.name() == name);
        let first = found
            .next()
            .unwrap_or_else(|| panic!("no {name} in {spans:?}"));
        assert!(found.next().is_none(), "{name} came twice");
        first
    };
    assert_eq!(spans.len(), 3, "{spans:?}");
    let ours = named("GET");
    assert_eq!(ours.trace_id(), 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    assert_eq!(ours.parent_span_id(), Some(0xb7ad_6b71_6920_3331));
    for child in [named("settle"), named("charge")] {
        assert_eq!(child.trace_id(), ours.trace_id());
        assert_eq!(child.parent_span_id(), Some(ours.span_id()));
        assert_eq!(child.scope.name, "orders");
        let service = child.resource_attr("service.name");
        assert_eq!(service, Some(AttrValue::from("shop")));
        // Sampled; the parent is known not to be remote.
        assert_eq!(child.span.flags, 0x101);
    }
    let records = receiver.log_records();
    let charged = records
        .iter()
        .find(|known| known.record.event_name == "order.charged");
    let charged = charged.expect("arrived");
    assert_eq!(charged.trace_id(), ours.trace_id());
    assert_eq!(charged.span_id(), named("charge").span_id());
    assert!(format!("{:?}", receiver.points()).contains("orders.settled"));
    for signal in Signal::ALL {
        let account = *telemetry.accounts().of(signal);
        assert_eq!(
            (account.pending, account.dropped.total()),
            (0, 0),
            "{signal}"
        );
    }
}
