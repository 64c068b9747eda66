//! The attributes of a span, from all the places they lie in, each key once.
//!
//! Of what the owner set and what was set dynamically or through the attached OpenTelemetry span, the last of a key
//! counts; it beats measures, labels and the session. Why a record was kept is the telemetry's own to say: nothing else uses those two keys then.

use super::{Record, RecordValue};
use crate::attributes::{Scalar, Value};
use crate::engine::kind::Kind;
use crate::engine::live::{Flags, Live};
use crate::label::{LabelId, Labels, Space};
use crate::semconv;
use crate::side::SideAttribute;
use opentelemetry::KeyValue;

/// Who takes the attributes of a record.
pub(crate) trait Sink {
    /// All labels that are there: nothing beats any of them.
    fn labels(&mut self, kind: &'static Kind, labels: Labels);
    /// One label.
    fn label(&mut self, space: &Space, id: LabelId);
    fn scalar(&mut self, key: &'static str, value: Scalar<'_>);
    fn pair(&mut self, attribute: &KeyValue);
}

/// The keys that occur in the dynamic places, a bit each of a hash: most records hold no key twice, and this says so
/// without comparing keys.
#[derive(Clone, Copy, Default)]
struct Keys {
    once: u64,
    twice: u64,
}

impl Keys {
    #[inline(always)]
    fn of(live: &Live, side: &[SideAttribute]) -> Self {
        let mut keys = Self::default();
        for (key, _) in live.attributes.entries() {
            keys.add(key.as_str());
        }
        for attribute in side {
            keys.add(attribute.pair.key.as_str());
        }
        keys
    }

    #[inline(always)]
    fn add(&mut self, key: &str) {
        let bit = bit(key);
        self.twice |= self.once & bit;
        self.once |= bit;
    }
}

/// The bits of several keys.
pub(crate) fn bits<'k>(keys: impl Iterator<Item = &'k str>) -> u64 {
    keys.fold(0, |bits, key| bits | bit(key))
}

/// Keys of one group share their beginning: the length and the last characters tell them apart.
#[inline(always)]
fn bit(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let hash = match bytes {
        [.., a, b] => bytes.len() ^ (usize::from(*a) << 2) ^ (usize::from(*b) * 7),
        _ => bytes.len(),
    };
    1 << (hash & 63)
}

impl<'a> Record<'a> {
    /// What the limits leave.
    #[inline(always)]
    pub(crate) fn walk(&self, sink: &mut impl Sink) {
        if self.limits().characters == usize::MAX && !self.may_have_too_many() {
            self.walk_all(sink);
        } else {
            self.walk_limited(sink);
        }
    }

    #[inline(always)]
    pub(super) fn walk_all(&self, sink: &mut impl Sink) {
        let live = self.live;
        let side = live
            .side
            .as_deref()
            .map_or(&[][..], |side| &side.attributes[..]);
        let keys = Keys::of(live, side);
        let reason = self.keep_reason();
        let partial = live.flags.has(Flags::PARTIAL);
        let kept = reason.is_some() || partial;
        // The last of two values of one key is the one that counts: of the owner's at a place, and of one in the side
        // table that knows how many the owner's were.
        let in_side = |owners: usize, key: &str| {
            side.iter()
                .any(|other| other.owners as usize >= owners && other.pair.key.as_str() == key)
        };
        let dynamic = |key: &str| {
            keys.once & bit(key) != 0 && (live.attributes.holds(0, key) || in_side(0, key))
        };
        let kind = live.kind;
        let beats_a_label = keys.once & kind.label_keys != 0
            && kind
                .spaces()
                .any(|(_, space)| dynamic(space.key().as_str()));
        let texts = live.side.as_ref().is_some_and(|side| side.has_labels());
        if !beats_a_label && !texts {
            sink.labels(kind, live.labels);
        } else {
            for (index, space) in kind.spaces() {
                let id = live.labels.get(index);
                if id == LabelId::ABSENT || dynamic(space.key().as_str()) {
                    continue;
                }
                match self.label_text(index) {
                    Some(text) => sink.scalar(space.key().as_str(), Scalar::Text(text.as_bytes())),
                    None => sink.label(space, id),
                }
            }
        }
        for (index, (key, value)) in live.attributes.entries().enumerate() {
            let key = key.as_str();
            let again = keys.twice & bit(key) != 0
                && (live.attributes.set_after(index, key) || in_side(index + 1, key));
            if !(again || kept && is_ours(key)) {
                sink.scalar(key, value);
            }
        }
        if live.measured != 0 {
            for (index, measure) in kind.descriptor.measures.iter().enumerate().take(4) {
                let key = measure.key.as_str();
                if let Some(value) = self.measure(index)
                    && !dynamic(key)
                {
                    sink.scalar(key, Scalar::I64(i64::try_from(value).unwrap_or(i64::MAX)));
                }
            }
        }
        for SideAttribute { pair, owners, .. } in side {
            let key = pair.key.as_str();
            let again = keys.twice & bit(key) != 0 && live.attributes.holds(*owners as usize, key);
            if !(again || kept && is_ours(key)) {
                sink.pair(pair);
            }
        }
        if let Some(session) = self.session() {
            for (key, id) in session.ids() {
                if let Some(id) = id
                    && !dynamic(key.as_str())
                {
                    sink.scalar(key.as_str(), Scalar::Text(id.as_bytes()));
                }
            }
        }
        if let Some(reason) = reason {
            let key = semconv::obs::KEEP_REASON.as_str();
            sink.scalar(key, Scalar::Text(reason.as_bytes()));
        }
        if partial {
            sink.scalar(semconv::obs::TRACE_PARTIAL.as_str(), Scalar::Bool(true));
        }
    }

    /// Calls `visit` for each attribute of the span: labels, attributes, measures, session, and why it was kept. Each
    /// key comes once.
    pub fn visit_attributes(&self, visit: &mut dyn FnMut(&str, RecordValue<'_>)) {
        self.walk(&mut Visit(visit));
    }

    /// The value of one attribute, as text or number; for subscribers and tests.
    pub fn attribute(&self, key: &str) -> Option<opentelemetry::Value> {
        let mut found = None;
        self.visit_attributes(&mut |name, value| {
            if name == key {
                found = Some(value.to_value());
            }
        });
        found
    }
}

fn is_ours(key: &str) -> bool {
    key == semconv::obs::KEEP_REASON.as_str() || key == semconv::obs::TRACE_PARTIAL.as_str()
}

/// The public visitor.
struct Visit<'v>(&'v mut dyn FnMut(&str, RecordValue<'_>));

impl Sink for Visit<'_> {
    fn labels(&mut self, kind: &'static Kind, labels: Labels) {
        for (index, space) in kind.spaces() {
            self.label(space, labels.get(index));
        }
    }

    fn label(&mut self, space: &Space, id: LabelId) {
        if let Some(value) = space.resolve(id) {
            (self.0)(space.key().as_str(), RecordValue::Label(value));
        }
    }

    fn scalar(&mut self, key: &'static str, value: Scalar<'_>) {
        (self.0)(key, RecordValue::Value(value.into()));
    }

    fn pair(&mut self, attribute: &KeyValue) {
        let value = Value::from(&attribute.value);
        (self.0)(attribute.key.as_str(), RecordValue::Value(value));
    }
}
