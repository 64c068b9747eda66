//! Scrapes engines, on one thread of ours or inside a collection.

mod health;
mod listener;

pub use listener::EngineSaid;

use super::fetch::{self, Failure};
use super::reading::{Plan, Reading};
use super::series::{Attributes, Memory};
use super::settings::{ScrapeSettings, ScrapeTarget};
use health::{Bound, Health};
use listener::Listener;
use obs_core::metrics::Metric;
use obs_core::semconv::{network, obs};
use obs_core::{Error, LabelValue, PointSource, Telemetry};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use ureq::Agent;

/// Scrapes inference engines and shows what they say in one vocabulary, beside everything else that the telemetry has: see
/// [the module](super).
///
/// It has one thread, which waits for engines and never for anything of the service's; a telemetry [without
/// threads](obs_core::Builder::manual) has it scrape inside each collection. Dropping it stops that, and takes back what was
/// shown; so does the telemetry's shutdown.
#[derive(Debug)]
#[must_use = "dropping it ends the scraping"]
pub struct EngineScraper {
    shared: Arc<Shared>,
}

/// What became of a target last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetStatus {
    /// The value of `obs.llm.engine`.
    pub engine: &'static str,
    /// Its host.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Whether its page could be read; `None` before the first time.
    pub up: Option<bool>,
    /// Why not, as `error.type` has it.
    pub error: Option<String>,
    /// How many series its page had of the vocabulary.
    pub series: usize,
}

#[derive(Debug)]
struct Shared {
    telemetry: Telemetry,
    settings: ScrapeSettings,
    agent: Agent,
    health: Health,
    listener: OnceLock<Listener>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    targets: Vec<Place>,
    next: u64,
    closed: bool,
    alive: bool,
}

#[derive(Debug)]
struct Place {
    id: u64,
    target: Arc<ScrapeTarget>,
    /// Away while it is scraped.
    work: Option<Box<Work>>,
    status: TargetStatus,
}

/// What one target has from one scrape to the next.
#[derive(Debug)]
struct Work {
    plan: Plan,
    memory: Memory,
    source: PointSource,
    base: Attributes,
    bound: Bound,
}

/// What one scrape may take at least, however many targets there are.
const LEAST: Duration = Duration::from_millis(50);

