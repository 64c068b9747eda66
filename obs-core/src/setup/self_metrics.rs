//! What a telemetry says about itself: its books, and everything else that it let go of.

mod components;

use super::books::{Book, Ledgers};
use crate::courier::{Couriers, DropReason, Dropped, Signal};
use crate::descriptor::Scope;
use crate::engine::Engine;
use crate::engine::counts::EngineCounts;
use crate::engine::instruments::{
    BoundCounter, BoundHistogram, BoundUpDownCounter, Counter, Gauge, Instrument, UpDownCounter,
};
use crate::engine::metric_set::Shape;
use crate::fork::{Anew, PerProcess};
use crate::label::{Label, Values};
use crate::semconv::obs;
use crate::sync::lock_std;
use components::Components;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: crate::semconv::SCHEMA_URL,
};

const REASON: Label = Label {
    key: obs::DROP_REASON,
    values: Values::Open { cap: 64 },
};
const SIGNAL: Label = Label {
    key: obs::SIGNAL,
    values: Values::Closed(&["traces", "metrics", "logs"]),
};

const ANOMALY: Label = Label {
    key: obs::ANOMALY,
    values: Values::Open { cap: 32 },
};

/// What was let go of that is no item of the [books](super::books): it never became one, or is less than one.
fn no_items(counts: &EngineCounts, overflowed: u64) -> [(&'static str, u64); 8] {
    [
        ("log_flood", counts.log_flood),
        ("log_lines_lost", counts.log_lines_lost),
        ("log_nested", counts.log_nested),
        ("late_call", counts.late_calls),
        ("panic", counts.panics),
        ("metric_refused", counts.metrics_refused),
        ("label_overflow", overflowed),
        ("sdk_requests_refused", counts.sdk_requests_refused),
    ]
}

/// What was out of the ordinary, and lost no telemetry of ours.
fn anomalies(counts: &EngineCounts) -> [(&'static str, u64); 6] {
    [
        ("slow_observable", counts.slow_observables),
        ("invalid_parent", counts.invalid_parents),
        ("dropped_tracestate", counts.dropped_tracestate),
        ("dropped_baggage", counts.dropped_baggage),
        ("foreign_end", counts.foreign_ends),
        ("instrument_conflict", counts.instrument_conflicts),
    ]
}

const RAISES: [&str; 3] = ["raised", "refused_rate", "refused_methods"];
const RAISE_OUTCOME: Label = Label {
    key: obs::RAISE_OUTCOME,
    values: Values::Closed(&RAISES),
};

/// Of one signal, over all destinations.
struct Ledger {
    signal: Signal,
    created: BoundCounter,
    delivered: BoundCounter,
    pending: BoundUpDownCounter,
    dropped: [BoundCounter; DropReason::ALL.len()],
    lost: [BoundCounter; DropReason::ALL.len()],
    /// The most that was ever said: what moves from thread to thread must not look like a counter that began again.
    most: PerProcess<Most>,
}

#[derive(Default)]
struct Most(AtomicU64);

impl Anew for Most {
    fn anew(&self) -> Self {
        Self::default()
    }
}

impl Ledger {
    fn mirror(&self, book: &Book) {
        let before = self.most.0.fetch_max(book.created, Ordering::Relaxed);
        let created = book.created.max(before);
        if created == 0 {
            return;
        }
        mirror(&[self.created, self.delivered], [created, book.delivered]);
        let over = book.delivered + book.dropped.total();
        // What moves is pending too.
        self.pending.mirror(created.saturating_sub(over) as i64);
        show(&self.dropped, &book.dropped);
        show(&self.lost, &book.lost);
    }
}

/// Mirrors the counts at each collection, and gives what collections of metrics record themselves in.
pub(crate) fn register(engine: &'static Engine, couriers: Couriers) -> BoundHistogram {
    let dropped = counter(
        engine,
        (obs::DROPPED, "{item}"),
        "What the telemetry let go of, by reason; with a signal where it was an item of its books.",
        &[REASON, SIGNAL],
    );
    let lost = counter(
        engine,
        (obs::LOST, "{item}"),
        "Items that were to be delivered and never will be, by reason.",
        &[REASON, SIGNAL],
    );
    let created = counter(
        engine,
        (obs::CREATED, "{item}"),
        "Items that were created to be delivered.",
        &[SIGNAL],
    );
    let delivered = counter(
        engine,
        (obs::DELIVERED, "{item}"),
        "Items that a destination accepted.",
        &[SIGNAL],
    );
    let pending = level(
        engine,
        (obs::PENDING, "{item}"),
        "Items that are neither delivered nor dropped.",
        &[SIGNAL],
    );
    let odd = counter(
        engine,
        (obs::ANOMALIES, "{item}"),
        "What was out of the ordinary, and lost nothing.",
        &[ANOMALY],
    );
    let waiting = level(
        engine,
        (obs::WAITING, "{item}"),
        "Finished operations that wait for their roots.",
        &[],
    );
    let parked = instrument(
        obs::PARKED,
        "By",
        "Bytes of finished operations that wait for their roots.",
        &[],
    );
    let spooled = instrument(obs::SPOOLED, "By", "Bytes of the spools' files.", &[]);
    let spooled = Gauge(engine.instrument(&spooled, Shape::Gauge)).bind(&[]);
    let spool_errors = odd.bind(&["spool_error"]);
    let from_sdk = counter(
        engine,
        (obs::FROM_SDK, "{item}"),
        "Spans, log records and data points that an OpenTelemetry SDK gave us.",
        &[SIGNAL],
    );
    let from_sdk = Signal::ALL.map(|signal| from_sdk.bind(&[signal.as_str()]));
    let raises = counter(
        engine,
        (obs::LEVEL_RAISES, "{raise}"),
        "Methods raised to Detailed for a time, and raises that were refused.",
        &[RAISE_OUTCOME],
    );
    let none = EngineCounts::default();
    let no_items_here = no_items(&none, 0).map(|(reason, _)| dropped.bind(&[reason, ""]));
    let odd = anomalies(&none).map(|(anomaly, _)| odd.bind(&[anomaly]));
    let raises = RAISES.map(|outcome| raises.bind(&[outcome]));
    let parked = Gauge(engine.instrument(&parked, Shape::Gauge)).bind(&[]);
    let waiting = waiting.bind(&[]);
    let ledgers = Signal::ALL.map(|signal| {
        let name = signal.as_str();
        let by_reason = |counter: &Counter| {
            DropReason::ALL.map(|reason| counter.bind(&[reason.as_str(), name]))
        };
        Ledger {
            signal,
            created: created.bind(&[name]),
            delivered: delivered.bind(&[name]),
            pending: pending.bind(&[name]),
            dropped: by_reason(&dropped),
            lost: by_reason(&lost),
            most: PerProcess::default(),
        }
    });
    let components = Components::new(engine, &couriers);
    // Readings are mirrored in the order in which they were taken.
    let turn: PerProcess<Mutex<()>> = PerProcess::default();
    let has_spooled = AtomicBool::new(false);
    engine.mirror(Box::new(move || {
        let _turn = lock_std(&turn);
        let counts = engine.read_counts();
        let of_sdk = [counts.sdk_spans, counts.sdk_points, counts.sdk_log_records];
        mirror(&from_sdk, of_sdk);
        let other = no_items(&counts, engine.overflowed_labels());
        mirror(&no_items_here, other.map(|(_, value)| value));
        mirror(&odd, anomalies(&counts).map(|(_, value)| value));
        let of_raises = [
            counts.raises,
            counts.raises_over_rate,
            counts.raises_over_methods,
        ];
        mirror(&raises, of_raises);
        let read = Ledgers::read(engine, &couriers);
        let books = read.all(&couriers);
        if books.traces.waiting > 0 || counts.keep_dropped + counts.keep_truncated > 0 {
            parked.set(counts.parked_bytes as f64);
            waiting.mirror(read.front(Signal::Traces).waiting as i64);
        }
        let accounts = couriers.accounts();
        mirror(&[spool_errors], [accounts.spool_errors]);
        // What never happened is no series; what is over by now is zero.
        let spools = accounts.spooled_bytes > 0;
        if has_spooled.fetch_or(spools, Ordering::Relaxed) || spools {
            spooled.set(accounts.spooled_bytes as f64);
        }
        for ledger in &ledgers {
            ledger.mirror(books.of(ledger.signal));
        }
        components.mirror(engine, &read);
    }));
    components::collection(engine)
}

fn instrument(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    labels: &'static [Label],
) -> Instrument {
    Instrument {
        name,
        unit,
        description,
        labels,
        scope: &SCOPE,
    }
}

fn counter(
    engine: &'static Engine,
    (name, unit): (&'static str, &'static str),
    description: &'static str,
    labels: &'static [Label],
) -> Counter {
    let about = instrument(name, unit, description, labels);
    Counter(engine.instrument(&about, Shape::Absolute))
}

fn level(
    engine: &'static Engine,
    (name, unit): (&'static str, &'static str),
    description: &'static str,
    labels: &'static [Label],
) -> UpDownCounter {
    let about = instrument(name, unit, description, labels);
    UpDownCounter(engine.instrument(&about, Shape::Level))
}

/// What never happened is no series.
fn mirror<const N: usize>(counters: &[BoundCounter; N], values: [u64; N]) {
    for (counter, value) in counters.iter().zip(values).filter(|(_, value)| *value > 0) {
        counter.mirror(value);
    }
}

/// The same by reason.
fn show(counters: &[BoundCounter; DropReason::ALL.len()], dropped: &Dropped) {
    mirror(counters, DropReason::ALL.map(|reason| dropped.by(reason)));
}

#[cfg(test)]
mod tests {
    use crate::Telemetry;
    use crate::courier::Capture;
    use crate::setup::environment::Environment;

    #[test]
    fn every_count_is_exported() {
        let telemetry = Telemetry::builder()
            .with_environment(Environment::default())
            .with_transport(Capture::new())
            .manual()
            .build()
            .expect("usable");
        let values = telemetry.count_each();
        assert!(values.len() > 12, "{values:?}");
        let page = telemetry.prometheus();
        let of = |wanted: &str| {
            let count = values.iter().find(|(name, _)| *name == wanted);
            count.map_or(0, |(_, value)| *value)
        };
        for (name, value) in &values {
            // One reason, whoever let go of it.
            let value = match *name {
                "after_shutdown" | "sdk_spans_after_shutdown" => {
                    of("after_shutdown") + of("sdk_spans_after_shutdown")
                }
                "log_events_after_shutdown" | "sdk_log_records_after_shutdown" => {
                    of("log_events_after_shutdown") + of("sdk_log_records_after_shutdown")
                }
                _ => *value,
            };
            let is_loss = |line: &&str| line.starts_with("obs_telemetry_lost");
            let of_losses = *name == "keep_torn";
            let shown = page
                .lines()
                .filter(|line| line.starts_with("obs_") && line.ends_with(&format!(" {value}")))
                .filter(|line| is_loss(line) == of_losses);
            assert_eq!(shown.count(), 1, "{name}: {page}");
        }
    }

    #[test]
    fn a_redactor_that_makes_all_texts_alike_leaves_the_reasons_of_losses_apart() {
        use crate::courier::Sent;
        use crate::redact::{Redaction, Text};
        let mut answers = [Sent::refused("no")].into_iter();
        let answer = move |_: &_| answers.next().unwrap_or_else(|| Sent::retry("later"));
        let telemetry = Telemetry::builder()
            .with_environment(Environment::default())
            .with_transport(Capture::new().with_answer(answer))
            .with_redactor(|_: Text<'_>| Redaction::replace("x"))
            .manual()
            .build()
            .expect("usable");
        let event = || crate::LogEvent::new("said", crate::Body::Text("x".into()));
        let soon = std::time::Duration::from_millis(20);
        for _ in 0..2 {
            telemetry.emit(event());
            telemetry.flush(soon).expect_err("nothing is delivered");
        }
        telemetry.shutdown(soon).expect_err("much is lost");
        telemetry.emit(event());
        let page = telemetry.prometheus();
        for reason in ["rejected", "shutdown", "after_shutdown"] {
            let series = format!(
                "obs_telemetry_lost_total{{obs_drop_reason=\"{reason}\",obs_signal=\"logs\"}} 1\n"
            );
            assert!(page.contains(&series), "{reason}: {page}");
        }
    }
}
