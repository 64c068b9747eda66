//! What the library knows, all of it: one lock, which no thread holds while it waits for a script.

use crate::answer::{Answer, Code};
use crate::clock::Clock;
use crate::events::EventSet;
use crate::gpu::{ByCall, Gpu};
use crate::profile::Profile;
use crate::script::{Numbered, Script, ScriptError, Setting, Stall, Step, When};
use crate::value::{Micros, random};
use crate::{latencies, scenarios, script};
use std::collections::BTreeMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod apply;

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::of_environment()));

/// Told whenever something happened that a thread in a call may wait for.
static CHANGED: Condvar = Condvar::new();

/// Told whenever a thread began or ended something that [`counted`] knows of. Apart from the above: threads that wait for events
/// come and go all the time, and would wake one another each time.
static COUNTED: Condvar = Condvar::new();

/// Holds inline what the world begins as; the other one names a file of it.
pub(crate) const SCRIPT: &str = "OBS_GPU_FAKE";
pub(crate) const SCRIPT_FILE: &str = "OBS_GPU_FAKE_FILE";

/// What a device's number is where a call is about none.
pub(crate) const NO_GPU: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    /// Which world this is: what belonged to another one is gone.
    pub(crate) generation: u64,
    pub(crate) gpus: Vec<Gpu>,
    pub(crate) inits: u32,
    pub(crate) driver: String,
    pub(crate) nvml: String,
    pub(crate) cuda: i32,
    pub(crate) absent: bool,
    /// Faults that were not asked for yet have the last one's number.
    pub(crate) only_last_xid: bool,
    pub(crate) fails: ByCall<u32>,
    pub(crate) stalls: ByCall<Stall>,
    pub(crate) latencies: BTreeMap<String, [Micros; 3]>,
    /// What asking for something by its number adds.
    pub(crate) adds: BTreeMap<Numbered, [Micros; 3]>,
    pub(crate) sets: BTreeMap<usize, EventSet>,
    /// GPM samples: of which device, which GPU instance, and when.
    pub(crate) samples: BTreeMap<usize, Option<(usize, u32, Micros)>>,
    pub(crate) seed: u64,
    /// Threads that a script holds in a call, and threads that wait for an event.
    pub(crate) stalled: u32,
    pub(crate) listening: u32,
    /// Why the last text was refused.
    pub(crate) error: Option<ScriptError>,
    calls: BTreeMap<(&'static str, u32), u64>,
    pending: BTreeMap<(Micros, u64), Step>,
    numbers: u64,
}

/// The world, for as long as it takes to read it.
pub(crate) fn lock() -> MutexGuard<'static, World> {
    // Whoever panicked was answered with an unknown error; the world goes on.
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    world.settle();
    world
}

/// Tells whoever waits to look again.
pub(crate) fn changed() {
    CHANGED.notify_all();
    counted();
}

/// Tells those who wait for numbers of threads and sets, and nobody else.
pub(crate) fn counted() {
    COUNTED.notify_all();
}

/// Lets others at the world until something changed, a step is due, or so much real time has passed.
pub(crate) fn wait(
    world: MutexGuard<'static, World>,
    at_most: Option<Duration>,
) -> MutexGuard<'static, World> {
    wait_for(&CHANGED, world, at_most)
}

/// The same, until something was counted.
pub(crate) fn wait_for_counts(
    world: MutexGuard<'static, World>,
    at_most: Duration,
) -> MutexGuard<'static, World> {
    wait_for(&COUNTED, world, Some(at_most))
}

fn wait_for(
    told: &Condvar,
    world: MutexGuard<'static, World>,
    at_most: Option<Duration>,
) -> MutexGuard<'static, World> {
    let due = world.until_next_step();
    let waits = [at_most, due].into_iter().flatten().min();
    let mut world = match waits {
        None => told.wait(world).unwrap_or_else(PoisonError::into_inner),
        Some(time) => {
            let waited = told.wait_timeout(world, time);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
    };
    world.settle();
    world
}

