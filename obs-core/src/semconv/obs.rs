//! Ours, where no standard exists.

pub mod agent;

names! {
    /// Why an operation was kept although the head decision left it out: `error`, `slow`, `forced`, `trace`.
    KEEP_REASON = "obs.keep.reason";
    /// Whether the trace was kept late and may have holes.
    TRACE_PARTIAL = "obs.trace.partial";
    /// How many finished children of a kept trace were let go of before it was decided.
    KEEP_TRUNCATED = "obs.keep.truncated";
    /// Why something was let go of.
    DROP_REASON = "obs.drop.reason";
    /// What was out of the ordinary.
    ANOMALY = "obs.anomaly";
    /// Whether the connection was there before: false where the exchange had to dial.
    CONNECTION_REUSED = "obs.http.connection.reused";
    /// How many attempts one call took.
    CALL_ATTEMPTS = "obs.http.call.attempts";
    /// What `rpc.response.status_code` is called from the next version of the conventions on (v1.45 or later).
    RPC_STATUS_CODE_NEXT = "rpc.status_code";
    /// How many messages a call's request had.
    RPC_REQUEST_MESSAGES = "obs.rpc.request.messages";
    /// How many messages a call's response had.
    RPC_RESPONSE_MESSAGES = "obs.rpc.response.messages";
    /// Bytes of the request's messages as they were on the wire, compressed or not, without their prefixes.
    RPC_REQUEST_SIZE = "obs.rpc.request.size";
    /// Bytes of the response's messages as they were on the wire, compressed or not, without their prefixes.
    RPC_RESPONSE_SIZE = "obs.rpc.response.size";
    /// How many messages of the request were compressed, where any was.
    RPC_REQUEST_COMPRESSED = "obs.rpc.request.compressed";
    /// How many messages of the response were compressed, where any was.
    RPC_RESPONSE_COMPRESSED = "obs.rpc.response.compressed";
    /// Who ended a call that was cancelled or timed out: `local`, `deadline`, `peer`, `cascaded`, `superseded`.
    RPC_CANCEL_ORIGIN = "obs.rpc.cancel.origin";
    /// Which attempt of one call it is, counted from 0 for the first; there from 1 on.
    RPC_ATTEMPT = "obs.rpc.attempt";
    /// How many attempts one call took.
    RPC_CALL_ATTEMPTS = "obs.rpc.call.attempts";
    /// Whether the connection was there before: false where the call had to wait for a new one.
    RPC_CONNECTION_REUSED = "obs.rpc.connection.reused";
    /// The service at the other end: on a server as the caller names itself, on a client as it is configured.
    RPC_PEER_SERVICE = "obs.rpc.peer.service";
    /// The number of the application exception that a Thrift call was answered with: 1 is an unknown method, 6 an internal error.
    RPC_EXCEPTION = "obs.rpc.exception.kind";
    /// The status of the business error that a Thrift call was answered with.
    RPC_BIZ_STATUS = "obs.rpc.biz.status";
    /// Which part of an operation a duration is of: `connect`, `dns`, `tcp`, `tls`; of RPCs also, on the client,
    /// `encode_request`, `write_request`, `wait_response`, `read_response`, `decode_response`, and on the server
    /// `read_request`, `decode_request`, `handle`, `encode_response`, `write_response`; of a server of models `queue`, `prefill`,
    /// `decode`.
    STAGE = "obs.stage";
    /// Which signal: `traces`, `metrics`, `logs`.
    SIGNAL = "obs.signal";
    /// How many events of a call site flood control held back.
    LOG_HELD_BACK = "obs.log.held_back";
    /// How many lines a writer did not take.
    LOG_LOST = "obs.log.lost";
    /// How many fields of an event had no room.
    LOG_CUT_FIELDS = "obs.log.cut_fields";
    /// Which tokio runtime: its name, else its number.
    TOKIO_RUNTIME = "obs.tokio.runtime";
    /// Which worker of it, counted from 0.
    TOKIO_WORKER = "obs.tokio.worker";
    /// What became of a method's raise to Detailed: `raised`, `refused_rate`, `refused_methods`.
    RAISE_OUTCOME = "obs.level.raise.outcome";
    /// How many chunks with content an answer had.
    LLM_CHUNKS = "obs.llm.response.chunks";
    /// The longest time between two chunks, in seconds.
    LLM_CHUNK_GAP_MAX = "obs.llm.response.chunk_gap.max";
    /// Time for each token after the first: from the first chunk to the last over the tokens between, in seconds.
    LLM_TIME_PER_OUTPUT_TOKEN_ATTRIBUTE = "obs.llm.response.time_per_output_token";
    /// What a call cost, in US dollars, by the table of prices that was loaded.
    LLM_COST_USD = "obs.llm.cost.usd";
    /// Whether tokens were counted here and not told by the provider.
    LLM_USAGE_ESTIMATED = "obs.llm.usage.estimated";
    /// Tokens of the input as counted here.
    LLM_ESTIMATED_INPUT_TOKENS = "obs.llm.usage.estimated.input_tokens";
    /// Tokens of the output as counted here.
    LLM_ESTIMATED_OUTPUT_TOKENS = "obs.llm.usage.estimated.output_tokens";
    /// Where the messages of the request lie outside, as whoever stored them says.
    LLM_INPUT_MESSAGES_REF = "obs.llm.input.messages_ref";
    /// Where the messages of the answer lie outside.
    LLM_OUTPUT_MESSAGES_REF = "obs.llm.output.messages_ref";
    /// Where the system's instructions lie outside.
    LLM_SYSTEM_INSTRUCTIONS_REF = "obs.llm.system_instructions_ref";
    /// Where the definitions of tools lie outside.
    LLM_TOOL_DEFINITIONS_REF = "obs.llm.tool.definitions_ref";
    /// How many bytes of what a call said are not in what is told of it; there if any.
    LLM_CONTENT_CUT = "obs.llm.content.cut";
    /// Which wire format it was: `openai_chat`, `anthropic_messages`, …
    LLM_WIRE = "obs.llm.wire";
    /// How long the input was: `0-1k`, `1k-4k`, `4k-16k`, `16k-64k`, `64k+`, `unknown`.
    LLM_INPUT_CLASS = "obs.llm.input.class";
    /// How long the output was: `0-64`, `64-256`, `256-1k`, `1k-4k`, `4k+`, `unknown`.
    LLM_OUTPUT_CLASS = "obs.llm.output.class";
    /// What an engine says loading the model took, in seconds.
    LLM_SERVER_LOAD = "obs.llm.server.load.duration";
    /// What an engine says reading the prompt took, in seconds.
    LLM_SERVER_PREFILL = "obs.llm.server.prefill.duration";
    /// What an engine says writing the answer took, in seconds.
    LLM_SERVER_DECODE = "obs.llm.server.decode.duration";
    /// What an engine says all of it took, in seconds.
    LLM_SERVER_TOTAL = "obs.llm.server.total.duration";
    /// What was slow: `first_chunk`, `chunk_gap`, and on the side that answers `first_token`, `token_gap`.
    LLM_SLOW_CAUSE = "obs.llm.slow.cause";
    /// How long it took, in seconds.
    LLM_SLOW_DURATION = "obs.llm.slow.duration";
    /// From which duration it is slow, in seconds.
    LLM_SLOW_THRESHOLD = "obs.llm.slow.threshold";
    /// How many times it was slow in one call.
    LLM_SLOW_COUNT = "obs.llm.slow.count";
    /// Which inference engine a number was scraped from: `vllm`, `sglang`, …
    LLM_ENGINE = "obs.llm.engine";
    /// Which of several engines behind one page of metrics, as that page says it: a rank of data parallelism.
    LLM_ENGINE_INDEX = "obs.llm.engine.index";
    /// Why an engine was done with a request, in the engine's own word.
    LLM_ENGINE_FINISH_REASON = "obs.llm.engine.finish_reason";
    /// Which quantile of a distribution an engine says, from 0 to 1.
    LLM_ENGINE_QUANTILE = "obs.llm.engine.quantile";
    /// How long a request waited for its turn the first time, in seconds.
    LLM_SERVER_QUEUE = "obs.llm.server.queue.duration";
    /// Time from a request to its first token as the server of the model has it, in seconds.
    LLM_SERVER_FIRST_TOKEN = "obs.llm.server.time_to_first_token";
    /// The longest time between two tokens of a request, in seconds.
    LLM_SERVER_TOKEN_GAP_MAX = "obs.llm.server.token_gap.max";
    /// How many times a request was put back into the queue; there if it was.
    LLM_SERVER_PREEMPTIONS = "obs.llm.server.preemptions";
    /// What a host or a control group waited for: `cpu`, `memory`, `io`.
    HOST_RESOURCE = "obs.host.resource";
    /// Who waited: `some` task, or all of them, `full`.
    HOST_PRESSURE = "obs.host.pressure";
    /// What a port speaks: `InfiniBand` or `Ethernet`.
    FABRIC_LINK_LAYER = "obs.fabric.link_layer";
    /// A counter of a port's, as its driver has it.
    FABRIC_COUNTER = "obs.fabric.counter";
    /// What a transfer is of: `all_reduce`, `kv`.
    FABRIC_TRANSFER = "obs.fabric.transfer";
    /// Whom a transfer is with: a rank, a stage, a host.
    FABRIC_PEER = "obs.fabric.peer";
    /// Share of time in which a GPU was in use when a call that ran on it started.
    GPU_START_UTILIZATION = "obs.gpu.start.utilization";
    /// Share of a GPU's memory that was in use when a call that ran on it started.
    GPU_START_MEMORY = "obs.gpu.start.memory.utilization";
    /// Power of a GPU, in watts, when a call that ran on it started.
    GPU_START_POWER = "obs.gpu.start.power";
    /// Clock of a GPU as a share of its highest when a call that ran on it started.
    GPU_START_CLOCK = "obs.gpu.start.sm_clock_ratio";
    /// Why the clocks of a GPU were held down when a call that ran on it started.
    GPU_START_THROTTLE = "obs.gpu.start.throttle";
    /// How a GPU was when a call that ran on it started.
    GPU_START_HEALTH = "obs.gpu.start.health";
    /// How old, in seconds, what is told of a GPU was when a call that ran on it started.
    GPU_START_SAMPLE_AGE = "obs.gpu.start.sample_age";
    /// Share of time in which a GPU was in use when the first of a call's output was there.
    GPU_FIRST_OUTPUT_UTILIZATION = "obs.gpu.first_output.utilization";
    /// Share of a GPU's memory that was in use when the first of a call's output was there.
    GPU_FIRST_OUTPUT_MEMORY = "obs.gpu.first_output.memory.utilization";
    /// Power of a GPU, in watts, when the first of a call's output was there.
    GPU_FIRST_OUTPUT_POWER = "obs.gpu.first_output.power";
    /// Clock of a GPU as a share of its highest when the first of a call's output was there.
    GPU_FIRST_OUTPUT_CLOCK = "obs.gpu.first_output.sm_clock_ratio";
    /// Why the clocks of a GPU were held down when the first of a call's output was there.
    GPU_FIRST_OUTPUT_THROTTLE = "obs.gpu.first_output.throttle";
    /// How a GPU was when the first of a call's output was there.
    GPU_FIRST_OUTPUT_HEALTH = "obs.gpu.first_output.health";
    /// How old, in seconds, what is told of a GPU was when the first of a call's output was there.
    GPU_FIRST_OUTPUT_SAMPLE_AGE = "obs.gpu.first_output.sample_age";
    /// Share of time in which a GPU was in use when a call that ran on it ended.
    GPU_END_UTILIZATION = "obs.gpu.end.utilization";
    /// Share of a GPU's memory that was in use when a call that ran on it ended.
    GPU_END_MEMORY = "obs.gpu.end.memory.utilization";
    /// Power of a GPU, in watts, when a call that ran on it ended.
    GPU_END_POWER = "obs.gpu.end.power";
    /// Clock of a GPU as a share of its highest when a call that ran on it ended.
    GPU_END_CLOCK = "obs.gpu.end.sm_clock_ratio";
    /// Why the clocks of a GPU were held down when a call that ran on it ended.
    GPU_END_THROTTLE = "obs.gpu.end.throttle";
    /// How a GPU was when a call that ran on it ended.
    GPU_END_HEALTH = "obs.gpu.end.health";
    /// How old, in seconds, what is told of a GPU was when a call that ran on it ended.
    GPU_END_SAMPLE_AGE = "obs.gpu.end.sample_age";
    /// Why the first of a call's output came late.
    GPU_SLOW_FIRST_OUTPUT_CAUSE = "obs.gpu.slow.first_output.cause";
    /// What was read that says so.
    GPU_SLOW_FIRST_OUTPUT_EVIDENCE = "obs.gpu.slow.first_output.evidence";
    /// Why what followed the first of a call's output came late.
    GPU_SLOW_OUTPUT_CAUSE = "obs.gpu.slow.output.cause";
    /// What was read that says so.
    GPU_SLOW_OUTPUT_EVIDENCE = "obs.gpu.slow.output.evidence";
    /// Joules that the model of a call used of its GPUs from the call's start to its end, those of calls beside it included.
    GPU_MODEL_ENERGY = "obs.gpu.model.energy";
    /// Whose a part of what a GPU used is: `claim`, `process`, `idle`, `unattributed`.
    GPU_OWNER = "obs.gpu.owner";
    /// What a GPU is used for, as whoever claims it says: `chat`, `train`.
    GPU_TASK = "obs.gpu.task";
    /// Which clock of a GPU: `sm` or `memory`.
    GPU_CLOCK = "obs.gpu.clock";
    /// Why the clocks of a GPU are held down.
    GPU_THROTTLE_REASON = "obs.gpu.throttle.reason";
    /// How often something of a GPU is read: `fast`, `second`, `slow`.
    GPU_TIER = "obs.gpu.tier";
    /// What of a GPU is read together: `fast`, `energy`, `counters` and so on.
    GPU_READ_GROUP = "obs.gpu.read.group";
    /// A call of a driver's, as the driver has it.
    GPU_CALL = "obs.gpu.call";
    /// The number of a link between GPUs.
    GPU_LINK = "obs.gpu.link";
    /// How many spare rows banks of a GPU's memory have: `full`, `high`, `partial`, `low`, `none`.
    GPU_SPARE_ROWS = "obs.gpu.memory.spare_rows";
    /// What a process does on a GPU: `compute`, `graphics`, `mps`.
    GPU_PROCESS_KIND = "obs.gpu.process.kind";
    /// What routing does of an XID: `note`, `app`, `degraded`, `drain`, `isolate`.
    GPU_XID_VERDICT = "obs.gpu.xid.verdict";
    /// What a GPU's state is by, as [`GPU_HEALTH_EVENT`] says it: `xid`, `recovery_action`, `not_answering`.
    GPU_HEALTH_CAUSE = "obs.gpu.health.cause";
    /// The number of that: an XID, the driver's answer, the action that it asks for.
    GPU_HEALTH_CODE = "obs.gpu.health.code";
    /// The state that a GPU was in before.
    GPU_HEALTH_PREVIOUS = "obs.gpu.health.previous";
    /// How long it had been in that, in seconds.
    GPU_HEALTH_PREVIOUS_DURATION = "obs.gpu.health.previous.duration";
    /// The state of a GPU's gate: `serving`, `draining`, `isolated`.
    GPU_GATE_STATE = "obs.gpu.gate.state";
    /// The state that a gate was in before.
    GPU_GATE_PREVIOUS = "obs.gpu.gate.previous";
    /// Why an operator holds a gate.
    GPU_GATE_HELD = "obs.gpu.gate.held";
}

