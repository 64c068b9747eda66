//! Our telemetry as the benches set it up, and what it is held to: points, records and attributes for every request.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use obs_core::{
    Builder, Reader, Records, Subscriber, Telemetry,
    encode::{ResourceBytes, TraceEncoder},
    metrics::{Data, HistogramPoint, Number, Temporality},
    otel::KeyValue,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1::span::SpanKind,
};
use prost::Message;

use super::sdk::same;
use crate::harness::pair::Pair;

pub(crate) const DURATION: &str = "http.server.request.duration";
pub(crate) const CLIENT_DURATION: &str = "http.client.request.duration";
const ACTIVE: [&str; 6] = [
    "obs.llm.server.active_requests",
    "obs.llm.client.active_calls",
    "http.server.active_requests",
    "http.client.active_requests",
    "obs.rpc.server.active_calls",
    "obs.rpc.client.active_calls",
];

/// What a thread's ring and its pool hold is less than what a peer's queue does: the kept records of one burst, a request
/// and its child, are no more than the half full ring with which the collector is woken.
pub(crate) const BURST: u64 = 64;

/// The same for what a client sends through no socket.
const CLIENT_ATTRIBUTES: [&str; 6] = [
    "http.request.method",
    "http.response.status_code",
    "network.protocol.version",
    "server.address",
    "server.port",
    "url.full",
];

/// The attributes that the HTTP conventions require or recommend for what the benches send.
const ATTRIBUTES: [&str; 12] = [
    "http.request.method",
    "url.path",
    "url.scheme",
    "http.response.status_code",
    "http.route",
    "network.protocol.version",
    "network.peer.address",
    "network.peer.port",
    "client.address",
    "server.address",
    "server.port",
    "user_agent.original",
];

/// What the RPC conventions require or recommend of a call to a server, as that server sees it; a client has no peer's address
/// before a channel has connected.
const CALL_ATTRIBUTES: [&str; 7] = [
    "rpc.method",
    "rpc.response.status_code",
    "rpc.system.name",
    "server.address",
    "server.port",
    "network.peer.address",
    "network.peer.port",
];

/// A telemetry with its threads, and a subscriber that looks at what was kept.
#[derive(Clone)]
pub(crate) struct Flat {
    pub(crate) telemetry: Telemetry,
    reader: Arc<Reader>,
    seen: Arc<Mutex<Seen>>,
}

/// What each operation must have left.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expect {
    /// One point of this histogram per operation.
    pub(crate) points: Option<&'static str>,
    /// Records kept per operation.
    pub(crate) records: u64,
    /// Moments in each record: start, end and the events between.
    pub(crate) stamps: usize,
}

#[derive(Debug, Default)]
struct Seen {
    records: u64,
    stamps: usize,
    missing: Vec<&'static str>,
}

