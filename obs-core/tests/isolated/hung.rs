//! Whatever hangs behind a telemetry, callers do not: destination, subscriber, observable, diagnostics, line writer.

use crate::support::{CHUNKS, METHOD, SCOPE, STATUS, WORK, builder, sampler};
use obs_core::courier::{Batch, Sent, Transport};
use obs_core::metrics::Temporality;
use obs_core::otel::KeyValue;
use obs_core::{
    Body, Builder, Error, Instrument, Labels, LogEvent, Outcome, Parent, Records, Subscriber,
    Telemetry,
};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);

/// Holds whoever comes, until it is opened.
#[derive(Clone, Debug, Default)]
struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    waiting: usize,
}

impl Gate {
    fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut held = state.lock().expect("nobody panics here");
        held.waiting += 1;
        changed.notify_all();
        drop(changed.wait_while(held, |state| !state.open));
    }

    /// Waits until somebody hangs here.
    fn wait_for_somebody(&self) {
        let (state, changed) = &*self.0;
        let held = state.lock().expect("nobody panics here");
        let none = |state: &mut State| state.waiting == 0;
        let (held, waited) = changed.wait_timeout_while(held, LONG, none).expect("fine");
        drop(held);
        assert!(!waited.timed_out(), "nobody came to hang");
    }
}

/// Whoever hangs is let go at the end, also of a test that fails.
impl Drop for Opens {
    fn drop(&mut self) {
        let (state, changed) = &*self.0.0;
        state.lock().expect("nobody panics here").open = true;
        changed.notify_all();
    }
}

struct Opens(Gate);

impl Transport for Gate {
    fn send(&mut self, _: &Batch, _: Instant) -> Sent {
        self.pass();
        Sent::DELIVERED
    }
}

impl Subscriber for Gate {
    fn on_records(&mut self, _: Records<'_>) {
        self.pass();
    }

    fn on_log_events(&mut self, _: &[LogEvent]) {
        self.pass();
    }

    fn flush(&mut self, _: Duration) -> Result<(), Error> {
        self.pass();
        Ok(())
    }
}

const THINGS: Instrument = Instrument {
    name: "test.things",
    unit: "{thing}",
    description: "Things.",
    labels: &[],
    scope: &SCOPE,
};

/// Everything that is called on a request's thread, some thousand times: more than any ring or queue takes.
fn calls(telemetry: &Telemetry) {
    let kind = telemetry.kind(&WORK);
    let bounds = [1.0, 10.0];
    let things = telemetry.counter(&THINGS).bind(&[]);
    let sizes = Instrument {
        name: "test.sizes",
        ..THINGS
    };
    let sizes = telemetry.histogram(&sizes, &bounds).bind(&[]);
    let level = Instrument {
        name: "test.level",
        ..THINGS
    };
    let level = telemetry.gauge(&level).bind(&[]);
    for index in 0..5_000_i64 {
        let labels = Labels::NONE.with(METHOD, kind.label(METHOD, &format!("step {index}")));
        let mut operation = kind.start(labels, Parent::Root);
        operation.set(CHUNKS, index);
        operation.scope(|| {
            obs_core::current::set(STATUS, 1_i64);
            kind.start(labels, Parent::Current).end(Outcome::ANSWERED);
        });
        if index % 16 == 0 {
            let handle = operation.handle().expect("recording");
            handle.set_attribute(KeyValue::new("large", "x".repeat(10_000)));
            handle.add_event("event", vec![KeyValue::new("index", index)]);
        }
        operation.end(Outcome::ANSWERED);
        telemetry.emit(LogEvent::new("test.said", Body::Text("y".repeat(1_000))));
        things.add(1);
        sizes.record(5.0);
        level.set(index as f64);
        // Registering again looks everything up under its locks.
        telemetry.counter(&THINGS);
    }
    telemetry.counts();
    telemetry.accounts();
    telemetry.deliveries();
    telemetry.warnings();
    telemetry.last_problem();
    telemetry.prometheus_names();
}

