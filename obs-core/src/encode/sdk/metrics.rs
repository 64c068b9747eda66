//! The SDK's `ResourceMetrics` as `ExportMetricsServiceRequest`.

use super::items::{Items, bodies};
use super::scope::{Named, ScopeBytes};
use super::{resource_bytes, time, unix_nanos};
use crate::encode::BODY_LIMIT;
use crate::encode::otlp_metrics::field;
use crate::encode::protobuf::Buffer;
use crate::encode::request::{FRAME, ITEM};
use crate::encode::resource::ResourceBytes;
use crate::redact::{Looking, Place};
use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, Exemplar, ExponentialBucket, ExponentialHistogramDataPoint,
    HistogramDataPoint, Metric, MetricData, ResourceMetrics,
};
use std::time::SystemTime;

/// Points that were encoded, and those that no body has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) points: u64,
    pub(crate) too_large: u64,
}

/// Encodes metrics into bodies of at most `limit` bytes, each text seen by whoever has to, and emits each with the number of its
/// points. A metric with more points than fit is continued, under the same name, in the next body; a point that is longer by
/// itself has a body of its own, of [`BODY_LIMIT`].
pub(crate) fn encode_metrics(
    metrics: &ResourceMetrics,
    by: Option<Looking<'_>>,
    limit: usize,
    emit: &mut dyn FnMut(&[u8], u64),
) -> Encoded {
    let mut sink = Sink {
        resource: resource_bytes(metrics.resource(), by),
        by,
        limit,
        items: Items::default(),
        points: Buffer::default(),
        held: 0,
        item: Buffer::default(),
        encoded: Encoded::default(),
        emit,
    };
    for scope in metrics.scope_metrics() {
        let seen = by.and_then(|by| by.scope(scope.scope()));
        let of = Named {
            scope: seen.as_ref().unwrap_or(scope.scope()),
            target: None,
        };
        for metric in scope.metrics() {
            match metric.data() {
                AggregatedMetrics::F64(data) => sink.metric(of, metric, data),
                AggregatedMetrics::I64(data) => sink.metric(of, metric, data),
                AggregatedMetrics::U64(data) => sink.metric(of, metric, data),
            }
        }
    }
    sink.emit();
    sink.encoded
}

struct Sink<'a> {
    resource: ResourceBytes,
    /// Whoever has to see labels first.
    by: Option<Looking<'a>>,
    limit: usize,
    items: Items,
    /// Encoded points of the current metric that are in no item yet, and how many.
    points: Buffer,
    held: u64,
    item: Buffer,
    encoded: Encoded,
    emit: &'a mut dyn FnMut(&[u8], u64),
}

impl Sink<'_> {
    fn metric<T: Measured>(&mut self, scope: Named<'_>, metric: &Metric, data: &MetricData<T>) {
        let by = self.by;
        let around = self.around(scope, metric);
        let mut to = Open {
            room: self.limit.saturating_sub(around),
            most: BODY_LIMIT.saturating_sub(around),
            sink: self,
            scope,
            metric,
            kind: field::GAUGE,
            temporality: None,
            monotonic: false,
        };
        match data {
            MetricData::Gauge(gauge) => {
                let start = gauge.start_time().map_or(0, unix_nanos);
                for point in gauge.data_points() {
                    let (attributes, exemplars) = (point.attributes(), point.exemplars());
                    to.point(|into| {
                        let times = (start, gauge.time());
                        write_number(into, times, by, point.value(), attributes, exemplars);
                    });
                }
            }
            MetricData::Sum(sum) => {
                to.kind = field::SUM;
                to.temporality = Some(sum.temporality());
                to.monotonic = sum.is_monotonic();
                let start = unix_nanos(sum.start_time());
                for point in sum.data_points() {
                    let (attributes, exemplars) = (point.attributes(), point.exemplars());
                    to.point(|into| {
                        let times = (start, sum.time());
                        write_number(into, times, by, point.value(), attributes, exemplars);
                    });
                }
            }
            MetricData::Histogram(histogram) => {
                to.kind = field::HISTOGRAM;
                to.temporality = Some(histogram.temporality());
                let times = (unix_nanos(histogram.start_time()), histogram.time());
                for point in histogram.data_points() {
                    to.point(|into| write_histogram(into, times, by, point));
                }
            }
            MetricData::ExponentialHistogram(histogram) => {
                to.kind = field::EXPONENTIAL;
                to.temporality = Some(histogram.temporality());
                let times = (unix_nanos(histogram.start_time()), histogram.time());
                for point in histogram.data_points() {
                    to.point(|into| write_exponential(into, times, by, point));
                }
            }
        }
        to.close();
    }

    /// What stands around the points, at most.
    fn around(&self, of: Named<'_>, metric: &Metric) -> usize {
        let texts = [metric.name(), metric.description(), metric.unit()];
        let metric: usize = texts.into_iter().map(str::len).sum();
        let scope = ScopeBytes::new(of).weight();
        self.resource.len() + scope + metric + 4 * FRAME
    }

    fn emit(&mut self) {
        if !self.items.is_empty() {
            let items = std::mem::take(&mut self.items);
            bodies(&self.resource, &[items], self.limit, self.emit);
        }
    }
}

