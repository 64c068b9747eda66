//! Where calls come from: the kinds of one telemetry, with the settings that all its calls share.

use crate::anomaly::Anomalies;
use crate::bill::{CountTokens, Price};
use crate::call::LlmCall;
use crate::content::{Capture, Pool};
use crate::descriptor::by_length::BY_LENGTH;
use crate::descriptor::{LlmOperation, MODEL, PROVIDER, WITHIN_INFERENCE, WITHIN_OTHER};
use crate::dialect::Dialect;
use crate::provider::Provider;
use obs_core::{Kind, OpRef, Parent, Telemetry};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Makes [`LlmCall`]s. Make one at start-up and clone it: its settings are leaked once, at the first call, so that a call
/// counts no references.
///
/// ```
/// use obs_llm::wire::{RequestSink, ResponseSink};
/// use obs_llm::{Llm, LlmOperation, Provider, Tokens, Usage};
///
/// # let telemetry = &obs_core::Telemetry::noop();
/// let llm = Llm::new(telemetry);
/// let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
/// call.model("claude-sonnet-4-5");
/// call.max_tokens(1024);
/// // … the request goes out, the answer comes in …
/// call.finish_reason(0, "end_turn");
/// call.usage(&Usage::new().with(Tokens::Input, 12).with(Tokens::Output, 40));
/// call.end();
/// ```
#[derive(Clone, Debug)]
pub struct Llm {
    telemetry: Telemetry,
    settings: Settings,
    leaked: Arc<OnceLock<&'static Shared>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) dialect: Dialect,
    pub(crate) slow_first_chunk: Option<Duration>,
    pub(crate) slow_chunk_gap: Option<Duration>,
    pub(crate) keeps_slow: bool,
    pub(crate) by_length: bool,
    pub(crate) prices: Option<Arc<dyn Price>>,
    pub(crate) content: Capture,
    pub(crate) estimates: Option<Arc<dyn CountTokens>>,
    pub(crate) counts_estimates: bool,
}

/// What most calls set while they run: the most tokens, the temperature, the answer's id, its tier and its fingerprint. Labels, and
/// what is said at the end, are not among them.
const ATTRIBUTES: u16 = 5;
/// Bytes of text in these.
const TEXT: u16 = 64;

/// What all calls of one [`Llm`] share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) telemetry: Telemetry,
    pub(crate) settings: Settings,
    pub(crate) inferences: &'static Kind,
    pub(crate) others: &'static Kind,
    pub(crate) by_length: &'static Kind,
    /// What stands within an inference, and within any other call, as it is known there.
    within: [&'static Kind; 2],
    /// In ticks; none is longer than `u64::MAX`.
    pub(crate) slow_first_chunk: u64,
    pub(crate) slow_chunk_gap: u64,
    pub(crate) anomalies: Anomalies,
    pub(crate) pool: Pool,
}

/// From which time on a chunk is slow, unless it is set: what the article that this suite is built from alarms at.
pub const SLOW: Duration = Duration::from_millis(200);

