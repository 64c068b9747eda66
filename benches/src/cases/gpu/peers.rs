//! What one would write by hand instead: a value that is shared, and the library's safe calls.

use std::{
    hint::black_box,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use nvml_wrapper::{
    Device, Nvml, bitmasks::event::EventTypes, enum_wrappers::device::Clock,
    structs::device::FieldId,
};
use obs_core::Telemetry;
use obs_gpu::Sample;
use obs_gpu_fake::{Count, Fake};

use super::share::{MOMENT, WHOLE, of_a_core};
use super::{DEVICES, fake, looks_at, swept, until};
use crate::bars::Unit;
use crate::harness::{
    lived::{Length, Told},
    pair::Pair,
    scaling::Scaling,
};

/// The same eight words.
fn sample() -> Sample {
    let telemetry = Telemetry::builder().manual().build().expect("usable");
    Sample::new(telemetry.now()).with_power(Some(540_000))
}

pub(crate) fn mutex() -> Pair {
    let shared = Mutex::new(sample());
    looks_at(move || {
        black_box(
            *black_box(&shared)
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    })
}

pub(crate) fn rwlock() -> Pair {
    let shared = RwLock::new(sample());
    looks_at(move || {
        black_box(
            *black_box(&shared)
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        );
    })
}

/// The lock held to count a reference, and no longer.
pub(crate) fn rwlock_arc() -> Pair {
    let shared = RwLock::new(Arc::new(sample()));
    looks_at(move || {
        let locked = black_box(&shared).read();
        let shown = locked.unwrap_or_else(PoisonError::into_inner).clone();
        black_box(*shown);
    })
}

pub(crate) fn arc_swap() -> Pair {
    let shared = ArcSwap::from_pointee(sample());
    looks_at(move || {
        black_box(**black_box(&shared).load());
    })
}

pub(crate) fn contended_mutex() -> Scaling {
    let shared = Arc::new(Mutex::new(sample()));
    contended(shared, |shared| {
        black_box(*shared.lock().unwrap_or_else(PoisonError::into_inner));
    })
}

pub(crate) fn contended_rwlock() -> Scaling {
    let shared = Arc::new(RwLock::new(sample()));
    contended(shared, |shared| {
        black_box(*shared.read().unwrap_or_else(PoisonError::into_inner));
    })
}

pub(crate) fn contended_arc_swap() -> Scaling {
    let shared = Arc::new(ArcSwap::from_pointee(sample()));
    contended(shared, |shared| {
        black_box(**shared.load());
    })
}

fn contended<T: Send + Sync + 'static>(shared: Arc<T>, look: fn(&T)) -> Scaling {
    Scaling::new(
        move || {
            let shared = shared.clone();
            Box::new(move || look(black_box(&shared)))
        },
        |_| Ok(String::from("nothing leaves this case")),
    )
}

/// One library for as long as the process lasts, since devices borrow it.
fn library(fake: &Fake) -> &'static Nvml {
    let opened = Nvml::builder().lib_path(fake.library().as_os_str()).init();
    Box::leak(Box::new(opened.expect("the fake")))
}

