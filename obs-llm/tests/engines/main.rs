//! Engines' own pages, served by a real server: what of them is shown, and what of everything that can go wrong.

mod behaviour;
mod cuts;
mod data;
mod delivered;
mod fuzzed;
mod listened;
mod others;
mod pages;
mod server;
mod threads;

use obs_core::metrics::{Data, HistogramPoint, Metric, NumberPoint, Temporality};
use obs_core::setup::environment::Environment;
use obs_core::{Builder, Clock, ManualClock, Telemetry};
use obs_llm::engines::{EngineScraper, Mapping, ScrapeSettings, ScrapeTarget};
use server::Server;
use std::time::Duration;

pub(crate) fn builder() -> Builder {
    Telemetry::builder().with_environment(Environment::from_fn(|_| None))
}

/// A telemetry without threads, whose clock stands a year after the pages' engines began, and a scraper.
pub(crate) struct Rig {
    pub(crate) telemetry: Telemetry,
    pub(crate) clock: ManualClock,
    pub(crate) scraper: EngineScraper,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(ScrapeSettings::new())
    }

    pub(crate) fn with(settings: ScrapeSettings) -> Self {
        let clock = ManualClock::new();
        let telemetry = builder()
            .manual()
            .with_clock(Clock::manual(&clock))
            .build()
            .expect("usable");
        clock.advance(Duration::from_secs(365 * 86_400));
        let scraper = EngineScraper::new(&telemetry, settings);
        Self {
            telemetry,
            clock,
            scraper,
        }
    }

    /// One that scrapes this server.
    pub(crate) fn of(server: &Server, mapping: &Mapping) -> Self {
        let rig = Self::new();
        rig.add(ScrapeTarget::new(&server.url(), mapping).expect("usable"));
        rig
    }

    pub(crate) fn add(&self, target: ScrapeTarget) {
        self.scraper.add(target).expect("a target");
    }

    /// Scrapes, and gives everything that is shown.
    pub(crate) fn scrape(&self) -> Shown {
        Shown(self.telemetry.reader(Temporality::Cumulative).collect())
    }
}

pub(crate) struct Shown(Vec<Metric>);

impl Shown {
    fn find(&self, name: &str) -> Option<&Metric> {
        let mut found = self.0.iter().filter(|metric| metric.name == name);
        let metric = found.next();
        assert!(found.next().is_none(), "{name} is there twice");
        metric
    }

    fn attributes(attributes: &[(std::borrow::Cow<'static, str>, obs_core::LabelValue)]) -> String {
        let apart = ["obs.llm.engine", "server.address", "server.port"];
        let own = attributes
            .iter()
            .filter(|(key, _)| !apart.contains(&&**key));
        let mut own: Vec<String> = own
            .map(|(key, value)| {
                let short = key.rsplit_once('.').map_or(&**key, |(_, short)| short);
                format!("{short}={}", value.to_text())
            })
            .collect();
        own.sort();
        own.join(",")
    }

    /// Each point of a sum or gauge, as `model=m,… value`, sorted.
    pub(crate) fn numbers(&self, name: &str) -> Vec<String> {
        let points = self.number_points(name);
        let mut lines: Vec<String> = { points.iter() }
            .map(|point| {
                let attributes = Self::attributes(&point.attributes);
                format!("{attributes} {}", point.value.as_f64())
            })
            .collect();
        lines.sort();
        lines
    }

    pub(crate) fn number_points(&self, name: &str) -> Vec<NumberPoint> {
        match self.find(name).map(|metric| &metric.data) {
            Some(Data::Sum { points, .. } | Data::Gauge { points }) => points.clone(),
            None => Vec::new(),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The one value of a metric.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> f64 {
        let points = self.number_points(name);
        assert_eq!(points.len(), 1, "{name}: {points:?}");
        points[0].value.as_f64()
    }

    pub(crate) fn histograms(&self, name: &str) -> Vec<HistogramPoint> {
        match self.find(name).map(|metric| &metric.data) {
            Some(Data::Histogram { points, .. }) => points.clone(),
            None => Vec::new(),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Metrics of engines, but those about scraping.
    pub(crate) fn names(&self) -> Vec<&str> {
        let of_engines = |name: &str| {
            let about = name == "obs.llm.engine.up" || name.starts_with("obs.llm.engine.scrape.");
            !about && (name.starts_with("obs.llm.engine.") || name.starts_with("gen_ai.server."))
        };
        let names = self.0.iter().map(|metric| &*metric.name);
        let mut names: Vec<&str> = names.filter(|name| of_engines(name)).collect();
        names.sort_unstable();
        names
    }

    /// How many scrapes failed, by why.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.numbers("obs.llm.engine.scrape.errors")
    }

    pub(crate) fn anomalies(&self) -> Vec<String> {
        self.numbers("obs.llm.engine.scrape.anomalies")
    }
}

pub(crate) fn corpus(name: &str) -> String {
    let path = format!(
        "{}/tests/corpus/metrics_{name}.prom",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
