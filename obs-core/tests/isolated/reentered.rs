//! Code of users that asks its telemetry to flush or to end from within a call of it.

use crate::support::{METHOD, SCOPE, WORK, builder, sampler};
use obs_core::courier::{Batch, Sent, Transport};
use obs_core::ids::{IdGenerator, RandomIds};
use obs_core::otel::trace::{SpanId, TraceId};
use obs_core::redact::{Redaction, Text};
use obs_core::{
    Body, Diagnostic, Error, Instrument, Key, Labels, LogEvent, Outcome, Parent, Records,
    Subscriber, Telemetry,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(300);

/// Where it asks, for what, and how often it did.
#[derive(Clone, Debug)]
struct Asks(
    Arc<OnceLock<Telemetry>>,
    &'static str,
    &'static str,
    Arc<AtomicUsize>,
);

impl Asks {
    fn here(&self, place: &str) {
        if place == self.1
            && let Some(telemetry) = self.0.get()
            && self.3.fetch_add(1, Ordering::SeqCst) < 3
        {
            let _ = match self.2 {
                "flush" => telemetry.flush(SHORT),
                "collect" => telemetry.collect(SHORT),
                "page" => {
                    telemetry.prometheus();
                    telemetry.books();
                    telemetry.warnings();
                    telemetry.last_problem();
                    telemetry.counts();
                    Ok(())
                }
                _ => telemetry.shutdown(SHORT),
            };
        }
    }
}

impl Subscriber for Asks {
    fn on_records(&mut self, _: Records<'_>) {
        self.here("on_records");
    }
    fn on_log_events(&mut self, _: &[LogEvent]) {
        self.here("on_log_events");
    }
    fn flush(&mut self, _: Duration) -> Result<(), Error> {
        self.here("flush");
        Ok(())
    }
}

impl Transport for Asks {
    fn send(&mut self, _: &Batch, _: std::time::Instant) -> Sent {
        self.here("send");
        Sent::DELIVERED
    }
}

impl IdGenerator for Asks {
    fn new_trace_id(&self) -> TraceId {
        self.here("id");
        RandomIds.new_trace_id()
    }
    fn new_span_id(&self) -> SpanId {
        self.here("id");
        RandomIds.new_span_id()
    }
}

/// How often it asked, once all is over.
fn run(place: &'static str, what: &'static str, manual: bool) -> usize {
    let asks = Asks(Arc::default(), place, what, Arc::default());
    let by = asks.clone();
    let told = asks.clone();
    let builder = builder()
        .with_sampler(sampler(true))
        .with_subscriber(asks.clone())
        .with_transport(asks.clone())
        .with_id_generator(Arc::new(asks.clone()))
        .with_redactor(move |text: Text<'_>| {
            by.here(match text.place {
                obs_core::redact::Place::Label => "label",
                obs_core::redact::Place::SpanAttribute => "attribute",
                _ => "other",
            });
            Redaction::Keep
        })
        .with_diagnostics(move |_: Diagnostic<'_>| told.here("diagnostics"));
    let builder = if manual { builder.manual() } else { builder };
    let telemetry = builder.build().expect("usable");
    let observes = asks.clone();
    telemetry.observe(move || observes.here("observe"));
    asks.0.set(telemetry).ok();
    let kind = telemetry.kind(&WORK);
    for turn in 0..3 {
        let label = kind.label(METHOD, &format!("step {turn}"));
        let mut operation = kind.start(Labels::NONE.with(METHOD, label), Parent::Root);
        operation.set(Key::new(&"own"), "text");
        operation.end(Outcome::ANSWERED);
        telemetry.emit(LogEvent::new("said", Body::Text("text".into())));
        telemetry.counter(&Instrument {
            name: "",
            unit: "1",
            description: "",
            labels: &[],
            scope: &SCOPE,
        });
        let _ = telemetry.flush(SHORT);
        telemetry.prometheus();
    }
    let _ = telemetry.shutdown(SHORT);
    asks.3.load(Ordering::SeqCst)
}

#[test]
fn whoever_is_called_may_flush_and_end_the_telemetry_and_nobody_hangs() {
    let mut wrong = Vec::new();
    for place in [
        "label",
        "attribute",
        "other",
        "on_records",
        "on_log_events",
        "flush",
        "send",
        "id",
        "observe",
        "diagnostics",
    ] {
        for what in ["flush", "collect", "page", "shutdown"] {
            for manual in [true, false] {
                let (over, is_over) = mpsc::channel();
                std::thread::spawn(move || {
                    let times = run(place, what, manual);
                    over.send(times).ok();
                });
                match is_over.recv_timeout(Duration::from_secs(15)) {
                    Ok(0) => wrong.push(format!("{place} {what} manual={manual}: never called")),
                    Ok(_) => {}
                    Err(error) => wrong.push(format!("{place} {what} manual={manual}: {error}")),
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}
