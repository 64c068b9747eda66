//! What is said of the scraping itself.

use super::super::fetch::Failure;
use super::super::reading::{Anomaly, Said};
use super::super::series::{Attributes, SCOPE};
use super::super::settings::ScrapeTarget;
use obs_core::metrics::{Data, Metric, Number, NumberPoint};
use obs_core::semconv::{http, network, obs};
use obs_core::{
    BoundCounter, BoundHistogram, Counter, Instrument, Label, Telemetry, ValueHistogram, Values,
};
use std::time::Duration;

const ENGINE: Label = Label {
    key: obs::LLM_ENGINE,
    values: Values::Open { cap: 64 },
};
const ADDRESS: Label = Label {
    key: network::SERVER_ADDRESS,
    values: Values::Open { cap: 1_000 },
};
const PORT: Label = Label {
    key: network::SERVER_PORT,
    values: Values::Number,
};
/// Statuses are three digits.
const ERROR: Label = Label {
    key: http::ERROR_TYPE,
    values: Values::Open { cap: 1_000 },
};
const ANOMALY: Label = Label {
    key: obs::ANOMALY,
    values: Values::Open { cap: 16 },
};

/// Of a page that has nothing of what its engine's page has: it is another engine's, or not that of metrics.
const NOTHING_KNOWN: &str = "nothing_known";

const DURATION: Instrument = Instrument {
    name: obs::LLM_ENGINE_SCRAPE_DURATION,
    unit: "s",
    description: "How long scrapes of engines take.",
    labels: &[ENGINE, ADDRESS, PORT],
    scope: &SCOPE,
};
const ERRORS: Instrument = Instrument {
    name: obs::LLM_ENGINE_SCRAPE_ERRORS,
    unit: "{scrape}",
    description: "Scrapes of engines that failed.",
    labels: &[ENGINE, ADDRESS, PORT, ERROR],
    scope: &SCOPE,
};
const ANOMALIES: Instrument = Instrument {
    name: obs::LLM_ENGINE_SCRAPE_ANOMALIES,
    unit: "{item}",
    description: "What was wrong on pages that could be read, and was left out.",
    labels: &[ENGINE, ADDRESS, PORT, ANOMALY],
    scope: &SCOPE,
};

const BOUNDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

#[derive(Debug)]
pub(super) struct Health {
    duration: ValueHistogram,
    errors: Counter,
    anomalies: Counter,
}

/// The same for one target.
#[derive(Debug)]
pub(super) struct Bound {
    duration: BoundHistogram,
    labels: [String; 3],
    anomalies: [BoundCounter; Anomaly::ALL.len()],
}

impl Health {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        Self {
            duration: telemetry.histogram(&DURATION, BOUNDS),
            errors: telemetry.counter(&ERRORS),
            anomalies: telemetry.counter(&ANOMALIES),
        }
    }

    pub(super) fn bind(&self, target: &ScrapeTarget) -> Bound {
        let port = target.port.to_string();
        let labels = [
            target.mapping.engine.to_owned(),
            target.address.clone(),
            port,
        ];
        let [engine, address, port] = &labels;
        let anomaly = |anomaly: Anomaly| {
            self.anomalies
                .bind(&[engine, address, port, anomaly.as_str()])
        };
        Bound {
            duration: self.duration.bind(&[engine, address, port]),
            anomalies: Anomaly::ALL.map(anomaly),
            labels,
        }
    }

    /// One scrape is over.
    pub(super) fn scraped(&self, of: &Bound, took: Duration, failure: Option<&Failure>) {
        of.duration.record(took.as_secs_f64());
        if let Some(failure) = failure {
            let [engine, address, port] = &of.labels;
            let errors = self
                .errors
                .bind(&[engine, address, port, failure.error_type()]);
            errors.add(1);
        }
    }

    /// A page was read.
    pub(super) fn found(&self, of: &Bound, said: &Said) {
        for (counter, (_, many)) in of.anomalies.iter().zip(said.anomalies.each()) {
            if many > 0 {
                counter.add(many);
            }
        }
        if said.series.is_empty() {
            let [engine, address, port] = &of.labels;
            let counter = self.anomalies.bind(&[engine, address, port, NOTHING_KNOWN]);
            counter.add(1);
        }
    }
}

/// Whether the page could be read.
pub(super) fn up(base: &Attributes, up: bool, now: u64) -> Metric {
    let value = Number::I64(up.into());
    let points = vec![NumberPoint::new(base.clone(), (0, now), value)];
    let description = "Whether the engine's page could be read: 1 or 0.";
    let data = Data::Gauge { points };
    Metric::new(obs::LLM_ENGINE_UP, "{engine}", description, &SCOPE, data)
}
