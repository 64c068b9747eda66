//! Exponential histograms: who asks for them, what they count, and that nothing is lost between a thread and a point.

#[path = "../support/support.rs"]
mod support;

mod chosen;
mod counted;
mod merged;
mod oracle;
mod passages;
#[cfg(not(loom))]
mod sdk;

use obs_core::metrics::HistogramPoint;
use obs_core::{Instrument, Key, Label, LabelId, Outcome, Telemetry, Values};
use support::points::{all, histogram};
use support::{CODE, Rig, SCOPE};

const DURATION: &str = "test.work.duration";
const STAGE: &str = "test.work.stage.duration";
const CHUNKS: &str = "test.work.chunks";

static SIZES: Instrument = Instrument {
    name: "test.size",
    unit: "By",
    description: "Sizes.",
    labels: &[open(Key::new(&"peer")), open(Key::new(&"zone"))],
    scope: &SCOPE,
};

const fn open(key: Key) -> Label {
    Label {
        key,
        values: Values::Open { cap: 8 },
    }
}

/// Ends one operation that took so long.
fn work(rig: &Rig, step: &str, code: u16, ms: u64) {
    let mut operation = rig.root(step);
    operation
        .active()
        .expect("recording")
        .set_label(CODE, LabelId::number(code));
    rig.advance_ms(ms);
    operation.end(Outcome::ANSWERED);
}

/// The one point of a histogram, as it is now.
#[track_caller]
fn point(telemetry: &Telemetry, name: &str) -> HistogramPoint {
    histogram(&all(telemetry), name, &[])
}
