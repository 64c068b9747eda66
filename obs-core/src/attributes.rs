//! Attributes of an operation: static keys, values inline, text copied once into a buffer that is pooled with the record.

use std::net::IpAddr;

/// The key of an attribute: a static string behind one pointer. The conventions' keys stand in [`crate::semconv`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(&'static &'static str);

impl Key {
    /// A key: `const TENANT: Key = Key::new(&"app.tenant");`.
    pub const fn new(name: &'static &'static str) -> Self {
        Self(name)
    }

    /// A key made at set-up, once per name and process: it is never freed.
    pub fn leak(name: String) -> Self {
        Self(Box::leak(Box::new(&*Box::leak(name.into_boxed_str()))))
    }

    /// The key as text.
    #[inline]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A value as read back from a finished record.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A truth value.
    Bool(bool),
    /// An integer.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// Text.
    Str(&'a str),
    /// An address, exported as its text.
    Ip(IpAddr),
    /// A list, as user code gave it.
    List(&'a opentelemetry::Array),
}

impl<'a> From<&'a opentelemetry::Value> for Value<'a> {
    fn from(value: &'a opentelemetry::Value) -> Self {
        match value {
            opentelemetry::Value::Bool(value) => Self::Bool(*value),
            opentelemetry::Value::I64(value) => Self::I64(*value),
            opentelemetry::Value::F64(value) => Self::F64(*value),
            opentelemetry::Value::String(value) => Self::Str(value.as_str()),
            opentelemetry::Value::Array(list) => Self::List(list),
            _ => Self::Str(""),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    Bool(bool),
    I64(i64),
    F64(f64),
    Static(&'static str),
    Ip(IpAddr),
    Text { start: u32, len: u32 },
}

/// A scalar as the encoders need it: text as bytes, known to be UTF-8 and not checked again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    I64(i64),
    F64(f64),
    Text(&'a [u8]),
    Ip(IpAddr),
}

impl<'a> From<Scalar<'a>> for Value<'a> {
    fn from(value: Scalar<'a>) -> Self {
        match value {
            Scalar::Bool(value) => Self::Bool(value),
            Scalar::I64(value) => Self::I64(value),
            Scalar::F64(value) => Self::F64(value),
            Scalar::Ip(address) => Self::Ip(address),
            Scalar::Text(text) => Self::Str(std::str::from_utf8(text).unwrap_or_default()),
        }
    }
}

/// What a setter of an operation takes: numbers, truth values, and text either `'static` (kept by pointer) or borrowed
/// (copied).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Set<'a> {
    /// A truth value.
    Bool(bool),
    /// An integer.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// Text that lives as long as the program: 25 instructions.
    Static(&'static str),
    /// An address: its text is made where it is encoded.
    Ip(IpAddr),
    /// Text that is copied: about 100 instructions.
    Copied(&'a str),
    /// Bytes that are copied if they are UTF-8; what is not is counted as dropped.
    Bytes(&'a [u8]),
}

impl From<bool> for Set<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for Set<'_> {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}
impl From<u16> for Set<'_> {
    fn from(value: u16) -> Self {
        Self::I64(i64::from(value))
    }
}
impl From<u32> for Set<'_> {
    fn from(value: u32) -> Self {
        Self::I64(i64::from(value))
    }
}
impl From<u64> for Set<'_> {
    /// Above `i64::MAX` the value saturates: OTLP has no unsigned attribute.
    fn from(value: u64) -> Self {
        Self::I64(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<IpAddr> for Set<'_> {
    fn from(value: IpAddr) -> Self {
        Self::Ip(value)
    }
}
impl From<f64> for Set<'_> {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}
impl<'a> From<&'a str> for Set<'a> {
    fn from(value: &'a str) -> Self {
        Self::Copied(value)
    }
}
impl<'a> From<&'a [u8]> for Set<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}
impl<'a> From<&'a String> for Set<'a> {
    fn from(value: &'a String) -> Self {
        Self::Copied(value)
    }
}

/// The attributes of one record.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    entries: Vec<(Key, Slot)>,
    text: Vec<u8>,
    dropped: u32,
    /// From how many entries on a setter goes the long way: the bound on their number, 0 where somebody watches.
    long_way_at: u32,
}

/// What bounds the attributes of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) count: u32,
    pub(crate) value_bytes: u32,
    pub(crate) total_bytes: u32,
}

impl Attributes {
    pub(crate) fn with_room(entries: usize, text: usize, bounds: &Bounds) -> Self {
        Self {
            entries: Vec::with_capacity(entries),
            text: Vec::with_capacity(text),
            dropped: 0,
            long_way_at: bounds.count,
        }
    }

