//! Numbers: every ending counted once, exact totals whatever threads and labels do, readers that do not disturb each
//! other.

#[path = "../support/support.rs"]
mod support;

mod by_hand;
mod duplicates;
mod groups;
mod instruments;
mod levels;
mod observables;
mod operations;
mod raises;
mod readers;
mod series;
mod shutdown;
mod sources;
mod telemetries;
mod threads;

use obs_core::{Instrument, Key, Label, Outcome, Values};
use support::SCOPE;

const FAILED: Outcome = Outcome::failed(obs_core::ErrorType::own(0));
const DURATION: &str = "test.work.duration";

static CALLS: Instrument = Instrument {
    name: "test.calls",
    unit: "{call}",
    description: "Calls.",
    labels: &[Label {
        key: Key::new(&"peer"),
        values: Values::Open { cap: 4 },
    }],
    scope: &SCOPE,
};
