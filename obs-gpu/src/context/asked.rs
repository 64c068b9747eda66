//! What was read while a call waited, put before [`explain`].

use super::watched::Watched;
use super::{Inner, label};
use crate::explain::{EngineWindow, FabricWindow, HostWindow, Phase, Question, Verdict, explain};
use crate::sample::Sample;
use obs_core::semconv::network;
use obs_core::{Active, Moment};
use std::time::Duration;

/// How long before a call what is usual is looked for.
const BEFORE: Duration = Duration::from_secs(120);

/// Why a wait was slow.
pub(super) struct Asked<'a> {
    inner: &'a Inner,
    phase: Phase,
    from: Moment,
    to: Moment,
    /// From when on what is usual is looked for.
    since: Moment,
    host: Option<HostWindow>,
    fabric: Option<FabricWindow>,
    engine: Option<EngineWindow>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        phase: Phase,
        (from, to): (Moment, Moment),
        engine: Option<EngineWindow>,
    ) -> Self {
        let since = inner.before(from, BEFORE);
        let (host, fabric) = inner.background.between(from, to, since);
        Self {
            inner,
            phase,
            from,
            to,
            since,
            host,
            fabric,
            engine,
        }
    }

    /// Of several devices the one that speaks most clearly: a model over several waits for the slowest.
    pub(super) fn of(&self, devices: &[Watched]) -> Verdict {
        let verdicts = devices.iter().map(|device| self.of_one(device));
        let strongest = verdicts.max_by(|one, other| one.strength.total_cmp(&other.strength));
        strongest.unwrap_or_else(|| explain(&self.question(&[], &[], None)))
    }

    fn of_one(&self, device: &Watched) -> Verdict {
        let mut before = Vec::new();
        { &device.gpu }.history(self.since, self.from, |sample| {
            // One of the very moment is of the call.
            if sample.at() < self.from {
                before.push(sample);
            }
        });
        let mut during = device.samples(self.from, self.to);
        if !self.is_covered(&during, &before) {
            during.clear();
        }
        let links = device.links(self.from, self.to, self.since);
        explain(&self.question(&during, &before, links))
    }

    fn question<'q>(
        &self,
        during: &'q [Sample],
        before: &'q [Sample],
        links: Option<FabricWindow>,
    ) -> Question<'q> {
        let mut question = Question::new(self.phase, during)
            .with_before(before)
            .with_thresholds(self.inner.thresholds);
        question.host = self.host;
        question.fabric = match links {
            Some(links) => Some(self.fabric.unwrap_or_default().with_nvlinks(links)),
            None => self.fabric,
        };
        question.engine = self.engine;
        question
    }

    /// Whether samples tell of a wait: there is none of more than half of it without one, but for one that is no longer than what lies
    /// between two of them as a rule. A device that was lost or hung meanwhile is not judged by the rest, and no call by what was
    /// before it.
    fn is_covered(&self, during: &[Sample], before: &[Sample]) -> bool {
        if during.is_empty() || self.from >= self.to {
            return false;
        }
        let moments = || { during.iter() }.map(Sample::at);
        let ends = moments().chain([self.to]);
        let longest = { ends.scan(self.from, gap) }.max().unwrap_or(0);
        let mut usual: Vec<u64> = match before {
            [first, rest @ ..] if !rest.is_empty() => { rest.iter().map(Sample::at) }
                .scan(first.at(), gap)
                .collect(),
            _ => moments().scan(self.from, gap).collect(),
        };
        usual.sort_unstable();
        let usual = usual.get(usual.len() / 2).copied().unwrap_or(0);
        longest <= (self.to.ticks_since(self.from) / 2).max(usual.saturating_mul(2))
    }
}

/// Ticks from the moment before.
fn gap(before: &mut Moment, at: Moment) -> Option<u64> {
    let ticks = at.ticks_since(*before);
    *before = at;
    Some(ticks)
}

/// Where a call went to: `10.0.0.7:8000`, as who scrapes an engine says which one it is.
pub(super) fn engine_address(operation: &Active<'_>) -> Option<String> {
    let value = |key| operation.label_value(label(operation.kind(), key)?);
    let address = value(network::SERVER_ADDRESS)?;
    let port = value(network::SERVER_PORT)?;
    Some(format!("{}:{}", address.to_text(), port.to_text()))
}
