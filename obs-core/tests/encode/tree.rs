//! What an operation looks like on a console.

use crate::support::*;
use obs_core::encode::TraceTree;
use obs_core::otel::KeyValue;
use obs_core::otel::trace::{SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId};
use obs_core::propagation::TraceParent;
use obs_core::sampling::HeadSampler;
use obs_core::trust::Trust;
use obs_core::{
    Clock, ErrorType, Event, Key, LabelId, Labels, ManualClock, Outcome, Parent, Records, Session,
    StatsLevel, Subscriber, Telemetry,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Collect(Arc<Mutex<TraceTree>>);

impl Subscriber for Collect {
    fn on_records(&mut self, records: Records<'_>) {
        let mut tree = self.0.lock().unwrap();
        records.iter().for_each(|record| tree.add(&record));
    }
}

/// Runs `work` and compares its tree, without the common indentation.
#[track_caller]
fn check(
    sampler: HeadSampler,
    tree: TraceTree,
    work: impl FnOnce(Telemetry, &ManualClock),
    expect: &str,
) {
    let clock = ManualClock::new();
    let tree = Arc::new(Mutex::new(tree));
    let telemetry = Telemetry::builder()
        .manual()
        .with_clock(Clock::manual(&clock))
        .with_sampler(sampler)
        .with_subscriber(Collect(tree.clone()))
        .build()
        .expect("valid settings");
    work(telemetry, &clock);
    telemetry.collect(Duration::from_secs(1)).unwrap();
    let expect = expect.trim_matches('\n');
    let indent = expect.len() - expect.trim_start().len();
    let expect: String = expect
        .lines()
        .map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n")
        .collect();
    assert_eq!(
        tree.lock().unwrap().to_string(),
        expect.trim_end().to_owned() + "\n"
    );
}

const GET: Labels = Labels::NONE.with(0, LabelId::closed(0));

#[test]
fn children_stand_below_their_parents_by_start_however_they_ended() {
    let work = |telemetry: Telemetry, clock: &ManualClock| {
        let (server, internal) = (telemetry.kind(&SERVER), telemetry.kind(&INTERNAL));
        internal.set_level(StatsLevel::Detailed);
        let start = || internal.start(Labels::NONE, Parent::Current);
        let mut root = server.start(GET, Parent::Root);
        root.active().unwrap().set_label_text(1, "/chat");
        clock.advance(Duration::from_millis(1));
        let mut first = root.scope(start);
        first.active().unwrap().set_name("first");
        clock.advance(Duration::from_micros(1_500));
        first.stamp(Event::WRITE_START);
        let tokens = vec![KeyValue::new("tokens", 3_i64)];
        first.active().unwrap().add_event("chunk", tokens);
        let mut second = root.scope(start);
        let mut third = second.scope(start);
        third.active().unwrap().set_name("third");
        drop(third);
        second.end(Outcome::ANSWERED);
        clock.advance(Duration::from_millis(10));
        first.end(Outcome::ANSWERED);
        root.end(Outcome::failed(ErrorType::code(503)));
    };
    check(
        HeadSampler::always_on(),
        TraceTree::new(),
        work,
        "
        trace 1
          GET /chat [server] 12.5ms failed error.type=503
            first [internal] 11.5ms
              * write_start +1.5ms
              * chunk +1.5ms tokens=3
            internal [internal] 0ns
              third [internal] 0ns cancelled
        ",
    );
}

#[test]
fn what_was_kept_against_the_head_decision_says_why() {
    let work = |telemetry: Telemetry, clock: &ManualClock| {
        let internal = telemetry.kind(&INTERNAL);
        let mut root = internal.start(Labels::NONE, Parent::Root);
        root.scope(|| internal.start(Labels::NONE, Parent::Current))
            .end(Outcome::ANSWERED);
        root.active().unwrap().force_keep();
        clock.advance(Duration::from_secs(75));
        root.end(Outcome::ANSWERED);
    };
    check(
        HeadSampler::always_off(),
        TraceTree::new(),
        work,
        "
        trace 1
          internal [internal] 75s, kept: forced, partial
            internal [internal] 0ns, kept: trace
        ",
    );
}

#[test]
fn parents_elsewhere_and_parents_that_are_missing_are_told_apart() {
    let work = |telemetry: Telemetry, clock: &ManualClock| {
        let internal = telemetry.kind(&INTERNAL);
        let (trace_id, span_id) = (TraceId::from(7), SpanId::from(9));
        let sampled = TraceFlags::SAMPLED;
        let remote = Parent::Remote {
            parent: TraceParent {
                trace_id,
                span_id,
                flags: sampled,
            },
            tracestate: "",
            trust: Trust::Trusted,
        };
        internal.start(Labels::NONE, remote).end(Outcome::ANSWERED);
        clock.advance(Duration::from_millis(1));
        let local = SpanContext::new(trace_id, span_id, sampled, false, Default::default());
        let mut orphan = internal.start(Labels::NONE, Parent::Of(&local));
        orphan
            .scope(|| internal.start(Labels::NONE, Parent::Current))
            .end(Outcome::TIMED_OUT);
        orphan.end(Outcome::PANICKED);
        clock.advance(Duration::from_millis(1));
        internal
            .start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
    };
    check(
        HeadSampler::always_on(),
        TraceTree::new(),
        work,
        "
        trace 1
          internal [internal] 0ns, remote parent
          (parent not here)
            internal [internal] 0ns panicked
              internal [internal] 0ns timed out
        trace 2
          internal [internal] 0ns
        ",
    );
}

#[test]
fn attributes_are_shown_if_asked_for_and_nothing_from_outside_reaches_the_terminal_raw() {
    let work = |telemetry: Telemetry, _: &ManualClock| {
        let mut operation = telemetry.kind(&SERVER).start(GET, Parent::Root);
        operation.set(Key::new(&"note"), "a\u{1b}[31mb\nc");
        operation.set(Key::new(&"long"), "y".repeat(500).as_str());
        let mut active = operation.active().unwrap();
        active.set_session(Session::new("s-1"));
        active.set_name("evil\u{7}");
        operation.scope(|| {
            let status = Status::error("went\nwrong");
            obs_core::otel::Context::current().span().set_status(status);
        });
        operation.end(Outcome::ANSWERED);
    };
    check(
        HeadSampler::always_on(),
        TraceTree::new().with_attributes(true),
        work,
        &format!(
            "
        trace 1
          evil\\u{{7}} [server] 0ns error \"went\\nwrong\"
            - long: {}…
            - note: a\\u{{1b}}[31mb\\nc
            - session.id: s-1
            - test.method: GET
        ",
            "y".repeat(200)
        ),
    );
}

/// A chain of calls may be longer than the stack is deep.
#[test]
fn a_chain_of_thousands_is_rendered() {
    let clock = ManualClock::new();
    let tree = Arc::new(Mutex::new(TraceTree::new()));
    let telemetry = Telemetry::builder()
        .manual()
        .with_clock(Clock::manual(&clock))
        .with_sampler(HeadSampler::always_on())
        .with_subscriber(Collect(tree.clone()))
        .build()
        .expect("valid settings");
    let kind = telemetry.kind(&INTERNAL);
    let mut parent = kind.start(Labels::NONE, Parent::Root);
    let chain = 20_000;
    for _ in 1..chain {
        let child = kind.start(
            Labels::NONE,
            Parent::Of(&parent.active().unwrap().span_context()),
        );
        parent.end(Outcome::ANSWERED);
        parent = child;
        clock.advance(Duration::from_nanos(1));
        telemetry.collect(Duration::from_secs(1)).unwrap();
    }
    parent.end(Outcome::ANSWERED);
    telemetry.collect(Duration::from_secs(1)).unwrap();
    let text = tree.lock().unwrap().to_string();
    assert_eq!(text.lines().count(), chain + 1);
    assert!(text.lines().all(|line| line.len() < 200));
}
