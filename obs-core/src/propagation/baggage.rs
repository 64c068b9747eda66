//! `baggage`: key-value pairs an application sends along with its requests, whoever traces them.
//!
//! [W3C Baggage](https://www.w3.org/TR/baggage/). What arrives is checked member by member: a broken one is dropped and
//! counted, the others stay.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use opentelemetry::baggage::{Baggage as OtelBaggage, BaggageMetadata};

use super::{percent, trim_ows};
use crate::redact::names::is_secret;

/// The header's name.
pub const BAGGAGE: &str = "baggage";

/// Members beyond this are dropped.
pub const MAX_MEMBERS: usize = 64;

/// Members that would make the header longer than this are dropped.
pub const MAX_BYTES: usize = 8192;

/// Checked baggage, held as the header value that sends it on. Cheap to clone, empty without an allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Baggage(Option<Arc<str>>);

/// One member of a [`Baggage`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry<'a> {
    /// Its name: an HTTP token.
    pub key: &'a str,
    /// Its value, decoded; bytes that are not UTF-8 became U+FFFD.
    pub value: Cow<'a, str>,
    /// Its properties as they travel, joined by semicolons; empty if there are none.
    pub properties: &'a str,
}

impl Baggage {
    /// No baggage.
    pub const EMPTY: Self = Self(None);

    /// Combines the values of all `baggage` headers, in order. The second is how many members were dropped: broken
    /// ones, and those beyond [`MAX_MEMBERS`] and [`MAX_BYTES`].
    #[must_use]
    pub fn from_headers<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> (Self, usize) {
        let mut text = String::new();
        let dropped = collect(values, &mut text);
        (Self::from_text(text), dropped)
    }

    /// Baggage from names, plain values and properties (`k=v;flag`, or empty). The second is how many were dropped.
    #[must_use]
    pub fn from_entries<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
    ) -> (Self, usize) {
        let (mut text, mut member) = (String::new(), String::new());
        let (mut count, mut dropped) = (0, 0);
        for (key, value, properties) in entries {
            member.clear();
            member.push_str(key);
            member.push('=');
            percent::encode(value, &mut member);
            if !properties.is_empty() {
                member.push(';');
                member.push_str(properties);
            }
            // Separators smuggled in by a key or a property would make another member of it, or two.
            let whole = token(key.as_bytes()).is_some() && !properties.contains(',');
            let taken = whole && push_member(member.as_bytes(), &mut count, &mut text);
            dropped += usize::from(!taken);
        }
        (Self::from_text(text), dropped)
    }

    fn from_text(text: String) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }

    /// The header's value; empty if there is nothing to send.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The members in their order. A key may come twice; the last one counts.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.0.iter().flat_map(|text| text.split(',')).map(entry)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        self.iter()
            .filter(|entry| entry.key == key)
            .last()
            .map(|entry| entry.value)
    }

    /// Only the members that `allow` names.
    #[must_use]
    pub fn keep(&self, allow: &Allow) -> Self {
        if self.is_empty() || allow.permits_all() {
            return self.clone();
        }
        let mut text = String::new();
        for member in self
            .as_str()
            .split(',')
            .filter(|member| allow.permits(entry(member).key))
        {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(member);
        }
        Self::from_text(text)
    }

    /// With this value of this key, and no other; as it was but for the key where that has no room.
    pub(crate) fn with(&self, key: &str, value: &str) -> Self {
        let left = self.map_values(key, |_| None);
        let mut member = format!("{key}=");
        percent::encode(value, &mut member);
        let (mut count, mut text) = (left.iter().count(), left.as_str().to_owned());
        match push_member(member.as_bytes(), &mut count, &mut text) {
            true => Self::from_text(text),
            false => left,
        }
    }

    /// With what `map` makes of each value of this key; without those of which it makes nothing.
    pub(crate) fn map_values(&self, key: &str, map: impl Fn(&str) -> Option<String>) -> Self {
        let mut text = String::new();
        for member in self.0.iter().flat_map(|text| text.split(',')) {
            let of = entry(member);
            let value = match of.key == key {
                true => map(&of.value),
                false => None,
            };
            if of.key == key && value.is_none() {
                continue;
            }
            if !text.is_empty() {
                text.push(',');
            }
            match value {
                Some(value) => {
                    text.push_str(key);
                    text.push('=');
                    percent::encode(&value, &mut text);
                    if !of.properties.is_empty() {
                        text.push(';');
                        text.push_str(of.properties);
                    }
                }
                None => text.push_str(member),
            }
        }
        Self::from_text(text)
    }

    /// As OpenTelemetry's context carries it.
    #[must_use]
    pub fn to_otel(&self) -> OtelBaggage {
        let mut baggage = OtelBaggage::new();
        for Entry {
            key,
            value,
            properties,
        } in self.iter()
        {
            // Its API knows a value or nothing: the replaced value is of no interest.
            _ = baggage.insert_with_metadata(
                key.to_owned(),
                value.into_owned(),
                BaggageMetadata::from(properties),
            );
        }
        baggage
    }

    /// From OpenTelemetry's context. The second is how many entries were dropped.
    #[must_use]
    pub fn from_otel(baggage: &OtelBaggage) -> (Self, usize) {
        Self::from_entries(
            baggage.iter().map(|(key, (value, properties))| {
                (key.as_str(), value.as_str(), properties.as_str())
            }),
        )
    }
}

impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which baggage entries may become attributes, or be carried on: exact names, or prefixes ending in `*`.
///
/// Baggage is written by callers, and whatever becomes an attribute is stored and shown: nothing is allowed that was
/// not asked for by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    names: Vec<String>,
}

impl Allow {
    /// Nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self { names: Vec::new() }
    }

    /// Everything: for carrying on inside of one's own network, with session and user; as attributes only those that are named
    /// besides.
    #[must_use]
    pub fn all() -> Self {
        Self::names(["*"])
    }

    /// These names; one ending in `*` allows all that begin with what stands before it.
    #[must_use]
    pub fn names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether an entry of this name is allowed.
    #[must_use]
    pub fn permits(&self, key: &str) -> bool {
        self.names.iter().any(|name| match name.strip_suffix('*') {
            Some(prefix) => key.starts_with(prefix),
            None => key == name,
        })
    }

    /// Whether an entry of this name may become an attribute: not because [all](Self::all) are allowed, and never one whose name
    /// speaks of a secret, by its last part.
    #[must_use]
    pub fn permits_attribute(&self, key: &str) -> bool {
        let part = key.rsplit('.').next().unwrap_or_default();
        let mut names = self.names.iter().filter(|name| *name != "*");
        names.any(|name| match name.strip_suffix('*') {
            Some(prefix) => key.starts_with(prefix),
            None => key == name,
        }) && !is_secret(part.as_bytes())
    }

    fn permits_all(&self) -> bool {
        self.names.iter().any(|name| name == "*")
    }
}

/// Checks header values, combines their members in order and appends them to `out` without white space. Returns how
/// many members were dropped.
pub fn combine<'a>(values: impl IntoIterator<Item = &'a [u8]>, out: &mut String) -> usize {
    let mut text = String::new();
    let dropped = collect(values, &mut text);
    out.push_str(&text);
    dropped
}

fn collect<'a>(values: impl IntoIterator<Item = &'a [u8]>, text: &mut String) -> usize {
    let (mut count, mut dropped) = (0, 0);
    for value in values {
        text.reserve(value.len().min(MAX_BYTES)); // once, in the usual case
        for member in value.split(|byte| *byte == b',').map(trim_ows) {
            if !member.is_empty() {
                dropped += usize::from(!push_member(member, &mut count, text));
            }
        }
    }
    dropped
}

/// Checks one member and appends it. False if it was dropped, and then `text` is as it was.
fn push_member(member: &[u8], count: &mut usize, text: &mut String) -> bool {
    let before = text.len();
    if *count < MAX_MEMBERS
        && member.len() <= MAX_BYTES
        && write_member(member, text).is_some()
        && text.len() <= MAX_BYTES
    {
        *count += 1;
        return true;
    }
    text.truncate(before);
    false
}

fn write_member(member: &[u8], text: &mut String) -> Option<()> {
    if !text.is_empty() {
        text.push(',');
    }
    let mut parts = member.split(|byte| *byte == b';').map(trim_ows);
    let (key, value) = pair(parts.next()?);
    text.push_str(token(key)?);
    text.push('=');
    text.push_str(octets(value?)?);
    for property in parts.filter(|property| !property.is_empty()) {
        let (key, value) = pair(property);
        text.push(';');
        text.push_str(token(key)?);
        if let Some(value) = value {
            text.push('=');
            text.push_str(octets(value)?);
        }
    }
    Some(())
}

/// Reads back what [`write_member`] wrote.
fn entry(member: &str) -> Entry<'_> {
    let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    Entry {
        key,
        value: percent::decode(value),
        properties,
    }
}

fn pair(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == b'=') {
        Some(at) => (trim_ows(&text[..at]), Some(trim_ows(&text[at + 1..]))),
        None => (text, None),
    }
}

/// An HTTP token (RFC 7230).
fn token(key: &[u8]) -> Option<&str> {
    let valid = |byte: &u8| {
        matches!(byte, b'!'..=b'~')
            && !matches!(byte, b'"' | b'(' | b')' | b',' | b'/' | b':'..=b'@' | b'['..=b']' | b'{' | b'}')
    };
    std::str::from_utf8(key)
        .ok()
        .filter(|_| !key.is_empty() && key.iter().all(valid))
}

/// What a value is written in.
fn octets(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value)
        .ok()
        .filter(|_| value.iter().all(|byte| percent::is_octet(*byte)))
}
