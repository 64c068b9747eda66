//! Code of users that panics, in each place where it is called: it is contained and counted, its service sees nothing, and the
//! telemetry goes on. What is thrown may panic again when it is dropped.

use crate::support::{METHOD, Rig, WORK, rig_with};
use obs_core::courier::{Batch, Capture, Remake, Sent, Signal, Transport};
use obs_core::ids::IdGenerator;
use obs_core::otel::trace::{SpanId, TraceId};
use obs_core::{
    Body, Builder, Diagnostic, Error, Instrument, Labels, LogEvent, Outcome, Parent, Records,
    Subscriber, Telemetry,
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// Panics again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("dropped"))
    }
}

/// Without the hook's message: these are expected.
fn bang<T>() -> T {
    resume_unwind(Box::new(Bomb))
}

/// Panics while it is armed.
#[derive(Clone, Debug, Default)]
struct Fuse(Arc<AtomicBool>);

impl Fuse {
    fn arm(&self, armed: bool) {
        self.0.store(armed, Ordering::Relaxed);
    }

    fn burn(&self) {
        if self.0.load(Ordering::Relaxed) {
            bang()
        }
    }
}

/// What every telemetry does, whatever is armed.
fn everything(telemetry: &Telemetry) {
    let kind = telemetry.kind(&WORK);
    let labels = Labels::NONE.with(METHOD, kind.label(METHOD, "step"));
    let mut operation = kind.start(labels, Parent::Root);
    operation.scope(|| kind.start(labels, Parent::Current).end(Outcome::ANSWERED));
    operation.end(Outcome::ANSWERED);
    telemetry.emit(LogEvent::new("test.said", Body::Empty));
    let nameless = Instrument {
        name: "",
        unit: "1",
        description: "",
        labels: &[],
        scope: &crate::support::SCOPE,
    };
    telemetry.counter(&nameless);
    let _ = telemetry.collect(LONG);
    telemetry.prometheus();
    let _ = telemetry.flush(LONG);
}

/// One hook: `set` puts it in. Armed it panics, and is counted by `counted`; disarmed all is as ever.
#[track_caller]
fn check(hook: &str, set: impl FnOnce(Builder, Fuse) -> Builder, then: impl FnOnce(&Rig, Fuse)) {
    let (fuse, capture) = (Fuse::default(), Capture::new());
    let rig = rig_with(true, |builder| {
        set(builder.with_transport(capture.clone()), fuse.clone())
    });
    then(&rig, fuse.clone());
    let telemetry = &rig.telemetry;
    fuse.arm(true);
    let service = catch_unwind(AssertUnwindSafe(|| everything(telemetry)));
    assert!(service.is_ok(), "{hook}: its service unwinds");
    // Of a handler that panics beside it the service sees its own panic, and nothing else.
    let handler = catch_unwind(AssertUnwindSafe(|| {
        let _operation = rig.root("handler");
        resume_unwind(Box::new("the handler's"))
    }));
    let thrown = handler.expect_err("it panics");
    assert_eq!(thrown.downcast_ref(), Some(&"the handler's"), "{hook}");
    let _ = telemetry.collect(LONG);
    let counted = telemetry.counts().panics + telemetry.accounts().panics;
    assert!(counted > 0, "{hook}: nobody counted it");
    fuse.arm(false);
    rig.spans();
    capture.take();
    // Alive: what comes now arrives, and nothing more is counted.
    let before = telemetry.counts().panics + telemetry.accounts().panics;
    everything(telemetry);
    let after = telemetry.counts().panics + telemetry.accounts().panics;
    assert_eq!(after, before, "{hook}");
    let delivered = capture.take();
    for signal in Signal::ALL {
        let arrived = delivered.iter().any(|batch| batch.signal == signal);
        assert!(arrived, "{hook}: no {signal} afterwards");
    }
    assert!(telemetry.accounts().total().is_balanced(), "{hook}");
    rig.assert_at_rest();
    let _ = telemetry.shutdown(LONG);
}

