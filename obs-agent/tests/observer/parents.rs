//! Spans are where their runs are, on whichever task or thread, and links are between runs that hand over.

use crate::support::{MS, agent, model, observed, of, reference, start, tool, usage};
use obs_agent::{
    AgentObserver, Component, Handlers, Input, Output, RemoteParent, RunInfo, RunParent,
};
use obs_core::otel::baggage::BaggageExt;
use obs_core::otel::trace::SpanKind;
use obs_core::otel::{Context, KeyValue};
use obs_core::propagation::baggage::Allow;
use obs_core::propagation::extract;
use obs_core::{Descriptor, Labels, Outcome, Parent, Scope, Trust};
use obs_llm::Dialect;
use obs_testing::{Capture, assert_tree};

fn done() -> Output<'static> {
    Output::Tool(Default::default())
}

/// Names, parents and steps alone.
#[track_caller]
fn check(capture: &Capture, expect: &str) {
    let tree = capture.tree().to_string();
    let shown = tree.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("- ") || line.starts_with("- obs.agent.step")
    });
    let shown: Vec<_> = shown.collect();
    let margin = expect.lines().find(|line| !line.trim().is_empty());
    let margin = margin.map_or(0, |line| line.len() - line.trim_start().len());
    let expect = expect.lines().filter(|line| !line.trim().is_empty());
    let expect: Vec<_> = expect.map(|line| &line[margin..]).collect();
    assert_eq!(shown, expect, "\n{tree}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branches_and_tasks_are_within_their_runs() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let outer = agent(&handlers, "outer", RunParent::Root);
    // By a reference, and by what is around.
    let (first, second) = (handlers.clone(), handlers.clone());
    let (of, around) = (reference(&outer), reference(&outer));
    let first = tokio::spawn(async move {
        tool(&first, "by reference", RunParent::Of(&of)).end(&done());
    });
    first.await.unwrap();
    let second = tokio::spawn(around.wrap(async move {
        tokio::task::yield_now().await;
        let branch = |name: &'static str| {
            let handlers = second.clone();
            async move {
                let run = tool(&handlers, name, RunParent::Current);
                let work = run.wrap(async {
                    tokio::task::yield_now().await;
                    model(&handlers, RunParent::Current).end(&Output::Model(Default::default()));
                });
                work.await;
                run.end(&done());
            }
        };
        futures_util::future::join(branch("left"), branch("right")).await;
    }));
    second.await.unwrap();
    outer.end(&Output::Agent(Default::default()));
    check(
        &capture,
        "
        trace 1
          invoke_agent outer [internal]
            execute_tool by reference [internal]
              - obs.agent.step: 1
            execute_tool left [internal]
              - obs.agent.step: 2
              chat gpt-4o [client]
                - obs.agent.step: 1
            execute_tool right [internal]
              - obs.agent.step: 3
              chat gpt-4o [client]
                - obs.agent.step: 1
    ",
    );
}

static SCOPE: Scope = Scope {
    name: "test",
    version: "1",
    schema_url: "",
};

static REQUEST: Descriptor = Descriptor {
    name: "test.request",
    span_kind: SpanKind::Server,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("request"),
};

static STEP: Descriptor = Descriptor {
    name: "test.step",
    span_kind: SpanKind::Internal,
    span_name: |_, name| name.push_str("step"),
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
};

/// A request that is served has the agent in it; what the user opens in a run has the runs in it that begin there, but not those
/// that are told of another parent.
#[test]
fn the_users_operations_stand_between() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let operation = |descriptor| {
        let kind = capture.telemetry().kind(descriptor);
        kind.start(Labels::NONE, Parent::Current)
    };
    let mut request = operation(&REQUEST);
    let serve = request.handle().unwrap();
    let run = serve.in_scope(|| agent(&handlers, "outer", RunParent::Root));
    run.in_scope(|| {
        let mut step = operation(&STEP);
        let within = step.handle().unwrap();
        within.in_scope(|| {
            tool(&handlers, "in the step", RunParent::Current).end(&done());
            capture.clock().advance(MS);
            tool(&handlers, "beside it", run.as_parent()).end(&done());
        });
        step.end(Outcome::ANSWERED);
    });
    run.end(&Output::Agent(Default::default()));
    request.end(Outcome::ANSWERED);
    check(
        &capture,
        "
        trace 1
          request [server]
            invoke_agent outer [internal]
              step [internal]
                execute_tool in the step [internal]
                  - obs.agent.step: 1
              execute_tool beside it [internal]
                - obs.agent.step: 2
    ",
    );
}

/// A layer outside has read a request's headers, and believed them; who asks for the run is a stranger to us.
#[test]
fn baggage_of_strangers_is_not_seen_in_their_runs() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let around = Context::current().with_baggage([KeyValue::new("tenant", "evil")]);
    let _attached = around.attach();
    let seen = || Context::map_current(|context| context.baggage().len());
    let parent = Some(&b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"[..]);
    for remote in [extract(None, None, None), extract(parent, None, None)] {
        for (trust, count) in [(Trust::LinkOnly, 0), (Trust::Trusted, 1)] {
            let parent = RunParent::Remote(RemoteParent {
                remote: &remote,
                trust,
                baggage: &Allow::all(),
            });
            let run = agent(&handlers, "asked", parent);
            assert_eq!(run.in_scope(seen), count, "{trust:?} {remote:?}");
        }
    }
}

