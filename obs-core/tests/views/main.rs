//! Views: what they select, what they make of points, and that nothing is lost when points become one.

#[path = "../support/support.rs"]
mod support;

mod bad_input;
mod boundaries;
mod merged;
mod properties;
mod selected;

use obs_core::{Builder, Instrument, Key, Label, LabelId, Outcome, Values, View};
use support::{CODE, Rig, SCOPE, rig_with};

const DURATION: &str = "test.work.duration";

static CALLS: Instrument = Instrument {
    name: "test.calls",
    unit: "{call}",
    description: "Calls.",
    labels: &[open(Key::new(&"peer")), open(Key::new(&"zone"))],
    scope: &SCOPE,
};

const fn open(key: Key) -> Label {
    Label {
        key,
        values: Values::Open { cap: 8 },
    }
}

fn viewed(views: impl IntoIterator<Item = View>) -> Rig {
    rig_with(false, |builder| {
        views.into_iter().fold(builder, Builder::with_view)
    })
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

/// Buckets by what was measured, with nothing of the code under test.
fn buckets(bounds: &[f64], ms: &[u64]) -> Vec<u64> {
    let mut buckets = vec![0; bounds.len() + 1];
    for ms in ms {
        let seconds = *ms as f64 / 1e3;
        let above = bounds.iter().filter(|bound| seconds > **bound).count();
        buckets[above] += 1;
    }
    buckets
}
