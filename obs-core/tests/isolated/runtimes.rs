//! Flush, collect and shutdown by their deadlines, with a destination that never answers and with one that does: on every kind
//! of runtime and on none, in a destructor, in a panic.

use crate::support::{WORK, builder, sampler};
use obs_core::courier::{Batch, Capture, Sent, Transport};
use obs_core::{
    Body, Builder, Error, Labels, LogEvent, Outcome, Parent, Records, Subscriber, Telemetry,
};
use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);
/// R6 of the bars: what may be added to the deadline. Beyond it the machine is allowed to be busy.
const GRACE: Duration = Duration::from_millis(100);
const BUSY: Duration = Duration::from_secs(2);

/// Answers at its deadline at the latest, as a transport must, and no earlier.
#[derive(Debug)]
struct Silent;

impl Transport for Silent {
    fn send(&mut self, _: &Batch, deadline: Instant) -> Sent {
        let (never, changed) = (Mutex::new(()), Condvar::new());
        let left = deadline.saturating_duration_since(Instant::now()).min(LONG);
        let held = never.lock().expect("fine");
        drop(changed.wait_timeout_while(held, left, |()| true));
        Sent::retry("nobody answered")
    }
}

fn telemetry(manual: bool, silent: bool) -> Telemetry {
    let builder = builder().with_sampler(sampler(true));
    let builder = if manual { builder.manual() } else { builder };
    let telemetry = if silent {
        builder.with_transport(Silent)
    } else {
        builder.with_transport(Capture::new())
    };
    telemetry.build().expect("usable")
}

fn record(telemetry: &Telemetry) {
    let kind = telemetry.kind(&WORK);
    kind.start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
}

#[track_caller]
fn timely(what: &str, call: impl FnOnce(Duration) -> Result<(), Error>) -> Result<(), Error> {
    let start = Instant::now();
    let result = call(SHORT);
    let took = start.elapsed();
    assert!(took <= SHORT + GRACE + BUSY, "{what} took {took:?}");
    result
}

/// All that can be asked of a telemetry, wherever this is.
#[track_caller]
fn all_calls(manual: bool, silent: bool) {
    let telemetry = telemetry(manual, silent);
    record(&telemetry);
    let flushed = timely("flush", |most| telemetry.flush(most));
    record(&telemetry);
    let _ = timely("collect", |most| telemetry.collect(most));
    let ended = timely("shutdown", |most| telemetry.shutdown(most));
    if silent {
        assert!(flushed.is_err());
        let lost = ended.expect_err("it was lost").lost();
        assert!(lost >= 2, "{lost}");
    } else {
        flushed.expect("delivered");
        ended.expect("delivered");
    }
    let total = telemetry.accounts().total();
    assert!(total.is_balanced() && total.pending == 0, "{total:?}");
}

/// Each mode, against each destination.
#[track_caller]
fn each(run: impl Fn(Box<dyn FnOnce() + Send>)) {
    for manual in [false, true] {
        for silent in [false, true] {
            let reached = Arc::new(Mutex::new(false));
            let there = reached.clone();
            run(Box::new(move || {
                all_calls(manual, silent);
                *there.lock().expect("fine") = true;
            }));
            assert!(
                *reached.lock().expect("fine"),
                "manual: {manual}, silent: {silent}"
            );
        }
    }
}

#[test]
fn outside_any_runtime() {
    each(|work| work());
}

#[test]
fn on_a_runtime_of_several_threads_and_on_one_of_its_tasks() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    each(|work| runtime.block_on(async { work() }));
    each(|work| runtime.block_on(async { tokio::spawn(async { work() }).await.expect("fine") }));
    each(|work| {
        let blocking = runtime.spawn_blocking(work);
        runtime.block_on(blocking).expect("fine");
    });
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}

#[test]
fn on_a_runtime_of_one_thread_whose_only_thread_waits() {
    each(|work| current_thread().block_on(async { work() }));
    each(|work| {
        let runtime = current_thread();
        runtime.block_on(async { tokio::spawn(async { work() }).await.expect("fine") });
    });
}

#[test]
fn on_a_local_set() {
    each(|work| {
        let local = tokio::task::LocalSet::new();
        local.block_on(&current_thread(), async {
            tokio::task::spawn_local(async { work() })
                .await
                .expect("fine");
        });
    });
}

#[test]
fn on_an_executor_that_is_not_tokios_inside_of_tokios() {
    // One that polls on this thread, as those of `futures`, `smol` and `pollster` do.
    let poll = |future: std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        let mut future = future;
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_ready());
    };
    each(|work| poll(Box::pin(async { work() })));
    each(|work| current_thread().block_on(async { poll(Box::pin(async { work() })) }));
}

