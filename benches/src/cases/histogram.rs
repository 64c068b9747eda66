//! Our histogram on its own: one series, bound beforehand.

use std::hint::black_box;

use obs_core::{
    BoundHistogram, Builder, DURATION_BOUNDS, ExponentialHistogram, Instrument, Key, Label, Scope,
    StatsLevel, Values,
};

use super::{
    flat::Flat,
    http::{Kept, builder},
    peers_recording::values,
    sdk::same,
};
use crate::harness::pair::Pair;

const HISTOGRAM: Instrument = Instrument {
    name: "bench.duration",
    unit: "s",
    description: "",
    labels: &[Label {
        key: Key::new(&"bench.method"),
        values: Values::Closed(&["get", "set"]),
    }],
    scope: &Scope {
        name: "obs-benches",
        version: "0",
        schema_url: "",
    },
};

/// One series, and where its points are.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) series: BoundHistogram,
    flat: Flat,
    exponential: bool,
}

impl Bound {
    pub(crate) fn explicit() -> Self {
        Self::of(builder(StatsLevel::Base, Kept::None), false)
    }

    pub(crate) fn exponential() -> Self {
        let builder = builder(StatsLevel::Base, Kept::None);
        Self::of(
            builder.with_histograms(ExponentialHistogram::default()),
            true,
        )
    }

    fn of(builder: Builder, exponential: bool) -> Self {
        let flat = Flat::build(builder);
        let histogram = flat.telemetry.histogram(&HISTOGRAM, DURATION_BOUNDS);
        Self {
            series: histogram.bind(&["get"]),
            flat,
            exponential,
        }
    }

    pub(crate) fn account(&self, operations: u64) -> Result<String, String> {
        let name = HISTOGRAM.name;
        same("points", self.flat.points_of(name), operations)?;
        let exponential = if self.exponential { operations } else { 0 };
        let counted = self.flat.exponential_points_of(name);
        same("exponential points", counted, exponential)?;
        Ok(format!("{operations} points"))
    }
}

/// By explicit boundaries.
pub(crate) fn explicit() -> Pair {
    recorded(Bound::explicit())
}

/// In exponential buckets too.
pub(crate) fn exponential() -> Pair {
    recorded(Bound::exponential())
}

fn recorded(bound: Bound) -> Pair {
    let series = bound.series;
    let (mut bare, mut value) = (values(), values());
    let pair = Pair::new(
        move || {
            black_box(bare());
        },
        move || series.record(value()),
    );
    pair.with_burst(10_000)
        .with_account(move |operations| bound.account(operations))
}
