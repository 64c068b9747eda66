//! Our operations, spans of the OpenTelemetry SDK and `tracing` spans in each other, on the same task and across
//! `spawn`, `spawn_blocking` and threads: one trace, whoever records.

use crate::node::{Node, Place, Who, World};
use crate::support::{self, rig, rig_with};
use obs_core::otel::trace::{
    FutureExt, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, Tracer,
};
use obs_core::otel::{Context, KeyValue};
use obs_core::{ContextMode, Outcome, Parent, Session, current};

const ALL: [Who; 3] = [Who::Ours, Who::Sdk, Who::Tracing];
const PLACES: [Place; 5] = [
    Place::SameTask,
    Place::Spawn,
    Place::SpawnCurrent,
    Place::SpawnBlocking,
    Place::Thread,
];

/// `child` inside `parent`: both exported, in one trace, the one below the other, neither remote.
#[track_caller]
fn check(parent: Who, child: Who, place: Place, activation: bool) {
    let world = World::new(activation);
    world.subscribed(|| check_in(&world, parent, child, place, activation));
}

#[track_caller]
fn check_in(world: &World, parent: Who, child: Who, place: Place, activation: bool) {
    let case = format!("{child:?} in {parent:?}, {place:?}, activation {activation}");
    let mut outer = world.open(parent);
    let inner = outer.run_inside(world, place, child, move |world| {
        let node = world.open(child);
        let ids = node.ids();
        node.close();
        ids
    });
    let above = outer.ids();
    outer.close();
    let spans = world.exported();
    assert_eq!(spans.len(), 2, "{case}: {spans:#?}");
    assert_eq!(inner.trace_id(), above.trace_id(), "{case}: one trace");
    let of = |ids: &SpanContext| {
        spans
            .iter()
            .find(|span| span.span_id == ids.span_id())
            .unwrap_or_else(|| panic!("{case}: no {ids:?} in {spans:#?}"))
    };
    let (above, below) = (of(&above), of(&inner));
    assert_eq!(
        (above.who, below.who),
        (parent.recorder(), child.recorder()),
        "{case}"
    );
    assert_eq!(below.parent, Some(above.span_id), "{case}");
    assert_eq!(above.parent, None, "{case}");
    assert!(!below.remote && !above.remote, "{case}: {spans:#?}");
}

#[test]
fn whoever_is_inside_whom_wherever_it_is_one_trace() {
    for parent in ALL {
        for child in ALL {
            for place in PLACES {
                for activation in [true, false] {
                    check(parent, child, place, activation);
                }
            }
        }
    }
}

#[test]
fn what_is_ours_nests_wherever_it_is_whatever_opentelemetry_sees() {
    for mode in [ContextMode::IdsOnly, ContextMode::Off] {
        for place in PLACES {
            let world = World::with_mode(true, mode);
            world.subscribed(|| check_in(&world, Who::Ours, Who::Ours, place, true));
        }
    }
}

/// Each opened inside the one before it, on one task.
#[track_caller]
fn check_chain(chain: &[Who]) {
    fn descend(world: &World, chain: &[Who], ids: &mut Vec<SpanContext>) {
        let [who, rest @ ..] = chain else { return };
        let mut node = world.open(*who);
        ids.push(node.ids());
        node.enter(|| descend(world, rest, ids));
        node.close();
    }
    let world = World::new(true);
    let mut ids = Vec::new();
    world.subscribed(|| descend(&world, chain, &mut ids));
    let spans = world.exported();
    assert_eq!(spans.len(), chain.len());
    for (index, ids_of) in ids.iter().enumerate() {
        let span = spans
            .iter()
            .find(|span| span.span_id == ids_of.span_id())
            .unwrap_or_else(|| panic!("{chain:?}: {index} is missing in {spans:#?}"));
        let above = index.checked_sub(1).map(|index| ids[index].span_id());
        assert_eq!(span.parent, above, "{chain:?} at {index}");
        assert_eq!(span.trace_id, ids[0].trace_id(), "{chain:?} at {index}");
    }
}

