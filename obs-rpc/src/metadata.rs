//! What is read of a request's metadata: one pass for everything that is wanted.
//!
//! A look-up by name hashes it (over 200 instructions); a pass compares lengths first (about 20 per entry).

use crate::head::CallHead;
use crate::status::Code;
use http::{HeaderMap, HeaderName, HeaderValue};
use obs_core::otel::propagation::Extractor;
use obs_core::otel::trace::SpanKind;
use obs_core::otel::{Array, KeyValue, StringValue, Value};
use obs_core::propagation::{self, Propagator, Remote, TraceParent};
use obs_core::redact::{names::is_secret, urls};
use obs_core::{Active, Key, Kind, Parent, Trust, current};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    traceparent: Option<&'a HeaderValue>,
    traceparents: u32,
    tracestate: Option<&'a HeaderValue>,
    tracestates: u32,
    pub(crate) baggage: bool,
    pub(crate) timeout: Option<Duration>,
}

#[inline(always)]
pub(crate) fn scan(metadata: &HeaderMap) -> Found<'_> {
    let mut found = Found::default();
    for (name, value) in metadata {
        let name = name.as_str();
        match name.len() {
            7 if name == "baggage" => found.baggage = true,
            10 if name == "tracestate" => {
                found.tracestates += 1;
                found.tracestate = found.tracestate.or(Some(value));
            }
            11 if name == "traceparent" => {
                found.traceparents += 1;
                found.traceparent = found.traceparent.or(Some(value));
            }
            12 if name == "grpc-timeout" => {
                found.timeout = found.timeout.or(timeout(value.as_bytes()));
            }
            _ => {}
        }
    }
    found
}

/// The first value of a key.
#[inline(always)]
fn first<'a>(metadata: &'a HeaderMap, key: &str) -> Option<&'a HeaderValue> {
    // By hand: the closure of a search is kept out of line.
    for (name, value) in metadata {
        if name.as_str() == key {
            return Some(value);
        }
    }
    None
}

/// The status that a head or trailers say.
#[inline(always)]
pub(crate) fn status(metadata: &HeaderMap) -> Option<Code> {
    let value = first(metadata, "grpc-status")?;
    Some(Code::parse(value.as_bytes()))
}

/// Whether a head says that it is gRPC's.
pub(crate) fn is_grpc(metadata: &HeaderMap) -> bool {
    let said = first(metadata, "content-type");
    said.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// How long the caller waits, as a request says.
#[inline(always)]
pub(crate) fn caller_waits(metadata: &HeaderMap) -> Option<Duration> {
    timeout(first(metadata, "grpc-timeout")?.as_bytes())
}

/// What `grpc-timeout` says: at most eight digits and a unit.
pub(crate) fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let mut number = 0;
    for digit in digits {
        number = number * 10 + u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Whose child an incoming call is, by the W3C's headers. `trust` is asked where it matters.
#[inline(always)]
pub(crate) fn parent<'a>(
    found: &Found<'a>,
    metadata: &HeaderMap,
    kind: &Kind,
    trust: impl FnOnce() -> Trust,
    joined: &'a mut String,
) -> Parent<'a> {
    let Some(value) = found.traceparent else {
        return Parent::Current;
    };
    // The caller's child is the layer outside of this one, which read the same header.
    if kind.is_current() {
        return Parent::Current;
    }
    let parent = match found.traceparents {
        1 => propagation::traceparent::parse(value.as_bytes()).ok(),
        _ => None,
    };
    let Some(parent) = parent else {
        kind.count_invalid_parent();
        return Parent::Current;
    };
    if is_outside(parent) {
        return Parent::Current;
    }
    Parent::Remote {
        parent,
        tracestate: tracestate(found, metadata, kind, joined),
        trust: trust(),
    }
}

