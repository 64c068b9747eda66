//! The couriers of one telemetry, one per destination: each has a queue, a thread and accounts of its own, so that one that is
//! down costs the others nothing.

use std::sync::Arc;
use std::time::Instant;

use super::ledger::Mark;
use super::outbox::Shared;
use super::{Account, Accounts, Batch, Courier, Losses, Signal, Turned, time};
use crate::engine::diagnostics::Trouble;
use crate::error::Error;
use crate::fork::PerProcess;

/// A destination and what it is given.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) name: String,
    pub(crate) courier: Arc<Courier>,
    /// By [`Signal::index`].
    pub(crate) takes: [bool; Signal::ALL.len()],
    /// The same.
    pub(crate) peers: [Peer; Signal::ALL.len()],
}

/// Who takes one signal, in the words of the conventions.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its `otel.component.type`.
    pub(crate) component: &'static str,
    /// Empty where it is not known.
    pub(crate) address: String,
    pub(crate) port: String,
}

impl Outlet {
    fn for_child(&self) -> Self {
        let own = self.courier.for_child().map(Arc::new);
        Self {
            name: self.name.clone(),
            // The parent's own courier knows that it is in a child, and delivers nothing there.
            courier: own.unwrap_or_else(|| self.courier.clone()),
            takes: self.takes,
            peers: self.peers.clone(),
        }
    }
}

/// All of them; none where nothing is exported.
#[derive(Clone, Debug, Default)]
pub(crate) struct Couriers(Arc<PerProcess<Box<[Outlet]>>>);

impl Couriers {
    pub(crate) fn new(outlets: Vec<Outlet>) -> Self {
        Self(Arc::new(PerProcess::new(outlets.into())))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.first().is_empty()
    }

