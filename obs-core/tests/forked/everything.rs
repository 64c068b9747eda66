//! Everything that a service does with a telemetry.

use crate::support::*;
use obs_core::metrics::Temporality;
use obs_core::{Body, Instrument, Labels, LogEvent, Outcome, Parent, Telemetry};

pub(crate) const SEEN: Instrument = Instrument {
    name: "test.seen",
    unit: "{thing}",
    description: "Things.",
    labels: &[],
    scope: &SCOPE,
};

pub(crate) fn everything(telemetry: &Telemetry, step: &str) {
    let kind = telemetry.kind(&WORK);
    let labels = Labels::NONE.with(METHOD, kind.label(METHOD, step));
    let mut operation = kind.start(labels, Parent::Root);
    operation.set(CHUNKS, 1_i64);
    operation.scope(|| {
        obs_core::current::set(STATUS, 1_i64);
        kind.start(labels, Parent::Current).end(Outcome::TIMED_OUT);
    });
    operation.end(Outcome::ANSWERED);
    telemetry.counter(&SEEN).bind(&[]).add(1);
    telemetry.emit(LogEvent::new("test.said", Body::Text(step.into())));
    telemetry.reader(Temporality::Delta).collect();
    telemetry.prometheus();
    telemetry.prometheus_names();
    telemetry.warnings();
    telemetry.last_problem();
    telemetry.counts();
    telemetry.accounts();
    telemetry.deliveries();
    telemetry.resource();
}
