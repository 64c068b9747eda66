//! Who is told what a page said, as it is read.

use super::super::reading::{Series, Value};
use super::super::settings::ScrapeTarget;
use super::super::target::{Shape, Target};
use std::fmt;

/// What one page said of one model, for who [listens](super::EngineScraper::listen).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EngineSaid<'a> {
    /// The value of `obs.llm.engine`.
    pub engine: &'static str,
    /// Its host.
    pub address: &'a str,
    /// Its port.
    pub port: u16,
    /// The model, as the page says it, or else [who added the target](super::super::ScrapeTarget::with_model).
    pub model: Option<&'a str>,
    own: Option<&'a str>,
    series: &'a [Series],
}

impl EngineSaid<'_> {
    /// What it says of one thing that is no histogram, in the target's unit: of several engines behind one page, and of several
    /// reasons, the sum; of what has no sum the largest. `None` where it says nothing.
    pub fn value(&self, target: Target) -> Option<f64> {
        let those = { self.series.iter() }
            .filter(|one| one.id.target == target && one.id.model.as_deref() == self.own);
        let numbers = those.filter_map(|one| match one.value {
            Value::Number(number) => Some(number),
            Value::Histogram(_) => None,
        });
        numbers.reduce(|one, other| match target.shape() {
            Shape::Gauge => one.max(other),
            _ => one + other,
        })
    }
}

/// Somebody who is told.
pub(super) struct Listener(Box<dyn Fn(&EngineSaid<'_>) + Send + Sync>);

impl Listener {
    pub(super) fn new(listen: impl Fn(&EngineSaid<'_>) + Send + Sync + 'static) -> Self {
        Self(Box::new(listen))
    }

    /// Tells of each model once.
    pub(super) fn tell(&self, target: &ScrapeTarget, series: &[Series]) {
        let mut told: Vec<Option<&str>> = Vec::new();
        for one in series {
            let own = one.id.model.as_deref();
            if told.contains(&own) {
                continue;
            }
            told.push(own);
            (self.0)(&EngineSaid {
                engine: target.mapping.engine,
                address: &target.address,
                port: target.port,
                model: own.or(target.model.as_deref()),
                own,
                series,
            });
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