#[test]
fn chains_of_them_keep_their_order() {
    use Who::{Ours, Sdk, Tracing};
    check_chain(&[Ours, Ours, Ours]);
    check_chain(&[Ours, Sdk, Tracing, Ours, Tracing, Sdk, Ours]);
    check_chain(&[Sdk, Ours, Sdk, Ours]);
    check_chain(&[Tracing, Ours, Ours, Tracing, Tracing, Ours]);
}

#[test]
fn without_activation_a_tracing_span_is_unseen_but_never_mistaken() {
    // Nothing in OpenTelemetry's context tells of the span; what is current there is the parent.
    let world = World::new(false);
    let mut outer = world.open(Who::Ours);
    let outer_ids = outer.ids();
    world.subscribed(|| {
        outer.enter(|| {
            let mut span = world.open(Who::Tracing);
            span.enter(|| world.open(Who::Ours).close());
            span.close();
        });
    });
    outer.close();
    let spans = world.exported();
    let below = spans
        .iter()
        .filter(|span| span.parent == Some(outer_ids.span_id()))
        .count();
    assert_eq!((spans.len(), below), (3, 2), "{spans:#?}");
}

fn linked() -> SpanContext {
    SpanContext::new(
        TraceId::from(7),
        SpanId::from(9),
        TraceFlags::SAMPLED,
        true,
        Default::default(),
    )
}

#[test]
fn what_user_code_sets_on_the_current_span_arrives() {
    let rig = rig(true);
    let mut operation = rig.root("w");
    operation.set(support::CHUNKS, 1_i64);
    operation.scope(|| {
        let context = Context::current();
        let span = context.span();
        assert!(span.is_recording());
        span.set_attribute(KeyValue::new("user.key", "before"));
        span.set_attribute(KeyValue::new("user.key", "after"));
        span.set_attribute(KeyValue::new("test.chunks", 2_i64));
        span.add_event("user event", vec![KeyValue::new("n", 3_i64)]);
        span.add_link(linked(), vec![KeyValue::new("why", "because")]);
        span.set_status(Status::error("user says so"));
        span.update_name("user's name");
        span.record_error(&std::io::Error::other("disk on fire"));
    });
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    assert_eq!(span.name, "user's name");
    assert_eq!(span.attribute("user.key"), Some(&"after".into()));
    assert_eq!(span.attribute("test.chunks"), Some(&2_i64.into()));
    assert_eq!(span.status, Status::error("user says so"));
    let names: Vec<_> = span.events.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["user event", "exception"]);
    assert_eq!(span.events[0].2, [KeyValue::new("n", 3_i64)]);
    assert_eq!(
        span.links,
        [(linked(), vec![KeyValue::new("why", "because")])]
    );
}

#[test]
fn the_end_of_an_operation_is_its_owners_and_others_are_counted() {
    let rig = rig(true);
    let mut operation = rig.root("w");
    operation.scope(|| {
        Context::current().span().end();
        Context::current()
            .span()
            .set_attribute(KeyValue::new("after", true));
    });
    assert_eq!(rig.telemetry.counts().foreign_ends, 1);
    assert_eq!(rig.exported(), [""; 0], "it still runs");
    rig.advance_ms(5);
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    assert_eq!(span.attribute("after"), Some(&true.into()));
    assert_eq!(span.end - span.start, 5_000_000);
    assert_eq!(
        rig.telemetry.counts().foreign_ends,
        1,
        "nobody else ended it"
    );
}

