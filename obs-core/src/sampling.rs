//! The head decision: whether a trace is sampled, made once at its root and carried along.
//!
//! Shares follow OpenTelemetry's
//! [consistent probability sampling](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/):
//! the trace's 56 random bits against a threshold, so that every participant that decides for itself decides alike, and
//! `ot=th` tells whoever counts how many traces one stands for.

use std::fmt;

use opentelemetry::trace::TraceId;

use crate::propagation::ot::{MAX_THRESHOLD, Ot};
use crate::propagation::traceparent::TraceParent;
use crate::propagation::tracestate::read_ot;

/// Decides about traces at their start. The default keeps what the parent decided, and samples all roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSampler {
    parent_based: bool,
    root: Root,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    On,
    Off,
    /// Sampled if the randomness is at least this.
    From(u64),
}

/// The head decision about one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// The `sampled` flag.
    pub sampled: bool,
    /// What `ot=th` has to say from here on. `None`: it must not say anything, because the operation is not sampled or
    /// nobody knows its share.
    pub threshold: Option<u64>,
    /// Whether the `tracestate` at hand says something else, so that it has to be written anew
    /// ([`set_ot`](crate::propagation::tracestate::set_ot)).
    pub changes_tracestate: bool,
}

impl HeadSampler {
    /// Everything, whatever the parent decided. It writes no `th`: all is kept, and most traffic needs no `tracestate`.
    #[must_use]
    pub const fn always_on() -> Self {
        Self {
            parent_based: false,
            root: Root::On,
        }
    }

    /// Nothing, whatever the parent decided.
    #[must_use]
    pub const fn always_off() -> Self {
        Self {
            parent_based: false,
            root: Root::Off,
        }
    }

    /// This share of traces, from 0 to 1, whatever the parent decided. A share below 2^-56 is none.
    ///
    /// # Errors
    /// A share that is not between 0 and 1.
    pub fn ratio(share: f64) -> Result<Self, SamplerError> {
        if !(0.0..=1.0).contains(&share) {
            return Err(SamplerError::share(
                &share.to_string(),
                Self::from_threshold(0),
            ));
        }
        Ok(threshold(share).map_or(Self::always_off(), Self::from_threshold))
    }

    const fn from_threshold(threshold: u64) -> Self {
        Self {
            parent_based: false,
            root: Root::From(threshold),
        }
    }

    /// The same for roots; operations with a parent do as the parent did.
    #[must_use]
    pub const fn parent_based(self) -> Self {
        Self {
            parent_based: true,
            ..self
        }
    }

    /// The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` ask for.
    ///
    /// # Errors
    /// A sampler or a share that is not known; [`SamplerError::fallback`] is what to go on with after a warning.
    pub fn from_env_values(name: Option<&str>, arg: Option<&str>) -> Result<Self, SamplerError> {
        // Set and empty means not set, by OpenTelemetry's rule for variables; names are read without regard to case.
        let set = |value: Option<&str>| {
            value
                .map(|value| value.trim().to_ascii_lowercase())
                .filter(|value| !value.is_empty())
        };
        let Some(name) = set(name) else {
            return Ok(Self::default());
        };
        let share = || match set(arg) {
            None => Ok(Self::from_threshold(0)),
            Some(arg) => match arg.parse() {
                Ok(share) => Self::ratio(share),
                Err(_) => Err(SamplerError::share(&arg, Self::from_threshold(0))),
            },
        };
        match name.as_str() {
            "always_on" => Ok(Self::always_on()),
            "always_off" => Ok(Self::always_off()),
            "traceidratio" => share(),
            "parentbased_always_on" => Ok(Self::always_on().parent_based()),
            "parentbased_always_off" => Ok(Self::always_off().parent_based()),
            "parentbased_traceidratio" => share()
                .map(Self::parent_based)
                .map_err(SamplerError::parent_based),
            _ => Err(SamplerError::name(&name)),
        }
    }

    /// Decides where nothing has to be known but the flags of the parent, if there is one; `None` where it takes more.
    /// Holds only where there is no `tracestate`.
    #[inline(always)]
    pub(crate) fn decide_plain(&self, parent_flags: Option<u8>) -> Option<bool> {
        match (parent_flags, self.root) {
            (Some(flags), _) if self.parent_based => Some(flags & 1 != 0),
            (_, Root::On) => Some(true),
            (_, Root::Off) => Some(false),
            (_, Root::From(_)) => None,
        }
    }

