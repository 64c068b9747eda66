//! Points as `ExportMetricsServiceRequest`.

use super::protobuf::Buffer;
use super::request::{Emit, ITEM, Request};
use super::resource::ResourceBytes;
use crate::metrics::{
    Data, Exemplar, ExponentialBuckets, HistogramPoint, Metric, Number, NumberPoint,
    PointAttributes, Temporality,
};

/// Fields of `Metric`, then of its data and points.
pub(in crate::encode) mod field {
    pub(in crate::encode) const NAME: u8 = 1;
    pub(in crate::encode) const DESCRIPTION: u8 = 2;
    pub(in crate::encode) const UNIT: u8 = 3;
    pub(in crate::encode) const GAUGE: u8 = 5;
    pub(in crate::encode) const SUM: u8 = 7;
    pub(in crate::encode) const HISTOGRAM: u8 = 9;
    pub(in crate::encode) const EXPONENTIAL: u8 = 10;

    pub(in crate::encode) const POINTS: u8 = 1;
    pub(in crate::encode) const TEMPORALITY: u8 = 2;
    pub(in crate::encode) const IS_MONOTONIC: u8 = 3;

    pub(in crate::encode) const START: u8 = 2;
    pub(in crate::encode) const TIME: u8 = 3;

    pub(in crate::encode) mod number {
        #[cfg(feature = "sdk")]
        pub(in crate::encode) const EXEMPLARS: u8 = 5;
        pub(in crate::encode) const DOUBLE: u8 = 4;
        /// A `sfixed64`.
        pub(in crate::encode) const INT: u8 = 6;
        pub(in crate::encode) const ATTRIBUTES: u8 = 7;
    }
    pub(in crate::encode) mod histogram {
        #[cfg(feature = "sdk")]
        pub(in crate::encode) const MAX: u8 = 12;
        #[cfg(feature = "sdk")]
        pub(in crate::encode) const MIN: u8 = 11;
        pub(in crate::encode) const COUNT: u8 = 4;
        pub(in crate::encode) const SUM: u8 = 5;
        pub(in crate::encode) const BUCKETS: u8 = 6;
        pub(in crate::encode) const BOUNDS: u8 = 7;
        pub(in crate::encode) const EXEMPLARS: u8 = 8;
        pub(in crate::encode) const ATTRIBUTES: u8 = 9;
    }
    pub(in crate::encode) mod exponential {
        #[cfg(feature = "sdk")]
        pub(in crate::encode) const ZERO_THRESHOLD: u8 = 14;
        #[cfg(feature = "sdk")]
        pub(in crate::encode) const MAX: u8 = 13;
        #[cfg(feature = "sdk")]
        pub(in crate::encode) const MIN: u8 = 12;
        pub(in crate::encode) const ATTRIBUTES: u8 = 1;
        pub(in crate::encode) const COUNT: u8 = 4;
        pub(in crate::encode) const SUM: u8 = 5;
        /// A `sint32`, as the offset.
        pub(in crate::encode) const SCALE: u8 = 6;
        pub(in crate::encode) const ZERO_COUNT: u8 = 7;
        pub(in crate::encode) const POSITIVE: u8 = 8;
        pub(in crate::encode) const NEGATIVE: u8 = 9;
        pub(in crate::encode) const EXEMPLARS: u8 = 11;

        pub(in crate::encode) const OFFSET: u8 = 1;
        /// Packed varints.
        pub(in crate::encode) const COUNTS: u8 = 2;
    }
    pub(in crate::encode) mod exemplar {
        #[cfg(feature = "sdk")]
        pub(in crate::encode) const ATTRIBUTES: u8 = 7;
        #[cfg(feature = "sdk")]
        pub(in crate::encode) const INT: u8 = 6;
        pub(in crate::encode) const TIME: u8 = 2;
        pub(in crate::encode) const DOUBLE: u8 = 3;
        pub(in crate::encode) const SPAN_ID: u8 = 4;
        pub(in crate::encode) const TRACE_ID: u8 = 5;
    }
}

