//! The labels of one recording, as points have them.

use crate::label::{LabelValue, OTHER};
use crate::metrics::PointAttributes;
use crate::semconv::otel::METRIC_OVERFLOW;
use ::metrics::{Key, Label};
use std::borrow::Cow;

/// Labels of one series; more are left out, the last by their keys.
pub(crate) const LABELS: usize = 16;
/// A longer key is left out.
pub(crate) const KEY_BYTES: usize = 128;
/// A longer value reads `_OTHER`, as those of instruments do.
pub(crate) const VALUE_BYTES: usize = 512;

/// In the order of their keys, each once; the last one counts. A label without a key or without a value is none.
#[derive(Debug)]
pub(crate) struct LabelSet<'a> {
    pub(super) pairs: Vec<(&'a str, &'a str)>,
    labels: Vec<&'a Label>,
    /// How much of them did not fit.
    pub(super) cut: u64,
}

fn is_overflows(key: &str) -> bool {
    let theirs = METRIC_OVERFLOW.as_str();
    let same = |(a, b): (u8, u8)| a == b || a == b'_' && b == b'.';
    key.len() == theirs.len() && key.bytes().zip(theirs.bytes()).all(same)
}

impl<'a> LabelSet<'a> {
    pub(crate) fn of(key: &'a Key) -> Self {
        let mut cut = 0;
        let mut labels: Vec<&Label> = Vec::with_capacity(key.labels().len());
        for label in key.labels() {
            // That key says which series is the overflow's, which is nobody's to say; nor as the page spells it.
            if label.key().len() > KEY_BYTES || is_overflows(label.key()) {
                cut += 1;
            } else if !label.key().is_empty() {
                labels.push(label);
            }
        }
        // Later ones first among those of one key, of which the first then stays.
        labels.reverse();
        labels.sort_by_key(|label| label.key());
        labels.dedup_by_key(|label| label.key());
        labels.retain(|label| !label.value().is_empty());
        cut += labels.len().saturating_sub(LABELS) as u64;
        labels.truncate(LABELS);
        let pairs = labels.iter().map(|label| {
            let fits = label.value().len() <= VALUE_BYTES;
            cut += u64::from(!fits);
            (label.key(), if fits { label.value() } else { OTHER })
        });
        Self {
            pairs: pairs.collect(),
            labels,
            cut,
        }
    }

    /// Whether all of the key's labels are in it as they are.
    pub(crate) fn is_complete(&self) -> bool {
        self.cut == 0
    }

    pub(super) fn bytes(&self) -> usize {
        let each = |(key, value): &(&str, &str)| key.len() + value.len() + 64;
        self.pairs.iter().map(each).sum()
    }

    pub(super) fn is(&self, attributes: &PointAttributes) -> bool {
        self.pairs.len() == attributes.len() && { self.pairs.iter().zip(attributes) }
            .all(|((key, value), (own, text))| key == own && *value == text.to_text())
    }

    /// As attributes, which share what is fixed text.
    pub(super) fn attributes(&self) -> PointAttributes {
        let one = |((_, shown), label): (&(&str, &str), &&Label)| {
            let (key, value) = Label::clone(label).into_parts();
            let value = match Cow::<'static, str>::from(value) {
                value if *value != **shown => LabelValue::Static(OTHER),
                Cow::Borrowed(text) => LabelValue::Static(text),
                Cow::Owned(text) => LabelValue::Text(text.into()),
            };
            (key.into(), value)
        };
        self.pairs.iter().zip(&self.labels).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(labels: &[(&'static str, String)], expect: &[(&str, &str)], cut: u64) {
        let labels: Vec<Label> = labels
            .iter()
            .map(|(key, value)| Label::new(*key, value.clone()))
            .collect();
        let key = Key::from_parts("name", labels);
        let set = LabelSet::of(&key);
        assert_eq!((&set.pairs[..], set.cut), (expect, cut));
        let attributes = set.attributes();
        let shown: Vec<_> = { attributes.iter() }
            .map(|(key, value)| (&**key, value.to_text()))
            .collect();
        let shown: Vec<_> = shown.iter().map(|(key, value)| (*key, &**value)).collect();
        assert_eq!(shown, expect);
        assert!(set.is(&attributes));
    }

    #[test]
    fn labels_are_in_order_each_once_and_the_last_counts() {
        check(&[], &[], 0);
        let some = |value: &str| value.to_owned();
        check(
            &[("b", some("1")), ("a", some("2"))],
            &[("a", "2"), ("b", "1")],
            0,
        );
        check(&[("a", some("1")), ("a", some("2"))], &[("a", "2")], 0);
        check(&[("a", some("1")), ("a", some(""))], &[], 0);
        check(&[("", some("1")), ("a", some(""))], &[], 0);
    }

    #[test]
    fn what_is_too_long_or_too_much_is_cut() {
        static LONG: &str = concat!(
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef!"
        );
        assert_eq!(LONG.len(), KEY_BYTES + 1);
        check(&[(LONG, "1".into()), ("a", "2".into())], &[("a", "2")], 1);
        let fits = "v".repeat(VALUE_BYTES);
        check(&[("a", fits.clone())], &[("a", &fits)], 0);
        check(&[("a", fits + "v")], &[("a", OTHER)], 1);
        static KEYS: [&str; LABELS + 2] = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q",
            "r",
        ];
        let all = KEYS.map(|key| (key, "v".to_owned()));
        let kept: Vec<_> = KEYS[..LABELS].iter().map(|key| (*key, "v")).collect();
        check(&all, &kept, 2);
    }
}
