//! The state machine of one device: what is seen goes in with its moment, and what that makes of the device comes out. It has no
//! thread, no clock and no lock.

mod events;
mod readings;
#[cfg(test)]
mod tests;

use super::hysteresis::Hysteresis;
use super::settings::HealthSettings;
use super::state::{Cause, Evidence, HealthReport, HealthState};
use crate::gate::GateState;
use crate::quantity::Tier;
use crate::reading::Readings;
use crate::source::{Event, LinkReading, SourceError};
use crate::xid::{Verdict, Xid};
use obs_core::Moment;
use std::sync::Arc;
use std::time::Duration;

/// Settings in ticks of a clock.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) settings: HealthSettings,
    /// Ticks in a second.
    pub(super) per_second: f64,
    pub(super) solo: u64,
    contained: u64,
    warm: u64,
    calm: u64,
    forgiven: u64,
}

impl Limits {
    pub(super) fn new(settings: HealthSettings, ticks: impl Fn(Duration) -> u64) -> Self {
        Self {
            per_second: ticks(Duration::from_secs(1)) as f64,
            solo: ticks(settings.solo_window),
            contained: ticks(settings.contained_window),
            warm: ticks(settings.warm),
            calm: ticks(settings.calm),
            forgiven: ticks(settings.forgiven),
            settings,
        }
    }

    fn seconds(&self, from: Moment, to: Moment) -> f64 {
        to.ticks_since(from) as f64 / self.per_second
    }
}

