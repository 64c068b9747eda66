//! Latency of whole exchanges, which a busy machine makes long at times: pairs of medians taken in turns, and how sure they are.

use super::{clock::Ticks, pair::Pair, report::Report, time::median};

const PAIRS: usize = 30;
/// Student's t for 29 degrees of freedom, 95 % two-sided.
const T: f64 = 2.045;
/// Exchanges of each side in a pair, in turns of so many.
const TURNS: usize = 24;
const IN_A_TURN: u64 = 10;
/// What may be added at most: the larger of a share of what it is added to, and nanoseconds.
const SHARE: f64 = 0.01;
const NANOSECONDS: f64 = 2_000.0;

/// Reports the mean difference, the upper end of its interval, and that over what is allowed.
pub(crate) fn measure(pair: &mut Pair, report: &mut Report) {
    let ticks = Ticks::new();
    pair.warm_up();
    let (mut differences, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let [without, with] = one(pair, &ticks);
        differences.push(with - without);
        bare.push(without);
        pair.settle();
    }
    let (mean, half) = interval(&differences);
    let bare = median(&mut bare);
    report.put("bare_ns", bare);
    report.put("with_ns", bare + mean);
    report.put("added_ns", mean);
    report.put("upper_ns", mean + half);
    report.put("share", (mean + half) / NANOSECONDS.max(bare * SHARE));
}

/// The median of each side, in nanoseconds.
fn one(pair: &mut Pair, ticks: &Ticks) -> [f64; 2] {
    let mut sides = [Vec::new(), Vec::new()];
    for turn in 0..TURNS {
        for side in [turn % 2, 1 - turn % 2] {
            for _ in 0..IN_A_TURN {
                let took = match side {
                    0 => ticks.of(|| (pair.bare)()),
                    _ => {
                        let mut took = 0.0;
                        pair.run_with(1, |work, _| took = ticks.of(work));
                        took
                    }
                };
                sides[side].push(ticks.nanoseconds(took));
            }
        }
        // Rings hold so much and no more.
        pair.settle();
    }
    sides.map(|mut side| median(&mut side))
}

/// The mean, and half of the interval around it in which the true one is 95 times of 100.
fn interval(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, T * (squares / (count - 1.0) / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        let values: Vec<f64> = (0..30).map(f64::from).collect();
        let (mean, half) = interval(&values);
        assert_eq!(mean, 14.5);
        // Deviation 8.803, over the root of 30, times 2.045.
        assert!((half - 3.287).abs() < 0.001, "{half}");
    }
}
