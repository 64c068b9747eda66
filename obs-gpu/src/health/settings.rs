//! From how much on it is too much, as data.

use super::state::Cause;
use crate::xid::{Verdict, XidCatalogue};
use std::time::Duration;

/// When a device is worse than it should be. The defaults speak of data-centre devices.
#[derive(Clone, Debug)]
pub struct HealthSettings {
    pub(super) catalogue: XidCatalogue,
    pub(super) verdicts: Vec<(Cause, Verdict)>,
    pub(super) solo_window: Duration,
    pub(super) contained_window: Duration,
    pub(super) ecc_rates: (f64, f64),
    pub(super) throttle: (f64, f64),
    pub(super) memory_temperature: (f64, f64),
    pub(super) temperature_margin: (f64, f64),
    pub(super) warm: Duration,
    pub(super) calm: Duration,
    pub(super) links: Option<u32>,
    pub(super) forgiven: Duration,
    pub(super) failed_reads: u32,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            catalogue: XidCatalogue::new(),
            verdicts: Vec::new(),
            solo_window: Duration::from_secs(10),
            contained_window: Duration::from_secs(1),
            ecc_rates: (1.0, 1_000.0),
            throttle: (0.25, 0.05),
            memory_temperature: (95.0, 90.0),
            temperature_margin: (0.0, 5.0),
            warm: Duration::from_secs(5),
            calm: Duration::from_secs(30),
            links: None,
            forgiven: Duration::ZERO,
            failed_reads: 3,
        }
    }
}

impl HealthSettings {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What XIDs mean.
    #[must_use]
    pub fn with_catalogue(self, catalogue: XidCatalogue) -> Self {
        Self { catalogue, ..self }
    }

    /// Another verdict on a cause than ours, whatever it came with; XIDs are the [catalogue's](Self::with_catalogue).
    /// [`Note`](Verdict::Note) and [`App`](Verdict::App): it counts for nothing.
    ///
    /// By default: what the driver asks for, by what it is (reset and reboots isolate; drains, and what is not known, drain); lost, not
    /// answering, a row that could not be replaced: isolate; a row to be replaced: degraded, and said to be a predicted
    /// failure; bit errors that were not corrected: drain, unless the driver says that one application had them alone, or they are
    /// from before this process; corrected ones by their [rate](Self::with_ecc_rates); all others: degraded.
    #[must_use]
    pub fn with_verdict(mut self, cause: Cause, verdict: Verdict) -> Self {
        self.verdicts.retain(|(known, _)| *known != cause);
        self.verdicts.push((cause, verdict));
        self
    }

    /// How far apart two XIDs may come and still belong together: [`CLEANUP`](crate::Xid::CLEANUP) is something only where no other
    /// is this near, before or after. Default: 10 s.
    #[must_use]
    pub fn with_solo_window(self, solo_window: Duration) -> Self {
        Self {
            solo_window,
            ..self
        }
    }

    /// How long bit errors that were not corrected may wait for [`CONTAINED`](crate::Xid::CONTAINED), which says that one application
    /// had them alone. Default: 1 s.
    #[must_use]
    pub fn with_contained_window(self, contained_window: Duration) -> Self {
        Self {
            contained_window,
            ..self
        }
    }

    /// From how many corrected bit errors a second on it is degraded, and from how many it drains. A few a day are usual; the
    /// second is where a device was seen that held up every call to the driver for seconds (DCGM #313). Default: 1 and 1,000.
    #[must_use]
    pub fn with_ecc_rates(self, degraded: f64, drain: f64) -> Self {
        Self {
            ecc_rates: (degraded, drain.max(degraded)),
            ..self
        }
    }

    /// From which share of time on, with its clocks held down by heat or by the power supply's brake, it is degraded; and down to
    /// which it is no longer. Its power limit does not count: under load that is how it is meant to run. Default: 0.25 and 0.05.
    #[must_use]
    pub fn with_throttle(self, from: f64, to: f64) -> Self {
        Self {
            throttle: (from, to.min(from)),
            ..self
        }
    }

    /// From how many degrees Celsius of its memory on it is degraded, and down to how many it is no longer. Default: 95 and 90.
    #[must_use]
    pub fn with_memory_temperature(self, from: f64, to: f64) -> Self {
        Self {
            memory_temperature: (from, to.min(from)),
            ..self
        }
    }

    /// Down to how many degrees before it is slowed down it is degraded, and from how many on it is no longer. Default: 0 and 5.
    #[must_use]
    pub fn with_temperature_margin(self, from: f64, to: f64) -> Self {
        Self {
            temperature_margin: (from, to.max(from)),
            ..self
        }
    }

    /// How long it must be too hot or held down before that counts, and how long it must be well before that no longer does; the
    /// second also of links. Default: 5 s and 30 s.
    #[must_use]
    pub fn with_patience(self, warm: Duration, calm: Duration) -> Self {
        Self { warm, calm, ..self }
    }

    /// How many links have to be up. Without it, those that were seen up.
    #[must_use]
    pub fn with_links(self, links: u32) -> Self {
        Self {
            links: Some(links),
            ..self
        }
    }

    /// How long a device may not answer and still be taken back by itself when it does. A device that hung once is not to be
    /// trusted: by default none is, and it takes a reset or an operator.
    #[must_use]
    pub fn with_forgiven_hang(self, forgiven: Duration) -> Self {
        Self { forgiven, ..self }
    }

    /// How many errors of the driver in a row, in one tier, count as [`ReadsFailing`](Cause::ReadsFailing). Default: 3.
    #[must_use]
    pub fn with_failed_reads(self, failed_reads: u32) -> Self {
        Self {
            failed_reads: failed_reads.max(1),
            ..self
        }
    }
}
