//! What is emitted, with whoever else observes beneath.

use crate::client::Sends;
use crate::support::{config, hyper};
use obs_agent::adapters::rig::RigObserver;
use obs_agent::{AgentObserver, Handlers};
use obs_http::HttpClientLayer;
use obs_llm::adapters::rig::ModelLayer;
use obs_llm::{Dialect, Llm, LlmClientLayer};
use obs_testing::Capture;
use rig_core::DynModel;
use rig_core::operation::Completion;
use tower::ServiceBuilder;

fn llm(capture: &Capture) -> Llm {
    Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41)
}

pub(crate) fn handlers(capture: &Capture) -> Handlers {
    let observer = AgentObserver::new(capture.telemetry());
    Handlers::new().with(observer.with_llm(&llm(capture)))
}

pub(crate) fn emitting(capture: &Capture) -> RigObserver {
    RigObserver::new(&handlers(capture))
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
