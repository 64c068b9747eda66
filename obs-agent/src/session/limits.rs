//! What a budget allows.

use super::seen::PICO;
use std::fmt;
use std::time::Duration;

/// What a budget allows. Without any limit it allows everything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[must_use]
pub struct Limits([Option<f64>; LIMITS.len()]);

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Tokens of inputs of inferences.
    InputTokens,
    /// Tokens of their outputs.
    OutputTokens,
    /// Both.
    Tokens,
    /// US dollars.
    Cost,
    /// Calls of models that generate.
    InferenceCalls,
    /// Calls of tools.
    ToolCalls,
    /// Calls of one tool with the same arguments.
    IdenticalCalls,
    /// Seconds.
    WallTime,
}

pub(super) const LIMITS: &[&str] = &[
    "input_tokens",
    "output_tokens",
    "tokens",
    "cost",
    "inference_calls",
    "tool_calls",
    "identical_calls",
    "wall_time",
];

impl Limit {
    pub(super) const ALL: [Self; LIMITS.len()] = [
        Self::InputTokens,
        Self::OutputTokens,
        Self::Tokens,
        Self::Cost,
        Self::InferenceCalls,
        Self::ToolCalls,
        Self::IdenticalCalls,
        Self::WallTime,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        LIMITS[self as usize]
    }

    /// What it counts, for people.
    const fn unit(self) -> &'static str {
        match self {
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
            Self::Tokens => "tokens",
            Self::Cost => "US dollars",
            Self::InferenceCalls => "inferences",
            Self::ToolCalls => "tool calls",
            Self::IdenticalCalls => "identical tool calls",
            Self::WallTime => "seconds",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.unit())
    }
}

impl Limits {
    /// None.
    pub const fn new() -> Self {
        Self([None; LIMITS.len()])
    }

    const fn with(mut self, limit: Limit, value: f64) -> Self {
        self.0[limit as usize] = Some(value);
        self
    }

    /// At most so many tokens in inputs of inferences, those from caches among them.
    pub const fn with_input_tokens(self, tokens: u64) -> Self {
        self.with(Limit::InputTokens, tokens as f64)
    }

    /// At most so many tokens in their outputs.
    pub const fn with_output_tokens(self, tokens: u64) -> Self {
        self.with(Limit::OutputTokens, tokens as f64)
    }

    /// At most so many in both together.
    pub const fn with_tokens(self, tokens: u64) -> Self {
        self.with(Limit::Tokens, tokens as f64)
    }

    /// At most so many US dollars. Calls without a price add nothing to what is compared: a budget of money wants
    /// [prices](super::SessionSummary::unpriced_calls) for all models.
    pub const fn with_cost_usd(self, usd: f64) -> Self {
        self.with(Limit::Cost, usd)
    }

    /// At most so many inferences.
    pub const fn with_inference_calls(self, calls: u64) -> Self {
        self.with(Limit::InferenceCalls, calls as f64)
    }

    /// At most so many calls of tools.
    pub const fn with_tool_calls(self, calls: u64) -> Self {
        self.with(Limit::ToolCalls, calls as f64)
    }

    /// At most so many calls of one tool with the same arguments, of those that the loop [tells of](super::Budget::tool_call). All of
    /// them, not only those one after another: a loop that asks two things in turn goes nowhere, either.
    pub const fn with_identical_calls(self, calls: u32) -> Self {
        self.with(Limit::IdenticalCalls, calls as f64)
    }

    /// At most so much time, by the monotonic clock.
    pub const fn with_wall_time(self, time: Duration) -> Self {
        self.with(Limit::WallTime, time.as_nanos() as f64 / 1e9)
    }

    pub(super) fn of(&self, limit: Limit) -> Option<f64> {
        self.0[limit as usize]
    }

    pub(super) fn usd(picodollars: u64) -> f64 {
        picodollars as f64 / PICO
    }
}
