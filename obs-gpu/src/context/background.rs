//! What the host and the ports of the machine did, second by second, for whoever asks later.

use super::windows::Windows;
use crate::explain::{FabricWindow, HostWindow};
use crate::fabric::{Fabric, FabricSettings};
use crate::host::{Host, HostSettings};
use crate::lock::lock;
use obs_core::Moment;
use std::sync::{Mutex, TryLockError};
use std::time::Duration;

/// Devices are read several times a second, and there are several; the host is read once.
const LEAST: Duration = Duration::from_millis(900);

/// Who reads may wait for the kernel, and who asks may not wait for who reads: each has a lock of its own.
#[derive(Debug, Default)]
pub(super) struct Background {
    readers: Mutex<Readers>,
    seconds: Mutex<Windows<Second>>,
}

#[derive(Debug, Default)]
struct Readers {
    host: Option<Host>,
    fabric: Option<Fabric>,
    /// When the first reading was, and the last.
    first: Option<Moment>,
    last: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Second {
    host: Option<HostWindow>,
    fabric: Option<FabricWindow>,
}

impl Background {
    pub(super) fn read_host(&mut self, settings: &HostSettings) {
        lock(&self.readers).host = Some(Host::new(settings));
    }

    pub(super) fn read_fabric(&mut self, settings: &FabricSettings) {
        lock(&self.readers).fabric = Some(Fabric::new(settings));
    }

    /// On a thread that reads a device, which may wait for the kernel. Of several that come at once one reads.
    pub(super) fn read(&self, at: Moment, between: impl Fn(Moment, Moment) -> Duration) {
        let mut readers = match self.readers.try_lock() {
            Ok(readers) => readers,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let readers = &mut *readers;
        if readers.host.is_none() && readers.fabric.is_none() {
            return;
        }
        if readers.last.is_some_and(|last| between(last, at) < LEAST) {
            return;
        }
        let first = *readers.first.get_or_insert(at);
        let nanos = u64::try_from(between(first, at).as_nanos()).unwrap_or(u64::MAX);
        let host = readers.host.as_mut();
        let fabric = readers.fabric.as_mut();
        let second = Second {
            host: host.and_then(|host| host.waited(nanos)),
            fabric: fabric.and_then(|fabric| fabric.window(nanos)),
        };
        let Some(last) = readers.last.replace(at) else {
            return;
        };
        if second.host.is_some() || second.fabric.is_some() {
            lock(&self.seconds).push(last, at, second);
        }
    }

    /// The worst of what was in a time: who waits for one bad second has waited for it. What is usual is what was from `since` until
    /// it began.
    pub(super) fn between(
        &self,
        from: Moment,
        to: Moment,
        since: Moment,
    ) -> (Option<HostWindow>, Option<FabricWindow>) {
        let seconds = lock(&self.seconds);
        let mut host: Option<HostWindow> = None;
        let mut fabric: Option<FabricWindow> = None;
        for second in seconds.within(from, to) {
            host = either(host, second.what.host, HostWindow::or_worse);
            fabric = either(fabric, second.what.fabric, FabricWindow::or_worse);
        }
        let before =
            { seconds.before(from, since) }.filter_map(|second| second.what.fabric?.retries);
        if let (Some(fabric), Some(usual)) = (&mut fabric, mean(before)) {
            fabric.retries_before = Some(usual);
        }
        (host, fabric)
    }
}

/// Both, where there are both.
pub(super) fn either<T>(
    one: Option<T>,
    other: Option<T>,
    both: impl FnOnce(T, T) -> T,
) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

/// `None` of nothing.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut of) = (0.0, 0_u32);
    for value in values {
        sum += value;
        of += 1;
    }
    (of > 0).then(|| sum / f64::from(of))
}
