//! genai: a client of its own around theirs, under the same names.
//!
//! ```no_run
//! # async fn doc(telemetry: &obs_core::Telemetry) -> Result<(), Box<dyn std::error::Error>> {
//! use genai::chat::ChatRequest;
//! use obs_llm::Llm;
//! use obs_llm::adapters::genai::Client;
//!
//! let client = Client::new(genai::Client::new()?, &Llm::new(telemetry));
//!
//! let asked = ChatRequest::from_user("Why is the sky blue?");
//! let mut answer = client.exec_chat_stream("gpt-4o-mini", asked, None).await?;
//! // `answer.stream` is read as genai's is; the call ends with it.
//! # let _ = &mut answer.stream;
//! # Ok(())
//! # }
//! ```
//!
//! # What it sees
//!
//! | | one answer | a stream whose frames are read | another stream |
//! |---|---|---|---|
//! | model, parameters, provider; prompts, where they are asked for | yes | yes | yes |
//! | answers, where they are asked for | yes | yes | those that genai was asked to gather |
//! | first chunk, gaps | – | by frame, of whichever kind | by genai's events: text, reasoning, calls of tools |
//! | tokens | as genai tells them | as they come, so that a stream that is cut has those that were told | at its end, with `capture_usage` |
//! | reason, id | yes (id of Responses alone) | yes | at its end |
//! | model that answers | yes | yes | – |
//! | errors | status, and the provider's code | and those within the stream | and those within the stream |
//!
//! genai shows the frames of a stream to a [sink](genai::chat::ChatFrameSink) in the options of the call, which is where this looks;
//! a sink of the user's in those options is called as before. Frames are read of providers that speak OpenAI's chat completions or
//! Responses, Anthropic's messages, Gemini's or Ollama's format; not of Bedrock, Cohere, Gemini's interactions, Baidu and OpenCode.
//! And where the client was built with default options they are not, as options of a call would take the place of some of them,
//! unless they are told here as well: [`Client::with_chat_options`].
//!
//! # What it cannot see
//!
//! Bytes, attempts, connections. genai sends by a `reqwest::Client`, which has no place for a layer: neither ours for HTTP clients
//! nor [`LlmClientLayer`](crate::LlmClientLayer) can stand beneath. Where genai's resolvers name another place than an adapter's
//! own, they are not asked twice, and the provider is the adapter's: tell it with [`Client::with_provider`] and
//! [`Client::with_server`]. A model given as a `ServiceTarget` says its place itself.
//!
//! Within a call that is observed already it does nothing: no inference counts twice. genai's own spans (its feature `otel`) are
//! `tracing`'s, and beside these.
//!
//! TLS is the service's choice, by genai's own features.

mod answered;
mod asked;
#[cfg(feature = "content")]
mod content;
#[cfg(not(feature = "content"))]
#[path = "genai/no_content.rs"]
mod content;
mod failure;
mod frames;
mod provider;

use super::within::{Within, WithinStream};
use crate::call::LlmCall;
use crate::descriptor::LlmOperation;
use crate::llm::Llm;
use crate::provider::Provider;
use crate::wire::{Framing, RequestSink};
use answered::Reader;
use asked::Options;
use frames::{Frames, Tap};
use futures_core::Stream;
use genai::adapter::AdapterKind;
use genai::chat::{ChatOptions, ChatRequest, ChatResponse, ChatStreamEvent};
use genai::embed::{EmbedOptions, EmbedRequest, EmbedResponse};
use genai::{ModelIden, ModelSpec};
use obs_core::OTHER;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// An observed client of genai's. Each call of a model through it is a [call](LlmCall), the child of what is current.
#[derive(Clone, Debug)]
pub struct Client {
    inner: genai::Client,
    llm: Llm,
    provider: Option<Provider>,
    server: Option<(String, Option<u16>)>,
    deadline: Option<Duration>,
    defaults: Option<ChatOptions>,
    /// Options of a call take the place of nothing that is not known here.
    may_add_options: bool,
    asks_usage: bool,
}

impl Client {
    /// Around `inner`, whose calls are those of `llm`.
    pub fn new(inner: genai::Client, llm: &Llm) -> Self {
        // Whether a client has defaults nothing says but this. Where it is said in other words, less is seen, and nothing changed.
        let may_add_options = format!("{inner:?}").contains("chat_options: None");
        Self {
            inner,
            llm: llm.clone(),
            provider: None,
            server: None,
            deadline: None,
            defaults: None,
            may_add_options,
            asks_usage: false,
        }
    }