/// One metric, while its points are written.
struct Open<'a, 'b, 's> {
    sink: &'a mut Sink<'b>,
    scope: Named<'s>,
    metric: &'s Metric,
    /// Bytes of points that a body of this metric alone has room for.
    room: usize,
    /// And those that one point may have.
    most: usize,
    kind: u8,
    temporality: Option<Temporality>,
    monotonic: bool,
}

impl Open<'_, '_, '_> {
    fn point(&mut self, write: impl FnOnce(&mut Buffer)) {
        let from = self.sink.points.len();
        self.sink.points.nested::<2>(field::POINTS, write);
        self.sink.encoded.points += 1;
        let point = self.sink.points.len() - from;
        if point > self.most {
            self.sink.points.resize(from);
            self.sink.encoded.too_large += 1;
            return;
        }
        if self.sink.points.len() > self.room {
            let last = self.sink.points.as_slice()[from..].to_vec();
            self.sink.points.resize(from);
            self.close();
            self.sink.points.raw(&last);
        }
        self.sink.held += 1;
    }

    /// Makes an item of the points that are held.
    fn close(&mut self) {
        let held = std::mem::take(&mut self.sink.held);
        if held == 0 {
            return;
        }
        let mut item = std::mem::take(&mut self.sink.item);
        item.clear();
        item.nested::<3>(ITEM, |into| self.write(into));
        let sink = &mut *self.sink;
        sink.points.clear();
        let mut scope = sink.items.scope(self.scope);
        if sink.items.weight() + sink.resource.len() + item.len() > sink.limit {
            sink.emit();
            scope = sink.items.scope(self.scope);
        }
        match scope {
            Some(scope) => sink.items.push(scope, item.as_slice(), held),
            None => sink.encoded.too_large += held,
        }
        sink.item = item;
    }

    fn write(&self, into: &mut Buffer) {
        into.text(field::NAME, self.metric.name());
        into.text(field::DESCRIPTION, self.metric.description());
        into.text(field::UNIT, self.metric.unit());
        into.nested::<3>(self.kind, |data| {
            data.raw(self.sink.points.as_slice());
            if let Some(of) = self.temporality {
                data.uint(field::TEMPORALITY, temporality(of));
            }
            data.uint(field::IS_MONOTONIC, u64::from(self.monotonic));
        });
    }
}

fn temporality(of: Temporality) -> u64 {
    match of {
        Temporality::Delta => 1,
        _ => 2,
    }
}

/// The three types that instruments measure in.
trait Measured: Copy {
    fn f64(self) -> f64;
    /// Under `double`, or under `int`.
    fn write(self, into: &mut Buffer, double: u8, int: u8);
}

impl Measured for f64 {
    fn f64(self) -> f64 {
        self
    }

    fn write(self, into: &mut Buffer, double: u8, _int: u8) {
        into.fixed64(double, self.to_bits());
    }
}

impl Measured for i64 {
    fn f64(self) -> f64 {
        self as f64
    }

    fn write(self, into: &mut Buffer, _double: u8, int: u8) {
        into.fixed64(int, self as u64);
    }
}

/// OTLP has signed numbers only: beyond them the largest stands, not 0, which would look like a new start.
impl Measured for u64 {
    fn f64(self) -> f64 {
        self as f64
    }

    fn write(self, into: &mut Buffer, _double: u8, int: u8) {
        into.fixed64(int, self.min(i64::MAX as u64));
    }
}

type Times = (u64, SystemTime);

fn write_number<'a, T: Measured + 'a>(
    into: &mut Buffer,
    times: Times,
    by: Option<Looking<'_>>,
    value: T,
    of: impl Iterator<Item = &'a KeyValue>,
    exemplars: impl Iterator<Item = &'a Exemplar<T>>,
) {
    write_times(into, times);
    value.write(into, field::number::DOUBLE, field::number::INT);
    write_exemplars(into, field::number::EXEMPLARS, by, exemplars);
    attributes(into, field::number::ATTRIBUTES, by, of);
}

