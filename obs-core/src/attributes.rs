//! Attributes of an operation: static keys, values inline, text copied once into a buffer that is pooled with the record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// One attribute: 24 bytes, written with four stores. An enum of values would be 8 bytes larger and moved piecewise.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    tag: Tag,
    /// Of a copied text.
    len: u32,
    /// What the tag says.
    word: u64,
}

/// What the word of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Bool,
    I64,
    /// The bits of a floating-point number.
    F64,
    /// Which of the static texts.
    Static,
    /// An IPv4 address.
    V4,
    /// Where in the text the 16 bytes of an IPv6 address begin.
    V6,
    /// Where in the text it begins.
    Text,
}

impl Tag {
    const fn has_text(self) -> bool {
        matches!(self, Self::Text | Self::V6)
    }
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
    entries: Vec<Entry>,
    text: Vec<u8>,
    statics: Vec<&'static str>,
    /// What stands at the front of the text beside attributes.
    kept: u32,
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
            entries: Vec::with_capacity(entries.min(bounds.count as usize)),
            text: Vec::with_capacity(text.min(bounds.total_bytes as usize)),
            statics: Vec::new(),
            kept: 0,
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
        let (tag, word, len) = match value {
            Set::Bool(value) => (Tag::Bool, u64::from(value), 0),
            Set::I64(value) => (Tag::I64, value.cast_unsigned(), 0),
            Set::F64(value) => (Tag::F64, value.to_bits(), 0),
            Set::Static(text) => {
                self.statics.push(text);
                (Tag::Static, self.statics.len() as u64 - 1, 0)
            }
            Set::Ip(IpAddr::V4(address)) => (Tag::V4, u64::from(address.to_bits()), 0),
            Set::Ip(IpAddr::V6(address)) => match self.copy(key, &address.octets(), bounds) {
                Some(start) => (Tag::V6, start, 16),
                None => return,
            },
            Set::Copied(text) => match self.copy(key, text.as_bytes(), bounds) {
                Some(start) => (Tag::Text, start, text.len()),
                None => return self.copy_cut(key, text.as_bytes(), bounds),
            },
            Set::Bytes(bytes) => {
                // What is exported as text must be text; nearly all of it is ASCII, which is cheap to see.
                if !is_ascii(bytes) && std::str::from_utf8(bytes).is_err() {
                    self.dropped += 1;
                    return;
                }
                match self.copy(key, bytes, bounds) {
                    Some(start) => (Tag::Text, start, bytes.len()),
                    None => return self.copy_cut(key, bytes, bounds),
                }
            }
        };
        if self.entries.len() == self.entries.capacity() {
            self.grow();
        }
        self.entries.push(Entry {
            key,
            tag,
            len: len as u32,
            word,
        });
    }

    /// A little at a time: what is in flight is many records, and doubling each would be most of their memory.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.entries.reserve_exact((self.entries.len() / 4).max(2));
    }

    /// Where the text begins in ours; `None` if it does not fit as it is.
    #[inline(always)]
    fn copy(&mut self, key: Key, text: &[u8], bounds: &Bounds) -> Option<u64> {
        if text.len() > bounds.value_bytes as usize
            || (self.text.capacity() - self.text.len() < text.len()
                && !self.make_text_room(key, text, bounds))
        {
            return None;
        }
        let start = self.text.len();
        self.text.extend_from_slice(text);
        Some(start as u64)
    }

    /// A little at a time, as with entries. At the limit the texts of values that were overwritten make room.
    #[cold]
    #[inline(never)]
    fn make_text_room(&mut self, key: Key, text: &[u8], bounds: &Bounds) -> bool {
        let total = bounds.total_bytes as usize;
        if self.text.len() + text.len() > total && !self.forget_texts(key, text.len(), total) {
            self.dropped += 1;
            return false;
        }
        let left = total.saturating_sub(self.text.len());
        let more = text.len().max(self.text.len() / 4);
        let whole = (self.text.len() + more).next_multiple_of(32);
        self.text.reserve_exact(left.min(whole - self.text.len()));
        true
    }

    /// Drops texts that nobody will read: of values that were set again, and of `key`, which is about to be. Entries stay
    /// in their places. Does nothing if `more` bytes do not fit then either.
    fn forget_texts(&mut self, key: Key, more: usize, total: usize) -> bool {
        let stays = |index: usize, entry: &Entry| {
            entry.key.as_str() != key.as_str() && !self.set_after(index, entry.key.as_str())
        };
        let stay: Vec<bool> = (0..)
            .zip(&self.entries)
            .map(|(index, entry)| stays(index, entry))
            .collect();
        let texts = self
            .entries
            .iter()
            .zip(&stay)
            .filter(|(entry, stay)| **stay && entry.tag.has_text());
        let left: usize = texts.map(|(entry, _)| entry.len as usize).sum();
        if self.kept as usize + left + more > total {
            return false;
        }
        let old = self.text.clone();
        self.text.truncate(self.kept as usize);
        for (entry, stays) in self.entries.iter_mut().zip(stay) {
            if entry.tag.has_text() {
                let start = entry.word as usize;
                let text = old.get(start..start + entry.len as usize).filter(|_| stays);
                let text = text.unwrap_or_default();
                (entry.word, entry.len) = (self.text.len() as u64, text.len() as u32);
                self.text.extend_from_slice(text);
            }
        }
        true
    }

    /// Text that is longer than a value may be; what is not, did not fit into the whole, and is counted already.
    #[cold]
    #[inline(never)]
    fn copy_cut(&mut self, key: Key, text: &[u8], bounds: &Bounds) {
        let limit = bounds.value_bytes as usize;
        if text.len() <= limit {
            return;
        }
        let cut = cut(std::str::from_utf8(text).unwrap_or_default(), limit);
        // The mark of what is missing may pass the limit.
        let bounds = Bounds {
            value_bytes: u32::MAX,
            ..*bounds
        };
        if let Some(word) = self.copy(key, cut.as_bytes(), &bounds) {
            self.entries.push(Entry {
                key,
                tag: Tag::Text,
                len: cut.len() as u32,
                word,
            });
        }
    }

    /// At the limit: makes room by forgetting values that were overwritten, or counts the attribute as dropped.
    /// `forgotten` is told the place of each, as of then.
    pub(crate) fn make_room(&mut self, key: Key, bounds: &Bounds, mut forgotten: impl FnMut(u32)) {
        let mut index = 0;
        while index < self.entries.len() {
            let own = self.entries[index].key.as_str();
            if own == key.as_str() || self.set_after(index, own) {
                self.entries.remove(index);
                forgotten(index as u32);
            } else {
                index += 1;
            }
        }
        self.forget_statics();
        self.dropped += u32::from(self.is_full(bounds));
    }

    /// Drops the static texts that no entry names any more: copied ones have a bound in bytes, these have none.
    fn forget_statics(&mut self) {
        let mut kept = Vec::new();
        for entry in self
            .entries
            .iter_mut()
            .filter(|entry| entry.tag == Tag::Static)
        {
            let text = self.statics.get(entry.word as usize).copied();
            entry.word = kept.len() as u64;
            kept.push(text.unwrap_or_default());
        }
        self.statics = kept;
    }

    /// What was set, in order; a key that was set again is there again.
    #[inline(always)]
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = (Key, Scalar<'_>)> + Clone {
        self.entries.iter().map(|entry| {
            let text = |len: u32| {
                let start = entry.word as usize;
                self.text
                    .get(start..start + len as usize)
                    .unwrap_or_default()
            };
            let value = match entry.tag {
                Tag::Bool => Scalar::Bool(entry.word != 0),
                Tag::I64 => Scalar::I64(entry.word.cast_signed()),
                Tag::F64 => Scalar::F64(f64::from_bits(entry.word)),
                Tag::Static => Scalar::Text(
                    self.statics
                        .get(entry.word as usize)
                        .map_or(&[], |text| text.as_bytes()),
                ),
                Tag::V4 => Scalar::Ip(IpAddr::V4(Ipv4Addr::from_bits(entry.word as u32))),
                Tag::V6 => Scalar::Ip(IpAddr::V6(Ipv6Addr::from(
                    text(16).first_chunk().copied().unwrap_or_default(),
                ))),
                Tag::Text => Scalar::Text(text(entry.len)),
            };
            (entry.key, value)
        })
    }

    /// Whether `key` was set after entry `index`.
    pub(crate) fn set_after(&self, index: usize, key: &str) -> bool {
        self.holds(index + 1, key)
    }

    /// Whether `key` was set at entry `from` or later.
    pub(crate) fn holds(&self, from: usize, key: &str) -> bool {
        let later = self.entries.get(from..).unwrap_or_default();
        later.iter().any(|later| later.key.as_str() == key)
    }

    /// Text kept beside the attributes, before the first of them is set (tracestate): its place, to be read with
    /// [`text_at`](Self::text_at).
    pub(crate) fn keep_text(&mut self, text: &str) -> (u32, u32) {
        self.text.reserve_exact(text.len());
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text.as_bytes());
        self.kept = self.text.len() as u32;
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
        self.kept = 0;
        if !self.statics.is_empty() {
            self.statics.clear();
        }
        self.dropped = 0;
    }

    #[cold]
    fn shrink(&mut self, entries: usize, text: usize) {
        self.entries = Vec::with_capacity(entries);
        self.text = Vec::with_capacity(text);
        self.statics = Vec::new();
    }

    pub(crate) fn capacity_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.text.capacity()
            + self.statics.capacity() * size_of::<&str>()
    }
}

