//! `tracestate`: what other tracing systems want carried along, and the `ot` member, which is OpenTelemetry's own.
//!
//! Ours to do: combine and check what came ([`combine`]), send all of it on in its order, and keep the sampling
//! threshold (`th`) and randomness (`rv`) of `ot` true ([`Ot`], [`set_ot`]).
//!
//! Rules: [Trace Context](https://www.w3.org/TR/trace-context-2/#tracestate-header) and OpenTelemetry's
//! [TraceState handling](https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/). Keys are those of level 2, in which
//! `@` is a character like others; of members with one key the first is sent on. Both are as the W3C's suite asks for
//! (`test/test.py` of w3c/trace-context, since June 2026).

mod members;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use self::members::{MAX_PART, Members};
use super::ot::Ot;

/// The header's name.
pub const TRACESTATE: &str = "tracestate";

/// More members than this make a `tracestate` invalid.
pub const MAX_MEMBERS: usize = 32;

/// A `tracestate` longer than this is cut, whole members at a time.
pub const MAX_BYTES: usize = 512;

/// A checked `tracestate`, never empty: members joined by commas, no white space around them, within the limits.
/// Cheap to clone, since every operation of a trace carries it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceState(Arc<str>);

impl TraceState {
    /// Combines the values of all `tracestate` headers, in order. `None` if nothing is left to carry.
    ///
    /// # Errors
    /// [`Invalid`] if any of them breaks a rule: the `tracestate` is then dropped as a whole, `traceparent` stays.
    pub fn from_headers<'a>(
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, Invalid> {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return Ok(None); // the usual case, not worth making room for members
        }
        let mut members = Members::default();
        for value in values {
            members.read(value)?;
        }
        members.cut(MAX_MEMBERS, 0);
        if members.is_empty() {
            return Ok(None);
        }
        let mut text = String::with_capacity(members.bytes());
        members.write(&mut text);
        Ok(Some(Self(text.into())))
    }

    /// The header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Keys and values, from left (the latest to write) to right.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .split(',')
            .filter_map(|member| member.split_once('='))
    }

    /// OpenTelemetry's own member.
    #[must_use]
    pub fn ot(&self) -> Ot {
        read_ot(&self.0)
    }

    /// As OpenTelemetry's API holds it.
    #[must_use]
    pub fn to_otel(&self) -> opentelemetry::trace::TraceState {
        opentelemetry::trace::TraceState::from_str(&self.0).unwrap_or_default()
    }

    /// From OpenTelemetry's API; `None` if empty, or if it holds what our rules do not allow.
    #[must_use]
    pub fn from_otel(tracestate: &opentelemetry::trace::TraceState) -> Option<Self> {
        if *tracestate == opentelemetry::trace::TraceState::NONE {
            return None; // before building a text only to find it empty
        }
        Self::from_headers([tracestate.header().as_bytes()])
            .ok()
            .flatten()
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a `tracestate` was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Invalid {
    /// A member without `=`.
    Member,
    /// A key that breaks the grammar.
    Key,
    /// A value that breaks the grammar, an empty one included.
    Value,
    /// More than [`MAX_MEMBERS`] members.
    TooManyMembers,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Member => "a tracestate member without '='",
            Self::Key => "a malformed tracestate key",
            Self::Value => "a malformed tracestate value",
            Self::TooManyMembers => "more than 32 tracestate members",
        })
    }
}

impl std::error::Error for Invalid {}

/// Checks header values, combines them in order and appends the result to `out`: members joined by commas, without
/// the white space and the empty members, each key once, cut to [`MAX_BYTES`]. Returns how many members were left out.
///
/// # Errors
/// [`Invalid`], and then `out` is as it was.
pub fn combine<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    out: &mut String,
) -> Result<usize, Invalid> {
    let mut members = Members::default();
    for value in values {
        members.read(value)?;
    }
    let cut = members.cut(MAX_MEMBERS, 0);
    members.write(out);
    Ok(cut + members.repeated())
}

/// A header value that [`combine`] would leave as it is: checked, within the limits, no white space, no empty members.
/// `None` says that it has to be combined, or that it is invalid.
#[must_use]
pub fn as_it_is(value: &[u8]) -> Option<&str> {
    let mut members = Members::default();
    members.read(value).ok()?;
    if members.bytes() != value.len() || value.len() > MAX_BYTES {
        return None;
    }
    members.only().or_else(|| std::str::from_utf8(value).ok())
}

/// Reads the `ot` member of a `tracestate`. What is malformed is absent.
#[must_use]
pub fn read_ot(tracestate: &str) -> Ot {
    if tracestate.is_empty() {
        return Ot::default(); // the usual case, on the way of every operation sampled by share
    }
    Ot::parse(ot_value(tracestate))
}

/// Appends `tracestate` to `out` with `th` and `rv` as in `ot`: the member moves to the left, its other sub-keys stay.
/// If `ot` says what the member says already, the text is taken over as it is. Returns whether all of `ot` is in it:
/// where other sub-keys leave no room, `th` is left out, which reads as "share unknown".
pub fn set_ot(tracestate: &str, ot: Ot, out: &mut String) -> bool {
    let mut members = Members::default();
    if members.read(tracestate.as_bytes()).is_err() {
        members = Members::default(); // not from `combine`: better none than a broken one
    }
    let ot = ot.within_limits();
    if read_ot(tracestate) == ot {
        members.cut(MAX_MEMBERS, 0);
        members.write(out);
        return true;
    }
    let current = members.take("ot").unwrap_or_default();
    let complete = ot.update(current);
    let fits = complete.len() <= MAX_PART;
    let unknown = Ot {
        threshold: None,
        ..ot
    };
    let value = if fits {
        complete
    } else {
        unknown.update(current)
    };
    if !value.is_empty() && value.len() <= MAX_PART {
        members.cut(MAX_MEMBERS - 1, "ot=,".len() + value.len());
        out.push_str("ot=");
        out.push_str(&value);
        if !members.is_empty() {
            out.push(',');
        }
    }
    members.write(out);
    fits
}

fn ot_value(tracestate: &str) -> &str {
    tracestate
        .split(',')
        .find_map(|member| member.trim_matches([' ', '\t']).strip_prefix("ot="))
        .unwrap_or_default()
}
