//! Ours, of agents, their sessions and budgets.

names! {
    /// Which turn of its conversation a run of an agent is, from one on.
    TURN = "obs.agent.turn";
    /// The how-manieth run within its parent it is, from one on.
    STEP = "obs.agent.step";
    /// How many runs are around it.
    DEPTH = "obs.agent.depth";
    /// Whether its conversation begins with it although other runs are around it; there if so. It is a turn of that, too.
    OUTERMOST = "obs.agent.outermost";
    /// How often it was tried before; there if it was.
    ATTEMPT = "obs.agent.attempt";
    /// The run's id, where ids are asked for.
    RUN_ID = "obs.agent.run.id";
    /// The id of the run that it is part of, where ids are asked for.
    RUN_PARENT_ID = "obs.agent.run.parent_id";
    /// What implements it: `OpenAI`, `rig`.
    IMPLEMENTATION = "obs.agent.implementation";
    /// What part of an agent a node is: `prompt`, `indexer`, `lambda`.
    NODE_KIND = "obs.agent.node.kind";
    /// The name of a node.
    NODE_NAME = "obs.agent.node.name";
    /// On the link to a run that handed over: the name of whose it was.
    HANDOFF = "obs.agent.handoff";
    /// The tools that a model was offered, by their names.
    TOOLS_OFFERED = "obs.agent.tools.offered";
    /// How many they are, where not all are named.
    TOOLS_OFFERED_COUNT = "obs.agent.tools.offered.count";
    /// The tools that a model chose, by their names, in its order.
    TOOLS_CHOSEN = "obs.agent.tools.chosen";
    /// Inferences of one run of an agent, without those of agents within it.
    RUN_INFERENCES = "obs.agent.run.inferences";
    /// Calls of tools of one run of an agent, without those of agents within it.
    RUN_TOOLS = "obs.agent.run.tools";
    /// How many documents there are: found, stored, loaded, made.
    DOCUMENTS = "obs.agent.documents";
    /// How many texts become vectors.
    TEXTS = "obs.agent.texts";
    /// By v1.41's names, which have none for it: the store of what is remembered.
    MEMORY_STORE_ID = "obs.agent.memory.store.id";
    /// The same: the record of what is remembered.
    MEMORY_RECORD_ID = "obs.agent.memory.record.id";
    /// The same: how many records were found or written.
    MEMORY_RECORD_COUNT = "obs.agent.memory.record.count";
    /// The same: what is searched for, where content is captured.
    MEMORY_QUERY_TEXT = "obs.agent.memory.query.text";
    /// The same: what is remembered, where content is captured.
    MEMORY_RECORDS = "obs.agent.memory.records";
    /// What a node begins with, where content is captured.
    INPUT = "obs.agent.input";
    /// What a node gives, where content is captured.
    OUTPUT = "obs.agent.output";
    /// Why a session is over for its ledger: `idle`, `evicted`, `closed`, `shutdown`.
    SESSION_END_REASON = "obs.agent.session.end_reason";
    /// From the start of the first operation that was seen of a session to the end of the last, in seconds.
    SESSION_DURATION = "obs.agent.session.duration";
    /// When the first operation that was seen of a session began, in nanoseconds since the Unix epoch.
    SESSION_FIRST_SEEN = "obs.agent.session.first_seen";
    /// When the last one ended, in nanoseconds since the Unix epoch.
    SESSION_LAST_SEEN = "obs.agent.session.last_seen";
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

/// By v1.41's names, which have none for it: duration of turns of agents in this process, in seconds.
pub const INVOKE_AGENT_DURATION: &str = "obs.agent.invoke_agent.duration";
/// The same: inferences of one turn of an agent, without those of agents within it.
pub const INFERENCE_CALLS: &str = "obs.agent.invoke_agent.inference_calls";
/// The same: calls of tools of one turn of an agent, without those of agents within it.
pub const TOOL_CALLS: &str = "obs.agent.invoke_agent.tool_calls";
/// The same: duration of calls of tools, in seconds.
pub const EXECUTE_TOOL_DURATION: &str = "obs.agent.execute_tool.duration";
/// The same: duration of workflows, in seconds.
pub const INVOKE_WORKFLOW_DURATION: &str = "obs.agent.invoke_workflow.duration";
/// Duration of plans, in seconds.
pub const PLAN_DURATION: &str = "obs.agent.plan.duration";
/// Duration of nodes that the conventions have no name for, in seconds.
pub const NODE_DURATION: &str = "obs.agent.node.duration";
/// Agents that have a turn.
pub const ACTIVE_AGENTS: &str = "obs.agent.active_agents";
/// Tools that are called.
pub const ACTIVE_TOOLS: &str = "obs.agent.active_tools";
/// The event that carries what a run other than a model's said, where content is captured on events.
pub const DETAILS: &str = "obs.agent.details";

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
