//! Transfers as the program that makes them sees them: what no counter of a device tells.

use crate::metrics::SCOPE;
use obs_core::semconv::obs;
use obs_core::{BoundCounter, BoundHistogram, Instrument, Label, Moment, Telemetry, Values};
use std::time::Duration;

const LABELS: [Label; 2] = [
    Label {
        key: obs::FABRIC_TRANSFER,
        values: Values::Open { cap: 32 },
    },
    Label {
        key: obs::FABRIC_PEER,
        values: Values::Open { cap: 256 },
    },
];

const DURATION: Instrument = Instrument {
    name: obs::FABRIC_TRANSFER_DURATION,
    unit: "s",
    description: "How long transfers between devices or machines take.",
    labels: &LABELS,
    scope: &SCOPE,
};

const IO: Instrument = Instrument {
    name: obs::FABRIC_TRANSFER_IO,
    unit: "By",
    description: "Bytes of transfers between devices or machines.",
    labels: &LABELS,
    scope: &SCOPE,
};

/// From ten microseconds, which is what a small all-reduce within a machine takes, to half a minute.
const BOUNDS: &[f64] = &[
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// Transfers of a program: collectives, copies from the host to a device and between devices, keys and values that are handed on.
///
/// ```
/// use obs_core::Telemetry;
/// use obs_gpu::fabric::Transfers;
/// use std::time::Duration;
///
/// let telemetry = Telemetry::builder().manual().build()?;
/// let transfers = Transfers::new(&telemetry);
/// // A copy that blocks until it is done: from here to there.
/// let weights = transfers.of("host_to_device", "GPU-5f2c9a1e");
/// let copying = weights.begin();
/// // … cudaMemcpy …
/// copying.end(268_435_456);
/// // One that was timed elsewhere: by events of the stream that it runs in.
/// let handed_on = transfers.of("kv", "decode-3");
/// handed_on.record(268_435_456, Duration::from_millis(7));
/// # Ok::<(), obs_core::Error>(())
/// ```
///
/// Who copies measures it: no counter of a device says how long a copy took. A call that only puts it into a queue
/// (`cudaMemcpyAsync`) is back long before it is done; the time between two events of its stream is what counts.
#[derive(Clone, Copy, Debug)]
pub struct Transfers {
    telemetry: Telemetry,
}

impl Transfers {
    /// Recorded with `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self {
            telemetry: *telemetry,
        }
    }

    /// Transfers of one kind (`all_reduce`, `kv`, `weights`) with one peer, a rank, a stage or a host: at most 32 kinds and 256 peers
    /// have a name, and the others are `_OTHER`.
    pub fn of(&self, kind: &str, peer: &str) -> Transfer {
        let values = [kind, peer];
        Transfer {
            telemetry: self.telemetry,
            duration: self.telemetry.histogram(&DURATION, BOUNDS).bind(&values),
            bytes: self.telemetry.counter(&IO).bind(&values),
        }
    }
}

/// Transfers of one kind with one peer.
#[derive(Debug)]
pub struct Transfer {
    telemetry: Telemetry,
    duration: BoundHistogram,
    bytes: BoundCounter,
}

impl Transfer {
    /// One that took so long. No allocation, no lock.
    #[inline]
    pub fn record(&self, bytes: u64, took: Duration) {
        self.duration.record(took.as_secs_f64());
        self.bytes.add(bytes);
    }

    /// One that begins now, and ends on this thread or another: one reading of the clock.
    #[inline]
    pub fn begin(&self) -> UnderWay<'_> {
        UnderWay {
            transfer: self,
            since: self.telemetry.now(),
        }
    }
}

/// A transfer that is not done.
#[derive(Debug)]
#[must_use = "dropping it records nothing: a transfer that failed moved nobody knows how much"]
pub struct UnderWay<'t> {
    transfer: &'t Transfer,
    since: Moment,
}

impl UnderWay<'_> {
    /// It is done, and moved so many bytes.
    #[inline]
    pub fn end(self, bytes: u64) {
        let telemetry = &self.transfer.telemetry;
        let took = telemetry.between(self.since, telemetry.now());
        self.transfer.record(bytes, took);
    }
}
