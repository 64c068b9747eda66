//! Levels for a time: set by hand or by the rule that raises a method after an error or a slow call.
//!
//! What starts operations reads one byte and knows nothing of this. The rule looks at the records that the collector takes
//! out of the rings anyway; times are over at the collection after.

use super::Engine;
use super::kind::Kind;
use super::live::Live;
use crate::fork::Kept;
use crate::label::LabelId;
use crate::level::StatsLevel;
use std::collections::VecDeque;
use std::time::Duration;

/// Raises a method to [`Detailed`](StatsLevel::Detailed) for a time after one of its operations ended in an error or was
/// slow, then lets it fall back to what it followed before.
///
/// What is slow is said by [`KeepPolicy::slow`](crate::KeepPolicy::slow) and [`Kind::set_slow`]. The rule sees the operations
/// that are exported, the ones kept late among them: where errors are not kept, it sees those that the head decision
/// sampled. It leaves alone what is Disabled, and a method whose level was set while it was raised until that time is over.
/// A kind without methods is raised as a whole.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RaiseRule {
    /// After an error. Default: yes.
    pub errors: bool,
    /// After a slow call. Default: yes.
    pub slow: bool,
    /// How long. What ends in an error meanwhile does not prolong it. Default: a minute.
    pub lasts: Duration,
    /// How many methods may be raised within a minute. Default: 10.
    pub per_minute: u32,
    /// How many methods may be raised at a time. Default: 5.
    pub at_once: usize,
}

impl Default for RaiseRule {
    fn default() -> Self {
        Self {
            errors: true,
            slow: true,
            lasts: Duration::from_secs(60),
            per_minute: 10,
            at_once: 5,
        }
    }
}

/// A level that one method has instead of its kind's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodLevel {
    /// The method; `None` stands for operations of none.
    pub method: Option<String>,
    /// Its level.
    pub level: StatsLevel,
    /// How long it still has it, if it was given it for a time.
    pub left: Option<Duration>,
}

/// The levels that are lent, and when the rule raised one.
#[derive(Debug, Default)]
pub(crate) struct Lent(Kept<Inner>);

#[derive(Clone, Debug, Default)]
struct Inner {
    list: Vec<Loan>,
    /// Ticks, at most [`RaiseRule::per_minute`] of them.
    raises: VecDeque<u64>,
}

#[derive(Clone, Debug)]
struct Loan {
    kind: &'static Kind,
    /// `None` is the kind itself.
    method: Option<LabelId>,
    until: u64,
    /// Whether the rule lent it.
    raised: bool,
}

impl Inner {
    fn find(&self, kind: &Kind, method: Option<LabelId>) -> Option<usize> {
        self.list
            .iter()
            .position(|loan| std::ptr::eq(loan.kind, kind) && loan.method == method)
    }
}

impl Engine {
    /// Lends a level. `None` is the kind itself. Says whether it could be.
    pub(crate) fn lend(
        &self,
        kind: &'static Kind,
        method: Option<LabelId>,
        level: StatsLevel,
        lasts: Duration,
    ) -> bool {
        let mut inner = self.lent.0.write();
        let until = self.clock.ticks().saturating_add(self.ticks(lasts));
        self.lend_until(&mut inner, kind, method, level, until, false)
    }

    fn lend_until(
        &self,
        inner: &mut Inner,
        kind: &'static Kind,
        method: Option<LabelId>,
        level: StatsLevel,
        until: u64,
        raised: bool,
    ) -> bool {
        if !kind.lend(method, level) {
            return false;
        }
        let loan = Loan {
            kind,
            method,
            until,
            raised,
        };
        // Each method has one at most, so the list is as bounded as they are.
        match inner.find(kind, method) {
            Some(known) => inner.list[known] = loan,
            None => inner.list.push(loan),
        }
        true
    }

    /// How long a lent level still lasts.
    pub(crate) fn lent_for(&self, kind: &Kind, method: Option<LabelId>) -> Option<Duration> {
        let inner = self.lent.0.read();
        let until = inner.list[inner.find(kind, method)?].until;
        let left = until.saturating_sub(self.clock.ticks());
        Some(Duration::from_secs_f64(
            left as f64 / self.clock.ticks_per_second(),
        ))
    }

    /// Lets fall back what has had its time.
    pub(crate) fn settle_levels(&self) {
        let mut inner = self.lent.0.write();
        if inner.list.is_empty() {
            return;
        }
        let now = self.clock.ticks();
        inner.list.retain(|loan| {
            let over = loan.until <= now;
            if over {
                loan.kind.give_back(loan.method);
            }
            !over
        });
    }

    /// Shows the rule what has ended.
    pub(crate) fn raise_levels(&self, batch: &[Box<Live>]) {
        let Some(rule) = &self.config.raise else {
            return;
        };
        for live in batch {
            let ticks = live.end.saturating_sub(live.start);
            let failed = rule.errors && !live.error.is_none();
            if (failed || rule.slow && live.kind.is_slow(live.labels, ticks))
                && !self.is_shut_down()
            {
                self.raise(rule, live);
            }
        }
    }

    fn raise(&self, rule: &RaiseRule, live: &Live) {
        let kind = live.kind;
        let Some(method) = kind.raisable(live.labels) else {
            return;
        };
        let mut inner = self.lent.0.write();
        if inner.find(kind, method).is_some() {
            return;
        }
        let now = self.clock.ticks();
        let minute = self.ticks(Duration::from_secs(60));
        while inner
            .raises
            .front()
            .is_some_and(|at| at.saturating_add(minute) <= now)
        {
            inner.raises.pop_front();
        }
        let at_once = inner.list.iter().filter(|loan| loan.raised).count();
        if at_once >= rule.at_once {
            self.counts.raises_over_methods.add(1);
        } else if inner.raises.len() >= rule.per_minute as usize {
            self.counts.raises_over_rate.add(1);
        } else {
            let until = now.saturating_add(self.ticks(rule.lasts));
            if self.lend_until(&mut inner, kind, method, StatsLevel::Detailed, until, true) {
                inner.raises.push_back(now);
                self.counts.raises.add(1);
            }
        }
    }
}
