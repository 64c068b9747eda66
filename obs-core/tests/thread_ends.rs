//! Telemetry in the destructors of thread-locals: nothing aborts the host, whichever of them goes first.
//!
//! Each case runs in a process of its own, since what it must not do is abort it: this test again, told by its environment
//! which case it is.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::Context;
use obs_core::otel::trace::{TraceContextExt, Tracer, TracerProvider};
use obs_core::{ContextMode, OpRef, Operation, Outcome, Parent, current};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::cell::RefCell;
use std::process::Command;
use support::{Rig, rig, rig_with};

const CASE: &str = "OBS_TEST_THREAD_END";

/// What runs when a thread ends.
struct AtEnd(RefCell<Option<Box<dyn FnOnce()>>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

thread_local! {
    static FIRST: AtEnd = const { AtEnd(RefCell::new(None)) };
    static LATER: AtEnd = const { AtEnd(RefCell::new(None)) };
}

/// Before anything else of this thread is touched: it runs after all of that is gone.
fn at_the_very_end(work: impl FnOnce() + 'static) {
    FIRST.with(|end| end.0.replace(Some(Box::new(work))));
}

/// After what has been touched so far: it runs while that is still there.
fn at_the_end(work: impl FnOnce() + 'static) {
    LATER.with(|end| end.0.replace(Some(Box::new(work))));
}

fn on_a_thread(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work).join().expect("no panic");
}

/// Everything a thread can do with an operation of its own and with another's.
fn everything(rig: &Rig, handle: &OpRef) {
    let mut operation = rig.start("at the end", Parent::Current);
    operation.scope(|| {
        current::set(support::CHUNKS, 1_i64);
        current::inject(|_, _| ());
        drop(obs_core::LogEvent::new("e", obs_core::Body::Empty));
        rig.start("below", Parent::Current).end(Outcome::ANSWERED);
        handle.in_scope(|| {
            rig.start("in scope", Parent::Current)
                .end(Outcome::ANSWERED)
        });
    });
    operation.end(Outcome::ANSWERED);
    handle.in_scope(|| {
        rig.start("in scope", Parent::Current)
            .end(Outcome::TIMED_OUT)
    });
    let wrapped = handle.wrap(async {});
    futures_poll(wrapped);
}

fn futures_poll(future: impl Future) {
    let waker = std::task::Waker::noop();
    let mut future = std::pin::pin!(future);
    let polled = future
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker));
    assert!(polled.is_ready());
}

fn steps(rig: &Rig) -> Vec<String> {
    let mut steps: Vec<_> = rig
        .spans()
        .iter()
        .map(|span| span.step().to_owned())
        .collect();
    steps.sort();
    steps
}

const EVERYTHING: [&str; 4] = ["at the end", "below", "in scope", "in scope"];

fn a_context_with_our_span_is_asked() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let context = root.scope(Context::current);
    on_a_thread(move || {
        at_the_very_end({
            let context = context.clone();
            move || assert!(context.span().is_recording())
        });
        // Asks our span once before, so that whatever answers has been touched.
        let _attached = context.clone().attach();
        rig.start("child", Parent::Current).end(Outcome::ANSWERED);
    });
    root.end(Outcome::ANSWERED);
}

fn work_at_the_end(mode: ContextMode, while_all_is_there: bool) {
    let rig = rig_with(true, |builder| builder.with_context_mode(mode));
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    let (theirs, mut before) = (rig.clone(), rig.root("before"));
    on_a_thread(move || {
        // Makes its context on a thread that is alive.
        let work = move |mut before: Operation, rig: &Rig, handle: &OpRef| {
            before.scope(|| everything(rig, handle));
            everything(rig, handle);
            before.end(Outcome::ANSWERED);
        };
        if while_all_is_there {
            before.scope(|| everything(&theirs, &handle));
            at_the_end(move || work(before, &theirs, &handle));
        } else {
            FIRST.with(|_| ());
            before.scope(|| everything(&theirs, &handle));
            at_the_very_end(move || work(before, &theirs, &handle));
        }
    });
    root.end(Outcome::ANSWERED);
    let mut expected: Vec<_> = [EVERYTHING; 3].concat();
    expected.extend(["before", "root"]);
    expected.sort_unstable();
    assert_eq!(steps(&rig), expected);
}

/// The user's code has used OpenTelemetry on this thread, and we never have.
fn only_the_user_knew_opentelemetry() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    let theirs = rig.clone();
    on_a_thread(move || {
        at_the_very_end(move || everything(&theirs, &handle));
        let tracer = SdkTracerProvider::builder().build().tracer("user");
        tracer.in_span("users", |_| ());
    });
    root.end(Outcome::ANSWERED);
    let mut expected = EVERYTHING.to_vec();
    expected.push("root");
    assert_eq!(steps(&rig), expected);
}

/// Nobody has used anything on this thread before it ends.
fn the_first_use_of_all_is_at_the_end() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    let theirs = rig.clone();
    on_a_thread(move || at_the_very_end(move || everything(&theirs, &handle)));
    root.end(Outcome::ANSWERED);
    let mut expected = EVERYTHING.to_vec();
    expected.push("root");
    assert_eq!(steps(&rig), expected);
}

const CASES: [(&str, fn()); 7] = [
    ("asked", a_context_with_our_span_is_asked),
    ("full, there", || work_at_the_end(ContextMode::Full, true)),
    ("full, gone", || work_at_the_end(ContextMode::Full, false)),
    ("ids, gone", || work_at_the_end(ContextMode::IdsOnly, false)),
    ("off, gone", || work_at_the_end(ContextMode::Off, false)),
    ("user's", only_the_user_knew_opentelemetry),
    ("first", the_first_use_of_all_is_at_the_end),
];

#[test]
fn telemetry_in_a_thread_locals_destructor_does_not_abort_the_host() {
    if let Ok(name) = std::env::var(CASE) {
        let (_, case) = CASES
            .iter()
            .find(|(known, _)| *known == name)
            .expect("a case");
        return case();
    }
    let this = std::env::current_exe().expect("this test");
    for (name, _) in CASES {
        let output = Command::new(&this)
            .args(["telemetry_in_a_thread_locals_destructor", "--nocapture"])
            .env(CASE, name)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {}\n{said}", output.status);
    }
}
