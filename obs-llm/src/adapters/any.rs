//! Any other client library: what is to be told of a call, and when.
//!
//! A call is an [`LlmCall`]. It is told of the request by the methods of [`RequestSink`] and of the answer by those of
//! [`ResponseSink`], as far as the library says anything: what it does not say is left away, and never guessed. Whatever becomes
//! of it, it ends once: where it is dropped, it was cancelled.
//!
//! # A stream of items
//!
//! [`InstrumentedStream`] is the library's stream, item for item, with the call in it. A closure tells the call what each item
//! says. Three things are easily wrong:
//!
//! - **A chunk is one with content**: text, reasoning, a part of a tool call. An item that only says that an answer begins is
//!   none, and neither is one whose text is empty: they would make the first chunk come too early.
//! - **The end of the answer is an item**, if the library has one. Who has read it may drop the stream; without
//!   [`complete`](ResponseSink::complete) and without a finish reason that is a cancelled call.
//! - **The request is sent within the call**, so that what sends it is the call's child, and a layer of ours around the HTTP
//!   client beneath sees that there is a call already. [`current::wrap`] makes a future part of it.
//!
//! ```
//! use futures_util::{Stream, StreamExt};
//! use obs_core::current;
//! use obs_llm::wire::{Content, RequestSink, ResponseSink};
//! use obs_llm::{InstrumentedStream, Llm, LlmCall, LlmOperation, Provider, Tokens, Usage};
//! # use obs_testing::Capture;
//! # mod library {
//! #     pub enum Item {
//! #         Begun { id: &'static str },
//! #         Text(&'static str),
//! #         End { reason: &'static str, input: u64, output: u64 },
//! #     }
//! #     pub struct Failed { pub status: u16 }
//! #     pub type Items = std::vec::IntoIter<Result<Item, Failed>>;
//! #     pub async fn stream(model: &str) -> Result<futures_util::stream::Iter<Items>, Failed> {
//! #         if model == "none" {
//! #             return Err(Failed { status: 404 });
//! #         }
//! #         let items = [
//! #             Item::Begun { id: "r1" },
//! #             Item::Text(""),
//! #             Item::Text("Hel"),
//! #             Item::Text("lo"),
//! #             Item::End { reason: "stop", input: 8, output: 2 },
//! #         ];
//! #         Ok(futures_util::stream::iter(items.map(Ok).into_iter().collect::<Vec<_>>()))
//! #     }
//! # }
//! use library::{Failed, Item};
//!
//! async fn chat(llm: &Llm, model: &str) -> Result<impl Stream<Item = Result<Item, Failed>> + use<>, Failed> {
//!     let mut call = llm.call(LlmOperation::Chat, &Provider::named("example"));
//!     call.model(model);
//!     call.stream(true);
//!     // Dropped here, it is cancelled; so is what is sent.
//!     match call.scope(|| current::wrap(library::stream(model))).await {
//!         Ok(stream) => Ok(InstrumentedStream::new(stream, call, observe)),
//!         Err(failed) => {
//!             call.set_status(failed.status);
//!             call.end();
//!             Err(failed)
//!         }
//!     }
//! }
//!
//! fn observe(item: &Result<Item, Failed>, call: &mut LlmCall) {
//!     match item {
//!         Ok(Item::Begun { id }) => call.response_id(id),
//!         Ok(Item::Text("")) => {}
//!         Ok(Item::Text(_)) => call.content(Content::Text),
//!         Ok(Item::End { reason, input, output }) => {
//!             call.finish_reason(0, reason);
//!             call.usage(&Usage::new().with(Tokens::Input, *input).with(Tokens::Output, *output));
//!             call.complete();
//!         }
//!         Err(failed) => call.set_status(failed.status),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let capture = Capture::new();
//! let llm = Llm::new(capture.telemetry());
//!
//! let read = chat(&llm, "a-model").await.ok().expect("a stream").count().await;
//! assert_eq!(read, 5);
//! let record = capture.take_records().remove(0);
//! assert_eq!(record.name, "chat a-model");
//! assert_eq!(record.error_type(), None);
//! assert_eq!(record.attr("obs.llm.response.chunks"), Some(&2.into()));
//! assert_eq!(record.attr("gen_ai.usage.output_tokens"), Some(&2.into()));
//!
//! // Whoever reads it gives up after the first chunk.
//! let mut stream = Box::pin(chat(&llm, "a-model").await.ok().expect("a stream"));
//! for _ in 0..3 {
//!     stream.next().await;
//! }
//! drop(stream);
//! let record = capture.take_records().remove(0);
//! assert_eq!(record.error_type(), Some("cancelled"));
//! assert_eq!(record.attr("obs.llm.response.chunks"), Some(&1.into()));
//!
//! assert!(chat(&llm, "none").await.is_err());
//! assert_eq!(capture.take_records().remove(0).error_type(), Some("404"));
//! # }
//! ```
//!
//! A closure that panics does so in the reader's poll, as the stream would, and the call has panicked.
//!
//! A stream that is over without an end of its own has ended well, as far as a closure says. Where it has not, an implementation
//! of [`Observe`](crate::Observe) says so in its `over`. A library that sends only when its stream is polled first sends outside of
//! the call; with layers beneath it, poll that stream in the scope of the call's [`handle`](LlmCall::handle).
//!
//! # A stream of bytes
//!
//! Where the library gives the answer's bytes, they are read in the provider's format, and there is nothing to tell:
//!
//! ```
//! use futures_util::{StreamExt, stream};
//! use obs_llm::wire::{Framing, RequestSink, Wire};
//! use obs_llm::{InstrumentedStream, Llm, LlmOperation, Provider};
//! # use obs_testing::Capture;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let capture = Capture::new();
//! # let llm = Llm::new(capture.telemetry());
//! # let bytes = stream::iter([
//! #     Ok::<_, std::io::Error>("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel"),
//! #     Ok("lo\"},\"finish_reason\":null}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"),
//! #     Ok("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"),
//! # ]);
//!
//! let mut call = llm.call(LlmOperation::Chat, &Provider::named("example"));
//! call.model("a-model");
//! let stream = InstrumentedStream::of_bytes(bytes, call, Wire::OpenAiChat, Framing::EventStream);
//! assert_eq!(stream.count().await, 3);
//!
//! let record = capture.record();
//! assert_eq!(record.error_type(), None);
//! assert_eq!(record.attr("gen_ai.usage.input_tokens"), Some(&8.into()));
//! # }
//! ```
//!
//! # An answer at once
//!
//! ```
//! use obs_core::current;
//! use obs_llm::wire::{RequestSink, ResponseSink};
//! use obs_llm::{Llm, LlmOperation, Provider, SERVICE_ERROR, Tokens, Usage};
//! # use obs_testing::{Capture, assert_tree};
//! # mod library {
//! #     pub struct Answer { pub text: &'static str, pub model: &'static str, pub input: u64, pub cached: u64, pub output: u64 }
//! #     pub struct Refused;
//! #     pub async fn ask(model: &str, _: &str) -> Result<Answer, Refused> {
//! #         match model {
//! #             "none" => Err(Refused),
//! #             _ => Ok(Answer { text: "Hello", model: "a-model-0601", input: 8, cached: 4, output: 2 }),
//! #         }
//! #     }
//! # }
//!
//! async fn ask(llm: &Llm, model: &str, prompt: &str) -> Result<&'static str, library::Refused> {
//!     let mut call = llm.call(LlmOperation::Chat, &Provider::named("example"));
//!     call.set_server("models.example", Some(443));
//!     call.model(model);
//!     call.max_tokens(64);
//!     match call.scope(|| current::wrap(library::ask(model, prompt))).await {
//!         Ok(answer) => {
//!             call.response_model(answer.model);
//!             call.finish_reason(0, "stop");
//!             // Caches are parts of the input, reasoning is a part of the output.
//!             let usage = Usage::new()
//!                 .with(Tokens::Input, answer.input)
//!                 .with(Tokens::CacheRead, answer.cached)
//!                 .with(Tokens::Output, answer.output);
//!             call.usage(&usage);
//!             call.end();
//!             Ok(answer.text)
//!         }
//!         Err(refused) => {
//!             call.fail(SERVICE_ERROR);
//!             Err(refused)
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let capture = Capture::new();
//! let llm = Llm::new(capture.telemetry());
//! assert!(ask(&llm, "a-model", "hi").await.is_ok());
//! assert_tree(capture.tree(), r#"
//!     trace 1
//!       chat a-model [client]
//!         - gen_ai.operation.name: "chat"
//!         - gen_ai.provider.name: "example"
//!         - gen_ai.request.max_tokens: 64
//!         - gen_ai.request.model: "a-model"
//!         - gen_ai.response.finish_reasons: ["stop"]
//!         - gen_ai.response.model: "a-model-0601"
//!         - gen_ai.usage.cache_read.input_tokens: 4
//!         - gen_ai.usage.input_tokens: 8
//!         - gen_ai.usage.output_tokens: 2
//!         - server.address: "models.example"
//!         - server.port: 443
//! "#);
//!
//! assert!(ask(&llm, "none", "hi").await.is_err());
//! assert_eq!(capture.count("gen_ai.client.operation.duration"), 2);
//! # }
//! ```

#[cfg(doc)]
use crate::{
    InstrumentedStream, LlmCall,
    wire::{RequestSink, ResponseSink},
};
#[cfg(doc)]
use obs_core::current;
