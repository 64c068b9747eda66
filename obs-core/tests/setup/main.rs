//! Set-up, waiting and shutdown: deadlines that are kept, results that are true, settings that say what became of them.

#[path = "../support/support.rs"]
mod support;

mod bad_input;
mod deadlines;
mod destinations;
mod diagnostics;
mod inert;
mod limits;
mod names;
mod observables;
mod variables;
mod waiting;

use obs_core::setup::environment::Environment;
use obs_core::{Instrument, Key, Label, Values};
use support::SCOPE;

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

/// These variables and no others.
fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::from_fn(|name| {
        let found = variables.iter().find(|(known, _)| *known == name)?;
        Some(found.1.to_owned())
    })
}
