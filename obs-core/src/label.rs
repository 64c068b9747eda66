//! Metric labels: closed or capped sets of values, each a 16-bit number on the hot path.
//!
//! A label is also an attribute of the span, so that a record carries 16 bytes where it would carry eight strings.

use crate::attributes::Key;
use crate::fork::Kept;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// One label of a kind of operation or of an instrument.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// The attribute's key.
    pub key: Key,
    /// Where its values come from.
    pub values: Values,
}

/// Where the values of a label come from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Values {
    /// A fixed list: the number of a value is its index plus one.
    Closed(&'static [&'static str]),
    /// Text seen at run time (route templates, model names), at most `cap` values; later ones, and those of more than 512 bytes,
    /// read `_OTHER` on metrics. Spans have their text.
    Open {
        /// How many values fit.
        cap: u16,
    },
    /// The number itself, exported as an integer: status codes.
    Number,
    /// An [`ErrorType`](crate::ErrorType).
    Error,
}

/// A label's value as a number; 0 is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelId(pub(crate) u16);

impl LabelId {
    /// The label is absent.
    pub const ABSENT: Self = Self(0);
    /// A value beyond the cap of its label, `_OTHER` on metrics.
    pub const OVERFLOW: Self = Self(u16::MAX);

    /// The `index`-th value of a closed label.
    pub const fn closed(index: u16) -> Self {
        Self(index + 1)
    }

    /// A number label's value; 0 is absent.
    pub const fn number(value: u16) -> Self {
        Self(value)
    }
}

impl From<crate::ErrorType> for LabelId {
    /// An error label's value.
    fn from(error: crate::ErrorType) -> Self {
        Self(error.0)
    }
}

/// Up to eight labels in one 128-bit key: two words of four numbers each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(pub(crate) [u64; 2]);

impl Labels {
    /// No label set.
    pub const NONE: Self = Self([0; 2]);

    /// With label `index` (0 to 7) set; one that is set already is replaced.
    #[inline(always)]
    pub const fn with(self, index: usize, value: LabelId) -> Self {
        let (word, shift) = ((index >> 2) & 1, (index & 3) * 16);
        let mut words = self.0;
        words[word] = words[word] & !(0xffff << shift) | (value.0 as u64) << shift;
        Self(words)
    }

    /// Label `index`.
    #[inline(always)]
    pub const fn get(self, index: usize) -> LabelId {
        LabelId((self.0[(index >> 2) & 1] >> ((index & 3) * 16)) as u16)
    }

    /// All bits of the labels whose bit is set in `bits`.
    pub(crate) const fn mask(bits: u8) -> Self {
        let mut mask = Self::NONE;
        let mut index = 0;
        while index < 8 {
            if bits & (1 << index) != 0 {
                mask = mask.with(index, LabelId(0xffff));
            }
            index += 1;
        }
        mask
    }

    #[inline(always)]
    pub(crate) const fn masked(self, mask: Self) -> Self {
        Self([self.0[0] & mask.0[0], self.0[1] & mask.0[1]])
    }

    /// Eight bits that tell label sets apart well enough for a cache.
    #[inline(always)]
    pub(crate) const fn hash8(self, salt: u16) -> u8 {
        let mixed = (self.0[0] ^ self.0[1].rotate_left(23) ^ (salt as u64) << 56)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 56) as u8
    }
}

/// The value of a label, resolved in the background.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LabelValue {
    /// A fixed text.
    Static(&'static str),
    /// Text seen at run time.
    Text(Arc<str>),
    /// A number.
    Number(i64),
    /// A truth value.
    Bool(bool),
}

impl LabelValue {
    /// As text.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Static(text) => Cow::Borrowed(text),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
        }
    }
}

/// The value of a label where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LabelRef<'a> {
    Text(&'a str),
    Number(i64),
    Bool(bool),
}

impl<'a> From<&'a LabelValue> for LabelRef<'a> {
    fn from(value: &'a LabelValue) -> Self {
        match value {
            LabelValue::Static(text) => Self::Text(text),
            LabelValue::Text(text) => Self::Text(text),
            LabelValue::Number(number) => Self::Number(*number),
            LabelValue::Bool(value) => Self::Bool(*value),
        }
    }
}

/// The value that stands for all values outside a closed or full set.
pub const OTHER: &str = "_OTHER";

/// Decimal digits of the codes that error types use, so that resolving one allocates nothing.
static CODES: std::sync::LazyLock<Vec<Box<str>>> = std::sync::LazyLock::new(|| {
    (100..1000_u16)
        .map(|code| code.to_string().into())
        .collect()
});

