//! What the host and the links did, second by second, for whoever asks later.

use crate::explain::{FabricWindow, HostWindow};
use crate::fabric::{Fabric, FabricSettings};
use crate::host::{Host, HostSettings};
use crate::lock::lock;
use obs_core::Moment;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

/// As many seconds as the rings of devices have.
const KEPT: usize = 600;

/// Several devices are read in one second; the host is read once.
const LEAST: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct Background(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    host: Option<Host>,
    fabric: Option<Fabric>,
    /// When the first reading was, and the last.
    first: Option<Moment>,
    last: Option<Moment>,
    seconds: VecDeque<Second>,
}

#[derive(Debug)]
struct Second {
    from: Moment,
    to: Moment,
    host: Option<HostWindow>,
    fabric: Option<FabricWindow>,
}

impl Background {
    pub(super) fn read_host(&mut self, settings: &HostSettings) {
        lock(&self.0).host = Some(Host::new(settings));
    }

    pub(super) fn read_fabric(&mut self, settings: &FabricSettings) {
        lock(&self.0).fabric = Some(Fabric::new(settings));
    }

    /// On a thread that reads a device, which may wait for the kernel.
    pub(super) fn read(&self, at: Moment, between: impl Fn(Moment, Moment) -> Duration) {
        let mut watched = lock(&self.0);
        let watched = &mut *watched;
        if watched.host.is_none() && watched.fabric.is_none() {
            return;
        }
        if watched.last.is_some_and(|last| between(last, at) < LEAST) {
            return;
        }
        let first = *watched.first.get_or_insert(at);
        let nanos = u64::try_from(between(first, at).as_nanos()).unwrap_or(u64::MAX);
        let second = Second {
            from: watched.last.replace(at).unwrap_or(at),
            to: at,
            host: watched.host.as_mut().and_then(|host| host.waited(nanos)),
            fabric: watched
                .fabric
                .as_mut()
                .and_then(|fabric| fabric.window(nanos)),
        };
        if second.host.is_some() || second.fabric.is_some() {
            if watched.seconds.len() == KEPT {
                watched.seconds.pop_front();
            }
            watched.seconds.push_back(second);
        }
    }

    /// The worst of what was in a time: who waits for one bad second has waited for it.
    pub(super) fn between(
        &self,
        from: Moment,
        to: Moment,
    ) -> (Option<HostWindow>, Option<FabricWindow>) {
        let watched = lock(&self.0);
        let within = |second: &&Second| second.from <= to && second.to >= from;
        let mut worst = (None, None);
        for second in watched.seconds.iter().rev().filter(within) {
            worst.0 = worse(worst.0, second.host, |one: HostWindow, other| HostWindow {
                throttled: larger(one.throttled, other.throttled),
                cpu: larger(one.cpu, other.cpu),
                memory: larger(one.memory, other.memory),
                io: larger(one.io, other.io),
            });
            worst.1 = worse(worst.1, second.fabric, |one: FabricWindow, other| {
                FabricWindow {
                    links_down: one.links_down.max(other.links_down),
                    wait_share: larger(one.wait_share, other.wait_share),
                    retries: larger(one.retries, other.retries),
                    // From before the first of them, which is the last that is looked at.
                    retries_before: other.retries_before.or(one.retries_before),
                }
            });
        }
        worst
    }
}

fn worse<T>(one: Option<T>, other: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    worse(one, other, f64::max)
}