/// With a part that hangs: `hang` puts it in and says how it is reached.
#[track_caller]
fn check(what: &str, hang: impl FnOnce(Builder, Gate) -> Builder, then: impl FnOnce(&Telemetry)) {
    let gate = Gate::default();
    let open = Opens(gate.clone());
    let telemetry = hang(builder(), gate.clone())
        .with_sampler(sampler(true))
        .with_collect_interval(Duration::from_millis(1))
        .with_metric_interval(Duration::from_millis(1))
        .with_observable_deadline(SHORT)
        .with_waiting_bytes(1 << 20)
        .build()
        .expect("usable");
    then(&telemetry);
    telemetry
        .kind(&WORK)
        .start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    gate.wait_for_somebody();
    let (done, over) = channel();
    std::thread::spawn(move || {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| calls(&telemetry));
            }
        });
        // These wait, but for no longer than they are told.
        telemetry.prometheus();
        telemetry.reader(Temporality::Cumulative).collect();
        let _ = telemetry.collect(SHORT);
        let _ = telemetry.flush(SHORT);
        done.send(()).ok();
    });
    if over.recv_timeout(LONG).is_err() {
        panic!("{what} hangs, and so do callers");
    }
    let start = Instant::now();
    let ended = telemetry.shutdown(SHORT);
    assert!(start.elapsed() < LONG / 3, "{what}: {:?}", start.elapsed());
    drop(open);
    if let Err(error) = &ended {
        assert!(error.is_timeout() || error.is_lost(), "{what}: {error}");
    }
    // The rest goes its way; nothing waits for it.
    let _ = telemetry.shutdown(LONG);
}

#[test]
fn callers_go_on_while_a_destination_hangs() {
    check("the destination", Builder::with_transport, |_| ());
}

#[test]
fn callers_go_on_while_a_subscriber_hangs() {
    check("a subscriber", Builder::with_subscriber, |_| ());
}

#[test]
fn callers_go_on_while_an_observable_hangs() {
    let gate = Arc::new(Mutex::new(None));
    let set = gate.clone();
    check(
        "an observable",
        |builder, gate| {
            *set.lock().expect("fine") = Some(gate);
            builder.with_transport(obs_core::courier::Capture::new())
        },
        |telemetry| {
            let gate = gate.lock().expect("fine").take().expect("set");
            telemetry.observe(move || gate.pass());
        },
    );
}

#[test]
fn callers_go_on_while_who_is_told_of_problems_hangs() {
    check(
        "the diagnostics",
        |builder, gate| builder.with_diagnostics(move |_| gate.pass()),
        |telemetry| {
            // Bad input is warned about.
            let nameless = Instrument { name: "", ..THINGS };
            telemetry.counter(&nameless);
        },
    );
}

#[cfg(feature = "tracing")]
#[test]
fn callers_go_on_while_a_writer_of_lines_hangs() {
    use obs_core::logs::{LogLayer, NonBlocking};
    use tracing_subscriber::layer::SubscriberExt;

    struct Hangs(Gate);

    impl std::io::Write for Hangs {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.pass();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let gate = Gate::default();
    let _open = Opens(gate.clone());
    let telemetry = builder().with_sampler(sampler(true)).build().expect("fine");
    let lines = NonBlocking::new(Hangs(gate.clone()), 32 << 10).expect("a thread");
    let lines_of_layer = lines.clone();
    let layer = LogLayer::new(&telemetry).with_lines(lines_of_layer);
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    let (done, over) = channel();
    std::thread::spawn(move || {
        tracing::dispatcher::with_default(&dispatch, || {
            for index in 0..50 {
                tracing::error!(index, text = "z".repeat(100_000), "a line");
            }
            gate.wait_for_somebody();
            for index in 0..50 {
                tracing::warn!(index, text = "z".repeat(100_000), "a line");
            }
        });
        done.send(()).ok();
    });
    assert!(over.recv_timeout(LONG).is_ok(), "callers hang");
    let counts = telemetry.counts();
    assert!(counts.log_lines_lost > 0, "{counts:?}");
    let start = Instant::now();
    let _ = telemetry.shutdown(SHORT);
    assert!(start.elapsed() < LONG / 3, "{:?}", start.elapsed());
}
