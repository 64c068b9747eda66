//! A call of a model, from the request to the end of the answer.

pub(crate) mod ending;
mod estimated;
mod exception;
pub(crate) mod finish;
mod pace;
pub(crate) mod parameters;

use crate::anomaly::Anomaly;
use crate::content::{self, Gathered};
use crate::descriptor::by_length;
use crate::descriptor::{
    ADDRESS, LlmOperation, MODEL, OPERATION, PORT, PROVIDER, RESPONSE_MODEL, error_type,
};
use crate::dialect::Dialect;
use crate::estimate::Estimator;
use crate::llm::Shared;
use crate::provider::Provider;
use crate::usage::Usage;
use crate::wire::{Content, Malformed, RequestSink, ResponseSink, ServerPart, Wire};
#[cfg(any(feature = "client", feature = "stream"))]
use crate::wire::{Framing, ResponseScanner};
use ending::list;
use finish::FinishReasons;
use obs_core::semconv::{gen_ai, obs};
use obs_core::{
    Active, ErrorType, Kind, LabelId, Labels, Milestone, OpRef, Operation, Outcome, Parent,
    Session, Set, current,
};
use pace::Pace;
use parameters::parameters;
use std::fmt;
use std::time::Duration;

/// A call of a model. It is told of its request through [`RequestSink`] and of its answer through [`ResponseSink`], by whoever
/// knows: a scanner of the bytes, an adapter of a client library, the caller itself. It ends once: [`end`](Self::end),
/// [`fail`](Self::fail), or by being dropped, which is cancelled with what is known by then.
///
/// It is `Send`; who polls the answer tells it on whichever thread that is.
#[must_use = "dropping it records a cancelled call"]
pub struct LlmCall {
    pub(crate) operation: Operation,
    pub(crate) shared: &'static Shared,
    pub(crate) kind: &'static Kind,
    pace: Pace,
    pub(crate) usage: Usage,
    pub(crate) finish: FinishReasons,
    /// How many answers were asked for; more than a byte has are never known to be all there.
    choices: u8,
    error: ErrorType,
    asked: LlmOperation,
    /// OpenAI itself is asked, or at Azure.
    is_openai: bool,
    /// Who is asked, and for which model, as the metrics by length number them.
    by_length: (LabelId, LabelId),
    /// Whether its chunks have times: [`ASKS`], or [`IS`].
    stream: u8,
    complete: bool,
    /// In which format the answer comes, where its bytes are read.
    wire: Option<Wire>,
    pub(crate) rare: Option<Box<Rare>>,
}

/// The request asks for a stream.
const ASKS: u8 = 1;
/// The answer is one, whatever was asked for.
const IS: u8 = 1 << 1;

/// What few calls have. A call waits for its answer longer than it works, and thousands may wait: each has room for what most have,
/// and `tests/client_held` counts it.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// By which tier it is charged, where there are prices.
    tier: Option<Box<str>>,
    stops: Vec<Box<str>>,
    /// The answer's id, where the record had no room for it.
    response_id: Option<Box<str>>,
    /// What was said so far, where it is to be told.
    pub(crate) content: Option<Gathered>,
    /// Where tokens are to be counted.
    estimator: Option<Estimator>,
}

/// Without what is said in it, and what is to end it.
impl fmt::Debug for LlmCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmCall")
            .field("operation", &self.asked.as_str())
            .field("is_recording", &self.is_recording())
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn start(
        &'static self,
        asked: LlmOperation,
        provider: &Provider,
        parent: Parent<'_>,
    ) -> LlmCall {
        let kind = self.kind(asked);
        if kind.is_disabled() || current::is_suppressed() {
            return LlmCall::of(self, kind, asked, Operation::disabled());
        }
        let operation = LabelId::closed(asked as u16);
        let who = kind.label(PROVIDER, provider.as_str());
        let labels = Labels::NONE.with(OPERATION, operation).with(PROVIDER, who);
        let mut call = LlmCall::of(self, kind, asked, kind.start(labels, parent));
        // One that found no place among the labels: spans and prices have its name.
        if who == LabelId::OVERFLOW
            && let Some(mut active) = call.operation.active()
        {
            active.set_label_text(PROVIDER, provider.as_str());
        }
        call.is_openai = is_openai(provider);
        if asked.is_inference() && call.is_recording() {
            let counts = self.settings.estimates.is_some();
            if let Some(content) = content::begin(&self.settings.content, &self.pool, counts) {
                call.rare().content = Some(content);
            }
            if counts {
                call.rare().estimator = Some(Estimator::default());
            }
        }
        if self.settings.by_length && call.is_recording() {
            call.by_length.0 = self.by_length.label(by_length::PROVIDER, provider.as_str());
        }
        if let Some(mut active) = call.operation.active() {
            active.counts_as(self.within(asked));
            kind.annotate(|| Milestone::Started, &mut active);
        }
        call
    }
}

