//! A spawned part of an operation, and any other work in the scope of a handle: the operation is the current one there, in
//! every mode, wherever it runs.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::Context;
use obs_core::otel::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, Tracer, TracerProvider,
};
use obs_core::propagation::baggage::Baggage;
use obs_core::{
    Body, ContextMode, Event, Key, LogEvent, OpRef, Outcome, Parent, Session, StatsLevel, current,
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::{Rig, rig, rig_with};

const MODES: [ContextMode; 3] = [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off];

#[derive(Clone, Copy, Debug)]
enum Place {
    InScope,
    InScopeOfItself,
    CurrentInstrument,
    HandleInstrument,
    SpawnBlocking,
    Thread,
}

const PLACES: [Place; 6] = [
    Place::InScope,
    Place::InScopeOfItself,
    Place::CurrentInstrument,
    Place::HandleInstrument,
    Place::SpawnBlocking,
    Place::Thread,
];

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> = std::sync::LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .expect("a runtime")
    });
    &RUNTIME
}

/// In the second poll.
async fn later(work: impl FnOnce()) {
    tokio::task::yield_now().await;
    work();
}

impl Place {
    fn run(self, operation: &mut obs_core::Operation, work: impl FnOnce() + Send + 'static) {
        let handle = operation.handle().expect("recording");
        let enter = runtime().enter();
        let task = match self {
            Self::InScope => return handle.in_scope(work),
            Self::InScopeOfItself => return operation.scope(|| handle.in_scope(work)),
            Self::CurrentInstrument => operation.scope(|| tokio::spawn(current::wrap(later(work)))),
            Self::HandleInstrument => tokio::spawn(handle.wrap(later(work))),
            Self::SpawnBlocking => tokio::task::spawn_blocking(move || handle.in_scope(work)),
            Self::Thread => {
                return std::thread::spawn(move || handle.in_scope(work))
                    .join()
                    .expect("no panic");
            }
        };
        drop(enter);
        runtime().block_on(task).expect("no panic");
    }
}

fn injected() -> Option<HashMap<String, String>> {
    let mut headers = HashMap::new();
    current::inject(|name, value| {
        headers.insert(name.to_owned(), value.to_owned());
    })
    .then_some(headers)
}

fn traceparent(ids: &SpanContext) -> String {
    let flags = ids.trace_flags().to_u8();
    format!("00-{}-{}-{flags:02x}", ids.trace_id(), ids.span_id())
}

/// What is current here is the operation with these ids, whoever asks.
#[track_caller]
fn assert_current(ids: &SpanContext, rig: &Rig) {
    let event = LogEvent::new("asked", Body::Empty);
    assert_eq!(event.trace_id, Some(ids.trace_id()));
    assert_eq!(event.span_id, Some(ids.span_id()));
    assert_eq!(event.trace_flags, ids.trace_flags().to_u8());
    assert_eq!(
        injected().expect("something is current")["traceparent"],
        traceparent(ids)
    );
    let handle = current::handle().expect("something is current");
    assert_eq!(handle.span_context().span_id(), ids.span_id());
    assert!(rig.kind.is_current());
}

fn linked() -> SpanContext {
    let (trace, span) = (TraceId::from(7), SpanId::from(9));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, Default::default())
}

#[track_caller]
fn check(place: Place, mode: ContextMode) {
    let rig = rig_with(true, |builder| builder.with_context_mode(mode));
    rig.kind.set_level(StatsLevel::Detailed);
    let mut root = rig.root("root");
    let ids = root.active().expect("recording").span_context();
    let session = Session::new("s-1").with_user("u-1");
    root.active()
        .expect("recording")
        .set_session(session.clone());
    root.stamp(Event::WRITE_START);
    rig.advance_ms(1);
    let (inside, asked) = (rig.clone(), ids.clone());
    place.run(&mut root, move || {
        assert_current(&asked, &inside);
        current::set(support::CHUNKS, 5_i64);
        current::set_static(Key::new(&"static"), "text");
        current::set(Key::new(&"copied"), String::from("copy").as_str());
        current::stamp(Event::WRITE_START);
        current::stamp(Event::WRITE_FINISH);
        current::add_event("user event", Vec::new());
        current::record_exception("io", "disk on fire", None);
        current::add_link(linked(), Vec::new());
        let mut child = inside.start("child", Parent::Current);
        let childs = child.active().expect("recording").span_context();
        child.scope(|| assert_current(&childs, &inside));
        child.end(Outcome::ANSWERED);
        assert_current(&asked, &inside);
    });
    assert!(current::handle().is_none());
    root.end(Outcome::ANSWERED);
    let spans = rig.spans();
    let of = |step: &str| spans.iter().find(|span| span.step() == step);
    let (root, child) = (
        of("root").expect("the root"),
        of("child").expect("the child"),
    );
    assert_eq!(child.trace_id, ids.trace_id(), "{place:?} {mode:?}");
    assert_eq!((child.parent, child.remote), (Some(ids.span_id()), false));
    assert_eq!(child.session, Some(session));
    assert_eq!(root.attribute("test.chunks"), Some(&5_i64.into()));
    assert_eq!(root.attribute("static"), Some(&"text".into()));
    assert_eq!(root.attribute("copied"), Some(&"copy".into()));
    assert_eq!(root.links, [(linked(), Vec::new())]);
    let mut events: Vec<_> = root
        .events
        .iter()
        .map(|(name, at, _)| (&**name, at - root.start))
        .collect();
    events.sort_unstable();
    let ms = 1_000_000;
    assert_eq!(
        events,
        [
            ("exception", ms),
            ("user event", ms),
            ("write_finish", ms),
            ("write_start", 0)
        ],
        "{place:?} {mode:?}"
    );
    assert_eq!(rig.telemetry.counts().late_calls, 0);
}

