//! A text in every place of every signal that takes one. (The SDK makes no exemplars yet; they are written as points are.)

use crate::any::plain;
use crate::support::SOON;
use obs_core::Telemetry;
use obs_core::otel::logs::{AnyValue, LogRecord, Logger, LoggerProvider};
use obs_core::otel::metrics::MeterProvider;
use obs_core::otel::trace::{Event, Link, SpanContext, Status, TraceState};
use obs_core::otel::{Array, InstrumentationScope, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, PeriodicReader, SdkMeterProvider, Stream,
};
use opentelemetry_sdk::trace::{SpanData, SpanProcessor};
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

/// A text, and under which key it is said.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) key: &'static str,
    pub(super) text: String,
    /// Where there is no key, it is not said.
    pub(super) only_under_key: bool,
}

impl Said {
    fn pair(&self) -> KeyValue {
        KeyValue::new(self.key, self.text.clone())
    }

    fn list(&self) -> KeyValue {
        let texts: Vec<StringValue> = vec!["harmless".into(), self.text.clone().into()];
        let key = if self.only_under_key {
            self.key
        } else {
            "list"
        };
        KeyValue::new(key, Value::Array(Array::String(texts)))
    }

    /// Where a text has no key.
    fn bare(&self) -> String {
        match self.only_under_key {
            true => "bare".to_owned(),
            false => self.text.clone(),
        }
    }

    fn scope(&self) -> InstrumentationScope {
        InstrumentationScope::builder("scope")
            .with_version("1")
            .with_attributes([self.pair()])
            .build()
    }

    fn any(&self) -> AnyValue {
        AnyValue::String(self.text.clone().into())
    }

    /// The text in a map in a list.
    fn deep(&self) -> AnyValue {
        let key = if self.only_under_key {
            self.key
        } else {
            "inner"
        };
        let inner = HashMap::from([(Key::new(key), self.any()), ("n".into(), AnyValue::Int(7))]);
        AnyValue::ListAny(Box::new(vec![AnyValue::Map(Box::new(inner))]))
    }
}

/// Each text everywhere, through a provider's processors and a reader.
pub(super) fn say(telemetry: &Telemetry, all: &[Said]) {
    // Of one key there is one attribute in a resource: one provider for each.
    for said in all {
        let resource = Resource::builder_empty()
            .with_service_name("theirs")
            .with_attribute(said.pair())
            .build();
        let mut spans = telemetry.span_processor();
        spans.set_resource(&resource);
        spans.on_end(span(said));
        say_logs(telemetry, said, &resource);
        say_metrics(telemetry, said, resource);
    }
}

fn span(said: &Said) -> SpanData {
    let mut span = plain(said.bare());
    span.attributes = vec![said.pair(), said.list(), KeyValue::new("n", 7)];
    let attributes = vec![said.pair(), said.list()];
    let event = Event::new(said.bare(), SystemTime::now(), attributes.clone(), 0);
    span.events.events.push(event);
    let context = in_state(&span.span_context, said);
    span.links
        .links
        .push(Link::new(context.clone(), attributes, 0));
    span.span_context = context;
    span.status = Status::error(said.bare());
    span.instrumentation_scope = said.scope();
    span
}

/// With the text in its `tracestate`, if it may be there.
fn in_state(context: &SpanContext, said: &Said) -> SpanContext {
    let state = TraceState::from_key_value([("v", said.bare())]);
    SpanContext::new(
        context.trace_id(),
        context.span_id(),
        context.trace_flags(),
        context.is_remote(),
        state.unwrap_or_default(),
    )
}

fn say_logs(telemetry: &Telemetry, said: &Said, resource: &Resource) {
    let mut processor = telemetry.log_processor();
    processor.set_resource(resource);
    let loggers = SdkLoggerProvider::builder().build();
    let logger = loggers.logger("");
    let bytes = AnyValue::Bytes(Box::new(said.text.clone().into_bytes()));
    let key = if said.only_under_key {
        said.key
    } else {
        "bytes"
    };
    let map = HashMap::from([(Key::new(key), bytes.clone()), ("more".into(), said.deep())]);
    let bodies = [
        AnyValue::String(said.bare().into()),
        said.deep(),
        AnyValue::Map(Box::new(map)),
    ];
    for body in bodies {
        let mut record = logger.create_log_record();
        record.set_body(body);
        record.add_attribute(said.key, said.any());
        record.add_attribute("deep", said.deep());
        record.add_attribute(key, bytes.clone());
        let before = record.clone();
        processor.emit(&mut record, &said.scope());
        assert_eq!(record, before, "what comes after sees the same");
    }
}

fn say_metrics(telemetry: &Telemetry, said: &Said, resource: Resource) {
    let exponential = |instrument: &Instrument| {
        let aggregation = Aggregation::Base2ExponentialHistogram {
            max_size: 20,
            max_scale: 20,
            record_min_max: true,
        };
        let wanted = instrument.name() == "exponential";
        wanted.then(|| Stream::builder().with_aggregation(aggregation).build().ok())?
    };
    let reader = PeriodicReader::builder(telemetry.metric_exporter())
        .with_interval(Duration::from_secs(3_600))
        .build();
    let meters = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_view(exponential)
        .with_reader(reader)
        .build();
    let meter = meters.meter_with_scope(said.scope());
    let of = [said.pair(), said.list(), KeyValue::new("n", 7)];
    meter.u64_counter("counter").build().add(7, &of);
    meter.f64_gauge("gauge").build().record(7.0, &of);
    meter.f64_histogram("histogram").build().record(7.0, &of);
    meter.f64_histogram("exponential").build().record(7.0, &of);
    meters.force_flush().expect("queued");
    meters.shutdown_with_timeout(SOON).expect("delivered");
}
