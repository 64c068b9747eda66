//! What machines exchange data over: ports of InfiniBand and RoCE as the kernel shows them, and transfers timed in process.
//!
//! | metric | unit | attributes | from |
//! |---|---|---|---|
//! | `hw.network.up` | 1 | – | `state`: 1 where it is `ACTIVE` |
//! | `hw.network.bandwidth.limit` | By/s | – | `rate` |
//! | `hw.network.io` | By | `network.io.direction` | `port_rcv_data`, `port_xmit_data`, which count four bytes each |
//! | `hw.network.packets` | {packet} | `network.io.direction` | `port_rcv_packets`, `port_xmit_packets` |
//! | `hw.errors` | {error} | `hw.type`: `network`, `error.type`: the counter's name | `counters`, `hw_counters` |
//! | `obs.fabric.congestion` | {packet} | `obs.fabric.counter` | ECN marks and congestion notifications of `hw_counters` |
//! | `obs.fabric.transmit_wait` | {tick} | – | `port_xmit_wait` |
//!
//! All of a port: `hw.id` is `mlx5_0:1`, `hw.name` the device, `obs.fabric.link_layer` is `InfiniBand` or `Ethernet`.
//!
//! - A counter that says `N/A (no PMA)`, or that the device will not say, is absent, never zero.
//! - Over Ethernet some devices count nothing in `port_*_data` on a link that is up: where both are zero and the port's network
//!   interface counts, the interface's bytes are shown.
//! - **No counter tells how long anything took** on the fabric: not in sysfs, not in NVML. What can be had is what goes with being
//!   slow (retries, congestion, waiting to send), and the time of transfers as the program sees it: [`Transfers`].
//! - The length of a tick of `port_xmit_wait` is the device's own affair. Whoever knows it [says it](FabricSettings::with_tick), and
//!   then waiting is a share of time.
//!
//! - Links between devices (NVLink) are the device's: their metrics are in `docs/gpu.md`, and a slow call is told of both.
//!
//! The kernel's `stable/sysfs-class-infiniband` says what each file is; counters of `hw_counters` are as the device's driver has
//! them, renewed every so many milliseconds as `lifespan` says.

mod nvlinks;
mod port;
mod transfers;

pub(crate) use nvlinks::Nvlinks;
pub use transfers::{Transfer, Transfers, UnderWay};

use crate::explain::FabricWindow;
use crate::files::Root;
use crate::points::{Points, Since, observe};
use obs_core::Telemetry;
use obs_core::metrics::Metric;
use port::{Port, RETRIES};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// How many ports are read: a machine has one for each of its GPUs and a few more.
const MOST: usize = 128;

/// Where the kernel shows ports.
#[derive(Clone, Debug)]
#[must_use]
pub struct FabricSettings {
    root: PathBuf,
    tick: Option<Duration>,
}

impl Default for FabricSettings {
    fn default() -> Self {
        Self::new()
    }
}

impl FabricSettings {
    /// `/sys/class/infiniband`.
    pub fn new() -> Self {
        Self {
            root: "/sys/class/infiniband".into(),
            tick: None,
        }
    }

    /// Another directory: the host's, where it is mounted in a container, or a recorded one.
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// How long a tick of `port_xmit_wait` is, by the device's manual.
    pub fn with_tick(mut self, tick: Duration) -> Self {
        self.tick = Some(tick);
        self
    }
}

/// Reads ports. It keeps what was counted when it was asked last.
#[derive(Debug)]
pub struct Fabric {
    root: Root,
    tick: Option<Duration>,
    since: Since,
    made: Option<u64>,
    counted: Option<Counted>,
    /// What was sent again per second in the window before.
    usual: Option<f64>,
    /// Ports that were up since it was made: those are to be.
    ever_up: BTreeSet<String>,
}

#[derive(Debug)]
struct Counted {
    at: u64,
    /// By the port, each counter for itself: one that is not there each time says nothing of the time between.
    ports: BTreeMap<String, OfPort>,
}

#[derive(Debug)]
struct OfPort {
    retries: [Option<u64>; RETRIES.len()],
    waited: [Option<u64>; 1],
}

