//! Whether something runs within an operation of a kind, whatever is between.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::Context;
use obs_core::otel::trace::{
    FutureExt, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId,
};
use obs_core::propagation::TraceParent;
use obs_core::{ContextMode, Descriptor, Kind, Labels, Operation, Parent, Trust, current};
use support::{Rig, SCOPE, rig_with};

/// What is watched.
static CALL: Descriptor = named("test.call");
/// What stands between.
static BETWEEN: Descriptor = named("test.between");

const fn named(name: &'static str) -> Descriptor {
    Descriptor {
        name,
        span_kind: SpanKind::Client,
        scope: &SCOPE,
        labels: &[],
        method: None,
        errors: &[],
        duration: None,
        stages: &[],
        measures: &[],
        quantities: &[],
        in_flight: None,
        span_name: |_, name| name.push_str("one"),
    }
}

/// What serves.
static SERVER: Descriptor = Descriptor {
    span_kind: SpanKind::Server,
    ..named("test.server")
};

const MODES: [ContextMode; 3] = [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off];

struct World {
    rig: Rig,
    call: &'static Kind,
    between: &'static Kind,
}

impl World {
    fn new(mode: ContextMode) -> Self {
        let rig = rig_with(true, |builder| builder.with_context_mode(mode));
        let world = Self {
            call: rig.telemetry.kind(&CALL),
            between: rig.telemetry.kind(&BETWEEN),
            rig,
        };
        world.call.watch_around();
        world
    }

    fn call(&self) -> Operation {
        self.call.start(Labels::NONE, Parent::Current)
    }

    fn between(&self) -> Operation {
        self.between.start(Labels::NONE, Parent::Current)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("a runtime")
}

fn foreign() -> SpanContext {
    let (trace, span) = (TraceId::from(7), SpanId::from(9));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, Default::default())
}

#[test]
fn however_many_are_between_it_is_around() {
    for mode in MODES {
        static OTHER: Descriptor = named("test.other");
        let world = World::new(mode);
        let other: &'static Kind = world.rig.telemetry.kind(&OTHER);
        assert!(!world.call.is_around(), "nothing is");
        let mut outer = world.between();
        outer.scope(|| {
            assert!(!world.call.is_around(), "another is");
            let mut call = world.call();
            call.scope(|| {
                assert!(world.call.is_around() && world.call.is_current());
                let mut one = world.between();
                one.scope(|| {
                    assert!(world.call.is_around() && !world.call.is_current());
                    let mut other = other.start(Labels::NONE, Parent::Current);
                    other.scope(|| assert!(world.call.is_around()));
                });
            });
            assert!(!world.call.is_around(), "it is no more");
            let mut after = world.between();
            after.scope(|| assert!(!world.call.is_around(), "nor for what comes after"));
        });
    }
}

#[test]
fn what_begins_a_trace_of_its_own_runs_within_nothing() {
    let world = World::new(ContextMode::Full);
    let mut call = world.call();
    let ids = call.active().expect("recording").span_context();
    let remote = TraceParent {
        trace_id: ids.trace_id(),
        span_id: ids.span_id(),
        flags: ids.trace_flags(),
    };
    call.scope(|| {
        for trust in [Trust::Trusted, Trust::LinkOnly] {
            let parent = Parent::Remote {
                parent: remote,
                tracestate: "",
                trust,
            };
            let mut served = world.between.start(Labels::NONE, parent);
            served.scope(|| assert!(!world.call.is_around(), "{trust:?}"));
        }
        let mut root = world.between.start(Labels::NONE, Parent::Root);
        root.scope(|| assert!(!world.call.is_around()));
        let mut linked = world.between.start(Labels::NONE, Parent::Of(&ids));
        linked.scope(|| assert!(!world.call.is_around()));
    });
}

