//! Our background per exported span: the same operations collected, with a subscriber that encodes them and one that
//! does not.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use obs_core::{
    Builder, ContextMode, Descriptor, Event, Key, Kind, Label, LabelId, Labels, Outcome, Parent,
    Records, Scope, StatsLevel, Subscriber, Telemetry, Values,
    encode::{ResourceBytes, TraceEncoder},
    otel::{KeyValue, trace::SpanKind},
    sampling::HeadSampler,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::sdk::same;
use crate::harness::pair::Pair;

/// Spans in one request to the collector, as for the SDK.
const BATCH: usize = 128;

/// The span of `peers_recording`: five labels, three attributes.
static SPAN: Descriptor = Descriptor {
    name: "bench.server",
    span_kind: SpanKind::Server,
    scope: &Scope {
        name: "obs-benches",
        version: "0",
        schema_url: "",
    },
    labels: &[
        Label {
            key: Key::new(&"http.request.method"),
            values: Values::Closed(&["GET"]),
        },
        Label {
            key: Key::new(&"http.route"),
            values: Values::Open { cap: 16 },
        },
        Label {
            key: Key::new(&"http.response.status_code"),
            values: Values::Number,
        },
        Label {
            key: Key::new(&"url.scheme"),
            values: Values::Closed(&["https"]),
        },
        Label {
            key: Key::new(&"network.protocol.version"),
            values: Values::Closed(&["1.1"]),
        },
    ],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("GET /v1/models/{model}"),
};

const SERVER_ADDRESS: Key = Key::new(&"server.address");
const SERVER_PORT: Key = Key::new(&"server.port");
const URL_PATH: Key = Key::new(&"url.path");

const EVENTS: [Event; 13] = [
    Event::READ_START,
    Event::READ_FINISH,
    Event::DECODE_START,
    Event::DECODE_FINISH,
    Event::SERVER_HANDLE_START,
    Event::CLIENT_CONN_START,
    Event::CLIENT_CONN_FINISH,
    Event::WAIT_READ_START,
    Event::WAIT_READ_FINISH,
    Event::SERVER_HANDLE_FINISH,
    Event::ENCODE_START,
    Event::ENCODE_FINISH,
    Event::WRITE_FINISH,
];

/// Records to OTLP bytes, per span of eight attributes and `COUNT` events.
pub(crate) fn spans<const COUNT: usize>() -> Pair {
    let bytes = Arc::new(Mutex::new(Encoded::default()));
    let resource = [KeyValue::new("service.name", "bench")];
    let encoder = TraceEncoder::new(&ResourceBytes::new(
        resource.iter().map(|pair| (&pair.key, &pair.value)),
        None,
    ));
    let bare = manual().build().expect("the settings are valid");
    let with = manual()
        .with_subscriber(Encode {
            encoder,
            into: bytes.clone(),
        })
        .build()
        .expect("the settings are valid");
    Pair::new(batches(bare, COUNT), batches(with, COUNT))
        .with_per_call(BATCH as u64)
        .with_burst(10)
        .with_account(move |calls| {
            let encoded = lock(&bytes);
            same("spans encoded", encoded.spans, calls * BATCH as u64)?;
            encoded.check(COUNT)?;
            Ok(format!(
                "{} spans, {} bytes each",
                encoded.spans,
                encoded.first.len() / BATCH
            ))
        })
}

/// Nothing in the background but what the calls do themselves.
fn manual() -> Builder {
    Telemetry::builder()
        .manual()
        .with_level(StatsLevel::Detailed)
        .with_sampler(HeadSampler::always_on())
        .with_context_mode(ContextMode::Off)
}

fn batches(telemetry: Telemetry, events: usize) -> impl FnMut() + 'static {
    let kind = telemetry.kind(&SPAN);
    let labels = Labels::NONE
        .with(0, LabelId::closed(0))
        .with(1, kind.label(1, "/v1/models/{model}"))
        .with(2, LabelId::number(200))
        .with(3, LabelId::closed(0))
        .with(4, LabelId::closed(0));
    move || {
        for _ in 0..BATCH {
            operation(kind, labels, events);
        }
        telemetry
            .collect(Duration::from_secs(10))
            .expect("nothing is in the way");
    }
}

fn operation(kind: &'static Kind, labels: Labels, events: usize) {
    let mut operation = kind.start(labels, Parent::Root);
    if let Some(mut active) = operation.active() {
        active.set_static(SERVER_ADDRESS, "models.example.com");
        active.set(SERVER_PORT, 443_i64);
        active.set(URL_PATH, std::hint::black_box("/v1/models/llama-3-8b"));
    }
    EVENTS
        .into_iter()
        .take(events)
        .for_each(|event| operation.stamp(event));
    operation.end(Outcome::ANSWERED);
}

#[derive(Debug, Default)]
struct Encoded {
    spans: u64,
    /// The first body, decoded when accounts are settled.
    first: Vec<u8>,
}

impl Encoded {
    /// By the official definitions: each span of the first body has everything.
    fn check(&self, events: usize) -> Result<(), String> {
        let request =
            ExportTraceServiceRequest::decode(&*self.first).map_err(|error| error.to_string())?;
        let spans: Vec<_> = request
            .resource_spans
            .iter()
            .flat_map(|spans| &spans.scope_spans)
            .flat_map(|spans| &spans.spans)
            .collect();
        same("spans decoded", spans.len() as u64, BATCH as u64)?;
        for span in spans {
            same("attributes", span.attributes.len() as u64, 8)?;
            same("events", span.events.len() as u64, events as u64)?;
        }
        Ok(())
    }
}

struct Encode {
    encoder: TraceEncoder,
    into: Arc<Mutex<Encoded>>,
}

impl Subscriber for Encode {
    fn on_records(&mut self, records: Records<'_>) {
        let mut encoded = lock(&self.into);
        self.encoder.encode(records, &mut |body, spans| {
            encoded.spans += spans;
            if encoded.first.is_empty() {
                encoded.first.extend_from_slice(std::hint::black_box(body));
            }
        });
    }
}

fn lock(encoded: &Mutex<Encoded>) -> MutexGuard<'_, Encoded> {
    encoded.lock().expect("nobody panics with it")
}
