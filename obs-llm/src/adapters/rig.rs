//! rig: a layer around its models, which stay models.
//!
//! ```no_run
//! # fn doc(telemetry: &obs_core::Telemetry, http: rig_core::http_client::DynHttpClient) {
//! use obs_llm::Llm;
//! use obs_llm::adapters::rig::ModelLayer;
//! use rig_core::providers::openai::OpenAIConfig;
//!
//! let openai = OpenAIConfig::new("sk-…").connect(http);
//! let models = ModelLayer::new(&Llm::new(telemetry));
//!
//! let model = models.layer(openai.completion("gpt-4o-mini"));
//! // Called, streamed, given to an agent: `AgentBuilder::new(model)`.
//! # let _ = model;
//! # }
//! ```
//!
//! A model of rig's is a wire (what to send, and how to read the answer) on a transport (how it travels). The layer puts one of its own
//! around each: where a request has been encoded a call begins, and it lasts as long as the answer's frames do. So every caller is
//! observed alike: `call`, `stream`, a model that is erased, an agent with its loop of tools. What rig makes of the frames is as
//! without it.
//!
//! # What it sees
//!
//! | | over HTTP, in a format that is read here | any other |
//! |---|---|---|
//! | model, provider, kind of request | yes | yes |
//! | parameters | of the request's body | temperature, tokens, `top_p`, seed, stop sequences |
//! | server | yes | – |
//! | first chunk, gaps, tokens, reasons, id, model that answers | by frame | – |
//! | prompts and answers, where they are asked for | yes | – |
//! | the end | by its format | by rig's decoder |
//! | errors | status, and the provider's code | rig's kind of error |
//!
//! The formats are those of [`wire`](crate::wire), known by the path of the request; of rig's own providers Cohere's and Gemini's
//! interactions are others, and so is whatever a model of one's own sends. Completions and embeddings are observed. Transcriptions,
//! images, speech, rerankings and lists pass.
//!
//! # What it cannot see
//!
//! Bytes, attempts, connections: the transport inside has them. An `HttpClientExt` that sends through tower's services can have
//! `obs-http`'s client layer beneath, whose spans are then the call's children, and [`LlmClientLayer`](crate::LlmClientLayer), which
//! does nothing within the call: no inference counts twice. A request that rig refuses to encode is no call. An answer that breaks
//! before its first frame is `service_error`, after it `body_error`. Whether whoever sends gave up in time is told by its error,
//! where that says so.

mod asked;
mod failure;
mod fate;
mod provider;
mod settings;
mod transport;
mod wire;

pub use transport::ObservedTransport;
pub use wire::{ObservedDecoder, ObservedPayload, ObservedWire};

use crate::llm::Llm;
use crate::provider::Provider;
use rig_core::Model;
use rig_core::driver::Transport;
use rig_core::wire::Wire;
use settings::Settings;
use std::sync::Arc;
use std::time::Duration;

/// Wraps models of rig's: each request that they send becomes a [call](crate::LlmCall), the child of what is current.
///
/// Who answers, it knows by the host where that is a public one of a provider's, else by rig's name for the provider; `openai` and
/// `anthropic` at another host name a format that many speak, and the provider is `_OTHER` unless it [is told](Self::with_provider).
#[derive(Clone, Debug)]
pub struct ModelLayer {
    settings: Arc<Settings>,
}

impl ModelLayer {
    /// A layer whose calls are those of `llm`.
    pub fn new(llm: &Llm) -> Self {
        Self {
            settings: Arc::new(Settings {
                llm: llm.clone(),
                provider: None,
                server: None,
                deadline: None,
            }),
        }
    }

    /// Who answers: of an engine or a gateway under a name of one's own.
    #[must_use]
    pub fn with_provider(self, provider: Provider) -> Self {
        self.set(|settings| settings.provider = Some(provider))
    }

    /// Whom the models ask (`server.address`, `server.port`), where it is not the host of their requests.
    #[must_use]
    pub fn with_server(self, address: &str, port: Option<u16>) -> Self {
        self.set(|settings| settings.server = Some((address.to_owned(), port)))
    }

    /// From which time on a call that is given up counts as timed out, and not as cancelled. It observes only.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(deadline))
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    /// The same model, observed.
    pub fn layer<W: Wire, T: Transport<W>>(
        &self,
        model: Model<W, T>,
    ) -> Model<ObservedWire<W>, ObservedTransport<T>> {
        let wire = ObservedWire {
            inner: model.wire,
            settings: self.settings.clone(),
        };
        let transport = ObservedTransport {
            inner: model.transport,
        };
        Model::new(wire, transport)
    }
}
