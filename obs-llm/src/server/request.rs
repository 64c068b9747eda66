//! A request, from when it is asked for until its answer is complete.

use super::Shared;
use super::descriptor::{CACHED, INPUT, OUTPUT, PREEMPTIONS, PREFILL, QUEUE, TOKEN_GAP};
use crate::anomaly::Anomaly;
use crate::call::finish::FinishReasons;
use crate::slow::Slow;
use crate::usage::Usage;
use obs_core::{Active, Event, Labels, Milestone, Moment, OpRef, Operation, Outcome, Session};
use std::fmt;
use std::time::Duration;

/// A request that a model is to answer. Whoever has it tells what happens to it, on whichever thread that is; it ends once, by
/// [`end`](Self::end) or by being dropped: then it is cancelled, timed out where its [deadline](Self::set_deadline) has passed,
/// or panicked where a thread unwinds with it.
///
/// What it was asked is told through [`RequestSink`](crate::wire::RequestSink), by hand or by a
/// [`RequestScanner`](crate::wire::RequestScanner) over the body, and what it answers beside tokens (id, finish reasons, usage)
/// through [`ResponseSink`](crate::wire::ResponseSink).
#[must_use = "dropping it records a cancelled request"]
pub struct InferenceRequest {
    pub(super) operation: Operation,
    pub(super) shared: &'static Shared,
    phase: Phase,
    /// When it was taken from the queue the first time, if anybody said so.
    pub(super) scheduled: Option<Moment>,
    pub(super) first: Option<Moment>,
    pub(super) last: Option<Moment>,
    /// The longest time between two tokens, in ticks.
    pub(super) longest: u64,
    /// How many of them were slow.
    pub(super) slow: u32,
    /// Tokens so far, and of them those that the metric has.
    pub(super) output: u32,
    counted: u32,
    /// Tokens of the prompt that were read, and those since it was put back the last time.
    pub(super) input: u64,
    read: u64,
    pub(super) cached: u64,
    pub(super) preemptions: u32,
    /// How many answers were asked for.
    pub(super) choices: u32,
    pub(super) usage: Usage,
    pub(super) finish: FinishReasons,
    pub(super) stops: Option<Vec<Box<str>>>,
}

/// Without what is to end its answer.
impl fmt::Debug for InferenceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InferenceRequest")
            .field("phase", &self.phase)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is recorded.
    Off,
    /// In the queue, for the first time or again.
    Waiting,
    /// Worked on, without a token as yet.
    Prefill,
    /// There was a token.
    Decode,
}

/// So many tokens are counted at once: whoever looks at the rate of a long answer need not wait for its end.
const COUNTED_AT_ONCE: u32 = 32;

impl InferenceRequest {
    pub(super) fn new(shared: &'static Shared, operation: Operation) -> Self {
        let phase = match operation.is_recording() {
            true => {
                shared.waiting.add(1);
                Phase::Waiting
            }
            false => Phase::Off,
        };
        Self {
            operation,
            shared,
            phase,
            scheduled: None,
            first: None,
            last: None,
            longest: 0,
            slow: 0,
            output: 0,
            counted: 0,
            input: 0,
            read: 0,
            cached: 0,
            preemptions: 0,
            choices: 1,
            usage: Usage::new(),
            finish: FinishReasons::default(),
            stops: None,
        }
    }

