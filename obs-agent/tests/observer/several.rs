//! Beside other handlers, at other levels, and with names of which there are too many.

use crate::support::{agent, model, observed, reference, start, tool};
use obs_agent::{
    AgentObserver, Component, Handler, Handlers, Input, Output, RunParent, RunRef, Starting, State,
};
use obs_core::StatsLevel;
use obs_llm::Dialect;
use obs_testing::{AttrValue, Capture};

struct Panics;

impl Handler for Panics {
    fn on_start(&self, run: &mut Starting<'_>, _: &Input<'_>) -> State {
        if run.info().name == "at its start" {
            panic!("as the test wants");
        }
        State::none()
    }

    fn on_end(&self, _: &RunRef, _: &mut State, _: &Output<'_>) {
        panic!("as the test wants");
    }
}

#[test]
fn one_that_panics_beside_it_changes_nothing() {
    for panics_first in [false, true] {
        let capture = Capture::new();
        let observer = AgentObserver::new(capture.telemetry());
        let handlers = match panics_first {
            true => Handlers::new().with(Panics).with(observer),
            false => Handlers::new().with(observer).with(Panics),
        };
        for name in ["at its start", "at its end"] {
            let outer = agent(&handlers, name, RunParent::Root);
            tool(&handlers, "within", outer.as_parent()).end(&Output::Tool(Default::default()));
            outer.end(&Output::Agent(Default::default()));
        }
        let records = capture.records();
        let names: Vec<_> = records.iter().map(|record| record.name.as_str()).collect();
        let expect = [
            "execute_tool within",
            "invoke_agent at its start",
            "execute_tool within",
            "invoke_agent at its end",
        ];
        assert_eq!(names, expect);
        for pair in records.chunks(2) {
            assert_eq!(pair[0].parent_span_id, Some(pair[1].span_id));
            assert_eq!(pair[1].outcome, obs_core::Outcome::ANSWERED);
        }
        assert_eq!(handlers.panics(), 4);
    }
}

#[test]
fn each_of_two_has_a_trace_of_its_own() {
    let captures = [Capture::new(), Capture::new()];
    let [one, other] = [0, 1].map(|at| AgentObserver::new(captures[at].telemetry()));
    let handlers = Handlers::new().with(one).with(other);
    let outer = agent(&handlers, "outer", RunParent::Root);
    outer.in_scope(|| {
        tool(&handlers, "inner", RunParent::Current).end(&Output::Tool(Default::default()));
    });
    let handed = agent(&handlers, "next", RunParent::Root);
    reference(&handed).handed_from(&reference(&outer));
    handed.end(&Output::Agent(Default::default()));
    outer.end(&Output::Agent(Default::default()));
    for capture in &captures {
        let [tool, next, agent] = <[_; 3]>::try_from(capture.records()).unwrap();
        assert_eq!(tool.parent_span_id, Some(agent.span_id));
        assert_eq!(tool.trace_id, agent.trace_id);
        let [link] = &*next.links else {
            panic!("{:?}", next.links)
        };
        assert_eq!(link.span_id.to_be_bytes(), agent.span_id.to_bytes());
    }
}

/// What is switched off is not there, and what is in it is in what is around it.
#[test]
fn a_component_can_be_switched_off() {
    let capture = Capture::new();
    let observer = AgentObserver::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    for component in [Component::Lambda, Component::Model, Component::Tool] {
        let kind = observer.kind(component);
        kind.set_level(StatsLevel::Disabled);
    }
    let handlers = Handlers::new().with(observer);
    let outer = agent(&handlers, "outer", RunParent::Root);
    let node = Input::Node(Default::default());
    let step = start(&handlers, Component::Lambda, "", outer.as_parent(), &node);
    assert!(!step.is_told());
    let call = tool(&handlers, "weather", step.as_parent());
    drop(model(&handlers, call.as_parent()));
    agent(&handlers, "inner", call.as_parent()).end(&Output::Agent(Default::default()));
    call.end(&Output::Tool(Default::default()));
    step.end(&Output::Node(Default::default()));
    outer.end(&Output::Agent(Default::default()));
    let [inner, outer] = <[_; 2]>::try_from(capture.records()).unwrap();
    assert_eq!(inner.parent_span_id, Some(outer.span_id));
    // An agent's calls count all the same.
    for key in ["obs.agent.run.inferences", "obs.agent.run.tools"] {
        assert_eq!(outer.attr(key), Some(&1_i64.into()), "{key}");
    }
    assert_eq!(capture.count("gen_ai.client.operation.duration"), 0);
}

