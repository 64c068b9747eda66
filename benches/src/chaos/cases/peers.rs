//! The same outages for the exporters of the OpenTelemetry SDK, and ours beside them: no bars, only what happens.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use obs_core::{
    Delivery, Descriptor, Key, Labels, Outcome, Parent, Scope, Telemetry,
    courier::{Destinations, Settings},
    setup::environment::Environment,
};
use opentelemetry::{
    KeyValue, global,
    trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        PeriodicReader, SdkMeterProvider, Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
    trace::SdkTracerProvider,
};

use crate::chaos::{
    Pace,
    receiver::{Fault, Receiver},
    row::Row,
    service::{Host, Hosted, resident_bytes},
};

/// Spans, and how fast they come.
const SPANS: u64 = 20_000;
const OVER: Duration = Duration::from_millis(1_030);
/// For the shutdown: the SDK's own default.
const DEADLINE: Duration = Duration::from_secs(5);
/// Of the memory rows.
const HEAVY: u64 = 5_000;

/// Who exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exporter {
    Grpc,
    Http,
    Ours,
}

impl Exporter {
    const ALL: [Self; 3] = [Self::Grpc, Self::Http, Self::Ours];

    fn name(self) -> &'static str {
        match self {
            Self::Grpc => "sdk-grpc",
            Self::Http => "sdk-http",
            Self::Ours => "ours-http",
        }
    }
}

pub(super) fn refused(_: Pace) -> io::Result<Vec<Row>> {
    all(Fault::Refuses, "refused")
}

pub(super) fn hangs(_: Pace) -> io::Result<Vec<Row>> {
    all(Fault::Hangs, "hangs")
}

/// Each in a process of its own: the SDK's providers and what they count are the process's.
fn all(fault: Fault, what: &str) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for exporter in Exporter::ALL {
        for host in Host::ALL {
            let word = format!("outage {what} {} {}", exporter.name(), host.name());
            rows.extend(apart(fault, &word)?);
        }
    }
    Ok(rows)
}

/// Memory with large attributes, the collector never answering.
pub(super) fn memory(_: Pace) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for exporter in Exporter::ALL {
        for kib in [1, 16, 256] {
            rows.extend(apart(
                Fault::Hangs,
                &format!("memory {kib} {} multi-thread", exporter.name()),
            )?);
        }
    }
    Ok(rows)
}

fn apart(fault: Fault, words: &str) -> io::Result<Vec<Row>> {
    let receiver = Receiver::start()?;
    receiver.set(fault)?;
    let output = std::process::Command::new(std::env::current_exe()?)
        .arg("chaos-peer")
        .arg(receiver.endpoint())
        .args(words.split(' '))
        .stderr(std::process::Stdio::null())
        .output()?;
    let mut rows = Row::parse(&String::from_utf8_lossy(&output.stdout));
    if rows.is_empty() {
        rows.push(Row::failed(
            &format!("sdk/{words}"),
            "it ended without a row",
        ));
    }
    for row in &mut rows {
        row.put("arrived", receiver.tally().spans as f64, "");
    }
    Ok(rows)
}

/// The process of one row.
pub(crate) fn peer(endpoint: &str, words: &[&str]) -> io::Result<()> {
    let unknown = || io::Error::other("no such peer");
    let [what, of, exporter, host] = words else {
        return Err(unknown());
    };
    let named = |exporter: &&Exporter| exporter.name() == words[2];
    let exporter_of = Exporter::ALL
        .iter()
        .find(named)
        .copied()
        .ok_or_else(unknown)?;
    let hosted = Hosted::new(Host::named(host).ok_or_else(unknown)?)?;
    let mut row = match *what {
        "outage" => Row::new(
            format!("{exporter}/{of}-{host}"),
            format!(
                "{SPANS} spans in {} s, collector {of}, from {host}",
                OVER.as_secs_f64()
            ),
        ),
        _ => Row::new(
            format!("{exporter}/memory-{of}"),
            format!(
                "{HEAVY} spans with an attribute of {of} KiB, collector hangs{}",
                if exporter_of == Exporter::Ours {
                    " (ours cuts a value at 16 KiB)"
                } else {
                    ""
                }
            ),
        ),
    };
    let kib: usize = if *what == "memory" {
        of.parse().map_err(io::Error::other)?
    } else {
        0
    };
    let load = Load {
        spans: if kib > 0 { HEAVY } else { SPANS },
        attribute: "x".repeat(kib << 10),
    };
    let before = resident_bytes();
    match exporter_of {
        Exporter::Ours => ours(endpoint, &load, &hosted, &mut row)?,
        _ => theirs(endpoint, exporter_of, &load, &hosted, &mut row)?,
    }
    if kib > 0 {
        row.put("memory before", before / MIB, "MiB");
    }
    row.write(&mut io::stdout().lock())
}

const MIB: f64 = (1 << 20) as f64;

struct Load {
    spans: u64,
    attribute: String,
}

