//! What is emitted of a session that is over.

use super::summary::SessionSummary;
use obs_core::otel::{KeyValue, Value};
use obs_core::semconv::{gen_ai, obs, obs::agent};
use obs_core::{Body, Key, LogEvent, Scope, Session};
use std::sync::Arc;

/// Why a session is over for its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// Nothing was seen of it for too long.
    Idle,
    /// Its room was needed.
    Evicted,
    /// By hand: [`Ledger::close`](super::Ledger::close).
    Closed,
    /// The telemetry was shut down.
    Shutdown,
}

pub(super) const REASONS: &[&str] = &["idle", "evicted", "closed", "shutdown"];

impl EndReason {
    pub(super) const ALL: [Self; 4] = [Self::Idle, Self::Evicted, Self::Closed, Self::Shutdown];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        REASONS[self as usize]
    }
}

pub(super) static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: gen_ai::SCHEMA_URL,
};

/// Of no operation: it belongs to all of the session.
pub(super) fn event(of: &SessionSummary, reason: EndReason) -> LogEvent {
    let mut event = LogEvent::new(agent::SESSION_SUMMARY, Body::Empty).with_scope(&SCOPE);
    (event.trace_id, event.span_id, event.trace_flags) = (None, None, 0);
    let mut session = Session::default();
    // As they were on spans: cut there, if they had to be.
    session.session_id = of.session_id.as_deref().map(Into::into);
    session.conversation_id = of.conversation_id.as_deref().map(Into::into);
    session.user_id = of.user_id.as_deref().map(Into::into);
    event.session = Some(Arc::new(session));
    event.attributes = attributes(of, reason);
    if !of.tools.is_empty() {
        event = event.with_structured(agent::SESSION_TOOLS, tools(of));
    }
    event
}

fn attributes(of: &SessionSummary, reason: EndReason) -> Vec<KeyValue> {
    let mut all = Vec::with_capacity(26);
    let mut put = |key: Key, value: Value| all.push(KeyValue::new(key.as_str(), value));
    put(agent::SESSION_END_REASON, reason.as_str().into());
    put(agent::SESSION_DURATION, of.wall_time.as_secs_f64().into());
    // First when it was: it may have been idle for long.
    for (key, count) in [
        (agent::SESSION_FIRST_SEEN, of.first_seen_unix_nanos),
        (agent::SESSION_LAST_SEEN, of.last_seen_unix_nanos),
        (agent::SESSION_TURNS, of.turns),
        (agent::SESSION_FAILED_TURNS, of.failed_turns),
        (agent::SESSION_INFERENCE_CALLS, of.inference_calls),
        (
            agent::SESSION_FAILED_INFERENCE_CALLS,
            of.failed_inference_calls,
        ),
        (agent::SESSION_CALLS_WITHOUT_USAGE, of.calls_without_usage),
        (agent::SESSION_UNPRICED_CALLS, of.unpriced_calls),
        (agent::SESSION_EMBEDDINGS_CALLS, of.embeddings_calls),
        (
            agent::SESSION_FAILED_EMBEDDINGS_CALLS,
            of.failed_embeddings_calls,
        ),
        (
            agent::SESSION_EMBEDDINGS_INPUT_TOKENS,
            of.embeddings_input_tokens,
        ),
        (agent::SESSION_TOOL_CALLS, of.tool_calls),
        (agent::SESSION_FAILED_TOOL_CALLS, of.failed_tool_calls),
        (gen_ai::USAGE_INPUT_TOKENS, of.input_tokens),
        (gen_ai::USAGE_OUTPUT_TOKENS, of.output_tokens),
        (gen_ai::USAGE_CACHE_READ_INPUT_TOKENS, of.cache_read_tokens),
        (
            gen_ai::USAGE_CACHE_CREATION_INPUT_TOKENS,
            of.cache_write_tokens,
        ),
        (gen_ai::USAGE_REASONING_OUTPUT_TOKENS, of.reasoning_tokens),
    ] {
        put(key, whole(count).into());
    }
    if let Some(usd) = of.cost_usd {
        put(obs::LLM_COST_USD, usd.into());
    }
    if let Some(first) = of.time_to_first_chunk {
        put(
            agent::SESSION_FIRST_CHUNK_P50,
            first.p50.as_secs_f64().into(),
        );
        put(
            agent::SESSION_FIRST_CHUNK_P95,
            first.p95.as_secs_f64().into(),
        );
    }
    all
}

/// A map of each, the times in seconds.
fn tools(of: &SessionSummary) -> Body {
    let each = of.tools.iter().map(|tool| {
        let seconds = |time: std::time::Duration| Body::F64(time.as_secs_f64());
        let members = [
            ("name", Body::Text(tool.name.to_string())),
            ("calls", Body::I64(whole(tool.calls))),
            ("failed_calls", Body::I64(whole(tool.failed_calls))),
            ("duration", seconds(tool.total)),
            ("duration.p50", seconds(tool.p50)),
            ("duration.p95", seconds(tool.p95)),
            ("duration.max", seconds(tool.max)),
        ];
        Body::Map(members.map(|(key, value)| (key.to_owned(), value)).into())
    });
    Body::List(each.collect())
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