    /// Whether a setter goes the long way: room has to be made first, or somebody is to be told.
    #[inline(always)]
    pub(crate) fn is_long_way(&self) -> bool {
        self.entries.len() >= self.long_way_at as usize
    }

    /// From now on each setter goes the long way.
    pub(crate) fn watch(&mut self) {
        self.long_way_at = 0;
    }

    /// Until here.
    pub(crate) fn unwatch(&mut self, bounds: &Bounds) {
        self.long_way_at = bounds.count;
    }

    pub(crate) fn is_full(&self, bounds: &Bounds) -> bool {
        self.len() >= bounds.count
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Appends where there is room; of several values under one key the last is read back.
    ///
    /// Inlined, because at nearly every call it is known what kind of value comes: of the match one arm is left.
    #[inline(always)]
    pub(crate) fn push(&mut self, key: Key, value: Set<'_>, bounds: &Bounds) {
        let slot = match value {
            Set::Bool(value) => Slot::Bool(value),
            Set::I64(value) => Slot::I64(value),
            Set::F64(value) => Slot::F64(value),
            Set::Static(text) => Slot::Static(text),
            Set::Ip(address) => Slot::Ip(address),
            Set::Copied(text) => match self.copy(text.as_bytes(), bounds) {
                Some(slot) => slot,
                None => return,
            },
            Set::Bytes(bytes) => {
                // What is exported as text must be text; nearly all of it is ASCII, which is cheap to see.
                if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
                    self.dropped += 1;
                    return;
                }
                match self.copy(bytes, bounds) {
                    Some(slot) => slot,
                    None => return,
                }
            }
        };
        if self.entries.len() == self.entries.capacity() {
            self.grow();
        }
        self.entries.push((key, slot));
    }

    /// A little at a time: what is in flight is many records, and doubling each would be most of their memory.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.entries.reserve_exact((self.entries.len() / 4).max(2));
    }

    #[cold]
    #[inline(never)]
    fn grow_text(&mut self, by: usize) {
        self.text
            .reserve_exact(by.max(self.text.len() / 4).next_multiple_of(32));
    }

    #[inline(always)]
    fn copy(&mut self, text: &[u8], bounds: &Bounds) -> Option<Slot> {
        if text.len() > bounds.value_bytes as usize
            || self.text.len() + text.len() > bounds.total_bytes as usize
        {
            return self.copy_cut(text, bounds);
        }
        if self.text.capacity() - self.text.len() < text.len() {
            self.grow_text(text.len());
        }
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        Some(Slot::Text {
            start,
            len: text.len() as u32,
        })
    }

    #[cold]
    #[inline(never)]
    fn copy_cut(&mut self, text: &[u8], bounds: &Bounds) -> Option<Slot> {
        let text = std::str::from_utf8(text).ok()?;
        let room = (bounds.total_bytes as usize).saturating_sub(self.text.len());
        let cut = cut(text, bounds.value_bytes as usize);
        if cut.len() > room {
            self.dropped += 1;
            return None;
        }
        let start = self.text.len() as u32;
        self.text.extend_from_slice(cut.as_bytes());
        Some(Slot::Text {
            start,
            len: cut.len() as u32,
        })
    }

    /// At the limit: makes room by forgetting values that were overwritten, or counts the attribute as dropped.
    /// `forgotten` is told the place of each, as of then.
    pub(crate) fn make_room(&mut self, key: Key, bounds: &Bounds, mut forgotten: impl FnMut(u32)) {
        let mut index = 0;
        while index < self.entries.len() {
            let shadowed = |later: &(Key, Slot)| later.0.as_str() == self.entries[index].0.as_str();
            if self.entries[index + 1..].iter().any(shadowed)
                || self.entries[index].0.as_str() == key.as_str()
            {
                self.entries.remove(index);
                forgotten(index as u32);
            } else {
                index += 1;
            }
        }
        self.dropped += u32::from(self.is_full(bounds));
    }

    /// What was set, in order; a key that was set again is there again.
    #[inline(always)]
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = (Key, Scalar<'_>)> + Clone {
        self.entries.iter().map(|(key, slot)| {
            let value = match *slot {
                Slot::Bool(value) => Scalar::Bool(value),
                Slot::I64(value) => Scalar::I64(value),
                Slot::F64(value) => Scalar::F64(value),
                Slot::Static(text) => Scalar::Text(text.as_bytes()),
                Slot::Ip(address) => Scalar::Ip(address),
                Slot::Text { start, len } => Scalar::Text(
                    self.text
                        .get(start as usize..(start + len) as usize)
                        .unwrap_or_default(),
                ),
            };
            (*key, value)
        })
    }

    /// Whether `key` was set after entry `index`.
    pub(crate) fn set_after(&self, index: usize, key: &str) -> bool {
        self.holds(index + 1, key)
    }

    /// Whether `key` was set at entry `from` or later.
    pub(crate) fn holds(&self, from: usize, key: &str) -> bool {
        let later = self.entries.get(from..).unwrap_or_default();
        later.iter().any(|(later, _)| later.as_str() == key)
    }

    /// Text kept beside the attributes (tracestate): its place, to be read with [`text_at`](Self::text_at).
    pub(crate) fn keep_text(&mut self, text: &str) -> (u32, u32) {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text.as_bytes());
        (start, text.len() as u32)
    }

    #[inline]
    pub(crate) fn text_at(&self, start: u32, len: u32) -> &str {
        if len == 0 {
            return "";
        }
        let bytes = self
            .text
            .get(start as usize..(start + len) as usize)
            .unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }

    #[inline(always)]
    pub(crate) fn clear(&mut self, entries: usize, text: usize) {
        // A record that once was large must not stay large in the pool.
        if self.entries.len() > entries * 4 || self.text.len() > text * 16 {
            self.shrink(entries, text);
        }
        self.entries.clear();
        self.text.clear();
        self.dropped = 0;
    }

    #[cold]
    fn shrink(&mut self, entries: usize, text: usize) {
        self.entries = Vec::with_capacity(entries);
        self.text = Vec::with_capacity(text);
    }

    pub(crate) fn capacity_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(Key, Slot)>() + self.text.capacity()
    }
}