/// Encodes metrics into bodies of at most `limit` bytes and emits each with the number of its points. A metric with
/// more points than fit is continued, under the same name, in the next body.
pub fn encode_metrics(
    resource: &ResourceBytes,
    metrics: &[Metric],
    limit: usize,
    emit: &mut dyn FnMut(&[u8], u64),
) {
    let mut request = Request::new(resource.clone(), limit);
    let mut points = Points::default();
    for metric in metrics {
        let scope = request.scope(metric.scope);
        let mut sink = MetricSink {
            metric,
            scope,
            request: &mut request,
            points: &mut points,
        };
        match &metric.data {
            Data::Histogram { points, .. } => {
                let exponential = is_exponential(points);
                for point in points {
                    sink.point(&mut *emit, |buffer| match &point.exponential {
                        Some(buckets) if exponential => write_exponential(buffer, point, buckets),
                        _ => write_histogram(buffer, point),
                    });
                }
            }
            Data::Sum { points, .. } | Data::Gauge { points } => {
                for point in points {
                    sink.point(&mut *emit, |buffer| write_number(buffer, point));
                }
            }
        }
        sink.close(&mut *emit);
    }
    request.finish(emit);
}

/// Encoded points of one metric that are in no body yet.
#[derive(Default)]
struct Points {
    buffer: Buffer,
    count: u64,
}

struct MetricSink<'a> {
    metric: &'a Metric,
    scope: usize,
    request: &'a mut Request,
    points: &'a mut Points,
}

impl MetricSink<'_> {
    fn point(&mut self, emit: Emit<'_>, write: impl FnOnce(&mut Buffer)) {
        let from = self.points.buffer.len();
        self.points.buffer.nested::<2>(field::POINTS, write);
        let full = self.points.buffer.len() + self.header() > self.request.room();
        if full && self.points.count > 0 {
            self.write(from, emit);
            self.points.buffer.drop_front(from);
            self.points.count = 0;
        }
        self.points.count += 1;
    }

    fn close(mut self, emit: Emit<'_>) {
        if self.points.count > 0 {
            let all = self.points.buffer.len();
            self.write(all, emit);
        }
        self.points.buffer.clear();
        self.points.count = 0;
    }

    /// What a metric takes beside its points, at most.
    fn header(&self) -> usize {
        let metric = self.metric;
        metric.name.len() + metric.description.len() + metric.unit.len() + 40
    }

    /// Writes the metric with its points up to byte `points`.
    fn write(&mut self, points: usize, emit: Emit<'_>) {
        let metric = self.metric;
        let points_bytes = &self.points.buffer.as_slice()[..points];
        let (items, from) = self.request.begin(self.scope);
        items.nested::<3>(ITEM, |inner| {
            inner.text(field::NAME, &metric.name);
            #[cfg(test)]
            super::trip::over(&metric.name);
            inner.text(field::DESCRIPTION, &metric.description);
            inner.text(field::UNIT, &metric.unit);
            let (kind, of) = match &metric.data {
                Data::Histogram {
                    temporality,
                    points,
                } => {
                    let exponential = is_exponential(points);
                    let kind = if exponential {
                        field::EXPONENTIAL
                    } else {
                        field::HISTOGRAM
                    };
                    (kind, Some(*temporality))
                }
                Data::Sum { temporality, .. } => (field::SUM, Some(*temporality)),
                Data::Gauge { .. } => (field::GAUGE, None),
            };
            inner.nested::<3>(kind, |data| {
                data.raw(points_bytes);
                if let Some(of) = of {
                    data.uint(field::TEMPORALITY, temporality(of));
                }
                if let Data::Sum {
                    monotonic: true, ..
                } = &metric.data
                {
                    data.uint(field::IS_MONOTONIC, 1);
                }
            });
        });
        self.request
            .added(self.scope, from, self.points.count, emit);
    }
}

/// A metric is of one kind: exponential, if all of its points are.
fn is_exponential(points: &[HistogramPoint]) -> bool {
    points.iter().all(|point| point.exponential.is_some())
}