#[test]
fn inside_a_spawned_part_of_an_operation_it_is_the_current_one() {
    for place in PLACES {
        for mode in MODES {
            check(place, mode);
        }
    }
}

#[test]
fn a_failed_child_in_a_handles_scope_is_no_root_of_its_own() {
    for mode in MODES {
        for place in PLACES {
            let rig = rig_with(false, |builder| builder.with_context_mode(mode));
            let mut root = rig.root("root");
            let inside = rig.clone();
            place.run(&mut root, move || {
                inside
                    .start("child", Parent::Current)
                    .end(Outcome::TIMED_OUT);
            });
            assert_eq!(rig.exported(), ["child (error)"], "{place:?} {mode:?}");
            root.end(Outcome::ANSWERED);
            assert_eq!(
                rig.exported(),
                ["root (trace, partial)"],
                "{place:?} {mode:?}"
            );
            rig.assert_at_rest();
        }
    }
}

#[test]
fn a_handles_scope_inside_another_operation_is_the_handles_and_no_longer_than_it_lasts() {
    for mode in MODES {
        let rig = rig_with(true, |builder| builder.with_context_mode(mode));
        let (mut a, mut b) = (rig.root("a"), rig.root("b"));
        let ids = [&mut a, &mut b].map(|op| op.active().expect("recording").span_context());
        let handle = a.handle().expect("recording");
        let mark = |value: i64| current::set(support::CHUNKS, value);
        b.scope(|| {
            handle.in_scope(|| {
                assert_current(&ids[0], &rig);
                mark(1);
                rig.start("below a", Parent::Current).end(Outcome::ANSWERED);
            });
            assert_current(&ids[1], &rig);
            let caught = catch_unwind(AssertUnwindSafe(|| {
                handle.in_scope(|| handle.in_scope(|| panic!("on purpose")));
            }));
            assert!(caught.is_err());
            assert_current(&ids[1], &rig);
            mark(2);
            rig.start("below b", Parent::Current).end(Outcome::ANSWERED);
        });
        assert!(injected().is_none());
        a.end(Outcome::ANSWERED);
        b.end(Outcome::ANSWERED);
        let spans = rig.spans();
        for (step, above, chunks) in [("a", &ids[0], 1_i64), ("b", &ids[1], 2)] {
            let of = |step: &str| {
                spans
                    .iter()
                    .find(|span| span.step() == step)
                    .expect("exported")
            };
            assert_eq!(
                of(step).attribute("test.chunks"),
                Some(&chunks.into()),
                "{mode:?}"
            );
            assert_eq!(
                of(&format!("below {step}")).parent,
                Some(above.span_id()),
                "{mode:?}"
            );
        }
    }
}

#[test]
fn what_is_lent_inside_a_handles_scope_is_not_current_and_nor_is_the_handle() {
    let rig = rig(true);
    let (mut a, mut b) = (rig.root("a"), rig.root("b"));
    let handle = a.handle().expect("recording");
    handle.in_scope(|| {
        assert!(current::with(|_| ()).is_none(), "a's record is not at hand");
        b.scope(|| {
            let inside = current::with(|_| {
                current::set(support::CHUNKS, 1_i64);
                current::handle().is_some()
            });
            assert_eq!(inside, Some(false));
        });
        assert!(current::handle().is_some());
    });
    a.end(Outcome::ANSWERED);
    b.end(Outcome::ANSWERED);
    let spans = rig.spans();
    assert!(
        spans
            .iter()
            .all(|span| span.attribute("test.chunks").is_none()),
        "{spans:#?}"
    );
}

#[test]
fn what_a_spawned_part_says_after_the_end_is_counted() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let handle: OpRef = root.handle().expect("recording");
    root.end(Outcome::ANSWERED);
    handle.in_scope(|| {
        current::set(support::CHUNKS, 1_i64);
        current::stamp(Event::WRITE_START);
        current::add_event("late", Vec::new());
    });
    assert_eq!(rig.telemetry.counts().late_calls, 3);
    assert_eq!(rig.span().attribute("test.chunks"), None);
}