    /// Those of this process: a forked child has its own, if it has any.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Outlet> {
        let outlets = self
            .0
            .get(|parents| parents.iter().map(Outlet::for_child).collect());
        outlets.iter()
    }

    fn len(&self) -> usize {
        self.0.first().len()
    }

    /// How large a body may be: a sixteenth of what the smallest of them may hold, so that a queue that is full is full and not
    /// half empty, and at most `most`.
    pub(crate) fn body_limit(&self, most: usize) -> usize {
        let capacities = self.iter().map(|outlet| outlet.courier.capacity_bytes());
        let smallest = capacities.min().unwrap_or(usize::MAX);
        (smallest / 16).clamp(SMALLEST_BODY, most)
    }

    /// Whether anybody wants this signal.
    pub(crate) fn take(&self, signal: Signal) -> bool {
        self.iter().any(|outlet| outlet.takes[signal.index()])
    }

    /// The same bytes to each of them. Whether all of them took it: a queue may be closed, or too short for it.
    pub(crate) fn push(&self, signal: Signal, body: &[u8], items: u64) -> bool {
        let mut takers = self.iter().filter(|outlet| outlet.takes[signal.index()]);
        let Some(first) = takers.next() else {
            return true;
        };
        let batch = Batch::new(signal, body, items);
        let mut taken = true;
        for outlet in takers {
            taken &= outlet.courier.shared.push(batch.clone());
        }
        first.courier.shared.push(batch) && taken
    }

    pub(crate) fn start(&self) -> Result<(), Error> {
        self.iter().try_for_each(|outlet| outlet.courier.start())
    }

    /// All together.
    pub(crate) fn accounts(&self) -> Accounts {
        let mut sum = Accounts::default();
        for outlet in self.iter() {
            sum += outlet.courier.accounts();
        }
        sum
    }

    /// Everything dropped so far, by destination.
    pub(crate) fn lost(&self) -> Vec<Losses> {
        self.iter().map(|outlet| outlet.courier.lost()).collect()
    }

    /// The latest failure of any of them, and how many there have been of all.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let several = self.len() > 1;
        let mut all = 0;
        let mut last: Option<Trouble> = None;
        for outlet in self.iter() {
            let Some(mut trouble) = outlet.courier.trouble() else {
                continue;
            };
            all += trouble.count;
            if several {
                trouble.message = format!("{}: {}", outlet.name, trouble.message);
            }
            if last.as_ref().is_none_or(|last| last.at <= trouble.at) {
                last = Some(trouble);
            }
        }
        last.map(|last| Trouble { count: all, ..last })
    }

    /// The last problem of each that has had one and has lost something or still holds something.
    pub(crate) fn problems(&self) -> Vec<String> {
        let several = self.len() > 1;
        let mut problems = Vec::new();
        for outlet in self.iter() {
            let total = outlet.courier.accounts().total();
            let Some(problem) = outlet.courier.last_problem() else {
                continue;
            };
            if total.pending + total.dropped.total() == 0 {
                continue;
            }
            let problem = format!("last problem: {problem}");
            problems.push(if several {
                let lost = Losses::from(&outlet.courier.accounts());
                let between = if lost.total() > 0 { "; " } else { "" };
                format!("{}: {lost}{between}{problem}", outlet.name)
            } else {
                problem
            });
        }
        problems
    }

    /// Waits until what was pushed before has been delivered by all. `lost_before`: what [`lost`](Self::lost) said when the
    /// flush began; `of`: of which signal, if not of all.
    pub(crate) fn flush(
        &self,
        of: Option<Signal>,
        deadline: Instant,
        lost_before: &[Losses],
    ) -> Result<(), Error> {
        let marks: Vec<Mark> = self.each(|courier| courier.shared.mark(of));
        self.share(&marks, deadline);
        let none = std::iter::repeat(Losses::default());
        let lost = lost_before.iter().copied().chain(none);
        let answers = self.iter().zip(marks).zip(lost);
        self.together(
            answers
                .map(|((outlet, mark), lost)| outlet.courier.flush_to(mark, deadline, lost))
                .collect(),
        )
    }

    pub(crate) fn shutdown(&self, deadline: Instant) -> Result<(), Error> {
        self.each(|courier| courier.shared.drain(deadline));
        self.share(&vec![Mark::END; self.len()], deadline);
        let late = self.each(|courier| courier.send_last(deadline));
        // They write down what is left side by side, and have one moment for it.
        let end = Shared::keeping_ends(deadline);
        let ends = self.iter().zip(late);
        self.together(
            ends.map(|(outlet, late)| outlet.courier.end(end, late))
                .collect(),
        )
    }

    fn each<R>(&self, call: impl Fn(&Courier) -> R) -> Vec<R> {
        self.iter().map(|outlet| call(&outlet.courier)).collect()
    }

    /// Where nobody else sends, one that does not answer must leave the others time: they take turns, each for its share of
    /// what is left.
    fn share(&self, marks: &[Mark], deadline: Instant) {
        loop {
            let holds = |(outlet, mark): &(&Outlet, &Mark)| outlet.courier.shared.is_mine(**mark);
            let open: Vec<_> = self.iter().zip(marks).filter(holds).collect();
            // The last one has all the time there is.
            if open.len() < 2 {
                return;
            }
            let (mut held, mut until) = (0, deadline);
            for (turn, (outlet, mark)) in open.iter().enumerate() {
                let now = time::now();
                let left = deadline.saturating_duration_since(now);
                if left.is_zero() {
                    return;
                }
                let shares = u32::try_from(open.len() - turn).unwrap_or(u32::MAX);
                let over = time::after(now, left / shares);
                if let Turned::Held(next) = outlet.courier.shared.turn(**mark, over) {
                    held += 1;
                    until = next.map_or(until, |next| next.min(until));
                }
            }
            if held == open.len()
                && let Some((outlet, _)) = open.first()
            {
                outlet.courier.shared.rest(until);
            }
        }
    }

    /// One answer of all of them.
    fn together(&self, answers: Vec<Result<(), Error>>) -> Result<(), Error> {
        let mut failed = self.iter().zip(answers).filter_map(|(outlet, answer)| {
            let error = answer.err()?;
            Some((&outlet.name, error))
        });
        let Some((name, first)) = failed.next() else {
            return Ok(());
        };
        if self.len() == 1 {
            return Err(first);
        }
        let (mut pending, mut lost, mut late) =
            (first.pending(), first.losses(), first.is_timeout());
        let mut message = format!("{name}: {first}");
        for (name, error) in failed {
            pending += error.pending();
            lost += error.losses();
            late |= error.is_timeout();
            message.push_str(&format!("; {name}: {error}"));
        }
        Err(Error::undelivered(pending, lost, late, message))
    }
}

/// Below it what a request needs besides its items would be most of it.
const SMALLEST_BODY: usize = 16 << 10;

impl std::ops::AddAssign for Accounts {
    fn add_assign(&mut self, other: Self) {
        for signal in Signal::ALL {
            let sum: &mut Account = self.of_mut(signal);
            *sum += *other.of(signal);
        }
        self.pending_bytes += other.pending_bytes;
        self.retries += other.retries;
        self.panics += other.panics;
        self.spooled_bytes += other.spooled_bytes;
        self.spool_errors += other.spool_errors;
        self.spool_corrupt_bytes += other.spool_corrupt_bytes;
    }
}
