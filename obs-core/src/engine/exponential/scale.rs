//! In which bucket of a fixed scale a number lies, exactly: by its bits and a table, with no logarithm.

use std::sync::OnceLock;

/// Of a mantissa as `f64` has it, without the leading one.
const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
/// What is added to exponents.
const BIAS: i32 = 1_023;
/// Exponents of finite numbers.
const EXPONENTS: usize = 2_047;

/// A scale at which values are counted: each power of two is divided in 2^scale buckets.
#[derive(Debug)]
pub(crate) struct Scale {
    scale: u32,
    /// For each run of mantissas with the same `scale + 1` leading bits the bucket that its first belongs to. A run is
    /// narrower than any bucket, so that at most one limit lies in it.
    first: [u8; 2 * BUCKETS],
    /// The greatest mantissa of each bucket; the last one's is the greatest there is.
    limits: [u64; BUCKETS],
}

/// Above it, tables and blocks of counts would be larger than any size of a point calls for.
const MOST: u32 = 8;
/// In a power of two, at the finest.
const BUCKETS: usize = 1 << MOST;

impl Scale {
    /// A scale from 0 on; beyond the finest there is it is the finest. Made once.
    pub(crate) fn of(scale: i32) -> &'static Self {
        static ALL: [OnceLock<Scale>; MOST as usize + 1] =
            [const { OnceLock::new() }; MOST as usize + 1];
        let scale = scale.clamp(0, MOST as i32) as usize;
        ALL[scale].get_or_init(|| Self::new(scale as u32))
    }

    fn new(scale: u32) -> Self {
        let mut limits = [MANTISSA; BUCKETS];
        for (end, limit) in (1..1 << scale).zip(&mut limits) {
            *limit = greatest(end, scale);
        }
        let mut first = [0; 2 * BUCKETS];
        for (run, first) in (0..2 << scale).zip(&mut first) {
            let least = run << (MANTISSA_BITS - scale - 1);
            *first = limits.partition_point(|limit| *limit < least) as u8;
        }
        Self {
            scale,
            first,
            limits,
        }
    }

    pub(crate) fn scale(&self) -> i32 {
        self.scale as i32
    }

    /// How many buckets there are for all finite numbers of one sign.
    pub(crate) fn buckets(&self) -> usize {
        EXPONENTS << self.scale
    }

    /// The bucket of a number that is greater than zero and finite, counted from that of the least normal number: in it are
    /// those above its lower limit, up to and with its upper one. Subnormal numbers count as the least normal one, which
    /// the data model allows.
    #[inline(always)]
    pub(crate) fn bucket(&self, number: f64) -> usize {
        // One less makes upper limits inclusive: a power of two is the last of its bucket.
        let before = number.to_bits().wrapping_sub(1).max(MANTISSA);
        let mantissa = before & MANTISSA;
        let run = (mantissa >> (MANTISSA_BITS - self.scale - 1)) as usize;
        let first = usize::from(self.first[run % (2 * BUCKETS)]);
        let within = first + usize::from(self.limits[first] < mantissa);
        ((before >> MANTISSA_BITS) as usize) << self.scale | within
    }

    /// The index of a bucket as the data model counts them: that with the upper limit 2^(2^-scale) is 0.
    pub(crate) fn index(&self, bucket: usize) -> i32 {
        bucket as i32 - (BIAS << self.scale)
    }
}

/// Of the numbers from 1 to 2, the mantissa of the one before the greatest that is not above 2^(end / 2^scale).
fn greatest(end: u64, scale: u32) -> u64 {
    let (mut at_most, mut above) = (0, MANTISSA + 1);
    while above - at_most > 1 {
        let middle = at_most + (above - at_most) / 2;
        if logarithm(middle, scale) < end {
            at_most = middle;
        } else {
            above = middle;
        }
    }
    at_most.saturating_sub(1)
}

/// The base-2 logarithm of 1 + `mantissa` / 2^52, in units of 2^-scale and rounded down: each squaring shows one more of its
/// binary digits. No limit but 1 and 2 is a fraction, so that no number lies on one, and 2^-120 is near enough for all.
fn logarithm(mantissa: u64, scale: u32) -> u64 {
    // With 127 bits behind the point.
    let mut number = u128::from(mantissa | 1 << MANTISSA_BITS) << (127 - MANTISSA_BITS);
    let mut digits = 0;
    for _ in 0..scale {
        let square = high(number, number);
        digits = digits << 1 | (square >> 127) as u64;
        // Of a square below 2 there is one bit less before the point.
        number = if square >> 127 == 1 {
            square
        } else {
            square << 1
        };
    }
    digits
}

/// The upper half of a product.
fn high(a: u128, b: u128) -> u128 {
    let halves = |number: u128| (number >> 64, number & u128::from(u64::MAX));
    let ((a1, a0), (b1, b0)) = (halves(a), halves(b));
    let (upper, lower) = (a1 * b0, a0 * b1);
    let carried = (halves(a0 * b0).0 + halves(upper).1 + halves(lower).1) >> 64;
    a1 * b1 + halves(upper).0 + halves(lower).0 + carried
}

#[cfg(test)]
mod tests;
