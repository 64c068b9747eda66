//! The oracle for metrics: what `opentelemetry-proto` makes of the same `ResourceMetrics`, which only a reader makes.

use crate::any::{attributes, scope};
use crate::support::{SOON, built, decoded, manual, of, theirs};
use obs_core::Builder;
use obs_core::courier::{Capture, Sent, Signal};
use obs_core::encode::BODY_LIMIT;
use obs_core::metrics::Temporality as Ours;
use obs_core::otel::metrics::MeterProvider;
use obs_core::otel::{InstrumentationScope, KeyValue};
use obs_core::sdk::CourierMetricExporter;
use obs_core::setup::environment::Environment;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Seen = Arc<Mutex<Vec<ExportMetricsServiceRequest>>>;

/// Ours, and before it the official conversion.
struct Beside {
    ours: CourierMetricExporter,
    official: Seen,
    answers: Arc<Mutex<Vec<OTelSdkResult>>>,
}

impl PushMetricExporter for Beside {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.official.lock().expect("unbroken").push(metrics.into());
        let answer = self.ours.export(metrics).await;
        let kept = match &answer {
            Ok(()) => Ok(()),
            Err(OTelSdkError::AlreadyShutdown) => Err(OTelSdkError::AlreadyShutdown),
            Err(other) => Err(OTelSdkError::InternalFailure(other.to_string())),
        };
        self.answers.lock().expect("unbroken").push(kept);
        answer
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.ours.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.ours.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.ours.temporality()
    }
}

struct Rig {
    meters: SdkMeterProvider,
    official: Seen,
    answers: Arc<Mutex<Vec<OTelSdkResult>>>,
}

fn rig(ours: CourierMetricExporter) -> Rig {
    let (official, answers) = (Seen::default(), Arc::default());
    let exporter = Beside {
        ours,
        official: official.clone(),
        answers: Arc::clone(&answers),
    };
    let reader = PeriodicReader::builder(exporter)
        .with_interval(Duration::from_secs(3_600))
        .build();
    let exponential = |instrument: &Instrument| {
        let aggregation = Aggregation::Base2ExponentialHistogram {
            max_size: 20,
            max_scale: 20,
            record_min_max: true,
        };
        let wanted = instrument.name().starts_with("exponential");
        wanted.then(|| Stream::builder().with_aggregation(aggregation).build().ok())?
    };
    let meters = SdkMeterProvider::builder()
        .with_resource(theirs())
        .with_view(exponential)
        .with_reader(reader)
        .build();
    Rig {
        meters,
        official,
        answers,
    }
}

/// A buckets message without content, and none, are the same to a decoder.
fn normal(mut request: ExportMetricsServiceRequest) -> ExportMetricsServiceRequest {
    let scopes = request
        .resource_metrics
        .iter_mut()
        .flat_map(|of| &mut of.scope_metrics);
    for metric in scopes.flat_map(|scope| &mut scope.metrics) {
        if let Some(Data::ExponentialHistogram(histogram)) = &mut metric.data {
            for point in &mut histogram.data_points {
                point.positive.get_or_insert_with(Buckets::default);
                point.negative.get_or_insert_with(Buckets::default);
            }
        }
    }
    request
}

