//! States, and what they are by.

use crate::gate::GateState;
use crate::quantity::Quantity;
use crate::xid::Verdict;
use obs_core::Moment;
use std::fmt;

/// How a device is: `hw.state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HealthState {
    /// Nothing is known against it.
    #[default]
    Ok,
    /// It works, and is worse than it should be.
    Degraded,
    /// It works as yet, and will not for long.
    PredictedFailure,
    /// It does not work.
    Failed,
}

impl HealthState {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [
        Self::Ok,
        Self::Degraded,
        Self::PredictedFailure,
        Self::Failed,
    ];

    /// The value of `hw.state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::PredictedFailure => "predicted_failure",
            Self::Failed => "failed",
        }
    }

    /// What a verdict makes of a device.
    pub(super) const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Note | Verdict::App => Self::Ok,
            Verdict::Degraded => Self::Degraded,
            Verdict::Drain => Self::PredictedFailure,
            Verdict::Isolate => Self::Failed,
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $latches:literal;)*) => {
        /// What a state is by: in the order in which they are believed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Cause { $($(#[$doc])* $name,)* }

        impl Cause {
            /// All of them, the most believed first.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in metrics and events.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text),* } }

            /// Whether it stays until the device comes back from a reset, or an operator clears it. Others go when what they are by
            /// has gone for a while.
            pub const fn latches(self) -> bool { match self { $(Self::$name => $latches),* } }
        }
    };
}

causes! {
    /// The driver asks for something to be done with it.
    RecoveryAction = "recovery_action", true;
    /// The driver says that it is gone or needs a reset, or it is no longer among the devices.
    Lost = "lost", true;
    /// A call to the driver about it did not come back in time.
    NotAnswering = "not_answering", true;
    /// A fault that the driver has a number for.
    Xid = "xid", true;
    /// A row of its memory could not be replaced.
    RemapFailed = "remap_failed", true;
    /// A row of its memory is replaced at the next reset.
    RemapPending = "remap_pending", true;
    /// Bit errors that were not corrected.
    EccUncorrected = "ecc_uncorrected", true;
    /// Bit errors that were corrected, too many a second.
    EccCorrected = "ecc_corrected", true;
    /// Something that the driver says and nobody here understands.
    Other = "other", true;
    /// Its clocks are held down by heat or by the power supply, too much of the time.
    Throttled = "throttled", false;
    /// Its memory, or what of it is hottest, is too hot.
    TooHot = "too_hot", false;
    /// A link to other devices that was up is down.
    LinkDown = "link_down", false;
    /// The driver answers again and again with an error.
    ReadsFailing = "reads_failing", false;
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was read, when, and what it makes of the device by itself.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// What it is evidence of.
    pub cause: Cause,
    /// The state that it alone puts the device in.
    pub state: HealthState,
    /// What it alone makes of the gate.
    pub gate: GateState,
    /// Whether it stays until a reset or an operator.
    pub latched: bool,
    /// The number that it came with: an XID, the driver's answer, the action asked for.
    pub code: Option<i64>,
    /// What that is called, or what was found.
    pub name: &'static str,
    /// What was read, where it was read.
    pub quantity: Option<Quantity>,
    /// How much it was, as metrics say it: a count, errors a second, a share, degrees.
    pub value: Option<f64>,
    /// From how much on it is too much.
    pub limit: Option<f64>,
    /// The part of the device that it is about, where it is about one.
    pub gpu_instance: Option<u32>,
    /// Since when: of a call that does not come back, when that was made.
    pub since: Moment,
    /// When it was seen last.
    pub last: Moment,
    /// How often it was seen.
    pub times: u64,
}

impl Evidence {
    pub(super) fn new(cause: Cause, verdict: Verdict, name: &'static str, at: Moment) -> Self {
        Self {
            cause,
            state: HealthState::of(verdict),
            gate: GateState::of(verdict),
            latched: cause.latches(),
            code: None,
            name,
            quantity: None,
            value: None,
            limit: None,
            gpu_instance: None,
            since: at,
            last: at,
            times: 1,
        }
    }

    pub(super) fn with_code(self, code: impl Into<i64>) -> Self {
        Self {
            code: Some(code.into()),
            ..self
        }
    }

    pub(super) fn with_value(self, quantity: Quantity, value: f64, limit: Option<f64>) -> Self {
        Self {
            quantity: Some(quantity),
            value: Some(value),
            limit,
            ..self
        }
    }

    /// How far it counts: the worse first, of the same the more believed, of these the older.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        (
            std::cmp::Reverse((self.state, self.gate)),
            self.cause,
            self.since,
        )
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.cause, self.code) {
            (Cause::Xid, Some(code)) => write!(f, "XID {code} ({})", self.name)?,
            (_, Some(code)) => write!(f, "{} (code {code})", self.name)?,
            (_, None) => f.write_str(self.name)?,
        }
        match (self.value, self.limit) {
            (Some(value), Some(limit)) => write!(f, ": {value} of at most {limit}"),
            (Some(value), None) => write!(f, ": {value}"),
            _ => Ok(()),
        }
    }
}

/// How a device is, and all that is known against it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HealthReport {
    /// Its state.
    pub state: HealthState,
    /// What its gate is by that. An operator may hold it elsewhere.
    pub gate: GateState,
    /// Since when it is in that state.
    pub since: Moment,
    /// Whether links to others are at fault: work that takes several devices should go elsewhere.
    pub fabric: bool,
    /// Evidence, the weightiest first. Never empty unless the state is [`Ok`](HealthState::Ok).
    pub evidence: Vec<Evidence>,
}

impl HealthReport {
    /// What the state is by.
    pub fn cause(&self) -> Option<Cause> {
        self.evidence.first().map(|first| first.cause)
    }
}
