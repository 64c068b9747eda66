//! What was read of everything but the device while a call waited.

/// What links did in a time: ports to other machines, and links between devices (NVLink). Shares are of that time, from 0 to 1.
/// What is not known is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FabricWindow {
    /// How many ports that should be up were down.
    pub links_down: u32,
    /// Share of it in which a port had something to send and could not.
    pub wait_share: Option<f64>,
    /// What was sent again, timed out or arrived out of order, per second.
    pub retries: Option<f64>,
    /// The same before, per second.
    pub retries_before: Option<f64>,
    /// How many links between devices that should be up were down.
    pub nvlinks_down: u32,
    /// How much of what all of them can carry was sent, or received if that was more.
    pub nvlink_share: Option<f64>,
    /// What they had to send again, or received with an error, per second.
    pub nvlink_errors: Option<f64>,
    /// The same before, per second.
    pub nvlink_errors_before: Option<f64>,
    /// How often one of them had to be brought up anew.
    pub nvlink_recoveries: Option<u64>,
    /// How many faults of them the driver reported.
    pub nvlink_faults: u32,
}

impl FabricWindow {
    /// The worse of two times, the later one first; what was before is that of the earlier one.
    pub(crate) fn or_worse(self, earlier: Self) -> Self {
        Self {
            links_down: self.links_down.max(earlier.links_down),
            wait_share: larger(self.wait_share, earlier.wait_share),
            retries: larger(self.retries, earlier.retries),
            retries_before: earlier.retries_before.or(self.retries_before),
            nvlinks_down: self.nvlinks_down.max(earlier.nvlinks_down),
            nvlink_share: larger(self.nvlink_share, earlier.nvlink_share),
            nvlink_errors: larger(self.nvlink_errors, earlier.nvlink_errors),
            nvlink_errors_before: earlier.nvlink_errors_before.or(self.nvlink_errors_before),
            nvlink_recoveries: either(self.nvlink_recoveries, earlier.nvlink_recoveries, |a, b| {
                a.saturating_add(b)
            }),
            nvlink_faults: self.nvlink_faults.saturating_add(earlier.nvlink_faults),
        }
    }

    /// What is known of ports, and what of links between devices.
    pub(crate) fn with_nvlinks(self, links: Self) -> Self {
        Self {
            nvlinks_down: links.nvlinks_down,
            nvlink_share: links.nvlink_share,
            nvlink_errors: links.nvlink_errors,
            nvlink_errors_before: links.nvlink_errors_before,
            nvlink_recoveries: links.nvlink_recoveries,
            nvlink_faults: links.nvlink_faults,
            ..self
        }
    }
}

/// What the host did in a time. Shares are of that time, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostWindow {
    /// Share in which the control group was not allowed to run although it could.
    pub throttled: Option<f64>,
    /// Share in which some task waited for a processor (PSI `some`).
    pub cpu: Option<f64>,
    /// Share in which every task waited for memory (PSI `full`).
    pub memory: Option<f64>,
    /// Share in which every task waited for a disk (PSI `full`).
    pub io: Option<f64>,
}

impl HostWindow {
    /// The worse of two times.
    pub(crate) fn or_worse(self, other: Self) -> Self {
        Self {
            throttled: larger(self.throttled, other.throttled),
            cpu: larger(self.cpu, other.cpu),
            memory: larger(self.memory, other.memory),
            io: larger(self.io, other.io),
        }
    }
}

/// What the engine did in a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EngineWindow {
    /// Share of the wait for the first output that the request stood in the queue, as whoever took it out says.
    pub queue_share: Option<f64>,
    /// The same as it is to be expected: how long so many requests as waited take at the rate at which the engine is done with them.
    pub expected_share: Option<f64>,
    /// Requests that waited, on average.
    pub waiting: Option<f64>,
    /// Share of the cache of keys and values that was in use, at most.
    pub cache: Option<f64>,
    /// Requests that it stopped to make room.
    pub preemptions: Option<u64>,
}

impl EngineWindow {
    /// What this does not say, as another one does.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            queue_share: self.queue_share.or(other.queue_share),
            expected_share: self.expected_share.or(other.expected_share),
            waiting: self.waiting.or(other.waiting),
            cache: self.cache.or(other.cache),
            preemptions: self.preemptions.or(other.preemptions),
        }
    }
}

fn either<T>(one: Option<T>, other: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    either(one, other, f64::max)
}
