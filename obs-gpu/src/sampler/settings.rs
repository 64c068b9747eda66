//! How often devices are read, and how long a call may take.

use super::listener::GpuListener;
use crate::quantity::Tier;
use std::sync::Arc;
use std::time::Duration;

/// How devices are watched.
#[derive(Clone, Debug)]
pub struct GpuSettings {
    tiers: [Duration; 3],
    pub(crate) deadline: Duration,
    pub(crate) discovery: Duration,
    pub(crate) absent: Duration,
    pub(crate) search: Duration,
    pub(crate) event_wait: Duration,
    pub(crate) back_off: (Duration, Duration),
    pub(crate) history: Duration,
    pub(crate) links: bool,
    pub(crate) listeners: Vec<Arc<dyn GpuListener>>,
}

impl Default for GpuSettings {
    fn default() -> Self {
        Self {
            tiers: [
                Duration::from_millis(250),
                Duration::from_secs(1),
                Duration::from_secs(10),
            ],
            deadline: Duration::from_millis(500),
            discovery: Duration::from_secs(10),
            absent: Duration::from_secs(30),
            search: Duration::from_secs(30),
            event_wait: Duration::from_millis(500),
            back_off: (Duration::from_secs(1), Duration::from_secs(30)),
            history: Duration::from_millis(250),
            links: true,
            listeners: Vec::new(),
        }
    }
}

/// The shortest that any period can be.
const LEAST: Duration = Duration::from_millis(1);

impl GpuSettings {
    /// Four times a second, once a second and every ten seconds; a call may take half a second.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often what belongs to a tier is read; at least every millisecond. What explains a slow call is worth 100 to 250 ms; drivers
    /// themselves have nothing newer below that.
    pub fn with_period(mut self, tier: Tier, period: Duration) -> Self {
        self.tiers[tier as usize] = period.max(LEAST);
        self
    }

    /// How long one call of the driver's may take, until the device counts as one that does not answer; at least a millisecond.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.max(LEAST);
        self
    }

    /// How often it is looked which devices there are, and how often where there is no driver.
    pub fn with_discovery(mut self, present: Duration, absent: Duration) -> Self {
        (self.discovery, self.absent) = (present.max(LEAST), absent.max(LEAST));
        self
    }

    /// How long one call may take while devices are looked for: a driver that nobody uses wakes up in seconds. Then somebody else looks,
    /// and leaves devices alone that do not answer.
    pub fn with_search_deadline(mut self, deadline: Duration) -> Self {
        self.search = deadline.max(LEAST);
        self
    }

    /// How long the events of a device are waited for at once. It says how soon a thread ends, and not how soon an event is there.
    pub fn with_event_wait(mut self, at_most: Duration) -> Self {
        self.event_wait = at_most.max(LEAST);
        self
    }

    /// How long it takes until a device that is gone is asked again: at first, and at most; it doubles in between.
    pub fn with_back_off(mut self, first: Duration, most: Duration) -> Self {
        let first = first.max(LEAST);
        self.back_off = (first, most.max(first));
        self
    }

    /// How far apart the samples are that the ring keeps. It has 2,400 of them: at 250 ms those of ten minutes.
    pub fn with_history(mut self, step: Duration) -> Self {
        self.history = step;
        self
    }

    /// Whether metrics show each link between devices; otherwise they show what goes over all of them together. A device with 18 links
    /// has more than a hundred series of them, which is more than all the rest.
    pub fn with_links(mut self, each: bool) -> Self {
        self.links = each;
        self
    }

    /// Somebody who is told what was read and what happened. Again: one more.
    pub fn with_listener(mut self, listener: Arc<dyn GpuListener>) -> Self {
        self.listeners.push(listener);
        self
    }

    /// How often what belongs to a tier is read.
    pub fn period(&self, tier: Tier) -> Duration {
        self.tiers[tier as usize]
    }

    /// How old what belongs to a tier may be, to be shown at all: it may be late once and miss a turn.
    pub fn too_old(&self, tier: Tier) -> Duration {
        self.period(tier) * 3 + self.deadline
    }
}
