//! What handlers make of runs: whose child each operation is, and what is found of them in the runs within.

use obs_agent::{
    Component, Handler, Handlers, Input, Output, Run, RunInfo, RunParent, RunRef, Starting, State,
};
use obs_core::otel::trace::{SpanContext, SpanId, SpanKind};
use obs_core::{Descriptor, Labels, OpRef, Outcome, Parent, Scope, Telemetry};
use obs_testing::{Capture, CapturedRecord};
use std::sync::{Arc, Mutex};

static SCOPE: Scope = Scope {
    name: "test",
    version: "1",
    schema_url: "",
};

static STEP: Descriptor = Descriptor {
    name: "test.step",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("step"),
};

/// What it finds at a start: the operation around, that of the parent itself, and what is kept around.
type Found = (Option<SpanId>, Option<SpanId>, Option<String>);

/// Makes an operation of each run whose name has its letter, and keeps the name of each one that has it in capitals.
#[derive(Clone)]
struct Makes {
    letter: char,
    telemetry: Telemetry,
    found: Arc<Mutex<Vec<Found>>>,
}

impl Makes {
    fn new(letter: char, capture: &Capture) -> Self {
        Self {
            letter,
            telemetry: *capture.telemetry(),
            found: Arc::default(),
        }
    }

    fn last(&self) -> Found {
        self.found.lock().unwrap().pop().expect("a run began")
    }
}

fn span(operation: Option<&OpRef>) -> Option<SpanId> {
    operation.map(|operation| operation.span_context().span_id())
}

impl Handler for Makes {
    fn on_start(&self, run: &mut Starting<'_>, _: &Input<'_>) -> State {
        let found = (
            span(run.operation_around()),
            span(run.operation_of_parent()),
            run.kept_around::<String>().cloned(),
        );
        self.found.lock().unwrap().push(found);
        let name = run.info().name;
        if name.contains(self.letter.to_ascii_uppercase()) {
            run.keep(Arc::new(name.to_owned()));
        }
        if !name.contains(self.letter) {
            return State::none();
        }
        let kind = self.telemetry.kind(&STEP);
        let mut operation = kind.start(Labels::NONE, run.operation_parent());
        run.set_operation(operation.handle().expect("recording"));
        State::new(operation)
    }

    fn on_end(&self, _: &RunRef, state: &mut State, _: &Output<'_>) {
        if let Some(operation) = state.take::<obs_core::Operation>() {
            operation.end(Outcome::ANSWERED);
        }
    }
}

fn start(handlers: &Handlers, name: &str, parent: RunParent<'_>) -> Run {
    let info = RunInfo::new(Component::Lambda, name);
    handlers.start(info, parent, &Input::Node(Default::default()))
}

fn reference(run: &Run) -> RunRef {
    run.reference().expect("somebody is told of it").clone()
}

fn span_of(run: &Run) -> Option<SpanId> {
    let context: Option<SpanContext> = reference(run).span_context();
    context.map(|context| context.span_id())
}

#[test]
fn operations_and_what_is_kept_are_found_each_for_itself() {
    let capture = Capture::new();
    let makes = Makes::new('a', &capture);
    let handlers = Handlers::new().with(makes.clone());
    let kept = |name: &str| Some(name.to_owned());
    let both = start(&handlers, "aA", RunParent::Root);
    assert_eq!(makes.last(), (None, None, None));
    let op = span_of(&both);
    assert!(op.is_some());
    // Keeps something and makes nothing: its operation is that around it.
    let keeps = start(&handlers, "A", both.as_parent());
    assert_eq!(makes.last(), (op, op, kept("aA")));
    assert_eq!(span_of(&keeps), op);
    let plain = start(&handlers, "-", keeps.as_parent());
    assert_eq!(makes.last(), (op, None, kept("A")));
    // Makes something and keeps nothing: what is kept around it is kept.
    let made = start(&handlers, "a", plain.as_parent());
    assert_eq!(makes.last(), (op, None, kept("A")));
    let inner = span_of(&made);
    assert!(inner.is_some() && inner != op);
    let last = start(&handlers, "-", made.as_parent());
    assert_eq!(makes.last(), (inner, inner, kept("A")));
    for run in [last, made, plain, keeps, both] {
        run.end(&Output::Streamed);
    }
    assert_eq!(capture.records().len(), 2);
}

