//! Spans as nobody should make them: what they say is odd, and they begin and end in any order.

use super::recorded::{
    Log, lines, rig_agent, rig_answers, rig_asks, rig_chat, subscriber, told, told_by,
};
use obs_agent::normalise::Normaliser;
use obs_agent::{Component, Input, Output, RunInfo, RunParent, current};
use std::fmt;
use tracing::field::Empty;
use tracing::info_span;

#[track_caller]
fn check(work: impl FnOnce(), expect: &str) {
    assert_eq!(told(work), lines(expect));
}

/// A value that cannot be written.
struct Broken;

impl fmt::Debug for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("as the test wants");
    }
}

fn tool(name: &str) -> tracing::Span {
    info_span!(
        target: "genai::otel",
        "execute_tool",
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = name,
        gen_ai.tool.call.id = Empty,
        error.type = Empty,
    )
}

#[test]
fn a_value_that_panics_when_it_is_written_is_none() {
    let work = || {
        let span = info_span!(
            "x",
            gen_ai.operation.name = "execute_tool",
            gen_ai.tool.call.id = ?Broken,
            gen_ai.tool.name = "add",
            error.type = Empty,
        );
        span.record("error.type", tracing::field::debug(Broken));
        span.in_scope(|| tracing::error!(error = ?Broken, "it broke"));
    };
    check(
        work,
        "
        tool add begins by normalise
        tool add fails: it broke
        ",
    );
}

/// A value that looks around while it is written.
struct Curious<'a>(&'a Log);

impl fmt::Debug for Curious<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = RunInfo::new(Component::Lambda, "curious").with_kind("own");
        let handlers = self.0.handlers();
        let run = handlers.start(info, RunParent::Current, &Input::Node(Default::default()));
        drop(tool("within"));
        run.end(&Output::Node(Default::default()));
        f.write_str("call_7")
    }
}

#[test]
fn a_value_that_looks_around_while_it_is_written() {
    let log = Log::default();
    let subscriber = subscriber(Normaliser::new(&log.handlers()));
    tracing::subscriber::with_default(subscriber, || {
        let span = tool("add");
        let _entered = span.enter();
        span.record("gen_ai.tool.call.id", tracing::field::debug(Curious(&log)));
    });
    let expect = "
        tool add begins by genai
          lambda curious (first hand) begins by own
          tool within begins by genai
          tool within ends
          lambda curious ends
        tool add ends
        ";
    assert_eq!(log.take(), lines(expect));
}

#[test]
fn values_of_other_types_say_nothing() {
    let work = || {
        drop(info_span!(
            "x",
            gen_ai.operation.name = 7,
            gen_ai.request.model = "m"
        ));
        drop(info_span!(
            "x",
            gen_ai.operation.name = true,
            gen_ai.request.model = "m"
        ));
        drop(info_span!(
            "chat",
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = 3.5,
            gen_ai.request.model = false,
            gen_ai.usage.input_tokens = u64::MAX,
            gen_ai.usage.output_tokens = i128::from(12_i32),
            gen_ai.response.time_to_first_chunk = f64::INFINITY,
            gen_ai.response.finish_reasons = 9,
        ));
    };
    check(
        work,
        "
        model begins by normalise: ? ?
        model ends 4294967295/12
        ",
    );
}

#[test]
fn spans_end_in_any_order() {
    let work = || {
        let outer = rig_agent();
        let middle = outer.in_scope(|| tool("middle"));
        let inner = middle.in_scope(|| tool("inner"));
        drop(outer);
        drop(middle);
        let late = inner.in_scope(|| tool("late"));
        drop(inner);
        drop(late);
    };
    // One that has children is open until they are gone: so `tracing` counts.
    check(
        work,
        "
        agent assistant begins by rig
          tool middle begins by genai
            tool inner begins by genai
              tool late begins by genai
              tool late ends
            tool inner ends
          tool middle ends
        agent assistant ends
        ",
    );
}

