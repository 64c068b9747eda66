//! A telemetry that exports to two receivers, one packed and one not, to a third that refuses all of it, and to a
//! fourth that is away and has a spool; and everything that comes out of it.

use crate::corpus;
use crate::receiver::{self, Received};
use crate::spool::Spool;
use obs_core::courier::{Compression, Destination, Destinations, Signal};
use obs_core::encode::PageFormat;
use obs_core::logs::LogLayer;
use obs_core::sampling::HeadSampler;
use obs_core::setup::environment::Environment;
use obs_core::{Builder, Delivery, StatsLevel, Telemetry};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::dispatcher::{DefaultGuard, Dispatch, set_default};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

/// As long as a flush waits for the destination that is away.
const WAIT: Duration = Duration::from_secs(2);

#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("nobody panics")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) telemetry: Telemetry,
    received: [Received; 2],
    lines: Written,
    told: Arc<Mutex<Vec<String>>>,
    debug: Vec<String>,
    spool: Spool,
    _logs: DefaultGuard,
}

/// Secrets of the exporter's own, for the one that refuses: an address with credentials, a header.
const OWN: [&str; 3] = ["Zq8awayUserK2x", "Zq8awayPassK2x", "Zq8awayHeaderK2x"];

fn destinations(address: &str, compression: Compression, header: Option<&str>) -> Destinations {
    let of = |signal| {
        let destination = Destination::below(address, signal).with_compression(compression);
        match header {
            Some(value) => destination.with_header("authorization", value),
            None => destination,
        }
    };
    let mut all = Destinations::below(address);
    all.traces = of(Signal::Traces);
    all.metrics = of(Signal::Metrics);
    all.logs = of(Signal::Logs);
    all
}

impl World {
    pub(crate) fn new(logs: LevelFilter, set: impl FnOnce(Builder) -> Builder) -> Self {
        let (packed, plain) = (receiver::listen("200 OK"), receiver::listen("200 OK"));
        let refusing = receiver::listen("400 Bad Request").0;
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let tells = told.clone();
        let [user, pass, header] = OWN;
        let refusing_url = format!("http://{user}:{pass}@{refusing}");
        let refusing_one = destinations(&refusing_url, Compression::None, Some(header));
        let spool = Spool::new();
        let delivery = |address, compression| {
            Delivery::otlp(destinations(
                &format!("http://{address}"),
                compression,
                None,
            ))
        };
        let builder = Telemetry::builder()
            .with_environment(Environment::default())
            .with_service_name("secrets")
            .with_sampler(HeadSampler::always_on())
            .with_level(StatsLevel::Detailed)
            .with_measures(true)
            .with_delivery(delivery(packed.0, Compression::Gzip))
            .with_delivery(delivery(plain.0, Compression::None))
            .with_delivery(Delivery::otlp(refusing_one.clone()).named("refusing"))
            .with_delivery(spool.delivery())
            .with_diagnostics(move |diagnostic| {
                let mut told = tells.lock().expect("nobody panics");
                told.push(format!("{diagnostic} {diagnostic:?}"));
            })
            .manual();
        let builder = set(builder);
        let debug = vec![format!("{builder:?} {refusing_one:?}")];
        let telemetry = builder.build().expect("usable");
        let lines = Written::default();
        let into = lines.clone();
        let layer = LogLayer::new(&telemetry)
            .with_lines(move || into.clone())
            .with_span_fields(true)
            .with_location(true);
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer.with_filter(logs)));
        Self {
            telemetry,
            received: [packed.1, plain.1],
            lines,
            told,
            debug,
            spool,
            _logs: set_default(&dispatch),
        }
    }

    /// What a public type prints.
    pub(crate) fn prints(&mut self, value: &dyn std::fmt::Debug) {
        self.debug.push(format!("{value:?} {value:#?}"));
    }

    /// Everything that has come out, each with what it is.
    pub(crate) fn everything(&self) -> Vec<(String, Vec<u8>)> {
        // One destination refuses, and one is away, so there is an error.
        let flushed = self.telemetry.flush(WAIT);
        let text = |what: &str, text: String| (what.to_owned(), text.into_bytes());
        let mut all = vec![
            text(
                "error of the flush",
                format!(
                    "{flushed:?} {}",
                    flushed
                        .as_ref()
                        .err()
                        .map(ToString::to_string)
                        .unwrap_or_default()
                ),
            ),
            text("page", self.telemetry.prometheus()),
            text(
                "page",
                self.telemetry.prometheus_page(PageFormat::OpenMetrics),
            ),
            text("warnings", self.telemetry.warnings().join("\n")),
            text(
                "last problem",
                format!("{:?}", self.telemetry.last_problem()),
            ),
            text(
                "diagnostics",
                self.told.lock().expect("nobody panics").join("\n"),
            ),
            text(
                "accounts",
                format!(
                    "{:?} {:?}",
                    self.telemetry.deliveries(),
                    self.telemetry.counts()
                ),
            ),
            text(
                "debug",
                format!("{:?} {}", self.telemetry, self.debug.join("\n")),
            ),
            (
                "lines".to_owned(),
                self.lines.0.lock().expect("nobody panics").clone(),
            ),
        ];
        for received in &self.received {
            let bodies = received.bodies();
            for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
                assert!(
                    bodies.iter().any(|body| body.path == path),
                    "nothing came to {path}"
                );
            }
            for body in bodies {
                all.push((body.path.clone(), body.sent));
                all.push((body.path, body.unpacked));
            }
        }
        all.extend(self.spool.files());
        all
    }

    /// What of the corpus, and of the exporter's own secrets, is anywhere in it.
    pub(crate) fn leaks(everything: &[(String, Vec<u8>)]) -> Vec<String> {
        let mut leaks = Vec::new();
        for (what, bytes) in everything {
            let text = corpus::text_of(bytes);
            let own = OWN.iter().copied().filter(|secret| text.contains(secret));
            let found = corpus::found_in(bytes).into_iter().chain(own);
            leaks.extend(found.map(|secret| format!("{secret} in {what}")));
        }
        leaks.sort();
        leaks.dedup();
        leaks
    }
}