/// What is polled in a run is within the operation of whoever makes one of it, before those that are only around it.
#[test]
fn a_runs_operation_is_its_own_before_one_around_it() {
    let captures = [Capture::new(), Capture::new()];
    let [first, second] = [Makes::new('a', &captures[0]), Makes::new('b', &captures[1])];
    let handlers = Handlers::new().with(first.clone()).with(second.clone());
    let outer = start(&handlers, "ab", RunParent::Root);
    let of_first = span_of(&outer);
    let inner = start(&handlers, "b", outer.as_parent());
    assert_eq!(first.last().0, of_first);
    let around = second.last().0;
    assert!(around.is_some() && around != of_first);
    assert_ne!(span_of(&inner), of_first);
    let other = captures[1].telemetry().kind(&STEP);
    inner.in_scope(|| {
        other
            .start(Labels::NONE, Parent::Current)
            .end(Outcome::ANSWERED);
    });
    let expect = span_of(&inner);
    for run in [inner, outer] {
        run.end(&Output::Streamed);
    }
    let records: Vec<CapturedRecord> = captures[1].records();
    let parent = records[0].parent_span_id.map(|id| id.to_string());
    assert_eq!(parent, expect.map(|id| id.to_string()));
}

/// What is handed over goes from what is made of the one run to what is made of the other, and to nothing around it.
#[test]
fn what_nothing_is_made_of_has_no_link() {
    let capture = Capture::new();
    let handlers = Handlers::new().with(Makes::new('a', &capture));
    let [from, outer] = ["a", "a"].map(|name| start(&handlers, name, RunParent::Root));
    let inner = start(&handlers, "-", outer.as_parent());
    reference(&inner).handed_from(&reference(&from));
    let next = start(&handlers, "a", RunParent::Root);
    reference(&next).handed_from(&reference(&from));
    for run in [from, inner, outer, next] {
        run.end(&Output::Streamed);
    }
    let records = capture.records();
    let links: Vec<_> = records.iter().map(|record| record.links.len()).collect();
    assert_eq!(links, [0, 0, 1]);
}

/// A run that is told of its parent is right beneath that, whatever is opened where it begins; one that takes the current one is
/// beneath what is opened there, and that only where that is the parent.
#[test]
fn what_is_opened_in_a_run_is_around_those_that_begin_there() {
    let capture = Capture::new();
    let handlers = Handlers::new().with(Makes::new('a', &capture));
    let outer = start(&handlers, "a", RunParent::Root);
    let mut step = outer.in_scope(|| {
        let kind = capture.telemetry().kind(&STEP);
        kind.start(Labels::NONE, Parent::Current)
    });
    let opened = step.handle().expect("recording");
    let spans = outer.in_scope(|| {
        opened.in_scope(|| {
            let current = start(&handlers, "a", RunParent::Current);
            let told = start(&handlers, "a", outer.as_parent());
            [current, told].map(|run| {
                let span = span_of(&run);
                run.end(&Output::Streamed);
                span
            })
        })
    });
    let around = [span(Some(&opened)), span_of(&outer)];
    step.end(Outcome::ANSWERED);
    outer.end(&Output::Streamed);
    let records = capture.records();
    for (child, parent) in spans.into_iter().zip(around) {
        let text = |id: Option<SpanId>| id.map(|id| id.to_string());
        let is_it = |record: &&CapturedRecord| Some(record.span_id.to_string()) == text(child);
        let record = records.iter().find(is_it).expect("it ended");
        assert_eq!(record.parent_span_id.map(|id| id.to_string()), text(parent));
    }
}

/// One that panics as it begins has made nothing: what is within the run is within what was around it.
#[test]
fn what_one_made_that_panicked_then_is_not_there() {
    struct Panics(Makes);
    impl Handler for Panics {
        fn on_start(&self, run: &mut Starting<'_>, input: &Input<'_>) -> State {
            let state = self.0.on_start(run, input);
            if run.info().name.contains("panics") {
                panic!("as the test wants");
            }
            state
        }
        fn on_end(&self, run: &RunRef, state: &mut State, output: &Output<'_>) {
            self.0.on_end(run, state, output);
        }
    }
    let capture = Capture::new();
    let makes = Makes::new('x', &capture);
    let handlers = Handlers::new().with(Panics(makes.clone()));
    let outer = start(&handlers, "xX", RunParent::Root);
    let op = span_of(&outer);
    let bad = start(&handlers, "xX panics", outer.as_parent());
    assert_eq!(span_of(&bad), op);
    let within = start(&handlers, "-", bad.as_parent());
    makes.found.lock().unwrap().drain(..2);
    assert_eq!(makes.last(), (op, None, Some("xX".to_owned())));
    for run in [within, bad, outer] {
        run.end(&Output::Streamed);
    }
    assert_eq!(handlers.panics(), 1);
}
