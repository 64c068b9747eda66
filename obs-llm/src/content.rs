//! What was said in calls: prompts, answers, calls of tools. **Nothing of it is recorded unless it is asked for**, by
//! [`Llm::with_content`](crate::Llm::with_content) or, where the program says nothing, by the environment.
//!
//! ```
//! use obs_core::redact::Patterns;
//! use obs_core::Telemetry;
//! use obs_llm::content::Capture;
//! use obs_llm::{Llm, LlmClientLayer};
//!
//! let telemetry = Telemetry::builder().with_redactor(Patterns::new()).manual().build()?;
//! let llm = Llm::new(&telemetry).with_content(Capture::events().with_text_bytes(4 << 10));
//! let layer = LlmClientLayer::of(&llm);
//! # let _ = layer;
//! # Ok::<(), obs_core::Error>(())
//! ```
//!
//! # Where it goes
//!
//! - To **events** `gen_ai.client.inference.operation.details`, of severity `DEBUG`, one at the end of each call, sampled or not:
//!   `gen_ai.input.messages`, `gen_ai.output.messages`, `gen_ai.system_instructions` and `gen_ai.tool.definitions` as lists of maps,
//!   beside what the span has by the conventions: operation, provider, models, server, what was asked for but what is a list, the
//!   answer's id, its reasons, its tokens, its time to the first chunk and its error.
//! - To **spans**, under the same keys, as texts of JSON. Each is valid, whatever was cut.
//! - Outside, by [`Upload`], which is asked whatever of the two is on; the span and the event then say where it lies:
//!   `obs.llm.input.messages_ref` and its like.
//!
//! It is read from requests and answers as they pass, untouched and not held up, in each of the formats; or told by hand:
//! [`LlmCall::input_message`](crate::LlmCall::input_message) and its like.
//!
//! # What is left out of it
//!
//! - **Secrets**: each text is shown to the telemetry's [redactors](obs_core::redact) by itself, before it is JSON and before it
//!   waits anywhere. Names of keys in arguments of tools are not shown. A processor of `sdk` beneath a provider's recorder sees the
//!   JSON of spans as one text, once more.
//! - **Media**: of an image, sound or a document that stands in a message there is the type, the size and the SHA-256 of its
//!   bytes; of one at a URL the URL, without its credentials, its query and its fragment, which are keys where it is signed.
//! - **What is beyond the caps**: of one text, of one message, of one call, of one span's attribute, of a request. The newest
//!   messages are told first. A text that was cut says `…[+n bytes]`, and `obs.llm.content.cut` on the span and the event how many
//!   bytes are missing in all.
//! - **All of a call**, where what calls hold together would be beyond the [pool](Capture::with_in_flight_bytes): it is counted
//!   as `content_dropped` of `obs.llm.anomalies`.
//!
//! # What it costs
//!
//! A copy of the request, up to its cap; a parse of each event of the answer, with allocations, on whoever reads it; and parsing the
//! request at the end, on the thread that ends the call. Without capture there is none of it.

mod answer;
mod beside;
mod by_hand;
mod gathered;
mod json;
mod media;
mod message;
mod parts;
mod pool;
mod record;
mod redact;
mod render;
mod requests;

pub use beside::{Said, messages};
pub use message::{Exchange, Media, MediaPlace, Message, Part};

#[cfg(feature = "client")]
pub(crate) use gathered::Keeping;
pub(crate) use gathered::{Finished, Gathered, begin};
#[cfg(feature = "genai")]
pub(crate) use json::body as body_of_json;
#[cfg(feature = "genai")]
pub(crate) use media::{at as media_at, inline as media_inline, modality_of};
pub(crate) use pool::Pool;

use std::fmt::Debug;
use std::sync::Arc;

/// What is captured, and how much of it.
#[derive(Clone, Debug)]
pub struct Capture {
    pub(crate) events: bool,
    pub(crate) spans: bool,
    pub(crate) text_bytes: usize,
    pub(crate) message_bytes: usize,
    pub(crate) call_bytes: usize,
    pub(crate) attribute_bytes: usize,
    pub(crate) request_bytes: usize,
    pub(crate) in_flight_bytes: usize,
    pub(crate) upload: Option<Arc<dyn Upload>>,
}

/// What turns capture on where the program says nothing.
const VARIABLE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

impl Capture {
    const fn of(events: bool, spans: bool) -> Self {
        Self {
            events,
            spans,
            text_bytes: 16 << 10,
            message_bytes: 32 << 10,
            call_bytes: 128 << 10,
            attribute_bytes: 24 << 10,
            request_bytes: 1 << 20,
            in_flight_bytes: 32 << 20,
            upload: None,
        }
    }

