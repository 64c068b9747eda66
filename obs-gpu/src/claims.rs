//! Who uses which device for what, as those say who do: energy, busy time and memory are told by model and task.
//!
//! ```
//! use obs_gpu::{Claims, DeviceId};
//!
//! let claims = Claims::new();
//! let device = DeviceId::new("GPU-5f2c9a1e");
//! // Where a model is loaded; released when it is dropped.
//! let claim = claims.claim(&device).model("qwen3-8b").task("chat").hold();
//! claim.set_memory(&device, 17_179_869_184);
//! // Where it works: its share of what the device uses meanwhile is by this.
//! claim.tokens(128);
//! ```
//!
//! # What is told of a window
//!
//! Between two readings a device used so much energy and was busy for such a time. Both are split into whole millijoules and
//! nanoseconds, whose sum is what the device used, exactly:
//!
//! - by the **work** that claims told of in it, where any did;
//! - else, where nothing ran, to `idle`;
//! - else, where one claim holds the device and no other process is known to use it, to that claim;
//! - else to `unattributed`. Nothing is divided by guess.
//!
//! Before that, what the driver says of the time of other processes goes to these ([`Owner::Process`]): what it said when it was asked
//! last. That is dear, and with many devices it may be some minutes ago (`process_time` of `obs.gpu.read.interval`).
//!
//! Memory is what claims [say](Claim::set_memory) that they have and what the driver says of other processes; the rest of what is in
//! use is `unattributed`. Claims that say more than is left are cut in proportion, and that is counted.
//!
//! A window is as long as the fast tier's period. Energy may be read less often than that, where reading it is dear: then it is split
//! over all windows since it was read, each as much as its power and its length are. Drivers renew the energy counter about ten times a second
//! (ML.ENERGY's measurements), so that of one window is late by up to that; over seconds it is exact.

mod ledger;
mod owner;
mod processes;
mod split;
#[cfg(test)]
mod tests;

pub use ledger::Settled;
pub(crate) use ledger::{Ledger, Window};
pub use owner::{Foreign, Owner};
pub(crate) use processes::Processes;

use crate::device::DeviceId;
use crate::lock::lock;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// How many claims one device has room for. Of a service that forgets to let go of them the oldest released ones make room.
const MOST: usize = 1024;

/// No bytes were told.
const UNTOLD: u64 = u64::MAX;

/// How many models and tasks have counters of their own; the tokens of others are [`Owner::Other`]'s.
const MOST_OWNERS: usize = 256;