#[test]
fn calls_after_the_end_are_counted_and_change_nothing() {
    let rig = rig(true);
    let mut operation = rig.root("w");
    let handle = operation.handle().expect("recording");
    let context = operation.scope(Context::current);
    operation.end(Outcome::ANSWERED);
    assert!(!handle.is_running() && !context.span().is_recording());
    handle.set_attribute(KeyValue::new("late", 1_i64));
    handle.add_event("late", Vec::new());
    handle.add_link(linked(), Vec::new());
    context.span().set_attribute(KeyValue::new("late", 2_i64));
    context.span().update_name("late");
    assert_eq!(rig.telemetry.counts().late_calls, 5);
    let span = rig.span();
    assert_eq!((span.step(), span.attribute("late")), ("w", None));
    // The next operation of the pooled record starts clean although the old one is still held.
    let mut next = rig.root("next");
    let next_handle = next.handle().expect("recording");
    assert_ne!(next_handle.span_context(), handle.span_context());
    handle.set_attribute(KeyValue::new("late", 3_i64));
    next_handle.set_attribute(KeyValue::new("fine", 4_i64));
    next.end(Outcome::ANSWERED);
    let span = rig.span();
    assert_eq!(
        (span.attribute("late"), span.attribute("fine")),
        (None, Some(&4_i64.into()))
    );
    assert_eq!(rig.telemetry.counts().late_calls, 6);
}

#[test]
fn a_handle_writes_from_other_threads() {
    let rig = rig(true);
    let mut operation = rig.root("w");
    let handle = operation.handle().expect("recording");
    std::thread::scope(|scope| {
        for thread in 0..4_i64 {
            let handle = handle.clone();
            scope.spawn(move || handle.set_attribute(KeyValue::new(format!("t{thread}"), thread)));
        }
    });
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    for thread in 0..4_i64 {
        assert_eq!(span.attribute(&format!("t{thread}")), Some(&thread.into()));
    }
}

#[test]
fn a_session_set_after_the_handle_was_made_reaches_its_children() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    root.active()
        .expect("recording")
        .set_session(Session::new("s-1"));
    rig.start("child", Parent::Operation(&handle))
        .end(Outcome::ANSWERED);
    handle.in_scope(|| rig.start("child", Parent::Current).end(Outcome::ANSWERED));
    assert_eq!(handle.session().as_deref(), Some(&Session::new("s-1")));
    root.end(Outcome::ANSWERED);
    for span in rig.spans() {
        assert_eq!(
            span.attribute("session.id"),
            Some(&"s-1".into()),
            "{}",
            span.name
        );
    }
}

#[test]
fn a_handles_scope_inside_another_operation_of_its_trace_is_the_handles() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let root_handle = root.handle().expect("recording");
    let mut sibling = rig.start("sibling", Parent::Operation(&root_handle));
    sibling
        .active()
        .expect("recording")
        .set_session(Session::new("sibling's"));
    let handle = sibling.handle().expect("recording");
    root.scope(|| handle.in_scope(|| rig.start("child", Parent::Current).end(Outcome::ANSWERED)));
    let child = rig.span();
    assert_eq!(child.parent, Some(handle.span_context().span_id()));
    assert_eq!(child.session, Some(Session::new("sibling's")));
    sibling.end(Outcome::ANSWERED);
    root.end(Outcome::ANSWERED);
}

#[test]
fn deep_code_reaches_the_operation_that_is_current() {
    let rig = rig(true);
    let mut outer = rig.root("outer");
    outer.scope(|| {
        current::set(support::CHUNKS, 1_i64);
        let mut inner = rig.start("inner", Parent::Current);
        inner.scope(|| current::set(support::CHUNKS, 2_i64));
        inner.end(Outcome::ANSWERED);
        current::set_static(obs_core::Key::new(&"where"), "outer again");
    });
    current::set(support::CHUNKS, 3_i64);
    outer.end(Outcome::ANSWERED);
    let spans = rig.spans();
    let chunks = |step: &str| {
        let span = spans.iter().find(|span| span.step() == step);
        span.and_then(|span| span.attribute("test.chunks").cloned())
    };
    assert_eq!(
        (chunks("outer"), chunks("inner")),
        (Some(1_i64.into()), Some(2_i64.into()))
    );
    assert!(current::handle().is_none());
}

