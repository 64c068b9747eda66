//! How good an answer was: the event `gen_ai.evaluation.result`, about a call that runs, has ended, or ended in another process.
//!
//! ```
//! use obs_llm::evaluation::{CallId, Evaluation};
//! use obs_llm::wire::ResponseSink;
//! use obs_llm::{Llm, LlmOperation, Provider};
//!
//! # let telemetry = &obs_core::Telemetry::builder().manual().build()?;
//! let llm = Llm::new(telemetry);
//! let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
//! call.response_id("chatcmpl-1");
//! let id = call.id().expect("it records");
//! call.end();
//!
//! // Now, or a day later in a job that judges answers.
//! let stored = id.to_string();
//! let id: CallId = stored.parse()?;
//! llm.evaluate(&id, Evaluation::new("relevance").with_score(0.8).with_label("relevant"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A call that the layer makes gives its id by `client::ResponseBody::call_id`, while it runs; where a
//! client library has wrapped that body, as reqwest does, the provider's id of the answer is what is left:
//! [`Llm::evaluate_response`].
//!
//! The event is a child of the span that is evaluated, by its ids: it need not be there any more, nor have been sampled. What an
//! explanation says is seen by the telemetry's [redactors](obs_core::redact), and cut as any attribute is. Nothing of an evaluation
//! is in a metric.

use crate::call::LlmCall;
use crate::descriptor::{SCOPE, SCOPE_MAIN};
use crate::dialect::Dialect;
use crate::llm::{Llm, Shared};
use obs_core::otel::KeyValue;
use obs_core::propagation::{TraceParent, traceparent};
use obs_core::semconv::{self, gen_ai};
use obs_core::{Body, LogEvent};
use std::fmt;
use std::str::FromStr;

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it is told by `LlmCall::evaluate` or `Llm::evaluate`"]
pub struct Evaluation {
    name: String,
    score: Option<f64>,
    label: Option<String>,
    explanation: Option<String>,
    error: Option<String>,
}

impl Evaluation {
    /// Of this metric: `relevance`, `faithfulness`; low in cardinality.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            score: None,
            label: None,
            explanation: None,
            error: None,
        }
    }

    /// With a score, on whatever scale the evaluator has. One that is no number is not told.
    pub fn with_score(mut self, score: f64) -> Self {
        self.score = score.is_finite().then_some(score);
        self
    }

    /// With the score in a word: `relevant`, `pass`; low in cardinality.
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With the reason. It may quote what was said: whoever tells it decides that.
    pub fn with_explanation(mut self, explanation: impl Into<String>) -> Self {
        self.explanation = Some(explanation.into());
        self
    }

    /// As one that failed, with an error of this type: low in cardinality, and no text of an error.
    pub fn with_error_type(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }

    fn tell(self, shared: &Shared, of: Option<TraceParent>, response: Option<&str>) {
        let mut event = LogEvent::new(gen_ai::EVALUATION_RESULT, Body::Empty).with_scope(
            match shared.settings.dialect {
                Dialect::V1_41 => &SCOPE,
                Dialect::Main => &SCOPE_MAIN,
            },
        );
        if let Some(parent) = of {
            event = event.of(parent);
        }
        let texts = [
            (gen_ai::EVALUATION_NAME, Some(self.name)),
            (gen_ai::EVALUATION_SCORE_LABEL, self.label),
            (gen_ai::EVALUATION_EXPLANATION, self.explanation),
            (gen_ai::RESPONSE_ID, response.map(str::to_owned)),
            (semconv::http::ERROR_TYPE, self.error),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                event = event.with_attribute(KeyValue::new(key.as_str(), text));
            }
        }
        if let Some(score) = self.score {
            let key = gen_ai::EVALUATION_SCORE_VALUE.as_str();
            event = event.with_attribute(KeyValue::new(key, score));
        }
        shared.telemetry.emit(event);
    }
}

/// Which call it was: cheap to keep, and as text to be stored. It holds ids alone.
///
/// As text it is the span's `traceparent`, and the answer's id behind a space if there is one:
/// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 chatcmpl-1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallId {
    trace_parent: TraceParent,
    response: Option<Box<str>>,
}

impl CallId {
    /// Of a span, and an answer if its id is known.
    pub fn new(trace_parent: TraceParent, response: Option<&str>) -> Self {
        let response = response.filter(|id| !id.is_empty());
        Self {
            trace_parent,
            response: response.map(Into::into),
        }
    }

    /// The call's span.
    pub const fn trace_parent(&self) -> TraceParent {
        self.trace_parent
    }

    /// The provider's id of the answer.
    pub fn response_id(&self) -> Option<&str> {
        self.response.as_deref()
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trace_parent.fmt(f)?;
        match &self.response {
            Some(id) => write!(f, " {id}"),
            None => Ok(()),
        }
    }
}

/// What is to be a call's id is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCallId(());

impl fmt::Display for NoCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call's id is a `traceparent`, and an answer's id behind a space")
    }
}

impl std::error::Error for NoCallId {}

impl FromStr for CallId {
    type Err = NoCallId;

    /// # Errors
    ///
    /// If it does not begin with a `traceparent` of version 00 (W3C Trace Context, §3.2), or no id follows its space.
    fn from_str(text: &str) -> Result<Self, NoCallId> {
        let (parent, response) = match text.split_once(' ') {
            Some((_, "")) => return Err(NoCallId(())),
            Some((parent, response)) => (parent, Some(response)),
            None => (text, None),
        };
        let parent = traceparent::parse(parent.as_bytes()).map_err(|_| NoCallId(()))?;
        Ok(Self::new(parent, response))
    }
}

impl LlmCall {
    /// What to evaluate it by when it has ended; `None` where nothing is recorded. The answer's id is in it once that is told.
    pub fn id(&mut self) -> Option<CallId> {
        let response = self.answer_id();
        let trace_parent = self.operation.active()?.trace_parent();
        Some(CallId {
            trace_parent,
            response,
        })
    }

    /// Tells how good its answer is, while it runs. Nothing where it records nothing.
    pub fn evaluate(&mut self, evaluation: Evaluation) {
        if let Some(id) = self.id() {
            evaluation.tell(self.shared, Some(id.trace_parent), id.response_id());
        }
    }
}

impl Llm {
    /// Tells how good the answer of a call was that has ended, here or elsewhere.
    pub fn evaluate(&self, call: &CallId, evaluation: Evaluation) {
        let (parent, response) = (call.trace_parent, call.response_id());
        evaluation.tell(self.shared(), Some(parent), response);
    }

    /// The same of an answer of which only the provider's id is known. The event is a child of what is current, if anything is:
    /// of whoever evaluates.
    pub fn evaluate_response(&self, response_id: &str, evaluation: Evaluation) {
        evaluation.tell(self.shared(), None, Some(response_id));
    }
}
