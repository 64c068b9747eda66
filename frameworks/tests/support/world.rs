//! A telemetry of one's own, and a model that says what it is told to.

#[path = "../../../obs-llm/tests/support/scripted.rs"]
pub(crate) mod scripted;

use obs_agent::normalise::Normaliser;
use obs_agent::{AgentObserver, Handlers};
use obs_testing::Capture;
use scripted::{Act, Server};
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;

pub(crate) struct World {
    pub(crate) capture: Capture,
    pub(crate) dispatch: Dispatch,
}

impl World {
    pub(crate) fn new() -> Self {
        let capture = Capture::new();
        let handlers = Handlers::new().with(AgentObserver::new(capture.telemetry()));
        let normaliser = Normaliser::new(&handlers).with_telemetry(capture.telemetry());
        let subscriber = tracing_subscriber::registry().with(normaliser.into_layer());
        Self {
            capture,
            dispatch: Dispatch::new(subscriber),
        }
    }

    /// Tokens that were counted, of input and output, and of how many calls.
    pub(crate) fn tokens(&self) -> (u64, u64, u64) {
        let points = self.capture.points();
        let sum = |of: &str| {
            let points = points.histograms(
                "gen_ai.client.token.usage",
                &[("gen_ai.token.type", of.into())],
            );
            points
                .into_iter()
                .filter_map(|point| point.sum)
                .sum::<f64>() as u64
        };
        assert_eq!(
            self.capture.in_flight("obs.llm.client.active_calls"),
            0,
            "calls that go on"
        );
        (
            sum("input"),
            sum("output"),
            self.capture.count("gen_ai.client.operation.duration"),
        )
    }

    /// What happened, with what is the same each time.
    pub(crate) fn tree(&self) -> String {
        let keys = [
            "gen_ai.provider.name",
            "gen_ai.response.model",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "gen_ai.tool.name",
            "gen_ai.request.stream",
            "obs.agent.implementation",
            "error.type",
        ];
        self.capture
            .tree()
            .with_attributes(keys)
            .to_string()
            .trim_end()
            .to_owned()
    }
}

/// An answer in one piece.
pub(crate) fn answer(json: &str) -> Vec<Act> {
    let length = json.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    vec![Act::Send(head + json)]
}

/// One that is streamed, event by event.
pub(crate) fn stream(events: &[&str]) -> Vec<Act> {
    let mut acts = vec![Act::Send(scripted::STREAM.to_owned())];
    acts.extend(
        events
            .iter()
            .map(|event| Act::Chunk(format!("data: {event}\n\n"))),
    );
    acts.push(Act::Last);
    acts
}

/// Where the interface of a served model begins.
pub(crate) fn base(server: &Server) -> String {
    server.url("/v1")
}

/// A model of OpenAI's that calls a tool, and one that answers, with these tokens.
pub(crate) fn calls_tool((input, output): (u32, u32)) -> String {
    let total = input + output;
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[{{"index":0,"message":{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_1","type":"function","function":{{"name":"weather","arguments":"{{\"input\":\"Oslo\"}}"}}}}]}},"finish_reason":"tool_calls"}}],"usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}}}"#
    )
}

pub(crate) fn says((input, output): (u32, u32)) -> String {
    let total = input + output;
    format!(
        r#"{{"id":"chatcmpl-2","object":"chat.completion","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[{{"index":0,"message":{{"role":"assistant","content":"It rains."}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}}}"#
    )
}

/// The lines of a tree, without the indent of a test.
pub(crate) fn lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().skip(1).collect();
    let indent = lines
        .iter()
        .map(|line| line.len() - line.trim_start().len());
    let indent = indent.min().unwrap_or(0);
    lines
        .iter()
        .map(|line| &line[indent..])
        .collect::<Vec<_>>()
        .join("\n")
}