impl Flat {
    pub(crate) fn build(builder: Builder) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let telemetry = builder
            .with_subscriber(Look::new(seen.clone()))
            .build()
            .expect("the settings are valid");
        let reader = Arc::new(telemetry.reader(Temporality::Cumulative));
        Self {
            telemetry,
            reader,
            seen,
        }
    }

    /// Settles after each burst and holds the pair to `expect`.
    pub(crate) fn hold(&self, pair: Pair, expect: Expect) -> Pair {
        let (flushed, held) = (self.clone(), self.clone());
        pair.with_burst(BURST)
            .with_settle(move || flushed.settle())
            .with_account(move |calls| held.account(calls, expect))
    }

    /// Everything that has ended is with the subscriber, and its record back in this thread's pool.
    pub(crate) fn settle(&self) {
        self.telemetry
            .collect(Duration::from_secs(10))
            .expect("the collector answers");
    }

    pub(crate) fn account(&self, calls: u64, expect: Expect) -> Result<String, String> {
        let seen = lock(&self.seen);
        same("records", seen.records, calls * expect.records)?;
        if expect.records > 0 {
            if !seen.missing.is_empty() {
                return Err(format!("attributes missing: {:?}", seen.missing));
            }
            same("stamps", seen.stamps as u64, expect.stamps as u64)?;
        }
        let Some(histogram) = expect.points else {
            return Ok(format!("{} records", seen.records));
        };
        same(histogram, self.points_of(histogram), calls)?;
        self.none_active()?;
        Ok(format!("{} records, {calls} points", seen.records))
    }

    /// Exchanges dropped while they waited, all at once: a point each, and a record each that a ring had room for.
    pub(crate) fn account_cancelled(&self, opened: u64) -> Result<String, String> {
        self.settle();
        same(DURATION, self.points_of(DURATION), opened)?;
        self.none_active()?;
        let (records, refused) = (lock(&self.seen).records, self.telemetry.counts().ring_full);
        same("records and refused ones", records + refused, opened)?;
        Ok(format!(
            "{opened} points, {records} records, {refused} without room"
        ))
    }

    fn none_active(&self) -> Result<(), String> {
        match self.active() {
            0 => Ok(()),
            active => Err(format!("{} end at {active}", ACTIVE.join(", "))),
        }
    }

    /// Recorded values of a histogram over all its series.
    pub(crate) fn points_of(&self, histogram: &str) -> u64 {
        self.counts_of(histogram, |point| point.count)
    }

    /// The same of what exponential buckets counted.
    pub(crate) fn exponential_points_of(&self, histogram: &str) -> u64 {
        self.counts_of(histogram, |point| {
            let buckets = point.exponential.as_ref();
            buckets.map_or(0, |buckets| buckets.count())
        })
    }

    fn counts_of(&self, histogram: &str, count: fn(&HistogramPoint) -> u64) -> u64 {
        let metrics = self.reader.collect();
        let counts = metrics
            .iter()
            .filter(|metric| metric.name == histogram)
            .flat_map(|metric| match &metric.data {
                Data::Histogram { points, .. } => points.iter().map(count).collect(),
                _ => Vec::new(),
            });
        counts.sum()
    }

    fn active(&self) -> i64 {
        let metrics = self.reader.collect();
        let values = metrics
            .iter()
            .filter(|metric| ACTIVE.contains(&metric.name.as_ref()))
            .flat_map(|metric| match &metric.data {
                Data::Sum { points, .. } => points.iter().map(|point| point.value).collect(),
                _ => Vec::new(),
            });
        values
            .map(|value| match value {
                Number::I64(value) => value,
                Number::F64(value) => value as i64,
                _ => i64::MAX,
            })
            .sum()
    }
}

struct Look {
    seen: Arc<Mutex<Seen>>,
    encoder: TraceEncoder,
}

impl Look {
    fn new(seen: Arc<Mutex<Seen>>) -> Self {
        let resource = [KeyValue::new("service.name", "bench")];
        let resource =
            ResourceBytes::new(resource.iter().map(|pair| (&pair.key, &pair.value)), None);
        Self {
            seen,
            encoder: TraceEncoder::new(&resource),
        }
    }

    /// What the spans of a batch lack once they are exported, by the official definitions, and the fewest moments of one.
    fn decode(&mut self, records: Records<'_>) -> (Vec<&'static str>, usize) {
        let mut missing = Vec::new();
        let mut stamps = usize::MAX;
        self.encoder.encode(records, &mut |body, _| {
            let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
            let scopes = request
                .resource_spans
                .iter()
                .flat_map(|spans| &spans.scope_spans);
            let spans = scopes.flat_map(|scope| {
                let name = scope.scope.as_ref().map(|scope| scope.name.as_str());
                scope.spans.iter().map(move |span| (name, span))
            });
            for (scope, span) in spans {
                let wanted: &[&str] = match (scope, span.kind()) {
                    (Some("obs-rpc"), SpanKind::Server) => &CALL_ATTRIBUTES,
                    (Some("obs-rpc"), _) => &CALL_ATTRIBUTES[..5],
                    (_, SpanKind::Server) => &ATTRIBUTES,
                    // The benches have a client of their own, too.
                    (Some("obs-http"), SpanKind::Client) => &CLIENT_ATTRIBUTES,
                    _ => continue,
                };
                let lacks = |key: &&str| {
                    !span
                        .attributes
                        .iter()
                        .any(|attribute| attribute.key == **key)
                };
                missing.extend(wanted.iter().copied().filter(lacks));
                stamps = stamps.min(2 + span.events.len());
            }
        });
        (missing, stamps)
    }
}

impl Subscriber for Look {
    fn on_records(&mut self, records: Records<'_>) {
        // The first batch stands for the others, which are made alike; it comes before anything is measured.
        let first = lock(&self.seen).records == 0;
        let decoded = first.then(|| self.decode(records));
        let mut seen = lock(&self.seen);
        seen.records += records.len() as u64;
        if let Some((missing, stamps)) = decoded {
            (seen.missing, seen.stamps) = (missing, stamps);
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().expect("nobody panics with it")
}