/// The values of one label in one telemetry.
#[derive(Debug)]
pub(crate) struct Space {
    /// Unique in the process, for the threads' caches.
    uid: u32,
    label: Label,
    errors: &'static [&'static str],
    /// Whether its texts are shown to redactors.
    shown: bool,
    full: AtomicBool,
    overflowed: AtomicU64,
    /// Whether any value is reserved.
    reserves: AtomicBool,
    table: Kept<Table>,
}

#[derive(Clone, Debug, Default)]
struct Table {
    ids: HashMap<Arc<str>, u16>,
    texts: Vec<Arc<str>>,
    reserved: HashSet<u16>,
    /// Nobody can say any more which numbers are whose: all are those of the overflow.
    lost: bool,
}

impl Table {
    fn lost() -> Self {
        Self {
            lost: true,
            ..Self::default()
        }
    }
}

impl Space {
    pub(crate) fn new(label: Label, errors: &'static [&'static str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self {
            uid: NEXT.fetch_add(1, Ordering::Relaxed),
            label,
            errors,
            shown: matches!(label.values, Values::Open { .. }),
            full: AtomicBool::new(false),
            overflowed: AtomicU64::new(0),
            reserves: AtomicBool::new(false),
            table: Kept::new(Table::default(), Table::lost),
        }
    }

    /// Its texts are names of ours: no two of them may be made alike, or one series is lost in another.
    pub(crate) fn of_ours(self) -> Self {
        Self {
            shown: false,
            ..self
        }
    }

    pub(crate) fn is_shown(&self) -> bool {
        self.shown
    }

    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    pub(crate) fn key(&self) -> Key {
        self.label.key
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.label.values, Values::Open { .. })
    }

    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// The number of `text`, which gets one if there is room. The slow path behind each thread's cache.
    pub(crate) fn intern(&self, text: &str) -> (LabelId, Option<Arc<str>>) {
        match self.label.values {
            Values::Open { cap } => self.intern_open(text, cap),
            Values::Closed(list) => {
                let found = list.iter().position(|known| *known == text);
                (
                    found.map_or(LabelId::OVERFLOW, |index| LabelId::closed(index as u16)),
                    None,
                )
            }
            Values::Number => (LabelId(text.parse().unwrap_or(0)), None),
            Values::Error => {
                let own = self.errors.iter().position(|known| *known == text);
                (
                    LabelId(
                        own.map_or(crate::ErrorType::OTHER, |index| {
                            crate::ErrorType::own(index as u16)
                        })
                        .0,
                    ),
                    None,
                )
            }
        }
    }

    #[cold]
    fn intern_open(&self, text: &str, cap: u16) -> (LabelId, Option<Arc<str>>) {
        {
            let table = self.table.read();
            if let Some((known, id)) = table.ids.get_key_value(text) {
                return (LabelId(*id), Some(known.clone()));
            }
        }
        // A label's text has no business being longer than this; a flood of long ones must not cost memory either.
        const LONGEST: usize = 512;
        if self.full.load(Ordering::Relaxed) || text.len() > LONGEST {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            return (LabelId::OVERFLOW, None);
        }
        let mut table = self.table.write();
        if let Some((known, id)) = table.ids.get_key_value(text) {
            return (LabelId(*id), Some(known.clone()));
        }
        if table.lost || table.texts.len() >= usize::from(cap.min(u16::MAX - 2)) {
            self.full.store(true, Ordering::Relaxed);
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            return (LabelId::OVERFLOW, None);
        }
        let text: Arc<str> = text.into();
        table.texts.push(text.clone());
        let id = table.texts.len() as u16;
        table.ids.insert(text.clone(), id);
        (LabelId(id), Some(text))
    }

    /// Whether `text` has a number.
    pub(crate) fn knows(&self, text: &str) -> bool {
        match self.label.values {
            Values::Closed(list) => list.contains(&text),
            Values::Open { .. } => {
                let table = self.table.read();
                table.ids.contains_key(text)
            }
            Values::Number | Values::Error => false,
        }
    }

    /// Whether any text that has a number is such a one.
    pub(crate) fn any(&self, is: impl Fn(&str) -> bool) -> bool {
        match self.label.values {
            Values::Closed(list) => list.iter().any(|text| is(text)),
            Values::Open { .. } => {
                let table = self.table.read();
                table.texts.iter().any(|text| is(text))
            }
            Values::Number | Values::Error => false,
        }
    }

    /// A number for a configured value, whose series then have room of their own. Says whether there was one left.
    pub(crate) fn reserve(&self, text: &str) -> bool {
        let (id, _) = self.intern(text);
        if id == LabelId::OVERFLOW {
            return false;
        }
        // A closed set is no flood's.
        if matches!(self.label.values, Values::Open { .. }) {
            let mut table = self.table.write();
            table.reserved.insert(id.0);
            self.reserves.store(true, Ordering::Release);
        }
        true
    }

    /// Whether the value behind a number is a configured one.
    pub(crate) fn is_reserved(&self, id: LabelId) -> bool {
        self.reserves.load(Ordering::Acquire) && {
            let table = self.table.read();
            table.reserved.contains(&id.0)
        }
    }

    /// The value behind a number; `None` for an absent label.
    pub(crate) fn resolve(&self, id: LabelId) -> Option<LabelValue> {
        if id == LabelId::ABSENT {
            return None;
        }
        Some(match self.label.values {
            Values::Number => LabelValue::Number(i64::from(id.0)),
            _ if id == LabelId::OVERFLOW => LabelValue::Static(OTHER),
            Values::Closed(list) => {
                LabelValue::Static(list.get(usize::from(id.0) - 1).copied().unwrap_or(OTHER))
            }
            Values::Error => LabelValue::Static(error_text(id.0, self.errors)),
            Values::Open { .. } => {
                let table = self.table.read();
                match table.texts.get(usize::from(id.0) - 1) {
                    Some(text) => LabelValue::Text(text.clone()),
                    None => LabelValue::Static(OTHER),
                }
            }
        })
    }

    /// Like [`resolve`](Self::resolve), without taking hold of the text.
    pub(crate) fn read<R>(&self, id: LabelId, read: impl FnOnce(LabelRef<'_>) -> R) -> Option<R> {
        if matches!(self.label.values, Values::Open { .. })
            && id != LabelId::ABSENT
            && id != LabelId::OVERFLOW
        {
            let table = self.table.read();
            let text = table.texts.get(usize::from(id.0) - 1);
            return Some(read(LabelRef::Text(text.map_or(OTHER, |text| text))));
        }
        self.resolve(id).map(|value| read((&value).into()))
    }
}

