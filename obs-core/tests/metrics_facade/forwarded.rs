//! Handing on: theirs shows what ours shows, and what theirs does ends there.

use crate::support::points::{all, number};
use crate::support::{Rig, rig};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, counter, gauge, histogram,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use obs_core::DURATION_BOUNDS;
use obs_core::metrics_facade::MetricsRecorder;
use std::sync::Arc;
use std::time::Duration;

fn forwarding(rig: &Rig, to: impl Recorder + Send + Sync + 'static, work: impl FnOnce()) {
    let recorder = MetricsRecorder::new(&rig.telemetry).with_forward(to);
    metrics::with_local_recorder(&recorder, work);
}

/// Lines that say something of the metrics of this test.
fn lines(page: &str) -> Vec<String> {
    let ours = |line: &&str| {
        let metric = line
            .trim_start_matches("# HELP ")
            .trim_start_matches("# TYPE ");
        metric.starts_with("shop_")
    };
    let mut lines: Vec<_> = page.lines().filter(ours).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn theirs_shows_the_same_numbers_as_ours() {
    let rig = rig(false);
    let theirs = PrometheusBuilder::new()
        .set_buckets(DURATION_BOUNDS)
        .expect("some")
        .build_recorder();
    let handle = theirs.handle();
    forwarding(&rig, theirs, || {
        metrics::describe_counter!("shop_orders_total", "Orders so far.");
        metrics::describe_gauge!("shop_depth", "What waits.");
        metrics::describe_histogram!("shop_took_seconds", Unit::Seconds, "How long it takes.");
        for round in 0..200_u64 {
            counter!("shop_orders_total", "shop" => "north", "paid" => "card").increment(round);
            counter!("shop_orders_total", "shop" => "so\"uth\\").increment(1);
            counter!("shop_polled_total").absolute(round * 3);
            gauge!("shop_depth", "queue" => "in").set(round as f64);
            gauge!("shop_depth", "queue" => "in").increment(1.5);
            gauge!("shop_depth", "queue" => "in").decrement(0.25);
            let took = histogram!("shop_took_seconds", "shop" => "north");
            took.record(round as f64 / 64.0);
            took.record_many(0.5, 3);
        }
        let _ = counter!("shop_never_total");
    });
    let (ours, theirs) = (lines(&rig.telemetry.prometheus()), lines(&handle.render()));
    let sorted = |lines: Vec<String>| -> Vec<Vec<String>> {
        // Labels in an order that is the same for both.
        let words = |line: String| {
            let mut words: Vec<_> = line.split(['{', '}', ',']).map(str::to_owned).collect();
            words.sort();
            words
        };
        lines.into_iter().map(words).collect()
    };
    let (mut ours, mut theirs) = (sorted(ours), sorted(theirs));
    ours.sort();
    theirs.sort();
    assert!(ours.len() > 25, "{ours:#?}");
    assert_eq!(ours, theirs);
}

#[test]
fn what_their_exporter_forgot_when_it_was_idle_counts_there_again() {
    let rig = rig(false);
    let theirs = PrometheusBuilder::new()
        .idle_timeout(
            metrics_util::MetricKindMask::ALL,
            Some(Duration::from_millis(1)),
        )
        .build_recorder();
    let handle = theirs.handle();
    forwarding(&rig, theirs, || {
        counter!("shop_orders_total").increment(1);
        // Until it has noticed that nothing happened.
        let start = std::time::Instant::now();
        while handle.render().contains("shop_orders_total") {
            assert!(start.elapsed() < Duration::from_secs(20), "never forgotten");
            std::thread::sleep(Duration::from_millis(2));
        }
        counter!("shop_orders_total").increment(2);
        assert!(handle.render().contains("shop_orders_total 2\n"));
    });
    assert_eq!(number(&all(&rig.telemetry), "shop_orders_total", &[]), 3.0);
}

#[test]
fn what_is_refused_here_is_handed_on_all_the_same() {
    let rig = rig(false);
    let theirs = PrometheusBuilder::new().build_recorder();
    let handle = theirs.handle();
    forwarding(&rig, theirs, || {
        counter!("shop_a").increment(1);
        gauge!("shop_a").set(3.0);
        histogram!("shop_b").record(1.0);
        counter!("shop_b").increment(4);
    });
    rig.telemetry
        .shutdown(Duration::from_secs(1))
        .expect("nothing to deliver");
    let page = handle.render();
    for line in ["shop_a 1", "shop_a 3", "shop_b 4"] {
        assert!(page.lines().any(|known| known == line), "{line} in\n{page}");
    }
    assert_eq!(rig.telemetry.counts().metrics_refused, 2);
}

/// Panics wherever it is told to.
#[derive(Clone)]
struct Bomb {
    on_register: bool,
}

struct Fuse;

impl Drop for Fuse {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

impl CounterFn for Fuse {
    fn increment(&self, _: u64) {
        panic!("incremented");
    }
    fn absolute(&self, _: u64) {
        panic!("raised");
    }
}

impl GaugeFn for Fuse {
    fn increment(&self, _: f64) {
        panic!("incremented");
    }
    fn decrement(&self, _: f64) {
        panic!("decremented");
    }
    fn set(&self, _: f64) {
        panic!("set");
    }
}

impl HistogramFn for Fuse {
    fn record(&self, _: f64) {
        panic!("recorded");
    }
}

impl Bomb {
    fn fuse(&self) -> Arc<Fuse> {
        assert!(!self.on_register, "registered");
        Arc::new(Fuse)
    }
}

impl Recorder for Bomb {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("described");
    }
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("described");
    }
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("described");
    }
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.fuse())
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.fuse())
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.fuse())
    }
}

