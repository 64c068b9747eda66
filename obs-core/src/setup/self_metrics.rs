//! What a telemetry says about itself: everything it let go of, by reason, and what it delivered.

use crate::courier::{Couriers, DropReason, Signal};
use crate::descriptor::Scope;
use crate::engine::Engine;
use crate::engine::counts::EngineCounts;
use crate::engine::instruments::{BoundCounter, Counter, Gauge, Instrument};
use crate::engine::metric_set::Shape;
use crate::label::{Label, Values};
use crate::semconv::obs;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: crate::semconv::SCHEMA_URL,
};

const REASON: Label = Label {
    key: obs::DROP_REASON,
    values: Values::Open { cap: 32 },
};
const SIGNAL: Label = Label {
    key: obs::SIGNAL,
    values: Values::Closed(&["traces", "metrics", "logs"]),
};

const ANOMALY: Label = Label {
    key: obs::ANOMALY,
    values: Values::Open { cap: 32 },
};

/// What was let go of here, by reason: every loss among the counts. What is dropped on the way out is the courier's.
fn dropped(counts: &EngineCounts, overflowed: u64) -> [(&'static str, u64); 13] {
    [
        ("ring_full", counts.ring_full),
        ("after_shutdown", counts.after_shutdown),
        ("keep_truncated", counts.keep_truncated),
        ("keep_dropped", counts.keep_dropped),
        ("log_events_full", counts.log_events_full),
        (
            "log_events_after_shutdown",
            counts.log_events_after_shutdown,
        ),
        ("log_flood", counts.log_flood),
        ("log_lines_lost", counts.log_lines_lost),
        ("log_nested", counts.log_nested),
        ("late_call", counts.late_calls),
        ("panic", counts.panics),
        ("metric_refused", counts.metrics_refused),
        ("label_overflow", overflowed),
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

/// Mirrors the counts at each collection.
pub(crate) fn register(engine: &'static Engine, couriers: Couriers) {
    let instrument = |name, unit, description, labels| Instrument {
        name,
        unit,
        description,
        labels,
        scope: &SCOPE,
    };
    let counter = |name, description, labels| {
        let instrument = instrument(name, "{item}", description, labels);
        Counter(engine.instrument(&instrument, Shape::Absolute))
    };
    let lost = counter(
        obs::DROPPED,
        "What the telemetry let go of, by reason.",
        &[REASON, SIGNAL],
    );
    let odd = counter(
        obs::ANOMALIES,
        "What was out of the ordinary, and lost nothing.",
        &[ANOMALY],
    );
    let collected = counter(
        obs::COLLECTED,
        "Finished operations that the collector took over.",
        &[],
    );
    let delivered = counter(
        obs::DELIVERED,
        "Items that a destination accepted.",
        &[SIGNAL],
    );
    let parked = instrument(
        obs::PARKED,
        "By",
        "Bytes of finished operations that wait for their roots.",
        &[],
    );
    let parked = Gauge(engine.instrument(&parked, Shape::Gauge)).bind(&[]);
    let spooled = instrument(obs::SPOOLED, "By", "Bytes of the spools' files.", &[]);
    let spooled = Gauge(engine.instrument(&spooled, Shape::Gauge)).bind(&[]);
    let spool_errors = odd.bind(&["spool_error"]);
    let none = EngineCounts::default();
    let here = dropped(&none, 0).map(|(reason, _)| lost.bind(&[reason, ""]));
    let odd = anomalies(&none).map(|(anomaly, _)| odd.bind(&[anomaly]));
    let collected = collected.bind(&[]);
    let raises = instrument(
        obs::LEVEL_RAISES,
        "{raise}",
        "Methods raised to Detailed for a time, and raises that were refused.",
        &[RAISE_OUTCOME],
    );
    let raises = Counter(engine.instrument(&raises, Shape::Absolute));
    let raises = RAISES.map(|outcome| raises.bind(&[outcome]));
    let sent = Signal::ALL.map(|signal| {
        let name = signal.as_str();
        let by_reason = DropReason::ALL.map(|reason| lost.bind(&[reason.as_str(), name]));
        (signal, delivered.bind(&[name]), by_reason)
    });
    let has_spooled = AtomicBool::new(false);
    engine.mirror(Box::new(move || {
        let counts = engine.counts.read(engine.parked.bytes() as u64);
        let dropped = dropped(&counts, engine.overflowed_labels());
        mirror(&here, dropped.map(|(_, value)| value));
        mirror(&odd, anomalies(&counts).map(|(_, value)| value));
        mirror(&[collected], [counts.collected]);
        if counts.parked_bytes > 0 || counts.keep_dropped + counts.keep_truncated > 0 {
            parked.set(counts.parked_bytes as f64);
        }
        mirror(
            &raises,
            [
                counts.raises,
                counts.raises_over_rate,
                counts.raises_over_methods,
            ],
        );
        if couriers.is_empty() {
            return;
        }
        let accounts = couriers.accounts();
        mirror(&[spool_errors], [accounts.spool_errors]);
        // What never happened is no series; what is over by now is zero.
        let spools = accounts.spooled_bytes > 0;
        if has_spooled.fetch_or(spools, Ordering::Relaxed) || spools {
            spooled.set(accounts.spooled_bytes as f64);
        }
        for (signal, delivered, by_reason) in &sent {
            let account = accounts.of(*signal);
            delivered.mirror(account.delivered);
            mirror(
                by_reason,
                DropReason::ALL.map(|reason| account.dropped.by(reason)),
            );
        }
    }));
}

/// What never happened is no series.
fn mirror<const N: usize>(counters: &[BoundCounter; N], values: [u64; N]) {
    for (counter, value) in counters.iter().zip(values).filter(|(_, value)| *value > 0) {
        counter.mirror(value);
    }
}

#[cfg(test)]
mod tests {
    use crate::Telemetry;
    use crate::setup::environment::Environment;

    #[test]
    fn every_count_is_exported() {
        let telemetry = Telemetry::builder()
            .with_environment(Environment::default())
            .manual()
            .build()
            .expect("usable");
        let values = telemetry.count_each();
        assert!(values.len() > 12, "{values:?}");
        let page = telemetry.prometheus();
        for (name, value) in values {
            let shown = page
                .lines()
                .filter(|line| line.starts_with("obs_") && line.ends_with(&format!(" {value}")));
            assert_eq!(shown.count(), 1, "{name}: {page}");
        }
    }
}