    /// Whether it records anything: not at [`Disabled`](obs_core::StatsLevel::Disabled), and not after its end.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.operation.is_recording()
    }

    /// What can be said about any operation: attributes, events, links, baggage. `None` where nothing is recorded.
    #[inline]
    pub fn active(&mut self) -> Option<Active<'_>> {
        self.operation.active()
    }

    /// A handle for other tasks and threads, and for children that start there. `None` where nothing is recorded.
    pub fn handle(&mut self) -> Option<OpRef> {
        self.operation.handle()
    }

    /// Runs `work` as part of the request: what is started in it becomes its child.
    pub fn scope<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.operation.scope(work)
    }

    /// The session, and the user, that it is done for.
    pub fn set_session(&mut self, session: Session) {
        if let Some(mut active) = self.operation.active() {
            active.set_session(session);
        }
    }

    /// From `after` its start on, whoever drops it lets it time out: `error.type=timeout`, not `cancelled`. Nothing else happens
    /// then.
    pub fn set_deadline(&mut self, after: Duration) {
        if let Some(mut active) = self.operation.active() {
            active.set_deadline(after);
        }
    }

    /// It is taken from the queue now.
    pub fn scheduled(&mut self) {
        self.scheduled_at(self.shared.kind.now());
    }

    /// It was taken from the queue then: [`ModelServer::now`](super::ModelServer::now), for all of a batch.
    ///
    /// The first time ends the stage `queue`. One that was not in the queue is an anomaly, and changes nothing.
    pub fn scheduled_at(&mut self, at: Moment) {
        let Some(mut active) = self.operation.active() else {
            return;
        };
        if self.phase != Phase::Waiting {
            return self.shared.anomalies.count(Anomaly::OutOfOrder);
        }
        self.shared.waiting.add(-1);
        self.phase = match self.first {
            Some(_) => Phase::Decode,
            None => Phase::Prefill,
        };
        // One that was put back, or had a token, without ever having been scheduled: nobody knows how long it waited.
        if self.scheduled.is_none() && self.preemptions == 0 && self.first.is_none() {
            let (labels, started) = (active.labels(), active.started());
            active.stamp_at(Event::SCHEDULED, at);
            self.scheduled = Some(at);
            self.shared.kind.record_stage(labels, QUEUE, started, at);
        }
    }

    /// It is put back into the queue, because others need the room. [`scheduled`](Self::scheduled) takes it out again; its stages
    /// go on meanwhile. One that was in the queue is an anomaly, and changes nothing.
    pub fn preempted(&mut self) {
        if !self.is_recording() {
            return;
        }
        if self.phase == Phase::Waiting {
            return self.shared.anomalies.count(Anomaly::OutOfOrder);
        }
        self.shared.waiting.add(1);
        self.phase = Phase::Waiting;
        self.preemptions = self.preemptions.saturating_add(1);
        self.read = 0;
        self.count(PREEMPTIONS, 1);
    }

    /// So many tokens of its prompt were read; called for each part where it is read in parts. What is read again after it was
    /// [put back](Self::preempted) is not counted again.
    pub fn prefilled(&mut self, tokens: u64) {
        // With its first token all of the prompt was read, and what is read after that is also what was written.
        if !self.is_recording() || self.preemptions > 0 && self.first.is_some() {
            return;
        }
        self.read = self.read.saturating_add(tokens);
        let new = self.read.saturating_sub(self.input);
        self.input += new;
        self.count(INPUT, new);
    }

    /// So many tokens of its prompt were found in the cache, and need not be read: they are tokens of the input, too. What is found
    /// after it was [put back](Self::preempted) is its own.
    pub fn cached(&mut self, tokens: u64) {
        self.prefilled(tokens);
        if self.is_recording() && self.preemptions == 0 {
            self.cached = self.cached.saturating_add(tokens);
            self.count(CACHED, tokens);
        }
    }

    /// A token of its answer is there, now.
    #[inline]
    pub fn token(&mut self) {
        self.tokens(1);
    }

    /// A token of its answer was there then: with the moment that [`ModelServer::step`](super::ModelServer::step) gives, all that
    /// a step advanced share one reading of the clock.
    #[inline]
    pub fn token_at(&mut self, at: Moment) {
        self.tokens_at(1, at);
    }

    /// So many tokens are there at once: of several choices, or guessed ahead and accepted.
    #[inline]
    pub fn tokens(&mut self, count: u32) {
        if self.phase != Phase::Off {
            self.tokens_at(count, self.shared.kind.now());
        }
    }

    /// The same at that moment. The first token ends the stage `prefill`.
    #[inline]
    pub fn tokens_at(&mut self, count: u32, at: Moment) {
        let (Phase::Decode, Some(last)) = (self.phase, self.last) else {
            return self.further_tokens(count, at);
        };
        if count == 0 {
            return;
        }
        let took = at.ticks_since(last);
        self.longest = self.longest.max(took);
        if took >= self.shared.slow_token_gap {
            self.slow_gap(took);
        }
        self.last = Some(at.max(last));
        self.output = self.output.saturating_add(count);
        if self.output - self.counted >= COUNTED_AT_ONCE {
            self.count_output();
        }
        if self.shared.token_gaps {
            self.record_gaps(count, last, at);
        }
    }

    /// The first ones, and those that come although it waits.
    #[cold]
    #[inline(never)]
    fn further_tokens(&mut self, count: u32, at: Moment) {
        let Some(mut active) = self.operation.active() else {
            return;
        };
        if count == 0 {
            return;
        }
        if self.phase == Phase::Waiting {
            self.shared.waiting.add(-1);
        }
        self.phase = Phase::Decode;
        if self.last.is_some() {
            return self.tokens_at(count, at);
        }
        let labels = active.labels();
        active.stamp_at(Event::FIRST_OUTPUT, at);
        if let Some(scheduled) = self.scheduled {
            let kind = self.shared.kind;
            kind.record_stage(labels, PREFILL, scheduled, at);
        }
        let took = at.ticks_since(active.started());
        let threshold = self.shared.slow_first_token;
        let slow = took >= threshold;
        let reached = || Milestone::FirstOutput { at, slow };
        self.shared.kind.annotate(reached, &mut active);
        if slow {
            let slow = Slow {
                cause: "first_token",
                took,
                threshold,
            };
            slow.tell(active, &self.shared.telemetry, self.shared.keeps_slow);
        }
        self.first = Some(at);
        self.last = Some(at);
        self.output = count;
    }

    /// One that stutters says so once.
    #[cold]
    #[inline(never)]
    fn slow_gap(&mut self, took: u64) {
        self.slow = self.slow.saturating_add(1);
        let Some(active) = self.operation.active().filter(|_| self.slow == 1) else {
            return;
        };
        let slow = Slow {
            cause: "token_gap",
            took,
            threshold: self.shared.slow_token_gap,
        };
        slow.tell(active, &self.shared.telemetry, self.shared.keeps_slow);
    }

    /// Of several at once one took the time, and the others none.
    #[inline(never)]
    fn record_gaps(&mut self, count: u32, last: Moment, at: Moment) {
        let labels = self.labels();
        for place in 0..count {
            let from = if place == 0 { last } else { at };
            self.shared.kind.record_stage(labels, TOKEN_GAP, from, at);
        }
    }

    /// Ends it.
    ///
    /// Its time to the first token, and for each token after, are recorded where it is [answered](Outcome::ANSWERED), and only
    /// there.
    pub fn end(mut self, outcome: Outcome) {
        if self.is_recording() {
            self.leave(outcome);
            self.operation.end_in_place(outcome);
        }
    }

    #[cold]
    #[inline(never)]
    fn end_dropped(&mut self) {
        let Some(outcome) = self.operation.outcome_if_dropped() else {
            return;
        };
        self.leave(outcome);
        self.operation.end_as_dropped();
    }

    fn leave(&mut self, outcome: Outcome) {
        if self.phase == Phase::Waiting {
            self.shared.waiting.add(-1);
        }
        let began = self.phase != Phase::Waiting || self.preemptions > 0;
        self.phase = Phase::Off;
        self.record(outcome, began);
    }

    pub(super) fn labels(&mut self) -> Labels {
        let active = self.operation.active();
        active.map_or(Labels::NONE, |active| active.labels())
    }

    /// Tokens since it was last done.
    #[cold]
    #[inline(never)]
    fn count_output(&mut self) {
        let count = self.output - self.counted;
        self.counted = self.output;
        self.count(OUTPUT, count.into());
    }

    /// What the metrics do not have yet of what is known at the end.
    pub(super) fn count_rest(&mut self, input: u64, cached: u64, output: u64) {
        self.count(INPUT, input.saturating_sub(self.input));
        self.count(CACHED, cached.saturating_sub(self.cached));
        self.count(OUTPUT, output.saturating_sub(self.counted.into()));
        self.counted = self.output;
    }

    fn count(&mut self, quantity: usize, by: u64) {
        if by > 0 {
            let labels = self.labels();
            let kind = self.shared.kind;
            kind.record_quantity(labels, quantity, by as f64);
        }
    }
}

impl Drop for InferenceRequest {
    #[inline]
    fn drop(&mut self) {
        if self.is_recording() {
            self.end_dropped();
        }
    }
}
