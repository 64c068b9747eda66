//! The ledger: sums of each session.

use super::budget::Budget;
use super::builder::LedgerBuilder;
use super::entry::Entry;
use super::event::{self, EndReason};
use super::limits::{Limit, Limits};
use super::numbers::Numbers;
use super::seen::Seen;
use super::state::{LedgerCounts, State};
use super::summary::SessionSummary;
use super::tally::{LedgerId, OfRun, Tally, Used};
use crate::run::RunRef;
use obs_core::{Moment, PerProcess, Record, Session, SessionWitness, Telemetry};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

/// Sums up the operations of each session. See [what is added up](super#what-is-added-up). Cheap to clone: all clones are one.
///
/// It belongs to one telemetry. Of several ledgers of one each holds all, and each tells of it. A [forked](obs_core::Builder::manual)
/// child begins with an empty one: what its parent had is the parent's to tell.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: LedgerId,
    telemetry: Telemetry,
    settings: LedgerBuilder,
    state: PerProcess<State>,
    numbers: Numbers,
}

impl Ledger {
    /// One with the [usual settings](LedgerBuilder).
    pub fn new(telemetry: &Telemetry) -> Self {
        Self::builder().build(telemetry)
    }

    /// One with settings.
    pub fn builder() -> LedgerBuilder {
        LedgerBuilder::new()
    }

    pub(super) fn start(settings: LedgerBuilder, telemetry: &Telemetry) -> Self {
        let ledger = Self(Arc::new(Inner {
            id: LedgerId::next(),
            telemetry: *telemetry,
            settings,
            state: PerProcess::new(State::new(settings.most.sessions)),
            numbers: Numbers::new(telemetry),
        }));
        if telemetry.witness_sessions(Witness(ledger.clone())) {
            let observed = ledger.clone();
            telemetry.observe(move || {
                observed.sweep();
                observed.0.numbers.set(&observed.counts());
            });
        }
        ledger
    }

    /// What a session came to by now, by its session id, or by that of its conversation where it has no other. `None` for one that is
    /// not held: nothing of it has ended yet, or it is over.
    pub fn summary(&self, id: &str) -> Option<SessionSummary> {
        let state = self.state();
        let of = |id: &str| state.with(id, |shard| shard.named(id).cloned()).flatten();
        let entry = of(id).or_else(|| of(&bounded(id)?))?;
        Some(SessionSummary::of(&entry, &self.0.telemetry))
    }

    /// The ids of all sessions that are held, the one that was seen last first.
    pub fn sessions(&self) -> Vec<Arc<str>> {
        let mut all = Vec::new();
        self.state().each(|shard| {
            all.extend(shard.iter().map(|entry| (entry.ended, entry.id.clone())));
        });
        all.sort_by(|(one, _), (other, _)| other.cmp(one));
        all.into_iter().map(|(_, id)| id).collect()
    }

    /// The session is over: it is told of and no longer held. `None` where it was not.
    pub fn close(&self, id: &str) -> Option<SessionSummary> {
        let state = self.state();
        let taken = state.take_named(id);
        let entry = taken.or_else(|| state.take_named(&bounded(id)?))?;
        Some(self.tell(&entry, EndReason::Closed))
    }

    /// Tells of the sessions that were idle for too long, and says how many there were. Each collection of metrics does.
    pub fn sweep(&self) -> usize {
        let now = self.0.telemetry.now();
        let idle = self.0.telemetry.ticks(self.0.settings.idle);
        self.state().take_while(
            EndReason::Idle,
            |shard| {
                let seen = shard.oldest_seen();
                seen.is_some_and(|seen| now.ticks_since(seen) >= idle)
            },
            |entry| {
                self.tell(&entry, EndReason::Idle);
            },
        )
    }

    /// What it did so far. Exact where nothing moves.
    pub fn counts(&self) -> LedgerCounts {
        self.state().counts()
    }

    /// Limits on what a session comes to, with what it came to before: see [`Budget`].
    pub fn budget(&self, id: &str, limits: Limits) -> Budget {
        let id = self.key(id);
        let started = self.started(&id);
        let from = started.unwrap_or_else(|| self.0.telemetry.now());
        Budget::of_session(self.clone(), id, limits, Used::default(), from)
    }

    /// Limits on what a session comes to from now on: for one turn, or one run of a loop. What runs beside it in the same session
    /// counts, too.
    pub fn budget_from_now(&self, id: &str, limits: Limits) -> Budget {
        let id = self.key(id);
        let tally = self.tally(&id);
        let (before, now) = (tally.used(), self.0.telemetry.now());
        let budget = Budget::of_session(self.clone(), id.clone(), limits, before, now);
        self.let_go(&id, tally);
        budget
    }

