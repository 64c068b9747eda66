//! What a telemetry says about itself: everything it let go of, by reason, and what it delivered.

use crate::courier::{Courier, DropReason, Signal};
use crate::descriptor::Scope;
use crate::engine::Engine;
use crate::engine::instruments::{BoundCounter, Counter, Instrument};
use crate::engine::metric_set::Shape;
use crate::label::{Label, Values};
use crate::semconv::obs;
use std::sync::Weak;

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

const RAISES: [&str; 3] = ["raised", "refused_rate", "refused_methods"];
const RAISE_OUTCOME: Label = Label {
    key: obs::RAISE_OUTCOME,
    values: Values::Closed(&RAISES),
};

/// Mirrors the counts at each collection.
pub(crate) fn register(engine: &'static Engine, courier: Option<Weak<Courier>>) {
    let counter = |name, description, labels| {
        let instrument = Instrument {
            name,
            unit: "{item}",
            description,
            labels,
            scope: &SCOPE,
        };
        Counter(engine.instrument(&instrument, Shape::Absolute))
    };
    let dropped = counter(
        obs::DROPPED,
        "What the telemetry let go of, by reason.",
        &[REASON, SIGNAL],
    );
    let delivered = counter(
        obs::DELIVERED,
        "Items that a destination accepted.",
        &[SIGNAL],
    );
    let raises = Instrument {
        name: obs::LEVEL_RAISES,
        unit: "{raise}",
        description: "Methods raised to Detailed for a time, and raises that were refused.",
        labels: &[RAISE_OUTCOME],
        scope: &SCOPE,
    };
    let raises = Counter(engine.instrument(&raises, Shape::Absolute));
    let raises = RAISES.map(|outcome| raises.bind(&[outcome]));
    let here: [BoundCounter; 8] = [
        "ring_full",
        "after_shutdown",
        "keep_truncated",
        "log_events_full",
        "log_events_after_shutdown",
        "late_call",
        "panic",
        "label_overflow",
    ]
    .map(|reason| dropped.bind(&[reason, ""]));
    let sent = Signal::ALL.map(|signal| {
        let name = signal.as_str();
        let by_reason = DropReason::ALL.map(|reason| dropped.bind(&[reason.as_str(), name]));
        (signal, delivered.bind(&[name]), by_reason)
    });
    engine.observe(Box::new(move || {
        let counts = engine.counts.read(engine.parked.bytes() as u64);
        let values = [
            counts.ring_full,
            counts.after_shutdown,
            counts.keep_truncated,
            counts.log_events_full,
            counts.log_events_after_shutdown,
            counts.late_calls,
            counts.panics,
            engine.overflowed_labels(),
        ];
        // What never happened is no series.
        for (counter, value) in here.iter().zip(values).filter(|(_, value)| *value > 0) {
            counter.set_absolute(value);
        }
        let raised = [
            counts.raises,
            counts.raises_over_rate,
            counts.raises_over_methods,
        ];
        for (counter, value) in raises.iter().zip(raised).filter(|(_, value)| *value > 0) {
            counter.set_absolute(value);
        }
        let Some(courier) = courier.as_ref().and_then(Weak::upgrade) else {
            return;
        };
        let accounts = courier.accounts();
        for (signal, delivered, by_reason) in &sent {
            let account = accounts.of(*signal);
            delivered.set_absolute(account.delivered);
            for (counter, reason) in by_reason.iter().zip(DropReason::ALL) {
                let value = account.dropped.by(reason);
                if value > 0 {
                    counter.set_absolute(value);
                }
            }
        }
    }));
}