fn temporality(of: Temporality) -> u64 {
    match of {
        Temporality::Delta => 1,
        Temporality::Cumulative => 2,
    }
}

fn write_number(buffer: &mut Buffer, point: &NumberPoint) {
    write_times(buffer, point.start_unix_nanos, point.unix_nanos);
    match point.value {
        Number::F64(value) => buffer.fixed64(field::number::DOUBLE, value.to_bits()),
        Number::I64(value) => buffer.fixed64(field::number::INT, value as u64),
    }
    write_attributes(buffer, field::number::ATTRIBUTES, &point.attributes);
}

fn write_histogram(buffer: &mut Buffer, point: &HistogramPoint) {
    write_times(buffer, point.start_unix_nanos, point.unix_nanos);
    buffer.fixed64(field::histogram::COUNT, point.count);
    buffer.fixed64(field::histogram::SUM, point.sum.to_bits());
    packed(
        buffer,
        field::histogram::BUCKETS,
        point.buckets.iter().copied(),
    );
    let bounds = point.bounds.iter().map(|bound| bound.to_bits());
    packed(buffer, field::histogram::BOUNDS, bounds);
    write_exemplars(buffer, field::histogram::EXEMPLARS, &point.exemplars);
    write_attributes(buffer, field::histogram::ATTRIBUTES, &point.attributes);
}

fn write_exponential(buffer: &mut Buffer, point: &HistogramPoint, buckets: &ExponentialBuckets) {
    write_attributes(buffer, field::exponential::ATTRIBUTES, &point.attributes);
    write_times(buffer, point.start_unix_nanos, point.unix_nanos);
    // Of these buckets: the point's own was read from others.
    unless_zero(buffer, field::exponential::COUNT, buckets.count());
    buffer.fixed64(field::exponential::SUM, point.sum.to_bits());
    buffer.uint(field::exponential::SCALE, zigzag(buckets.scale));
    unless_zero(buffer, field::exponential::ZERO_COUNT, buckets.zero_count);
    for (field, side) in [
        (field::exponential::POSITIVE, &buckets.positive),
        (field::exponential::NEGATIVE, &buckets.negative),
    ] {
        if !side.counts.is_empty() {
            buffer.nested::<2>(field, |into| {
                into.uint(field::exponential::OFFSET, zigzag(side.offset));
                into.nested::<2>(field::exponential::COUNTS, |into| {
                    side.counts.iter().for_each(|count| into.varint(*count));
                });
            });
        }
    }
    write_exemplars(buffer, field::exponential::EXEMPLARS, &point.exemplars);
}

/// Signed numbers in a varint: small ones are short, whatever their sign.
fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)) as u32)
}

fn write_exemplars(buffer: &mut Buffer, field: u8, exemplars: &[Exemplar]) {
    for exemplar in exemplars {
        buffer.nested::<1>(field, |into| {
            into.fixed64(field::exemplar::TIME, exemplar.unix_nanos);
            into.fixed64(field::exemplar::DOUBLE, exemplar.value.to_bits());
            into.bytes(field::exemplar::SPAN_ID, &exemplar.span_id.to_bytes());
            into.bytes(field::exemplar::TRACE_ID, &exemplar.trace_id.to_bytes());
        });
    }
}

fn write_times(buffer: &mut Buffer, start: u64, time: u64) {
    unless_zero(buffer, field::START, start);
    unless_zero(buffer, field::TIME, time);
}

fn unless_zero(buffer: &mut Buffer, field: u8, value: u64) {
    if value != 0 {
        buffer.fixed64(field, value);
    }
}

fn write_attributes(buffer: &mut Buffer, field: u8, attributes: &PointAttributes) {
    for (key, value) in attributes {
        buffer.label(field, key, value.into());
    }
}

fn packed(buffer: &mut Buffer, field: u8, values: impl ExactSizeIterator<Item = u64>) {
    if values.len() > 0 {
        buffer.open(field, values.len() * 8);
        values.for_each(|value| buffer.raw(&value.to_le_bytes()));
    }
}