/// Whatever it asks for: an agent, a tool, a call of a model.
#[test]
fn baggage_of_somebody_who_is_trusted_names_the_session_of_any_run() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let baggage = format!("session.id=s-7,long={}", "x".repeat(8192));
    let text = |text| Some(str::as_bytes(text));
    let remote = extract(text(parent), text("=?"), text(&baggage));
    use Component::*;
    for component in [
        Agent, Plan, Workflow, Model, Embedding, Tool, Retriever, Memory, Mcp, Lambda,
    ] {
        let capture = Capture::new();
        let handlers = observed(&capture, Dialect::V1_41);
        let parent = RunParent::Remote(RemoteParent {
            remote: &remote,
            trust: Trust::Trusted,
            baggage: &Allow::all(),
        });
        let mut mcp = obs_agent::input::McpInput::default();
        mcp.method = "tools/list";
        let input = match component {
            Mcp => Input::Mcp(mcp),
            _ => Input::Node(Default::default()),
        };
        drop(start(&handlers, component, "asked", parent, &input));
        let records = capture.records();
        let [record] = &*records else {
            panic!("{component:?}: {records:?}")
        };
        assert_eq!(record.text("session.id"), Some("s-7"), "{component:?}");
        let counts = capture.telemetry().counts();
        assert_eq!(counts.dropped_baggage, 1, "{component:?}");
        assert_eq!(counts.dropped_tracestate, 1, "{component:?}");
    }
}

/// Calls count on the agent that makes them, and on no other.
#[test]
fn calls_count_on_the_innermost_agent() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let outer = agent(&handlers, "outer", RunParent::Root);
    model(&handlers, outer.as_parent()).fail(&obs_agent::RunError::failed("rate_limit_error"));
    let hand = tool(&handlers, "ask the other", outer.as_parent());
    let node = Input::Node(Default::default());
    let step = start(&handlers, Component::Lambda, "a", hand.as_parent(), &node);
    let inner = agent(&handlers, "inner", step.as_parent());
    for _ in 0..3 {
        drop(model(&handlers, inner.as_parent()));
    }
    inner.end(&Output::Agent(Default::default()));
    step.end(&Output::Node(Default::default()));
    hand.end(&done());
    model(&handlers, outer.as_parent()).end(&Output::Model(of!(output::ModelOutput {
        usage: Some(usage(3, 4))
    })));
    outer.end(&Output::Agent(Default::default()));
    let points = capture.points();
    for (agent, metric, sum) in [
        ("outer", "inference_calls", 2.0),
        ("outer", "tool_calls", 1.0),
        ("inner", "inference_calls", 3.0),
        ("inner", "tool_calls", 0.0),
    ] {
        let of = [("gen_ai.agent.name", agent.into())];
        let metric = format!("obs.agent.invoke_agent.{metric}");
        let point = points.histogram(&metric, &of).expect("there");
        assert_eq!((point.count, point.sum), (1, Some(sum)), "{agent} {metric}");
    }
}

#[test]
fn a_hand_over_is_a_link() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let triage = agent(&handlers, "triage", RunParent::Root);
    let from = reference(&triage);
    capture.clock().advance(MS);
    triage.end(&Output::Agent(Default::default()));
    let refunds = agent(&handlers, "refunds", RunParent::Root);
    reference(&refunds).handed_from(&from);
    refunds.end(&Output::Agent(Default::default()));
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          #1 invoke_agent triage [internal]
            - gen_ai.agent.name: "triage"
            - gen_ai.operation.name: "invoke_agent"
            - gen_ai.provider.name: "_OTHER"
            - obs.agent.depth: 0
            - obs.agent.run.inferences: 0
            - obs.agent.run.tools: 0
        trace 2
          invoke_agent refunds [internal]
            - gen_ai.agent.name: "refunds"
            - gen_ai.operation.name: "invoke_agent"
            - gen_ai.provider.name: "_OTHER"
            - obs.agent.depth: 0
            - obs.agent.run.inferences: 0
            - obs.agent.run.tools: 0
            ~ #1 {obs.agent.handoff: "triage"}
    "#,
    );
}

#[test]
fn ids_of_runs_are_shown_where_they_are_asked_for() {
    let capture = Capture::new();
    let observer = AgentObserver::new(capture.telemetry()).with_run_ids(true);
    let handlers = Handlers::new().with(observer);
    let input = Input::Agent(Default::default());
    let info = RunInfo::new(Component::Agent, "a").with_id(0xabc_u128.into());
    let outer = handlers.start(info, RunParent::Root, &input);
    drop(tool(&handlers, "b", outer.as_parent()));
    drop(outer);
    let [tool, agent] = <[_; 2]>::try_from(capture.records()).unwrap();
    let id = |record: &obs_testing::CapturedRecord, key| match record.attr(key) {
        Some(obs_testing::AttrValue::Str(id)) => Some(id.to_string()),
        _ => None,
    };
    assert_eq!(id(&agent, "obs.agent.run.id").as_deref(), Some("abc"));
    assert_eq!(id(&agent, "obs.agent.run.parent_id"), None);
    assert_eq!(id(&tool, "obs.agent.run.parent_id").as_deref(), Some("abc"));
    assert!(id(&tool, "obs.agent.run.id").is_some());
}
