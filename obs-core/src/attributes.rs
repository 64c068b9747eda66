//! Attributes of an operation: static keys, values inline, text copied once into a buffer that is pooled with the record.

mod value;

pub(crate) use value::Scalar;
pub use value::{Key, Set, Value};

use crate::redact::Redaction;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    pub(crate) fn entries(
        &self,
    ) -> impl ExactSizeIterator<Item = (Key, Scalar<'_>)> + DoubleEndedIterator + Clone {
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

    /// The key of an entry.
    pub(crate) fn key_at(&self, index: usize) -> Option<Key> {
        self.entries.get(index).map(|entry| entry.key)
    }

    /// Forgets one entry: those behind it move up.
    pub(crate) fn remove(&mut self, index: usize) {
        if index < self.entries.len() {
            self.entries.remove(index);
        }
    }

    /// Text at the end, beside the attributes: its place, to be read with [`text_at`](Self::text_at). When nothing is set any
    /// more.
    pub(crate) fn append_text(&mut self, text: &str) -> (u32, u32) {
        let start = self.text.len();
        self.text.extend_from_slice(text.as_bytes());
        (start as u32, text.len() as u32)
    }

    /// Shows `see` each text and address, of which each key has one. `gone` is told the place of each that goes, as of then.
    pub(crate) fn redact(
        &mut self,
        bounds: &Bounds,
        see: impl Fn(Key, &str) -> Redaction,
        mut gone: impl FnMut(u32),
    ) {
        let mut index = 0;
        let shown = |this: &Self, index| {
            let (key, value) = this.entries().nth(index)?;
            let redaction = match value {
                Scalar::Text(text) => see(key, std::str::from_utf8(text).unwrap_or_default()),
                Scalar::Ip(address) => see(key, &address.to_string()),
                _ => Redaction::Keep,
            };
            Some((key, redaction))
        };
        while let Some((key, redaction)) = shown(self, index) {
            match redaction {
                Redaction::Keep => {}
                Redaction::Replace(text) => {
                    let text = cut(&text, (bounds.value_bytes as usize).saturating_add(MARK));
                    let (start, len) = self.append_text(&text);
                    self.entries[index] = Entry {
                        key,
                        tag: Tag::Text,
                        len,
                        word: u64::from(start),
                    };
                }
                Redaction::Remove => {
                    self.remove(index);
                    gone(index as u32);
                    continue;
                }
            }
            index += 1;
        }
    }

    /// The text that was set last under this key; `None` where none was, or what was set last is no text.
    pub(crate) fn text_of(&self, key: &str) -> Option<&str> {
        let (_, value) = { self.entries() }.rfind(|(own, _)| own.as_str() == key)?;
        match value {
            Scalar::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The same of a whole number.
    pub(crate) fn number_of(&self, key: &str) -> Option<i64> {
        let (_, value) = { self.entries() }.rfind(|(own, _)| own.as_str() == key)?;
        match value {
            Scalar::I64(number) => Some(number),
            _ => None,
        }
    }

    /// Makes room for so many more at once.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.entries.reserve_exact(more);
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
        if self.is_large(entries, text) {
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

    /// Whether it has grown far beyond the room it was made with.
    #[inline(always)]
    pub(crate) fn is_large(&self, entries: usize, text: usize) -> bool {
        self.entries.capacity() > entries * 4 || self.has_long_text(text)
    }

    /// The same of its text alone: entries are bounded in number, and small.
    #[inline(always)]
    pub(crate) fn has_long_text(&self, text: usize) -> bool {
        self.text.capacity() > text * 16
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

/// Bytes of the longest mark: a text that was cut is longer than its limit by so much at most.
pub(crate) const MARK: usize = "…[+18446744073709551615 bytes]".len();

/// Cuts text to at most `limit` bytes at a character boundary and says how much is missing.
pub(crate) fn cut(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= limit {
        return text.into();
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{}", &text[..end], mark(text.len() - end)).into()
}

/// What stands in the place of so many bytes.
pub(crate) fn mark(missing: usize) -> String {
    format!("…[+{missing} bytes]")
}

#[cfg(test)]
mod tests;
