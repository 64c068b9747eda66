//! Models, and what is to be known of the only call.

use crate::client::Sends;
pub(crate) use crate::record::{ACTIVE, DURATION, FIRST, TOKENS, int, over};
use futures_util::StreamExt;
use http_body::Body;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use obs_llm::adapters::rig::{ModelLayer, ObservedTransport, ObservedWire};
use obs_llm::{Dialect, Llm};
use obs_testing::Capture;
use rig_core::Model;
use rig_core::completion::CompletionRequest;
use rig_core::driver::{Exchange, Opening, Transport};
use rig_core::http_client::DynHttpClient;
use rig_core::providers::anthropic::{Anthropic, AnthropicConfig};
use rig_core::providers::openai::wire::Chat;
use rig_core::providers::openai::{OpenAI, OpenAIConfig};
use rig_core::streaming::CompletionStream;
use rig_core::wire::Wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// hyper-util's, with whatever stands outside of it.
pub(crate) fn hyper<B>() -> Client<HttpConnector, B>
where
    B: Body + Send,
    B::Data: Send,
{
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) fn llm(capture: &Capture) -> Llm {
    Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41)
}

pub(crate) fn layer(capture: &Capture) -> ModelLayer {
    ModelLayer::new(&llm(capture))
}

pub(crate) fn openai(url: &str) -> OpenAI {
    let config = OpenAIConfig::new("sk-secret").with_base_url(format!("{url}/v1"));
    config.connect(Sends(hyper()))
}

pub(crate) fn anthropic(url: &str) -> Anthropic {
    let config = AnthropicConfig::new("sk-secret").with_base_url(url);
    config.connect(Sends(hyper()))
}

pub(crate) type Observed<W> = Model<ObservedWire<W>, ObservedTransport<DynHttpClient>>;

/// A model of OpenAI's chat completions.
pub(crate) fn chat(capture: &Capture, url: &str) -> Observed<Chat> {
    layer(capture).layer(openai(url).chat("gpt-4o-mini"))
}

pub(crate) fn hello() -> CompletionRequest {
    CompletionRequest::new("what nobody is to know")
}

/// A transport that counts the frames that are read of it.
#[derive(Clone)]
pub(crate) struct Counted<T> {
    inner: T,
    frames: Arc<AtomicUsize>,
}

impl<W: Wire, T: Transport<W>> Transport<W> for Counted<T> {
    fn send(&self, payload: W::Payload, exchange: Exchange) -> Opening<W::Frame> {
        let opening = self.inner.send(payload, exchange);
        let counts = self.frames.clone();
        Opening::new(async move {
            let count = move |_: &_| {
                counts.fetch_add(1, Ordering::Relaxed);
            };
            Ok(opening.await?.map_frames(|frames| frames.inspect(count)))
        })
    }
}

/// How many frames have been read.
pub(crate) struct Frames(Arc<AtomicUsize>);

impl Frames {
    /// Of this model from now on.
    pub(crate) fn of<W>(model: Model<W>) -> (Model<W, Counted<DynHttpClient>>, Self) {
        let frames = Arc::new(AtomicUsize::new(0));
        let transport = Counted {
            inner: model.transport,
            frames: frames.clone(),
        };
        (Model::new(model.wire, transport), Self(frames))
    }

    /// Asks for more until so many have been, whatever comes of them.
    pub(crate) async fn read(&self, stream: &mut CompletionStream, frames: usize) {
        while self.0.load(Ordering::Relaxed) < frames {
            let pause = Duration::from_millis(1);
            if let Ok(Some(item)) = tokio::time::timeout(pause, stream.next()).await {
                item.expect("unbroken");
            }
        }
    }
}