impl Load {
    /// Spread over the time given; the longest of them, in microseconds, and the most memory seen.
    fn run(&self, span: impl Fn(&str)) -> (f64, f64) {
        let (from, mut worst, mut most) = (Instant::now(), Duration::ZERO, 0.0_f64);
        for made in 0..self.spans {
            let due = OVER.mul_f64(made as f64 / self.spans as f64);
            while from.elapsed() < due {
                thread::sleep(Duration::from_micros(200));
            }
            let begun = Instant::now();
            span(&self.attribute);
            worst = worst.max(begun.elapsed());
            if made % 256 == 0 {
                most = most.max(resident_bytes());
            }
        }
        (worst.as_secs_f64() * 1e6, most.max(resident_bytes()))
    }
}

fn report(row: &mut Row, load: &Load, worst: f64, most: f64) {
    row.put("spans", load.spans as f64, "")
        .put("worst span", worst, "µs");
    if !load.attribute.is_empty() {
        row.put("memory", most / MIB, "MiB");
    }
}

static WORK: Descriptor = Descriptor {
    name: "chaos.work",
    span_kind: SpanKind::Internal,
    scope: &Scope {
        name: "obs-benches",
        version: "0",
        schema_url: "",
    },
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("work"),
};
const CONTENT: Key = Key::new(&"chaos.content");

fn ours(endpoint: &str, load: &Load, hosted: &Hosted, row: &mut Row) -> io::Result<()> {
    let delivery = Delivery::otlp(Destinations::below(endpoint)).with_settings(Settings::default());
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_service_name("chaos")
        .with_delivery(delivery)
        .build()
        .map_err(io::Error::other)?;
    let kind = telemetry.kind(&WORK);
    let ((worst, most), told, took) = hosted.on(|| {
        let run = load.run(|attribute| {
            let mut span = kind.start(Labels::NONE, Parent::Root);
            if !attribute.is_empty() {
                span.set(CONTENT, attribute);
            }
            span.end(Outcome::ANSWERED);
        });
        let begun = Instant::now();
        let told = telemetry.shutdown(DEADLINE);
        (run, told, begun.elapsed())
    });
    let (accounts, counts) = (telemetry.accounts().traces, telemetry.counts());
    report(row, load, worst, most);
    let dropped = accounts.dropped.total() + counts.ring_full;
    row.put("delivered", accounts.delivered as f64, "")
        .put("counted as dropped", dropped as f64, "")
        .put("counted as processed", accounts.delivered as f64, "")
        .put(
            "in neither counter",
            (load.spans - accounts.delivered - dropped) as f64,
            "",
        )
        .put("shutdown", took.as_secs_f64(), "s")
        .put("shutdown said Ok", f64::from(told.is_ok()), "");
    Ok(())
}

fn theirs(
    endpoint: &str,
    exporter: Exporter,
    load: &Load,
    hosted: &Hosted,
    row: &mut Row,
) -> io::Result<()> {
    let seen = Seen::default();
    let reader = PeriodicReader::builder(seen.clone()).build();
    let meters = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_meter_provider(meters.clone());
    // Built where the service builds it: tonic asks for a runtime around it.
    let built = hosted.on(|| match exporter {
        Exporter::Grpc => std::panic::catch_unwind(|| {
            let builder = SpanExporter::builder().with_tonic();
            builder.with_endpoint(endpoint).build()
        }),
        _ => std::panic::catch_unwind(|| {
            SpanExporter::builder()
                .with_http()
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(format!("{endpoint}/v1/traces"))
                .build()
        }),
    });
    let Ok(Ok(built)) = built else {
        row.done.push_str("; it cannot be built there");
        row.put("spans", 0.0, "");
        return Ok(());
    };
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(built)
        .build();
    let tracer = provider.tracer("obs-benches");
    let ((worst, most), told, took) = hosted.on(|| {
        let run = load.run(|attribute| {
            let mut span = tracer.start("work");
            if !attribute.is_empty() {
                span.set_attribute(KeyValue::new("chaos.content", attribute.to_owned()));
            }
            span.end();
        });
        let begun = Instant::now();
        let told = provider.shutdown_with_timeout(DEADLINE);
        (run, told, begun.elapsed())
    });
    let _ = meters.force_flush();
    let (full, processed) = seen.read();
    report(row, load, worst, most);
    row.put("counted as dropped", full as f64, "")
        .put("counted as processed", processed as f64, "")
        .put(
            "in neither counter",
            load.spans as f64 - (full + processed) as f64,
            "",
        )
        .put("shutdown", took.as_secs_f64(), "s")
        .put("shutdown said Ok", f64::from(told.is_ok()), "");
    Ok(())
}

/// What the SDK's processor counts about itself: spans dropped from a full queue, and those taken from it without an error.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<(u64, u64)>>);

impl Seen {
    fn read(&self) -> (u64, u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PushMetricExporter for Seen {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let (mut full, mut processed) = (0, 0);
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            if metric.name() != "otel.sdk.processor.span.processed" {
                continue;
            }
            let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else {
                continue;
            };
            for point in sum.data_points() {
                let failed = point
                    .attributes()
                    .any(|pair| pair.key.as_str() == "error.type");
                *if failed { &mut full } else { &mut processed } += point.value();
            }
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (full, processed);
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}