#[test]
fn a_panic_inside_leaves_nothing_current_and_ends_as_one() {
    let rig = rig(true);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut outer = rig.root("outer");
        outer.scope(|| {
            let mut inner = rig.start("inner", Parent::Current);
            inner.scope(|| panic!("on purpose"));
        });
    }));
    assert!(caught.is_err());
    assert!(current::handle().is_none());
    assert!(!Context::current().has_active_span());
    let spans = rig.spans();
    assert_eq!(spans.len(), 2);
    assert!(
        spans.iter().all(|span| span.outcome == Outcome::PANICKED),
        "{spans:#?}"
    );
    // Caught below the scope: the operation itself went on and was answered.
    let mut operation = rig.root("w");
    operation.scope(|| drop(std::panic::catch_unwind(|| panic!("on purpose"))));
    operation.end(Outcome::ANSWERED);
    assert_eq!(rig.span().outcome, Outcome::ANSWERED);
    rig.assert_at_rest();
}

#[test]
fn ids_only_shows_the_ids_and_nothing_else() {
    let rig = rig_with(true, |builder| {
        builder.with_context_mode(ContextMode::IdsOnly)
    });
    let mut operation = rig.root("w");
    let ids = operation.active().expect("recording").span_context();
    operation.scope(|| {
        let context = Context::current();
        assert_eq!(context.span().span_context().span_id(), ids.span_id());
        assert_eq!(context.span().span_context().trace_id(), ids.trace_id());
        assert!(!context.span().is_recording());
        context
            .span()
            .set_attribute(KeyValue::new("user.key", true));
        rig.start("child", Parent::Current).end(Outcome::ANSWERED);
    });
    operation.end(Outcome::ANSWERED);
    let spans = rig.spans();
    assert_eq!(spans.len(), 2);
    assert!(
        spans
            .iter()
            .all(|span| span.attribute("user.key").is_none())
    );
    let child = spans
        .iter()
        .find(|span| span.step() == "child")
        .expect("the child");
    assert_eq!((child.parent, child.remote), (Some(ids.span_id()), false));
}

#[test]
fn off_shows_nothing_and_our_own_children_still_nest() {
    let rig = rig_with(true, |builder| builder.with_context_mode(ContextMode::Off));
    let mut operation = rig.root("w");
    operation.scope(|| {
        assert!(!Context::current().has_active_span());
        rig.start("child", Parent::Current).end(Outcome::ANSWERED);
    });
    operation.end(Outcome::ANSWERED);
    let spans = rig.spans();
    let of = |step: &str| {
        spans
            .iter()
            .find(|span| span.step() == step)
            .expect("exported")
    };
    assert_eq!(of("child").parent, Some(of("w").span_id));
}