impl World {
    fn of_environment() -> Self {
        let text = std::env::var(SCRIPT)
            .map(Ok)
            .or_else(|_| std::env::var(SCRIPT_FILE).map(std::fs::read_to_string));
        let begun = match text {
            Ok(Ok(text)) => Self::begin(&text),
            Ok(Err(error)) => Err(ScriptError {
                statement: 0,
                message: error.to_string(),
            }),
            Err(_) => Self::begin(""),
        };
        begun.unwrap_or_else(|error| {
            #[allow(
                clippy::print_stderr,
                reason = "nobody asked for it yet who could be told otherwise"
            )]
            {
                eprintln!("obs-gpu-fake: {error}");
            }
            Self {
                absent: true,
                error: Some(error),
                ..Self::empty()
            }
        })
    }

    fn empty() -> Self {
        Self {
            clock: Clock::running(),
            generation: 0,
            gpus: Vec::new(),
            inits: 0,
            driver: "580.95.05".to_owned(),
            nvml: "13.580.95.05".to_owned(),
            cuda: 13_000,
            absent: false,
            only_last_xid: false,
            fails: ByCall::default(),
            stalls: ByCall::default(),
            // The one call of which the header says that it takes its time: it counts bytes for 20 ms.
            latencies: BTreeMap::from([("nvmlDeviceGetPcieThroughput".to_owned(), [20_000; 3])]),
            adds: BTreeMap::new(),
            sets: BTreeMap::new(),
            samples: BTreeMap::new(),
            seed: 1,
            stalled: 0,
            listening: 0,
            error: None,
            calls: BTreeMap::new(),
            pending: BTreeMap::new(),
            numbers: 0,
        }
    }

    /// A world by its text.
    pub(crate) fn begin(text: &str) -> Result<Self, ScriptError> {
        let mut world = Self::empty();
        let mut script = Script::parse(text)?;
        let whole = |message| ScriptError {
            statement: 0,
            message,
        };
        let mut names = None;
        let mut steps = Vec::new();
        // A scenario's settings come first, so that what stands beside it goes before them; so do a device's latencies.
        let mut settings = Vec::new();
        for setting in &script.settings {
            let text = match setting {
                Setting::Scenario(name) => scenarios::text(name).map_err(whole)?,
                Setting::Latencies(name) => latencies::text(name).map_err(whole)?,
                _ => continue,
            };
            let played = Script::parse(text)?;
            settings.extend(played.settings);
            steps.extend(played.steps);
        }
        settings.append(&mut script.settings);
        steps.append(&mut script.steps);
        for setting in settings {
            match setting {
                Setting::Gpus(gpus) => names = Some(gpus),
                Setting::Driver(version) => world.driver = version,
                Setting::Nvml(version) => world.nvml = version,
                Setting::Cuda(version) => world.cuda = version,
                Setting::VirtualClock(true) => world.clock = Clock::still(),
                Setting::VirtualClock(false) => world.clock = Clock::running(),
                Setting::OnlyLastXid(only) => world.only_last_xid = only,
                Setting::Seed(seed) => world.seed = seed,
                Setting::Latency(call, times) => {
                    world.latencies.insert(call, times);
                }
                Setting::Adds(what, times) => {
                    world.adds.insert(what, times);
                }
                Setting::Scenario(_) | Setting::Latencies(_) => {}
            }
        }
        for name in names.unwrap_or_else(|| vec!["H100".to_owned()]) {
            world
                .gpus
                .push(Gpu::new(Profile::named(&name).map_err(whole)?));
        }
        world.push(steps).map_err(whole)?;
        Ok(world)
    }

    /// Adds steps; those whose moment has passed happen at once.
    pub(crate) fn push(&mut self, steps: Vec<Step>) -> Result<(), String> {
        let many = self.gpus.len();
        if let Some(index) = steps.iter().find_map(|step| match step.target {
            script::Target::Gpu(index) if index >= many => Some(index),
            _ => None,
        }) {
            return Err(format!("there is no device {index}, only {many}"));
        }
        let now = self.clock.now();
        for step in steps {
            let at = match step.when {
                When::At(at) => at.max(now),
                When::In(later) => now.saturating_add(later),
            };
            self.numbers += 1;
            self.pending.insert((at, self.numbers), step);
        }
        self.settle();
        // Who waits for the next step is to see that it is another.
        changed();
        Ok(())
    }

    /// Lets all happen whose time has come, each at its own moment.
    pub(crate) fn settle(&mut self) {
        let now = self.clock.now();
        let mut happened = false;
        while let Some(next) = self.pending.first_entry() {
            let (at, number) = *next.key();
            if at > now {
                break;
            }
            let step = next.remove();
            self.apply(at, step.target, &step.action, random(self.seed, number));
            happened = true;
        }
        if happened {
            changed();
        }
    }

    /// Real time until the next step, where time passes by itself.
    fn until_next_step(&self) -> Option<Duration> {
        let (&(at, _), _) = self.pending.first_key_value()?;
        let left = at.saturating_sub(self.clock.now());
        // The clock counts whole microseconds: one later it is surely due.
        (!self.clock.is_virtual()).then(|| Duration::from_micros(left + 1))
    }

    pub(crate) fn advance(&mut self, by: Micros) {
        self.clock.advance(by);
        self.settle();
        changed();
    }

    pub(crate) fn count(&mut self, call: &'static str, gpu: u32) -> u64 {
        let count = self.calls.entry((call, gpu)).or_insert(0);
        *count += 1;
        *count
    }

    /// How often a call was made, of one device or of all.
    pub(crate) fn calls(&self, call: &str, gpu: Option<u32>) -> u64 {
        let counts = self.calls.iter().filter(|((name, of), _)| {
            (call == "*" || *name == call) && gpu.is_none_or(|gpu| gpu == *of)
        });
        counts.map(|(_, count)| count).sum()
    }

    /// A number that no handle had.
    pub(crate) fn new_handle(&mut self) -> usize {
        self.numbers += 1;
        self.numbers as usize
    }

    /// Slots of the devices that the driver lists, in its order.
    pub(crate) fn listed(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.gpus.len()).filter(|&slot| self.gpus[slot].present)
    }

    /// Whether calls are answered at all.
    pub(crate) fn ready(&self) -> Answer<()> {
        if self.absent {
            return Err(Code::DRIVER_NOT_LOADED);
        }
        if self.inits == 0 {
            return Err(Code::UNINITIALIZED);
        }
        Ok(())
    }

    /// Puts this world where the old one was; who waits for something of the old one finds that it is gone.
    pub(crate) fn replace(&mut self, mut by: Self) {
        // Whoever initialised the library does not know of the change, nor do threads that are counted.
        (by.inits, by.stalled, by.listening) = (self.inits, self.stalled, self.listening);
        by.numbers += self.numbers;
        by.generation = self.generation + 1;
        *self = by;
        self.settle();
        changed();
    }
}
