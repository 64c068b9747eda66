//! What is kept and what is dropped: head sampling, late keep, parking and its bounds.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::Context;
use obs_core::otel::trace::{FutureExt, SpanContext, SpanId, TraceFlags, TraceId};
use obs_core::propagation::TraceParent;
use obs_core::{KeepPolicy, OpRef, Operation, Outcome, Parent};
use std::time::Duration;
use support::{Rig, rig, rig_with};

const FAILED: Outcome = Outcome::failed(obs_core::ErrorType::own(0));

fn keep(change: impl FnOnce(&mut KeepPolicy)) -> KeepPolicy {
    let mut policy = KeepPolicy::default();
    change(&mut policy);
    policy
}

#[track_caller]
fn handle(operation: &mut Operation) -> OpRef {
    operation.handle().expect("a recording operation")
}

/// The names of what was exported, once everything is over and nothing is left behind.
#[track_caller]
fn check(rig: &Rig, expected: &[&str]) {
    assert_eq!(rig.exported(), expected);
    rig.assert_at_rest();
}

#[test]
fn what_the_head_samples_is_exported_and_what_it_does_not_is_dropped() {
    let sampled = rig(true);
    sampled.root("a").end(Outcome::ANSWERED);
    check(&sampled, &["a"]);

    let dropped = rig(false);
    dropped.root("a").end(Outcome::ANSWERED);
    check(&dropped, &[]);
    assert_eq!(support::points::finished(&dropped.telemetry), 1);
}

#[test]
fn every_bad_ending_is_kept_with_its_reason() {
    let rig = rig(false);
    rig.root("failed").end(FAILED);
    rig.root("panicked").end(Outcome::PANICKED);
    rig.root("timeout").end(Outcome::TIMED_OUT);
    drop(rig.root("cancelled"));
    rig.root("meant").end(Outcome::cancelled_on_purpose());
    check(
        &rig,
        &[
            "cancelled (error, partial)",
            "failed (error, partial)",
            "panicked (error, partial)",
            "timeout (error, partial)",
        ],
    );
}

#[test]
fn slow_is_decided_per_kind_and_method_at_the_end() {
    let rig = rig(false);
    rig.kind.set_slow(Some(Duration::from_millis(100)));
    assert!(
        rig.kind
            .set_method_slow("fast", Some(Duration::from_millis(10)))
    );
    let run = |step, ms| {
        let operation = rig.root(step);
        rig.advance_ms(ms);
        operation.end(Outcome::ANSWERED);
    };
    run("usual", 99);
    run("usual", 100);
    run("fast", 9);
    run("fast", 11);
    check(&rig, &["fast (slow, partial)", "usual (slow, partial)"]);
    assert!(rig.kind.set_method_slow("fast", None));
    run("fast", 99);
    check(&rig, &[]);
    rig.kind.set_slow(None);
    run("usual", 1_000_000);
    check(&rig, &[]);
}

#[test]
fn forced_is_kept_even_where_late_keep_is_off() {
    let rig = rig_with(false, |builder| {
        builder.with_keep(keep(|policy| policy.late = false))
    });
    let mut forced = rig.root("forced");
    forced.active().expect("recording").force_keep();
    forced.end(Outcome::ANSWERED);
    rig.root("failed").end(FAILED);
    check(&rig, &["forced (forced, partial)"]);
}

#[test]
fn errors_are_not_kept_where_the_policy_says_no() {
    let rig = rig_with(false, |builder| {
        builder.with_keep(keep(|policy| {
            policy.errors = false;
            policy.slow = Some(Duration::from_secs(1));
        }))
    });
    rig.root("failed").end(FAILED);
    let slow = rig.root("slow");
    rig.advance_ms(1_000);
    slow.end(FAILED);
    check(&rig, &["slow (slow, partial)"]);
}

/// A root with two finished children, one of them a grandchild.
fn with_children(rig: &Rig) -> Operation {
    let mut root = rig.root("root");
    let root_handle = handle(&mut root);
    let mut child = rig.start("child", Parent::Operation(&root_handle));
    let child_handle = handle(&mut child);
    rig.start("grandchild", Parent::Operation(&child_handle))
        .end(Outcome::ANSWERED);
    child.end(Outcome::ANSWERED);
    assert!(rig.telemetry.counts().parked_bytes > 0);
    assert_eq!(rig.exported(), [""; 0], "they wait");
    root
}

