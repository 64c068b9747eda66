//! Agents with two tools.

use crate::client::Sends;
use crate::told::Told;
use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body::Body;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use obs_agent::adapters::rig::RigObserver;
use obs_agent::{Handlers, RunId, RunRef, current};
use rig_agent::agent::{Agent, AgentBuilder};
use rig_agent::completion::PromptError;
use rig_core::operation::Completion;
use rig_core::providers::openai::OpenAIConfig;
use rig_core::providers::openai::wire::Chat;
use rig_core::tool::{PortableTool, ToolExecutionError};
use rig_core::{DynModel, Model};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tower::util::service_fn;
use tower::{Service, ServiceExt};

/// hyper-util's, with whatever stands outside of it.
pub(crate) fn hyper<B>() -> Client<HttpConnector, B>
where
    B: Body + Send,
    B::Data: Send,
{
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) fn config(url: &str) -> OpenAIConfig {
    OpenAIConfig::new("sk-secret").with_base_url(format!("{url}/v1"))
}

/// A model of OpenAI's chat completions.
pub(crate) fn chat(url: &str) -> Model<Chat> {
    config(url).connect(Sends(hyper())).chat("gpt-4o-mini")
}

/// The runs in which something was done.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<Vec<Option<RunRef>>>>);

impl Places {
    pub(crate) fn here(&self) {
        self.0.lock().unwrap().push(current::run());
    }

    /// Which they were, since they were last asked for.
    pub(crate) fn runs(&self) -> Vec<Option<RunId>> {
        let places = std::mem::take(&mut *self.0.lock().unwrap());
        places
            .iter()
            .map(|run| run.as_ref().map(RunRef::id))
            .collect()
    }

    /// Their names; `-` where there was none.
    pub(crate) fn take(&self) -> Vec<String> {
        let places = std::mem::take(&mut *self.0.lock().unwrap());
        let name = |run: &Option<RunRef>| match run {
            Some(run) => run.info().name.to_owned(),
            None => "-".to_owned(),
        };
        places.iter().map(name).collect()
    }
}

/// The same model, of which it is written down in which run it sends.
pub(crate) fn chat_in(url: &str, places: &Places) -> Model<Chat> {
    let (client, places) = (hyper(), places.clone());
    let sends = service_fn(move |request: Request<Full<Bytes>>| {
        places.here();
        let client = client.clone();
        async move { client.clone().ready().await?.call(request).await }
    });
    config(url).connect(Sends(sends)).chat("gpt-4o-mini")
}

pub(crate) struct Weather;

impl PortableTool for Weather {
    const NAME: &'static str = "weather";
    type Args = serde_json::Value;
    type Output = String;
    type Error = ToolExecutionError;

    fn description(&self) -> String {
        "Of a city.".to_owned()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}})
    }

    async fn call(&self, args: Self::Args) -> Result<String, ToolExecutionError> {
        match args.get("city").and_then(|city| city.as_str()) {
            Some("Atlantis") => Err(ToolExecutionError::not_found("it sank")),
            Some("Babel") => panic!("as the test wants"),
            _ => Ok("rain".to_owned()),
        }
    }
}

pub(crate) struct Clock(pub(crate) Places);

impl PortableTool for Clock {
    const NAME: &'static str = "clock";
    type Args = serde_json::Value;
    type Output = String;
    type Error = Infallible;

    fn description(&self) -> String {
        "The time.".to_owned()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({"type": "object", "properties": {}})
    }

    async fn call(&self, _: Self::Args) -> Result<String, Infallible> {
        self.0.here();
        tokio::task::yield_now().await;
        self.0.here();
        Ok("noon".to_owned())
    }
}

/// How an agent is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// By the hook alone.
    Hook,
    /// With its model and its tools.
    All,
}

pub(crate) const BY: [By; 2] = [By::Hook, By::All];

pub(crate) fn observer(told: &Told) -> RigObserver {
    RigObserver::new(&Handlers::new().with(told.clone()))
}

pub(crate) fn agent(by: By, told: &Told, url: &str) -> Agent {
    agent_of(by, &observer(told), chat(url), &Places::default())
}

pub(crate) fn agent_of(
    by: By,
    observer: &RigObserver,
    model: impl Into<DynModel<Completion>>,
    places: &Places,
) -> Agent {
    let clock = Clock(places.clone());
    let name = |builder: AgentBuilder| builder.name("guide").default_max_turns(4);
    match by {
        By::Hook => {
            let observer = observer.clone().with_provider("openai");
            let observer = observer.with_model("gpt-4o-mini");
            name(AgentBuilder::new(model))
                .tool(Weather)
                .tool(clock)
                .add_hook(observer.hook())
                .build()
        }
        By::All => name(observer.agent(model))
            .tool(observer.tool(Weather))
            .tool(observer.tool(clock))
            .build(),
    }
}

/// Asks it, to the end.
pub(crate) async fn ask(agent: &Agent, streams: bool) -> Result<(), PromptError> {
    let runner = agent.prompt("How is it in Oslo?");
    match streams {
        false => runner.run().await.map(drop),
        true => {
            let mut items = runner.stream();
            while let Some(item) = items.next().await {
                item?;
            }
            Ok(())
        }
    }
}
