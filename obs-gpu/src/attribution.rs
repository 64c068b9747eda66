//! Keeps the books of claims while devices are watched, and shows them.
//!
//! | metric | unit | attributes |
//! |---|---|---|
//! | `obs.gpu.attributed.energy` | J | `hw.id` and the owner's |
//! | `obs.gpu.attributed.busy_time` | s | `hw.id` and the owner's |
//! | `obs.gpu.attributed.memory.usage` | By | `hw.id` and the owner's |
//! | `obs.gpu.attributed.tokens` | {token} | the owner's: a model on several devices counts each token once |
//! | `obs.gpu.attributed.over_claimed` | {window} | `hw.id` |
//!
//! An owner is `obs.gpu.owner` (`claim`, `process`, `idle`, `unattributed`, or `_OTHER` beyond 256 of them), with
//! `gen_ai.request.model`, `obs.gpu.task`, `service.name`, `k8s.pod.uid` and `container.id` as far as they are known.
//!
//! Joules per token are the rate of energy over that of tokens, by model: both count, so the backend divides them over
//! whichever time is asked about. What a model used while one call ran is told by [`Attribution::energy_of`], where it was long
//! enough.

mod marks;

use crate::claims::{Claims, Foreign, Ledger, Owner, Processes, Settled, Window};
use crate::device::DeviceId;
use crate::lock::lock;
use crate::metrics::Shape;
use crate::points::{Points, Shown, Since};
use crate::quantity::{Quantity, Tier};
use crate::reading::Readings;
use crate::sampler::{Gpu, GpuListener};
use crate::source::SourceError;
use marks::Marks;
use obs_core::semconv::{container, gen_ai, hw, obs, resource};
use obs_core::{Key, Moment, PointSource, Telemetry};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

const ENERGY: Shown = Shown {
    name: obs::GPU_ATTRIBUTED_ENERGY,
    unit: "J",
    description: "Energy of a device by who used it.",
    shape: Shape::Counter,
};
const BUSY: Shown = Shown {
    name: obs::GPU_ATTRIBUTED_BUSY_TIME,
    unit: "s",
    description: "Time in which something ran on a device by whose it was.",
    shape: Shape::Counter,
};
const MEMORY: Shown = Shown {
    name: obs::GPU_ATTRIBUTED_MEMORY,
    unit: "By",
    description: "Memory of a device in use by whose it is.",
    shape: Shape::UpDownCounter,
};
const TOKENS: Shown = Shown {
    name: obs::GPU_ATTRIBUTED_TOKENS,
    unit: "{token}",
    description: "Tokens that claims told of.",
    shape: Shape::Counter,
};
const OVER: Shown = Shown {
    name: obs::GPU_OVER_CLAIMED,
    unit: "{window}",
    description: "Windows in which claims said that they have more memory than is in use.",
    shape: Shape::Counter,
};

/// For how long what was settled is shown without being settled again.
const KEPT: Duration = Duration::from_secs(60);

/// How long what is known of other processes stands until they are looked at again, where the driver has not listed them again before:
/// once in a turn of the second tier, since each of them is a file to read. A turn may be a little early.
const LOOK: Duration = Duration::from_millis(900);

/// Keeps the books of claims: a [listener](GpuListener) of the monitor's.
///
/// ```
/// use obs_core::Telemetry;
/// use obs_gpu::{Attribution, Claims, GpuSettings};
///
/// let telemetry = Telemetry::builder().manual().build()?;
/// let claims = Claims::new();
/// let settings = GpuSettings::new().with_listener(Attribution::new(&telemetry, &claims));
/// # let _ = settings;
/// # Ok::<(), obs_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Attribution {
    telemetry: Telemetry,
    claims: Claims,
    books: Mutex<BTreeMap<DeviceId, Book>>,
    /// For who may not wait until books are closed.
    marks: RwLock<BTreeMap<DeviceId, Marks>>,
    page: Mutex<Page>,
    processes: Option<Mutex<Processes>>,
    own: u32,
}

/// The part of a device that a process is on, if it is on one, and its bytes there.
type InPlace = ((Option<u32>, Option<u32>), Option<u64>);

/// Of one device.
#[derive(Debug)]
struct Book {
    /// The device, as long as it is there.
    gpu: Option<Gpu>,
    ledger: Ledger,
    window: Window,
    /// When it was read last; `None` where it was not there since.
    at: Option<Moment>,
    /// When other processes were looked at, and when the driver had listed them then.
    looked: Option<(Moment, Option<Moment>)>,
}

impl Attribution {
    /// Books of `claims`, shown by `telemetry`. Other processes are asked for what they say of themselves where their numbers are
    /// the driver's: not in a container with a namespace of its own. They are looked at once a second, and when the driver has listed
    /// them again: for as long one that ended may still be given its part.
    pub fn new(telemetry: &Telemetry, claims: &Claims) -> Arc<Self> {
        Self::with_proc(telemetry, claims, "/proc")
    }

