//! What is said of the calls themselves.

use super::SCOPE;
use obs_core::semconv::{hw, obs};
use obs_core::{BoundHistogram, Counter, Instrument, Label, Telemetry, ValueHistogram, Values};

const CALL: Label = Label {
    key: obs::GPU_CALL,
    values: Values::Open { cap: 128 },
};
const DEVICE: Label = Label {
    key: hw::ID,
    values: Values::Open { cap: 256 },
};

const DURATION: Instrument = Instrument {
    name: obs::GPU_CALL_DURATION,
    unit: "s",
    description: "How long calls of the GPUs' driver take.",
    labels: &[CALL],
    scope: &SCOPE,
};
const LATE: Instrument = Instrument {
    name: obs::GPU_CALLS_LATE,
    unit: "{call}",
    description: "Calls of the GPUs' driver that were not back at their deadline.",
    labels: &[CALL],
    scope: &SCOPE,
};
const MISSED: Instrument = Instrument {
    name: obs::GPU_SWEEPS_MISSED,
    unit: "{sweep}",
    description: "Readings of a GPU that were missed, as the one before took too long.",
    labels: &[DEVICE],
    scope: &SCOPE,
};

/// From a call that only reads memory to one that waits for a driver that waits for its device.
const BOUNDS: &[f64] = &[
    1e-6, 5e-6, 2e-5, 1e-4, 5e-4, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// Counts calls.
#[derive(Debug)]
pub(crate) struct CallMetrics {
    duration: ValueHistogram,
    late: Counter,
    missed: Counter,
}

impl CallMetrics {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        Self {
            duration: telemetry.histogram(&DURATION, BOUNDS),
            late: telemetry.counter(&LATE),
            missed: telemetry.counter(&MISSED),
        }
    }

    pub(crate) fn durations(&self, call: &str) -> BoundHistogram {
        self.duration.bind(&[call])
    }

    pub(crate) fn late(&self, call: &str) {
        self.late.bind(&[call]).add(1);
    }

    pub(crate) fn missed(&self, device: &str, sweeps: u64) {
        self.missed.bind(&[device]).add(sweeps);
    }
}
