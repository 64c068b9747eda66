//! OpenTelemetry's own (v1.44.0, stable).

names! {
    /// Marks the series that holds what had no room.
    METRIC_OVERFLOW = "otel.metric.overflow";
}
