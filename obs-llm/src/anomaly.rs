//! What could not be read, counted or priced: a counter for each reason.

use crate::descriptor::SCOPE;
use crate::wire::Malformed;
use obs_core::semconv::obs;
use obs_core::{BoundCounter, Instrument, Label, Telemetry, Values};

/// What was out of the ordinary: `obs.anomaly` of `obs.llm.anomalies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "client"),
    expect(dead_code, reason = "two of them are of the layer's")
)]
pub(crate) enum Anomaly {
    /// An event, line or body that is not its format's JSON.
    MalformedJson,
    /// A frame of a binary stream that is none.
    MalformedFrame,
    /// An answer that ended within an event.
    Cut,
    /// An answer that ended well and told no tokens.
    UsageMissing,
    /// A body that is not looked into: its window is too large, its coding is not known here, or its data does not show itself.
    Unreadable,
    /// A call that has tokens, and no price for its model.
    Unpriced,
    /// A request that was to be rewritten and could not be.
    NotInjected,
    /// A server of a model told a share that is none.
    OutOfRange,
    /// A server of a model told a request's life in an order that there is not.
    OutOfOrder,
    /// A call whose content was to be told, for which there was no room.
    #[cfg_attr(not(feature = "content"), expect(dead_code, reason = "content's"))]
    ContentDropped,
    /// A reason of a choice beyond the eighth, of which nothing is kept: such a call is whole only where its format ends.
    ChoiceUntold,
}

const NAMES: [&str; 11] = [
    "malformed_json",
    "malformed_frame",
    "cut",
    "usage_missing",
    "unreadable",
    "unpriced",
    "not_injected",
    "out_of_range",
    "out_of_order",
    "content_dropped",
    "choice_untold",
];

static COUNTER: Instrument = Instrument {
    name: obs::LLM_ANOMALIES,
    unit: "{anomaly}",
    description: "What could not be read, counted or priced in calls of models.",
    labels: &[Label {
        key: obs::ANOMALY,
        values: Values::Closed(&NAMES),
    }],
    scope: &SCOPE,
};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Anomalies([BoundCounter; NAMES.len()]);

impl Anomalies {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        let counter = telemetry.counter(&COUNTER);
        Self(NAMES.map(|name| counter.bind(&[name])))
    }

    #[cold]
    pub(crate) fn count(&self, anomaly: Anomaly) {
        self.0[anomaly as usize].add(1);
    }
}

impl From<Malformed> for Anomaly {
    fn from(what: Malformed) -> Self {
        match what {
            Malformed::Json => Self::MalformedJson,
            Malformed::Frame => Self::MalformedFrame,
            Malformed::Cut => Self::Cut,
        }
    }
}
