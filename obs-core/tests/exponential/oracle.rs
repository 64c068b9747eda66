//! What a point has to be, from the values alone: by logarithms of the standard library.

use obs_core::metrics::{ExponentialBuckets, IndexedBuckets};
use std::collections::BTreeMap;

/// The index of a value's bucket. A logarithm of a power of two is exact; of others, none of the tests is on a limit.
fn index(value: f64, scale: i32) -> i32 {
    let scaled = value.abs().log2() * f64::from(scale).exp2();
    let on_a_limit = (scaled - scaled.round()).abs() < 1e-9;
    assert!(
        !on_a_limit || value.abs().log2().fract() == 0.0,
        "{value:e} is too near to a limit to be sure"
    );
    scaled.ceil() as i32 - 1
}

/// Counts by index.
pub(crate) fn sums(values: &[f64], negative: bool, scale: i32) -> BTreeMap<i32, u64> {
    let mut sums = BTreeMap::new();
    let own = { values.iter() }.filter(|value| **value != 0.0 && (**value < 0.0) == negative);
    own.for_each(|value| *sums.entry(index(*value, scale)).or_default() += 1);
    sums
}

pub(crate) fn found(side: &IndexedBuckets) -> BTreeMap<i32, u64> {
    { (side.offset..).zip(side.counts.iter().copied()) }
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn size(values: &[f64], scale: i32) -> i32 {
    let of = |negative| {
        let sums = sums(values, negative, scale);
        let ends = sums.first_key_value().zip(sums.last_key_value());
        ends.map_or(0, |((first, _), (last, _))| last - first + 1)
    };
    of(false).max(of(true))
}

/// The greatest scale of those from `most` down at which `max_size` buckets hold all values.
pub(crate) fn scale(values: &[f64], max_size: i32, most: i32) -> i32 {
    { (-10..=most).rev() }
        .find(|scale| size(values, *scale) <= max_size)
        .expect("two buckets hold all numbers")
}

/// Each value is in the bucket whose limits contain it, at the scale that has room for all, and there is no other.
#[track_caller]
pub(crate) fn check(buckets: &ExponentialBuckets, values: &[f64], max_size: i32, most: i32) {
    assert_eq!(buckets.scale, scale(values, max_size, most));
    let zeros = values.iter().filter(|value| **value == 0.0).count();
    assert_eq!(buckets.zero_count, zeros as u64);
    for (side, negative) in [(&buckets.positive, false), (&buckets.negative, true)] {
        assert_eq!(found(side), sums(values, negative, buckets.scale));
        assert!(side.counts.len() <= max_size as usize);
    }
    assert_eq!(buckets.count(), values.len() as u64);
}