impl EngineScraper {
    /// One without a target as yet.
    pub fn new(telemetry: &Telemetry, settings: ScrapeSettings) -> Self {
        let shared = Arc::new(Shared {
            telemetry: *telemetry,
            settings,
            agent: fetch::client(),
            health: Health::new(telemetry),
            listener: OnceLock::new(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        if telemetry.is_manual() {
            let weak = Arc::downgrade(&shared);
            telemetry.observe(move || {
                if let Some(shared) = weak.upgrade() {
                    shared.round(shared.manual_budget());
                }
            });
        }
        Self { shared }
    }

    /// Adds a target. It is scraped at once, on the thread, and then with all others; where the telemetry is over it is not.
    ///
    /// # Errors
    /// When there is one of the same engine, address and port already: nobody could tell their series apart. When the system gives
    /// no thread.
    pub fn add(&self, target: ScrapeTarget) -> Result<(), Error> {
        let shared = &self.shared;
        let telemetry = &shared.telemetry;
        if telemetry.is_shut_down() {
            return Ok(());
        }
        let base = base(&target);
        let work = Work {
            plan: Plan::new(&target.rows, &target.mapping),
            memory: Memory::default(),
            source: telemetry.point_source(),
            bound: shared.health.bind(&target),
            base,
        };
        let mut state = shared.lock();
        let (engine, address, port) = (target.mapping.engine, &target.address, target.port);
        let known = |place: &Place| place.target.is(engine, address, port);
        if state.targets.iter().any(known) {
            return Err(Error::configuration(format!(
                "scrape target: `{engine}` at {address}, port {port}, is there already"
            )));
        }
        if !telemetry.is_manual() && !state.alive {
            shared.start()?;
            state.alive = true;
        }
        state.next += 1;
        let status = TargetStatus {
            engine,
            address: address.clone(),
            port,
            up: None,
            error: None,
            series: 0,
        };
        let place = Place {
            id: state.next,
            target: Arc::new(target),
            work: Some(Box::new(work)),
            status,
        };
        state.targets.push(place);
        shared.changed.notify_all();
        Ok(())
    }

    /// Somebody is told what each page says from now on, of each model that it is about: on the thread that scrapes, so what takes long
    /// there makes other engines' pages late. False where somebody is told already: there is one. A panic is contained and counted.
    ///
    /// It is for who explains a slow call by what its engine did meanwhile; of a page that cannot be read nothing is told.
    pub fn listen(&self, listen: impl Fn(&EngineSaid<'_>) + Send + Sync + 'static) -> bool {
        { self.shared.listener.set(Listener::new(listen)) }.is_ok()
    }

    /// Takes a target away, with what it showed, and says whether it was there.
    pub fn remove(&self, engine: &str, address: &str, port: u16) -> bool {
        let mut state = self.shared.lock();
        let place =
            { state.targets.iter() }.position(|place| place.target.is(engine, address, port));
        let gone = place.map(|place| state.targets.remove(place));
        drop(state);
        gone.is_some()
    }

    /// What became of each target last, in the order in which they were added.
    pub fn targets(&self) -> Vec<TargetStatus> {
        let state = self.shared.lock();
        state
            .targets
            .iter()
            .map(|place| place.status.clone())
            .collect()
    }
}

impl Drop for EngineScraper {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let gone = std::mem::take(&mut state.targets);
        self.shared.changed.notify_all();
        drop(state);
        drop(gone);
    }
}

/// What all points of a target have.
fn base(target: &ScrapeTarget) -> Attributes {
    let port = LabelValue::Number(target.port.into());
    let address = LabelValue::Text(target.address.as_str().into());
    let engine = LabelValue::Static(target.mapping.engine);
    vec![
        (obs::LLM_ENGINE.as_str().into(), engine),
        (network::SERVER_ADDRESS.as_str().into(), address),
        (network::SERVER_PORT.as_str().into(), port),
    ]
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a round may take where it holds up a collection.
    fn manual_budget(&self) -> Duration {
        let most = self.telemetry.observable_deadline().mul_f64(0.75);
        self.settings.deadline.min(most)
    }

    fn start(self: &Arc<Self>) -> Result<(), Error> {
        let weak = Arc::downgrade(self);
        let started = std::thread::Builder::new()
            .name("obs-engines".into())
            .spawn(move || {
                // It does not keep alive what it works for.
                while let Some(shared) = weak.upgrade() {
                    let took = shared.round(shared.settings.interval);
                    if !shared.rest(shared.settings.interval.saturating_sub(took)) {
                        return;
                    }
                }
            });
        let failed = |error| Error::failed("no thread for scraping engines").with_source(error);
        started.map(drop).map_err(failed)
    }

    /// Waits for the next round, and scrapes what is added meanwhile. Says whether there is one.
    fn rest(&self, time: Duration) -> bool {
        let mut left = time;
        loop {
            let mut state = self.lock();
            if state.closed || self.telemetry.is_shut_down() {
                return false;
            }
            let fresh = |place: &&Place| place.status.up.is_none() && place.work.is_some();
            if let Some(place) = state.targets.iter().find(fresh) {
                let id = place.id;
                drop(state);
                left = left.saturating_sub(self.scrape(id, self.settings.deadline));
                continue;
            }
            // In pieces, so that a shutdown, which tells nobody, ends the thread before long.
            let piece = left.min(Duration::from_millis(500));
            let waited = self.changed.wait_timeout(state, piece);
            let (guard, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            drop(state);
            if waited.timed_out() {
                left = left.saturating_sub(piece);
                if left.is_zero() {
                    return true;
                }
            }
        }
    }

    /// Scrapes all of them, one after another, each in its part of what is left of `budget`. Says how long that took.
    fn round(&self, budget: Duration) -> Duration {
        let ids: Vec<u64> = self.lock().targets.iter().map(|place| place.id).collect();
        let mut took = Duration::ZERO;
        for (at, id) in ids.iter().enumerate() {
            if self.telemetry.is_shut_down() {
                break;
            }
            let share = budget.saturating_sub(took) / (ids.len() - at) as u32;
            took += self.scrape(*id, self.settings.deadline.min(share.max(LEAST)));
        }
        took
    }

    /// Scrapes one of them, if it is there and nobody is at it, and says how long that took.
    fn scrape(&self, id: u64, deadline: Duration) -> Duration {
        let (target, mut work, many) = {
            let mut state = self.lock();
            let many = state.targets.len() as u32;
            let Some(place) = state.targets.iter_mut().find(|place| place.id == id) else {
                return Duration::ZERO;
            };
            let Some(work) = place.work.take() else {
                return Duration::ZERO;
            };
            (place.target.clone(), work, many)
        };
        let began = work.source.uptime();
        let read = self.read(&target, &mut work, deadline);
        let took = work.source.uptime().saturating_sub(began);
        let (metrics, outcome) = match read {
            Ok(metrics) => {
                let series = metrics.iter().map(|metric| metric.data.len()).sum();
                (metrics, Ok(series))
            }
            Err(failure) => (Vec::new(), Err(failure)),
        };
        self.health
            .scraped(&work.bound, took, outcome.as_ref().err());
        let up = outcome.is_ok();
        let shown = [health::up(&work.base, up, work.source.unix_nanos())];
        let shown = shown.into_iter().chain(metrics).collect();
        // Longer than until the next scrape, in whatever order they come.
        let rounds = (self.settings.interval + self.settings.deadline * many) * 3;
        let keep = match self.telemetry.is_manual() {
            true => Duration::from_secs(3_600),
            false => rounds,
        };
        let mut state = self.lock();
        if let Some(place) = state.targets.iter_mut().find(|place| place.id == id) {
            work.source.show(shown, keep);
            place.status.up = Some(up);
            place.status.series = *outcome.as_ref().unwrap_or(&0);
            place.status.error = outcome.err().map(|failure| failure.error_type().to_owned());
            place.work = Some(work);
        }
        took
    }

    fn read(
        &self,
        target: &ScrapeTarget,
        work: &mut Work,
        deadline: Duration,
    ) -> Result<Vec<Metric>, Failure> {
        let mut reading = Reading::new(&work.plan, self.settings.samples);
        let limits = (deadline, self.settings.page_bytes);
        let take = &mut |sample: super::page::Sample<'_>| reading.add(sample);
        let counts = fetch::page(&self.agent, &target.uri, &target.headers, limits, take)?;
        let said = reading.finish(counts.malformed);
        if said.too_many {
            return Err(Failure::TooMany);
        }
        self.health.found(&work.bound, &said);
        if let Some(listener) = self.listener.get() {
            self.telemetry
                .contain((), || listener.tell(target, &said.series));
        }
        let (model, now) = (target.model.as_deref(), work.source.unix_nanos());
        Ok(work.memory.metrics(said.series, &work.base, model, now))
    }
}
