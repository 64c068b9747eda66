//! Budgets: what a session may come to, or a run.

use super::ledger::Ledger;
use super::limits::{Limit, Limits};
use super::repeats::Repeats;
use super::tally::{OfRun, Tally, Used};
use obs_core::otel::KeyValue;
use obs_core::semconv::obs::agent;
use obs_core::{Moment, OpRef, PerProcess, current};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a session may come to, or [a run](Ledger::budget_of_run). It stops nothing by itself: a loop asks it before each step, and ends
/// when it is used up. Cheap to clone, for tools and other tasks: all clones are one.
///
/// ```
/// # use obs_agent::session::{BudgetExceeded, Ledger, Limits};
/// # use obs_agent::obs_core::Telemetry;
/// # let telemetry = Telemetry::builder().manual().build()?;
/// # let ledger = Ledger::new(&telemetry);
/// let limits = Limits::new().with_cost_usd(0.5).with_tool_calls(20).with_identical_calls(2);
/// let budget = ledger.budget_from_now("s-1", limits);
/// let turn = || -> Result<(), BudgetExceeded> {
///     loop {
///         budget.check()?;
///         // … the model is asked, and wants a tool …
///         budget.tool_call("search", r#"{"q":"cups"}"#);
///         budget.check()?;
///         // … the tool is called …
///     }
/// };
/// let exceeded = turn().unwrap_err();
/// assert_eq!(exceeded.to_string(), "the budget of identical tool calls is used up: 3 of 2");
/// # Ok::<(), obs_agent::obs_core::Error>(())
/// ```
///
/// It knows of each call that has ended, at once, whether that is sampled or not, and goes on knowing where the session gives way in
/// its ledger. What is running is not known yet, so calls beside each other may together use more than is left. It is of the process
/// that it was made in.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    ledger: Ledger,
    limits: Limits,
    of: Of,
    /// What had been used before, which does not count.
    before: Used,
    from: Moment,
    // Behind locks, which in a child that is forked another thread may have had: it begins anew.
    repeats: PerProcess<Repeats>,
    counted: AtomicBool,
    told: PerProcess<Mutex<Told>>,
}

/// Whose numbers it reads.
enum Of {
    /// `None` while it is dropped.
    Session(Arc<str>, Option<Arc<Tally>>),
    Run(Arc<OfRun>),
}

/// The span ids of the operations that said it last: each says it once.
#[derive(Debug, Default)]
struct Told([u64; 8]);

impl Told {
    /// Whether it had not been told.
    fn add(&mut self, operation: &OpRef) -> bool {
        let id = u64::from_be_bytes(operation.span_context().span_id().to_bytes());
        let is_new = !self.0.contains(&id);
        if is_new {
            self.0.rotate_right(1);
            self.0[0] = id;
        }
        is_new
    }
}

/// A budget is used up.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BudgetExceeded {
    /// Which limit.
    pub limit: Limit,
    /// What has been used, in the limit's unit.
    pub used: f64,
    /// What is allowed.
    pub allowed: f64,
}

impl Budget {
    pub(super) fn of_session(
        ledger: Ledger,
        id: Arc<str>,
        limits: Limits,
        before: Used,
        from: Moment,
    ) -> Self {
        let tally = Some(ledger.tally(&id));
        Self::new(ledger, limits, Of::Session(id, tally), before, from)
    }

    pub(super) fn of_run(ledger: Ledger, of: Arc<OfRun>, limits: Limits, from: Moment) -> Self {
        Self::new(ledger, limits, Of::Run(of), Used::default(), from)
    }

    fn new(ledger: Ledger, limits: Limits, of: Of, before: Used, from: Moment) -> Self {
        Self(Arc::new(Inner {
            ledger,
            limits,
            of,
            before,
            from,
            repeats: PerProcess::default(),
            counted: AtomicBool::new(false),
            told: PerProcess::default(),
        }))
    }