    /// Decides about an operation. `trace_id` and `tracestate` are those it will have: its parent's, or for a root a
    /// new id and an empty text.
    #[inline]
    #[must_use]
    pub fn decide(
        &self,
        parent: Option<&TraceParent>,
        trace_id: TraceId,
        tracestate: &str,
    ) -> Decision {
        let sampled = match (self.parent_based, parent, self.root) {
            (true, Some(parent), _) => parent.is_sampled(),
            (_, _, Root::On) => true,
            (_, _, Root::Off) => false,
            (_, _, Root::From(threshold)) => return decide_share(threshold, trace_id, tracestate),
        };
        if tracestate.is_empty() {
            return Decision {
                sampled,
                threshold: None,
                changes_tracestate: false,
            };
        }
        let inherits = sampled && self.parent_based && parent.is_some();
        decide_threshold(sampled, inherits, trace_id, read_ot(tracestate))
    }
}

impl Default for HeadSampler {
    fn default() -> Self {
        Self::always_on().parent_based()
    }
}

/// A sampler that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamplerError {
    message: String,
    fallback: HeadSampler,
}

impl SamplerError {
    /// What OpenTelemetry does in its place: the default for an unknown name, all roots for a bad share.
    #[must_use]
    pub fn fallback(&self) -> HeadSampler {
        self.fallback
    }

    fn name(name: &str) -> Self {
        let message = format!(
            "sampler {name:?} is not one of always_on, always_off, traceidratio, parentbased_always_on, \
             parentbased_always_off, parentbased_traceidratio"
        );
        Self {
            message,
            fallback: HeadSampler::default(),
        }
    }

    fn share(share: &str, fallback: HeadSampler) -> Self {
        Self {
            message: format!("sampled share {share:?} is not a number from 0 to 1"),
            fallback,
        }
    }

    fn parent_based(self) -> Self {
        Self {
            fallback: self.fallback.parent_based(),
            ..self
        }
    }
}

impl fmt::Display for SamplerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SamplerError {}

/// By share: the trace's randomness against the threshold.
fn decide_share(threshold: u64, trace_id: TraceId, tracestate: &str) -> Decision {
    let ot = read_ot(tracestate);
    let sampled = randomness(trace_id, ot) >= threshold;
    let threshold = sampled.then_some(threshold);
    Decision {
        sampled,
        threshold,
        changes_tracestate: threshold != ot.threshold,
    }
}

/// Not by share: a sampled parent's threshold holds on, unless it could not have sampled with it.
#[cold]
fn decide_threshold(sampled: bool, inherits: bool, trace_id: TraceId, ot: Ot) -> Decision {
    let consistent = |threshold: &u64| inherits && randomness(trace_id, ot) >= *threshold;
    let threshold = ot.threshold.filter(consistent);
    Decision {
        sampled,
        threshold,
        changes_tracestate: threshold != ot.threshold,
    }
}

/// The 56 bits a trace is judged by: `rv` if its root set one, else the last 7 bytes of its id.
fn randomness(trace_id: TraceId, ot: Ot) -> u64 {
    ot.randomness
        .unwrap_or((u128::from_be_bytes(trace_id.to_bytes()) as u64) & MAX_THRESHOLD)
}

/// The threshold of a share, to four significant hex digits as the specification recommends: a short `th`, and within
/// 1/1000 of what was asked for. `None` for a share that is no share.
fn threshold(share: f64) -> Option<u64> {
    const PRECISION: i32 = 4;
    let kept = (share * (MAX_THRESHOLD + 1) as f64).round() as u64; // exact up to the rounding: a scaling by 2^56
    if kept == 0 {
        return None;
    }
    let rejected = MAX_THRESHOLD + 1 - kept.min(MAX_THRESHOLD + 1);
    // Small shares begin with that many digits `f`, which are not significant.
    let leading = (-share.log2()).floor() as i32 / 4;
    let digits = (PRECISION + leading).clamp(1, 14);
    let unit = 1_u64 << (56 - 4 * digits);
    let rounded = (rejected + unit / 2) / unit * unit;
    Some(rounded.min(MAX_THRESHOLD / unit * unit))
}
