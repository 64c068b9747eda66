//! The OpenTelemetry SDK as a service sets it up, with exporters that count and throw away.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry::global;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        Aggregation, Instrument, MeterProviderBuilder, PeriodicReader, SdkMeterProvider, Stream,
        Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
    propagation::TraceContextPropagator,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
    },
};

use crate::harness::pair::Pair;

/// Providers and what their exporters have seen.
#[derive(Clone, Debug)]
pub(crate) struct Sdk {
    pub(crate) tracers: SdkTracerProvider,
    pub(crate) meters: SdkMeterProvider,
    spans: Arc<AtomicU64>,
    points: Arc<Mutex<Vec<(String, u64)>>>,
}

impl Sdk {
    /// AlwaysOn, a batch processor whose queue holds more than a burst, a periodic reader: all as in production but for
    /// the queue's length and exporters that send nothing. Everything becomes global, as applications do.
    pub(crate) fn install() -> Self {
        Self::install_with(SdkMeterProvider::builder())
    }

    /// The same with exponential histograms, of the default size.
    pub(crate) fn install_exponential() -> Self {
        let exponential = |_: &Instrument| {
            let aggregation = Aggregation::Base2ExponentialHistogram {
                max_size: 160,
                max_scale: 20,
                record_min_max: false,
            };
            let stream = Stream::builder().with_aggregation(aggregation);
            stream.build().ok()
        };
        Self::install_with(SdkMeterProvider::builder().with_view(exponential))
    }

    fn install_with(meters: MeterProviderBuilder) -> Self {
        let spans = Arc::new(AtomicU64::new(0));
        let processor = BatchSpanProcessor::builder(CountSpans(spans.clone()))
            .with_batch_config(
                BatchConfigBuilder::default()
                    .with_max_queue_size(8_192)
                    .build(),
            )
            .build();
        let tracers = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOn)
            .with_span_processor(processor)
            .build();
        let points = Arc::new(Mutex::new(Vec::new()));
        let reader = PeriodicReader::builder(SumPoints(points.clone()))
            .with_interval(Duration::from_secs(3_600))
            .build();
        let meters = meters.with_reader(reader).build();
        global::set_tracer_provider(tracers.clone());
        global::set_meter_provider(meters.clone());
        global::set_text_map_propagator(TraceContextPropagator::new());
        Self {
            tracers,
            meters,
            spans,
            points,
        }
    }

    /// Settles after each burst and holds the pair to: one span per operation, and one point of `histogram` if named.
    pub(crate) fn hold(&self, pair: Pair, histogram: Option<&'static str>) -> Pair {
        let (flushed, held) = (self.clone(), self.clone());
        pair.with_settle(move || flushed.tracers.force_flush().expect("the queue drains"))
            .with_account(move |operations| held.account(operations, histogram))
    }

    /// The same where each operation is so many spans, and no metric.
    pub(crate) fn hold_spans(&self, pair: Pair, each: u64) -> Pair {
        let held = self.clone();
        self.hold(pair, None)
            .with_account(move |operations| held.account(operations * each, None))
    }

    pub(crate) fn account(
        &self,
        operations: u64,
        histogram: Option<&str>,
    ) -> Result<String, String> {
        let spans = self.spans.load(Ordering::Relaxed);
        same("spans exported", spans, operations)?;
        let Some(histogram) = histogram else {
            return Ok(format!("{spans} spans"));
        };
        let points = self.points_of(histogram);
        same(histogram, points, operations)?;
        Ok(format!("{spans} spans, {points} points"))
    }

    /// Recorded values of a histogram over all its series, by collecting now.
    pub(crate) fn points_of(&self, histogram: &str) -> u64 {
        self.meters.force_flush().expect("the reader collects");
        self.points
            .lock()
            .expect("no exporter panics")
            .iter()
            .filter(|(name, _)| name == histogram)
            .map(|(_, count)| count)
            .sum()
    }
}

/// An accounting line that must balance.
pub(crate) fn same(what: &str, seen: u64, wanted: u64) -> Result<(), String> {
    if seen == wanted {
        Ok(())
    } else {
        Err(format!("{what}: {seen} of {wanted}"))
    }
}

#[derive(Debug)]
struct CountSpans(Arc<AtomicU64>);

impl SpanExporter for CountSpans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

#[derive(Debug)]
struct SumPoints(Arc<Mutex<Vec<(String, u64)>>>);

impl PushMetricExporter for SumPoints {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let count = |data: &AggregatedMetrics| match data {
            AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                histogram.data_points().map(|point| point.count()).sum()
            }
            AggregatedMetrics::F64(MetricData::ExponentialHistogram(histogram)) => {
                let points = histogram.data_points();
                points.map(|point| point.count() as u64).sum()
            }
            AggregatedMetrics::U64(MetricData::Histogram(histogram)) => {
                histogram.data_points().map(|point| point.count()).sum()
            }
            _ => 0,
        };
        // Cumulative: the latest collection says it all.
        *self.0.lock().expect("no reader panics") = metrics
            .scope_metrics()
            .flat_map(|scope| scope.metrics())
            .map(|metric| (metric.name().to_owned(), count(metric.data())))
            .collect();
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}
