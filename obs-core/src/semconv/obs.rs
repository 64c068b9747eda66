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
    /// Which signal: `traces`, `metrics`, `logs`.
    SIGNAL = "obs.signal";
    /// How many events of a call site flood control held back.
    LOG_HELD_BACK = "obs.log.held_back";
    /// How many lines a writer did not take.
    LOG_LOST = "obs.log.lost";
    /// How many fields of an event had no room.
    LOG_CUT_FIELDS = "obs.log.cut_fields";
}

/// Time from a request's head to its response's head, in seconds.
pub const HTTP_SERVER_HEAD_DURATION: &str = "obs.http.server.head.duration";
/// What the telemetry let go of.
pub const DROPPED: &str = "obs.telemetry.dropped";
/// What a destination accepted.
pub const DELIVERED: &str = "obs.telemetry.delivered";