    /// Whether there is something left. It reads numbers that calls add to as they end, and waits for nobody.
    ///
    /// The first time that it says no in an operation, that operation has the reason: the attributes `obs.agent.budget.exceeded` (which
    /// limit), `.used` and `.limit`, and an event `obs.agent.budget` with the same. So has the next one, where another loop asks.
    ///
    /// # Errors
    /// The first limit, in the order of [`Limit`], of which all is used: as many calls have ended as are allowed, or more of the same
    /// were told of. Of a limit that is no number all is used from the beginning.
    #[inline]
    pub fn check(&self) -> Result<(), BudgetExceeded> {
        match self.first_exceeded() {
            None => Ok(()),
            Some(exceeded) => {
                self.tell(&exceeded);
                Err(exceeded)
            }
        }
    }

    fn first_exceeded(&self) -> Option<BudgetExceeded> {
        let used = self.used();
        let limits = Limit::ALL.into_iter();
        let mut set = limits.filter_map(|limit| Some((limit, self.0.limits.of(limit)?)));
        set.find_map(|(limit, allowed)| {
            let used = self.used_of(limit, &used);
            // Those are told of before they are made.
            let is_left = match limit {
                Limit::IdenticalCalls => used <= allowed,
                _ => used < allowed,
            };
            (!is_left).then_some(BudgetExceeded {
                limit,
                used,
                allowed,
            })
        })
    }

    fn used(&self) -> Used {
        let used = match &self.0.of {
            Of::Session(_, tally) => tally.as_ref().map(|tally| tally.used()),
            Of::Run(of) => Some(of.tally.used()),
        };
        let used = used.unwrap_or_default();
        used.since(self.0.before)
    }

    fn used_of(&self, limit: Limit, used: &Used) -> f64 {
        match limit {
            Limit::InputTokens => used.input as f64,
            Limit::OutputTokens => used.output as f64,
            Limit::Tokens => used.input.saturating_add(used.output) as f64,
            Limit::Cost => Limits::usd(used.picodollars),
            Limit::InferenceCalls => used.inference_calls as f64,
            Limit::ToolCalls => used.tool_calls as f64,
            Limit::IdenticalCalls => f64::from(self.repeats().most()),
            Limit::WallTime => self.wall_time().as_secs_f64(),
        }
    }

    /// How long it has been going on: the session, from its first operation that had ended when the budget was made; or this budget,
    /// where there was none, or where it counts [from then on](Ledger::budget_from_now), as that of a run does.
    pub fn wall_time(&self) -> Duration {
        self.0.ledger.since(self.0.from)
    }

    /// This tool is about to be called with these arguments: their text, or a hash of it. Equal ones are the same call.
    pub fn tool_call<A: Hash + ?Sized>(&self, name: &str, arguments: &A) {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        arguments.hash(&mut hasher);
        self.repeats().add(hasher.finish());
    }

    fn repeats(&self) -> &Repeats {
        self.0.repeats.get(|_| Repeats::default())
    }

    #[cold]
    fn tell(&self, exceeded: &BudgetExceeded) {
        if !self.0.counted.swap(true, Ordering::Relaxed) {
            self.0.ledger.exceeded(exceeded.limit);
        }
        // Where nothing is current, or what is has ended, it can be said later.
        let Some(operation) = current::handle().filter(OpRef::is_running) else {
            return;
        };
        let told = self.0.told.get(|_| Mutex::default()).lock();
        let is_new = told.unwrap_or_else(PoisonError::into_inner).add(&operation);
        if !is_new {
            return;
        }
        let attributes = [
            KeyValue::new(agent::BUDGET_EXCEEDED.as_str(), exceeded.limit.as_str()),
            KeyValue::new(agent::BUDGET_USED.as_str(), exceeded.used),
            KeyValue::new(agent::BUDGET_LIMIT.as_str(), exceeded.allowed),
        ];
        for attribute in &attributes {
            operation.set_attribute(attribute.clone());
        }
        operation.add_event(agent::BUDGET_EVENT, attributes.into());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Of::Session(id, tally) = &mut self.of
            && let Some(tally) = tally.take()
        {
            self.ledger.let_go(id, tally);
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("limits", &self.0.limits)
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for BudgetExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            used,
            allowed,
        } = self;
        write!(f, "the budget of {limit} is used up: {used} of {allowed}")
    }
}

impl std::error::Error for BudgetExceeded {}