struct AtEnd(RefCell<Option<Box<dyn FnOnce() + Send>>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd(RefCell::new(None)) };
}

#[test]
fn in_a_destructor_of_a_thread_local() {
    each(|work| {
        let thread = std::thread::spawn(|| {
            AT_END.with(|end| *end.0.borrow_mut() = Some(work));
        });
        thread.join().expect("fine");
    });
}

#[test]
fn while_a_panic_unwinds() {
    each(|work| {
        let end = AtEnd(RefCell::new(Some(work)));
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _end = end;
            std::panic::resume_unwind(Box::new("the service's"));
        }));
        assert!(unwound.is_err());
    });
}

#[test]
fn a_guard_shuts_down_where_main_panics() {
    let capture = Capture::new();
    for set in [Builder::manual, std::convert::identity as fn(_) -> _] {
        let telemetry = set(builder().with_sampler(sampler(true)))
            .with_transport(capture.clone())
            .build()
            .expect("usable");
        let main = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = telemetry.shutdown_on_drop(LONG);
            record(&telemetry);
            std::panic::resume_unwind(Box::new("the service's"));
        }));
        assert!(main.is_err());
        assert!(telemetry.is_shut_down());
        assert_eq!(telemetry.accounts().traces.delivered, 1);
    }
}

#[test]
fn a_delivery_in_the_middle_of_an_operation_is_no_part_of_it() {
    #[derive(Clone, Debug, Default)]
    struct Looks(Arc<Mutex<Vec<bool>>>);

    impl Transport for Looks {
        fn send(&mut self, _: &Batch, _: Instant) -> Sent {
            let seen = obs_core::current::handle().is_some();
            self.0.lock().expect("fine").push(seen);
            Sent::DELIVERED
        }
    }

    let looks = Looks::default();
    let telemetry = builder()
        .manual()
        .with_sampler(sampler(true))
        .with_transport(looks.clone())
        .build()
        .expect("usable");
    let kind = telemetry.kind(&WORK);
    let mut operation = kind.start(Labels::NONE, Parent::Root);
    let handle = operation.handle().expect("recording");
    record(&telemetry);
    operation.scope(|| telemetry.flush(LONG).expect("delivered"));
    record(&telemetry);
    handle.in_scope(|| telemetry.flush(LONG).expect("delivered"));
    operation.scope(|| assert!(obs_core::current::handle().is_some(), "it is back"));
    let seen = looks.0.lock().expect("fine");
    assert!(seen.len() >= 2 && seen.iter().all(|seen| !seen), "{seen:?}");
}

/// Whether what it does would be recorded, where it is called.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<(&'static str, bool)>>>);

impl Asked {
    fn here(&self, place: &'static str) {
        let suppressed = obs_core::current::is_suppressed()
            && obs_core::otel::Context::is_current_telemetry_suppressed();
        self.0.lock().unwrap().push((place, suppressed));
    }
}

impl Subscriber for Asked {
    fn on_records(&mut self, _: Records<'_>) {
        self.here("records");
    }
    fn on_log_events(&mut self, _: &[LogEvent]) {
        self.here("log events");
    }
    fn flush(&mut self, _: Duration) -> Result<(), Error> {
        self.here("flush");
        Ok(())
    }
    fn shutdown(&mut self, _: Duration) -> Result<(), Error> {
        self.here("shutdown");
        Ok(())
    }
}

#[test]
fn a_subscriber_that_sends_with_an_instrumented_client_makes_no_records_of_it_for_ever() {
    for manual in [true, false] {
        let asked = Asked::default();
        let builder = builder()
            .with_sampler(sampler(true))
            .with_subscriber(asked.clone());
        let builder = if manual { builder.manual() } else { builder };
        let telemetry = builder.build().expect("usable");
        record(&telemetry);
        telemetry.emit(LogEvent::new("one", Body::Text("x".into())));
        // In manual mode it runs in the middle of an operation.
        let mut operation = telemetry.kind(&WORK).start(Labels::NONE, Parent::Root);
        operation.scope(|| telemetry.flush(SHORT).expect("in time"));
        telemetry.shutdown(SHORT).ok();
        let mut asked = std::mem::take(&mut *asked.0.lock().unwrap());
        asked.sort_unstable();
        asked.dedup();
        let all = ["flush", "log events", "records", "shutdown"].map(|place| (place, true));
        assert_eq!(asked, all, "manual: {manual}");
    }
}
