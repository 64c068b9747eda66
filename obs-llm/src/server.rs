//! The side that answers: a recorder for whoever serves a model.
//!
//! A request is an operation from when it is asked for until its answer is complete: it waits, is scheduled, its prompt is read
//! (prefill), its answer is written token by token (decode). It belongs to whoever works on it: a task, a thread that is no
//! task, one after the other.
//!
//! ```
//! use obs_llm::wire::{RequestSink, ResponseSink};
//! use obs_llm::{LlmOperation, ModelServer, Provider};
//! use obs_core::{Outcome, Parent};
//!
//! # let telemetry = &obs_core::Telemetry::noop();
//! let server = ModelServer::new(telemetry, Provider::named("acme"), "tiny-llama").with_slots(4);
//!
//! // Where the request comes in; below an RPC or HTTP server's operation, as its child.
//! let mut request = server.request(LlmOperation::Chat, Parent::Current);
//! request.max_tokens(256);
//!
//! // Where the model runs: any thread. One reading of the clock serves all that a step advances.
//! let mut running = vec![request];
//! let now = server.now();
//! for request in &mut running {
//!     request.scheduled_at(now);
//!     request.prefilled(17);
//! }
//! for _ in 0..3 {
//!     // … the model computes …
//!     let done = server.step(running.len());
//!     for request in &mut running {
//!         request.token_at(done);
//!     }
//!     server.kv_cache_usage(0.25);
//! }
//! for mut request in running {
//!     request.finish_reason(0, "stop");
//!     request.end(Outcome::ANSWERED);
//! }
//! ```
//!
//! # What is recorded
//!
//! | metric | unit | when |
//! |---|---|---|
//! | `gen_ai.server.request.duration` | s | every request, however it ends |
//! | `gen_ai.server.time_to_first_token` | s | requests that succeed and have a token: from the request on, so with its waiting |
//! | `gen_ai.server.time_per_output_token` | s | requests that succeed and have two: (last − first) / (output − 1) |
//! | `obs.llm.server.stage.duration` | s | each of the three stages, when it is over, whatever becomes of the request |
//! | `obs.llm.server.token_gap` | s | each token after a request's first, [where asked for](ModelServer::with_token_gaps) |
//! | `obs.llm.server.active_requests`, `obs.llm.server.waiting_requests` | {request} | now |
//! | `obs.llm.server.batch_size` | {request} | each [step](ModelServer::step) |
//! | `obs.llm.server.slots`, `obs.llm.server.kv_cache.usage` | {request}, 1 | as set |
//! | `obs.llm.server.input_tokens`, `…cached_tokens`, `…output_tokens` | {token} | as they come; of requests that fail, too |
//! | `obs.llm.server.preemptions` | {preemption} | each time a request goes back into the queue |
//!
//! The stages are `queue` (to the first [`scheduled`](InferenceRequest::scheduled)), `prefill` (from there to the first token) and
//! `decode` (to the last one), as `obs.stage`. Like what counts tokens they know no error: they are recorded before anybody knows
//! one. What a request was never told there is nothing of: one that nobody scheduled has neither queue nor prefill.
//!
//! A request whose first token, or a token after, comes [late](ModelServer::with_slow) is told by an event `obs.llm.slow` when it
//! does.
//!
//! Where a request has several choices (`n`), the time per output token is one choice's: a step writes a token of each at once.
//!
//! Where somebody else's engine runs the model (mistral.rs), and only its answers are seen, the request is what is asked of the
//! engine: each chunk is a [`token`](InferenceRequest::token), and the [`usage`](crate::wire::ResponseSink::usage) that it ends with
//! says how many there were.
//!
//! # The span
//!
//! `{operation} {model}`, as on the side that asks: the two ends of one inference have one name. Its kind is SERVER, as that of
//! vLLM's span, and as that of an RPC which comes by HTTP: it is how sums over a trace keep what was served from what was asked
//! for, which have the same tokens. vLLM's name, `llm_request`, says neither what was asked nor of which model, and the
//! conventions have one for both. A backend that counts requests by spans of kind SERVER counts the HTTP server's and this one:
//! for it there is [`ModelServer::with_span_kind`].

pub(crate) mod descriptor;
mod ending;
mod parameters;
mod request;

pub use descriptor::{
    INVALID_REQUEST, LLM_SERVER, LLM_SERVER_INTERNAL, LLM_SERVER_INTERNAL_MAIN, LLM_SERVER_MAIN,
    MODEL_ERROR, OUT_OF_MEMORY, QUEUE_FULL, TOO_LONG,
};
pub use request::InferenceRequest;

