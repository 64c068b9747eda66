//! A spool on disk, for what the destination does not take: it outlives an outage longer than memory, and the process.
//!
//! ```no_run
//! # #[cfg(feature = "otlp")]
//! # fn main() -> Result<(), obs_core::Error> {
//! use obs_core::courier::{Settings, SpoolSettings};
//! use obs_core::{Delivery, Telemetry};
//!
//! let settings = Settings::default().with_spool(SpoolSettings::at("/var/lib/checkout/telemetry"));
//! let telemetry = Telemetry::builder()
//!     .with_delivery(Delivery::from_environment().with_settings(settings))
//!     .build()?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "otlp"))]
//! # fn main() {}
//! ```
//!
//! While delivery is healthy nothing is written. A batch that has waited [longer than a moment](SpoolSettings::with_patience),
//! queued or being sent, goes to disk, so that the end of the process, however sudden, costs no more than that moment. What is
//! on disk is delivered first, oldest first; each signal in its order. At shutdown what is left is written and synced: it is
//! not lost, it is `pending` in the accounts (and `spooled`), and delivered by the next process that uses the directory,
//! where it is `accepted` (and `recovered`).
//!
//! - **One process at a time** has a directory: a second one, or a second courier, keeps to memory and looks again from time
//!   to time, so that an instance that replaces another takes its spool over when that has ended. A forked child leaves the
//!   spool of its parent alone; where its parent is killed, the directory is in use until the child has ended, too.
//! - **Repeated**: at most one batch, if the process ends between a delivery and the note of it.
//! - **A disk that is full, read-only, broken or gone** costs nothing but its use: batches wait in memory as without a spool,
//!   what fails is counted in [`Accounts::spool_errors`](super::Accounts::spool_errors) and told once for each kind by
//!   `last_problem`, and it is tried again. A disk that hangs holds up neither who records nor who sends: all file
//!   work is done by a thread of its own (`obs-spool`); in manual mode it is done inside the calls that deliver
//!   (`flush`, `shutdown`, `Courier::step`), and so is hanging: between them nothing is written.
//! - **Secrets**: what is on disk is what would be sent, in clear. The directory is made for its owner alone (0700), its
//!   files too (0600). Nothing is encrypted.
//!
//! Memory stays bounded by [`Settings::with_capacity_bytes`](super::Settings::with_capacity_bytes). It holds the next batch of each signal
//! beside what was just pushed, so it wants room for four batches at least: 16 MiB, if they are as large as this crate makes them.
//!
//! Where a process has no disk that outlives it (a container without a volume), a spool saves from outages longer
//! than memory lasts, and from nothing else.

use std::path::PathBuf;
use std::time::Duration;

mod crc32c;
mod files;
mod keeper;
mod lane;
mod record;
mod store;
mod worker;

#[cfg(test)]
pub(super) mod simulated;

pub(super) use keeper::Keeper;
pub(super) use record::Place;
pub(super) use store::{Load, Loss, Recovered};

/// Where a spool is and how much it may take. See [the module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct SpoolSettings {
    pub(super) directory: PathBuf,
    pub(super) capacity_bytes: u64,
    pub(super) max_age: Duration,
    pub(super) fsync: Fsync,
    pub(super) patience: Duration,
}

impl SpoolSettings {
    /// A spool in this directory, which is made if it is missing. It belongs to one destination: others need their
    /// own, and a telemetry of which two have the same one is not built.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            capacity_bytes: 1 << 30,
            max_age: Duration::from_secs(24 * 60 * 60),
            fsync: Fsync::Every(Duration::from_millis(500)),
            patience: Duration::from_millis(400),
        }
    }

    /// Bytes of all files together, 1 GiB unless set and 1 MiB at least. When they are used up the oldest segment goes, which
    /// is a 32nd of it and at most 32 MiB; what was in it is counted as dropped (`spool_full`).
    pub fn with_capacity_bytes(mut self, bytes: u64) -> Self {
        self.capacity_bytes = bytes;
        self
    }

    /// How old a batch may be and still be delivered, a day unless set: many backends refuse older ones. Counted as dropped
    /// (`expired`).
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// When what is written is made to outlive the machine; every 500 ms unless set. The end of the process alone loses
    /// nothing that is written, however it is set.
    pub fn with_fsync(mut self, fsync: Fsync) -> Self {
        self.fsync = fsync;
        self
    }

    /// How long a batch may wait in memory before it is written, 400 ms unless set. A destination that takes longer to
    /// answer than this has everything written.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// When files are synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fsync {
    /// When the system does it: a machine that loses its power loses about the last half minute.
    Never,
    /// This long after a write at the latest.
    Every(Duration),
    /// With each batch, and each note of a delivery.
    EachBatch,
}

#[cfg(test)]
mod tests;
