//! Counts become buckets: against sums over the indexes, with nothing of the code under test.

use super::*;
use proptest::prelude::*;

type Values = Vec<(i32, bool, u64)>;

fn counted(values: &Values) -> Counted {
    let mut counted = Counted::default();
    for (index, negative, count) in values {
        counted.add(*index, *negative, *count);
    }
    counted.add_zeros(values.len() as u64);
    counted
}

/// Of each bucket at a lower scale what it holds, by division that rounds down.
fn sums(values: &Values, negative: bool, lower: i32) -> BTreeMap<i32, u64> {
    let mut sums = BTreeMap::new();
    for (index, _, count) in values.iter().filter(|(_, own, _)| *own == negative) {
        let index = i64::from(*index).div_euclid(1_i64 << lower) as i32;
        *sums.entry(index).or_default() += count;
    }
    sums
}

fn found(side: &IndexedBuckets) -> BTreeMap<i32, u64> {
    side.each().filter(|(_, count)| *count > 0).collect()
}

fn size(sums: &BTreeMap<i32, u64>) -> i64 {
    let ends = sums.first_key_value().zip(sums.last_key_value());
    ends.map_or(0, |((first, _), (last, _))| {
        i64::from(*last) - i64::from(*first) + 1
    })
}

const SCALE: i32 = 6;

#[track_caller]
fn check(buckets: &ExponentialBuckets, values: &Values, most: ExponentialHistogram, zeros: u64) {
    let lower = SCALE - buckets.scale;
    let sides = [(&buckets.positive, false), (&buckets.negative, true)];
    for (side, negative) in sides {
        assert_eq!(found(side), sums(values, negative, lower));
        assert!(side.counts.len() <= most.max_size as usize);
        assert!(side.counts.first().is_none_or(|first| *first > 0));
        assert!(side.counts.last().is_none_or(|last| *last > 0));
    }
    assert_eq!(buckets.zero_count, zeros);
    assert_eq!(
        buckets.count(),
        zeros + values.iter().map(|value| value.2).sum::<u64>()
    );
    assert!(buckets.scale <= most.max_scale);
    // One step finer it would not fit, or not be allowed, or nobody counted so.
    let finer = |negative| size(&sums(values, negative, lower - 1)) > i64::from(most.max_size);
    assert!(
        buckets.scale == SCALE.min(most.max_scale) || finer(false) || finer(true),
        "{buckets:?}"
    );
}

fn values() -> impl Strategy<Value = Values> {
    let near = (-400..400_i32, any::<bool>(), 1..1_000_u64);
    let far = (-65_536..65_536_i32, any::<bool>(), 1..1_000_u64);
    prop_oneof![
        3 => prop::collection::vec(near, 0..40),
        1 => prop::collection::vec(far, 0..40),
    ]
}

fn limits() -> impl Strategy<Value = ExponentialHistogram> {
    (2..=320_u32, -10..=20_i32).prop_map(|(max_size, max_scale)| ExponentialHistogram {
        max_size,
        max_scale,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_point_has_every_count_at_the_greatest_scale_that_has_room(
        values in values(),
        most in limits(),
    ) {
        let buckets = counted(&values).buckets(SCALE, most);
        check(&buckets, &values, most, values.len() as u64);
    }

    #[test]
    fn points_that_were_narrowed_before_merge_to_what_all_their_values_make(
        parts in prop::collection::vec(values(), 1..5),
        first in limits(),
        own in limits(),
    ) {
        let most = ExponentialHistogram {
            max_size: own.max_size.min(first.max_size),
            max_scale: own.max_scale.min(first.max_scale),
        };
        let mut points = parts.iter().map(|values| {
            let mut buckets = counted(values).buckets(SCALE, first);
            fit(&mut buckets, most);
            buckets
        });
        let mut merged = points.next().expect("one at least");
        points.for_each(|point| merge(&mut merged, point, most));
        let all = parts.concat();
        check(&merged, &all, most, all.len() as u64);
        prop_assert_eq!(merged, counted(&all).buckets(SCALE, most));
    }

    #[test]
    fn what_came_since_is_what_was_added(before in values(), later in values()) {
        let mut now = counted(&before);
        for (index, negative, count) in &later {
            now.add(*index, *negative, *count);
        }
        now.add_zeros(later.len() as u64);
        prop_assert_eq!(now.since(&counted(&before)), counted(&later));
        prop_assert_eq!(now.since(&now), Counted::default());
    }
}

#[test]
fn all_numbers_there_are_fit_into_two_buckets() {
    let scale = super::super::Scale::of(SCALE);
    let ends = [f64::MIN_POSITIVE, f64::MAX].map(|end| scale.index(scale.bucket(end)));
    let most = ExponentialHistogram {
        max_size: 2,
        max_scale: 20,
    };
    let values = vec![(ends[0], false, 1), (ends[1], false, 2)];
    let buckets = counted(&values).buckets(SCALE, most);
    assert_eq!((buckets.scale, buckets.positive.offset), (-10, -1));
    assert_eq!(buckets.positive.counts, [1, 2]);
}
