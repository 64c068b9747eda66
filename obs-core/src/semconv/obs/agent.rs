//! Ours, of agents, their sessions and budgets.

names! {
    /// How many agents an agent runs within, in this process: 0 or absent is a turn of its session.
    DEPTH = "obs.agent.depth";
    /// Why a session is over for its ledger: `idle`, `evicted`, `closed`, `shutdown`.
    SESSION_END_REASON = "obs.agent.session.end_reason";
    /// From the start of the first operation that was seen of a session to the end of the last, in seconds.
    SESSION_DURATION = "obs.agent.session.duration";
    /// How many turns agents had.
    SESSION_TURNS = "obs.agent.session.turns";
    /// How many of these failed.
    SESSION_FAILED_TURNS = "obs.agent.session.failed_turns";
    /// How many inferences there were.
    SESSION_INFERENCE_CALLS = "obs.agent.session.inference_calls";
    /// How many of these failed.
    SESSION_FAILED_INFERENCE_CALLS = "obs.agent.session.failed_inference_calls";
    /// Of how many calls of models no tokens were told.
    SESSION_CALLS_WITHOUT_USAGE = "obs.agent.session.calls_without_usage";
    /// How many calls of models told of tokens and have no price.
    SESSION_UNPRICED_CALLS = "obs.agent.session.unpriced_calls";
    /// How many calls made vectors.
    SESSION_EMBEDDINGS_CALLS = "obs.agent.session.embeddings_calls";
    /// How many of these failed.
    SESSION_FAILED_EMBEDDINGS_CALLS = "obs.agent.session.failed_embeddings_calls";
    /// Tokens of what vectors were made of, which are not among those of inferences.
    SESSION_EMBEDDINGS_INPUT_TOKENS = "obs.agent.session.embeddings_input_tokens";
    /// How many calls of tools there were.
    SESSION_TOOL_CALLS = "obs.agent.session.tool_calls";
    /// How many of these failed.
    SESSION_FAILED_TOOL_CALLS = "obs.agent.session.failed_tool_calls";
    /// The tools by their names: calls, failures, latency.
    SESSION_TOOLS = "obs.agent.session.tools";
    /// The median of the times to the first chunk, in seconds.
    SESSION_FIRST_CHUNK_P50 = "obs.agent.session.time_to_first_chunk.p50";
    /// Their 95th percentile.
    SESSION_FIRST_CHUNK_P95 = "obs.agent.session.time_to_first_chunk.p95";
    /// Which limit of a budget was reached: `input_tokens`, `output_tokens`, `tokens`, `cost`, `inference_calls`, `tool_calls`,
    /// `identical_calls`, `wall_time`.
    BUDGET_EXCEEDED = "obs.agent.budget.exceeded";
    /// What had been used by then, in the limit's unit.
    BUDGET_USED = "obs.agent.budget.used";
    /// The limit.
    BUDGET_LIMIT = "obs.agent.budget.limit";
}

/// Sessions that a ledger holds.
pub const SESSIONS: &str = "obs.agent.sessions";
/// What they take of the memory, in bytes.
pub const SESSIONS_MEMORY: &str = "obs.agent.sessions.memory";
/// Sessions that a ledger holds no longer, by why.
pub const SESSIONS_ENDED: &str = "obs.agent.sessions.ended";
/// Budgets that were reached, by which limit.
pub const BUDGETS_EXCEEDED: &str = "obs.agent.budgets.exceeded";

/// The event of a session that a ledger holds no longer.
pub const SESSION_SUMMARY: &str = "obs.agent.session.summary";
/// The event of a span in which a budget was found used up.
pub const BUDGET_EVENT: &str = "obs.agent.budget";