fn points(request: &ExportMetricsServiceRequest) -> u64 {
    let scopes = request
        .resource_metrics
        .iter()
        .flat_map(|of| &of.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    let count = metrics.map(|metric| match &metric.data {
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        _ => 0,
    });
    count.sum::<usize>() as u64
}

/// One recording, with an instrument of each kind to choose from.
fn record(
    meters: &SdkMeterProvider,
    scope: &InstrumentationScope,
    step: &(u8, i32, Vec<KeyValue>),
) {
    let meter = meters.meter_with_scope(scope.clone());
    let (kind, value, attributes) = step;
    let (value, attributes) = (*value, attributes.as_slice());
    match kind % 9 {
        0 => meter
            .u64_counter("sum.u64")
            .with_unit("By")
            .build()
            .add(value.unsigned_abs().into(), attributes),
        1 => meter
            .f64_counter("sum.f64")
            .build()
            .add(f64::from(value).abs(), attributes),
        2 => meter
            .i64_up_down_counter("level")
            .with_description("ups and downs")
            .build()
            .add(value.into(), attributes),
        3 => meter
            .i64_gauge("gauge.i64")
            .build()
            .record(value.into(), attributes),
        4 => meter
            .f64_gauge("gauge.f64")
            .build()
            .record(value.into(), attributes),
        5 => meter
            .u64_gauge("gauge.u64")
            .build()
            .record(value.unsigned_abs().into(), attributes),
        6 => meter
            .f64_histogram("histogram.f64")
            .with_boundaries(vec![-10.0, 0.5, 3e5])
            .build()
            .record(value.into(), attributes),
        7 => meter
            .u64_histogram("histogram.u64")
            .build()
            .record(value.unsigned_abs().into(), attributes),
        _ => meter
            .f64_histogram("exponential")
            .build()
            .record(f64::from(value) / 7.0, attributes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn metrics_are_what_the_official_conversion_makes_of_them(
        scopes in vec(scope(), 1..3),
        steps in vec((any::<u8>(), any::<i32>(), attributes(2)), 1..40),
        more in vec((any::<u8>(), any::<i32>(), attributes(2)), 0..4),
        temporality in prop_oneof![
            Just(Temporality::Cumulative), Just(Temporality::Delta), Just(Temporality::LowMemory)
        ],
    ) {
        let capture = Capture::new();
        let telemetry = manual(&capture);
        let exporter = telemetry.metric_exporter().with_temporality(temporality);
        let rig = rig(exporter.clone());
        // Twice, so that deltas differ from totals.
        for steps in [&steps, &more] {
            for (number, step) in steps.iter().enumerate() {
                record(&rig.meters, &scopes[number % scopes.len()], step);
            }
            rig.meters.force_flush().expect("queued");
            exporter.force_flush().expect("delivered");
        }
        let official = std::mem::take(&mut *rig.official.lock().expect("unbroken"));
        let all: u64 = official.iter().map(points).sum();
        let counts = exporter.counts();
        prop_assert_eq!(counts.created, all);
        prop_assert!(counts.is_balanced());
        let ours: Vec<_> = of(Signal::Metrics, capture.take())
            .iter()
            .map(|batch| {
                let request: ExportMetricsServiceRequest = decoded(batch);
                assert_eq!(points(&request), batch.items);
                normal(request)
            })
            .collect();
        prop_assert_eq!(ours, official.into_iter().map(normal).collect::<Vec<_>>());
    }
}

#[test]
fn an_unsigned_number_beyond_the_signed_ones_is_the_largest_and_not_zero() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let exporter = telemetry.metric_exporter();
    let rig = rig(exporter.clone());
    rig.meters
        .meter("large")
        .u64_gauge("large")
        .build()
        .record(u64::MAX, &[]);
    rig.meters.force_flush().expect("queued");
    exporter.force_flush().expect("delivered");
    let text = format!(
        "{:?}",
        decoded::<ExportMetricsServiceRequest>(&capture.take()[0])
    );
    assert!(text.contains(&format!("AsInt({})", i64::MAX)), "{text}");
}

#[test]
fn points_are_cut_into_bodies_under_one_name_and_too_large_ones_fail_the_export() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let exporter = telemetry.metric_exporter();
    let rig = rig(exporter.clone());
    let counter = rig.meters.meter("cut").u64_counter("wide").build();
    let texts = [1_500_000, 1_600_000, 1_700_000, BODY_LIMIT];
    for (number, len) in texts.into_iter().enumerate() {
        let number = KeyValue::new("number", number as i64);
        counter.add(1, &[number, KeyValue::new("text", "x".repeat(len))]);
    }
    assert!(rig.meters.force_flush().is_err(), "one point was dropped");
    exporter.force_flush().expect("the others are delivered");
    let batches = of(Signal::Metrics, capture.take());
    assert!(batches.len() > 1);
    let mut all = 0;
    for batch in &batches {
        assert!(batch.body.len() <= BODY_LIMIT);
        let request: ExportMetricsServiceRequest = decoded(batch);
        assert_eq!(points(&request), batch.items);
        assert_eq!(
            request.resource_metrics[0].scope_metrics[0].metrics[0].name,
            "wide"
        );
        all += batch.items;
    }
    assert_eq!(all, 3);
    let counts = telemetry.counts();
    assert_eq!((counts.sdk_points, counts.sdk_points_too_large), (4, 1));
}

#[test]
fn an_export_is_over_when_it_is_queued_and_fails_when_it_is_not() {
    // Refused for good: the export before was fine all the same.
    let capture = Capture::new().with_answer(|_| Sent::refused("no"));
    let telemetry = manual(&capture);
    let exporter = telemetry.metric_exporter();
    let rig = rig(exporter.clone());
    rig.meters.meter("m").u64_counter("c").build().add(1, &[]);
    rig.meters.force_flush().expect("queued");
    exporter.force_flush().expect_err("refused for good");
    assert!(rig.answers.lock().expect("unbroken")[0].is_ok());
    assert!(telemetry.shutdown(SOON).is_err(), "a point was lost");
    rig.meters.meter("m").u64_counter("c").build().add(1, &[]);
    assert!(rig.meters.force_flush().is_err());
    let answers = rig.answers.lock().expect("unbroken");
    assert!(
        matches!(answers[1], Err(OTelSdkError::AlreadyShutdown)),
        "{answers:?}"
    );
    let counts = exporter.counts();
    assert_eq!((counts.handed_over, counts.after_shutdown), (1, 1));
    assert!(counts.is_balanced());
}

#[test]
fn instruments_count_from_when_the_environment_says_unless_the_code_does() {
    const VARIABLE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let exporter = |value: &str, with: fn(Builder) -> Builder| {
        let environment = Environment::from_fn(|name| (name == VARIABLE).then(|| value.to_owned()));
        let builder = |builder: Builder| with(builder.with_environment(environment));
        built(&Capture::new(), builder).metric_exporter()
    };
    for (value, expect) in [
        ("delta", Temporality::Delta),
        ("lowmemory", Temporality::LowMemory),
        ("cumulative", Temporality::Cumulative),
        ("", Temporality::Cumulative),
    ] {
        assert_eq!(exporter(value, |builder| builder).temporality(), expect);
    }
    let cumulative = |builder: Builder| builder.with_temporality(Ours::Cumulative);
    let exporter = exporter("delta", cumulative);
    assert_eq!(exporter.temporality(), Temporality::Cumulative);
    let exporter = exporter.with_temporality(Temporality::LowMemory);
    assert_eq!(exporter.temporality(), Temporality::LowMemory);
}
