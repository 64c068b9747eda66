//! What a session came to, for programs and for people.

use super::entry::{Entry, Tool};
use super::seen::PICO;
use obs_core::Telemetry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a session came to by now. See [what is added up](super#what-is-added-up). As text it is a table for people.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SessionSummary {
    /// What it is found by: its session id, else the id of its conversation.
    pub id: Arc<str>,
    /// `session.id`.
    pub session_id: Option<String>,
    /// `gen_ai.conversation.id`, the last that was seen.
    pub conversation_id: Option<String>,
    /// `user.id`, the last that was seen, or what [`UserIds`](obs_core::redact::UserIds) left of it.
    pub user_id: Option<String>,
    /// When the first operation that was seen of it started, in nanoseconds since the Unix epoch.
    pub first_seen_unix_nanos: u64,
    /// When the last one ended, likewise.
    pub last_seen_unix_nanos: u64,
    /// From one to the other, by the monotonic clock.
    pub wall_time: Duration,
    /// Turns of agents that no other agent called.
    pub turns: u64,
    /// Those that failed.
    pub failed_turns: u64,
    /// Calls of models that generate.
    pub inference_calls: u64,
    /// Those that failed.
    pub failed_inference_calls: u64,
    /// Calls of models that make vectors.
    pub embeddings_calls: u64,
    /// Those that failed.
    pub failed_embeddings_calls: u64,
    /// Calls of models, of either sort, that told of no tokens.
    pub calls_without_usage: u64,
    /// Calls of models, of either sort, that told of tokens and have no price.
    pub unpriced_calls: u64,
    /// Tokens of inputs, with those from and to caches.
    pub input_tokens: u64,
    /// Tokens of outputs, with those of reasoning.
    pub output_tokens: u64,
    /// Of the inputs, what was read from caches.
    pub cache_read_tokens: u64,
    /// Of the inputs, what was written to caches.
    pub cache_write_tokens: u64,
    /// Of the outputs, what was reasoned.
    pub reasoning_tokens: u64,
    /// Tokens of what vectors were made of.
    pub embeddings_input_tokens: u64,
    /// What the calls of models that have a price cost, in US dollars; `None` where none has one.
    pub cost_usd: Option<f64>,
    /// Calls of tools.
    pub tool_calls: u64,
    /// Those that failed.
    pub failed_tool_calls: u64,
    /// Each tool, in the order in which they were met; beyond the [cap](super::LedgerBuilder::with_max_tools) they are `_OTHER`.
    pub tools: Vec<ToolSummary>,
    /// Times to the first chunk, where answers were streamed.
    pub time_to_first_chunk: Option<FirstChunks>,
}

/// What the calls of one tool came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolSummary {
    /// Its name.
    pub name: Box<str>,
    /// How often it was called.
    pub calls: u64,
    /// How often it failed.
    pub failed_calls: u64,
    /// How long all calls took together.
    pub total: Duration,
    /// The median, within 19 %; times of less than a millisecond are one.
    pub p50: Duration,
    /// The 95th percentile, likewise.
    pub p95: Duration,
    /// The longest.
    pub max: Duration,
}

/// Times to the first chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct FirstChunks {
    /// Of how many calls.
    pub count: u64,
    /// The median, within 9 %; times of less than a millisecond are one.
    pub p50: Duration,
    /// The 95th percentile, likewise.
    pub p95: Duration,
    /// The longest.
    pub max: Duration,
}

impl SessionSummary {
    pub(super) fn of(entry: &Entry, telemetry: &Telemetry) -> Self {
        let conversation = Some(entry.conversation.clone()).filter(|id| !id.is_empty());
        let [first_seen_unix_nanos, last_seen_unix_nanos] =
            telemetry.unix_nanos_at([entry.started, entry.ended]);
        let totals = &entry.totals;
        let quantile = |share| entry.first_chunks.quantile(share);
        let span = entry.first_chunk_span;
        Self {
            id: entry.id.clone(),
            session_id: entry.is_session.then(|| entry.id.to_string()),
            conversation_id: conversation,
            user_id: Some(entry.user.clone()).filter(|id| !id.is_empty()),
            first_seen_unix_nanos,
            last_seen_unix_nanos,
            wall_time: telemetry.between(entry.started, entry.ended),
            turns: totals.turns,
            failed_turns: totals.failed_turns,
            inference_calls: totals.inference_calls,
            failed_inference_calls: totals.failed_inference_calls,
            embeddings_calls: totals.embeddings_calls,
            failed_embeddings_calls: totals.failed_embeddings_calls,
            calls_without_usage: totals.without_usage,
            unpriced_calls: totals.unpriced,
            input_tokens: totals.input,
            output_tokens: totals.output,
            cache_read_tokens: totals.cache_read,
            cache_write_tokens: totals.cache_write,
            reasoning_tokens: totals.reasoning,
            embeddings_input_tokens: totals.embeddings_input,
            cost_usd: (totals.priced > 0).then_some(totals.picodollars as f64 / PICO),
            tool_calls: totals.tool_calls,
            failed_tool_calls: totals.failed_tool_calls,
            tools: entry.tools.iter().map(ToolSummary::of).collect(),
            time_to_first_chunk: quantile(0.5).map(|p50| FirstChunks {
                count: entry.first_chunk_count,
                p50: time(span.within(p50)),
                p95: time(span.within(quantile(0.95).unwrap_or(p50))),
                max: time(span.max),
            }),
        }
    }

