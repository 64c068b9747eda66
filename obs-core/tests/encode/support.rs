//! Kinds, a telemetry that captures, and the oracle's side of attributes.

use obs_core::encode::{BODY_LIMIT, ResourceBytes, TraceEncoder};
use obs_core::otel::{Array, KeyValue, Value, trace::SpanKind};
use obs_core::{
    Builder, Clock, DURATION_BOUNDS, Descriptor, Event, Histogram, InFlight, Key, Label, LogEvent,
    ManualClock, Measure, Record, Records, SIZE_BOUNDS, Scope, Stage, StatsLevel, Subscriber,
    Telemetry, Values,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use prost::Message;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) static SCOPE: Scope = Scope {
    name: "obs-core.tests",
    version: "1.2.3",
    schema_url: "https://example.org/schemas/1.0.0",
};
pub(crate) static OTHER_SCOPE: Scope = Scope {
    name: "obs-core.tests.other",
    version: "",
    schema_url: "",
};

pub(crate) const METHODS: &[&str] = &["GET", "POST", "löschen"];
pub(crate) const ERRORS: &[&str] = &["connection_reset", "bad_gateway"];

const METHOD: Key = Key::new(&"test.method");
const ROUTE: Key = Key::new(&"test.route");
const STATUS: Key = Key::new(&"test.status_code");
const ERROR: Key = Key::new(&"error.type");
const REQUEST_SIZE: Key = Key::new(&"test.request.size");
const RESPONSE_SIZE: Key = Key::new(&"test.response.size");

pub(crate) static SERVER: Descriptor = Descriptor {
    name: "test.server",
    span_kind: SpanKind::Server,
    scope: &SCOPE,
    labels: &[
        Label {
            key: METHOD,
            values: Values::Closed(METHODS),
        },
        Label {
            key: ROUTE,
            values: Values::Open { cap: 8 },
        },
        Label {
            key: STATUS,
            values: Values::Number,
        },
        Label {
            key: ERROR,
            values: Values::Error,
        },
    ],
    method: Some(1),
    errors: ERRORS,
    duration: Some(Histogram {
        name: "test.server.duration",
        unit: "s",
        description: "How long it took.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[Stage {
        histogram: Histogram {
            name: "test.server.stage.duration",
            unit: "s",
            description: "",
            bounds: DURATION_BOUNDS,
        },
        attribute: Some((Key::new(&"stage"), "write")),
        from: Event::WRITE_START,
        to: Event::WRITE_FINISH,
        level: StatsLevel::Detailed,
        by_hand: false,
    }],
    measures: &[
        Measure {
            key: REQUEST_SIZE,
            histogram: Histogram {
                name: "test.server.request.size",
                unit: "By",
                description: "Size of requests.",
                bounds: SIZE_BOUNDS,
            },
        },
        Measure {
            key: RESPONSE_SIZE,
            histogram: Histogram {
                name: "test.server.response.size",
                unit: "By",
                description: "Size of \"responses\" \\ answers\nof all kinds.",
                bounds: SIZE_BOUNDS,
            },
        },
    ],
    quantities: &[],
    in_flight: Some(InFlight {
        name: "test.server.active",
        unit: "{request}",
        description: "Requests that run.",
        labels: 0b1,
    }),
    span_name: |record, name| {
        record.write_label(0, name);
        name.push(' ');
        record.write_label(1, name);
    },
};

pub(crate) static INTERNAL: Descriptor = INTERNAL_AGAIN;

/// The same once more, to be changed.
pub(crate) const INTERNAL_AGAIN: Descriptor = Descriptor {
    name: "test.internal",
    span_kind: SpanKind::Internal,
    scope: &OTHER_SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("internal"),
};

/// What a subscriber saw: for each record what `read` made of it, and the bodies that the encoder made.
#[derive(Debug)]
pub(crate) struct Captured<T> {
    pub(crate) records: Vec<T>,
    pub(crate) bodies: Vec<(Vec<u8>, u64)>,
    pub(crate) events: Vec<LogEvent>,
}

struct Capture<T> {
    into: Arc<Mutex<Captured<T>>>,
    read: fn(&Record<'_>) -> T,
    encoder: TraceEncoder,
}

impl<T: Send> Subscriber for Capture<T> {
    fn on_records(&mut self, records: Records<'_>) {
        // Not under the lock: what unwinds here must not poison it.
        let read = self.read;
        let said: Vec<T> = records.iter().map(|record| read(&record)).collect();
        let mut bodies = Vec::new();
        self.encoder.encode(records, &mut |body, items| {
            bodies.push((body.to_vec(), items));
        });
        let mut captured = self.into.lock().unwrap();
        captured.records.extend(said);
        captured.bodies.extend(bodies);
    }