/// Eight bytes a step, the last ones twice: the standard one goes byte by byte where its steps end.
#[inline(always)]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = (u64::MAX / 255) << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    let seen = words
        .iter()
        .fold(0, |seen, word| seen | u64::from_ne_bytes(*word));
    let last = match bytes.last_chunk::<8>() {
        Some(word) => u64::from_ne_bytes(*word),
        None => rest.iter().fold(0, |seen, byte| seen | u64::from(*byte)),
    };
    (seen | last) & HIGH == 0
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
    fn the_last_text_of_a_key_wins_however_often_it_was_set() {
        let mut attributes = Attributes::with_room(0, 0, &WIDE);
        let (start, len) = attributes.keep_text("vendor=1");
        let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
        set(&mut attributes, B, v6.into(), &WIDE);
        for round in 0..100 {
            set(
                &mut attributes,
                A,
                format!("{round:050}").as_str().into(),
                &WIDE,
            );
        }
        let last = format!("{:050}", 99);
        assert_eq!(
            read(&attributes),
            [("b", Value::Ip(v6)), ("a", Value::Str(&last))]
        );
        assert_eq!(attributes.dropped(), 0);
        assert_eq!(attributes.text_at(start, len), "vendor=1");
    }

    #[test]
    fn static_texts_that_were_overwritten_take_no_room() {
        let two = Bounds { count: 2, ..WIDE };
        let mut attributes = Attributes::with_room(0, 0, &WIDE);
        for _ in 0..1_000 {
            set(&mut attributes, A, Set::Static("a"), &two);
            set(&mut attributes, B, Set::Static("b"), &two);
        }
        assert_eq!(
            read(&attributes),
            [("a", Value::Str("a")), ("b", Value::Str("b"))]
        );
        assert!(
            attributes.statics.len() <= 2,
            "{}",
            attributes.statics.len()
        );
    }

    #[test]
    fn every_kind_of_value_reads_back_as_it_was_set() {
        let mut attributes = Attributes::with_room(0, 0, &WIDE);
        let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
        let cases: [(Set<'_>, Value<'_>); 8] = [
            (true.into(), Value::Bool(true)),
            ((-7_i64).into(), Value::I64(-7)),
            (u64::MAX.into(), Value::I64(i64::MAX)),
            ((-0.5).into(), Value::F64(-0.5)),
            (Set::Static("s"), Value::Str("s")),
            (
                IpAddr::from([203, 0, 113, 7]).into(),
                Value::Ip(IpAddr::from([203, 0, 113, 7])),
            ),
            (v6.into(), Value::Ip(v6)),
            ("hütte".as_bytes().into(), Value::Str("hütte")),
        ];
        for (value, expected) in cases {
            set(&mut attributes, A, value, &WIDE);
            assert_eq!(read(&attributes), [("a", expected)]);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_counted() {
        for bytes in [&b"\xff"[..], b"a long one \xc3", b"\xe9 at its head"] {
            let mut attributes = Attributes::with_room(0, 0, &WIDE);
            set(&mut attributes, A, bytes.into(), &WIDE);
            assert_eq!((read(&attributes), attributes.dropped()), (vec![], 1));
        }
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
        for round in 0..30 {
            let key = Key::leak(round.to_string());
            set(
                &mut attributes,
                key,
                "0123456789".repeat(5).as_str().into(),
                &WIDE,
            );
        }
        assert_eq!((read(&attributes).len(), attributes.dropped()), (20, 10));
    }
}