#[track_caller]
fn explodes(on_register: bool, panics: u64) {
    let rig = rig(false);
    forwarding(&rig, Bomb { on_register }, || {
        metrics::describe_counter!("shop_a", "A.");
        counter!("shop_a").increment(1);
        counter!("shop_a").absolute(5);
        gauge!("shop_b").set(2.0);
        gauge!("shop_b").increment(2.0);
        gauge!("shop_b").decrement(1.0);
        histogram!("shop_c").record_many(1.0, 2);
    });
    assert_eq!(rig.telemetry.counts().panics, panics);
    let metrics = all(&rig.telemetry);
    assert_eq!(number(&metrics, "shop_a", &[]), 5.0);
    assert_eq!(number(&metrics, "shop_b", &[]), 3.0);
}

#[test]
fn a_recorder_that_panics_is_contained_and_counted() {
    // One description, and six handles: each is refused, or works and is dropped with a panic.
    explodes(true, 1 + 6);
    explodes(false, 1 + 6 * 2);
}

/// Counts its own calls with the macros, as if it were told of them.
struct Talks;

impl Recorder for Talks {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        counter!("shop_registered_total").increment(1);
        Counter::from_arc(Arc::new(Talker))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

struct Talker;

impl CounterFn for Talker {
    fn increment(&self, _: u64) {
        counter!("shop_incremented_total").increment(1);
    }
    fn absolute(&self, _: u64) {}
}

#[test]
fn a_recorder_that_records_itself_makes_no_loop() {
    let rig = rig(false);
    forwarding(&rig, Talks, || counter!("shop_orders_total").increment(1));
    let metrics = all(&rig.telemetry);
    for name in [
        "shop_orders_total",
        "shop_registered_total",
        "shop_incremented_total",
    ] {
        assert_eq!(number(&metrics, name, &[]), 1.0, "{name}");
    }
}

#[test]
fn a_telemetry_may_hand_on_to_another_and_that_one_to_an_exporter() {
    let (one, two) = (rig(false), rig(false));
    let theirs = PrometheusBuilder::new().build_recorder();
    let handle = theirs.handle();
    let second = MetricsRecorder::new(&two.telemetry).with_forward(theirs);
    forwarding(&one, second, || counter!("shop_orders_total").increment(3));
    for rig in [one, two] {
        assert_eq!(number(&all(&rig.telemetry), "shop_orders_total", &[]), 3.0);
    }
    assert!(handle.render().contains("shop_orders_total 3\n"));
}

/// Records twice on each call, as a recorder that counts calls and bytes would.
struct TalksTwice;

impl Recorder for TalksTwice {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        counter!("shop_calls_total").increment(1);
        counter!("shop_keys_total").increment(1);
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn a_recorder_that_records_itself_twice_does_not_call_itself_until_the_stack_ends() {
    let rig = rig(false);
    forwarding(&rig, TalksTwice, || {
        counter!("shop_orders_total").increment(1)
    });
    let metrics = all(&rig.telemetry);
    for name in ["shop_orders_total", "shop_calls_total", "shop_keys_total"] {
        assert_eq!(number(&metrics, name, &[]), 1.0, "{name}");
    }
}