impl Llm {
    /// Calls that are reported to `telemetry`, by the names that `OTEL_SEMCONV_STABILITY_OPT_IN` asks for.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self {
            telemetry: *telemetry,
            settings: Settings {
                dialect: Dialect::from_environment(),
                slow_first_chunk: Some(SLOW),
                slow_chunk_gap: Some(SLOW),
                keeps_slow: false,
                by_length: true,
                prices: None,
                content: Capture::from_environment(),
                estimates: None,
                counts_estimates: false,
            },
            leaked: Arc::default(),
        }
    }

    /// By which version of the conventions calls are named. All of a telemetry are to agree.
    #[must_use]
    pub fn with_dialect(self, dialect: Dialect) -> Self {
        self.set(|settings| settings.dialect = dialect)
    }

    /// By which it is.
    pub fn dialect(&self) -> Dialect {
        self.settings.dialect
    }

    /// From which time to the first chunk, and from which time between two chunks, a call is told to be slow: by an event
    /// `obs.llm.slow`, once for each of the two, with the trace's id. By default [`SLOW`]; `None` is never.
    #[must_use]
    pub fn with_slow(self, first_chunk: Option<Duration>, chunk_gap: Option<Duration>) -> Self {
        self.set(|settings| {
            settings.slow_first_chunk = first_chunk;
            settings.slow_chunk_gap = chunk_gap;
        })
    }

    /// Whether a call that is told to be slow is kept although the head decision left it out, so that the event's trace is
    /// there. Not by default: at [`SLOW`] most calls over the internet are.
    #[must_use]
    pub fn with_slow_kept(self, keeps: bool) -> Self {
        self.set(|settings| settings.keeps_slow = keeps)
    }

    /// Whether times are also recorded by how long input and output were; they are by default.
    #[must_use]
    pub fn with_lengths(self, records: bool) -> Self {
        self.set(|settings| settings.by_length = records)
    }

    /// What calls cost.
    #[must_use]
    pub fn with_prices(self, prices: Arc<dyn Price>) -> Self {
        self.set(|settings| settings.prices = Some(prices))
    }

    /// Who counts the tokens of inferences whose provider told none: they are told on the span, as `obs.llm.usage.estimated`,
    /// `obs.llm.usage.estimated.input_tokens` and `.output_tokens`, and are in no metric and no price. Of the output; of the
    /// input only with the feature `content`, whose caps then hold for it. See [`estimate`](crate::estimate) for what they are
    /// worth, and cost.
    #[must_use]
    pub fn with_estimates(self, counter: Arc<dyn CountTokens>) -> Self {
        self.set(|settings| settings.estimates = Some(counter))
    }

    /// Whether estimates count as usage: in the standard metrics, on the span, and in what calls cost. Not by default: by the
    /// conventions usage is what a provider told, unless the user asks for counting.
    #[must_use]
    pub fn with_estimates_counted(self, counts: bool) -> Self {
        self.set(|settings| settings.counts_estimates = counts)
    }

    /// What of prompts and answers is recorded; where it is not said, what `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` asks
    /// for, and without that nothing. See [`content`](crate::content).
    #[cfg(feature = "content")]
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    #[must_use]
    pub fn with_content(self, capture: Capture) -> Self {
        self.set(|settings| settings.content = capture)
    }

    /// What of prompts and answers is recorded, for whoever tells more of the same than calls of models.
    #[cfg(feature = "content")]
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    pub fn content(&self) -> &Capture {
        &self.settings.content
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }

    /// A call of a model, the child of what is current.
    pub fn call(&self, operation: LlmOperation, provider: &Provider) -> LlmCall {
        self.call_of(operation, provider, Parent::Current)
    }

    /// The same, whose parent is named.
    pub fn call_of(
        &self,
        operation: LlmOperation,
        provider: &Provider,
        parent: Parent<'_>,
    ) -> LlmCall {
        self.shared().start(operation, provider, parent)
    }

    /// Whether a call of this operation is part of one of its sort that is observed already, by whoever it is: of one that is current
    /// here, or in which what is behind this handle is. Who tells such a call tells it twice.
    pub fn is_within_call(&self, operation: LlmOperation, parent: Option<&OpRef>) -> bool {
        let within = self.shared().within(operation);
        within.is_around() || parent.is_some_and(|parent| within.is_around_handle(parent))
    }

    /// The kind of its calls of this operation, for levels and thresholds, of all or per model.
    pub fn kind(&self, operation: LlmOperation) -> &'static Kind {
        self.shared().kind(operation)
    }

    /// Providers and models known at start-up: their labels keep their places whatever a flood of others does.
    pub fn reserve(&self, provider: &Provider, model: &str) {
        let shared = self.shared();
        for kind in [shared.inferences, shared.others] {
            kind.reserve(PROVIDER, provider.as_str());
            kind.reserve(MODEL, model);
        }
    }

    /// What all its calls share, for as long as the program runs.
    pub(crate) fn shared(&self) -> &'static Shared {
        self.leaked.get_or_init(|| {
            let settings = self.settings.clone();
            let kind = |operation| self.telemetry.kind(settings.dialect.descriptor(operation));
            let (inferences, others) = (kind(LlmOperation::Chat), kind(LlmOperation::Embeddings));
            // What stands within one of them, however deep, is no call of its own. Of v1.41's one kind is both sorts; and a process may
            // watch more than it has room for: then the innermost is known. Another dialect's calls tell a story of their own.
            let sorts = [(&WITHIN_INFERENCE, inferences), (&WITHIN_OTHER, others)];
            let within = sorts.map(|(sort, kind)| {
                let sort = match settings.dialect {
                    Dialect::V1_41 => self.telemetry.kind(sort),
                    Dialect::Main => kind,
                };
                if sort.watch_around() { sort } else { kind }
            });
            for kind in [inferences, others] {
                kind.set_room(ATTRIBUTES, TEXT);
            }
            let ticks =
                |slow: Option<Duration>| slow.map_or(u64::MAX, |slow| inferences.ticks(slow));
            Box::leak(Box::new(Shared {
                telemetry: self.telemetry,
                inferences,
                others,
                by_length: self.telemetry.kind(&BY_LENGTH),
                within,
                slow_first_chunk: ticks(settings.slow_first_chunk),
                slow_chunk_gap: ticks(settings.slow_chunk_gap),
                anomalies: Anomalies::new(&self.telemetry),
                pool: Pool::new(settings.content.in_flight_bytes),
                settings,
            }))
        })
    }
}

impl Shared {
    /// Whether all calls are switched off.
    #[cfg(feature = "async-openai")]
    pub(crate) fn is_disabled(&self) -> bool {
        self.inferences.is_disabled() && self.others.is_disabled()
    }

    /// As what a call of this operation is known by those within it.
    pub(crate) fn within(&self, operation: LlmOperation) -> &'static Kind {
        let [inference, other] = self.within;
        if operation.is_inference() {
            inference
        } else {
            other
        }
    }

    /// Whether nobody is to observe a call of this operation that starts here: it is switched off, or part of one of its sort that is
    /// observed already. An embedding that an inference asks for is a call of its own.
    #[cfg(any(feature = "client", feature = "genai"))]
    pub(crate) fn passes(&self, operation: LlmOperation) -> bool {
        self.kind(operation).is_disabled() || self.within(operation).is_around()
    }

    pub(crate) fn kind(&self, operation: LlmOperation) -> &'static Kind {
        match operation.is_inference() {
            true => self.inferences,
            false => self.others,
        }
    }
}
