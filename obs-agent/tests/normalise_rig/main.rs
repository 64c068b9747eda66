//! rig's own spans as runs: alone, and beside whoever else tells the same.
#![allow(dead_code, reason = "it is another test's, too")]

#[path = "../rig/answers.rs"]
mod answers;
#[path = "../../../obs-llm/tests/rig/client.rs"]
mod client;
#[path = "../rig/emitted.rs"]
mod emitted;
#[path = "../rig/outline.rs"]
mod outline;
#[path = "../../../obs-llm/tests/support/scripted.rs"]
mod scripted;
#[allow(unused_imports, reason = "it is another crate's, too")]
#[path = "../../../obs-llm/tests/genai/server.rs"]
mod server;
#[path = "../rig/support.rs"]
mod support;
#[path = "../rig/told.rs"]
mod told;

use answers::{answers, asks, refuses};
use emitted::{Beneath, emitting};
use obs_agent::normalise::Normaliser;
use obs_agent::{AgentObserver, Handlers};
use obs_testing::{AttrValue, Capture, assert_tree};
use outline::{outline, two_calls};
use rig_agent::agent::{Agent, AgentBuilder};
use rig_core::DynModel;
use rig_core::operation::Completion;
use scripted::{serve, serve_each, soon};
use support::{BY, By, Clock, Places, Weather, agent_of, ask};
use tracing::instrument::WithSubscriber;
use tracing_subscriber::layer::SubscriberExt;

/// What is between rig's spans and `capture`.
fn normalised(capture: &Capture) -> impl tracing::Subscriber + Send + Sync + use<> {
    let handlers = Handlers::new().with(AgentObserver::new(capture.telemetry()));
    let normaliser = Normaliser::new(&handlers).with_telemetry(capture.telemetry());
    tracing_subscriber::registry().with(normaliser.into_layer())
}

/// An agent that nobody observes.
fn plain(model: DynModel<Completion>) -> Agent {
    AgentBuilder::new(model)
        .name("guide")
        .default_max_turns(4)
        .tool(Weather)
        .tool(Clock(Places::default()))
        .build()
}

#[tokio::test]
async fn rig_alone_tells_its_agent_its_calls_and_its_tools() {
    for streams in [false, true] {
        let server = serve_each(vec![asks(streams), answers(streams)]).await;
        let capture = Capture::new();
        let model = Beneath::Http.model(&capture, &server.url(""));
        let agent = plain(model);
        let asked = ask(&agent, streams).with_subscriber(normalised(&capture));
        soon(asked).await.expect("an answer");
        // Its requests are within its calls.
        let expect = "
invoke_agent guide
  chat gpt-4o-mini
    POST
  execute_tool weather
  execute_tool clock
  chat gpt-4o-mini
    POST
";
        assert_tree(outline(&capture), expect);
        let sum = |of: &str| {
            let points = capture.points();
            let points = points.histograms(
                "gen_ai.client.token.usage",
                &[("gen_ai.token.type", of.into())],
            );
            points.iter().filter_map(|point| point.sum).sum::<f64>()
        };
        assert_eq!((sum("input"), sum("output")), (37.0, 14.0), "as served");
        assert_eq!(capture.count("gen_ai.client.operation.duration"), 2);
        let records = capture.records();
        let agent = { records.iter() }.find(|record| record.name == "invoke_agent guide");
        let calls = agent.and_then(|agent| agent.attr("obs.agent.run.inferences"));
        assert_eq!(calls.and_then(AttrValue::as_i64), Some(2));
    }
}

#[tokio::test]
async fn who_sees_its_calls_happen_beneath_tells_them() {
    for streams in [false, true] {
        for beneath in [Beneath::Client, Beneath::Model] {
            let server = serve_each(vec![asks(streams), answers(streams)]).await;
            let capture = Capture::new();
            let agent = plain(beneath.model(&capture, &server.url("")));
            let asked = ask(&agent, streams).with_subscriber(normalised(&capture));
            soon(asked).await.expect("an answer");
            let expect = "
invoke_agent guide
  model
    chat gpt-4o-mini
      POST
  execute_tool weather
  execute_tool clock
  model
    chat gpt-4o-mini
      POST
";
            assert_tree(outline(&capture), expect);
            // With the times of their chunks, of which spans say nothing.
            two_calls(&capture, streams);
        }
    }
}

#[tokio::test]
async fn beside_the_adapter_each_is_told_once() {
    for by in BY {
        for streams in [false, true] {
            let server = serve_each(vec![asks(streams), answers(streams)]).await;
            let capture = Capture::new();
            let model = Beneath::Http.model(&capture, &server.url(""));
            let observer = emitting(&capture);
            let agent = agent_of(by, &observer, model, &Places::default());
            let asked = ask(&agent, streams).with_subscriber(normalised(&capture));
            soon(asked).await.expect("an answer");
            let expect = match by {
                // What it sends is within rig's spans, of which the hook knows nothing.
                By::Hook => {
                    "
agent guide
  POST
  POST
  invoke_agent guide
    chat gpt-4o-mini
    execute_tool weather
    execute_tool clock
    chat gpt-4o-mini
"
                }
                By::All => {
                    "
agent guide
  invoke_agent guide
    chat gpt-4o-mini
      POST
    execute_tool weather
    execute_tool clock
    chat gpt-4o-mini
      POST
"
                }
            };
            assert_tree(outline(&capture), expect);
            two_calls(&capture, streams);
        }
    }
}

#[tokio::test]
async fn what_rig_does_not_say_of_a_refusal_is_not_told() {
    for streams in [false, true] {
        let server = serve(refuses("500 Internal Server Error")).await;
        let capture = Capture::new();
        let agent = plain(Beneath::Http.model(&capture, &server.url("")));
        let asked = ask(&agent, streams).with_subscriber(normalised(&capture));
        soon(asked).await.expect_err("it refuses");
        // rig records nothing of it on its spans, and neither does the layer: what is asked of them is told, and the request that
        // failed beneath them.
        let records = capture.records();
        let failed = records
            .iter()
            .filter(|record| record.error_type().is_some());
        let failed: Vec<_> = failed.map(|record| record.name.as_str()).collect();
        assert_eq!(failed, ["POST"]);
        assert_eq!(records.len(), 3, "{records:#?}");
    }
}
