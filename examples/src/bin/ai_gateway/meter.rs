//! What each key used: tokens and dollars, told by the calls themselves where they end.

use crate::keys::MOST;
use obs_core::semconv;
use obs_core::{BoundCounter, BoundHistogram, Instrument, Key, Label, Scope, Telemetry, Values};
use obs_llm::cost::Prices;
use obs_llm::{Bill, Price, Tokens};
use std::sync::Arc;

const KEY: &str = "ai_gateway.key.name";
const TOKEN_TYPE: &str = "ai_gateway.token.type";
const TYPES: [&str; 2] = ["input", "output"];
const FROM: &str = "ai_gateway.failover.from";
const WHY: &str = "ai_gateway.failover.reason";
/// Why an upstream is passed over, in the order of [`Why`].
const REASONS: [&str; 4] = ["unreachable", "overloaded", "failed", "slow"];

/// Why an upstream is passed over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Why {
    /// No connection, or one that broke before an answer.
    Unreachable,
    /// 429.
    Overloaded,
    /// 5xx.
    Failed,
    /// It did not begin to answer in time.
    Slow,
}

/// One key's counts. It stands in the place of the prices: whatever a call is told of tokens by its end, however it ended, it is
/// asked the price of.
#[derive(Debug)]
pub(crate) struct Meter {
    requests: BoundCounter,
    input: BoundCounter,
    output: BoundCounter,
    cost: BoundHistogram,
    prices: Option<Arc<Prices>>,
}

impl Meter {
    /// Of the key with this name.
    pub(crate) fn new(telemetry: &Telemetry, name: &str, prices: Option<Arc<Prices>>) -> Self {
        let tokens = telemetry.counter(&KEY_TOKENS);
        let limits = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];
        Self {
            requests: telemetry.counter(&KEY_REQUESTS).bind(&[name]),
            input: tokens.bind(&[name, TYPES[0]]),
            output: tokens.bind(&[name, TYPES[1]]),
            cost: telemetry.histogram(&KEY_COST, &limits).bind(&[name]),
            prices,
        }
    }

    /// A request is let in.
    pub(crate) fn request(&self) {
        self.requests.add(1);
    }
}

impl Price for Meter {
    fn price(&self, bill: &Bill<'_>) -> Option<f64> {
        for (tokens, count) in [(Tokens::Input, self.input), (Tokens::Output, self.output)] {
            count.add(bill.usage.get(tokens).unwrap_or_default());
        }
        let usd = self.prices.as_ref()?.price(bill)?;
        self.cost.record(usd);
        Some(usd)
    }
}

/// How often an upstream was passed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failovers([BoundCounter; 4]);

impl Failovers {
    pub(crate) fn new(telemetry: &Telemetry, from: &str) -> Self {
        let counter = telemetry.counter(&FAILOVERS);
        Self(REASONS.map(|reason| counter.bind(&[from, reason])))
    }

    pub(crate) fn count(self, why: Why) {
        self.0[why as usize].add(1);
    }
}

static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: semconv::SCHEMA_URL,
};

const BY_KEY: Label = Label {
    key: Key::new(&KEY),
    values: Values::Open { cap: MOST as u16 },
};

static KEY_REQUESTS: Instrument = Instrument {
    name: "ai_gateway.key.requests",
    unit: "{request}",
    description: "Requests that were let in, by the name of their key.",
    labels: &[BY_KEY],
    scope: &SCOPE,
};

static KEY_TOKENS: Instrument = Instrument {
    name: "ai_gateway.key.tokens",
    unit: "{token}",
    description: "Tokens that upstreams told of, by the name of the key.",
    labels: &[
        BY_KEY,
        Label {
            key: Key::new(&TOKEN_TYPE),
            values: Values::Closed(&TYPES),
        },
    ],
    scope: &SCOPE,
};

static KEY_COST: Instrument = Instrument {
    name: "ai_gateway.key.cost",
    unit: "{USD}",
    description: "What calls cost that have a price, by the name of the key.",
    labels: &[BY_KEY],
    scope: &SCOPE,
};

static FAILOVERS: Instrument = Instrument {
    name: "ai_gateway.failovers",
    unit: "{request}",
    description: "Requests for which an upstream was passed over.",
    labels: &[
        Label {
            key: Key::new(&FROM),
            values: Values::Open { cap: 8 },
        },
        Label {
            key: Key::new(&WHY),
            values: Values::Closed(&REASONS),
        },
    ],
    scope: &SCOPE,
};
