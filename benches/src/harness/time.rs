//! Wall time: many short rounds, both sides taking turns, the median of each.

use super::{clock::Ticks, pair::Pair, report::Report};

const ROUNDS: usize = 41;
/// Long against a timer interrupt's share, short against the neighbour's turn on the core.
const SIDE_NANOSECONDS: f64 = 1_500_000.0;

/// Times both sides in turns and reports ns per operation of each, their paired difference, and T.
pub(crate) fn measure(pair: &mut Pair, report: &mut Report) {
    let ticks = Ticks::new();
    pair.warm_up();
    let calls = calls_per_round(pair, &ticks);
    let mut bare = Vec::with_capacity(ROUNDS);
    let mut with = Vec::with_capacity(ROUNDS);
    let mut added = Vec::with_capacity(ROUNDS);
    let mut read = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let operations = (calls * pair.per_call) as f64;
        let (without_it, with_it) = if round % 2 == 0 {
            let first = ticks.of(|| repeat(&mut *pair.bare, calls));
            (first, with_side(pair, &ticks, calls))
        } else {
            let first = with_side(pair, &ticks, calls);
            (ticks.of(|| repeat(&mut *pair.bare, calls)), first)
        };
        pair.settle();
        read.push(ticks.nanoseconds(ticks.per_read()));
        bare.push(ticks.nanoseconds(without_it) / operations);
        with.push(ticks.nanoseconds(with_it) / operations);
        added.push(ticks.nanoseconds(with_it - without_it) / operations);
    }
    report.put("bare_ns", median(&mut bare));
    report.put("with_ns", median(&mut with));
    report.put("added_ns", median(&mut added));
    report.put("t_ns", median(&mut read));
}

fn with_side(pair: &mut Pair, ticks: &Ticks, calls: u64) -> f64 {
    let mut took = 0.0;
    pair.run_with(calls, |work, calls| took = ticks.of(|| repeat(work, calls)));
    took
}

fn calls_per_round(pair: &mut Pair, ticks: &Ticks) -> u64 {
    let probe = pair.burst.div_ceil(5);
    let once = ticks.nanoseconds(with_side(pair, ticks, probe)) / probe as f64;
    pair.settle();
    let wanted = (SIDE_NANOSECONDS / once.max(1.0)) as u64;
    wanted.clamp(1, pair.burst)
}

#[inline(never)]
fn repeat(work: &mut dyn FnMut(), calls: u64) {
    for _ in 0..calls {
        work();
    }
}

/// The middle value; sorts what it is given.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn median_ignores_order_and_outliers() {
        assert_eq!(median(&mut [9.0, 1.0, 1e9]), 9.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&mut []).is_nan());
    }
}
