//! What a subscriber inside the process sees, where the receiver is somebody else's.

use obs_core::{
    Record, Records, Subscriber, Telemetry,
    metrics::{Data, HistogramPoint, Number, NumberPoint, PointAttributes, Temporality},
    otel::trace::{SpanKind, Status},
    semconv::resource::SERVICE_NAME,
};
use obs_testing::{
    AttrValue, Kind, SpanStatus, TreeEvent, TreeSpan,
    metrics::{self, PointSet, Series},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More are not kept: what is printed lies at the beginning.
const MOST: usize = 20_000;

/// Keeps the first spans that leave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Local(Arc<Mutex<Vec<TreeSpan>>>);

impl Local {
    pub(crate) fn spans(&self) -> Vec<TreeSpan> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<TreeSpan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Local {
    fn on_records(&mut self, records: Records<'_>) {
        let mut spans = self.lock();
        let room = MOST.saturating_sub(spans.len());
        spans.extend(records.iter().take(room).map(|record| span(&record)));
    }
}

fn span(record: &Record<'_>) -> TreeSpan {
    let id = |id: obs_core::otel::trace::SpanId| u64::from_be_bytes(id.to_bytes());
    let trace_id = u128::from_be_bytes(record.trace_id().to_bytes());
    let mut span = TreeSpan::new(trace_id, id(record.span_id()), record.name());
    span.parent_span_id = record.parent_span_id().map(id);
    span.parent_is_remote = Some(record.parent_is_remote());
    span.kind = match record.span_kind() {
        SpanKind::Server => Kind::Server,
        SpanKind::Client => Kind::Client,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
        SpanKind::Internal => Kind::Internal,
    };
    span.status = match record.status() {
        Status::Unset => SpanStatus::Unset,
        Status::Ok => SpanStatus::Ok,
        Status::Error { description } => SpanStatus::Error(description.into_owned()),
    };
    span.start_ns = record.start_unix_nanos();
    span.end_ns = record.end_unix_nanos();
    record.visit_events(&mut |event| {
        let point = TreeEvent::new(event.unix_nanos, event.name);
        span.events.push(point);
    });
    record.visit_attributes(&mut |key, value| {
        span.attributes
            .push((key.to_owned(), attribute(value.to_value())));
    });
    span
}

fn attribute(value: obs_core::otel::Value) -> AttrValue {
    use obs_core::otel::Value;
    match value {
        Value::Bool(value) => AttrValue::Bool(value),
        Value::I64(value) => AttrValue::Int(value),
        Value::F64(value) => AttrValue::Double(value),
        other => AttrValue::Str(other.as_str().into_owned()),
    }
}

/// The histograms and sums as they are at this moment.
pub(crate) fn points(telemetry: &Telemetry) -> PointSet {
    let mut set = PointSet::default();
    for metric in telemetry.reader(Temporality::Cumulative).collect() {
        let name = &metric.name;
        match metric.data {
            Data::Histogram { points, .. } => {
                let points = points.into_iter().map(|point| histogram(name, point));
                set.histograms.extend(points);
            }
            Data::Sum { points, .. } => {
                let points = points.into_iter().map(|point| sum(name, point));
                set.sums.extend(points);
            }
            _ => {}
        }
    }
    set
}

fn histogram(name: &str, point: HistogramPoint) -> metrics::HistogramPoint {
    let series = series(name, point.attributes);
    let mut histogram = metrics::HistogramPoint::new(series, point.bounds, point.buckets);
    histogram.start_ns = point.start_unix_nanos;
    histogram.time_ns = point.unix_nanos;
    histogram.sum = Some(point.sum);
    histogram
}

fn sum(name: &str, point: NumberPoint) -> metrics::NumberPoint {
    let value = match point.value {
        Number::I64(value) => metrics::Number::Int(value),
        other => metrics::Number::Double(other.as_f64()),
    };
    metrics::NumberPoint::new(series(name, point.attributes), value)
}

fn series(name: &str, attributes: PointAttributes) -> Series {
    let attributes = attributes.into_iter();
    let attributes = attributes.map(|(key, value)| {
        (
            key.into_owned(),
            AttrValue::Str(value.to_text().into_owned()),
        )
    });
    let mut series = Series::new(name, attributes);
    series.resource = vec![(SERVICE_NAME.to_owned(), crate::front::NAME.into())];
    series
}
