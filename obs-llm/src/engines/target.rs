//! The vocabulary: what can be said of an engine, whichever it is.

use obs_core::semconv::gen_ai::{
    SERVER_REQUEST_DURATION, SERVER_TIME_PER_OUTPUT_TOKEN, SERVER_TIME_TO_FIRST_TOKEN,
};
use obs_core::semconv::obs;

/// What a row of a mapping is about. Names of `gen_ai.server.*` are the convention's, the others ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Target {
    /// From when a request arrives to its last token.
    RequestDuration,
    /// From when a request arrives to its first token.
    TimeToFirstToken,
    /// Of one request the mean time of its tokens after the first: one value per request.
    TimePerOutputToken,
    /// From one token to the next: one value per token. A slow one shows here, and is lost in a mean.
    InterToken,
    /// From when a request arrives to when it first runs.
    Queue,
    /// From when a request first runs to its first token.
    Prefill,
    /// From a request's first token to its last.
    Decode,
    /// Requests that the engine works on.
    Running,
    /// Requests that wait.
    Waiting,
    /// Requests that it is done with, by why.
    Finished,
    /// How often a running request had to give its memory back.
    Preemptions,
    /// The part of the KV cache in use, 0 to 1.
    KvCacheUsage,
    /// Tokens of prompts that were looked for in the prefix cache.
    PrefixCacheQueries,
    /// Of those the tokens that were there.
    PrefixCacheHits,
    /// Tokens of prompts, those from a cache among them.
    InputTokens,
    /// Tokens that were generated.
    OutputTokens,
    /// A quantile of the time to the first token. A histogram cannot be made of it, nor one quantile of those of several engines.
    FirstTokenQuantile,
    /// A quantile of the time between tokens.
    InterTokenQuantile,
    /// A quantile of the duration of requests.
    RequestQuantile,
}

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
    /// Explicit buckets.
    Histogram,
    /// A sum that only grows.
    Counter,
    /// A sum that goes up and down: those of several engines add up.
    UpDownCounter,
    /// A value that adds up to nothing.
    Gauge,
}

impl Shape {
    /// As documentation has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Histogram => "histogram",
            Self::Counter => "counter",
            Self::UpDownCounter => "up-down counter",
            Self::Gauge => "gauge",
        }
    }
}

impl Target {
    /// All of them, in the order of documentation.
    pub const ALL: &[Self] = &[
        Self::RequestDuration,
        Self::TimeToFirstToken,
        Self::TimePerOutputToken,
        Self::InterToken,
        Self::Queue,
        Self::Prefill,
        Self::Decode,
        Self::Running,
        Self::Waiting,
        Self::Finished,
        Self::Preemptions,
        Self::KvCacheUsage,
        Self::PrefixCacheQueries,
        Self::PrefixCacheHits,
        Self::InputTokens,
        Self::OutputTokens,
        Self::FirstTokenQuantile,
        Self::InterTokenQuantile,
        Self::RequestQuantile,
    ];

    const fn about(self) -> (&'static str, Shape, &'static str, &'static str) {
        use Shape::{Counter, Gauge, Histogram, UpDownCounter};
        match self {
            Self::RequestDuration => (
                SERVER_REQUEST_DURATION,
                Histogram,
                "s",
                "Duration of requests as the server of the model has it.",
            ),
            Self::TimeToFirstToken => (
                SERVER_TIME_TO_FIRST_TOKEN,
                Histogram,
                "s",
                "Time to generate the first token.",
            ),
            Self::TimePerOutputToken => (
                SERVER_TIME_PER_OUTPUT_TOKEN,
                Histogram,
                "s",
                "Time for each token after the first, as the mean of each request.",
            ),
            Self::InterToken => (
                obs::LLM_ENGINE_INTER_TOKEN_DURATION,
                Histogram,
                "s",
                "Time from one token to the next.",
            ),
            Self::Queue => (
                obs::LLM_ENGINE_QUEUE_DURATION,
                Histogram,
                "s",
                "Time that requests wait before they run.",
            ),
            Self::Prefill => (
                obs::LLM_ENGINE_PREFILL_DURATION,
                Histogram,
                "s",
                "Time from when a request runs to its first token.",
            ),
            Self::Decode => (
                obs::LLM_ENGINE_DECODE_DURATION,
                Histogram,
                "s",
                "Time from a request's first token to its last.",
            ),
            Self::Running => (
                obs::LLM_ENGINE_RUNNING,
                UpDownCounter,
                "{request}",
                "Requests that the engine works on.",
            ),
            Self::Waiting => (
                obs::LLM_ENGINE_WAITING,
                UpDownCounter,
                "{request}",
                "Requests that wait for the engine.",
            ),
            Self::Finished => (
                obs::LLM_ENGINE_FINISHED,
                Counter,
                "{request}",
                "Requests that the engine is done with.",
            ),
            Self::Preemptions => (
                obs::LLM_ENGINE_PREEMPTIONS,
                Counter,
                "{preemption}",
                "How often a running request had to give its memory back.",
            ),
            Self::KvCacheUsage => (
                obs::LLM_ENGINE_KV_CACHE_USAGE,
                Gauge,
                "1",
                "The part of the KV cache that is in use.",
            ),
            Self::PrefixCacheQueries => (
                obs::LLM_ENGINE_PREFIX_CACHE_QUERIES,
                Counter,
                "{token}",
                "Tokens of prompts that were looked for in the prefix cache.",
            ),
            Self::PrefixCacheHits => (
                obs::LLM_ENGINE_PREFIX_CACHE_HITS,
                Counter,
                "{token}",
                "Tokens of prompts that were in the prefix cache.",
            ),
            Self::InputTokens => (
                obs::LLM_ENGINE_INPUT_TOKENS,
                Counter,
                "{token}",
                "Tokens of prompts.",
            ),
            Self::OutputTokens => (
                obs::LLM_ENGINE_OUTPUT_TOKENS,
                Counter,
                "{token}",
                "Tokens that were generated.",
            ),
            Self::FirstTokenQuantile => (
                obs::LLM_ENGINE_FIRST_TOKEN_QUANTILE,
                Gauge,
                "s",
                "A quantile of the time to the first token, as the engine says it.",
            ),
            Self::InterTokenQuantile => (
                obs::LLM_ENGINE_INTER_TOKEN_QUANTILE,
                Gauge,
                "s",
                "A quantile of the time from one token to the next, as the engine says it.",
            ),
            Self::RequestQuantile => (
                obs::LLM_ENGINE_REQUEST_QUANTILE,
                Gauge,
                "s",
                "A quantile of the duration of requests, as the engine says it.",
            ),
        }
    }

    /// The name of its metric.
    pub const fn metric(self) -> &'static str {
        self.about().0
    }

    /// What kind of metric that is.
    pub const fn shape(self) -> Shape {
        self.about().1
    }

    /// Its unit, in UCUM.
    pub const fn unit(self) -> &'static str {
        self.about().2
    }

    /// What it says.
    pub const fn description(self) -> &'static str {
        self.about().3
    }

    /// Whether it is a quantile that an engine says itself.
    pub const fn is_quantile(self) -> bool {
        matches!(
            self,
            Self::FirstTokenQuantile | Self::InterTokenQuantile | Self::RequestQuantile
        )
    }
}