#[test]
fn a_transport_that_panics() {
    #[derive(Debug)]
    struct Panics(Fuse);

    impl Transport for Panics {
        fn send(&mut self, _: &Batch, _: Instant) -> Sent {
            self.0.burn();
            Sent::DELIVERED
        }

        fn remake(&self) -> Option<Remake> {
            let fuse = self.0.clone();
            Some(Box::new(move || {
                fuse.burn();
                Ok(Box::new(Self(fuse.clone())))
            }))
        }
    }

    check(
        "Transport",
        |b, fuse| b.with_transport(Panics(fuse)),
        |_, _| (),
    );
}

#[test]
fn a_subscriber_that_panics_in_each_of_its_methods() {
    struct Panics(Fuse, &'static str);

    impl Panics {
        fn at(&self, method: &str) {
            if self.1 == method {
                self.0.burn();
            }
        }
    }

    impl Subscriber for Panics {
        fn on_records(&mut self, _: Records<'_>) {
            self.at("on_records");
        }

        fn on_log_events(&mut self, _: &[LogEvent]) {
            self.at("on_log_events");
        }

        fn flush(&mut self, _: Duration) -> Result<(), Error> {
            self.at("flush");
            Ok(())
        }
    }

    for method in ["on_records", "on_log_events", "flush"] {
        let set = |b: Builder, fuse| b.with_subscriber(Panics(fuse, method));
        check(method, set, |_, _| ());
    }
}

#[test]
fn an_id_generator_that_panics() {
    #[derive(Debug)]
    struct Panics(Fuse);

    impl IdGenerator for Panics {
        fn new_trace_id(&self) -> TraceId {
            self.0.burn();
            obs_core::ids::RandomIds.new_trace_id()
        }

        fn new_span_id(&self) -> SpanId {
            self.0.burn();
            obs_core::ids::RandomIds.new_span_id()
        }
    }

    let set = |b: Builder, fuse| b.with_id_generator(Arc::new(Panics(fuse)));
    check("IdGenerator", set, |_, _| ());
}

#[test]
fn an_observable_that_panics() {
    check(
        "observe",
        |b, _| b,
        |rig, fuse| rig.telemetry.observe(move || fuse.burn()),
    );
}

#[test]
fn who_is_told_of_problems_and_panics() {
    let set = |b: Builder, fuse: Fuse| b.with_diagnostics(move |_: Diagnostic<'_>| fuse.burn());
    check("with_diagnostics", set, |_, _| ());
}

/// Values of users in the context of OpenTelemetry end with the operation, in its destructor: a panic there would abort.
#[test]
fn a_value_in_the_context_that_panics_when_it_is_dropped() {
    struct Value(Fuse);

    impl Drop for Value {
        fn drop(&mut self) {
            self.0.burn();
        }
    }

    let rig = rig_with(true, |builder| builder);
    let fuse = Fuse::default();
    let value = Value(fuse.clone());
    let attached = obs_core::otel::Context::new().with_value(value).attach();
    let mut operation = rig.root("a");
    // Here it is given a context, that of the service with its span.
    operation.scope(|| ());
    drop(attached);
    fuse.arm(true);
    operation.end(Outcome::ANSWERED);
    fuse.arm(false);
    assert_eq!(rig.telemetry.counts().panics, 1);
    assert_eq!(rig.exported(), ["a"]);
    rig.assert_at_rest();
}

#[cfg(feature = "tracing")]
#[test]
fn a_writer_of_lines_that_panics() {
    use obs_core::logs::LogLayer;
    use tracing_subscriber::layer::SubscriberExt;

    struct Panics(Fuse);

    impl std::io::Write for Panics {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.burn();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    check(
        "Lines",
        |b, _| b,
        |rig, fuse| {
            let writer = fuse.clone();
            let layer = LogLayer::new(&rig.telemetry).with_lines(move || Panics(writer.clone()));
            let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
            fuse.arm(true);
            tracing::dispatcher::with_default(&dispatch, || tracing::info!("a line"));
        },
    );
}