use crate::anomaly::{Anomalies, Anomaly};
use crate::descriptor::{ADDRESS, LlmOperation, MODEL, OPERATION, PORT, PROVIDER, RESPONSE_MODEL};
use crate::dialect::Dialect;
use crate::llm::SLOW;
use crate::provider::Provider;
use descriptor::{BATCH_BOUNDS, BATCH_SIZE, KV_CACHE_USAGE, SLOTS, WAITING};
use obs_core::otel::trace::SpanKind;
use obs_core::{
    BoundGauge, BoundHistogram, BoundTally, Kind, LabelId, Labels, Milestone, Moment, Operation,
    Parent, Telemetry, current,
};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Who serves one model. Make one for each model at start-up and clone it: its settings are leaked once, at its first request, so
/// that a request counts no references.
///
/// All servers of a telemetry share their metrics, and so dialect and kind of span: one that comes with others than the first
/// takes those of the first, which is said in [`Telemetry::warnings`].
#[derive(Clone, Debug)]
pub struct ModelServer {
    telemetry: Telemetry,
    settings: Settings,
    leaked: Arc<OnceLock<&'static Shared>>,
}

#[derive(Clone, Debug)]
struct Settings {
    provider: Provider,
    model: Arc<str>,
    aliases: Vec<Arc<str>>,
    dialect: Dialect,
    span_kind: SpanKind,
    address: Option<(Arc<str>, Option<u16>)>,
    slots: Option<u32>,
    token_gaps: bool,
    slow_first_token: Option<Duration>,
    slow_token_gap: Option<Duration>,
    keeps_slow: bool,
}

/// What all requests of one server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) telemetry: Telemetry,
    pub(crate) kind: &'static Kind,
    pub(crate) dialect: Dialect,
    pub(crate) model: Arc<str>,
    /// All that is known of any of them.
    labels: Labels,
    pub(crate) waiting: BoundTally,
    batch_size: BoundHistogram,
    kv_cache_usage: BoundGauge,
    pub(crate) token_gaps: bool,
    /// In ticks; none is longer than `u64::MAX`.
    pub(crate) slow_first_token: u64,
    pub(crate) slow_token_gap: u64,
    pub(crate) keeps_slow: bool,
    pub(crate) anomalies: Anomalies,
}

impl ModelServer {
    /// One that reports to `telemetry`, by the names that `OTEL_SEMCONV_STABILITY_OPT_IN` asks for. `provider` is who serves, as
    /// clients know it; `model` is the one that answers.
    pub fn new(telemetry: &Telemetry, provider: Provider, model: &str) -> Self {
        Self {
            telemetry: *telemetry,
            settings: Settings {
                provider,
                model: model.into(),
                aliases: Vec::new(),
                dialect: Dialect::from_environment(),
                span_kind: SpanKind::Server,
                address: None,
                slots: None,
                token_gaps: false,
                slow_first_token: Some(SLOW),
                slow_token_gap: Some(SLOW),
                keeps_slow: false,
            },
            leaked: Arc::default(),
        }
    }

    /// By which version of the conventions requests are told.
    #[must_use]
    pub fn with_dialect(self, dialect: Dialect) -> Self {
        self.set(|settings| settings.dialect = dialect)
    }

    /// The kind of the spans: [`SpanKind::Server`] unless this says [`SpanKind::Internal`], which is for a backend that counts a
    /// service's requests by spans of kind SERVER where a server of HTTP or RPCs around this one has one already. Any other is
    /// taken as SERVER.
    #[must_use]
    pub fn with_span_kind(self, kind: SpanKind) -> Self {
        self.set(|settings| settings.span_kind = kind)
    }

    /// Where it is reached: `server.address`, `server.port`.
    #[must_use]
    pub fn with_address(self, address: &str, port: Option<u16>) -> Self {
        self.set(|settings| settings.address = Some((address.into(), port)))
    }

    /// Further names that the model, or an adapter on it, is asked for by. Any other name that a request comes with is `_OTHER` on
    /// metrics, because anybody can ask for anything; spans have it.
    #[must_use]
    pub fn with_alias(self, name: &str) -> Self {
        self.set(|settings| settings.aliases.push(name.into()))
    }

    /// How many requests it can work on at once.
    #[must_use]
    pub fn with_slots(self, slots: u32) -> Self {
        self.set(|settings| settings.slots = Some(slots))
    }

    /// Whether the time between any two tokens of a request is recorded, as `obs.llm.server.token_gap`. Not by default: it is most
    /// of what a token costs. The longest of a request is an attribute of its span either way.
    #[must_use]
    pub fn with_token_gaps(self, records: bool) -> Self {
        self.set(|settings| settings.token_gaps = records)
    }

    /// From which time to the first token, and from which time between two tokens, a request is told to be slow: by an event
    /// `obs.llm.slow` at that moment, once for each of the two, with the trace's id. By default [`SLOW`]; `None` is never.
    #[must_use]
    pub fn with_slow(self, first_token: Option<Duration>, token_gap: Option<Duration>) -> Self {
        self.set(|settings| {
            settings.slow_first_token = first_token;
            settings.slow_token_gap = token_gap;
        })
    }

