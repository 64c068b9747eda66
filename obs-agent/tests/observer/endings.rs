//! Each component by each ending, as a run that is awaited and as one that streams.

use crate::support::observed;
use futures_util::{Stream, StreamExt, stream};
use obs_agent::{Component, Handlers, Input, Output, Run, RunError, RunInfo, RunParent};
use obs_core::{End, Outcome};
use obs_llm::Dialect;
use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Answered,
    Failed,
    FailedInAWordOfItsOwn,
    FailedByStatus,
    TimedOut,
    Cancelled,
    Dropped,
    Panicked,
}

use Ending::*;

const ALL: [Ending; 8] = [
    Answered,
    Failed,
    FailedInAWordOfItsOwn,
    FailedByStatus,
    TimedOut,
    Cancelled,
    Dropped,
    Panicked,
];

impl Ending {
    fn expect(self) -> (End, Option<&'static str>) {
        match self {
            Answered => (End::Answered, None),
            Failed => (End::Failed, Some("rate_limit_error")),
            FailedInAWordOfItsOwn => (End::Failed, Some("_OTHER")),
            FailedByStatus => (End::Failed, Some("503")),
            TimedOut => (End::TimedOut, Some("timeout")),
            Cancelled | Dropped => (End::Cancelled, Some("cancelled")),
            Panicked => (End::Panicked, Some("panic")),
        }
    }

    /// What its error is called, where it is told one.
    fn error(self, is_call: bool) -> Option<RunError<'static>> {
        Some(match self {
            Failed if is_call => RunError::failed("rate_limit_error"),
            Failed => RunError::failed("rate_limited"),
            FailedInAWordOfItsOwn => RunError::failed("Key 'sk-123' is wrong"),
            FailedByStatus => RunError::failed("503"),
            TimedOut => RunError::timed_out(),
            Cancelled => RunError::cancelled(),
            Answered | Dropped | Panicked => return None,
        })
    }
}

/// What each component begins and ends with, and which metric has its duration.
fn all(dialect: Dialect) -> Vec<(Component, Input<'static>, Output<'static>, &'static str)> {
    let ours = dialect == Dialect::V1_41;
    let by = |v1_41, main| if ours { v1_41 } else { main };
    let nodes = || {
        (
            Input::Node(Default::default()),
            Output::Node(Default::default()),
        )
    };
    let found = || Output::Documents(Default::default());
    let call = "gen_ai.client.operation.duration";
    let mut all = vec![
        (
            Component::Agent,
            Input::Agent(Default::default()),
            Output::Agent(Default::default()),
            by(
                "obs.agent.invoke_agent.duration",
                "gen_ai.invoke_agent.duration",
            ),
        ),
        (
            Component::Plan,
            Input::Agent(Default::default()),
            Output::Agent(Default::default()),
            "obs.agent.plan.duration",
        ),
        (
            Component::Model,
            Input::Model(Default::default()),
            Output::Model(Default::default()),
            by(call, "gen_ai.client.inference.duration"),
        ),
        (
            Component::Embedding,
            Input::Embedding(Default::default()),
            Output::Embedding(Default::default()),
            call,
        ),
        (
            Component::Tool,
            Input::Tool(Default::default()),
            Output::Tool(Default::default()),
            by(
                "obs.agent.execute_tool.duration",
                "gen_ai.execute_tool.duration",
            ),
        ),
        (
            Component::Retriever,
            Input::Retriever(Default::default()),
            found(),
            call,
        ),
        (
            Component::Memory,
            Input::Memory(Default::default()),
            Output::Memory(Default::default()),
            call,
        ),
        (
            Component::Mcp,
            Input::Mcp(crate::support::of!(input::McpInput { method: "ping" })),
            Output::Mcp(Default::default()),
            "mcp.client.operation.duration",
        ),
        (
            Component::Workflow,
            nodes().0,
            nodes().1,
            by(
                "obs.agent.invoke_workflow.duration",
                "gen_ai.invoke_workflow.duration",
            ),
        ),
    ];
    for component in [
        Component::Indexer,
        Component::Transformer,
        Component::Loader,
    ] {
        all.push((
            component,
            Input::Streamed,
            found(),
            "obs.agent.node.duration",
        ));
    }
    for component in [Component::Prompt, Component::Lambda] {
        let (input, output) = nodes();
        all.push((component, input, output, "obs.agent.node.duration"));
    }
    all
}

/// Drives one run to its end, its work awaited.
fn drive(run: Run, ending: Ending, is_call: bool, output: &Output<'_>) {
    let mut polled = Context::from_waker(Waker::noop());
    match (ending, ending.error(is_call)) {
        (Answered, _) => run.end(output),
        (_, Some(error)) => run.fail(&error),
        (Panicked, _) => {
            // Its own work panics, and whoever polls it catches that before the run goes.
            let work = async { panic!("as the test wants") };
            let mut work = Box::pin(run.wrap(work));
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let _: Poll<()> = work.as_mut().poll(&mut polled);
            }));
            assert!(caught.is_err());
            drop(work);
            drop(run);
        }
        (_, None) => {
            let work = pin!(run.wrap(std::future::pending::<()>()));
            assert!(work.poll(&mut polled).is_pending());
            drop(run);
        }
    }
}