    /// Limits on what one run comes to, an agent's turn or a workflow: on whatever begins within it from now on, on any thread, whether
    /// that is of a session or of none. Two loops of one session have a budget each; a run within a run is counted by both of theirs.
    ///
    /// ```
    /// # use obs_agent::session::{Ledger, Limits};
    /// # use obs_agent::obs_core::Telemetry;
    /// # use obs_agent::{AgentObserver, Component, Handlers, Input, RunInfo, RunParent};
    /// # let telemetry = Telemetry::builder().manual().build()?;
    /// let ledger = Ledger::new(&telemetry);
    /// let handlers = Handlers::new().with(AgentObserver::new(&telemetry));
    /// let info = RunInfo::new(Component::Agent, "seller");
    /// let run = handlers.start(info, RunParent::Current, &Input::Agent(Default::default()));
    /// if let Some(run) = run.reference() {
    ///     let budget = ledger.budget_of_run(run, Limits::new().with_tool_calls(20));
    ///     assert!(budget.check().is_ok());
    /// }
    /// # Ok::<(), obs_agent::obs_core::Error>(())
    /// ```
    ///
    /// It goes by the operation that the first handler which makes one has of the run, of this telemetry: an
    /// [`AgentObserver`](crate::AgentObserver)'s. Where none makes one of the run itself, it goes by the one around it; where there
    /// is none, nothing is known but [times and identical calls](Limit).
    pub fn budget_of_run(&self, run: &RunRef, limits: Limits) -> Budget {
        let of_run = Arc::new(OfRun {
            ledger: self.0.id,
            tally: Tally::default(),
        });
        if let Some(operation) = run.operation() {
            let around = operation.session();
            let around = around.map(|around| Session::clone(&around));
            let note = Arc::clone(&of_run) as Arc<dyn Any + Send + Sync>;
            operation.set_session(around.unwrap_or_default().with_note(&note));
        }
        Budget::of_run(self.clone(), of_run, limits, self.0.telemetry.now())
    }

    /// As sessions are found.
    fn key(&self, id: &str) -> Arc<str> {
        let cut = bounded(id).filter(|_| self.started(id).is_none());
        cut.map_or_else(|| id.into(), Into::into)
    }

    fn started(&self, id: &str) -> Option<Moment> {
        let started = |shard: &mut super::shard::Shard| shard.named(id).map(|entry| entry.started);
        self.state().with(id, started).flatten()
    }

    /// The numbers that budgets of a session read, from now on kept.
    pub(super) fn tally(&self, id: &Arc<str>) -> Arc<Tally> {
        let tally = self.state().with(id, |shard| {
            if let Some(tally) = shard.tallies.get(id) {
                return tally.clone();
            }
            let used = shard.named(id).map(|entry| Used::from(&entry.totals));
            let tally = Arc::new(Tally::new(used.unwrap_or_default()));
            shard.tallies.insert(id.clone(), tally.clone());
            tally
        });
        tally.unwrap_or_default()
    }

    /// One who read them is gone. New ones take hold of them under the same lock.
    pub(super) fn let_go(&self, id: &Arc<str>, tally: Arc<Tally>) {
        self.state().with(id, |shard| {
            drop(tally);
            let is_last = |tally: &Arc<Tally>| Arc::strong_count(tally) == 1;
            if shard.tallies.get(id).is_some_and(is_last) {
                shard.tallies.remove(id);
            }
        });
    }

    pub(super) fn exceeded(&self, limit: Limit) {
        self.0.numbers.exceeded(limit);
    }

    pub(super) fn since(&self, from: Moment) -> Duration {
        self.0.telemetry.between(from, self.0.telemetry.now())
    }

    /// This process's.
    fn state(&self) -> &State {
        let most = self.0.settings.most.sessions;
        self.0.state.get(|_| State::new(most))
    }

    fn tell(&self, entry: &Entry, reason: EndReason) -> SessionSummary {
        let summary = SessionSummary::of(entry, &self.0.telemetry);
        self.0.telemetry.emit(event::event(&summary, reason));
        summary
    }
}

/// An id as sessions have it that is too long for one; `None` where it is not.
fn bounded(id: &str) -> Option<Box<str>> {
    Session::new(id).session_id.filter(|cut| **cut != *id)
}

struct Witness(Ledger);

impl SessionWitness for Witness {
    fn ended(&self, record: &Record<'_>) {
        let ledger = &self.0;
        let Some(seen) = Seen::of(record) else { return };
        for note in record.session().into_iter().flat_map(Session::notes) {
            if let Ok(of_run) = note.downcast::<OfRun>()
                && of_run.ledger == ledger.0.id
            {
                of_run.tally.add(&seen);
            }
        }
        let Some(id) = seen.who.id() else { return };
        let (state, most) = (ledger.state(), ledger.0.settings.most);
        state.add(id, &seen, most);
        while state.is_over(most) {
            let Some(entry) = state.take_oldest(most) else {
                break;
            };
            ledger.tell(&entry, EndReason::Evicted);
        }
    }

    fn closing(&self) {
        let (ledger, reason) = (&self.0, EndReason::Shutdown);
        let state = ledger.state();
        state.close();
        state.take_while(
            reason,
            |_| true,
            |entry| {
                ledger.tell(&entry, reason);
            },
        );
        ledger.0.numbers.set(&ledger.counts());
    }
}