#[test]
fn a_span_that_is_cloned_followed_entered_twice_and_entered_elsewhere_is_one() {
    let work = || {
        let agent = rig_agent();
        let other = tool("other");
        other.follows_from(&agent);
        drop(other);
        let clone = agent.clone();
        let outer = agent.enter();
        let inner = clone.enter();
        drop(outer);
        assert!(current::run().is_some(), "it is entered once more");
        drop(inner);
        assert!(current::run().is_none());
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let there = clone.clone();
        let elsewhere = move || {
            tracing::dispatcher::with_default(&dispatch, || there.in_scope(|| drop(tool("there"))));
        };
        std::thread::spawn(elsewhere).join().expect("no panic");
        drop(agent);
        clone.in_scope(|| drop(tool("here")));
    };
    check(
        work,
        "
        agent assistant begins by rig
        tool other begins by genai
        tool other ends
          tool there begins by genai
          tool there ends
          tool here begins by genai
          tool here ends
        agent assistant ends
        ",
    );
}

/// The registry gives a span the id of one that is gone.
#[test]
fn ids_of_spans_are_used_again() {
    let work = || {
        for _ in 0..3 {
            let agent = rig_agent();
            agent.in_scope(|| assert!(current::run().is_some()));
            drop(agent);
            let other = info_span!("request");
            other.in_scope(|| assert!(current::run().is_none()));
        }
        let chat = rig_chat();
        rig_answers(&chat, 1, 2);
        drop(chat);
        drop(rig_chat());
    };
    let told = told(work);
    let ends: Vec<_> = told.lines().filter(|line| line.contains("ends")).collect();
    let agent = "agent assistant ends";
    assert_eq!(ends, [agent, agent, agent, "model ends 1/2", "model ends"]);
}

#[test]
fn thousands_that_are_open_keep_apart() {
    const MANY: usize = 5000;
    let work = || {
        let open: Vec<_> = (0..MANY)
            .map(|number| {
                let chat = rig_chat();
                rig_asks(&chat);
                rig_answers(&chat, number as u64, 1);
                chat
            })
            .collect();
        drop(open);
    };
    let told = told(work);
    let ends: Vec<_> = told.lines().filter(|line| line.contains("ends")).collect();
    assert_eq!(ends.len(), MANY);
    assert_eq!(ends[4321], "model ends 4321/1");
}

/// What another layer does not want is not in its way.
#[test]
fn spans_that_a_filter_takes_away_are_none() {
    use tracing_subscriber::layer::SubscriberExt;
    let log = Log::default();
    let layer = Normaliser::new(&log.handlers()).into_layer();
    let no_agents = tracing_subscriber::filter::filter_fn(|meta| meta.name() != "invoke_agent");
    let subscriber = tracing_subscriber::registry().with(layer).with(no_agents);
    tracing::subscriber::with_default(subscriber, || {
        let agent = rig_agent();
        agent.in_scope(|| drop(tool("add")));
    });
    assert_eq!(log.take(), "tool add begins by genai\ntool add ends");
}

#[test]
fn a_chain_within_a_run_is_no_workflow() {
    let chain = || {
        drop(info_span!(target: "langchain_rust::chains", "chain.call", chain = "steps"));
    };
    let log = Log::default();
    let handlers = log.handlers();
    tracing::subscriber::with_default(subscriber(Normaliser::new(&handlers)), || {
        chain();
        let info = RunInfo::new(Component::Agent, "guide").with_kind("own");
        let agent = handlers.start(info, RunParent::Root, &Input::Agent(Default::default()));
        agent.in_scope(chain);
        agent.end(&Output::Agent(Default::default()));
    });
    let expect = "
        workflow steps begins by langchain-rust
        workflow steps ends
        agent guide (first hand) begins by own
          chain steps begins by langchain-rust
          chain steps ends
        agent guide ends
        ";
    assert_eq!(log.take(), lines(expect));
}

#[test]
fn numbered_messages_are_told_where_they_are_asked_for() {
    let work = || {
        drop(info_span!(
            "chat",
            gen_ai.operation.name = "chat",
            gen_ai.request.model = "m",
            "gen_ai.prompt.0.role" = "user",
            "gen_ai.prompt.0.content" = "Will it rain?",
        ));
    };
    let with = told_by(|normaliser| normaliser.with_content(true), work);
    let messages = r#"[{"role":"user","parts":[{"type":"text","content":"Will it rain?"}]}]"#;
    assert_eq!(
        with,
        format!("model begins by normalise: ? m {messages}\nmodel ends")
    );
    assert_eq!(told(work), "model begins by normalise: ? m\nmodel ends");
}