/// All claims of a process. Cloning counts a reference: they are the same claims.
#[derive(Clone, Default)]
pub struct Claims(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    held: HashMap<DeviceId, Vec<Arc<Held>>>,
    /// Tokens of each model and task, for as long as the process lives.
    tokens: BTreeMap<Owner, Arc<AtomicU64>>,
    /// By model the devices that it is claimed to run on, for readers who may not wait for memory.
    devices: HashMap<Box<str>, Arc<[DeviceId]>>,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

impl Claims {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A claim on a device, to be told for what.
    pub fn claim(&self, device: &DeviceId) -> ClaimBuilder {
        ClaimBuilder {
            claims: self.clone(),
            devices: vec![device.clone()],
            model: None,
            task: None,
        }
    }

    /// The devices that a model is claimed to run on, in the order of their names. A lock that is held for moments, a reference
    /// counted, and no memory.
    pub fn devices_of(&self, model: &str) -> Option<Arc<[DeviceId]>> {
        lock(&self.0).devices.get(model).cloned()
    }

    /// The tokens that claims told of, by model and task.
    pub(crate) fn tokens(&self) -> Vec<(Owner, u64)> {
        let book = lock(&self.0);
        let tokens = book.tokens.iter();
        let tokens = tokens.map(|(owner, count)| (owner.clone(), count.load(Ordering::Relaxed)));
        tokens.collect()
    }

    /// Those on a device, each with whether it was let go of before now: what it did until then still counts, and then it is
    /// forgotten.
    fn on(&self, device: &DeviceId) -> Vec<(Arc<Held>, bool)> {
        let mut book = lock(&self.0);
        let Some(of_device) = book.held.get_mut(device) else {
            return Vec::new();
        };
        let listed = { of_device.iter() }
            .map(|held| (held.clone(), held.is_released()))
            .collect::<Vec<_>>();
        let mut released = listed.iter().map(|(_, released)| *released);
        of_device.retain(|_| !released.next().unwrap_or(false));
        listed
    }
}

impl Book {
    fn add(&mut self, held: &Arc<Held>) {
        for (device, _) in &held.memory {
            let of_device = self.held.entry(device.clone()).or_default();
            if of_device.len() >= MOST {
                let oldest = of_device.iter().position(|held| held.is_released());
                of_device.remove(oldest.unwrap_or_default());
            }
            of_device.push(held.clone());
        }
        self.list(held.model());
    }

    /// Lists anew where a model runs.
    fn list(&mut self, model: Option<&str>) {
        let Some(model) = model else { return };
        let holds = |held: &Arc<Held>| !held.is_released() && held.model() == Some(model);
        let mut devices: Vec<DeviceId> = { self.held.iter() }
            .filter(|(_, held)| held.iter().any(holds))
            .map(|(device, _)| device.clone())
            .collect();
        devices.sort_unstable();
        match devices.is_empty() {
            true => self.devices.remove(model),
            false => self.devices.insert(model.into(), devices.into()),
        };
    }

    /// What counts the tokens of an owner.
    fn counter(&mut self, owner: &Owner) -> Arc<AtomicU64> {
        let owner = owner
            .or_other(|owner| self.tokens.contains_key(owner) || self.tokens.len() < MOST_OWNERS);
        self.tokens.entry(owner).or_default().clone()
    }
}

/// A claim that is not held yet.
#[derive(Debug)]
#[must_use = "nothing is claimed until it is held"]
pub struct ClaimBuilder {
    claims: Claims,
    devices: Vec<DeviceId>,
    model: Option<Box<str>>,
    task: Option<Box<str>>,
}

impl ClaimBuilder {
    /// The model that runs there: `gen_ai.request.model`, as calls of it are labelled.
    pub fn model(mut self, model: &str) -> Self {
        self.model = Some(model.into());
        self
    }

    /// What it is done for: `obs.gpu.task`. From a set that does not grow: `chat`, `embed`, `train`.
    pub fn task(mut self, task: &str) -> Self {
        self.task = Some(task.into());
        self
    }

    /// On this device too: one model over several of them.
    pub fn and(mut self, device: &DeviceId) -> Self {
        if !self.devices.contains(device) {
            self.devices.push(device.clone());
        }
        self
    }

    /// From now on it is held, until what this gives is dropped.
    pub fn hold(self) -> Claim {
        let untold = |device| (device, AtomicU64::new(UNTOLD));
        let owner = Owner::Claim {
            model: self.model,
            task: self.task,
        };
        let mut book = lock(&self.claims.0);
        let held = Arc::new(Held {
            tokens: book.counter(&owner),
            owner,
            memory: self.devices.into_iter().map(untold).collect(),
            work: AtomicU64::new(0),
            released: AtomicBool::new(false),
        });
        book.add(&held);
        drop(book);
        Claim {
            held,
            claims: self.claims,
        }
    }
}

/// What one holds while a device is used for something. Dropping it lets go.
#[derive(Debug)]
#[must_use = "dropping it lets go of the device"]
pub struct Claim {
    held: Arc<Held>,
    claims: Claims,
}

impl Claim {
    /// It generated or read so many tokens: work by which it is told from others, and what joules per token are over.
    /// An atomic addition or two; any thread may.
    #[inline]
    pub fn tokens(&self, count: u64) {
        self.held.work.fetch_add(count, Ordering::Relaxed);
        self.held.tokens.fetch_add(count, Ordering::Relaxed);
    }

    /// It did so much of what is no token: samples, steps, anything that all claims of the device measure alike.
    #[inline]
    pub fn worked(&self, units: u64) {
        self.held.work.fetch_add(units, Ordering::Relaxed);
    }

    /// It has so many bytes of a device's memory, of one that it claims.
    pub fn set_memory(&self, device: &DeviceId, bytes: u64) {
        let mut devices = self.held.memory.iter();
        if let Some((_, memory)) = devices.find(|(claimed, _)| claimed == device) {
            memory.store(bytes.min(UNTOLD - 1), Ordering::Relaxed);
        }
    }

    /// The devices that it holds.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.held.memory.iter().map(|(device, _)| device)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.held.released.store(true, Ordering::Release);
        lock(&self.claims.0).list(self.held.model());
    }
}

/// A claim as ledgers see it.
#[derive(Debug)]
struct Held {
    owner: Owner,
    memory: Box<[(DeviceId, AtomicU64)]>,
    work: AtomicU64,
    /// Those of all claims of its owner.
    tokens: Arc<AtomicU64>,
    released: AtomicBool,
}

impl Held {
    fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    fn model(&self) -> Option<&str> {
        match &self.owner {
            Owner::Claim { model, .. } => model.as_deref(),
            _ => None,
        }
    }

    fn memory_on(&self, device: &DeviceId) -> Option<u64> {
        let (_, memory) = self.memory.iter().find(|(claimed, _)| claimed == device)?;
        let bytes = memory.load(Ordering::Relaxed);
        (bytes != UNTOLD).then_some(bytes)
    }
}
