//! Against whole numbers as long as they need be, and against logarithms of the standard library.

use super::*;
use proptest::prelude::*;

/// A product of numbers in digits of 64 bits, the least first.
fn product(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut digits = vec![0_u64; a.len() + b.len()];
    for (at, a) in a.iter().enumerate() {
        let mut carry = 0_u128;
        for (digit, b) in digits[at..].iter_mut().zip(b.iter().chain(&[0])) {
            let sum = u128::from(*a) * u128::from(*b) + u128::from(*digit) + carry;
            (*digit, carry) = (sum as u64, sum >> 64);
        }
    }
    digits
}

/// Whether 1 + `mantissa` / 2^52 is at most 2^(end / 2^scale): both raised to 2^scale, as whole numbers.
fn is_at_most(mantissa: u64, end: u64, scale: u32) -> bool {
    let mut power = vec![mantissa | 1 << 52];
    (0..scale).for_each(|_| power = product(&power, &power));
    let bits = { power.iter().enumerate() }
        .rfind(|(_, digit)| **digit != 0)
        .map(|(at, digit)| at as u64 * 64 + 64 - u64::from(digit.leading_zeros()));
    let limit_bits = end + (52 << scale) + 1;
    let ones: u32 = power.iter().map(|digit| digit.count_ones()).sum();
    // The limit is a one and zeros.
    bits.is_some_and(|bits| bits < limit_bits || bits == limit_bits && ones == 1)
}

#[test]
fn every_limit_of_every_scale_is_the_greatest_number_that_is_not_above_it() {
    for scale in 0..=MOST {
        let found = Scale::of(scale as i32);
        assert!(
            found.limits[(1 << scale) - 1..]
                .iter()
                .all(|limit| *limit == MANTISSA)
        );
        for (end, limit) in (1_u64..).zip(&found.limits[..(1 << scale) - 1]) {
            // One less, as limits are kept.
            let greatest = limit + 1;
            assert!(is_at_most(greatest, end, scale), "{end} of {scale}");
            assert!(!is_at_most(greatest + 1, end, scale), "{end} of {scale}");
        }
    }
}

/// The same by the limits, one after the other.
fn by_limits(scale: &Scale, number: f64) -> usize {
    let before = number.to_bits() - 1;
    let mantissa = before & MANTISSA;
    let within = { scale.limits.iter() }
        .filter(|limit| **limit < mantissa)
        .count();
    ((before >> 52) as usize) << scale.scale | within
}

#[test]
fn next_to_every_limit_the_bucket_is_that_of_its_limits() {
    for scale in (0..=MOST).map(|scale| Scale::of(scale as i32)) {
        let limits = { scale.limits.iter() }.flat_map(|limit| [limit - 1, *limit, limit + 1]);
        let runs = (0..2_u64 << scale.scale).map(|run| run << (51 - scale.scale));
        for mantissa in limits.chain(runs).chain([0, 1, MANTISSA]) {
            for exponent in [1_u64, 2, 1_000, 1_022, 1_023, 1_024, 2_046] {
                let number = f64::from_bits(exponent << 52 | mantissa & MANTISSA);
                let expect = by_limits(scale, number);
                if number > f64::MIN_POSITIVE {
                    assert_eq!(scale.bucket(number), expect, "{number:e}");
                }
            }
        }
    }
}

#[track_caller]
fn check(scale: i32, number: f64, index: i32) {
    let scale = Scale::of(scale);
    assert_eq!(scale.index(scale.bucket(number)), index, "{number:e}");
}

/// `metrics/data-model.md` of the specification: the bucket of index i has (base^i, base^(i+1)].
#[test]
fn powers_of_two_end_their_buckets() {
    for scale in 0..=MOST as i32 {
        for power in -1_022..=1_023 {
            check(scale, 2_f64.powi(power), (power << scale) - 1);
        }
        let next = f64::from_bits(1_f64.to_bits() + 1);
        check(scale, next, 0);
        check(scale, f64::MAX, (1_024 << scale) - 1);
        // What is no normal number counts as the least one.
        for least in [
            f64::MIN_POSITIVE,
            f64::MIN_POSITIVE / 3.0,
            f64::from_bits(1),
        ] {
            check(scale, least, (-1_022 << scale) - 1);
        }
    }
    // The nearest number to the square root of two is above it.
    let root = std::f64::consts::SQRT_2;
    check(1, root, 1);
    check(1, f64::from_bits(root.to_bits() - 1), 0);
    check(2, 1.18, 0);
    check(2, 1.19, 1);
    check(0, 3.0, 1);
    check(0, 5.0, 2);
    check(0, 0.3, -2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_is_what_logarithms_say(
        scale in 0..=MOST as i32,
        bits in f64::MIN_POSITIVE.to_bits()..=f64::MAX.to_bits(),
    ) {
        let number = f64::from_bits(bits);
        let scaled = number.log2() * f64::from(1 << scale);
        let found = Scale::of(scale);
        let index = f64::from(found.index(found.bucket(number)));
        // A logarithm near 2^18 is known to 2^-34.
        prop_assert!(index < scaled + 1e-9 && scaled - 1e-9 <= index + 1.0, "{number:e} in {index}: {scaled}");
    }
}
