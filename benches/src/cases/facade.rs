//! The macros of the `metrics` crate, recording to us or to `metrics-exporter-prometheus`: the same calls, its registry's
//! look-up in each.

use std::hint::black_box;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use obs_core::{
    DURATION_BOUNDS, Reader, StatsLevel,
    metrics::{Data, Temporality},
    metrics_facade::MetricsRecorder,
};

use super::{
    http::{Kept, builder},
    peers_recording::values,
    sdk::same,
};
use crate::harness::{pair::Pair, scaling::Scaling};

const ORDERS: &str = "bench_orders_total";
const TOOK: &str = "bench_took_seconds";

/// Whoever the process's macros record to.
pub(crate) trait Recorded: Sized + 'static {
    /// Installs it.
    fn install() -> Self;
    /// What the counter counted, or how many values the histogram has.
    fn recorded(&self, name: &str) -> u64;
    /// What a service does every few seconds, so that memory does not grow.
    fn upkeep(&self) {}
}

/// Our recorder.
pub(crate) struct Ours(Reader);

impl Recorded for Ours {
    fn install() -> Self {
        let telemetry = builder(StatsLevel::Base, Kept::None)
            .build()
            .expect("the settings are valid");
        let recorder = MetricsRecorder::new(&telemetry);
        recorder
            .install_global()
            .expect("the first in this process");
        Self(telemetry.reader(Temporality::Cumulative))
    }

    fn recorded(&self, name: &str) -> u64 {
        let metrics = self.0.collect();
        let metric = metrics.iter().find(|metric| metric.name == name);
        match metric.map(|metric| &metric.data) {
            Some(Data::Sum { points, .. }) => {
                points.iter().map(|point| point.value.as_f64() as u64).sum()
            }
            Some(Data::Histogram { points, .. }) => points.iter().map(|point| point.count).sum(),
            _ => 0,
        }
    }
}

/// That of `metrics-exporter-prometheus`.
pub(crate) struct Theirs(PrometheusHandle);

impl Recorded for Theirs {
    fn install() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets(DURATION_BOUNDS)
            .expect("some buckets")
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder)
            .unwrap_or_else(|_| panic!("the first in this process"));
        Self(handle)
    }

    fn recorded(&self, name: &str) -> u64 {
        let page = self.0.render();
        let samples = page.lines().filter(|line| {
            let sample = line.split(['{', ' ']).next();
            sample == Some(name) || sample == Some(&format!("{name}_count"))
        });
        let values = samples.filter_map(|line| line.rsplit(' ').next());
        values.filter_map(|value| value.parse::<u64>().ok()).sum()
    }

    fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

fn count() {
    metrics::counter!(ORDERS, "shop" => "north", "paid" => "card").increment(black_box(1));
}

/// Labels as they are when they are no literals.
fn count_dynamic() {
    let (shop, paid) = black_box((String::from("north"), String::from("card")));
    metrics::counter!(ORDERS, "shop" => shop, "paid" => paid).increment(1);
}

fn record(value: f64) {
    metrics::histogram!(TOOK, "shop" => "north", "paid" => "card").record(value);
}

fn hold<R: Recorded>(recorded: R, name: &'static str, pair: Pair) -> Pair {
    let recorded = std::rc::Rc::new(recorded);
    let kept = recorded.clone();
    pair.with_burst(10_000)
        .with_settle(move || kept.upkeep())
        .with_account(move |calls| {
            same(name, recorded.recorded(name), calls)?;
            Ok(format!("{calls} in {name}"))
        })
}

/// `counter!` with two literal labels, and one increment.
pub(crate) fn counter<R: Recorded>() -> Pair {
    hold(R::install(), ORDERS, Pair::new(|| {}, count))
}

/// The same with labels made at run time, over making them.
pub(crate) fn counter_dynamic<R: Recorded>() -> Pair {
    let bare = || drop(black_box((String::from("north"), String::from("card"))));
    hold(R::install(), ORDERS, Pair::new(bare, count_dynamic))
}

/// `histogram!` with two literal labels, and one value.
pub(crate) fn histogram<R: Recorded>() -> Pair {
    let (mut bare, mut value) = (values(), values());
    let pair = Pair::new(
        move || {
            black_box(bare());
        },
        move || record(value()),
    );
    hold(R::install(), TOOK, pair)
}

/// Two threads with one series of a counter, asked for each time.
pub(crate) fn contended_counter<R: Recorded>() -> Scaling {
    let recorded = R::install();
    Scaling::new(
        || Box::new(count),
        move |operations| {
            same(ORDERS, recorded.recorded(ORDERS), operations)
                .map(|()| format!("{operations} in {ORDERS}"))
        },
    )
}

/// The same with a histogram.
pub(crate) fn contended_histogram<R: Recorded>() -> Scaling {
    let recorded = R::install();
    Scaling::new(
        || {
            let mut value = values();
            Box::new(move || record(value()))
        },
        move |operations| {
            same(TOOK, recorded.recorded(TOOK), operations)
                .map(|()| format!("{operations} in {TOOK}"))
        },
    )
}