#[test]
fn children_that_waited_go_with_an_unwanted_root() {
    let rig = rig(false);
    with_children(&rig).end(Outcome::ANSWERED);
    check(&rig, &[]);
    assert_eq!(rig.telemetry.counts().keep_dropped, 2);
}

#[test]
fn children_that_waited_are_exported_with_a_kept_root() {
    let rig = rig(false);
    with_children(&rig).end(FAILED);
    let spans = rig.spans();
    let by_step = |step: &str| {
        spans
            .iter()
            .find(|span| span.step() == step)
            .unwrap_or_else(|| panic!("no {step} in {spans:#?}"))
    };
    let (root, child, grandchild) = (by_step("root"), by_step("child"), by_step("grandchild"));
    assert_eq!(
        [root.reason, child.reason, grandchild.reason],
        [Some("error"), Some("trace"), Some("trace")]
    );
    assert!(root.is_partial() && !child.is_partial() && !grandchild.is_partial());
    assert_eq!(
        [root.parent, child.parent, grandchild.parent],
        [None, Some(root.span_id), Some(child.span_id)]
    );
    assert!(spans.iter().all(|span| span.trace_id == root.trace_id));
    check(&rig, &[]);
}

#[test]
fn a_childs_error_takes_its_whole_trace_along() {
    let rig = rig(false);
    let mut root = with_children(&rig);
    let root_handle = handle(&mut root);
    rig.start("bad", Parent::Operation(&root_handle))
        .end(FAILED);
    assert_eq!(
        rig.exported(),
        ["bad (error)", "child (trace)", "grandchild (trace)"],
        "decided now, not when the root ends"
    );
    rig.start("later", Parent::Operation(&root_handle))
        .end(Outcome::ANSWERED);
    root.end(Outcome::ANSWERED);
    check(&rig, &["later (trace)", "root (trace, partial)"]);
}

#[test]
fn a_child_that_outlives_its_root_reads_the_verdict() {
    let rig = rig(false);
    let run = |outcome, child_outcome| {
        let mut root = rig.root("root");
        let root_handle = handle(&mut root);
        let mut child = rig.start("child", Parent::Operation(&root_handle));
        let child_handle = handle(&mut child);
        root.end(outcome);
        rig.start("grandchild", Parent::Operation(&child_handle))
            .end(Outcome::ANSWERED);
        rig.start("late", Parent::Operation(&root_handle))
            .end(Outcome::ANSWERED);
        child.end(child_outcome);
    };
    run(FAILED, Outcome::ANSWERED);
    check(
        &rig,
        &[
            "child (trace)",
            "grandchild (trace)",
            "late (trace)",
            "root (error, partial)",
        ],
    );
    run(Outcome::ANSWERED, Outcome::ANSWERED);
    check(&rig, &[]);
    run(Outcome::ANSWERED, FAILED);
    check(&rig, &["child (error, partial)"]);
}

#[test]
fn children_on_other_threads_wait_for_the_same_root() {
    for (outcome, expected) in [(Outcome::ANSWERED, 0), (FAILED, 1 + 4 * 8)] {
        let rig = rig(false);
        let mut root = rig.root("root");
        let root_handle = handle(&mut root);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..8 {
                        rig.start("child", Parent::Operation(&root_handle))
                            .end(Outcome::ANSWERED);
                    }
                });
            }
        });
        assert_eq!(rig.exported().len(), 0);
        root.end(outcome);
        assert_eq!(rig.exported().len(), expected);
        rig.assert_at_rest();
    }
}