    /// Nothing, which is what is captured by default.
    pub const fn off() -> Self {
        Self::of(false, false)
    }

    /// On events.
    pub const fn events() -> Self {
        Self::of(true, false)
    }

    /// On spans.
    pub const fn spans() -> Self {
        Self::of(false, true)
    }

    /// On both.
    pub const fn spans_and_events() -> Self {
        Self::of(true, true)
    }

    /// What `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` asks for: `span_only`, `event_only`, `span_and_event`,
    /// `no_content`, in letters of either case, as OpenTelemetry's utilities for Python understand them; `true`, which older
    /// instrumentations understand, is on events as theirs is. All else is off.
    pub fn from_environment() -> Self {
        Self::asked_by(std::env::var(VARIABLE).ok().as_deref())
    }

    fn asked_by(value: Option<&str>) -> Self {
        let value = value.unwrap_or_default().trim().to_ascii_lowercase();
        match value.as_str() {
            "span_only" => Self::spans(),
            "event_only" | "true" => Self::events(),
            "span_and_event" => Self::spans_and_events(),
            _ => Self::off(),
        }
    }

    /// How many bytes one text may have; by default 16 KiB. The telemetry's own cap of
    /// [bodies](obs_core::Builder::with_body_bytes) holds for events, too.
    #[must_use]
    pub const fn with_text_bytes(mut self, bytes: usize) -> Self {
        self.text_bytes = bytes;
        self
    }

    /// How many bytes the texts of one message may have; by default 32 KiB.
    #[must_use]
    pub const fn with_message_bytes(mut self, bytes: usize) -> Self {
        self.message_bytes = bytes;
        self
    }

    /// How many bytes all that is told of one call may have; by default 128 KiB.
    #[must_use]
    pub const fn with_call_bytes(mut self, bytes: usize) -> Self {
        self.call_bytes = bytes;
        self
    }

    /// How many bytes of JSON one attribute of a span may have; by default 24 KiB.
    #[must_use]
    pub const fn with_attribute_bytes(mut self, bytes: usize) -> Self {
        self.attribute_bytes = bytes;
        self
    }

    /// How many bytes of a request are kept until its call ends; by default 1 MiB, as images stand in it. What is behind is not
    /// read.
    #[must_use]
    pub const fn with_request_bytes(mut self, bytes: usize) -> Self {
        self.request_bytes = bytes;
        self
    }

    /// How many bytes all calls hold together until they end; by default 32 MiB.
    #[must_use]
    pub const fn with_in_flight_bytes(mut self, bytes: usize) -> Self {
        self.in_flight_bytes = bytes;
        self
    }

    /// Whoever stores it outside: asked for each call, whatever else is captured, and whether or not its trace is sampled.
    #[must_use]
    pub fn with_upload(mut self, upload: Arc<dyn Upload>) -> Self {
        self.upload = Some(upload);
        self
    }

    /// Whether anything is recorded of it, apart from what is stored outside.
    pub const fn is_capturing(&self) -> bool {
        self.events || self.spans
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_capturing() || self.upload.is_some()
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self::off()
    }
}

/// Stores what was said outside.
pub trait Upload: Send + Sync + Debug {
    /// What a call said, after redactors have seen it, when the call ends, on the thread that ends it: so it must not block, and
    /// an upload is to be queued. It may rewrite what is recorded, if anything is. What it leaves is not shown to redactors
    /// again. It says where the parts will lie.
    fn upload(&self, exchange: &mut Exchange) -> Uploaded;
}

/// Where the parts of a call lie: URIs, with no secret in them.
#[derive(Clone, Debug, Default)]
pub struct Uploaded {
    /// Of the messages of the request.
    pub input: Option<String>,
    /// Of the messages of the answer.
    pub output: Option<String>,
    /// Of the system's instructions.
    pub system: Option<String>,
    /// Of the definitions of tools.
    pub tools: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_asks_in_the_words_of_the_utilities() {
        let on = |value| {
            let capture = Capture::asked_by(value);
            (capture.spans, capture.events)
        };
        assert_eq!(on(None), (false, false));
        assert_eq!(on(Some("false")), (false, false));
        assert_eq!(on(Some("NO_CONTENT")), (false, false));
        assert_eq!(on(Some("1")), (false, false));
        assert_eq!(on(Some("SPAN_ONLY")), (true, false));
        assert_eq!(on(Some("event_only")), (false, true));
        assert_eq!(on(Some(" Span_And_Event ")), (true, true));
        assert_eq!(on(Some("true")), (false, true));
    }
}
