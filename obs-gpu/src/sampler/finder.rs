//! Which devices there are.

use super::Shared;
use super::gpu::Gpu;
use super::group::{Group, Hang};
use crate::calls::Calls;
use crate::device::DeviceInfo;
use crate::lock::lock;
use crate::source::SourceError;
use obs_core::Moment;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Looks which devices there are, again and again.
#[derive(Debug)]
pub(super) struct Finder {
    pub(super) calls: Calls,
    pub(super) _used: Arc<()>,
    /// When it looks next.
    pub(super) next: Option<Moment>,
}

impl Finder {
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
        // Who asks which devices there are asks each of them: one that hangs would keep us from finding others later.
        if shared
            .groups()
            .iter()
            .any(|group| group.hang.since().is_some())
        {
            return settings.discovery.min(Duration::from_secs(1));
        }
        let found = shared.source.devices(&mut self.calls);
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