#[test]
fn a_root_that_ends_while_its_children_do_loses_none_and_leaks_none() {
    let rig = rig(false);
    for round in 0..200 {
        let keep = round % 2 == 0;
        let mut root = rig.root("root");
        let root_handle = handle(&mut root);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..4 {
                        rig.start("child", Parent::Operation(&root_handle))
                            .end(Outcome::ANSWERED);
                    }
                });
            }
            scope.spawn(move || root.end(if keep { FAILED } else { Outcome::ANSWERED }));
        });
        assert_eq!(rig.exported().len(), if keep { 9 } else { 0 });
        rig.assert_at_rest();
    }
}

#[test]
fn a_family_is_capped_and_says_so() {
    let rig = rig_with(false, |builder| {
        builder.with_keep(keep(|policy| policy.parked_children = 3))
    });
    let mut root = rig.root("root");
    let root_handle = handle(&mut root);
    for _ in 0..5 {
        rig.start("child", Parent::Operation(&root_handle))
            .end(Outcome::ANSWERED);
    }
    assert_eq!(rig.telemetry.counts().keep_truncated, 2);
    root.end(FAILED);
    let spans = rig.spans();
    assert_eq!(spans.len(), 4);
    let truncated: Vec<_> = spans
        .iter()
        .filter_map(|span| Some((span.step(), span.attribute("obs.keep.truncated")?)))
        .collect();
    assert_eq!(truncated, [("root", &2_i64.into())]);
    rig.assert_at_rest();
}

/// Three undecided roots, one after the other, with a child each; what is left of the children when all are kept.
fn children_left(cap: usize) -> (u64, Vec<String>, usize) {
    let rig = rig_with(false, |builder| {
        builder.with_keep(keep(|policy| policy.parked_bytes = cap))
    });
    let mut running = Vec::new();
    for index in 0..3 {
        let mut root = rig.root(&format!("root{index}"));
        rig.advance_ms(1);
        let root_handle = handle(&mut root);
        rig.start(&format!("child{index}"), Parent::Operation(&root_handle))
            .end(Outcome::ANSWERED);
        running.push(root);
    }
    let counts = rig.telemetry.counts();
    running.drain(..).for_each(|root| root.end(FAILED));
    let mut children = rig.exported();
    children.retain(|name| name.starts_with("child"));
    rig.assert_at_rest();
    (
        counts.keep_truncated,
        children,
        counts.parked_bytes as usize,
    )
}

#[test]
fn over_all_families_the_oldest_undecided_root_is_shed_first() {
    let (truncated, children, bytes) = children_left(1 << 30);
    assert_eq!(truncated, 0);
    assert_eq!(
        children,
        ["child0 (trace)", "child1 (trace)", "child2 (trace)"]
    );
    // Room for two and a half: the third makes the oldest go.
    let cap = bytes * 5 / 6;
    let (truncated, children, bytes) = children_left(cap);
    assert_eq!(truncated, 1);
    assert_eq!(children, ["child1 (trace)", "child2 (trace)"]);
    assert!(bytes <= cap);
}

#[test]
fn a_root_open_for_long_holds_nobody_back() {
    let rig = rig_with(false, |builder| {
        builder.with_keep(keep(|policy| policy.patience = Duration::from_secs(30)))
    });
    let mut root = rig.root("root");
    let root_handle = handle(&mut root);
    let child = |step, outcome| {
        rig.start(step, Parent::Operation(&root_handle))
            .end(outcome);
    };
    child("early", Outcome::ANSWERED);
    rig.advance_ms(31_000);
    assert_eq!(rig.exported(), [""; 0]);
    assert_eq!(
        rig.telemetry.counts().parked_bytes,
        0,
        "the early one was let go"
    );
    child("overdue", Outcome::ANSWERED);
    assert_eq!(
        rig.telemetry.counts().parked_bytes,
        0,
        "decided by its own outcome"
    );
    assert_eq!(rig.telemetry.counts().keep_truncated, 2);
    child("bad", FAILED);
    child("after", Outcome::ANSWERED);
    root.end(Outcome::ANSWERED);
    check(
        &rig,
        &["after (trace)", "bad (error)", "root (trace, partial)"],
    );
}

