//! Which devices there are.

use super::Shared;
use super::gpu::Gpu;
use super::group::{Group, Hang};
use crate::calls::Calls;
use crate::device::DeviceInfo;
use crate::lock::lock;
use crate::source::SourceError;
use obs_core::{Error, Moment};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Looks which devices there are, again and again.
#[derive(Debug)]
pub(super) struct Finder {
    /// The how many-th it is: one that was given up has been followed by another.
    number: u64,
    calls: Calls,
    _used: Arc<()>,
    /// When it looks next.
    next: Option<Moment>,
}

/// So many may be stuck; then nobody looks any more until one of them is back.
const STUCK: u64 = 8;

impl Finder {
    pub(super) fn new(number: u64, calls: Calls, used: Arc<()>) -> Self {
        Self {
            number,
            calls,
            _used: used,
            next: None,
        }
    }

    /// Whether there is none after it.
    pub(super) fn is_last(&self, shared: &Shared) -> bool {
        self.number == shared.finders.load(Ordering::Acquire)
    }

    /// Looks, if it is time to, and says when to look again.
    pub(super) fn turn(&mut self, shared: &Arc<Shared>) -> Duration {
        let now = shared.telemetry.now();
        if let Some(next) = self.next.filter(|next| now < *next) {
            return shared.telemetry.between(now, next);
        }
        let pause = self.look(shared);
        self.next = shared.after(shared.telemetry.now(), pause);
        pause
    }

    fn look(&mut self, shared: &Arc<Shared>) -> Duration {
        let settings = &shared.settings;
        // One that hangs would keep us from finding others.
        let groups = shared.groups();
        let hang = groups.iter().filter(|group| group.hang.since().is_some());
        let hang = hang.flat_map(|group| group.gpus());
        self.calls.avoid(hang.map(|gpu| gpu.id().clone()).collect());
        let found = shared.source.devices(&mut self.calls);
        if !self.is_last(shared) {
            // What it found is old.
            return Duration::ZERO;
        }
        let pause = match &found {
            Ok(found) if !found.is_empty() => settings.discovery,
            _ => settings.absent,
        };
        match found {
            Ok(found) => shared.reconcile(found),
            Err(SourceError::Absent) => shared.reconcile(Vec::new()),
            // Nothing is known.
            Err(_) => {}
        }
        pause
    }
}

impl Shared {
    /// Starts to look, and starts to again where the last one does not come back.
    pub(super) fn start_finding(self: &Arc<Self>, number: u64) -> Result<(), Error> {
        let (calls, used) = self.calls(self.settings.search, None, &Arc::default());
        let mut finder = Finder::new(number, calls, used);
        self.finders.store(number, Ordering::Release);
        if let Some(manual) = &self.manual {
            lock(manual).finder = Some(finder);
            return Ok(());
        }
        self.spawn("obs-gpu-find", move |shared| {
            while !shared.is_over() && finder.is_last(shared) {
                let pause = shared.contain(Duration::from_secs(1), || finder.turn(shared));
                shared.rest(pause);
            }
        })
    }

    /// Whoever looks for devices does not come back.
    pub(super) fn follow_finder(self: &Arc<Self>) {
        let last = self.finders.load(Ordering::Acquire);
        if last < STUCK {
            // Without a thread nobody looks, as before.
            let _ = self.start_finding(last + 1);
        }
    }

    /// Takes up what is new, lets go of what is gone.
    fn reconcile(self: &Arc<Self>, found: Vec<DeviceInfo>) {
        let now = self.telemetry.now();
        let (parts, wholes): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|info| info.mig.is_some());
        for group in self.groups() {
            if !wholes.iter().any(|info| info.id == *group.gpu.id()) {
                self.let_go(&group, now);
            }
        }
        for info in wholes {
            let of =
                |part: &&DeviceInfo| part.mig.as_ref().is_some_and(|mig| mig.parent == info.id);
            let parts: Vec<_> = parts.iter().filter(of).cloned().collect();
            let group = self.group_of(&info);
            group.gpu.set_info(info);
            self.follow(&group, parts, now);
            self.start(&group);
        }
    }

    fn let_go(&self, group: &Arc<Group>, now: Moment) {
        let mut state = lock(&group.state);
        state.listed = false;
        let parts = std::mem::take(&mut state.parts);
        state.changes += 1;
        drop(state);
        for gpu in parts.iter().chain([&group.gpu]) {
            if gpu.set_listed(false) {
                self.tell(|listener| listener.gone(gpu, now));
            }
        }
        self.changed.notify_all();
    }

    fn group_of(&self, info: &DeviceInfo) -> Arc<Group> {
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.iter().find(|group| *group.gpu.id() == info.id) {
            return group.clone();
        }
        let hang = Arc::new(Hang::default());
        let group = Arc::new(Group {
            gpu: Gpu::new(info.clone(), hang.clone()),
            hang,
            state: Mutex::default(),
            asks: AtomicBool::new(false),
        });
        groups.push(group.clone());
        group
    }

    /// It is in the list, and these are its parts.
    fn follow(&self, group: &Arc<Group>, parts: Vec<DeviceInfo>, now: Moment) {
        let mut state = lock(&group.state);
        state.listed = true;
        let before = std::mem::take(&mut state.parts);
        for info in parts {
            let known = before.iter().find(|gpu| *gpu.id() == info.id);
            state.parts.push(match known {
                Some(gpu) => {
                    gpu.set_info(info);
                    gpu.clone()
                }
                None => Gpu::new(info, group.hang.clone()),
            });
        }
        let ids = |gpus: &[Gpu]| gpus.iter().map(|gpu| gpu.id().clone()).collect::<Vec<_>>();
        if ids(&before) != ids(&state.parts) {
            state.changes += 1;
        }
        let here: Vec<Gpu> = std::iter::once(&group.gpu)
            .chain(&state.parts)
            .cloned()
            .collect();
        drop(state);
        for gpu in before
            .iter()
            .filter(|gpu| !here.iter().any(|one| one.id() == gpu.id()))
        {
            if gpu.set_listed(false) {
                self.tell(|listener| listener.gone(gpu, now));
            }
        }
        for gpu in &here {
            if gpu.set_listed(true) {
                self.tell(|listener| listener.found(gpu, now));
            }
        }
    }
}