fn write_histogram<T: Measured>(
    into: &mut Buffer,
    times: Times,
    by: Option<Looking<'_>>,
    point: &HistogramDataPoint<T>,
) {
    use field::histogram::{ATTRIBUTES, BOUNDS, BUCKETS, COUNT, EXEMPLARS, MAX, MIN, SUM};
    write_times(into, times);
    unless_zero(into, COUNT, point.count());
    into.fixed64(SUM, point.sum().f64().to_bits());
    packed(into, BUCKETS, point.bucket_counts());
    packed(into, BOUNDS, point.bounds().map(f64::to_bits));
    write_exemplars(into, EXEMPLARS, by, point.exemplars());
    attributes(into, ATTRIBUTES, by, point.attributes());
    write_range(into, MIN, MAX, point.min(), point.max());
}

fn write_exponential<T: Measured>(
    into: &mut Buffer,
    times: Times,
    by: Option<Looking<'_>>,
    point: &ExponentialHistogramDataPoint<T>,
) {
    use field::exponential::{
        ATTRIBUTES, COUNT, EXEMPLARS, MAX, MIN, NEGATIVE, POSITIVE, SCALE, SUM, ZERO_COUNT,
        ZERO_THRESHOLD,
    };
    attributes(into, ATTRIBUTES, by, point.attributes());
    write_times(into, times);
    unless_zero(into, COUNT, point.count() as u64);
    into.fixed64(SUM, point.sum().f64().to_bits());
    into.uint(SCALE, zigzag(i32::from(point.scale())));
    unless_zero(into, ZERO_COUNT, point.zero_count());
    write_buckets(into, POSITIVE, point.positive_bucket());
    write_buckets(into, NEGATIVE, point.negative_bucket());
    write_exemplars(into, EXEMPLARS, by, point.exemplars());
    write_range(into, MIN, MAX, point.min(), point.max());
    unless_zero(into, ZERO_THRESHOLD, point.zero_threshold().to_bits());
}

fn write_buckets(into: &mut Buffer, field: u8, buckets: &ExponentialBucket) {
    let counts = || buckets.counts();
    if buckets.offset() == 0 && counts().next().is_none() {
        return;
    }
    into.nested::<2>(field, |into| {
        into.uint(field::exponential::OFFSET, zigzag(buckets.offset()));
        if counts().next().is_some() {
            into.nested::<2>(field::exponential::COUNTS, |into| {
                counts().for_each(|count| into.varint(count));
            });
        }
    });
}

fn write_range<T: Measured>(into: &mut Buffer, min: u8, max: u8, low: Option<T>, high: Option<T>) {
    for (field, value) in [(min, low), (max, high)] {
        if let Some(value) = value {
            into.fixed64(field, value.f64().to_bits());
        }
    }
}

fn write_exemplars<'a, T: Measured + 'a>(
    into: &mut Buffer,
    field: u8,
    by: Option<Looking<'_>>,
    exemplars: impl Iterator<Item = &'a Exemplar<T>>,
) {
    use field::exemplar::{ATTRIBUTES, DOUBLE, INT, SPAN_ID, TIME, TRACE_ID};
    for exemplar in exemplars {
        into.nested::<1>(field, |into| {
            time(into, TIME, exemplar.time());
            exemplar.value.write(into, DOUBLE, INT);
            into.bytes(SPAN_ID, exemplar.span_id());
            into.bytes(TRACE_ID, exemplar.trace_id());
            attributes(into, ATTRIBUTES, by, exemplar.filtered_attributes());
        });
    }
}

fn write_times(into: &mut Buffer, (start, at): Times) {
    unless_zero(into, field::START, start);
    time(into, field::TIME, at);
}

fn attributes<'a>(
    into: &mut Buffer,
    field: u8,
    by: Option<Looking<'_>>,
    of: impl Iterator<Item = &'a KeyValue>,
) {
    match by {
        None => of.for_each(|attribute| into.key_value(field, attribute)),
        Some(by) => of
            .filter_map(|attribute| by.pair(Place::Label, attribute))
            .for_each(|left| into.key_value(field, &left)),
    }
}

fn unless_zero(into: &mut Buffer, field: u8, value: u64) {
    if value != 0 {
        into.fixed64(field, value);
    }
}

fn packed(into: &mut Buffer, field: u8, mut values: impl Iterator<Item = u64>) {
    let Some(first) = values.next() else { return };
    into.nested::<2>(field, |into| {
        into.raw(&first.to_le_bytes());
        values.for_each(|value| into.raw(&value.to_le_bytes()));
    });
}

/// Signed numbers in a varint: small ones are short, whatever their sign.
fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)) as u32)
}
