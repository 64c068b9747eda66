//! Ours, where no standard exists.

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
    /// Which part of an operation a duration is of: `connect`, `dns`, `tcp`, `tls`.
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
/// What the telemetry let go of.
pub const DROPPED: &str = "obs.telemetry.dropped";
/// What a destination accepted.
pub const DELIVERED: &str = "obs.telemetry.delivered";
/// Finished operations that the collector took over.
pub const COLLECTED: &str = "obs.telemetry.collected";
/// What was out of the ordinary, and lost nothing.
pub const ANOMALIES: &str = "obs.telemetry.anomalies";
/// Bytes of the spools' files.
pub const SPOOLED: &str = "obs.telemetry.spooled";
/// Bytes of finished operations that wait for their roots.
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
