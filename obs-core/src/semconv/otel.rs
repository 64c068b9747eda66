//! OpenTelemetry's own (v1.44.0; [`METRIC_OVERFLOW`] is stable, by the specification of metrics SDKs, everything else is in
//! development): what an SDK says about itself.

names! {
    /// Marks the series that holds what had no room.
    METRIC_OVERFLOW = "otel.metric.overflow";
    /// Which of the components of that type.
    COMPONENT_NAME = "otel.component.name";
    /// What a component is: `otlp_http_span_exporter`.
    COMPONENT_TYPE = "otel.component.type";
}

/// Spans that a processor is done with, and what it could not take.
pub const PROCESSOR_SPAN_PROCESSED: &str = "otel.sdk.processor.span.processed";
/// Spans that wait for a processor.
pub const PROCESSOR_SPAN_QUEUE_SIZE: &str = "otel.sdk.processor.span.queue.size";
/// How many spans may wait.
pub const PROCESSOR_SPAN_QUEUE_CAPACITY: &str = "otel.sdk.processor.span.queue.capacity";
/// Log records that were emitted.
pub const LOG_CREATED: &str = "otel.sdk.log.created";
/// Log records that a processor is done with, and what it could not take.
pub const PROCESSOR_LOG_PROCESSED: &str = "otel.sdk.processor.log.processed";
/// Log records that wait for a processor.
pub const PROCESSOR_LOG_QUEUE_SIZE: &str = "otel.sdk.processor.log.queue.size";
/// Spans that an exporter has and that are neither exported nor given up.
pub const EXPORTER_SPAN_INFLIGHT: &str = "otel.sdk.exporter.span.inflight";
/// Spans that were exported, and those that were given up.
pub const EXPORTER_SPAN_EXPORTED: &str = "otel.sdk.exporter.span.exported";
/// Log records that an exporter has and that are neither exported nor given up.
pub const EXPORTER_LOG_INFLIGHT: &str = "otel.sdk.exporter.log.inflight";
/// Log records that were exported, and those that were given up.
pub const EXPORTER_LOG_EXPORTED: &str = "otel.sdk.exporter.log.exported";
/// Data points that an exporter has and that are neither exported nor given up.
pub const EXPORTER_METRIC_DATA_POINT_INFLIGHT: &str =
    "otel.sdk.exporter.metric_data_point.inflight";
/// Data points that were exported, and those that were given up.
pub const EXPORTER_METRIC_DATA_POINT_EXPORTED: &str =
    "otel.sdk.exporter.metric_data_point.exported";
/// How long a batch took from its first attempt to its answer, in seconds.
pub const EXPORTER_OPERATION_DURATION: &str = "otel.sdk.exporter.operation.duration";
/// How long collections of metrics took, in seconds.
pub const METRIC_READER_COLLECTION_DURATION: &str = "otel.sdk.metric_reader.collection.duration";