fn devices(nvml: &'static Nvml) -> Vec<Device<'static>> {
    let opened = (0..DEVICES).map(|at| nvml.device_by_index(at).expect("it answers"));
    opened.collect()
}

/// Power, and the energy counter, which is asked for apart, as it may be dear.
const FIELDS: [[FieldId; 1]; 2] = [[FieldId(186)], [FieldId(83)]];

/// What the fast tier asks for, each by its safe call.
fn read(device: &Device<'static>) {
    black_box(device.utilization_rates().expect("it answers"));
    black_box(device.memory_info().expect("it answers"));
    for fields in &FIELDS {
        black_box(device.field_values_for(fields).expect("it answers"));
    }
    black_box(device.clock_info(Clock::SM).expect("it answers"));
    black_box(device.clock_info(Clock::Memory).expect("it answers"));
    black_box(device.current_throttle_reasons().expect("it answers"));
}

pub(crate) fn sweep8() -> Pair {
    let fake = fake("virtual");
    let devices = devices(library(&fake));
    swept(fake, move || devices.iter().for_each(read))
}

/// One thread that makes these calls four times a second and does nothing with them.
pub(crate) fn poll8(length: Length, told: &mut Told) -> Result<String, String> {
    let fake = fake("real");
    let devices = devices(library(&fake));
    let over = Arc::new(AtomicBool::new(false));
    let ends = over.clone();
    let poller = std::thread::spawn(move || {
        let mut next = Instant::now();
        while !ends.load(Ordering::Relaxed) {
            devices.iter().for_each(read);
            next += Duration::from_millis(250);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    });
    std::thread::sleep(Duration::from_millis(50));
    let before = fake.calls("*", None);
    let share = of_a_core(length.of(WHOLE, MOMENT));
    let calls = fake.calls("*", None) - before;
    over.store(true, Ordering::Relaxed);
    poller.join().map_err(|_| "it panicked")?;
    told.put(Unit::Core, share?);
    match calls {
        0 => Err(String::from("no call was made")),
        _ => Ok(format!("{calls} calls of the library")),
    }
}

/// A thread for each device that waits for its events by the safe call, half a second at a time, and says that there was one.
struct Waiters {
    seen: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Waiters {
    fn start(fake: &Fake) -> Result<Self, String> {
        let nvml = library(fake);
        let (seen, over) = <(Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let wait = |at| {
            let (ends, sees) = (over.clone(), seen.clone());
            std::thread::spawn(move || {
                let device = nvml.device_by_index(at).expect("it answers");
                let set = nvml.create_event_set().expect("a set");
                let set = device.register_events(EventTypes::CRITICAL_XID_ERROR, set);
                let Ok(set) = set else { return };
                while !ends.load(Ordering::Relaxed) {
                    if set.wait(500).is_ok() {
                        sees.fetch_add(1, Ordering::Release);
                    }
                }
            })
        };
        let threads = (0..DEVICES).map(wait).collect();
        let this = Self {
            seen,
            over,
            threads,
        };
        this.all_wait(fake).map(|()| this)
    }

    fn all_wait(&self, fake: &Fake) -> Result<(), String> {
        match fake.until(Count::Listening, DEVICES.into(), Duration::from_secs(10)) {
            true => Ok(()),
            false => Err(String::from("not all devices' events are waited for")),
        }
    }

    fn end(self) -> Result<(), String> {
        self.over.store(true, Ordering::Relaxed);
        let mut threads = self.threads.into_iter();
        threads.try_for_each(|thread| thread.join().map_err(|_| String::from("it panicked")))
    }
}

/// These threads and nothing else: what the fake takes of a core while its events are waited for.
pub(crate) fn wait8(length: Length, told: &mut Told) -> Result<String, String> {
    let fake = fake("real");
    let waiters = Waiters::start(&fake)?;
    told.put(Unit::Core, of_a_core(length.of(WHOLE, MOMENT))?);
    waiters.end()?;
    Ok(format!("{DEVICES} threads waited"))
}

/// What the library and threads take until an event is known.
pub(crate) fn xid(length: Length, told: &mut Told) -> Result<String, String> {
    let fake = fake("real");
    let waiters = Waiters::start(&fake)?;
    let mut times = Vec::new();
    for at in 0..length.of(50, 2) {
        waiters.all_wait(&fake)?;
        let pushed = Instant::now();
        fake.push("+0 1 xid=79")
            .map_err(|error| error.to_string())?;
        until("it is seen", || waiters.seen.load(Ordering::Acquire) > at)?;
        times.push(pushed.elapsed());
    }
    waiters.end()?;
    told.put_times(&times);
    Ok(format!("{} XIDs", times.len()))
}
