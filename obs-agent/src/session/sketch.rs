//! Times in a few bytes, for quantiles.

/// Counts of times by their logarithm: `N` buckets of two bytes, `PER_OCTAVE` of which double the time. The first holds all up to
/// a millisecond, the last all beyond.
///
/// A count that is full halves all of them: from then on old times weigh half as much as new ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sketch<const PER_OCTAVE: usize, const N: usize>([u16; N]);

/// Up to seventeen minutes, a quantile within 9 % of a time that was there.
pub(super) type Fine = Sketch<4, 81>;
/// The same within 19 %.
pub(super) type Coarse = Sketch<2, 41>;

const FIRST: f64 = 1e-3;

/// Whether it can be a time.
pub(super) fn is_sound(seconds: &f64) -> bool {
    seconds.is_finite() && *seconds >= 0.0
}

impl<const PER_OCTAVE: usize, const N: usize> Default for Sketch<PER_OCTAVE, N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const PER_OCTAVE: usize, const N: usize> Sketch<PER_OCTAVE, N> {
    pub(super) fn add(&mut self, seconds: f64) {
        let Some(count) = self.0.get_mut(Self::bucket(seconds)) else {
            return;
        };
        *count += 1;
        if *count == u16::MAX {
            // Upwards, so that what was there once is not forgotten.
            for count in &mut self.0 {
                *count = count.div_ceil(2);
            }
        }
    }

    fn bucket(seconds: f64) -> usize {
        // What is no number is 0.
        let place = ((seconds / FIRST).log2() * PER_OCTAVE as f64).ceil();
        (place.max(0.0) as usize).min(N - 1)
    }

    /// The time that so large a share of all does not pass; `None` where there is none. Of a bucket it is the middle.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let total: u64 = self.0.iter().copied().map(u64::from).sum();
        let rank = ((share * total as f64).ceil() as u64).max(1);
        let mut below = 0;
        let place = self.0.iter().position(|count| {
            below += u64::from(*count);
            below >= rank
        })?;
        let place = if place == 0 { 0.0 } else { place as f64 - 0.5 };
        Some(FIRST * (place / PER_OCTAVE as f64).exp2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quantile of sorted times by its definition.
    fn exact(sorted: &[f64], share: f64) -> f64 {
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted[rank.max(1) - 1]
    }

    #[track_caller]
    fn check(times: impl IntoIterator<Item = f64>) {
        let (mut fine, mut coarse) = (Fine::default(), Coarse::default());
        let mut times: Vec<f64> = times.into_iter().collect();
        for time in &times {
            fine.add(*time);
            coarse.add(*time);
        }
        times.sort_by(f64::total_cmp);
        for share in [0.01, 0.5, 0.9, 0.95, 0.99, 1.0] {
            let exact = exact(&times, share);
            for (got, within) in [
                (fine.quantile(share), 0.091),
                (coarse.quantile(share), 0.19),
            ] {
                let got = got.expect("there are some");
                let off = (got / exact - 1.0).abs();
                assert!(off <= within, "{share}: {got} for {exact}");
            }
        }
    }

    #[test]
    fn a_quantile_is_near_a_time_that_was_there() {
        check([0.25]);
        check((1..=1000).map(|ms| f64::from(ms) / 1e3));
        check((0..200).map(|step| 0.002 * 1.07_f64.powi(step % 190)));
        // On the limits of buckets.
        check((0..20).map(|octave| FIRST * f64::from(1 << octave)));
    }

    #[test]
    fn many_of_one_do_not_drive_out_the_others() {
        let mut sketch = Fine::default();
        sketch.add(60.0);
        for _ in 0..200_000 {
            sketch.add(0.1);
        }
        let (half, last) = (sketch.quantile(0.5), sketch.quantile(1.0));
        assert!((half.unwrap() / 0.1 - 1.0).abs() < 0.1, "{half:?}");
        assert!((last.unwrap() / 60.0 - 1.0).abs() < 0.1, "{last:?}");
    }

    #[test]
    fn what_is_beyond_is_in_the_first_or_the_last() {
        assert_eq!(Fine::default().quantile(0.5), None);
        for tiny in [0.0, -1.0, f64::NAN, 1e-9] {
            let mut sketch = Fine::default();
            sketch.add(tiny);
            assert_eq!(sketch.quantile(0.5), Some(FIRST), "{tiny}");
        }
        for huge in [1e9, f64::INFINITY] {
            let mut sketch = Coarse::default();
            sketch.add(huge);
            let last = sketch.quantile(0.5).unwrap();
            assert!((700.0..1100.0).contains(&last), "{last}");
        }
    }
}
