//! A turn of a rig agent: two calls of a model, whose answers are there at once, and a call of a tool between them.

use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, header};
use obs_agent::{AgentObserver, Handlers, adapters::rig::RigObserver};
use obs_core::StatsLevel;
use opentelemetry::trace::TracerProvider;
use rig_agent::{Agent, AgentBuilder};
use rig_core::{
    Model,
    http_client::{Error, HttpClientExt, LazyBody, MultipartForm, Result, StreamingResponse},
    providers::openai::{OpenAIConfig, wire::Chat},
    tool::PortableTool,
};
use tracing::Dispatch;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

use crate::cases::{
    flat::Flat,
    http::{Kept, builder},
    sdk::{Sdk, same},
};
use crate::harness::pair::Pair;

const DURATION: &str = "gen_ai.client.operation.duration";
const ASKS: u64 = 2;
/// Of the turn, of its tool, and of each call of a model.
const SPANS: u64 = 2 + ASKS;
/// Turns between two settlings.
const BURST: u64 = 32;

const WANTS: &str = r#"{"id":"c0","object":"chat.completion","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16}}"#;
const ANSWERS: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"Rain at noon."},"finish_reason":"stop"}],"usage":{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35}}"#;

/// A client that wants the tool until its answer is there.
#[derive(Clone, Debug)]
struct Answers;

impl HttpClientExt for Answers {
    fn send<T, U>(
        &self,
        request: Request<T>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + Send + 'static
    where
        T: Into<Bytes> + Send,
        U: From<Bytes> + Send + 'static,
    {
        let asked: Bytes = request.into_body().into();
        let is_told = asked.windows(14).any(|text| text == b"\"tool_call_id\"");
        let answer = if is_told { ANSWERS } else { WANTS };
        let body = async { Ok(U::from(Bytes::from_static(answer.as_bytes()))) };
        let answer = Response::builder().header(header::CONTENT_TYPE, "application/json");
        let answer = answer.body(Box::pin(body) as LazyBody<U>);
        std::future::ready(Ok(answer.expect("a head")))
    }

    fn send_multipart<U>(
        &self,
        _: Request<MultipartForm>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + Send + 'static
    where
        U: From<Bytes> + Send + 'static,
    {
        std::future::ready(Err(Error::StreamEnded))
    }

    async fn send_streaming<T>(&self, _: Request<T>) -> Result<StreamingResponse>
    where
        T: Into<Bytes> + Send,
    {
        Err(Error::StreamEnded)
    }
}

#[derive(Clone, Copy, Debug)]
struct Weather;

impl PortableTool for Weather {
    const NAME: &'static str = "weather";
    type Args = serde_json::Value;
    type Output = String;
    type Error = Infallible;

    fn description(&self) -> String {
        "Of a city.".to_owned()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}})
    }

    async fn call(&self, _: serde_json::Value) -> std::result::Result<String, Infallible> {
        Ok("rain".to_owned())
    }
}

fn model() -> Model<Chat> {
    let config = OpenAIConfig::new("sk-of-nobody").with_base_url("http://localhost/v1");
    config.connect(Answers).chat("gpt-4o-mini")
}

/// By nobody.
fn bare() -> Agent {
    AgentBuilder::new(model())
        .name("guide")
        .tool(Weather)
        .build()
}

fn turn_of(agent: &Agent) {
    let mut turn = pin!(agent.prompt("How is it in Oslo?").max_turns(3).run());
    let mut context = Context::from_waker(Waker::noop());
    loop {
        // Nothing waits but for rig's own bus, which it polls itself.
        if let Poll::Ready(answer) = turn.as_mut().poll(&mut context) {
            return drop(std::hint::black_box(answer.expect("an answer")));
        }
    }
}

fn turns(agent: Agent) -> impl FnMut() + 'static {
    move || turn_of(&agent)
}

fn observed(build: impl Fn(&RigObserver) -> Agent) -> Pair {
    let flat = Flat::build(builder(StatsLevel::Base, Kept::None));
    let handlers = Handlers::new().with(AgentObserver::new(&flat.telemetry));
    let agent = build(&RigObserver::new(&handlers));
    let (held, settled) = (flat.clone(), flat);
    Pair::new(turns(bare()), turns(agent))
        .with_burst(BURST)
        .with_settle(move || settled.settle())
        .with_account(move |calls| {
            same(DURATION, held.points_of(DURATION), calls * ASKS)?;
            Ok(format!("{calls} turns, {} calls of models", calls * ASKS))
        })
}

/// By the hook, with its model and its tool within its runs; records of all of them are dropped.
pub(crate) fn turn() -> Pair {
    observed(|rig| {
        rig.agent(model())
            .name("guide")
            .tool(rig.tool(Weather))
            .build()
    })
}

/// By the hook alone.
pub(crate) fn hook() -> Pair {
    observed(|rig| {
        let rig = rig
            .clone()
            .with_model("gpt-4o-mini")
            .with_provider("openai");
        AgentBuilder::new(model())
            .name("guide")
            .tool(Weather)
            .add_hook(rig.hook())
            .build()
    })
}

/// rig's own spans, exported by OpenTelemetry's SDK.
pub(crate) fn tracing() -> Pair {
    let sdk = Sdk::install();
    let spans = tracing_opentelemetry::layer().with_tracer(sdk.tracers.tracer("bench"));
    let wanted = Targets::new().with_target("rig", tracing::Level::TRACE);
    let events = Dispatch::new(tracing_subscriber::registry().with(wanted).with(spans));
    let agent = bare();
    let observed = move || tracing::dispatcher::with_default(&events, || turn_of(&agent));
    // A call site asks once who wants it, and the first that comes by is not to be the bare agent's turn.
    observed();
    let held = sdk.clone();
    sdk.hold(Pair::new(turns(bare()), observed), None)
        .with_burst(BURST)
        .with_account(move |calls| held.account((calls + 1) * SPANS, None))
}