#[tokio::test]
async fn tracings_extension_trait_in_scope_does_not_shadow_ours() {
    // Implemented for every value, it hides any method of this name that takes `&self`.
    #[allow(unused_imports, reason = "it is here to be in the way")]
    use tracing::Instrument;
    let world = World::new(true);
    let mut operation = world.rig.root("w");
    let handle = operation.handle().expect("recording");
    let child = |step: &'static str| {
        let (kind, labels) = (world.rig.kind, world.rig.labels(step));
        async move { kind.start(labels, Parent::Current).end(Outcome::ANSWERED) }
    };
    tokio::spawn(handle.wrap(child("by handle")))
        .await
        .expect("no panic");
    let current = operation.scope(|| current::wrap(child("by current")));
    tokio::spawn(current).await.expect("no panic");
    let own = async { Some(current::handle()?.span_context().span_id()) };
    let own = operation.instrument(own, |_| Outcome::ANSWERED).await;
    assert_eq!(Some(handle.span_context().span_id()), own);
    let spans = world.exported();
    let children = spans.iter().filter(|span| span.parent == own);
    assert_eq!(children.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instrumented_future_is_current_in_each_poll_on_whatever_thread() {
    let world = World::new(true);
    let operation = world.rig.root("w");
    let rig = &world.rig;
    let (kind, labels, tracer) = (rig.kind, rig.labels("child"), world.tracer.clone());
    let work = async move {
        for _ in 0..20 {
            tokio::task::yield_now().await;
            kind.start(labels, Parent::Current).end(Outcome::ANSWERED);
            tracer.in_span("sdk", |_| ());
            current::with(|active| active.set_measure(0, 20));
        }
    };
    tokio::spawn(operation.instrument(work, |()| Outcome::ANSWERED))
        .await
        .expect("no panic");
    let spans = world.exported();
    assert_eq!(spans.len(), 41);
    let root = spans
        .iter()
        .find(|span| span.parent.is_none())
        .expect("the root");
    let below = |who| {
        spans
            .iter()
            .filter(|span| span.who == who && span.parent == Some(root.span_id))
            .count()
    };
    assert_eq!((below("ours"), below("sdk")), (20, 20));
}

/// Panicked, foreseen as an error, late, foreseen, cancelled: the first that is so.
#[test]
fn what_being_dropped_means_can_be_foreseen() {
    let enough = Outcome::cancelled_on_purpose();
    let busy = Outcome::failed(obs_core::ErrorType::code(503));
    for (foreseen, late, expect) in [
        (None, false, Outcome::CANCELLED),
        (None, true, Outcome::TIMED_OUT),
        (Some(enough), false, enough),
        (Some(enough), true, Outcome::TIMED_OUT),
        (Some(busy), false, busy),
        (Some(busy), true, busy),
    ] {
        let rig = rig(true);
        let mut operation = rig.root("dropped");
        let mut active = operation.active().expect("it records");
        active.set_deadline(std::time::Duration::from_secs(1));
        if let Some(foreseen) = foreseen {
            active.set_dropped(foreseen);
        }
        if late {
            rig.clock.advance(std::time::Duration::from_secs(2));
        }
        drop(operation);
        // The next of the same pooled record knows nothing of it.
        drop(rig.root("next"));
        let outcomes: Vec<_> = rig.spans().iter().map(|span| span.outcome).collect();
        assert_eq!(
            outcomes,
            [expect, Outcome::CANCELLED],
            "{foreseen:?} {late}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_future_dropped_midway_is_cancelled_and_one_that_panics_panicked() {
    let rig = rig(true);
    let never = rig
        .root("never")
        .instrument(std::future::pending::<()>(), |()| Outcome::ANSWERED);
    let task = tokio::spawn(never);
    task.abort();
    assert!(task.await.expect_err("aborted").is_cancelled());
    let panics = async { panic!("on purpose") };
    let panics = rig
        .root("panics")
        .instrument(panics, |()| Outcome::ANSWERED);
    assert!(
        tokio::spawn(panics)
            .await
            .expect_err("it panicked")
            .is_panic()
    );
    let mut outcomes: Vec<_> = rig
        .spans()
        .into_iter()
        .map(|span| (span.step().to_owned(), span.outcome))
        .collect();
    outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        outcomes,
        [
            ("never".to_owned(), Outcome::CANCELLED),
            ("panics".to_owned(), Outcome::PANICKED)
        ]
    );
    rig.assert_at_rest();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opentelemetrys_own_way_to_carry_a_context_carries_the_operation() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let context = root.scope(Context::current);
    let (kind, labels) = (rig.kind, rig.labels("child"));
    let child = async move { kind.start(labels, Parent::Current).end(Outcome::TIMED_OUT) };
    tokio::spawn(child.with_context(context))
        .await
        .expect("no panic");
    root.end(Outcome::ANSWERED);
    let spans = rig.spans();
    let of = |step| spans.iter().find(|span| span.step() == step).expect(step);
    assert_eq!(of("child").parent, Some(of("root").span_id));
    assert_eq!(of("child").trace_id, of("root").trace_id);
    rig.assert_at_rest();
}

#[test]
fn a_node_closes_without_being_entered() {
    for who in ALL {
        let world = World::new(true);
        world.subscribed(|| Node::close(world.open(who)));
        assert_eq!(world.exported().len(), 1, "{who:?}");
    }
}
