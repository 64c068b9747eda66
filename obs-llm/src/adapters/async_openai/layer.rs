//! The layer: the settings of another one.

use super::service::AsyncOpenAi;
use crate::client::LlmClientLayer;
use crate::llm::Llm;
use obs_core::Telemetry;
use tower_layer::Layer;

/// Wraps an HTTP service of async-openai's, the one that its client is given by `with_http_service`.
///
/// What it is told, it is told as an [`LlmClientLayer`], which it is made [from](Self::from) where there is something to tell.
#[derive(Clone, Debug)]
pub struct AsyncOpenAiLayer(LlmClientLayer);

impl AsyncOpenAiLayer {
    /// A layer that reports to `telemetry`, with an [`Llm`] as it is by default.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self(LlmClientLayer::new(telemetry))
    }

    /// A layer whose calls are those of `llm`.
    pub fn of(llm: &Llm) -> Self {
        Self(LlmClientLayer::of(llm))
    }
}

/// With the settings of a layer around an HTTP client: provider, format, server, deadline.
impl From<LlmClientLayer> for AsyncOpenAiLayer {
    fn from(layer: LlmClientLayer) -> Self {
        Self(layer)
    }
}

impl<S> Layer<S> for AsyncOpenAiLayer {
    type Service = AsyncOpenAi<S>;

    fn layer(&self, inner: S) -> AsyncOpenAi<S> {
        AsyncOpenAi {
            inner,
            settings: self.0.leak(),
        }
    }
}