    /// Tokens of inferences, in and out.
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Calls of models and tools that failed. A turn that failed for one of them is not counted besides.
    pub fn failed_calls(&self) -> u64 {
        { self.failed_inference_calls }
            .saturating_add(self.failed_embeddings_calls)
            .saturating_add(self.failed_tool_calls)
    }
}

impl ToolSummary {
    fn of(tool: &Tool) -> Self {
        let quantile = |share| tool.latency.quantile(share).unwrap_or_default();
        Self {
            name: tool.name.clone(),
            calls: tool.calls,
            failed_calls: tool.failed,
            total: time(tool.seconds),
            p50: time(tool.span.within(quantile(0.5))),
            p95: time(tool.span.within(quantile(0.95))),
            max: time(tool.span.max),
        }
    }

    /// The mean.
    pub fn mean(&self) -> Duration {
        time(self.total.as_secs_f64() / self.calls.max(1) as f64)
    }
}

fn time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

impl fmt::Display for SessionSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ids come from outside: what a terminal would take for a command is shown as what it is.
        let what = if self.session_id.is_some() {
            "session"
        } else {
            "conversation"
        };
        write!(f, "{what} {}", self.id.escape_debug())?;
        if let (Some(id), true) = (&self.conversation_id, self.session_id.is_some()) {
            write!(f, ", conversation {}", id.escape_debug())?;
        }
        if let Some(id) = &self.user_id {
            write!(f, ", user {}", id.escape_debug())?;
        }
        writeln!(f)?;
        let wall = self.wall_time.as_secs_f64();
        line(f, "turns", &Calls(self.turns, self.failed_turns))?;
        writeln!(f, " in {wall:.3} s")?;
        line(
            f,
            "inferences",
            &Calls(self.inference_calls, self.failed_inference_calls),
        )?;
        if self.calls_without_usage > 0 {
            write!(f, ", {} without usage", self.calls_without_usage)?;
        }
        writeln!(f)?;
        line(f, "input tokens", &self.input_tokens)?;
        let (read, written) = (self.cache_read_tokens, self.cache_write_tokens);
        writeln!(f, " ({read} from caches, {written} to caches)")?;
        line(f, "output tokens", &self.output_tokens)?;
        writeln!(f, " ({} of reasoning)", self.reasoning_tokens)?;
        if self.embeddings_calls > 0 {
            let calls = Calls(self.embeddings_calls, self.failed_embeddings_calls);
            line(f, "embeddings", &calls)?;
            writeln!(f, " of {} tokens", self.embeddings_input_tokens)?;
        }
        match self.cost_usd {
            Some(usd) => line(f, "cost", &format_args!("{usd:.6} USD"))?,
            None => line(f, "cost", &"unknown")?,
        }
        if self.unpriced_calls > 0 {
            write!(f, ", {} calls without a price", self.unpriced_calls)?;
        }
        writeln!(f)?;
        if let Some(first) = &self.time_to_first_chunk {
            let [p50, p95, max] = [first.p50, first.p95, first.max].map(|t| t.as_secs_f64());
            let times = format_args!("{p50:.3} s p50, {p95:.3} s p95, {max:.3} s at most");
            line(f, "first chunk", &times)?;
            writeln!(f)?;
        }
        line(
            f,
            "tool calls",
            &Calls(self.tool_calls, self.failed_tool_calls),
        )?;
        self.tools.iter().try_for_each(|tool| tool.write(f))
    }
}

impl ToolSummary {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mean, p95, max] = [self.mean(), self.p95, self.max].map(|time| time.as_secs_f64());
        let name = self.name.escape_debug().to_string();
        let calls = Calls(self.calls, self.failed_calls);
        write!(
            f,
            "\n    {name:<24} {calls}, {mean:.3} s mean, {p95:.3} s p95, {max:.3} s at most"
        )
    }
}

/// Without the end of the line.
fn line(f: &mut fmt::Formatter<'_>, what: &str, value: &dyn fmt::Display) -> fmt::Result {
    write!(f, "  {what:<14} {value}")
}

/// How many, and how many of them failed.
struct Calls(u64, u64);

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            0 => write!(f, "{}", self.0),
            failed => write!(f, "{} ({failed} failed)", self.0),
        }
    }
}