    /// Whether a request that is told to be slow is kept although the head decision left it out, so that the event's trace is
    /// there. Not by default.
    #[must_use]
    pub fn with_slow_kept(self, keeps: bool) -> Self {
        self.set(|settings| settings.keeps_slow = keeps)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }

    /// A request, as it comes in: it waits. Its parent is what brought it: [`Parent::Current`] within the operation of an RPC or an
    /// HTTP exchange, [`Parent::Operation`] by its handle from elsewhere, [`Parent::Remote`] where its context came otherwise.
    pub fn request(&self, operation: LlmOperation, parent: Parent<'_>) -> InferenceRequest {
        self.shared().start(operation, parent)
    }

    /// Now: for all requests that are [scheduled](InferenceRequest::scheduled_at) together.
    #[inline]
    pub fn now(&self) -> Moment {
        self.shared().kind.now()
    }

    /// A step of the model is done, which advanced `batch` requests: says when, for [their tokens](InferenceRequest::token_at). One
    /// that advanced none is no step.
    #[inline]
    pub fn step(&self, batch: usize) -> Moment {
        let shared = self.shared();
        if batch > 0 && !shared.kind.is_disabled() {
            shared.batch_size.record(batch as f64);
        }
        shared.kind.now()
    }

    /// How much of the cache of keys and values is in use, from 0 to 1. Anything else is counted as an anomaly, and not shown.
    pub fn kv_cache_usage(&self, share: f64) {
        let shared = self.shared();
        if (0.0..=1.0).contains(&share) {
            shared.kv_cache_usage.set(share);
        } else {
            shared.anomalies.count(Anomaly::OutOfRange);
        }
    }

    /// The kind of its requests, for levels and thresholds, of all or per model.
    pub fn kind(&self) -> &'static Kind {
        self.shared().kind
    }

    /// What all its requests share, for as long as the program runs.
    fn shared(&self) -> &'static Shared {
        self.leaked
            .get_or_init(|| Box::leak(Box::new(Shared::new(&self.telemetry, &self.settings))))
    }
}

impl Shared {
    fn new(telemetry: &Telemetry, settings: &Settings) -> Self {
        let (kind, dialect) =
            descriptor::registered(telemetry, settings.dialect, &settings.span_kind);
        let (provider, model) = (settings.provider.as_str(), &*settings.model);
        kind.reserve(PROVIDER, provider);
        kind.reserve(RESPONSE_MODEL, model);
        for name in settings.aliases.iter().chain([&settings.model]) {
            kind.reserve(MODEL, name);
        }
        let mut labels = Labels::NONE
            .with(PROVIDER, kind.label(PROVIDER, provider))
            .with(MODEL, kind.label(MODEL, model))
            .with(RESPONSE_MODEL, kind.label(RESPONSE_MODEL, model));
        if let Some((address, port)) = &settings.address {
            labels = labels.with(ADDRESS, kind.label(ADDRESS, address));
            if let Some(port) = port {
                labels = labels.with(PORT, LabelId::number(*port));
            }
        }
        let whose = [provider, model];
        let ticks = |slow: Option<Duration>| slow.map_or(u64::MAX, |slow| kind.ticks(slow));
        if let Some(slots) = settings.slots {
            telemetry.gauge(&SLOTS).bind(&whose).set(slots.into());
        }
        Self {
            telemetry: *telemetry,
            kind,
            dialect,
            model: settings.model.clone(),
            labels,
            waiting: telemetry.tally(&WAITING).bind(&whose),
            batch_size: { telemetry.histogram(&BATCH_SIZE, BATCH_BOUNDS) }.bind(&whose),
            kv_cache_usage: telemetry.gauge(&KV_CACHE_USAGE).bind(&whose),
            token_gaps: settings.token_gaps,
            slow_first_token: ticks(settings.slow_first_token),
            slow_token_gap: ticks(settings.slow_token_gap),
            keeps_slow: settings.keeps_slow,
            anomalies: Anomalies::new(telemetry),
        }
    }

    fn start(&'static self, operation: LlmOperation, parent: Parent<'_>) -> InferenceRequest {
        if self.kind.is_disabled() || current::is_suppressed() {
            return InferenceRequest::new(self, Operation::disabled());
        }
        let id = LabelId::closed(operation as u16);
        let labels = self.labels.with(OPERATION, id);
        let mut request = InferenceRequest::new(self, self.kind.start(labels, parent));
        if let Some(mut active) = request.active() {
            self.kind.annotate(|| Milestone::Started, &mut active);
        }
        request
    }
}
