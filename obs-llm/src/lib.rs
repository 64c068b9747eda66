//! What a service sees of the LLM calls that it makes, passes on or answers: time to the first chunk, time between chunks, tokens
//! and cost, for any provider and any way of ending, by the OpenTelemetry conventions for generative AI.
//!
//! A client for HTTP has the layer around it, whichever client it is and whichever library uses it:
//!
//! ```
//! # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
//! use obs_core::Telemetry;
//! use obs_llm::LlmClientLayer;
//! use tower::{Layer, Service, ServiceExt};
//! # use http_body_util::Full;
//! # let inner = tower::service_fn(|_: http::Request<obs_llm::client::RequestBody<Full<bytes::Bytes>>>| async {
//! #     Ok::<_, std::io::Error>(http::Response::new(Full::<bytes::Bytes>::default()))
//! # });
//!
//! let telemetry = Telemetry::builder().with_otlp().build()?;
//! let mut client = LlmClientLayer::new(&telemetry).layer(inner);
//!
//! let body = r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
//! let request = http::Request::post("https://api.openai.com/v1/chat/completions").body(Full::from(body))?;
//! let answer = client.ready().await?.call(request).await?;
//! // Whatever reads the body now reads it as it came; the call ends with it.
//! # Ok(())
//! # }
//! ```
//!
//! It stands outside of layers that retry: one call, whose attempts are spans of `obs-http`'s client layer within it. No byte is
//! changed or held up on either way.
//!
//! Libraries that bring their own client have an adapter where they have a place for one: [`adapters`]. With several of these around
//! one call, each other and other layers between them, an inference counts once; embeddings within it are a call of their own.
//!
//! Where there is no HTTP to look at (a client library with types of its own, a model in the process), the call is told by hand,
//! through the same two traits that the scanners of bytes use:
//!
//! ```
//! use obs_llm::wire::{Content, RequestSink, ResponseSink};
//! use obs_llm::{Llm, LlmOperation, Provider, Tokens, Usage};
//! use obs_testing::{Capture, assert_tree};
//! use std::time::Duration;
//!
//! let capture = Capture::new();
//! let llm = Llm::new(capture.telemetry());
//!
//! let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
//! call.model("claude-sonnet-4-5");
//! call.stream(true);
//! for ms in [180, 20, 20] {
//!     capture.clock().advance(Duration::from_millis(ms));
//!     call.content(Content::Text);
//! }
//! call.usage(&Usage::new().with(Tokens::Input, 12).with(Tokens::Output, 41));
//! call.finish_reason(0, "end_turn");
//! call.end();
//!
//! assert_tree(capture.tree(), r#"
//!     trace 1
//!       chat claude-sonnet-4-5 [client]
//!         - gen_ai.operation.name: "chat"
//!         - gen_ai.provider.name: "anthropic"
//!         - gen_ai.request.model: "claude-sonnet-4-5"
//!         - gen_ai.request.stream: true
//!         - gen_ai.response.finish_reasons: ["end_turn"]
//!         - gen_ai.response.time_to_first_chunk: 0.18
//!         - gen_ai.usage.input_tokens: 12
//!         - gen_ai.usage.output_tokens: 41
//!         - obs.llm.response.chunk_gap.max: 0.02
//!         - obs.llm.response.chunks: 3
//!         - obs.llm.response.time_per_output_token: 0.001
//! "#);
//! assert_eq!(capture.count("gen_ai.client.operation.time_to_first_chunk"), 1);
//! assert_eq!(capture.count("gen_ai.client.operation.time_per_output_chunk"), 2);
//! ```
//!
//! # What it emits
//!
//! A **span** for each call, `{operation} {model}`, of kind client, from just before the request to the end of the answer. Its status
//! is an error where the outcome is one, and unset otherwise. All that is of the conventions for generative AI is in development.
//!
//! | attribute | when |
//! |---|---|
//! | `gen_ai.operation.name` | always: `chat`, `generate_content`, `text_completion`, `embeddings` |
//! | `gen_ai.provider.name` | always: by the host or as it is said; `_OTHER` |
//! | `gen_ai.request.model`, `gen_ai.response.model` | the request or its path says it; the answer says it |
//! | `server.address`, `server.port` | the request says it, or the layer was told |
//! | `gen_ai.request.max_tokens`, `.temperature`, `.top_p`, `.top_k`, `.frequency_penalty`, `.presence_penalty`, `.seed`, `.stop_sequences`, `.choice.count` (not one), `.stream` (if it is), `.encoding_formats` | the request says it |
//! | `gen_ai.output.type`, `gen_ai.embeddings.dimension.count`, `gen_ai.conversation.id`, `openai.request.service_tier` | the request says it, of the last in OpenAI's formats |
//! | `gen_ai.response.id`, `gen_ai.response.finish_reasons`, `openai.response.service_tier`, `openai.response.system_fingerprint` | the answer says it, of the last two in OpenAI's formats; what was cut finishes with `error` |
//! | `openai.api.type` | OpenAI or Azure is asked: `chat_completions`, `responses` |
//! | `gen_ai.usage.input_tokens`, `.output_tokens`, `.cache_read.input_tokens`, `.cache_creation.input_tokens`, `.reasoning.output_tokens` | told, by the arithmetic of its provider: caches are parts of the input, reasoning is part of the output |
//! | `gen_ai.response.time_to_first_chunk` | streams: to the first chunk **with content** |
//! | `obs.llm.response.chunks`, `obs.llm.response.chunk_gap.max`, `obs.llm.response.time_per_output_token` | chunks with content; the longest time between two; from the first to the last over the tokens after the first |
//! | `obs.llm.server.load.duration`, `.prefill.duration`, `.decode.duration`, `.total.duration` | the engine told its own times (llama.cpp, Ollama) |
//! | `obs.llm.cost.usd` | there are prices, and one for this model |
//! | `obs.llm.usage.estimated`, `.estimated.input_tokens`, `.estimated.output_tokens` | [asked for](Llm::with_estimates), and the provider told no tokens |
//! | `gen_ai.input.messages`, `gen_ai.output.messages`, `gen_ai.system_instructions`, `gen_ai.tool.definitions`, `obs.llm.content.cut` | **content is asked for** on spans (feature `content`): JSON |
//! | `obs.llm.input.messages_ref`, `.output.messages_ref`, `.system_instructions_ref`, `.tool.definitions_ref` | whoever stores content outside said where |
//! | `obs.llm.slow.count` | streams: some chunks came late |
//! | `obs.llm.wire` | bytes were read: in which format |
//! | `error.type` | the outcome is an error: see below |
//!
//! **Metrics**, which do not depend on sampling:
//!
//! | metric | unit | kind | attributes beside operation, provider, models and server |
//! |---|---|---|---|
//! | `gen_ai.client.operation.duration` | s | histogram | `error.type` |
//! | `gen_ai.client.operation.time_to_first_chunk` | s | histogram, when the chunk comes | – |
//! | `gen_ai.client.operation.time_per_output_chunk` | s | histogram, a point for each chunk after the first | – |
//! | `gen_ai.client.token.usage` | {token} | histogram | `gen_ai.token.type`: `input`, `output` |
//! | `obs.llm.cost` | {USD} | histogram, of calls that have a price | – |
//! | `obs.llm.client.active_calls` | {call} | in-flight gauge | operation and provider alone |
//! | `obs.llm.client.time_to_first_chunk` | s | histogram | `obs.llm.input.class`; no server |
//! | `obs.llm.client.duration`, `obs.llm.client.time_per_output_token` | s | histograms | `obs.llm.output.class`; no server |
//! | `obs.llm.anomalies` | {anomaly} | counter | `obs.anomaly` alone: what could not be read, counted or priced |
//!
//! **Events**: `obs.llm.slow`, once for a first chunk and once for a gap that took longer than [is set](Llm::with_slow), at the moment
//! when it is known, with the ids of the trace. `gen_ai.evaluation.result`, for each [`evaluation`]. With the feature
//! `content`, and where content is asked for on events, `gen_ai.client.inference.operation.details` at the end of each inference.
//! By v1.41 that one is opt-in; by `main` it is recommended, and is there, too, only where content is asked for: without content it
//! would be the span once more. `gen_ai.client.operation.exception`, by `main` alone, for each call that failed, timed out or panicked,
//! sampled or not: its `exception.type` is the span's `error.type`, and its message, the text of an error, is never recorded.
//!
//! By `main` of the conventions ([`Dialect::Main`]) the first three metrics are `gen_ai.client.inference.{duration,
//! time_to_first_chunk, time_per_output_chunk}`, tokens are counters `gen_ai.client.inference.usage.*` by modality with histograms
//! `gen_ai.client.inference.operation.{input,output}_tokens`, and spans say more of tokens, reasoning and status. It is one or the
//! other, under a scope with its own schema URL.
//!
//! # How a call ends
//!
//! Exactly once, whatever happens:
//!
//! | what happens | outcome | `error.type` |
//! |---|---|---|
//! | the answer comes to the end of its format, or its reader drops it when every choice has its reason | answered | – |
//! | the provider says it is an error: a body, or an event in a stream | failed | its code or type if it is known, else the HTTP status |
//! | an HTTP status from 400 on without such a body | failed | the status |
//! | the answer ends, but not as its format ends | failed | `incomplete_response` |
//! | the connection breaks; the service inside returns an error | failed | `body_error`, `service_error` |
//! | that error is a timeout's (tower's, tokio's, reqwest's, the system's) | timed out | `timeout` |
//! | it is dropped: by its reader, with the operation around it | cancelled | `cancelled` |
//! | the same after its deadline | timed out | `timeout` |
//! | the service or the body inside panics | panicked | `panic` |
//!
//! Whichever it is: what was told of tokens by then is recorded, and so are the times of the chunks that came. Retries and redirects
//! inside of the layer are one call, with an HTTP client's span for each attempt.
//!
//! # What is read
//!
//! An answer is read as it passes, in whatever pieces it comes, and nothing of it is kept but the text or number that a cut runs
//! through. What is no JSON is [counted](#what-it-emits) and passed on as it came. Input is always all of it and output too, by each
//! provider's arithmetic.
//!
//! | format | first chunk with content | tokens come | cache | reasoning | tools | cut or failed | shown by |
//! |---|---|---|---|---|---|---|---|
//! | OpenAI chat, text completions, embeddings, and who speaks it: vLLM, SGLang, DeepSeek, llama.cpp, Groq, Mistral, Moonshot, xAI, Azure, OpenRouter | text, refusal, reasoning, tool name or arguments, audio; not the role, not `""` | last chunk, every chunk, in a choice, `x_groq`, `timings` | read | told apart, and added where the total shows that it stands beside the output | yes | error in the body or the stream | `tests/wire`, `tests/engine_answers.rs` |
//! | OpenAI Responses | every `….delta`, partial images | `response.usage` | read | yes, summaries too | function, custom, MCP, interpreter | `failed`, `incomplete` | `tests/wire` |
//! | Anthropic | deltas; a tool's start | first event, so that a cut stream has its input; then totals | read, written, of it for an hour | chunks; no count | yes | `error` events | `tests/wire_others` |
//! | Gemini | parts, told when a part ends | each event, totals so far | read | chunks and count | yes | `error`; a blocked prompt is a finish reason | `tests/wire_others` |
//! | Ollama | lines with text, thoughts, calls | last line, with the engine's times | read | chunks | yes | `_OTHER`: its errors are prose | `tests/wire_others` |
//! | Bedrock `converse` | deltas; a tool's start | `metadata` | read, written | chunks | yes | exceptions by name | `tests/wire_others` |
//! | Bedrock `invoke` | as its model | the model's, else Bedrock's | as its model | as its model | yes | exceptions by name | `tests/wire_others` |
//!
//! Whether a call is cut by its reader, by its connection or by its server is the same for all: `tests/client/sockets.rs`, after each
//! event of a stream, over HTTP/1 and HTTP/2.
//!
//! **Who shows what**: answers as the providers document them are in `tests/corpus`, each beside what it must tell. Each is read
//! whole, cut at every byte, damaged, in each coding, and dropped after each of its events by
//! `dropped_after_each_piece_it_ends_once_with_what_was_told_by_then` of `tests/client/wires.rs`. In them is of
//!
//! | provider, in | time to the first chunk | gaps | tokens | cache | reasoning | tools | cancelled |
//! |---|---|---|---|---|---|---|---|
//! | OpenAI, `openai_chat` | `streamed` | `streamed` | `streamed` | `streamed` | `streamed` | `tools` | `streamed` |
//! | OpenAI, `openai_responses` | `streamed` | `streamed` | `streamed` | `streamed` | `unary` | `calls` | `streamed` |
//! | Azure, `openai_chat` | `azure` | `azure` | – | – | – | – | `azure` |
//! | DeepSeek, `openai_chat` | `deepseek` | `deepseek` | `deepseek` | `deepseek` | `deepseek` | – | `deepseek` |
//! | Groq, `openai_chat` | `groq` | – | `groq` | – | – | – | `groq` |
//! | Mistral, `openai_chat` | `mistral` | `mistral` | `mistral` | – | `mistral` | – | `mistral` |
//! | Moonshot, `openai_chat` | `moonshot` | – | `moonshot` | `moonshot` | – | – | `moonshot` |
//! | xAI, `openai_chat` | – | – | `xai` | `xai` | `xai` | – | – |
//! | vLLM, `openai_chat` | `vllm` | `vllm` | `vllm` | – | `vllm` | – | `vllm` |
//! | SGLang, `openai_chat` | `sglang` | `sglang` | `sglang` | `sglang` | `sglang` | – | `sglang` |
//! | OpenRouter, `openai_chat` | `openrouter` | `openrouter` | `openrouter` | `openrouter` | `openrouter` | `openrouter` | `openrouter` |
//! | llama.cpp, `openai_chat` | `llama_cpp` | `llama_cpp` | `llama_cpp` | `llama_cpp` | – | – | `llama_cpp` |
//! | Anthropic, `anthropic` | `text` | `text` | `text` | `cache` | `thinking` | `tools` | `text` |
//! | Google, `gemini` | `text` | `text` | `text` | `text` | `text` | `tools` | `candidates_apart` |
//! | Ollama, `ollama` | `chat` | `chat` | `chat` | `chat` | `tools` | `tools` | `chat` |
//! | Amazon, `bedrock_converse` | `text` | `text` | `text` | `tools` | `tools` | `tools` | `text` |
//! | Amazon, `bedrock_invoke`: Anthropic | `anthropic` | `anthropic` | `anthropic` | `anthropic` | `anthropic_tools` | `anthropic_tools` | `anthropic` |
//! | Amazon, `bedrock_invoke`: Nova | `nova` | `nova` | `nova` | `nova` | `nova_tools` | `nova_tools` | `nova` |
//! | Amazon, `bedrock_invoke`: Titan | `titan` | `titan` | `titan` | – | – | – | `titan` |
//! | Amazon, `bedrock_invoke`: Llama | `llama` | `llama` | `llama` | – | – | – | `llama` |
//! | Amazon, `bedrock_invoke`: Mistral | `mistral` | `mistral` | `mistral` | `mistral` | – | – | `mistral` |
//! | Amazon, `bedrock_invoke`: Cohere | `cohere` | `cohere` | `cohere` | – | – | – | `cohere` |
//! | Amazon, `bedrock_invoke`: as OpenAI | `as_openai` | `as_openai` | `as_openai` | `as_openai` | `as_openai` | – | `as_openai` |
//!
//! What a real llama.cpp answered to more than these is read by `tests/engine_answers.rs`. That each of these files shows what it is
//! named for is a test, too: `tests/front_page.rs`.
//!
//! **Streams** that are no bodies, of chunks of a library's own or of bytes, carry a call by [`InstrumentedStream`] (feature
//! `stream`): `tests/stream.rs`.
//!
//! **The layer** passes bytes as they came, in the frames they came in. A request that fails before its body is sent has the model
//! that its path says, or a `ModelHint` in its extensions. An answer is read by its `content-type`, else by what was asked for. Errors
//! are looked into only where they are JSON: a proxy's page is no malformed answer. gzip, deflate, brotli and zstd (feature
//! `compression`) are decoded beside what passes, with windows of at most 256 KiB, and 64 MiB in all; beyond, an answer is measured
//! without tokens and counted as `unreadable`. Encoders that do not know how much will follow declare more than that at their usual
//! levels (brotli 4 MiB, zstd 2 MiB, whatever is written then): a service that wants tokens of such streams does not ask for them in
//! these codings. With feature `reqwest` it stands around reqwest's client. A stream that is cut or ends
//! without a report of tokens can be asked for one beforehand, and only where a service wants it:
//! [`UsageInjectionLayer`](client::UsageInjectionLayer).
//!
//! **Against a real engine**: the gate compiles llama.cpp's server, gives it a model drawn at random, and calls it more than 200 times
//! through the layer, more than 50 times dropped by the caller. Between the two stands a relay of plain sockets with a clock of its
//! own: each time to the first chunk is within 1 ms of the relay's, chunks, gaps, tokens, reasons and endings are equal, and all tokens
//! together are what the engine's own `/metrics` counted.
//!
//! # Beside the client
//!
//! **Serving a model**: [`server::ModelServer`] is for whoever runs one (candle, mistral.rs): `request` where it comes in, `scheduled`
//! when it leaves the queue, `prefilled`, `token` for each token, `end`; dropped, it is cancelled. A request belongs to whoever works
//! on it, a thread that is no task as well; one reading of the clock serves a whole batch.
//!
//! **Inference engines** (feature `engines`): `EngineScraper` reads the metrics pages of vLLM, SGLang, NVIDIA Dynamo, xLLM and
//! llama.cpp, and by rows of the same data TensorRT-LLM, TGI, Triton and mistral.rs, and shows them in one vocabulary with the engines'
//! own buckets. What an engine says exactly, approximately or not at all is data (`docs/engines.md`); what it does not say is absent.
//!
//! **Cost** (feature `cost`): by a table in LiteLLM's format that a service loads and replaces while calls are priced; none is compiled
//! in. Caches, reasoning, sound, thresholds, tiers, batches, hours and regions are charged as the table says. What is not in the table
//! has no cost, never zero, and is counted.
//!
//! **Tokens counted here** (features `tiktoken`, `tokenizers`): where the provider told none, apart from what is told.
//!
//! **Prompts and answers** are recorded where they are asked for and nowhere else (feature `content`): on events, on the span, or
//! outside by a hook that says where. Each text is shown to the redactors by itself, before it is JSON and before it waits; media are
//! told by type, size and SHA-256; what is beyond a cap says so, and the JSON stays JSON. **Evaluations** are told of a call that runs,
//! or later, in any process, by its `CallId`.
//!
//! Every name, with units, attributes and what the conventions promise of each, is in `docs/emitted.md`.
//!
//! # What it costs
//!
//! A stream holds a KiB at most of a call with the usual parameters, and no chunk allocates: `tests/client_held`. A chunk of 200 bytes
//! takes some 400 instructions, of which the bytes are most, and one that is told by hand 60: the suite's `llm/…` benches, and ADR 25.
//!
//! # What it never records
//!
//! Texts of errors, keys, headers; and prompts, outputs and arguments of tools, unless they are asked for (feature `content`), and
//! then in no metric. Images, sound and documents, in any case: their type, size and hash alone. Users, sessions, prompts and ids as attributes of metrics.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapters;
mod anomaly;
mod bill;
mod call;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "content")]
#[cfg_attr(docsrs, doc(cfg(feature = "content")))]
pub mod content;
#[cfg(not(feature = "content"))]
#[path = "no_content.rs"]
mod content;
#[cfg(feature = "cost")]
#[cfg_attr(docsrs, doc(cfg(feature = "cost")))]
pub mod cost;
mod descriptor;
mod dialect;
#[cfg(feature = "engines")]
#[cfg_attr(docsrs, doc(cfg(feature = "engines")))]
pub mod engines;
pub mod estimate;
pub mod evaluation;
mod llm;
mod provider;
pub mod server;
mod slow;
#[cfg(feature = "stream")]
mod stream;
mod usage;
pub mod wire;

pub use bill::{Bill, CountTokens, Price};
pub use call::LlmCall;
#[cfg(feature = "client")]
pub use client::LlmClientLayer;
pub use descriptor::{
    BODY_ERROR, INCOMPLETE, LLM_CLIENT, LLM_CLIENT_MAIN, LLM_OPERATION_MAIN, LlmOperation,
    SERVICE_ERROR,
};
pub use dialect::Dialect;
pub use llm::{Llm, SLOW};
pub use provider::Provider;
pub use server::{InferenceRequest, ModelServer};
#[cfg(feature = "stream")]
pub use stream::{Bytes, InstrumentedStream, Observe};
pub use usage::{Tokens, Usage};
