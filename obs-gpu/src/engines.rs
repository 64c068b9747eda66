//! What inference engines say of themselves, for calls that are slow.

use crate::explain::EngineWindow;
use crate::lock::lock;
use obs_core::{Moment, Telemetry};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many engines are known at once: of others nothing is kept.
const MOST: usize = 64;

/// How many states of one are kept: ten minutes of one a second.
const KEPT: usize = 600;

/// For how long before a call's end it counts how many requests an engine is done with.
const RATE: Duration = Duration::from_secs(60);

/// What engines said of themselves in the last minutes. Who asks them, or is one, [tells](Self::tell) it; a
/// [`GpuContext`](crate::GpuContext::with_engines) then finds in it why a call was slow. Cloning counts a reference.
///
/// ```
/// use obs_core::Telemetry;
/// use obs_gpu::{Claims, EngineState, EngineStates, GpuContext};
///
/// let telemetry = Telemetry::builder().manual().build()?;
/// let engines = EngineStates::new(&telemetry);
/// let context = GpuContext::by_claims(&telemetry, &Claims::new()).with_engines(&engines);
/// // Once a second, by whoever reads the engine's page:
/// let state = EngineState::new().with_waiting(7).with_finished(5_300).with_cache(0.93);
/// engines.tell("qwen3-8b", "10.0.0.7:8000", state);
/// # let _ = context;
/// # Ok::<(), obs_core::Error>(())
/// ```
///
/// # What follows from it
///
/// A state counts for a call if it was told while the call waited: a page that is read every ten seconds says nothing of most calls,
/// so tell it once a second where calls are to be explained. How long a request stood in the queue no engine says of that request
/// itself. It is to be expected by Little's law: as many as waited, at the rate at which the engine was done with requests in the
/// minute before; where that is not known, how many waited is all there is.
#[derive(Clone)]
pub struct EngineStates(Arc<Inner>);

struct Inner {
    telemetry: Telemetry,
    /// By model and engine.
    told: Mutex<BTreeMap<(Box<str>, Box<str>), VecDeque<Told>>>,
}

#[derive(Clone, Copy)]
struct Told {
    at: Moment,
    state: EngineState,
}

/// How an engine is. What it does not say is left out, and is then no cause.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EngineState {
    /// Requests that wait now.
    pub waiting: Option<u64>,
    /// Requests that it was done with, since it started.
    pub finished: Option<u64>,
    /// Share of the cache of keys and values that is in use, from 0 to 1.
    pub cache: Option<f64>,
    /// Requests that it stopped to make room, since it started.
    pub preemptions: Option<u64>,
}

impl EngineState {
    /// Nothing is said.
    pub const fn new() -> Self {
        Self {
            waiting: None,
            finished: None,
            cache: None,
            preemptions: None,
        }
    }

    /// So many requests wait now.
    #[must_use]
    pub fn with_waiting(self, waiting: impl Into<Option<u64>>) -> Self {
        let waiting = waiting.into();
        Self { waiting, ..self }
    }

    /// It was done with so many requests since it started.
    #[must_use]
    pub fn with_finished(self, finished: impl Into<Option<u64>>) -> Self {
        let finished = finished.into();
        Self { finished, ..self }
    }

    /// So much of its cache of keys and values is in use, from 0 to 1.
    #[must_use]
    pub fn with_cache(self, cache: impl Into<Option<f64>>) -> Self {
        let cache = cache.into();
        Self { cache, ..self }
    }

    /// It stopped so many requests since it started, to make room for others.
    #[must_use]
    pub fn with_preemptions(self, preemptions: impl Into<Option<u64>>) -> Self {
        let preemptions = preemptions.into();
        Self {
            preemptions,
            ..self
        }
    }
}

impl EngineStates {
    /// Nothing was told yet. Moments are those of `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self(Arc::new(Inner {
            telemetry: *telemetry,
            told: Mutex::default(),
        }))
    }

    /// An engine that serves a model, by the name that calls ask for, says this of itself now. `engine` tells several of one model apart;
    /// where calls say where they went, it is that: `address:port`. At most 64 are remembered, those that spoke last.
    pub fn tell(&self, model: &str, engine: &str, state: EngineState) {
        let at = self.0.telemetry.now();
        let mut told = lock(&self.0.told);
        let name = (model.into(), engine.into());
        if !told.contains_key(&name) && told.len() >= MOST {
            let oldest =
                { told.iter() }.min_by_key(|(_, states)| states.back().map(|told| told.at));
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                told.remove(&oldest);
            }
        }
        let states = told.entry(name).or_default();
        if states.len() == KEPT {
            states.pop_front();
        }
        states.push_back(Told { at, state });
    }

    /// What the engine did that serves a model: the one of that name, or the only one there is. Of several nobody knows which it was.
    pub(crate) fn window(
        &self,
        model: &str,
        engine: Option<&str>,
        times: (Moment, Moment),
    ) -> Option<EngineWindow> {
        let told = lock(&self.0.told);
        let mut of_model = told.iter().filter(|((of, _), _)| &**of == model);
        let named = of_model
            .clone()
            .find(|((_, name), _)| Some(&**name) == engine);
        let states = match (named, of_model.next(), of_model.next()) {
            (Some((_, states)), ..) | (None, Some((_, states)), None) => states,
            _ => return None,
        };
        self.0.window(states, times)
    }
}

impl Inner {
    fn window(
        &self,
        states: &VecDeque<Told>,
        (from, to): (Moment, Moment),
    ) -> Option<EngineWindow> {
        let seconds = |from, to| self.telemetry.between(from, to).as_secs_f64();
        let during = || { states.iter() }.filter(|told| from <= told.at && told.at <= to);
        let (mut waiting, mut of) = (0.0, 0_u32);
        let mut cache: Option<f64> = None;
        for told in during() {
            if let Some(count) = told.state.waiting {
                waiting += count as f64;
                of += 1;
            }
            cache = cache.into_iter().chain(told.state.cache).reduce(f64::max);
        }
        let last = during().next_back()?;
        let waiting = (of > 0).then(|| waiting / f64::from(of));
        // What is counted is between two states: the first of them may be of just before.
        let earlier = states.iter().rev().find(|told| told.at < from);
        let first = earlier
            .filter(|told| seconds(told.at, from) <= seconds(from, to))
            .or_else(|| during().next())?;
        let grown = |of: fn(EngineState) -> Option<u64>, first: &Told| {
            of(last.state)?.checked_sub(of(first.state)?)
        };
        let since = { states.iter() }.find(|told| seconds(told.at, last.at) <= RATE.as_secs_f64());
        let rate = since.and_then(|since| {
            let finished = grown(|state| state.finished, since)? as f64;
            let rate = finished / seconds(since.at, last.at);
            (rate > 0.0 && rate.is_finite()).then_some(rate)
        });
        let wait = seconds(from, to);
        Some(EngineWindow {
            queue_share: None,
            expected_share: { waiting.zip(rate) }
                .filter(|_| wait > 0.0)
                .map(|(waiting, rate)| (waiting / rate / wait).min(1.0)),
            waiting,
            cache,
            preemptions: (first.at < last.at)
                .then(|| grown(|state| state.preemptions, first))
                .flatten(),
        })
    }
}

impl fmt::Debug for EngineStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let engines = lock(&self.0.told).len();
        f.debug_struct("EngineStates")
            .field("engines", &engines)
            .finish_non_exhaustive()
    }
}
