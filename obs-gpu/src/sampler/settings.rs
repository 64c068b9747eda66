//! How often devices are read, and how long a call may take.

use super::budget;
use super::listener::GpuListener;
use crate::quantity::Tier;
use crate::source::{Pace, ReadGroup};
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
    pub(crate) budget: Option<f64>,
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
            budget: Some(BUDGET),
            listeners: Vec::new(),
        }
    }
}

/// How many turns of its tier what does not change is read apart.
const CONSTANT: u32 = 60;

/// The shortest that any period can be.
const LEAST: Duration = Duration::from_millis(1);

/// What a budget is where nobody says otherwise, and the least that one can be: shares of one core.
const BUDGET: f64 = 0.005;
const LEAST_BUDGET: f64 = 0.000_01;

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

    /// What reading may take of one core, in calls of the driver's, over all devices of this monitor: 0.005, half a percent, unless it is
    /// said otherwise; at least a thousandth of a percent. What each group of readings costs on these devices is measured while they
    /// are read. Where all together would take more, what keeps its pace ([`Pace::Keeps`](crate::Pace::Keeps)) does so as long as it takes
    /// no more than seven eighths, and the rest is read less often, dear things the least often: `obs.gpu.read.interval` says how
    /// often that is.
    pub fn with_budget(mut self, share_of_a_core: f64) -> Self {
        self.budget = Some(share_of_a_core.max(LEAST_BUDGET));
        self
    }

    /// All is read at the period of its tier, whatever that costs.
    pub fn without_budget(mut self) -> Self {
        self.budget = None;
        self
    }

    /// What reading may take of one core.
    pub fn budget(&self) -> Option<f64> {
        self.budget
    }

    /// How often each group would be read of so many devices alike, if reading it took so long each time: what comes of the budget, in the
    /// order of the groups. As `gpu_check` measures these times, so this says what they lead to.
    ///
    /// ```
    /// use obs_gpu::{GpuSettings, Pace, ReadGroup, Tier};
    /// use std::time::Duration;
    ///
    /// let fast = ReadGroup::new("fast", Tier::Fast, Pace::Keeps);
    /// let energy = ReadGroup::new("energy", Tier::Fast, Pace::Stretches);
    /// let costs = [(fast, Duration::from_micros(100)), (energy, Duration::from_micros(4_600))];
    /// // Half a percent of a core less 0.04 for each of the fast tier's four turns a second.
    /// assert_eq!(
    ///     GpuSettings::new().intervals(&costs, 1),
    ///     [Duration::from_millis(250), Duration::from_secs(1)]
    /// );
    /// let without = GpuSettings::new().without_budget().intervals(&costs, 8);
    /// assert_eq!(without, [Duration::from_millis(250); 2]);
    /// ```
    pub fn intervals(&self, costs: &[(ReadGroup, Duration)], devices: u32) -> Vec<Duration> {
        budget::plan(self, costs, devices)
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

    /// How often a group is read at its own pace.
    pub(crate) fn pace(&self, group: &ReadGroup) -> Duration {
        let period = self.period(group.tier());
        match group.pace() {
            Pace::Constant => period.saturating_mul(CONSTANT),
            Pace::Keeps | Pace::Stretches => period,
        }
    }

    /// How old what belongs to a tier may be, to be shown at all, as long as it is read at its period: it may be late once and miss a
    /// turn. What is read less often may be as much older: [`Gpu::is_fresh`](crate::Gpu::is_fresh) knows.
    pub fn too_old(&self, tier: Tier) -> Duration {
        self.too_old_at(self.period(tier))
    }

    /// How old what is read each time that so long has passed may be.
    pub(crate) fn too_old_at(&self, interval: Duration) -> Duration {
        interval.saturating_mul(3).saturating_add(self.deadline)
    }
}