    fn on_log_events(&mut self, events: &[LogEvent]) {
        self.into.lock().unwrap().events.extend_from_slice(events);
    }
}

/// Where a manual clock starts: 2026-01-01T00:00:00Z.
pub(crate) const START: u64 = 1_767_225_600_000_000_000;

/// A telemetry in manual mode, on a clock moved by hand, whose records are captured.
pub(crate) struct Bench<T> {
    pub(crate) telemetry: Telemetry,
    clock: ManualClock,
    waited: Cell<u64>,
    captured: Arc<Mutex<Captured<T>>>,
}

impl<T: Send + 'static> Bench<T> {
    pub(crate) fn new(build: impl FnOnce(Builder) -> Builder, read: fn(&Record<'_>) -> T) -> Self {
        Self::with_limit(BODY_LIMIT, build, read)
    }

    pub(crate) fn with_limit(
        limit: usize,
        build: impl FnOnce(Builder) -> Builder,
        read: fn(&Record<'_>) -> T,
    ) -> Self {
        let clock = ManualClock::new();
        let captured = Arc::new(Mutex::new(Captured {
            records: Vec::new(),
            bodies: Vec::new(),
            events: Vec::new(),
        }));
        let builder = Telemetry::builder()
            .manual()
            .with_clock(Clock::manual(&clock))
            .with_subscriber(Capture {
                into: captured.clone(),
                read,
                encoder: TraceEncoder::new(&resource()).with_limit(limit),
            });
        Self {
            telemetry: build(builder).build().expect("valid settings"),
            clock,
            waited: Cell::new(0),
            captured,
        }
    }

    /// The time of the clock that this bench moves.
    pub(crate) fn unix_nanos(&self) -> u64 {
        START + self.waited.get()
    }

    pub(crate) fn advance(&self, nanos: u64) {
        self.clock.advance(Duration::from_nanos(nanos));
        self.waited.set(self.waited.get() + nanos);
    }

    /// What ended since the last call.
    pub(crate) fn collect(&self) -> Captured<T> {
        self.telemetry
            .collect(Duration::from_secs(10))
            .expect("manual mode collects at once");
        let mut captured = self.captured.lock().unwrap();
        Captured {
            records: std::mem::take(&mut captured.records),
            bodies: std::mem::take(&mut captured.bodies),
            events: std::mem::take(&mut captured.events),
        }
    }
}

pub(crate) fn resource_attributes() -> Vec<KeyValue> {
    vec![
        KeyValue::new("service.name", "tests"),
        KeyValue::new("process.pid", 7_i64),
    ]
}

pub(crate) const RESOURCE_SCHEMA: &str = "https://example.org/schemas/resource";

pub(crate) fn resource() -> ResourceBytes {
    let attributes = resource_attributes();
    let pairs = attributes.iter().map(|pair| (&pair.key, &pair.value));
    ResourceBytes::new(pairs, Some(RESOURCE_SCHEMA))
}

/// Decodes with the oracle. That it encodes what it decoded to the same bytes shows that nothing was unknown to it,
/// twice, out of order or longer than needed.
#[track_caller]
pub(crate) fn decode<M: Message + Default>(body: &[u8]) -> M {
    let message = M::decode(body).expect("valid protobuf");
    assert!(message.encode_to_vec() == body, "not canonical");
    message
}

/// Attributes as decoded, each key once.
#[track_caller]
pub(crate) fn attributes(
    decoded: &[opentelemetry_proto::tonic::common::v1::KeyValue],
) -> BTreeMap<String, AnyValue> {
    let mut all = BTreeMap::new();
    for pair in decoded {
        let value = pair.value.clone().expect("a value");
        let before = all.insert(pair.key.clone(), value);
        assert!(before.is_none(), "twice: {}", pair.key);
    }
    all
}

/// What the oracle must have decoded where a value of OpenTelemetry's API was set.
pub(crate) fn wire(value: &Value) -> AnyValue {
    use any_value::Value as Any;
    let list = |values: Vec<Any>| {
        Any::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue {
            values: values
                .into_iter()
                .map(|value| AnyValue { value: Some(value) })
                .collect(),
        })
    };
    let value = match value {
        Value::Bool(value) => Any::BoolValue(*value),
        Value::I64(value) => Any::IntValue(*value),
        Value::F64(value) => Any::DoubleValue(*value),
        Value::String(text) => Any::StringValue(text.as_str().into()),
        Value::Array(Array::Bool(all)) => list(all.iter().map(|v| Any::BoolValue(*v)).collect()),
        Value::Array(Array::I64(all)) => list(all.iter().map(|v| Any::IntValue(*v)).collect()),
        Value::Array(Array::F64(all)) => list(all.iter().map(|v| Any::DoubleValue(*v)).collect()),
        Value::Array(Array::String(all)) => list(
            all.iter()
                .map(|v| Any::StringValue(v.as_str().into()))
                .collect(),
        ),
        other => panic!("a value the tests do not know: {other:?}"),
    };
    AnyValue { value: Some(value) }
}

pub(crate) fn wire_pairs(pairs: &[KeyValue]) -> Vec<(String, AnyValue)> {
    pairs
        .iter()
        .map(|pair| (pair.key.as_str().to_owned(), wire(&pair.value)))
        .collect()
}