#[test]
fn a_stamp_through_a_handle_counts_where_it_is_the_first_and_its_level_allows() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    rig.advance_ms(1);
    handle.stamp(Event::RESPONSE_HEAD);
    handle.stamp(Event::WRITE_START);
    rig.advance_ms(1);
    root.stamp(Event::RESPONSE_HEAD);
    handle.stamp(Event::RESPONSE_HEAD);
    root.end(Outcome::ANSWERED);
    assert!(
        rig.span().events.is_empty(),
        "Base points are stages, not events"
    );

    rig.kind.set_level(StatsLevel::Detailed);
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    rig.advance_ms(1);
    handle.stamp(Event::SERVER_HANDLE_FINISH);
    rig.advance_ms(1);
    root.stamp(Event::SERVER_HANDLE_FINISH);
    root.stamp(Event::WRITE_START);
    root.end(Outcome::ANSWERED);
    let span = rig.span();
    let events: Vec<_> = span
        .events
        .iter()
        .map(|(name, at, _)| (&**name, at - span.start))
        .collect();
    assert_eq!(
        events,
        [
            ("server_handle_finish", 1_000_000),
            ("write_start", 2_000_000)
        ]
    );
}

/// What goes out and what is written down inside a user's span inside an operation, polled here or in its handle's scope.
#[track_caller]
fn check_below(mode: ContextMode, in_scope: bool, users: bool) {
    let rig = rig_with(true, |builder| builder.with_context_mode(mode));
    let tracer = SdkTracerProvider::builder().build().tracer("user");
    let mut root = rig.root("root");
    let baggage = Baggage::from_headers([&b"tenant=acme"[..]]).0;
    let session = Session::from_baggage(baggage);
    root.active().expect("recording").set_session(session);
    let ids = root.active().expect("recording").span_context();
    let handle = root.handle().expect("recording");
    let work = || {
        tracer.in_span("user's", |context| {
            let expected = if users {
                context.span().span_context().clone()
            } else {
                ids.clone()
            };
            let headers = injected().expect("something is current");
            let event = LogEvent::new("asked", Body::Empty);
            let child = rig.start("child", Parent::Current);
            child.end(Outcome::ANSWERED);
            (expected, headers, event)
        })
    };
    let (expected, headers, event) = if in_scope {
        handle.in_scope(work)
    } else {
        root.scope(work)
    };
    root.end(Outcome::ANSWERED);
    assert_eq!(
        headers["traceparent"],
        traceparent(&expected),
        "{mode:?} {in_scope}"
    );
    assert_eq!(headers["baggage"], "tenant=acme");
    assert_eq!(
        (event.trace_id, event.span_id),
        (Some(ids.trace_id()), Some(expected.span_id()))
    );
    let spans = rig.spans();
    let child = spans
        .iter()
        .find(|span| span.step() == "child")
        .expect("exported");
    assert_eq!(child.parent, Some(expected.span_id()), "as its parent is");
}

#[test]
fn what_goes_out_inside_a_users_span_is_that_spans_as_its_children_are() {
    for in_scope in [false, true] {
        check_below(ContextMode::Full, in_scope, true);
        check_below(ContextMode::IdsOnly, in_scope, true);
        // Neither sees the other.
        check_below(ContextMode::Off, in_scope, false);
    }
}

#[test]
fn what_goes_out_inside_a_users_span_carries_its_flags_and_tracestate() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let user = SpanContext::new(
        root.active().expect("recording").span_context().trace_id(),
        SpanId::from(9),
        TraceFlags::default(),
        false,
        "vendor=1".parse().expect("a tracestate"),
    );
    root.scope(|| {
        let _attached = Context::current()
            .with_remote_span_context(user.clone())
            .attach();
        let headers = injected().expect("something is current");
        assert_eq!(headers["traceparent"], traceparent(&user));
        assert_eq!(headers["tracestate"], "vendor=1");
        assert_eq!(LogEvent::new("asked", Body::Empty).trace_flags, 0);
    });
    root.end(Outcome::ANSWERED);
}

#[test]
fn a_span_that_only_opentelemetry_knows_goes_out_too() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let ids = root.active().expect("recording").span_context();
    let context = root.scope(Context::current);
    for expected in [ids, linked()] {
        let carried = context.with_remote_span_context(linked());
        let context = if expected == linked() {
            carried
        } else {
            context.clone()
        };
        let _attached = context.attach();
        assert_eq!(
            injected().expect("a span")["traceparent"],
            traceparent(&expected)
        );
        let event = LogEvent::new("asked", Body::Empty);
        assert_eq!(event.span_id, Some(expected.span_id()));
    }
    root.end(Outcome::ANSWERED);
}
