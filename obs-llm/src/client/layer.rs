//! The layer: settings by value.

use super::service::LlmClient;
use super::settings::{Settings, Told};
use crate::descriptor::LlmOperation;
use crate::llm::Llm;
use crate::provider::Provider;
use crate::wire::Wire;
use obs_core::Telemetry;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tower_layer::Layer;

/// Wraps a service that sends HTTP requests: those that ask a model for something become [calls](crate::LlmCall), all others pass
/// untouched.
///
/// It stands **outside** of layers that retry, redirect or hedge: one call, whose attempts are spans of an HTTP client's layer
/// within. Make one per client at start-up and clone it: its settings are leaked once, at its first use.
///
/// Which requests it takes, it knows by their paths ([`of_path`](crate::wire::of_path)), whatever the host, as engines and gateways are
/// anywhere; or it [is told](Self::with_wire). So a service of another kind that is posted to at `/v1/messages` or `/v1/responses`
/// looks like a model: the client that asks it is to be another one, without this layer. Who answers, it knows by the host where that is a public one of a provider's, or [is told](Self::with_provider); else the
/// provider is `_OTHER`. A format tells nobody who speaks it.
///
/// What is asked for stands in the body, which is read as it passes: a request that fails before that has no model, unless its path
/// or a [`ModelHint`](super::ModelHint) says one. Retries send clones of the body, where it can be cloned; of them the one counts
/// that was begun last, until one is read to its end.
///
/// Data of several pieces is read where its [`chunks_vectored`](bytes::Buf::chunks_vectored) shows all of it, in 64 pieces at most.
/// What is not shown, or is in a coding that is not read, is measured without usage, and counted as `unreadable`.
///
/// Within a call of the same sort that is observed already, by an adapter of a client library, it does nothing: no inference counts
/// twice. Embeddings that are asked for within an inference are a call of their own, and so the other way round.
#[derive(Clone, Debug)]
pub struct LlmClientLayer {
    llm: Llm,
    told: Told,
    leaked: Arc<OnceLock<&'static Settings>>,
}

impl LlmClientLayer {
    /// A layer that reports to `telemetry`, with an [`Llm`] as it is by default.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self::of(&Llm::new(telemetry))
    }

    /// A layer whose calls are those of `llm`.
    pub fn of(llm: &Llm) -> Self {
        Self {
            llm: llm.clone(),
            told: Told::default(),
            leaked: Arc::default(),
        }
    }

    /// Who answers: of an engine or a gateway under a name of one's own.
    #[must_use]
    pub fn with_provider(self, provider: Provider) -> Self {
        self.set(|told| told.provider = Some(provider))
    }

    /// What requests are whose paths tell nothing: this format, asking for this. Without it they pass unobserved.
    #[must_use]
    pub fn with_wire(self, wire: Wire, operation: LlmOperation) -> Self {
        self.set(|told| told.wire = Some((wire, operation)))
    }

    /// Whom the client asks (`server.address`, `server.port`), where requests do not say it.
    #[must_use]
    pub fn with_server(self, address: &str, port: Option<u16>) -> Self {
        self.set(|told| told.address = Some((address.into(), port)))
    }

    /// From which time on a call that is given up counts as timed out, and not as cancelled. It observes only: whoever gives up is
    /// somebody else.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        self.set(|told| told.deadline = Some(deadline))
    }

    fn set(mut self, change: impl FnOnce(&mut Told)) -> Self {
        change(&mut self.told);
        self.leaked = Arc::default();
        self
    }

    pub(crate) fn leak(&self) -> &'static Settings {
        self.leaked.get_or_init(|| {
            Box::leak(Box::new(Settings {
                llm: self.llm.shared(),
                told: self.told.clone(),
            }))
        })
    }
}

impl<S> Layer<S> for LlmClientLayer {
    type Service = LlmClient<S>;

    fn layer(&self, inner: S) -> LlmClient<S> {
        LlmClient {
            inner,
            settings: self.leak(),
        }
    }
}