pub(crate) fn error_text(id: u16, own: &'static [&'static str]) -> &'static str {
    match id {
        2 => "cancelled",
        3 => "timeout",
        4 => "panic",
        10..100 => own.get(usize::from(id) - 10).copied().unwrap_or(OTHER),
        100..1000 => CODES.get(usize::from(id) - 100).map_or(OTHER, |code| code),
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(cap: u16) -> Space {
        Space::new(
            Label {
                key: Key::new(&"route"),
                values: Values::Open { cap },
            },
            &[],
        )
    }

    #[test]
    fn values_beyond_the_cap_share_the_overflow_and_known_ones_stay_exact() {
        let space = open(2);
        let a = space.intern("/a").0;
        let b = space.intern("/b").0;
        assert_eq!(space.intern("/c").0, LabelId::OVERFLOW);
        assert_eq!((space.intern("/a").0, space.intern("/b").0), (a, b));
        assert_eq!(space.overflowed(), 1);
        assert_eq!(
            space.resolve(LabelId::OVERFLOW),
            Some(LabelValue::Static("_OTHER"))
        );
    }

    #[test]
    fn labels_pack_and_mask() {
        let labels = Labels::NONE
            .with(0, LabelId(7))
            .with(7, LabelId(u16::MAX))
            .with(0, LabelId(9));
        assert_eq!(
            (labels.get(0), labels.get(7), labels.get(3)),
            (LabelId(9), LabelId(u16::MAX), LabelId(0))
        );
        assert_eq!(
            labels.masked(Labels::mask(0b1)),
            Labels::NONE.with(0, LabelId(9))
        );
    }

    #[test]
    fn error_types_read_as_their_closed_set() {
        let space = Space::new(
            Label {
                key: Key::new(&"error.type"),
                values: Values::Error,
            },
            &["connection_reset"],
        );
        let read = |error: crate::ErrorType| {
            space
                .resolve(LabelId(error.0))
                .map(|value| value.to_text().into_owned())
        };
        assert_eq!(read(crate::ErrorType::NONE), None);
        for code in 100..=999 {
            let text = read(crate::ErrorType::code(code));
            assert_eq!(text, Some(code.to_string()), "a code of three digits");
        }
        for code in [0, 7, 99, 1000, 65535] {
            let text = read(crate::ErrorType::code(code));
            assert_eq!(text.as_deref(), Some("_OTHER"), "{code}");
        }
        assert_eq!(
            read(crate::ErrorType::own(0)).as_deref(),
            Some("connection_reset")
        );
        assert_eq!(read(crate::ErrorType::own(1)).as_deref(), Some("_OTHER"));
        assert_eq!(read(crate::ErrorType::PANIC).as_deref(), Some("panic"));
    }
}