    /// The same by another `/proc`: the host's, where it is mounted in a container.
    pub fn with_proc(
        telemetry: &Telemetry,
        claims: &Claims,
        proc: impl Into<PathBuf>,
    ) -> Arc<Self> {
        let processes = Processes::new(proc);
        let source = telemetry.point_source();
        let this = Arc::new(Self {
            telemetry: *telemetry,
            claims: claims.clone(),
            books: Mutex::default(),
            marks: RwLock::default(),
            page: Mutex::new(Page {
                made: source.unix_nanos(),
                since: Since::default(),
                source,
            }),
            processes: processes.are_the_drivers().then(|| Mutex::new(processes)),
            own: std::process::id(),
        });
        if !telemetry.is_shut_down() {
            let watched = Arc::downgrade(&this);
            telemetry.observe(move || {
                if let Some(this) = watched.upgrade() {
                    this.show();
                }
            });
        }
        this
    }

    /// What owners have used of a device since it was found, and have now.
    pub fn settled(&self, device: &DeviceId) -> Option<Settled> {
        let books = lock(&self.books);
        let book = books.get(device)?;
        let mut settled = book.ledger.settled().clone();
        if !book.knows_memory(&self.telemetry) {
            settled.memory.clear();
        }
        Some(settled)
    }

    /// Joules that a model used of a device from one moment to another, of the last ten minutes: by the device's counter, and where
    /// several claims stand on it by what is attributed to this model's. What several calls of the model used at the same time
    /// is all theirs together.
    ///
    /// `None` where it would be wrong rather than inexact:
    ///
    /// - the time is shorter than ten steps of the counter. A step is the longest time for which it stood still meanwhile, be it that
    ///   the driver renews it seldom, that it is [read](crate::GpuSettings::with_budget) seldom, or that the device could not be
    ///   read for a while. Each end is known to a step at worst;
    /// - the counter began anew meanwhile;
    /// - of more than a tenth of what was used it is not known whose it was: several claims stand on the device, and none
    ///   [told](crate::Claim::tokens) of work.
    pub fn energy_of(
        &self,
        device: &DeviceId,
        model: &str,
        from: Moment,
        to: Moment,
    ) -> Option<f64> {
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        let millijoules = marks.get(device)?.between(model, from, to)?;
        Some(millijoules / 1e3)
    }

    fn show(&self) {
        lock(&self.page).show(&self.books, &self.claims, &self.telemetry);
    }

    /// Whether it is time to look at other processes, at the beginning of a window.
    fn is_to_look(&self, gpu: &Gpu, at: Moment, listed: Option<Moment>) -> bool {
        let looked = lock(&self.books).get(gpu.id()).and_then(|book| book.looked);
        looked.is_none_or(|(looked, of)| of != listed || self.telemetry.between(looked, at) >= LOOK)
    }

    /// What it says next is of no time before that.
    fn says_nothing(&self, gpu: &Gpu) {
        if let Some(book) = lock(&self.books).get_mut(gpu.id()) {
            book.at = None;
        }
    }

    /// Processes that are known to be others, with what the driver says of them.
    fn others(&self, gpu: &Gpu) -> Vec<(Foreign, Option<u64>, Option<u32>)> {
        let Some(processes) = &self.processes else {
            return Vec::new();
        };
        let mut processes = lock(processes);
        let mut others: BTreeMap<u32, (Vec<InPlace>, Option<u32>)> = BTreeMap::new();
        let used = gpu.processes();
        for process in used.iter().filter(|process| process.pid != self.own) {
            let bytes = { process.memory.value() }.and_then(|bytes| u64::try_from(bytes).ok());
            let share = { process.utilization.value() }.and_then(|share| u32::try_from(share).ok());
            let (places, known) = others.entry(process.pid).or_default();
            // One that computes, draws and does so through a service stands in each of the driver's lists, with all that it has.
            *known = (*known).max(share);
            let place = (process.gpu_instance, process.compute_instance);
            match places.iter_mut().find(|(known, _)| *known == place) {
                Some((_, known)) => *known = (*known).max(bytes),
                None => places.push((place, bytes)),
            }
        }
        let told = others.into_iter().filter_map(|(pid, (places, share))| {
            let bytes = places.into_iter().filter_map(|(_, bytes)| bytes);
            let bytes = bytes.reduce(u64::saturating_add);
            Some((processes.foreign(pid)?, bytes, share))
        });
        told.collect()
    }
}

impl Book {
    /// Whether what is in use is not too old to be shown. What was used stays true.
    fn knows_memory(&self, telemetry: &Telemetry) -> bool {
        let now = telemetry.now();
        let age = |at| telemetry.between(at, now);
        let gpu = self.gpu.as_ref();
        gpu.is_some_and(|gpu| gpu.is_fresh(Quantity::MemoryUsed, age))
    }
}

