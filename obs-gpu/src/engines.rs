//! What inference engines say of themselves, for calls that are slow.

use crate::context::windows::tells_of;
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
const RATE: Duration = Duration::from_secs(20);

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
/// A state is of the time since the one before, and counts for a call that waited mostly then: a page that is read every ten seconds
/// says nothing of most calls, so tell it once a second where calls are to be explained. How long a request stood in the queue no engine says of that request
/// itself. It is to be expected by Little's law: as many as waited, at the rate at which the engine was done with requests in the
/// twenty seconds before; where that is not known, how many waited is all there is.
#[derive(Clone)]
pub struct EngineStates(Arc<Inner>);

struct Inner {
    telemetry: Telemetry,
    told: Mutex<BTreeMap<Name, VecDeque<Told>>>,
}

/// The model, and the engine.
type Name = (Box<str>, Box<str>);

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
        let inside = |told: &&Told| from <= told.at && told.at <= to;
        // Each state ends what was since the one before.
        let windows = { states.iter() }
            .zip(states.iter().skip(1))
            .filter(|(before, now)| tells_of((before.at, now.at), (from, to)));
        let ends = windows.clone().map(|(_, now)| now);
        // How it is was said meanwhile, or else at the end of what was meanwhile.
        let levels: Vec<&Told> = match states.iter().any(|told| inside(&told)) {
            true => states.iter().filter(inside).collect(),
            false => ends.clone().collect(),
        };
        let last = levels
            .iter()
            .copied()
            .chain(ends)
            .max_by_key(|told| told.at)?;
        let level = |of: fn(EngineState) -> Option<f64>| {
            let levels = levels.iter().filter_map(move |told| of(told.state));
            levels.filter(|level| level.is_finite())
        };
        let waiting = level(|state| state.waiting.map(|count| count as f64));
        let (sum, many) = waiting.fold((0.0, 0.0), |(sum, many), one| (sum + one, many + 1.0));
        let mut window = EngineWindow {
            waiting: (many > 0.0).then(|| sum / many),
            cache: level(|state| state.cache).reduce(f64::max),
            // One that began anew stopped none that is known.
            preemptions: windows
                .filter_map(|(before, now)| {
                    let both = now.state.preemptions.zip(before.state.preemptions);
                    both.and_then(|(now, before)| now.checked_sub(before))
                })
                .reduce(u64::saturating_add),
            ..EngineWindow::default()
        };
        let since = states
            .iter()
            .find(|told| seconds(told.at, last.at) <= RATE.as_secs_f64())?;
        let finished = last.state.finished.zip(since.state.finished);
        let finished = finished.and_then(|(now, before)| now.checked_sub(before));
        let rate = finished.map(|finished| finished as f64 / seconds(since.at, last.at));
        let share = { window.waiting.zip(rate) }
            .map(|(waiting, rate)| waiting / rate / seconds(from, to))
            .filter(|share| share.is_finite());
        window.expected_share = share.map(|share| share.min(1.0));
        Some(window)
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