fn is_openai(provider: &Provider) -> bool {
    let is = |known: Provider| provider.as_str() == known.as_str();
    is(Provider::OPENAI) || is(Provider::AZURE_AI_OPENAI)
}

impl LlmCall {
    fn of(
        shared: &'static Shared,
        kind: &'static Kind,
        asked: LlmOperation,
        operation: Operation,
    ) -> Self {
        Self {
            operation,
            shared,
            kind,
            pace: Pace::default(),
            usage: Usage::new(),
            finish: FinishReasons::default(),
            choices: 1,
            error: ErrorType::NONE,
            asked,
            is_openai: false,
            by_length: (LabelId::ABSENT, LabelId::ABSENT),
            stream: 0,
            complete: false,
            wire: None,
            rare: None,
        }
    }

    #[cold]
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// What was said so far, where it is to be told.
    #[inline]
    pub(crate) fn gathered(&mut self) -> Option<&mut Gathered> {
        self.rare.as_mut()?.content.as_mut()
    }

    /// Whether it records anything: not at [`Disabled`](obs_core::StatsLevel::Disabled), and not after its end.
    #[inline(always)]
    pub fn is_recording(&self) -> bool {
        self.operation.is_recording()
    }

    /// What can be said about any operation: attributes, events, links, session. `None` where nothing is recorded.
    #[inline]
    pub fn active(&mut self) -> Option<Active<'_>> {
        self.operation.active()
    }

    /// A handle for other tasks and threads, and for children that start there. `None` where nothing is recorded.
    pub fn handle(&mut self) -> Option<OpRef> {
        self.operation.handle()
    }

    /// Runs `work` as part of the call: what is started in it becomes its child.
    pub fn scope<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.operation.scope(work)
    }

    /// For a service that wraps a poll: current until the guard is left.
    #[cfg(any(feature = "client", feature = "genai"))]
    #[inline]
    pub(crate) fn enter(&mut self) -> obs_core::Entered<'_> {
        self.operation.enter()
    }

    /// It has been polled for the last time, and its answer may take long.
    #[cfg(any(feature = "client", feature = "stream"))]
    pub(crate) fn withdraw(&mut self) {
        self.operation.withdraw();
    }

    /// Whom it asks: `server.address`, `server.port`.
    pub fn set_server(&mut self, address: &str, port: Option<u16>) {
        let Some(mut active) = self.operation.active() else {
            return;
        };
        active.set_label_text(ADDRESS, address);
        if let Some(port) = port {
            active.set_label(PORT, LabelId::number(port));
        }
    }

    /// Who serves the model, where that was not known at its start. The gauge of calls that go on keeps what it began with.
    pub fn set_provider(&mut self, provider: &Provider) {
        let Some(mut active) = self.operation.active() else {
            return;
        };
        active.set_label_text(PROVIDER, provider.as_str());
        self.is_openai = is_openai(provider);
        if self.shared.settings.by_length {
            let by_length = self.shared.by_length;
            self.by_length.0 = by_length.label(by_length::PROVIDER, provider.as_str());
        }
    }

    /// Which format the answer comes in, where one is read.
    pub fn set_wire(&mut self, wire: Wire) {
        self.wire = Some(wire);
    }

    /// The session, and the user, that it is done for.
    pub fn set_session(&mut self, session: Session) {
        if let Some(mut active) = self.operation.active() {
            active.set_session(session);
        }
    }

    /// The prompt template that was used.
    pub fn set_prompt(&mut self, name: &str, version: Option<&str>) {
        self.say(gen_ai::PROMPT_NAME, name);
        if let (Some(version), Dialect::Main) = (version, self.dialect()) {
            self.say(gen_ai::PROMPT_VERSION, version);
        }
    }

    /// The answer is streamed, whatever the request said: its chunks have times.
    pub fn set_streams(&mut self) {
        self.stream |= IS;
    }

    /// A chunk with content is there; of the first one the time since the request counts, of each further one the time since
    /// the one before.
    #[inline(always)]
    pub fn chunk(&mut self) {
        let of = (self.shared, self.kind);
        if !self.pace.further(&mut self.operation, of) {
            self.chunks(1);
        }
    }

    /// The first chunk with content had come so long after the request, as somebody says who timed it: for calls that are told at
    /// their end. Where a chunk was seen, that counts.
    pub fn first_chunk_after(&mut self, time: Duration) {
        let of = (self.shared, self.kind);
        self.pace.first_after(&mut self.operation, of, time);
    }

    /// So many chunks with content came at once. A reader of single chunks has them one after another, with no time between.
    #[inline(never)]
    pub fn chunks(&mut self, count: u32) {
        if !self.is_recording() {
            return;
        }
        match self.streams() {
            true => {
                let of = (self.shared, self.kind);
                self.pace.chunks(&mut self.operation, of, count);
            }
            false => self.pace.count(count),
        }
    }

    /// What reads its answer.
    #[cfg(any(feature = "client", feature = "stream"))]
    pub(crate) fn scanner(&self, wire: Wire, framing: Framing) -> ResponseScanner {
        let scanner = ResponseScanner::new(wire, framing);
        match &self.rare {
            Some(rare) if rare.estimator.is_some() => scanner.with_texts(),
            _ => scanner,
        }
    }

    /// Reads the next bytes of the answer.
    #[cfg(any(feature = "client", feature = "stream"))]
    #[inline(always)]
    pub(crate) fn read(&mut self, scanner: &mut ResponseScanner, mut bytes: &[u8]) {
        if let Some(content) = self.gathered() {
            let (rest, wire, framing) = scanner.of_next(bytes);
            if !rest.is_empty() {
                content.read(wire, framing, rest);
            }
            bytes = rest;
        }
        scanner.feed(bytes, self);
    }

    /// The same out of line.
    #[cfg(feature = "compression")]
    #[inline(never)]
    pub(crate) fn read_coded(&mut self, scanner: &mut ResponseScanner, bytes: &[u8]) {
        self.read(scanner, bytes);
    }

    /// Its usage so far.
    pub fn usage_so_far(&self) -> &Usage {
        &self.usage
    }

    /// Whether what ends an answer by its format has come.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// It failed with an HTTP status, unless the answer says itself how it failed.
    pub fn set_status(&mut self, status: u16) {
        if status >= 400 && (self.error.is_none() || self.error == ErrorType::OTHER) {
            self.error = ErrorType::code(status);
            self.foresee();
        }
    }

    /// It is a failure of this type, unless one is known already.
    pub fn set_error(&mut self, error: ErrorType) {
        if self.error.is_none() {
            self.error = error;
        }
    }

    /// The outcome as far as it is known.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.error.is_none() {
            true => Outcome::ANSWERED,
            false => Outcome::failed(self.error),
        }
    }

    /// Whether its chunks have times.
    pub(crate) fn streams(&self) -> bool {
        self.stream != 0
    }

    /// Whether no error is known of it.
    #[cfg(feature = "client")]
    pub(crate) fn is_ok(&self) -> bool {
        self.error.is_none()
    }

    /// Whether whoever drops it now has all that was generated.
    pub(crate) fn is_all_there(&self) -> bool {
        self.complete || self.finish.len() >= usize::from(self.choices)
    }

    /// Ends it: answered, or failed where an error was told.
    pub fn end(mut self) {
        self.end_in_place(self.outcome());
    }

    /// Ends it as failed.
    pub fn fail(mut self, error: ErrorType) {
        self.set_error(error);
        self.end_in_place(self.outcome());
    }

    /// It is no call, after all: somebody told it at second hand, and within it the call itself was told since. It ends as an
    /// operation of another kind of the same telemetry, and counts as none: not its duration, not its tokens, no cost.
    #[doc(hidden)]
    pub fn end_as(mut self, kind: &'static Kind, labels: Labels) {
        let operation = std::mem::replace(&mut self.operation, Operation::disabled());
        self.pace.stop();
        operation.end_as(kind, labels, self.outcome());
    }

    /// Ends it as `outcome` says.
    pub fn end_with(mut self, outcome: Outcome) {
        self.end_in_place(outcome);
    }

    /// Counts what could not be read.
    pub(crate) fn count_anomaly(&self, anomaly: Anomaly) {
        if self.is_recording() {
            self.shared.anomalies.count(anomaly);
        }
    }
}