/// Time from a request's head to its response's head, in seconds.
pub const HTTP_SERVER_HEAD_DURATION: &str = "obs.http.server.head.duration";
/// Time from a client's request to its response's head, in seconds.
pub const HTTP_CLIENT_HEAD_DURATION: &str = "obs.http.client.head.duration";
/// Parts of a client's exchange, in seconds.
pub const HTTP_CLIENT_STAGE_DURATION: &str = "obs.http.client.stage.duration";
/// Duration of a call with all its attempts, in seconds.
pub const HTTP_CALL_DURATION: &str = "obs.http.call.duration";
/// Sizes of the request bodies of calls, in bytes.
pub const HTTP_CALL_REQUEST_BODY_SIZE: &str = "obs.http.call.request.body.size";
/// Sizes of the response bodies of calls, in bytes.
pub const HTTP_CALL_RESPONSE_BODY_SIZE: &str = "obs.http.call.response.body.size";
/// How many attempts calls took.
pub const HTTP_CALL_ATTEMPTS: &str = "obs.http.call.attempts";
/// A server's calls that are running.
pub const RPC_SERVER_ACTIVE: &str = "obs.rpc.server.active_calls";
/// A client's calls that are running.
pub const RPC_CLIENT_ACTIVE: &str = "obs.rpc.client.active_calls";
/// Parts of a call, in seconds.
pub const RPC_STAGE_DURATION: &str = "obs.rpc.stage.duration";
/// How long a client's connections took to make, in seconds.
pub const RPC_CLIENT_CONNECT_DURATION: &str = "obs.rpc.client.connect.duration";
/// Messages of the requests that servers got.
pub const RPC_SERVER_REQUEST_MESSAGES: &str = "obs.rpc.server.request.messages";
/// Messages of the responses that servers gave.
pub const RPC_SERVER_RESPONSE_MESSAGES: &str = "obs.rpc.server.response.messages";
/// Sizes of the requests that servers got, in bytes.
pub const RPC_SERVER_REQUEST_SIZE: &str = "obs.rpc.server.request.size";
/// Sizes of the responses that servers gave, in bytes.
pub const RPC_SERVER_RESPONSE_SIZE: &str = "obs.rpc.server.response.size";
/// Messages of the requests that clients sent.
pub const RPC_CLIENT_REQUEST_MESSAGES: &str = "obs.rpc.client.request.messages";
/// Messages of the responses that clients got.
pub const RPC_CLIENT_RESPONSE_MESSAGES: &str = "obs.rpc.client.response.messages";
/// Sizes of the requests that clients sent, in bytes.
pub const RPC_CLIENT_REQUEST_SIZE: &str = "obs.rpc.client.request.size";
/// Sizes of the responses that clients got, in bytes.
pub const RPC_CLIENT_RESPONSE_SIZE: &str = "obs.rpc.client.response.size";
/// Duration of a logical call with all its attempts, in seconds.
pub const RPC_CALL_DURATION: &str = "obs.rpc.call.duration";
/// How many attempts logical calls took.
pub const RPC_CALL_ATTEMPTS_METRIC: &str = "obs.rpc.call.attempts";
/// Inferences that a client waits for.
pub const LLM_CLIENT_ACTIVE: &str = "obs.llm.client.active_calls";
/// Requests that a server of models has, waiting or running.
pub const LLM_SERVER_ACTIVE: &str = "obs.llm.server.active_requests";
/// Time to the first chunk by how long the input was, in seconds.
pub const LLM_TIME_TO_FIRST_CHUNK: &str = "obs.llm.client.time_to_first_chunk";
/// Time for each token after the first by how long the output was, in seconds.
pub const LLM_TIME_PER_OUTPUT_TOKEN: &str = "obs.llm.client.time_per_output_token";
/// Duration of calls by how long the output was, in seconds.
pub const LLM_CLIENT_DURATION: &str = "obs.llm.client.duration";
/// Parts of a server's requests, in seconds.
pub const LLM_SERVER_STAGE_DURATION: &str = "obs.llm.server.stage.duration";
/// Requests that wait for a server of models to begin with them, or to go on.
pub const LLM_SERVER_WAITING: &str = "obs.llm.server.waiting_requests";
/// How many requests a server of models can work on at once.
pub const LLM_SERVER_SLOTS: &str = "obs.llm.server.slots";
/// Requests that one step of a server of models advanced.
pub const LLM_SERVER_BATCH_SIZE: &str = "obs.llm.server.batch_size";
/// Time from one token of a request to the next as the server of the model has it, in seconds.
pub const LLM_SERVER_TOKEN_GAP: &str = "obs.llm.server.token_gap";
/// How much of a server's cache of keys and values is in use, from 0 to 1.
pub const LLM_SERVER_KV_CACHE_USAGE: &str = "obs.llm.server.kv_cache.usage";
/// Tokens of inputs that a server of models read, or found in its cache.
pub const LLM_SERVER_INPUT_TOKENS: &str = "obs.llm.server.input_tokens";
/// Of these, those that it found in its cache.
pub const LLM_SERVER_CACHED_TOKENS: &str = "obs.llm.server.cached_tokens";
/// Tokens that a server of models wrote.
pub const LLM_SERVER_OUTPUT_TOKENS: &str = "obs.llm.server.output_tokens";
/// How many times a server of models put a request that it had begun with back into the queue.
pub const LLM_SERVER_PREEMPTIONS_METRIC: &str = "obs.llm.server.preemptions";
/// What calls cost, in US dollars.
pub const LLM_COST: &str = "obs.llm.cost";
/// What could not be read, counted or priced, by what it was.
pub const LLM_ANOMALIES: &str = "obs.llm.anomalies";
/// The event of a call whose first chunk or token, or one after, came late.
pub const LLM_SLOW: &str = "obs.llm.slow";
/// Scraped from an engine: whether its page could be read last: 1 or 0.
pub const LLM_ENGINE_UP: &str = "obs.llm.engine.up";
/// How long scrapes of engines take, in seconds.
pub const LLM_ENGINE_SCRAPE_DURATION: &str = "obs.llm.engine.scrape.duration";
/// Scrapes of engines that failed, by why.
pub const LLM_ENGINE_SCRAPE_ERRORS: &str = "obs.llm.engine.scrape.errors";
/// What was wrong on pages of engines that could be read, and was left out.
pub const LLM_ENGINE_SCRAPE_ANOMALIES: &str = "obs.llm.engine.scrape.anomalies";
/// Scraped: time between one token and the next, in seconds.
pub const LLM_ENGINE_INTER_TOKEN_DURATION: &str = "obs.llm.engine.inter_token.duration";
/// Scraped: time that requests wait before they run, in seconds.
pub const LLM_ENGINE_QUEUE_DURATION: &str = "obs.llm.engine.queue.duration";
/// Scraped: time from when a request runs to its first token, in seconds.
pub const LLM_ENGINE_PREFILL_DURATION: &str = "obs.llm.engine.prefill.duration";
/// Scraped: time from a request's first token to its last, in seconds.
pub const LLM_ENGINE_DECODE_DURATION: &str = "obs.llm.engine.decode.duration";
/// Scraped: requests that an engine works on.
pub const LLM_ENGINE_RUNNING: &str = "obs.llm.engine.requests.running";
/// Scraped: requests that wait for an engine.
pub const LLM_ENGINE_WAITING: &str = "obs.llm.engine.requests.waiting";
/// Scraped: requests that an engine is done with, by why.
pub const LLM_ENGINE_FINISHED: &str = "obs.llm.engine.requests.finished";
/// Scraped: how often an engine took a running request's memory for another one.
pub const LLM_ENGINE_PREEMPTIONS: &str = "obs.llm.engine.preemptions";
/// Scraped: the part of the KV cache that is in use, from 0 to 1.
pub const LLM_ENGINE_KV_CACHE_USAGE: &str = "obs.llm.engine.kv_cache.usage";
/// Scraped: tokens of prompts that were looked for in the prefix cache.
pub const LLM_ENGINE_PREFIX_CACHE_QUERIES: &str = "obs.llm.engine.prefix_cache.queries";
/// Scraped: of those the tokens that were there.
pub const LLM_ENGINE_PREFIX_CACHE_HITS: &str = "obs.llm.engine.prefix_cache.hits";
/// Scraped: tokens of prompts, those from a cache among them.
pub const LLM_ENGINE_INPUT_TOKENS: &str = "obs.llm.engine.input_tokens";
/// Scraped: tokens that an engine generated.
pub const LLM_ENGINE_OUTPUT_TOKENS: &str = "obs.llm.engine.output_tokens";
/// Scraped: a quantile of the time to the first token that an engine says itself, in seconds.
pub const LLM_ENGINE_FIRST_TOKEN_QUANTILE: &str = "obs.llm.engine.time_to_first_token.quantile";
/// Scraped: a quantile of the time between tokens that an engine says itself, in seconds.
pub const LLM_ENGINE_INTER_TOKEN_QUANTILE: &str = "obs.llm.engine.inter_token.quantile";
/// Scraped: a quantile of the duration of requests that an engine says itself, in seconds.
pub const LLM_ENGINE_REQUEST_QUANTILE: &str = "obs.llm.engine.request.quantile";
/// What the telemetry let go of.
pub const DROPPED: &str = "obs.telemetry.dropped";
/// Of that, the items that were to be delivered.
pub const LOST: &str = "obs.telemetry.lost";
/// Items that were created to be delivered.
pub const CREATED: &str = "obs.telemetry.created";
/// What a destination accepted.
pub const DELIVERED: &str = "obs.telemetry.delivered";
/// Items that are neither delivered nor dropped.
pub const PENDING: &str = "obs.telemetry.pending";
/// Spans, log records and data points that an OpenTelemetry SDK of the service's gave us.
pub const FROM_SDK: &str = "obs.telemetry.from_sdk";
/// What was out of the ordinary, and lost nothing.
pub const ANOMALIES: &str = "obs.telemetry.anomalies";
/// Bytes of the spools' files.
pub const SPOOLED: &str = "obs.telemetry.spooled";
/// Finished operations that wait for their roots.
pub const WAITING: &str = "obs.telemetry.waiting";
/// Their bytes.
pub const PARKED: &str = "obs.telemetry.parked";
/// Methods that were raised to Detailed after an error or a slow call, and raises that were refused.
pub const LEVEL_RAISES: &str = "obs.level.raises";
/// Worker threads of a tokio runtime.
pub const TOKIO_WORKERS: &str = "obs.tokio.workers";
/// Tasks of a tokio runtime that are not over.
pub const TOKIO_TASKS: &str = "obs.tokio.tasks";
/// Tasks that wait in the global queue of a tokio runtime.
pub const TOKIO_QUEUE_DEPTH: &str = "obs.tokio.global_queue.depth";
/// How long a worker of a tokio runtime was busy, in seconds.
pub const TOKIO_WORKER_BUSY_TIME: &str = "obs.tokio.worker.busy.time";
/// How often a worker of a tokio runtime had nothing to do and went to sleep.
pub const TOKIO_WORKER_PARKS: &str = "obs.tokio.worker.parks";
/// Time in which tasks of a host waited for a resource, in seconds.
pub const HOST_PRESSURE_TIME: &str = "obs.host.pressure.time";
/// Time in which tasks of a control group waited for a resource, in seconds.
pub const CONTAINER_PRESSURE_TIME: &str = "obs.container.pressure.time";
/// Processors that a control group may use.
pub const CONTAINER_CPU_LIMIT: &str = "obs.container.cpu.limit";
/// Time for which tasks of a control group were not allowed to run, in seconds.
pub const CONTAINER_THROTTLED_TIME: &str = "obs.container.cpu.throttled.time";
/// Periods in which a control group used up its processor time.
pub const CONTAINER_THROTTLED_PERIODS: &str = "obs.container.cpu.throttled.periods";
/// Processes of a control group that were killed as it had no memory left.
pub const CONTAINER_OOM_KILLS: &str = "obs.container.memory.oom_kills";
/// Marks and notifications of congestion that a port counted.
pub const FABRIC_CONGESTION: &str = "obs.fabric.congestion";
/// Ticks in which a port had something to send and could not.
pub const FABRIC_TRANSMIT_WAIT: &str = "obs.fabric.transmit_wait";
/// How long transfers between devices or machines take, in seconds.
pub const FABRIC_TRANSFER_DURATION: &str = "obs.fabric.transfer.duration";
/// Bytes of transfers between devices or machines.
pub const FABRIC_TRANSFER_IO: &str = "obs.fabric.transfer.io";
/// Share of time in which a GPU's memory was read or written.
pub const GPU_MEMORY_CONTROLLER: &str = "obs.gpu.memory_controller.utilization";
/// Memory of a GPU that is free, in bytes.
pub const GPU_MEMORY_FREE: &str = "obs.gpu.memory.free";
/// Memory that a GPU's driver keeps for itself, in bytes.
pub const GPU_MEMORY_RESERVED: &str = "obs.gpu.memory.reserved";
/// Clocks of a GPU, in hertz.
pub const GPU_CLOCK_FREQUENCY: &str = "obs.gpu.clock.frequency";
/// The highest that clocks of a GPU can be, in hertz.
pub const GPU_CLOCK_LIMIT: &str = "obs.gpu.clock.limit";
/// Whether clocks of a GPU are held down for a reason: 1 or 0.
pub const GPU_THROTTLED: &str = "obs.gpu.throttled";
/// How long clocks of a GPU were held down, by the reason, in seconds.
pub const GPU_THROTTLE_TIME: &str = "obs.gpu.throttle.time";
/// Power of a GPU averaged over a second, in watts.
pub const GPU_POWER_AVERAGE: &str = "obs.gpu.power.average";
/// Power that a GPU is held to, in watts.
pub const GPU_POWER_LIMIT: &str = "obs.gpu.power.limit";
/// Power of the module that a GPU stands on, in watts.
pub const GPU_MODULE_POWER: &str = "obs.gpu.module.power";
/// Degrees until a GPU is slowed down.
pub const GPU_TEMPERATURE_MARGIN: &str = "obs.gpu.temperature.margin";
/// Share of time in which any multiprocessor of a GPU had work.
pub const GPU_SM_ACTIVE: &str = "obs.gpu.sm.active";
/// Share of a GPU's warps that were resident.
pub const GPU_SM_OCCUPANCY: &str = "obs.gpu.sm.occupancy";
/// Share of time in which the tensor cores of a GPU worked.
pub const GPU_TENSOR_ACTIVE: &str = "obs.gpu.tensor.active";
/// Share of the peak bandwidth of a GPU's memory that was used.
pub const GPU_DRAM_ACTIVE: &str = "obs.gpu.dram.active";
/// Share of time in which an engine for graphics or computing was active.
pub const GPU_ENGINE_ACTIVE: &str = "obs.gpu.engine.active";
/// Bytes that a GPU sent and received over NVLink, all links together.
pub const GPU_NVLINK_IO: &str = "obs.gpu.nvlink.io";
/// Bytes that one link of a GPU sent and received.
pub const GPU_LINK_IO: &str = "obs.gpu.link.io";
/// Whether a link of a GPU is up: 1 or 0.
pub const GPU_LINK_UP: &str = "obs.gpu.link.up";
/// Bytes per second that a link of a GPU can carry each way.
pub const GPU_LINK_SPEED: &str = "obs.gpu.link.speed";
/// The generation that a GPU's PCIe link runs at.
pub const GPU_PCIE_GENERATION: &str = "obs.gpu.pcie.generation";
/// The lanes that a GPU's PCIe link has.
pub const GPU_PCIE_WIDTH: &str = "obs.gpu.pcie.width";
/// Bit errors of a GPU in its life.
pub const GPU_ECC_LIFETIME: &str = "obs.gpu.ecc.lifetime_errors";
/// Rows of a GPU's memory that were replaced.
pub const GPU_REMAPPED_ROWS: &str = "obs.gpu.memory.remapped_rows";
/// Whether a row of a GPU's memory waits for a reset to be replaced: 1 or 0.
pub const GPU_REMAP_PENDING: &str = "obs.gpu.memory.remap_pending";
/// Whether a row of a GPU's memory could not be replaced: 1 or 0.
pub const GPU_REMAP_FAILED: &str = "obs.gpu.memory.remap_failed";
/// Banks of a GPU's memory by how many spare rows they have.
pub const GPU_MEMORY_BANKS: &str = "obs.gpu.memory.banks";
/// Whether a GPU's caches and registers had more errors than its maker allows: 1 or 0.
pub const GPU_SRAM_THRESHOLD: &str = "obs.gpu.sram.threshold_exceeded";
/// Pages of a GPU's memory that were given up.
pub const GPU_RETIRED_PAGES: &str = "obs.gpu.memory.retired_pages";
/// Whether pages of a GPU's memory wait for a reset to be given up: 1 or 0.
pub const GPU_RETIREMENT_PENDING: &str = "obs.gpu.memory.retirement_pending";
/// What a GPU's driver asks to be done, by its number.
pub const GPU_RECOVERY_ACTION: &str = "obs.gpu.recovery_action";
/// The performance state of a GPU: 0 is the highest.
pub const GPU_PERFORMANCE_STATE: &str = "obs.gpu.performance_state";
/// Processes that use a GPU.
pub const GPU_PROCESSES: &str = "obs.gpu.processes";
/// When a GPU reported a fault last, in seconds since the Unix epoch.
pub const GPU_ERROR_TIME: &str = "obs.gpu.error.time";
/// GPUs that are in the driver's list, also those that do not say which they are: lost before anybody looked.
pub const GPU_DEVICES: &str = "obs.gpu.devices";
/// Whether a GPU answers: 1 or 0.
pub const GPU_ANSWERING: &str = "obs.gpu.answering";
/// How old what was read of a GPU is, in seconds.
pub const GPU_SAMPLE_AGE: &str = "obs.gpu.sample.age";
/// How often what is read together of a GPU is read, in seconds.
pub const GPU_READ_INTERVAL: &str = "obs.gpu.read.interval";
/// How long calls of a GPU's driver take, in seconds.
pub const GPU_CALL_DURATION: &str = "obs.gpu.call.duration";
/// Calls of a GPU's driver that were not back at their deadline.
pub const GPU_CALLS_LATE: &str = "obs.gpu.calls.late";
/// Readings of a GPU that were missed, as the one before took too long.
pub const GPU_SWEEPS_MISSED: &str = "obs.gpu.sweeps.missed";
/// Energy of a GPU by who used it, in joules.
pub const GPU_ATTRIBUTED_ENERGY: &str = "obs.gpu.attributed.energy";
/// Time in which something ran on a GPU by whose it was, in seconds.
pub const GPU_ATTRIBUTED_BUSY_TIME: &str = "obs.gpu.attributed.busy_time";
/// Memory of a GPU in use by whose it is, in bytes.
pub const GPU_ATTRIBUTED_MEMORY: &str = "obs.gpu.attributed.memory.usage";
/// Tokens that those who claim a GPU told of.
pub const GPU_ATTRIBUTED_TOKENS: &str = "obs.gpu.attributed.tokens";
/// Windows in which claims said that they have more of a GPU's memory than is in use.
pub const GPU_OVER_CLAIMED: &str = "obs.gpu.attributed.over_claimed";
/// XIDs of GPUs by what was made of them.
pub const GPU_XID_VERDICTS: &str = "obs.gpu.xid.verdicts";
/// Whether a GPU's gate is in a state: 1 or 0, one series per state.
pub const GPU_GATE_STATUS: &str = "obs.gpu.gate.status";
/// Requests that a GPU's gate refused, by the state that it was in.
pub const GPU_GATE_REFUSALS: &str = "obs.gpu.gate.refusals";
/// The event of a GPU whose state, or whose gate by that, is another than before.
pub const GPU_HEALTH_EVENT: &str = "obs.gpu.health";
/// The event of an operator who holds a GPU's gate, or does so no longer.
pub const GPU_GATE_EVENT: &str = "obs.gpu.gate";