#[test]
fn late_keep_never_alters_what_is_propagated() {
    let rig = rig(false);
    let mut root = rig.root("root");
    let before = root.active().expect("recording").trace_parent();
    let root_handle = handle(&mut root);
    rig.start("bad", Parent::Operation(&root_handle))
        .end(FAILED);
    let after = root.active().expect("recording").trace_parent();
    let ids = |parent: &TraceParent| (parent.trace_id, parent.span_id, parent.flags);
    assert_eq!(ids(&before), ids(&after));
    assert!(!after.flags.is_sampled());
    let mut child = rig.start("child", Parent::Operation(&root_handle));
    assert!(
        !child
            .active()
            .expect("recording")
            .trace_parent()
            .flags
            .is_sampled()
    );
    child.end(Outcome::ANSWERED);
    root.end(Outcome::ANSWERED);
    let spans = rig.spans();
    assert_eq!(spans.len(), 3);
    for span in spans {
        assert!(!span.flags.is_sampled(), "{span:?}");
        assert!(!span.state.contains("th:"), "{span:?}");
    }
    rig.assert_at_rest();
}

#[test]
fn a_parent_elsewhere_decides_the_head() {
    let parent = |flags| {
        SpanContext::new(
            TraceId::from(7),
            SpanId::from(9),
            flags,
            true,
            Default::default(),
        )
    };
    for sampled in [true, false] {
        let rig = rig(!sampled);
        let flags = if sampled {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::default()
        };
        let mut local_root = rig.start("local", Parent::Of(&parent(flags)));
        let local = handle(&mut local_root);
        rig.start("child", Parent::Operation(&local))
            .end(Outcome::ANSWERED);
        local_root.end(Outcome::ANSWERED);
        let spans = rig.spans();
        assert_eq!(spans.len(), if sampled { 2 } else { 0 });
        for span in &spans {
            assert_eq!(span.trace_id, TraceId::from(7));
            assert_eq!(span.remote, span.step() == "local");
        }
        rig.assert_at_rest();
    }
}

#[test]
fn a_sampled_trace_parks_nothing() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let root_handle = handle(&mut root);
    rig.start("child", Parent::Operation(&root_handle))
        .end(FAILED);
    check_running(&rig, &["child"]);
    root.end(FAILED);
    check(&rig, &["root"]);
}

#[track_caller]
fn check_running(rig: &Rig, expected: &[&str]) {
    assert_eq!(rig.exported(), expected);
    assert_eq!(rig.telemetry.counts().parked_bytes, 0);
}

#[test]
fn a_task_that_carries_only_the_context_reads_the_verdict_of_a_root_that_is_over() {
    // Nobody asked the root for a handle: the verdict must be found through the attached context alone.
    for (outcome, expected) in [
        (FAILED, &["late (trace)", "root (error, partial)"][..]),
        (Outcome::ANSWERED, &[]),
    ] {
        let rig = rig(false);
        let mut root = rig.root("root");
        let context = root.scope(Context::current);
        root.end(outcome);
        {
            let _attached = context.attach();
            rig.start("late", Parent::Current).end(Outcome::ANSWERED);
        }
        check(&rig, expected);
    }
}

#[test]
fn a_pooled_family_starts_anew() {
    let rig = rig(false);
    for round in 0..20 {
        let outcome = if round % 2 == 0 {
            FAILED
        } else {
            Outcome::ANSWERED
        };
        let mut root = rig.root("root");
        let child = root.scope(|| rig.start("child", Parent::Current));
        child.end(Outcome::ANSWERED);
        root.end(outcome);
        assert_eq!(
            rig.exported().len(),
            if round % 2 == 0 { 2 } else { 0 },
            "round {round}"
        );
        rig.assert_at_rest();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opentelemetrys_own_way_to_carry_a_context_carries_the_family() {
    let rig = rig(false);
    let mut root = rig.root("root");
    let context = root.scope(Context::current);
    let (kind, labels) = (rig.kind, rig.labels("child"));
    let child = async move { kind.start(labels, Parent::Current).end(Outcome::TIMED_OUT) };
    tokio::spawn(child.with_context(context))
        .await
        .expect("no panic");
    root.end(Outcome::ANSWERED);
    assert_eq!(rig.exported(), ["child (error)", "root (trace, partial)"]);
    rig.assert_at_rest();
}