/// What is seen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input<'a> {
    /// It said something by itself.
    Event(Event),
    /// A tier of it was read.
    Readings(Tier, &'a Readings),
    /// Its links were.
    Links(&'a [LinkReading]),
    /// It could not be read.
    Error(SourceError),
    /// A call that was made then has not come back.
    NotAnswering { since: Moment },
    /// It is not among the devices.
    Vanished,
    /// It is among the devices again, and was not, or somebody says that it was reset.
    Reappeared,
    /// It can be read again: a device that was lost was reset in between.
    Returned,
    /// What is known against the whole that it is a part of.
    Inherit(&'a [Evidence]),
    /// An operator says that it is well.
    Clear,
    /// Time has passed.
    Tick,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// Whether there is other evidence than before, or the same again.
    pub(super) dirty: bool,
    pub(super) change: Option<Change>,
    /// Whether the recovery action should be read at once: it is another, and events do not say which.
    pub(super) ask: bool,
}

/// State or gate are others than before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) from: (HealthState, GateState),
    pub(super) to: (HealthState, GateState),
    /// Since when it was what it was.
    pub(super) since: Moment,
    pub(super) evidence: Option<Evidence>,
}

/// XIDs that are kept as evidence, at most.
const MOST_XIDS: usize = 8;

#[derive(Debug)]
pub(super) struct Machine {
    limits: Arc<Limits>,
    /// Its own, the weightiest first.
    evidence: Vec<Evidence>,
    /// That of the whole that it is a part of.
    inherited: Vec<Evidence>,
    state: HealthState,
    gate: GateState,
    since: Moment,
    dirty: bool,
    ask: bool,
    /// What an operator has seen, and cleared: it counts again once it is another.
    cleared: Levels,
    last: Levels,
    counts: Counts,
    /// A cleanup that may have come alone.
    alone: Option<Moment>,
    last_xid: Option<Moment>,
    last_contained: Option<Moment>,
    /// Uncorrected errors that the driver may yet call contained, and how many.
    uncontained: Option<(Moment, i64)>,
    /// Errors in a row, of each tier and of what is of none: one that can be read says nothing of another.
    failed_reads: [u32; 4],
    throttled: Hysteresis,
    memory_hot: Hysteresis,
    margin_gone: Hysteresis,
    links: Links,
}

/// What is there for as long as it is there.
#[derive(Clone, Copy, Debug, Default)]
struct Levels {
    recovery_action: i64,
    remap_pending: i64,
    remap_failed: i64,
}

/// Totals as they were read last.
#[derive(Clone, Debug, Default)]
struct Counts {
    corrected: Option<(Moment, i64)>,
    uncorrected: Option<i64>,
    /// Time that clocks were held down, each as it was read last, and its share of the time since it was read before.
    throttle: [Option<(Moment, i64)>; 3],
    held: [Option<f64>; 3],
    energy: Option<i64>,
    /// Totals that begin anew with the device, of the last slow reading.
    others: [Option<i64>; 6],
    /// Energy began anew, and the others have not been looked at.
    anew: bool,
    slow: Option<Moment>,
}

#[derive(Debug, Default)]
struct Links {
    seen_up: u64,
    now_down: u64,
    down: Hysteresis,
}

impl Machine {
    pub(super) fn new(limits: Arc<Limits>, at: Moment) -> Self {
        Self {
            limits,
            evidence: Vec::new(),
            inherited: Vec::new(),
            state: HealthState::Ok,
            gate: GateState::Serving,
            since: at,
            dirty: false,
            ask: false,
            cleared: Levels::default(),
            last: Levels::default(),
            counts: Counts::default(),
            alone: None,
            last_xid: None,
            last_contained: None,
            uncontained: None,
            failed_reads: [0; 4],
            throttled: Hysteresis::default(),
            memory_hot: Hysteresis::default(),
            margin_gone: Hysteresis::default(),
            links: Links::default(),
        }
    }

    pub(super) fn take(&mut self, input: Input<'_>, at: Moment) -> Outcome {
        let before = self.all().first().copied().cloned();
        (self.dirty, self.ask) = (false, false);
        self.settle(at);
        match input {
            Input::Event(event) => self.event(event, at),
            Input::Readings(tier, readings) => self.readings(tier, readings, at),
            Input::Links(links) => self.links(links, at),
            Input::Error(error) => self.error(error, None, at),
            Input::NotAnswering { since } => self.not_answering(since, at),
            Input::Vanished => self.note(self.of(
                Cause::Lost,
                Verdict::Isolate,
                "it is not among the devices",
                at,
            )),
            Input::Reappeared => self.reset(),
            Input::Returned => {
                if { self.evidence.iter() }.any(|known| known.cause == Cause::Lost) {
                    self.reset();
                }
            }
            Input::Inherit(evidence) => {
                self.inherited.clear();
                self.inherited.extend_from_slice(evidence);
                self.dirty = true;
            }
            Input::Clear => self.clear(),
            Input::Tick => {}
        }
        let change = self.judge(before, at);
        Outcome {
            dirty: self.dirty,
            change,
            ask: self.ask,
        }
    }

    pub(super) fn report(&self) -> HealthReport {
        let all = self.all();
        HealthReport {
            state: self.state,
            gate: self.gate,
            since: self.since,
            fabric: all.iter().any(|known| is_of_fabric(known)),
            evidence: all.into_iter().cloned().collect(),
        }
    }

    /// Its own evidence alone, for its parts.
    pub(super) fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// All evidence, the weightiest first.
    fn all(&self) -> Vec<&Evidence> {
        let mut all: Vec<&Evidence> = self.evidence.iter().chain(&self.inherited).collect();
        all.sort_by_key(|known| known.rank());
        all
    }

    /// Evidence by the verdict that counts here.
    fn of(&self, cause: Cause, verdict: Verdict, name: &'static str, at: Moment) -> Evidence {
        let said = { self.limits.settings.verdicts.iter() }.find(|(known, _)| *known == cause);
        let verdict = said.map_or(verdict, |(_, said)| *said);
        Evidence::new(cause, verdict, name, at)
    }

    /// Adds evidence to what is known, or to the same that is known.
    fn note(&mut self, new: Evidence) {
        if new.state == HealthState::Ok {
            return;
        }
        self.dirty = true;
        let same = |known: &&mut Evidence| {
            let of_one = new.cause != Cause::Xid
                || (known.code, known.gpu_instance) == (new.code, new.gpu_instance);
            known.cause == new.cause && known.quantity == new.quantity && of_one
        };
        if let Some(known) = self.evidence.iter_mut().find(same) {
            let (times, latched) = (known.times.saturating_add(1), known.latched || new.latched);
            let (last, since) = (known.last.max(new.last), known.since);
            if (new.state, new.gate) < (known.state, known.gate) {
                (known.times, known.last, known.latched) = (times, last, latched);
                return;
            }
            let worse = (new.state, new.gate) > (known.state, known.gate);
            *known = Evidence {
                times,
                last,
                latched,
                since: if worse { new.since } else { since },
                ..new
            };
            return;
        }
        let xids = |evidence: &&Evidence| evidence.cause == Cause::Xid;
        if new.cause == Cause::Xid && self.evidence.iter().filter(xids).count() >= MOST_XIDS {
            // In the order of their weight, and so the last of them is the lightest.
            let lightest = self.evidence.iter().rposition(|known| xids(&known));
            if let Some(lightest) = lightest {
                if self.evidence[lightest].rank() < new.rank() {
                    return;
                }
                self.evidence.remove(lightest);
            }
        }
        self.evidence.push(new);
    }

    /// Takes back what does not stay.
    fn take_back(&mut self, is: impl Fn(&Evidence) -> bool) {
        let before = self.evidence.len();
        self.evidence.retain(|known| known.latched || !is(known));
        self.dirty |= self.evidence.len() != before;
    }

    /// State and gate by the evidence.
    fn judge(&mut self, before: Option<Evidence>, at: Moment) -> Option<Change> {
        if self.dirty {
            self.evidence.sort_by_key(Evidence::rank);
        }
        let worst = |worst: (HealthState, GateState), known: &Evidence| {
            (worst.0.max(known.state), worst.1.max(known.gate))
        };
        let well = (HealthState::Ok, GateState::Serving);
        let (from, to) = (
            (self.state, self.gate),
            self.evidence
                .iter()
                .chain(&self.inherited)
                .fold(well, worst),
        );
        if from == to {
            return None;
        }
        (self.state, self.gate) = to;
        let evidence = match to > from {
            true => self.all().first().copied().cloned(),
            false => before,
        };
        let since = self.since;
        if from.0 != to.0 {
            self.since = at;
        }
        Some(Change {
            from,
            to,
            since,
            evidence,
        })
    }

    /// What was put off until time had passed.
    fn settle(&mut self, at: Moment) {
        let over = |since: Moment, window: u64| at.ticks_since(since) > window;
        if let Some(since) = self.alone
            && over(since, self.limits.solo)
        {
            self.alone = None;
            self.xid_evidence(Xid::CLEANUP, None, since);
        }
        if let Some((since, count)) = self.uncontained
            && over(since, self.limits.contained)
        {
            self.uncontained = None;
            self.uncorrected(
                Verdict::Drain,
                "bit errors that were not corrected",
                count,
                since,
            );
        }
    }

    fn error(&mut self, error: SourceError, tier: Option<Tier>, at: Moment) {
        match error {
            SourceError::Absent => {
                self.note(self.of(Cause::Lost, Verdict::Isolate, "the driver is gone", at));
            }
            SourceError::Lost(code) => self.lost(code, at),
            SourceError::Failed(code) if is_loss(code) => self.lost(code, at),
            SourceError::Failed(code) => {
                let in_a_row =
                    &mut self.failed_reads[tier.map_or(OF_NO_TIER, |tier| tier as usize)];
                *in_a_row = in_a_row.saturating_add(1);
                if *in_a_row >= self.limits.settings.failed_reads {
                    let name = "the driver answers with an error, again and again";
                    let failing = self.of(Cause::ReadsFailing, Verdict::Degraded, name, at);
                    self.note(failing.with_code(code));
                }
            }
            SourceError::Unsupported => {}
        }
    }

    fn lost(&mut self, code: i32, at: Moment) {
        let name = match code {
            LOST => "the driver says that it is lost",
            RESET_REQUIRED => "the driver says that it needs a reset",
            _ => "the driver says that it is gone",
        };
        self.note(
            self.of(Cause::Lost, Verdict::Isolate, name, at)
                .with_code(code),
        );
    }

    fn not_answering(&mut self, since: Moment, at: Moment) {
        let name = "a call to the driver does not come back";
        let mut hangs = self.of(Cause::NotAnswering, Verdict::Isolate, name, at);
        hangs.since = since.min(at);
        hangs.latched = self.limits.forgiven == 0;
        self.note(hangs);
    }

    /// A tier of it could be read.
    fn answered(&mut self, tier: Tier, at: Moment) {
        (
            self.failed_reads[OF_NO_TIER],
            self.failed_reads[tier as usize],
        ) = (0, 0);
        let limit = self.limits.settings.failed_reads;
        if self.failed_reads.iter().all(|in_a_row| *in_a_row < limit) {
            self.take_back(|known| known.cause == Cause::ReadsFailing);
        }
        let forgiven = self.limits.forgiven;
        let too_long = |known: &&mut Evidence| known.cause == Cause::NotAnswering && !known.latched;
        if let Some(hung) = self.evidence.iter_mut().find(too_long) {
            hung.latched = at.ticks_since(hung.since) > forgiven;
        }
        self.take_back(|known| known.cause == Cause::NotAnswering);
    }

    /// It is as new: what was known of it was known before the reset.
    fn reset(&mut self) {
        self.forget();
        (self.cleared, self.last) = (Levels::default(), Levels::default());
        self.counts = Counts {
            // What it has counted since is new.
            uncorrected: Some(0),
            ..Counts::default()
        };
        self.links = Links::default();
    }

    /// An operator knows what is there now; it counts again once it is another.
    fn clear(&mut self) {
        self.forget();
        self.cleared = self.last;
        self.links.seen_up &= !self.links.now_down;
    }

    fn forget(&mut self) {
        self.dirty |= !self.evidence.is_empty();
        self.evidence.clear();
        (self.alone, self.last_xid) = (None, None);
        (self.last_contained, self.uncontained) = (None, None);
        self.failed_reads = [0; 4];
        self.throttled = Hysteresis::default();
        self.memory_hot = Hysteresis::default();
        self.margin_gone = Hysteresis::default();
        self.links.down = Hysteresis::default();
    }
}

/// Behind the tiers.
const OF_NO_TIER: usize = 3;

/// `NVML_ERROR_GPU_IS_LOST` of `nvml.h`.
const LOST: i32 = 15;
/// `NVML_ERROR_RESET_REQUIRED`.
const RESET_REQUIRED: i32 = 16;

fn is_loss(code: i32) -> bool {
    matches!(code, LOST | RESET_REQUIRED)
}

fn is_of_fabric(evidence: &Evidence) -> bool {
    let xid = |code: i64| u64::try_from(code).is_ok_and(Xid::is_of_fabric);
    match evidence.cause {
        Cause::LinkDown => true,
        Cause::Xid => evidence.code.is_some_and(xid),
        _ => false,
    }
}