    /// Who answers: where the client's resolvers send a provider's format to somebody else.
    #[must_use]
    pub fn with_provider(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Whom the client asks (`server.address`, `server.port`), where the model does not say it.
    #[must_use]
    pub fn with_server(mut self, address: &str, port: Option<u16>) -> Self {
        self.server = Some((address.to_owned(), port));
        self
    }

    /// From which time on a call that is given up counts as timed out, and not as cancelled. It observes only.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The options that the client was built with, which it does not show: parameters are then told, and frames read, of calls
    /// without options of their own as well.
    #[must_use]
    pub fn with_chat_options(mut self, options: ChatOptions) -> Self {
        self.defaults = Some(options);
        self.may_add_options = true;
        self
    }

    /// Asks for a report of tokens at the end of streams that say nothing else (`capture_usage`). By default requests are sent as
    /// they are, and a stream of OpenAI's format then has no tokens. It holds for streams whose options may be added to.
    #[must_use]
    pub fn asking_for_usage(mut self) -> Self {
        self.asks_usage = true;
        self
    }

    /// The client inside.
    pub fn get_ref(&self) -> &genai::Client {
        &self.inner
    }

    /// The client inside.
    pub fn into_inner(self) -> genai::Client {
        self.inner
    }

    /// A call, if nobody observes it yet.
    fn begin(&self, operation: LlmOperation, model: &ModelSpec) -> Option<LlmCall> {
        if self.llm.shared().passes(operation) {
            return None;
        }
        let (name, adapter, at) = match model {
            ModelSpec::Name(name) => {
                let adapter = self.inner.adapter_kind();
                let adapter = adapter.or_else(|| AdapterKind::from_model(name).ok());
                (name, adapter, None)
            }
            ModelSpec::Iden(model) => (&model.model_name, Some(model.adapter_kind), None),
            ModelSpec::Target(target) => {
                let at = reqwest::Url::parse(target.endpoint.base_url()).ok();
                let model = &target.model;
                (&model.model_name, Some(model.adapter_kind), at)
            }
        };
        let by_model;
        let provider = match (&self.provider, adapter) {
            (Some(provider), _) => provider,
            (None, Some(adapter)) => {
                by_model = match &at {
                    Some(at) => provider::at(adapter, at.host_str()),
                    None => provider::of_kind(adapter),
                };
                &by_model
            }
            (None, None) => &Provider::named(OTHER),
        };
        let mut call = self.llm.call(operation, provider);
        if !call.is_recording() {
            return None;
        }
        call.model(name.namespace_and_name().1);
        match (&self.server, &at) {
            (Some((address, port)), _) => call.set_server(address, *port),
            (None, Some(at)) => {
                if let Some(host) = at.host_str() {
                    call.set_server(host, at.port_or_known_default());
                }
            }
            (None, None) => {}
        }
        if let (Some(deadline), Some(mut active)) = (self.deadline, call.active()) {
            active.set_deadline(deadline);
        }
        Some(call)
    }

    /// The options of a call.
    fn options<'a>(&'a self, own: Option<&'a ChatOptions>) -> Options<'a> {
        Options {
            own,
            default: self.defaults.as_ref(),
        }
    }

    /// As [`genai::Client::exec_chat`].
    ///
    /// # Errors
    ///
    /// Those of genai.
    pub async fn exec_chat(
        &self,
        model: impl Into<ModelSpec>,
        chat_req: ChatRequest,
        options: Option<&ChatOptions>,
    ) -> genai::Result<ChatResponse> {
        let model = model.into();
        let Some(mut call) = self.begin(LlmOperation::Chat, &model) else {
            return self.inner.exec_chat(model, chat_req, options).await;
        };
        self.options(options).tell(&mut call);
        asked::request(&chat_req, &mut call);
        content::request(&chat_req, &mut call);
        let asking = self.inner.exec_chat(model, chat_req, options);
        let (answer, mut call) = Within::new(asking, call).await;
        match &answer {
            Ok(answer) => {
                answered::chat(answer, &mut call);
                call.end();
            }
            Err(error) => failure::end(&mut call, error, wire_of(error)),
        }
        answer
    }

    /// As [`genai::Client::exec_chat_stream`], which sends the request when the stream is first asked for something.
    ///
    /// # Errors
    ///
    /// Those of genai.
    pub async fn exec_chat_stream(
        &self,
        model: impl Into<ModelSpec>,
        chat_req: ChatRequest,
        options: Option<&ChatOptions>,
    ) -> genai::Result<ChatStreamResponse> {
        let model = model.into();
        let Some(mut call) = self.begin(LlmOperation::Chat, &model) else {
            let answer = self
                .inner
                .exec_chat_stream(model, chat_req, options)
                .await?;
            return Ok(ChatStreamResponse {
                stream: ChatStream(WithinStream::new(answer.stream, None)),
                model_iden: answer.model_iden,
            });
        };
        call.stream(true);
        self.options(options).tell(&mut call);
        asked::request(&chat_req, &mut call);
        content::request(&chat_req, &mut call);
        let tapped = self.tapped(options);
        let (options, frames) = match &tapped {
            Some((options, frames)) => (Some(options), Some(frames.clone())),
            None => (options, None),
        };
        let asking = self.inner.exec_chat_stream(model, chat_req, options);
        let (answer, mut call) = Within::new(asking, call).await;
        match answer {
            Ok(answer) => {
                let reader = Reader::new(&mut call, &answer.model_iden, frames);
                let watched = Some((call, reader));
                Ok(ChatStreamResponse {
                    stream: ChatStream(WithinStream::new(answer.stream, watched)),
                    model_iden: answer.model_iden,
                })
            }
            Err(error) => {
                failure::end(&mut call, &error, wire_of(&error));
                Err(error)
            }
        }
    }

    /// The options of a streamed call, with a place to look at its frames.
    fn tapped(&self, own: Option<&ChatOptions>) -> Option<(ChatOptions, Arc<Frames>)> {
        if !self.may_add_options {
            return None;
        }
        let default = self.defaults.as_ref();
        let frames = Frames::new(Framing::EventStream);
        let mut options = own.or(default).cloned().unwrap_or_default();
        let users = options.raw_frame_sink.take();
        let users = users.or_else(|| default.and_then(|default| default.raw_frame_sink.clone()));
        let is_told = |options: &ChatOptions| options.capture_usage.is_some();
        if self.asks_usage && !is_told(&options) && !default.is_some_and(is_told) {
            options.capture_usage = Some(true);
        }
        let tap = Tap {
            frames: frames.clone(),
            users,
        };
        Some((options.with_raw_frame_sink(tap), frames))
    }

    /// As [`genai::Client::embed`].
    ///
    /// # Errors
    ///
    /// Those of genai.
    pub async fn embed(
        &self,
        model: impl Into<ModelSpec>,
        input: impl Into<String>,
        options: Option<&EmbedOptions>,
    ) -> genai::Result<EmbedResponse> {
        self.exec_embed(model, EmbedRequest::new(input), options)
            .await
    }

    /// As [`genai::Client::embed_batch`].
    ///
    /// # Errors
    ///
    /// Those of genai.
    pub async fn embed_batch(
        &self,
        model: impl Into<ModelSpec>,
        inputs: Vec<String>,
        options: Option<&EmbedOptions>,
    ) -> genai::Result<EmbedResponse> {
        self.exec_embed(model, EmbedRequest::new_batch(inputs), options)
            .await
    }

    /// As [`genai::Client::exec_embed`].
    ///
    /// # Errors
    ///
    /// Those of genai.
    pub async fn exec_embed(
        &self,
        model: impl Into<ModelSpec>,
        embed_req: EmbedRequest,
        options: Option<&EmbedOptions>,
    ) -> genai::Result<EmbedResponse> {
        let model = model.into();
        let Some(mut call) = self.begin(LlmOperation::Embeddings, &model) else {
            return self.inner.exec_embed(model, embed_req, options).await;
        };
        if let Some(options) = options {
            asked::embeddings(options, &mut call);
        }
        let asking = self.inner.exec_embed(model, embed_req, options);
        let (answer, mut call) = Within::new(asking, call).await;
        match &answer {
            Ok(answer) => {
                answered::embeddings(answer, &mut call);
                call.end();
            }
            Err(error) => failure::end(&mut call, error, wire_of(error)),
        }
        answer
    }
}

/// In which format an error of a model's is, which says whose it is.
fn wire_of(error: &genai::Error) -> Option<crate::wire::Wire> {
    let model: &ModelIden = match error {
        genai::Error::WebModelCall { model_iden, .. }
        | genai::Error::WebStream { model_iden, .. }
        | genai::Error::ChatResponse { model_iden, .. } => model_iden,
        _ => return None,
    };
    provider::wire(model)
}

/// A streamed answer, as [`genai::chat::ChatStreamResponse`].
#[derive(Debug)]
pub struct ChatStreamResponse {
    /// Its events.
    pub stream: ChatStream,
    /// The model that was asked, as genai resolved it.
    pub model_iden: ModelIden,
}

/// The events of an answer, as [`genai::chat::ChatStream`] has them and as they are asked for. The call ends with the answer's end,
/// with its first error, or when this is dropped, with what is known by then.
#[must_use = "streams do nothing unless polled"]
pub struct ChatStream(WithinStream<genai::chat::ChatStream, Reader>);

impl Stream for ChatStream {
    type Item = genai::Result<ChatStreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // genai's is `Unpin`: it is boxed inside.
        Pin::new(&mut self.0).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// Without what passes.
impl std::fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatStream").finish_non_exhaustive()
    }
}