/// Whether what is current has read the same header: a layer of HTTP around this one, say, whose trace is its own where it
/// believes no stranger. What sent the request from here, in memory, is the parent itself.
#[inline]
fn is_outside(parent: TraceParent) -> bool {
    let is = |outer: &mut Active<'_>| {
        let own = outer.trace_parent();
        own.span_id != parent.span_id
            && (own.trace_id == parent.trace_id
                || matches!(outer.kind().descriptor().span_kind, SpanKind::Server))
    };
    current::with(is).unwrap_or_default()
}

#[inline(always)]
fn tracestate<'a>(
    found: &Found<'a>,
    metadata: &HeaderMap,
    kind: &Kind,
    joined: &'a mut String,
) -> &'a str {
    let Some(first) = found.tracestate else {
        return "";
    };
    if found.tracestates == 1
        && let Some(text) = propagation::tracestate::as_it_is(first.as_bytes())
    {
        return text;
    }
    join(metadata, kind, joined);
    joined
}

#[cold]
fn join(metadata: &HeaderMap, kind: &Kind, joined: &mut String) {
    let values = metadata.get_all(propagation::tracestate::TRACESTATE);
    // An invalid tracestate is dropped; the traceparent stands.
    let values = values.iter().map(|value| value.as_bytes());
    let cut = propagation::tracestate::combine(values, joined).unwrap_or(1);
    kind.count_dropped_tracestate(cut as u64);
}

/// The same by any other propagator. It looks up, parses and allocates as it likes.
#[cold]
#[inline(never)]
pub(crate) fn parent_by(propagator: &Propagator, head: CallHead<'_>, kind: &Kind) -> Strange {
    let remote = kind.contain(Remote::default(), || {
        propagator.extract(&Carrier(head.metadata))
    });
    if remote.dropped.traceparent.is_some() && !kind.is_current() {
        kind.count_invalid_parent();
    }
    if remote.dropped.tracestate.is_some() {
        kind.count_dropped_tracestate(1);
    }
    Strange {
        baggage: !remote.baggage.is_empty(),
        parent: { remote.parent }.filter(|parent| !kind.is_current() && !is_outside(*parent)),
        tracestate: remote
            .tracestate
            .map(|state| state.as_str().to_owned())
            .unwrap_or_default(),
    }
}

/// What another propagator read.
pub(crate) struct Strange {
    pub(crate) parent: Option<TraceParent>,
    pub(crate) tracestate: String,
    pub(crate) baggage: bool,
}

/// Those of the keys that carry no secrets and are text, each with its attribute's key.
pub(crate) fn allowed<'n>(
    keys: impl IntoIterator<Item = &'n str>,
    prefix: &str,
) -> Vec<(HeaderName, Key)> {
    let names = keys
        .into_iter()
        .filter_map(|key| HeaderName::from_bytes(key.as_bytes()).ok());
    names
        .filter(|name| !is_secret(name.as_str().as_bytes()) && !name.as_str().ends_with("-bin"))
        .map(|name| (name.clone(), Key::leak(format!("{prefix}{name}"))))
        .collect()
}

/// Values of allowed keys, as lists of strings by the conventions, without the secrets of URLs that stand in them.
#[cold]
pub(crate) fn capture(
    active: &mut Active<'_>,
    metadata: &HeaderMap,
    allowed: &[(HeaderName, Key)],
) {
    for (name, key) in allowed {
        let values = metadata.get_all(name).iter();
        let values: Vec<StringValue> = values
            .filter_map(|value| value.to_str().ok())
            .map(|value| urls(value).into_owned().into())
            .collect();
        if !values.is_empty() {
            active.set_dynamic(KeyValue::new(
                key.as_str(),
                Value::Array(Array::String(values)),
            ));
        }
    }
}

/// Metadata for propagators. Values that are no visible ASCII are not shown to them.
pub(crate) struct Carrier<'a>(pub(crate) &'a HeaderMap);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values = self.0.get_all(key).iter();
        let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then_some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        for (text, expect) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("7n", Some(Duration::from_nanos(7))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("100000000n", None),
            ("1x", None),
            ("-1S", None),
            ("1.5S", None),
        ] {
            assert_eq!(timeout(text.as_bytes()), expect, "{text:?}");
        }
    }
}