impl Drop for LlmCall {
    #[inline]
    fn drop(&mut self) {
        if self.is_recording() {
            self.end_dropped();
        }
    }
}

impl RequestSink for LlmCall {
    fn model(&mut self, model: &str) {
        let by_length = self.shared.by_length;
        let Some(mut active) = self.operation.active() else {
            return;
        };
        active.set_label_text(MODEL, model);
        if self.shared.settings.by_length {
            self.by_length.1 = by_length.label(by_length::MODEL, model);
        }
    }

    fn stream(&mut self, stream: bool) {
        // The last word counts, as it does for readers of JSON.
        self.stream = self.stream & !ASKS | u8::from(stream);
    }

    parameters!();

    fn service_tier(&mut self, tier: &str) {
        self.set_tier(gen_ai::OPENAI_REQUEST_SERVICE_TIER, tier);
        if { self.rare.as_ref() }.is_none_or(|rare| rare.tier.is_none()) {
            self.price_by(tier);
        }
    }
}

impl ResponseSink for LlmCall {
    fn response_id(&mut self, id: &str) {
        let Some(mut active) = self.operation.active() else {
            return;
        };
        active.set(gen_ai::RESPONSE_ID, id);
        let is_there = active.text(gen_ai::RESPONSE_ID) == Some(id);
        if !is_there {
            self.rare().response_id = Some(id.into());
        } else if let Some(rare) = &mut self.rare {
            rare.response_id = None;
        }
    }