/// By a client of the same process that sends no headers, say: its child in the trace, and yet work of its own.
#[test]
fn what_serves_a_request_runs_within_nothing() {
    for mode in MODES {
        let world = World::new(mode);
        let kind: &'static Kind = world.rig.telemetry.kind(&SERVER);
        let mut call = world.call();
        let ids = call.active().expect("recording").span_context();
        let handle = call.handle().expect("recording");
        let serve = || {
            let mut served = kind.start(Labels::NONE, Parent::Current);
            let told = served.active().expect("recording").span_context();
            assert_eq!(told.trace_id(), ids.trace_id(), "{mode:?}");
            served.scope(|| {
                assert!(!world.call.is_around(), "{mode:?}");
                let mut between = world.between();
                between.scope(|| assert!(!world.call.is_around(), "{mode:?}"));
                let mut own = world.call();
                own.scope(|| assert!(world.call.is_around(), "its own is"));
            });
        };
        call.scope(serve);
        handle.in_scope(serve);
        call.scope(|| {
            let mut between = world.between();
            between.scope(serve);
        });
    }
}

#[test]
fn it_is_around_what_was_spawned_within_it() {
    let runtime = runtime();
    for mode in MODES {
        let world = World::new(mode);
        let (call, between) = (world.call, world.between);
        let ask = move || {
            let around = call.is_around();
            let mut child = between.start(Labels::NONE, Parent::Current);
            around && child.scope(|| call.is_around())
        };
        let mut outer = world.call();
        let handle = outer.handle().expect("recording");
        let mut inner = outer.scope(|| world.between());
        let inner_handle = inner.handle().expect("recording");
        for handle in [handle, inner_handle] {
            let there = handle.clone();
            let thread = std::thread::spawn(move || there.in_scope(ask));
            assert!(thread.join().expect("no panic"), "{mode:?}");
            let inside = handle.in_scope(|| between.start(Labels::NONE, Parent::Current));
            let named = between.start(Labels::NONE, Parent::Operation(&handle));
            let child = [inside, named].map(|mut child| child.scope(|| call.is_around()));
            assert_eq!(child, [true, true], "{mode:?}");
        }
        let task = inner.scope(|| runtime.spawn(current::wrap(async move { ask() })));
        assert!(runtime.block_on(task).expect("no panic"), "{mode:?}");
        let lost = inner.scope(|| runtime.spawn(async move { ask() }));
        assert!(!runtime.block_on(lost).expect("no panic"), "{mode:?}");
    }
}

#[test]
fn it_is_around_what_carries_its_context() {
    let runtime = runtime();
    let world = World::new(ContextMode::Full);
    let (call, between) = (world.call, world.between);
    let mut outer = world.call();
    let mut inner = outer.scope(|| world.between());
    let contexts = [outer.scope(Context::current), inner.scope(Context::current)];
    for context in contexts {
        let carried = async move {
            let around = call.is_around();
            // Deeper than another that is polled.
            let mut child = between.start(Labels::NONE, Parent::Current);
            around && child.scope(|| call.is_around())
        };
        let task = runtime.spawn(carried.with_context(context.clone()));
        assert!(runtime.block_on(task).expect("no panic"));
        let mut other = world.between.start(Labels::NONE, Parent::Root);
        other.scope(|| {
            assert!(!call.is_around());
            let _carried = context.clone().attach();
            assert!(call.is_around());
        });
    }
}

#[test]
fn a_trace_of_somebody_elses_does_not_end_it() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly] {
        let world = World::new(mode);
        let mut outer = world.call();
        let handle = outer.handle().expect("recording");
        let check = || {
            let _users = Context::current()
                .with_remote_span_context(foreign())
                .attach();
            let mut child = world.between();
            let ids = child.active().expect("recording").span_context();
            assert_eq!(ids.trace_id(), foreign().trace_id());
            child.scope(|| assert!(world.call.is_around(), "{mode:?}"));
        };
        outer.scope(check);
        handle.in_scope(check);
    }
}

#[test]
fn of_whichever_telemetry_it_is() {
    let (one, other) = (World::new(ContextMode::Full), World::new(ContextMode::Off));
    let mut call = one.call();
    call.scope(|| {
        let mut between = other.between();
        between.scope(|| assert!(one.call.is_around() && other.call.is_around()));
    });
}

#[test]
fn of_what_nobody_watches_the_innermost_is_known() {
    static UNWATCHED: Descriptor = named("test.unwatched");
    let world = World::new(ContextMode::Full);
    let kind: &'static Kind = world.rig.telemetry.kind(&UNWATCHED);
    let mut outer = kind.start(Labels::NONE, Parent::Current);
    outer.scope(|| {
        assert!(kind.is_around());
        let mut between = world.between();
        between.scope(|| assert!(!kind.is_around() && !world.call.is_around()));
    });
}
