//! What is emitted, with whoever else observes beneath.

use crate::client::Sends;
use crate::support::{config, hyper};
use obs_agent::adapters::rig::RigObserver;
use obs_agent::{AgentObserver, Handlers};
use obs_http::HttpClientLayer;
use obs_llm::adapters::rig::ModelLayer;
use obs_llm::{Dialect, Llm, LlmClientLayer};
use obs_testing::{AttrValue, Capture, CapturedRecord};
use rig_core::DynModel;
use rig_core::operation::Completion;
use std::fmt::Write;
use tower::ServiceBuilder;

const DURATION: &str = "gen_ai.client.operation.duration";
const FIRST: &str = "gen_ai.client.operation.time_to_first_chunk";
const TOKENS: &str = "gen_ai.client.token.usage";
const ACTIVE: &str = "obs.llm.client.active_calls";

fn llm(capture: &Capture) -> Llm {
    Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41)
}

pub(crate) fn emitting(capture: &Capture) -> RigObserver {
    let observer = AgentObserver::new(capture.telemetry()).with_llm(&llm(capture));
    RigObserver::new(&Handlers::new().with(observer))
}

/// Names of spans as they stand within each other, in the order in which they began.
pub(crate) fn outline(capture: &Capture) -> String {
    assert_eq!(capture.in_flight(ACTIVE), 0, "calls in flight");
    let mut records = capture.records();
    records.sort_by_key(|record| record.start_ns);
    let mut outline = String::new();
    let roots: Vec<_> = records
        .iter()
        .filter(|record| record.parent_span_id.is_none())
        .collect();
    for root in roots {
        write(&records, root, 0, &mut outline);
    }
    assert_eq!(outline.lines().count(), records.len(), "{records:#?}");
    outline
}

fn write(records: &[CapturedRecord], of: &CapturedRecord, depth: usize, outline: &mut String) {
    let _ = writeln!(outline, "{:1$}{2}", "", depth * 2, of.name);
    let within = records
        .iter()
        .filter(|record| record.parent_span_id == Some(of.span_id));
    for record in within {
        write(records, record, depth + 1, outline);
    }
}

/// Two calls, each with the tokens that the server told.
#[track_caller]
pub(crate) fn two_calls(capture: &Capture, streams: bool) {
    assert_eq!(capture.count(DURATION), 2, "calls");
    assert_eq!(capture.count(TOKENS), 4, "of each its input and output");
    assert_eq!(capture.count(FIRST), if streams { 2 } else { 0 });
    let records = capture.records();
    let calls = records
        .iter()
        .filter(|record| record.name == "chat gpt-4o-mini");
    let tokens = |name| {
        let of = move |call: &CapturedRecord| call.attr(name).and_then(AttrValue::as_i64);
        calls.clone().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(tokens("gen_ai.usage.input_tokens"), [7, 30]);
    assert_eq!(tokens("gen_ai.usage.output_tokens"), [9, 5]);
}

/// What observes beneath the agent's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beneath {
    /// Its requests.
    Http,
    /// And the bytes of calls of models among them.
    Client,
    /// And the model.
    Model,
}

impl Beneath {
    pub(crate) fn model(self, capture: &Capture, url: &str) -> DynModel<Completion> {
        let http = HttpClientLayer::new(capture.telemetry());
        if self == Self::Http {
            let sends = ServiceBuilder::new().layer(http).service(hyper());
            let openai = config(url).connect(Sends(sends));
            return openai.chat("gpt-4o-mini").erase();
        }
        let sends = ServiceBuilder::new()
            .layer(LlmClientLayer::of(&llm(capture)))
            .layer(http)
            .service(hyper());
        let model = config(url).connect(Sends(sends)).chat("gpt-4o-mini");
        match self {
            Self::Model => ModelLayer::new(&llm(capture)).layer(model).erase(),
            _ => model.erase(),
        }
    }
}

pub(crate) const TREE: &str = "
invoke_agent guide
  chat gpt-4o-mini
    POST
  execute_tool weather
  execute_tool clock
  chat gpt-4o-mini
    POST
";