impl Counted {
    /// By how much counters grew since `before`, all together, and how many there are that were there both times. `None` where one
    /// began anew.
    fn grown<const N: usize>(
        &self,
        before: &Self,
        of: impl Fn(&OfPort) -> [Option<u64>; N],
    ) -> Option<(u64, usize)> {
        let (mut sum, mut many) = (0_u64, 0);
        for (id, port) in &self.ports {
            let Some(known) = before.ports.get(id) else {
                continue;
            };
            for (now, then) in of(port).into_iter().zip(of(known)) {
                if let (Some(now), Some(then)) = (now, then) {
                    sum = sum.saturating_add(now.checked_sub(then)?);
                    many += 1;
                }
            }
        }
        (many > 0).then_some((sum, many))
    }
}

impl Fabric {
    /// By the directory that settings name; a machine without ports has no such directory, and then there is nothing.
    pub fn new(settings: &FabricSettings) -> Self {
        Self {
            root: Root::new(&settings.root),
            tick: settings.tick,
            since: Since::default(),
            made: None,
            counted: None,
            usual: None,
            ever_up: BTreeSet::new(),
        }
    }

    /// Reads them at each collection of `telemetry`, for as long as that lives.
    pub fn observe(telemetry: &Telemetry, settings: &FabricSettings) {
        let mut fabric = Self::new(settings);
        observe(telemetry, move |now| fabric.read(now));
    }

    /// What there is now; `now` in nanoseconds since the Unix epoch.
    pub fn read(&mut self, now: u64) -> Vec<Metric> {
        // Since when they count nobody says: for a reader of deltas what was before is nobody's.
        let made = *self.made.get_or_insert(now);
        let mut points = Points::new(&mut self.since, (made, now));
        for port in ports(&self.root) {
            port.read(&mut points);
        }
        points.finish()
    }

    /// What the ports did since they were asked last; `now` in nanoseconds of a clock that does not go back. `None` at the first time,
    /// where no time has passed, and where there are no ports.
    pub fn window(&mut self, now: u64) -> Option<FabricWindow> {
        let ports = ports(&self.root);
        let of_port = |port: &Port| OfPort {
            retries: port.retries(),
            waited: [port.waited()],
        };
        let counted = Counted {
            at: now,
            ports: { ports.iter() }
                .map(|port| (port.id.clone(), of_port(port)))
                .collect(),
        };
        let up: BTreeSet<String> = { ports.iter() }
            .filter(|port| port.is_up() == Some(true))
            .map(|port| port.id.clone())
            .collect();
        let down = self.ever_up.difference(&up).count();
        self.ever_up.extend(up);
        let before = self.counted.replace(counted)?;
        let counted = self.counted.as_ref()?;
        let passed = now.checked_sub(before.at).filter(|&passed| passed > 0)? as f64 / 1e9;
        if counted.ports.is_empty() && before.ports.is_empty() {
            return None;
        }
        let retries = counted.grown(&before, |port| port.retries);
        let retries = retries.map(|(times, _)| times as f64 / passed);
        let waited = counted.grown(&before, |port| port.waited);
        let share = |(ticks, ports): (u64, usize)| {
            let tick = self.tick?.as_secs_f64();
            Some((ticks as f64 * tick / passed / ports as f64).min(1.0))
        };
        Some(FabricWindow {
            links_down: u32::try_from(down).unwrap_or(u32::MAX),
            wait_share: waited.and_then(share),
            retries,
            retries_before: std::mem::replace(&mut self.usual, retries),
            ..FabricWindow::default()
        })
    }
}

fn ports(root: &Root) -> Vec<Port> {
    let devices = root.names().into_iter();
    let ports = devices.flat_map(|device| {
        let ports = root.within(&device).within("ports");
        let numbers = ports.names().into_iter();
        let numbers: Vec<Port> = numbers
            .map(|number| {
                Port::new(
                    root.within(&device),
                    ports.within(&number),
                    &device,
                    &number,
                )
            })
            .collect();
        numbers
    });
    ports.take(MOST).collect()
}
