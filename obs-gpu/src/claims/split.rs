//! A whole number in parts whose sum it is.

/// `total` in parts as `weights` are: each within one of its exact share, their sum exactly `total`. Without any weight all parts
/// are zero.
pub(super) fn split(total: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    // A product of `total` and a sum of weights is to fit.
    let shift = 64_u32.saturating_sub(sum.leading_zeros());
    let scaled = || {
        weights
            .iter()
            .map(move |&weight| u128::from(weight >> shift))
    };
    let sum: u128 = scaled().sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    // Each part ends where the shares up to it end, rounded down: what one loses by that the next has.
    let (mut up_to, mut given) = (0_u128, 0_u64);
    let parts = scaled().map(|weight| {
        up_to += weight;
        let end = (u128::from(total) * up_to / sum) as u64;
        let part = end - given;
        given = end;
        part
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(total: u64, weights: &[u64], expect: &[u64]) {
        assert_eq!(split(total, weights), expect);
    }

    #[test]
    fn parts_are_as_weights_are() {
        check(10, &[1, 1], &[5, 5]);
        check(10, &[1, 2, 1], &[2, 5, 3]);
        check(100, &[0, 3, 0], &[0, 100, 0]);
        check(7, &[0, 0], &[0, 0]);
        check(7, &[], &[]);
        check(0, &[1, 2], &[0, 0]);
        check(
            u64::MAX,
            &[u64::MAX, u64::MAX],
            &[u64::MAX / 2, u64::MAX / 2 + 1],
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost(total: u64, weights in prop::collection::vec(any::<u64>(), 1..20)) {
            let parts = split(total, &weights);
            let sum: u128 = parts.iter().map(|&part| u128::from(part)).sum();
            let any = weights.iter().any(|&weight| weight > 0);
            prop_assert_eq!(sum, if any { u128::from(total) } else { 0 });
        }

        #[test]
        fn each_is_within_one_of_its_share(
            total in 0..u64::from(u32::MAX),
            weights in prop::collection::vec(0..u64::from(u32::MAX), 1..20),
        ) {
            let sum: u64 = weights.iter().sum();
            prop_assume!(sum > 0);
            for (&weight, part) in weights.iter().zip(split(total, &weights)) {
                let exact = u128::from(total) * u128::from(weight) / u128::from(sum);
                prop_assert!(u128::from(part).abs_diff(exact) <= 1);
            }
        }
    }
}