impl GpuListener for Attribution {
    fn read(&self, gpu: &Gpu, at: Moment, tier: Tier, readings: &Readings) {
        if tier != Tier::Fast {
            return;
        }
        // Files are read while no book is held: others read their devices meanwhile.
        let listed = gpu.processes_read_at();
        let looks = self.is_to_look(gpu, at, listed);
        let others = looks.then(|| self.others(gpu));
        let whole = |quantity| u64::try_from(readings.value(quantity)?).ok();
        let mut books = lock(&self.books);
        let book = books.entry(gpu.id().clone()).or_insert_with(|| Book {
            gpu: None,
            ledger: Ledger::new(gpu.id().clone(), &self.claims),
            window: Window::default(),
            at: None,
            looked: None,
        });
        book.gpu = Some(gpu.clone());
        let window = &mut book.window;
        // What it says of the time before is of a second at most: nothing of one in which it was not there.
        let before = book.at.replace(at).unwrap_or(at);
        let passed = self.telemetry.between(before, at).as_nanos();
        window.nanos = u64::try_from(passed).unwrap_or(u64::MAX);
        window.energy = whole(Quantity::Energy);
        window.power = whole(Quantity::Power);
        window.utilization =
            whole(Quantity::Utilization).and_then(|share| u32::try_from(share).ok());
        window.memory = whole(Quantity::MemoryUsed);
        if let Some(others) = others {
            window.others = others;
            book.looked = Some((at, listed));
        }
        let settled = book.ledger.settle(window);
        if window.energy.is_some() {
            let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
            let marks = marks.entry(gpu.id().clone()).or_default();
            marks.push(at, settled);
        }
        drop(books);
        // Devices are read inside collections there, after whoever was there before the monitor was asked.
        if self.telemetry.is_manual() {
            self.show();
        }
    }

    fn failed(&self, gpu: &Gpu, _: Moment, _: SourceError) {
        if gpu.readings().value(Quantity::Utilization).is_none() {
            self.says_nothing(gpu);
        }
    }

    fn not_answering(&self, gpu: &Gpu, _: Moment, _: Moment, _: &'static str) {
        self.says_nothing(gpu);
    }

    fn lost(&self, gpu: &Gpu, at: Moment, _: i32) {
        self.gone(gpu, at);
    }

    fn gone(&self, gpu: &Gpu, _: Moment) {
        // What it used stays used; what it has it has no more.
        if let Some(book) = lock(&self.books).get_mut(gpu.id()) {
            book.ledger.has_nothing();
            // Whoever uses it when it is back is looked at then.
            (book.gpu, book.at, book.looked) = (None, None, None);
        }
        if let Some(processes) = &self.processes {
            lock(processes).keep(|_| false);
        }
    }
}

/// What collections see. Dropped with the books, it takes back what it showed.
#[derive(Debug)]
struct Page {
    made: u64,
    since: Since,
    source: PointSource,
}

impl Page {
    fn show(
        &mut self,
        books: &Mutex<BTreeMap<DeviceId, Book>>,
        claims: &Claims,
        telemetry: &Telemetry,
    ) {
        let now = self.source.unix_nanos();
        let mut points = Points::new(&mut self.since, (self.made, now));
        for (device, book) in lock(books).iter() {
            let id = (hw::ID, device.as_str());
            let of = |owner| [&[id][..], &labels(owner)].concat();
            let settled = book.ledger.settled();
            for (owner, &millijoules) in &settled.energy {
                points.float(&ENERGY, &of(owner), Some(millijoules as f64 / 1e3));
            }
            for (owner, &nanos) in &settled.busy {
                points.float(&BUSY, &of(owner), Some(nanos as f64 / 1e9));
            }
            let memory = book.knows_memory(telemetry).then_some(&settled.memory);
            for (owner, &bytes) in memory.into_iter().flatten() {
                points.whole(&MEMORY, &of(owner), Some(bytes));
            }
            let over = settled.over_claimed;
            points.whole(&OVER, &[id], (over > 0).then_some(over));
        }
        for (owner, count) in claims.tokens() {
            points.whole(&TOKENS, &labels(&owner), (count > 0).then_some(count));
        }
        self.source.show(points.finish(), KEPT);
    }
}

static NOTHING: Foreign = Foreign::NOTHING;

fn labels(owner: &Owner) -> Vec<(Key, &str)> {
    let mut labels = vec![(obs::GPU_OWNER, owner.kind())];
    let (model, task, of) = match owner {
        Owner::Claim { model, task } => (model, task, &NOTHING),
        Owner::Process(foreign) => (&foreign.model, &foreign.task, foreign),
        _ => return labels,
    };
    for (key, value) in [
        (gen_ai::REQUEST_MODEL, model),
        (obs::GPU_TASK, task),
        (Key::new(&resource::SERVICE_NAME), &of.service),
        (container::K8S_POD_UID, &of.pod),
        (container::ID, &of.container),
    ] {
        if let Some(value) = value {
            labels.push((key, &**value));
        }
    }
    labels
}