#[test]
fn all_of_it_can_be_switched_off() {
    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    let handlers = observed(&capture, Dialect::V1_41);
    for component in Component::ALL {
        let run = start(&handlers, component, "a", RunParent::Root, &Input::Streamed);
        assert!(!run.is_told(), "{component}");
        run.end(&Output::Streamed);
    }
    assert!(capture.records().is_empty());
    assert!(!capture.telemetry().prometheus().contains("gen_ai"));
}

/// Another handler wants a run of which this one makes nothing: what is in it is where it was.
#[test]
fn what_is_within_a_run_of_others_alone_is_within_what_is_around_it() {
    struct Wants;
    impl Handler for Wants {}
    let capture = Capture::new();
    let observer = AgentObserver::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let kind = observer.kind(Component::Lambda);
    kind.set_level(StatsLevel::Disabled);
    let handlers = Handlers::new().with(observer).with(Wants);
    let outer = agent(&handlers, "outer", RunParent::Root);
    let node = Input::Node(Default::default());
    let step = start(&handlers, Component::Lambda, "", outer.as_parent(), &node);
    assert!(step.is_told());
    step.in_scope(|| {
        model(&handlers, RunParent::Current).end(&Output::Model(Default::default()));
    });
    step.end(&Output::Node(Default::default()));
    outer.end(&Output::Agent(Default::default()));
    let [call, agent] = <[_; 2]>::try_from(capture.records()).unwrap();
    assert_eq!(call.parent_span_id, Some(agent.span_id));
    let calls = agent.attr("obs.agent.run.inferences");
    assert_eq!(calls, Some(&1_i64.into()));
}

/// A flood of names, which a model may make up, costs no more than its cap, and leaves what is reserved.
#[test]
fn a_flood_of_names_is_capped() {
    let capture = Capture::new();
    let observer = AgentObserver::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    observer.reserve(Component::Tool, "weather");
    let handlers = Handlers::new().with(observer);
    for n in 0..600 {
        let name = format!("made up {n}");
        tool(&handlers, &name, RunParent::Root).end(&Output::Tool(Default::default()));
        if n == 599 {
            // Spans have them all.
            assert_eq!(capture.record().name, "execute_tool made up 599");
        }
        capture.clear();
    }
    tool(&handlers, "weather", RunParent::Root).end(&Output::Tool(Default::default()));
    let points = capture.points();
    let metric = "obs.agent.execute_tool.duration";
    let of = |name: &str| {
        let name = [("gen_ai.tool.name", AttrValue::from(name))];
        points.histogram(metric, &name).map(|point| point.count)
    };
    assert_eq!(of("weather"), Some(1));
    // 512 fit, of which one is reserved.
    assert_eq!(of("made up 510"), Some(1));
    assert_eq!(of("_OTHER"), Some(89));
    assert_eq!(capture.count(metric), 601);
}

/// What a run is told that is of another component says nothing, and breaks nothing.
#[test]
fn inputs_and_outputs_of_another_component_say_nothing() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let inputs = || {
        [
            Input::Model(Default::default()),
            Input::Tool(Default::default()),
            Input::Mcp(Default::default()),
            Input::Streamed,
        ]
    };
    let mut runs = 0;
    for component in Component::ALL {
        for input in inputs() {
            let run = start(&handlers, component, "a", RunParent::Root, &input);
            run.end(&Output::Memory(Default::default()));
            // A message without a method is a session, which has no span.
            runs += usize::from(component != Component::Mcp);
        }
    }
    assert_eq!(capture.records().len(), runs);
    assert_eq!(handlers.panics(), 0);
}
