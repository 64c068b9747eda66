//! What the business asks for: handles bound at set-up, so that counting looks nothing up.

use crate::operations::SCOPE;
use obs_core::{BoundCounter, BoundHistogram, Instrument, Key, Label, Telemetry, Values};

/// Questions, by what became of them.
pub(crate) const ANSWERS: &str = "assistant.answers";
/// Tokens that the model read and wrote, as it told.
pub(crate) const TOKENS: &str = "assistant.tokens";
/// Documents that a search found.
pub(crate) const FOUND: &str = "assistant.search.documents";

pub(crate) const OUTCOME: &str = "assistant.outcome";
pub(crate) const TOKEN_TYPE: &str = "assistant.token.type";

/// In the order of [`Ending`].
const ENDINGS: [&str; 5] = [
    "answered",
    "overloaded",
    "knowledge_failed",
    "knowledge_late",
    "abandoned",
];

/// What may become of a question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Answered,
    Overloaded,
    KnowledgeFailed,
    KnowledgeLate,
    /// Nobody waited for the answer.
    Abandoned,
}

/// The front's counters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Questions {
    endings: [BoundCounter; 5],
    read: BoundCounter,
    written: BoundCounter,
}

impl Questions {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        let (answers, tokens) = (telemetry.counter(&COUNTED), telemetry.counter(&SPENT));
        Self {
            endings: ENDINGS.map(|ending| answers.bind(&[ending])),
            read: tokens.bind(&["input"]),
            written: tokens.bind(&["output"]),
        }
    }

    /// A question was asked.
    pub(crate) fn asked(self) -> Question {
        Question {
            of: self,
            ending: Ending::Abandoned,
        }
    }

    pub(crate) fn tokens(self, read: u64, written: u64) {
        self.read.add(read);
        self.written.add(written);
    }
}

/// A question on its way: counted once, when it is dropped, whatever became of it.
#[derive(Debug)]
pub(crate) struct Question {
    of: Questions,
    ending: Ending,
}

impl Question {
    pub(crate) fn ends(mut self, ending: Ending) {
        self.ending = ending;
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.of.endings[self.ending as usize].add(1);
    }
}

/// The knowledge service's histogram.
pub(crate) fn found(telemetry: &Telemetry) -> BoundHistogram {
    let limits = [0.0, 1.0, 2.0, 5.0, 10.0];
    telemetry.histogram(&HITS, &limits).bind(&[])
}

static COUNTED: Instrument = Instrument {
    name: ANSWERS,
    unit: "{question}",
    description: "Questions, by what became of them.",
    labels: &[Label {
        key: Key::new(&OUTCOME),
        values: Values::Closed(&ENDINGS),
    }],
    scope: &SCOPE,
};

static SPENT: Instrument = Instrument {
    name: TOKENS,
    unit: "{token}",
    description: "Tokens that the model read and wrote.",
    labels: &[Label {
        key: Key::new(&TOKEN_TYPE),
        values: Values::Closed(&["input", "output"]),
    }],
    scope: &SCOPE,
};

static HITS: Instrument = Instrument {
    name: FOUND,
    unit: "{document}",
    description: "Documents that a search found.",
    labels: &[],
    scope: &SCOPE,
};
