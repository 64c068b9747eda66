//! Whatever is cut is within its cap and of the form that it had: JSON stays JSON, messages stay messages.

use crate::support::start;
use crate::{captured, observed, text_of};
use obs_agent::{Component, Input, Output, RunParent, Text};
use obs_llm::Dialect;
use obs_llm::content::Capture as Content;
use serde_json::Value;

/// Deep, long, and with what is hard to cut: escapes, signs of several bytes.
fn value() -> String {
    let leaf = "é\\\"\\u0001 x".repeat(40);
    let deep = (0..30).fold(format!("\"{leaf}\""), |inner, n| {
        format!(r#"{{"k{n}":{inner},"l":[1,2,"{leaf}"]}}"#)
    });
    format!(r#"[{deep},{{"id":"second","text":"{leaf}"}},null,1.5,true]"#)
}

fn messages() -> String {
    let text = "é\\\"\\u0001 x".repeat(100);
    let message = format!(
        r#"{{"role":"user","parts":[{{"type":"text","content":"{text}"}},
        {{"type":"tool_call","id":"1","name":"t","arguments":{{"a":"{text}"}}}}]}}"#
    );
    format!("[{}]", vec![message; 8].join(","))
}

#[test]
fn what_is_cut_keeps_its_form() {
    let (value, messages) = (value(), messages());
    let json = |text| Some(Text::Json(text));
    for dialect in [Dialect::V1_41, Dialect::Main] {
        for cap in (0..64).chain([100, 200, 333, 1000, 5000]) {
            let capture = captured();
            let content = Content::spans_and_events()
                .with_attribute_bytes(cap)
                .with_text_bytes(cap);
            let handlers = observed(&capture, content, dialect);
            let mut asked = obs_agent::input::ToolInput::default();
            asked.arguments = json(&value);
            let mut given = obs_agent::output::ToolOutput::default();
            given.result = json(&value);
            let tool = start(
                &handlers,
                Component::Tool,
                "a",
                RunParent::Root,
                &Input::Tool(asked),
            );
            tool.end(&Output::Tool(given));
            let mut asked = obs_agent::input::AgentInput::default();
            (asked.messages, asked.system) = (json(&messages), Some(Text::Plain(&value)));
            let mut given = obs_agent::output::AgentOutput::default();
            given.messages = json(&messages);
            let agent = start(
                &handlers,
                Component::Agent,
                "a",
                RunParent::Root,
                &Input::Agent(asked),
            );
            agent.end(&Output::Agent(given));
            let [tool, agent] = &*capture.records() else {
                panic!("two spans");
            };
            for (record, key) in [
                (tool, "gen_ai.tool.call.arguments"),
                (tool, "gen_ai.tool.call.result"),
                (agent, "gen_ai.input.messages"),
                (agent, "gen_ai.output.messages"),
                (agent, "gen_ai.system_instructions"),
            ] {
                // What there is no room for at all is missing, too.
                assert!(
                    record.attr("obs.llm.content.cut").is_some(),
                    "{key} at {cap}"
                );
                if record.attr(key).is_none() {
                    assert!(cap < 5000, "{key} at {cap}");
                    continue;
                }
                let told = text_of(record, key);
                assert!(told.len() <= cap.max(2), "{key} at {cap}: {}", told.len());
                let told: Value = serde_json::from_str(&told)
                    .unwrap_or_else(|error| panic!("{key} at {cap}: {error}: {told}"));
                if key.ends_with("messages") {
                    for message in told.as_array().expect("a list") {
                        assert!(message["role"].is_string(), "{key} at {cap}: {message}");
                        assert!(message["parts"].is_array(), "{key} at {cap}: {message}");
                    }
                }
            }
        }
    }
}

/// What is missing of a run is one number, of its beginning and its end together.
#[test]
fn what_is_missing_is_counted_once_for_all() {
    let cut = |arguments: usize, result: usize| {
        let capture = captured();
        let content = Content::spans().with_text_bytes(100);
        let handlers = observed(&capture, content, Dialect::V1_41);
        let (arguments, result) = ("a".repeat(arguments), "b".repeat(result));
        let mut asked = obs_agent::input::ToolInput::default();
        asked.arguments = Some(Text::Plain(&arguments));
        let mut given = obs_agent::output::ToolOutput::default();
        given.result = Some(Text::Plain(&result));
        let input = Input::Tool(asked);
        let run = start(&handlers, Component::Tool, "a", RunParent::Root, &input);
        run.end(&Output::Tool(given));
        let record = capture.record();
        let all = { record.attributes.iter() }.filter(|(key, _)| key == "obs.llm.content.cut");
        all.map(|(_, cut)| cut.clone()).collect::<Vec<_>>()
    };
    assert_eq!(cut(100, 100), []);
    assert_eq!(cut(150, 100), [50_i64.into()]);
    assert_eq!(cut(100, 130), [30_i64.into()]);
    assert_eq!(cut(150, 130), [80_i64.into()]);
}

/// What a span may hold holds for what is said on it, too, and what is said stays what it is.
#[test]
fn the_limit_of_attributes_holds() {
    let (value, messages) = (value(), messages());
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let of =
            |name: &str| (name == "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT").then(|| "300".to_owned());
        let environment = obs_core::setup::environment::Environment::from_fn(of);
        let capture = obs_testing::Capture::builder()
            .with(|builder| builder.with_environment(environment))
            .build();
        let handlers = observed(&capture, Content::spans(), dialect);
        let mut asked = obs_agent::input::ToolInput::default();
        asked.arguments = Some(Text::Json(&value));
        let input = Input::Tool(asked);
        let run = start(&handlers, Component::Tool, "a", RunParent::Root, &input);
        run.end(&Output::Tool(Default::default()));
        let mut asked = obs_agent::input::AgentInput::default();
        asked.messages = Some(Text::Json(&messages));
        let input = Input::Agent(asked);
        let run = start(&handlers, Component::Agent, "a", RunParent::Root, &input);
        run.end(&Output::Agent(Default::default()));
        for record in capture.records() {
            for (key, told) in &record.attributes {
                let told = told.as_str().unwrap_or_default();
                assert!(told.len() <= 300, "{key}: {}", told.len());
                if key.ends_with("messages") || key.ends_with("arguments") {
                    serde_json::from_str::<Value>(told).expect("JSON");
                }
            }
        }
    }
}