/// Cuts text to at most `limit` bytes at a character boundary and says how much is missing.
pub(crate) fn cut(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= limit {
        return text.into();
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…[+{} bytes]", &text[..end], text.len() - end).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = Key::new(&"a");
    const B: Key = Key::new(&"b");
    const WIDE: Bounds = Bounds {
        count: 128,
        value_bytes: 100,
        total_bytes: 1000,
    };

    fn set(attributes: &mut Attributes, key: Key, value: Set<'_>, bounds: &Bounds) {
        if attributes.is_full(bounds) {
            attributes.make_room(key, bounds, |_| ());
        }
        if !attributes.is_full(bounds) {
            attributes.push(key, value, bounds);
        }
    }

    fn read(attributes: &Attributes) -> Vec<(&'static str, Value<'_>)> {
        let last = |(index, (key, _)): &(usize, (Key, Scalar<'_>))| {
            !attributes.set_after(*index, key.as_str())
        };
        attributes
            .entries()
            .enumerate()
            .filter(last)
            .map(|(_, (key, value))| (key.as_str(), value.into()))
            .collect()
    }

    #[test]
    fn the_last_value_of_a_key_wins() {
        let mut attributes = Attributes::with_room(0, 0, &WIDE);
        set(&mut attributes, A, 1_i64.into(), &WIDE);
        set(&mut attributes, B, "x".into(), &WIDE);
        set(&mut attributes, A, 2_i64.into(), &WIDE);
        assert_eq!(
            read(&attributes),
            [("b", Value::Str("x")), ("a", Value::I64(2))]
        );
    }

    #[test]
    fn at_the_limit_an_overwrite_still_lands_and_a_new_key_is_counted() {
        let two = Bounds { count: 2, ..WIDE };
        let mut attributes = Attributes::with_room(0, 0, &WIDE);
        for round in 0..1_000_i64 {
            set(&mut attributes, A, round.into(), &two);
            set(&mut attributes, B, round.into(), &two);
        }
        set(&mut attributes, Key::new(&"c"), 1_i64.into(), &two);
        assert_eq!(
            read(&attributes),
            [("a", Value::I64(999)), ("b", Value::I64(999))]
        );
        assert_eq!(attributes.dropped(), 1);
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_says_by_how_much() {
        let mut attributes = Attributes::with_room(0, 0, &WIDE);
        let text = "é".repeat(80);
        set(
            &mut attributes,
            A,
            text.as_str().into(),
            &Bounds {
                value_bytes: 51,
                ..WIDE
            },
        );
        let expected = format!("{}…[+110 bytes]", "é".repeat(25));
        assert_eq!(read(&attributes), [("a", Value::Str(&expected))]);
    }

    #[test]
    fn text_beyond_the_records_total_is_dropped_and_counted() {
        let mut attributes = Attributes::with_room(0, 0, &WIDE);
        for _ in 0..30 {
            set(
                &mut attributes,
                A,
                "0123456789".repeat(5).as_str().into(),
                &WIDE,
            );
        }
        assert_eq!(attributes.dropped(), 10);
    }
}