    fn response_model(&mut self, model: &str) {
        if let Some(mut active) = self.operation.active() {
            active.set_label_text(RESPONSE_MODEL, model);
        }
    }

    #[inline(always)]
    fn content(&mut self, _: Content) {
        self.chunk();
    }

    fn finish_reason(&mut self, choice: u32, reason: &str) {
        if self.is_recording() {
            if !self.finish.set(choice, reason) {
                self.count_anomaly(Anomaly::ChoiceUntold);
            }
            self.foresee();
        }
    }

    fn usage(&mut self, usage: &Usage) {
        self.usage.update(usage);
    }

    fn service_tier(&mut self, tier: &str) {
        self.set_tier(gen_ai::OPENAI_RESPONSE_SERVICE_TIER, tier);
        self.price_by(tier);
    }

    fn system_fingerprint(&mut self, fingerprint: &str) {
        self.say(gen_ai::OPENAI_RESPONSE_SYSTEM_FINGERPRINT, fingerprint);
    }

    fn status(&mut self, status: &str) {
        if self.dialect() == Dialect::Main {
            self.say(gen_ai::RESPONSE_STATUS, status);
        }
    }

    fn error(&mut self, code: &str) {
        let told = error_type(code);
        // What is not in the list says less than a status.
        if self.error.is_none() || told != ErrorType::OTHER {
            self.error = told;
        }
        self.foresee();
    }

    fn server_time(&mut self, part: ServerPart, nanos: u64) {
        let key = match part {
            ServerPart::Load => obs::LLM_SERVER_LOAD,
            ServerPart::Prefill => obs::LLM_SERVER_PREFILL,
            ServerPart::Decode => obs::LLM_SERVER_DECODE,
            ServerPart::Total => obs::LLM_SERVER_TOTAL,
        };
        self.operation.set(key, nanos as f64 / 1e9);
    }

    fn complete(&mut self) {
        self.complete = true;
        self.foresee();
    }

    fn malformed(&mut self, what: Malformed) {
        self.count_anomaly(what.into());
    }

    fn text(&mut self, content: Content, choice: u32, piece: &str) {
        let rare = self.rare.as_mut();
        if let Some(estimator) = rare.and_then(|rare| rare.estimator.as_mut()) {
            estimator.push(content, choice, piece);
        }
    }
}

impl LlmCall {
    fn dialect(&self) -> Dialect {
        self.shared.settings.dialect
    }

    fn set_tier(&mut self, key: obs_core::Key, tier: &str) {
        if matches!(
            self.wire,
            None | Some(Wire::OpenAiChat | Wire::OpenAiResponses)
        ) {
            self.say(key, tier);
        }
    }

    /// Its price depends on the tier: on that of the request, where the answer tells none.
    fn price_by(&mut self, tier: &str) {
        if self.is_recording() && self.shared.settings.prices.is_some() {
            self.rare().tier = Some(tier.into());
        }
    }

    /// The answer's id, as it was told last.
    pub(crate) fn answer_id(&mut self) -> Option<Box<str>> {
        let kept = { self.rare.as_ref() }.and_then(|rare| rare.response_id.as_ref());
        if let Some(id) = kept {
            return Some(id.clone());
        }
        let active = self.operation.active()?;
        active.text(gen_ai::RESPONSE_ID).map(Into::into)
    }

    fn set_choices(&mut self, count: u64) {
        self.choices = u8::try_from(count).unwrap_or(u8::MAX);
    }

    fn stops(&mut self) -> &mut Vec<Box<str>> {
        &mut self.rare().stops
    }

    fn set_count(&mut self, key: obs_core::Key, count: u64) {
        self.say(key, i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// On its span, and on the event of its details where that is told.
    fn say<'v>(&mut self, key: obs_core::Key, value: impl Into<Set<'v>>) {
        let value = value.into();
        self.operation.set(key, value);
        if let Some(content) = self.gathered() {
            content.say(key, value);
        }
    }

    /// Clients stop reading at the end of the format, not at that of the body, or where they know that it failed.
    fn foresee(&mut self) {
        if self.is_all_there() || !self.error.is_none() {
            let outcome = self.outcome();
            if let Some(mut active) = self.operation.active() {
                active.set_dropped(outcome);
            }
        }
    }
}
