//! `traceparent`: 55 bytes on every request that belongs to a trace, so this is hot path: no allocation, no branch per
//! character.
//!
//! [Trace Context](https://www.w3.org/TR/trace-context-2/#traceparent-header), level 1 and 2.

use std::fmt;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::hex;

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

/// The length of a version `00` value.
pub const LEN: usize = 55;

/// The trace flags that have a meaning: `sampled` (0x01) and `random` (0x02). The others are dropped when read and
/// written as zero, as the specification demands.
pub const KNOWN_FLAGS: TraceFlags = TraceFlags::new(0x03);

/// A caller's place in its trace. Both ids are valid in whatever [`parse`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The calling operation.
    pub span_id: SpanId,
    /// `sampled` and `random`.
    pub flags: TraceFlags,
}

impl TraceParent {
    /// Whether the caller may have recorded its part.
    #[inline]
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags.is_sampled()
    }

    /// The same as OpenTelemetry's context of a remote span.
    #[must_use]
    pub fn to_span_context(self, tracestate: TraceState) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.flags, true, tracestate)
    }

    /// What of a span context travels in this header; `None` if one of its ids is invalid.
    #[must_use]
    pub fn from_span_context(context: &SpanContext) -> Option<Self> {
        context.is_valid().then(|| Self {
            trace_id: context.trace_id(),
            span_id: context.span_id(),
            flags: context.trace_flags() & KNOWN_FLAGS,
        })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; LEN];
        write(self, &mut text);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Why a `traceparent` was not believed. The operation then starts a trace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reject {
    /// Shorter than 55 bytes, or longer in version `00`.
    Length,
    /// Version `ff`, which is forbidden.
    Version,
    /// Something else than lower-case hex digits and dashes in their places.
    Malformed,
    /// An all-zero trace id or span id.
    ZeroId,
    /// More than one header.
    Duplicate,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "wrong length",
            Self::Version => "version ff",
            Self::Malformed => "not lower-case hex between dashes",
            Self::ZeroId => "all-zero id",
            Self::Duplicate => "more than one traceparent header",
        })
    }
}

impl std::error::Error for Reject {}

/// Reads a header value.
///
/// # Errors
/// [`Reject`] says which rule it breaks. Spaces and tabs around the value are allowed; a version above `00` may go on
/// after a dash, and what follows is ignored.
#[inline]
pub fn parse(value: &[u8]) -> Result<TraceParent, Reject> {
    match <&[u8; LEN]>::try_from(value) {
        Ok(exact) => parse_exact(exact),
        Err(_) => parse_unusual(value),
    }
}

/// Writes a version `00` header value.
#[inline]
pub fn write(parent: &TraceParent, out: &mut [u8; LEN]) {
    let mut ids = [0; 24];
    ids[..16].copy_from_slice(&parent.trace_id.to_bytes());
    ids[16..].copy_from_slice(&parent.span_id.to_bytes());
    let digits = hex::encode(&ids);
    let digits = digits.as_flattened();
    out[..3].copy_from_slice(b"00-");
    out[3..35].copy_from_slice(&digits[..32]);
    out[35] = b'-';
    out[36..52].copy_from_slice(&digits[32..]);
    out[52..].copy_from_slice(b"-00");
    out[54] |= (parent.flags & KNOWN_FLAGS).to_u8();
}

/// What every sender sends: version `00`, no flags but the known ones.
#[inline]
fn parse_exact(value: &[u8; LEN]) -> Result<TraceParent, Reject> {
    let fixed = (value[0] ^ b'0')
        | (value[1] ^ b'0')
        | (value[53] ^ b'0')
        | ((value[54] ^ b'0') & !KNOWN_FLAGS.to_u8());
    if fixed != 0 {
        return parse_unusual(value);
    }
    parse_ids(value, value[54] & KNOWN_FLAGS.to_u8())
}

/// Surrounding spaces, future versions, unknown flags, and most of what is wrong.
#[cold]
#[inline(never)]
fn parse_unusual(value: &[u8]) -> Result<TraceParent, Reject> {
    let value = super::trim_ows(value);
    let Some((value, rest)) = value.split_first_chunk::<LEN>() else {
        return Err(Reject::Length);
    };
    let [version, flags] =
        hex::decode(&[[value[0], value[1]], [value[53], value[54]]]).ok_or(Reject::Malformed)?;
    match (version, rest.first()) {
        (0xff, _) => Err(Reject::Version),
        (0, Some(_)) => Err(Reject::Length),
        (_, Some(next)) if *next != b'-' => Err(Reject::Malformed),
        _ => parse_ids(value, flags & KNOWN_FLAGS.to_u8()),
    }
}

#[inline(always)]
fn parse_ids(value: &[u8; LEN], flags: u8) -> Result<TraceParent, Reject> {
    // One array, so that the digits of both ids go through the decoder together.
    let mut digits = [[0; 2]; 24];
    digits[..16].copy_from_slice(value[3..35].as_chunks().0);
    digits[16..].copy_from_slice(value[36..52].as_chunks().0);
    let dashes = (value[2] ^ b'-') | (value[35] ^ b'-') | (value[52] ^ b'-');
    let Some(ids) = hex::decode(&digits).filter(|_| dashes == 0) else {
        return Err(Reject::Malformed);
    };
    let (trace_id, span_id) = ids.split_at(16);
    let parent = TraceParent {
        trace_id: TraceId::from_bytes(trace_id.try_into().unwrap_or_default()),
        span_id: SpanId::from_bytes(span_id.try_into().unwrap_or_default()),
        flags: TraceFlags::new(flags),
    };
    if parent.trace_id == TraceId::INVALID || parent.span_id == SpanId::INVALID {
        return Err(Reject::ZeroId);
    }
    Ok(parent)
}
