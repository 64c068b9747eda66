//! What NVML's numbers become: its units into ours, each in one place.

/// Into what a whole number of NVML's is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// It is in our unit already: bytes, milliwatts, millijoules, nanoseconds, counts, codes.
    Ours,
    /// Percent, into millionths.
    Percent,
    /// Kibibytes, into bytes: NVLink up to 4 (`nvml.h`, `NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX`).
    Kibibytes,
    /// Megabytes per second, of 10⁶, into bytes per second: speeds of links.
    MegabytesPerSecond,
    /// Megahertz, into hertz.
    Megahertz,
    /// Degrees, into thousandths.
    Degrees,
}

impl From {
    /// How many of ours one is.
    pub(super) const fn one(self) -> i64 {
        match self {
            Self::Ours => 1,
            Self::Percent => 10_000,
            Self::Kibibytes => 1_024,
            Self::MegabytesPerSecond | Self::Megahertz => 1_000_000,
            Self::Degrees => 1_000,
        }
    }

    /// So many of it in ours. What is beyond everything stays there.
    pub(super) const fn convert(self, value: i64) -> i64 {
        value.saturating_mul(self.one())
    }
}

/// Percent with a fraction, into millionths. `None` for what is no share.
pub(super) fn percent(value: f64) -> Option<i64> {
    // A counter that was read a moment too late is a little above all of it.
    (0.0..=101.0)
        .contains(&value)
        .then(|| (value.min(100.0) * 1e4).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::Unit;
    use proptest::prelude::*;

    #[track_caller]
    fn check(from: From, unit: Unit, value: i64, expect: f64) {
        assert_eq!(unit.in_metrics(from.convert(value)), expect, "{from:?}");
    }

    #[test]
    fn what_nvml_says_is_what_metrics_say() {
        check(From::Percent, Unit::PartsPerMillion, 37, 0.37);
        check(From::Percent, Unit::PartsPerMillion, 100, 1.0);
        check(From::Kibibytes, Unit::Bytes, 3, 3_072.0);
        check(
            From::MegabytesPerSecond,
            Unit::BytesPerSecond,
            26_562,
            26.562e9,
        );
        check(From::Megahertz, Unit::Hertz, 1_980, 1.98e9);
        check(From::Degrees, Unit::Millicelsius, -3, -3.0);
        check(From::Ours, Unit::Milliwatts, 77_700, 77.7);
        check(From::Ours, Unit::Millijoules, 1_234_567, 1_234.567);
        check(From::Ours, Unit::Nanoseconds, 1_500_000_000, 1.5);
    }

    #[test]
    fn a_share_is_one() {
        assert_eq!(percent(55.5), Some(555_000));
        assert_eq!(percent(0.0), Some(0));
        assert_eq!(percent(100.4), Some(1_000_000));
        for no_share in [-1.0, 150.0, f64::NAN, f64::INFINITY] {
            assert_eq!(percent(no_share), None, "{no_share}");
        }
    }

    proptest! {
        #[test]
        fn order_and_sums_are_kept(a in 0_i64..1 << 40, b in 0_i64..1 << 40) {
            for from in [From::Ours, From::Percent, From::Kibibytes, From::Megahertz, From::Degrees] {
                prop_assert_eq!(from.convert(a) + from.convert(b), from.convert(a + b));
                prop_assert_eq!(from.convert(a) < from.convert(b), a < b);
            }
        }

        #[test]
        fn nothing_overflows(value: i64) {
            for from in [From::Percent, From::Kibibytes, From::MegabytesPerSecond, From::Degrees] {
                let converted = from.convert(value);
                prop_assert_eq!(converted.signum(), value.signum());
                prop_assert!(converted.unsigned_abs() >= value.unsigned_abs() || converted == i64::MAX || converted == i64::MIN);
            }
        }

        #[test]
        fn shares_are_as_near_as_millionths_are(value in 0.0_f64..=100.0) {
            let share = percent(value).expect("a share");
            prop_assert!((share as f64 / 1e4 - value).abs() <= 0.5e-4 + 1e-9);
        }
    }
}