/// The same of a run whose output is a stream, of which one piece comes before.
fn drive_stream(run: Run, ending: Ending, is_call: bool) {
    let one = stream::iter([0]);
    let rest: Box<dyn Stream<Item = i32> + Unpin> = match ending {
        Answered => Box::new(stream::empty()),
        Panicked => Box::new(stream::poll_fn(|_| panic!("as the test wants"))),
        Dropped => Box::new(stream::pending()),
        _ => Box::new(stream::iter([1, 2])),
    };
    let error = ending.error(is_call);
    let mut observed = Box::pin(run.stream_with(one.chain(rest), move |item, tap| {
        if let (1.., Some(error)) = (*item, &error) {
            tap.fail(error);
        }
    }));
    let mut polled = Context::from_waker(Waker::noop());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        while let Poll::Ready(Some(_)) = observed.as_mut().poll_next(&mut polled) {}
    }));
    assert_eq!(caught.is_err(), ending == Panicked);
}

type Drive = fn(&Handlers, (Component, &Input<'_>), Ending, &Output<'_>);

fn check(capture: &Capture, dialect: Dialect, drive: Drive) {
    let handlers = observed(capture, dialect);
    let mut before = HashMap::new();
    for (component, input, output, metric) in all(dialect) {
        for ending in ALL {
            let what = format!("{component} {ending:?}");
            drive(&handlers, (component, &input), ending, &output);
            let told = capture.take_records();
            let [record] = &*told else {
                panic!("{what}: {told:?}");
            };
            let (end, error) = ending.expect();
            let error = match (ending, is_call(component)) {
                (Failed, false) => Some("rate_limited"),
                _ => error,
            };
            ended(record, (end, error), &what);
            let points = capture.points();
            let series = points.histograms(metric, &[]);
            let count: u64 = series.iter().map(|point| point.count).sum();
            let before = before.entry(metric).or_insert(0);
            assert_eq!(count, *before + 1, "{what}");
            *before = count;
            for gauge in [
                "obs.agent.active_agents",
                "obs.agent.active_tools",
                "obs.llm.client.active_calls",
            ] {
                let series = points.sums(gauge, &[]);
                let running: f64 = series.iter().map(|point| point.as_f64()).sum();
                assert_eq!(running, 0.0, "{what} {gauge}");
            }
        }
    }
    assert_eq!(handlers.panics(), 0);
}

/// As a run that is awaited.
fn awaited(
    handlers: &Handlers,
    (component, input): (Component, &Input<'_>),
    ending: Ending,
    output: &Output<'_>,
) {
    let run = handlers.start(RunInfo::new(component, "a"), RunParent::Root, input);
    drive(run, ending, is_call(component), output);
}

/// As one that streams.
fn streamed(
    handlers: &Handlers,
    (component, input): (Component, &Input<'_>),
    ending: Ending,
    _: &Output<'_>,
) {
    let run = handlers.start(RunInfo::new(component, "a"), RunParent::Root, input);
    drive_stream(run, ending, is_call(component));
}

fn is_call(component: Component) -> bool {
    matches!(component, Component::Model | Component::Embedding)
}

#[track_caller]
fn ended(record: &CapturedRecord, (end, error): (End, Option<&str>), what: &str) {
    let outcome: Outcome = record.outcome;
    assert_eq!(outcome.end(), end, "{what}");
    let told = record.attr("error.type");
    assert_eq!(told, error.map(AttrValue::from).as_ref(), "{what}");
}

#[test]
fn runs_end_once_in_each_way() {
    check(&Capture::new(), Dialect::V1_41, awaited);
    check(&Capture::new(), Dialect::Main, awaited);
}

#[test]
fn streams_end_once_in_each_way() {
    check(&Capture::new(), Dialect::V1_41, streamed);
    check(&Capture::new(), Dialect::Main, streamed);
}

/// The recorder is another's, and all else is as it was.
#[test]
fn a_providers_recorder_sees_the_same_endings() {
    let provider = || opentelemetry_sdk::trace::SdkTracerProvider::builder();
    let capture = || Capture::builder().with_sdk_recorder(provider()).build();
    check(&capture(), Dialect::V1_41, awaited);
    check(&capture(), Dialect::Main, streamed);
}

/// Whoever has every choice's reason has all of it, and may go.
#[test]
fn a_reader_that_has_it_all_may_drop_the_stream() {
    use crate::support::{model, of, usage};
    use obs_agent::Item;
    use obs_llm::wire::Content;
    for (reads, end, reason) in [(1, End::Cancelled, "error"), (2, End::Answered, "stop")] {
        let capture = Capture::new();
        let handlers = observed(&capture, Dialect::V1_41);
        let run = model(&handlers, RunParent::Root);
        let spent = usage(5, 2);
        let mut observed = Box::pin(run.stream_with(stream::iter([0, 1]), |item, tap| {
            let reason = (*item == 1).then_some("stop");
            tap.item(&Item::Model(of!(output::ModelChunk {
                content: Some(Content::Text),
                finish_reason: reason,
                usage: Some(&spent),
            })));
        }));
        let mut polled = Context::from_waker(Waker::noop());
        for _ in 0..reads {
            assert!(observed.as_mut().poll_next(&mut polled).is_ready());
        }
        drop(observed);
        let record = capture.record();
        assert_eq!(record.outcome.end(), end);
        let reasons = AttrValue::Array(vec![reason.into()]);
        let told = record.attr("gen_ai.response.finish_reasons");
        assert_eq!(told, Some(&reasons));
        // What is known by then.
        assert_eq!(
            record.attr("gen_ai.usage.output_tokens"),
            Some(&2_i64.into())
        );
        assert_eq!(
            capture.count("gen_ai.client.operation.time_to_first_chunk"),
            1
        );
    }
}
