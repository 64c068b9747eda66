//! Values over time. Everything is a whole number, so that what a counter sums up is exact. Scripts give numbers up to 2^60, so that
//! nothing here overflows.

use std::cell::Cell;

/// Microseconds since the world began.
pub(crate) type Micros = u64;

/// How a value behaves from some moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Flat(i64),
    /// Evenly from one value to the other, which then stays.
    Ramp {
        from: i64,
        to: i64,
        over: Micros,
    },
    /// A new value every so often, evenly from what lies around the middle.
    Noise {
        middle: i64,
        spread: i64,
        every: Micros,
        seed: u64,
    },
}

/// A value over time: what it was stays known, because counters sum it up and samples look back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal(Vec<Segment>);

#[derive(Clone, Debug)]
struct Segment {
    at: Micros,
    shape: Shape,
    /// How many values of a noise were summed up, and to what: a counter that is read for days does not begin anew each time.
    summed: Cell<(u64, i128)>,
}

impl Signal {
    pub(crate) fn flat(value: i64) -> Self {
        let mut signal = Self::default();
        signal.set(0, Shape::Flat(value));
        signal
    }

    /// From `at` on it behaves so. Moments come in order.
    pub(crate) fn set(&mut self, at: Micros, shape: Shape) {
        self.0.push(Segment {
            at,
            shape,
            summed: Cell::new((0, 0)),
        });
    }

    /// The value at a moment; before its first one it is zero.
    pub(crate) fn at(&self, now: Micros) -> i64 {
        let next = self.0.partition_point(|segment| segment.at <= now);
        next.checked_sub(1).map_or(0, |i| {
            let segment = &self.0[i];
            segment.shape.at(now - segment.at)
        })
    }

    /// Twice what the value sums up to, in its unit times microseconds. Twice, because half a step of a ramp is a whole number then.
    pub(crate) fn twice_sum(&self, from: Micros, to: Micros) -> i128 {
        self.pieces(from, to)
            .map(|(segment, began, ended)| segment.twice_sum(ended) - segment.twice_sum(began))
            .sum()
    }

    /// Microseconds in which any of these bits was set.
    pub(crate) fn time_with(&self, bits: i64, from: Micros, to: Micros) -> Micros {
        self.pieces(from, to)
            .filter(
                |(segment, ..)| matches!(segment.shape, Shape::Flat(value) if value & bits != 0),
            )
            .map(|(_, began, ended)| ended - began)
            .sum()
    }

    /// Each segment with the part of its own time that lies between the two moments.
    fn pieces(
        &self,
        from: Micros,
        to: Micros,
    ) -> impl Iterator<Item = (&Segment, Micros, Micros)> + '_ {
        let ends = self.0.iter().skip(1).map(|segment| segment.at).chain([to]);
        self.0.iter().zip(ends).filter_map(move |(segment, end)| {
            let (began, ended) = (from.max(segment.at), to.min(end));
            (began < ended).then(|| (segment, began - segment.at, ended - segment.at))
        })
    }
}

impl Segment {
    /// Twice the sum since it began.
    fn twice_sum(&self, since: Micros) -> i128 {
        let time = i128::from(since);
        match self.shape {
            Shape::Flat(value) => 2 * i128::from(value) * time,
            Shape::Ramp { from, to, over } => {
                let (from, to, over) = (i128::from(from), i128::from(to), i128::from(over));
                let within = time.min(over);
                let ramp = 2 * from * within + (to - from) * within * within / over.max(1);
                ramp + 2 * to * (time - within)
            }
            Shape::Noise { every, .. } => {
                let (whole, rest) = (since / every, since % every);
                let value = |n: u64| i128::from(self.shape.at(n * every));
                let (mut summed, mut sum) = self.summed.get();
                if summed > whole {
                    // Looking back is rare, and mostly not far: from there to here.
                    let later: i128 = (whole..summed).map(value).sum();
                    (summed, sum) = (whole, sum - later);
                } else {
                    sum += (summed..whole).map(value).sum::<i128>();
                    summed = whole;
                    self.summed.set((summed, sum));
                }
                debug_assert_eq!(summed, whole);
                2 * (sum * i128::from(every) + value(whole) * i128::from(rest))
            }
        }
    }
}

impl Shape {
    fn at(self, since: Micros) -> i64 {
        match self {
            Self::Flat(value) => value,
            Self::Ramp { to, over, .. } if since >= over => to,
            Self::Ramp { from, to, over } => {
                let part = i128::from(to - from) * i128::from(since) / i128::from(over);
                from + part as i64
            }
            Self::Noise {
                middle,
                spread,
                every,
                seed,
            } => noise(middle, spread, seed, since / every),
        }
    }
}

fn noise(middle: i64, spread: i64, seed: u64, n: u64) -> i64 {
    let width = 2 * spread.unsigned_abs() + 1;
    middle - spread.abs() + (random(seed, n) % width) as i64
}

/// The `n`th number of a seed: the same on every machine.
pub(crate) fn random(seed: u64, n: u64) -> u64 {
    // The finaliser of splitmix64: neighbouring inputs have nothing in common.
    let mut x = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A number that grows: by steps, and by a rate per second that is summed up exactly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    changes: Vec<(Micros, Change)>,
    pub(crate) rate: Signal,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Set(i64),
    Add(i64),
    /// The device was reset: what is kept for its life stays.
    Cleared,
}

/// What makes a counter grow besides its own rate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    Itself,
    /// So much per second.
    Rate(&'a Signal),
    /// A nanosecond in each one in which any of the bits is set.
    Bits(&'a Signal, i64),
}

/// A counter at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// Since the last reset.
    pub(crate) now: i64,
    /// In its life.
    pub(crate) ever: i64,
}

impl Counter {
    pub(crate) fn set(&mut self, at: Micros, value: i64) {
        self.changes.push((at, Change::Set(value)));
    }

    pub(crate) fn add(&mut self, at: Micros, value: i64) {
        self.changes.push((at, Change::Add(value)));
    }

    pub(crate) fn clear(&mut self, at: Micros) {
        self.changes.push((at, Change::Cleared));
    }

    pub(crate) fn at(&self, now: Micros, source: Source<'_>) -> Count {
        // Twice a second of microseconds: in these parts all sums are whole.
        const PARTS: i128 = 2_000_000;
        let (mut count, mut ever, mut since) = (0_i128, 0_i128, 0);
        let changes = self.changes.iter().filter(|&&(at, _)| at <= now);
        let last = (now, Change::Add(0));
        for &(at, change) in changes.chain([&last]) {
            let grown = self.rate.twice_sum(since, at)
                + match source {
                    Source::Itself => 0,
                    Source::Rate(rate) => rate.twice_sum(since, at),
                    Source::Bits(signal, bits) => {
                        i128::from(signal.time_with(bits, since, at)) * 1000 * PARTS
                    }
                };
            (count, ever, since) = (count + grown, ever + grown, at);
            match change {
                Change::Set(value) => {
                    let value = i128::from(value) * PARTS;
                    ever += (value - count).max(0);
                    count = value;
                }
                Change::Add(value) => {
                    count += i128::from(value) * PARTS;
                    ever += i128::from(value) * PARTS;
                }
                Change::Cleared => count = 0,
            }
        }
        let whole = |parts: i128| i64::try_from(parts / PARTS).unwrap_or(i64::MAX);
        Count {
            now: whole(count),
            ever: whole(ever),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Micros = 1_000_000;

    #[track_caller]
    fn check(shape: Shape, at: Micros, value: i64, twice_sum: i128) {
        let mut signal = Signal::flat(7);
        signal.set(S, shape);
        assert_eq!(signal.at(S + at), value, "{shape:?} after {at}");
        assert_eq!(
            signal.twice_sum(S, S + at),
            twice_sum,
            "{shape:?} after {at}"
        );
        // Before it, the seven.
        assert_eq!(signal.twice_sum(0, S + at), twice_sum + 14 * i128::from(S));
    }

    #[test]
    fn values_and_their_sums() {
        check(Shape::Flat(300), 2 * S, 300, 2 * 300 * 2_000_000);
        let ramp = Shape::Ramp {
            from: 100,
            to: 300,
            over: 4 * S,
        };
        check(ramp, 0, 100, 0);
        check(ramp, S, 150, 2 * 125 * 1_000_000);
        check(ramp, 4 * S, 300, 2 * 200 * 4_000_000);
        check(ramp, 5 * S, 300, 2 * (200 * 4_000_000 + 300 * 1_000_000));
        check(
            Shape::Ramp {
                from: 5,
                to: 9,
                over: 0,
            },
            S,
            9,
            2 * 9 * 1_000_000,
        );
    }

    #[test]
    fn noise_is_the_same_each_time_and_stays_near() {
        let noise = Shape::Noise {
            middle: 50,
            spread: 10,
            every: 100,
            seed: 3,
        };
        let values: Vec<i64> = (0..1000).map(|n| noise.at(n * 100)).collect();
        assert_eq!(
            values,
            (0..1000)
                .map(|n| noise.at(n * 100 + 99))
                .collect::<Vec<_>>()
        );
        assert_eq!(values.iter().min(), Some(&40));
        assert_eq!(values.iter().max(), Some(&60));
        let mut signal = Signal::default();
        signal.set(0, noise);
        let by_hand = |values: &[i64]| i128::from(values.iter().sum::<i64>() * 200);
        assert_eq!(signal.twice_sum(0, 100_000), by_hand(&values));
        assert_eq!(signal.twice_sum(0, 100_000), by_hand(&values), "again");
        assert_eq!(signal.twice_sum(0, 70_000), by_hand(&values[..700]), "back");
        assert_eq!(signal.twice_sum(99_000, 100_000), by_hand(&values[990..]));
        let half = i128::from(values[1] * 100);
        assert_eq!(signal.twice_sum(100, 150), half);
    }

    #[test]
    fn bits_are_timed() {
        let mut bits = Signal::flat(0);
        bits.set(10, Shape::Flat(0b101));
        bits.set(30, Shape::Flat(0b100));
        bits.set(60, Shape::Flat(0));
        assert_eq!(bits.time_with(0b001, 0, 100), 20);
        assert_eq!(bits.time_with(0b100, 0, 100), 50);
        assert_eq!(bits.time_with(0b101, 20, 40), 20);
        assert_eq!(bits.time_with(0b010, 0, 100), 0);
    }

    #[test]
    fn counters_grow_by_rates_and_steps_and_are_cleared() {
        let mut counter = Counter::default();
        counter.set(0, 1000);
        counter.rate.set(S, Shape::Flat(3));
        counter.add(2 * S, 5);
        counter.clear(4 * S);
        let at = |t| counter.at(t, Source::Itself);
        assert_eq!(
            at(S),
            Count {
                now: 1000,
                ever: 1000
            }
        );
        assert_eq!(at(S + S / 2).now, 1001);
        assert_eq!(at(2 * S - 1).now, 1002);
        assert_eq!(at(2 * S).now, 1008);
        assert_eq!(at(4 * S), Count { now: 0, ever: 1014 });
        assert_eq!(at(5 * S), Count { now: 3, ever: 1017 });
    }

    #[test]
    fn a_counter_sums_up_another_value() {
        let mut power = Signal::flat(300_000);
        power.set(
            2 * S,
            Shape::Ramp {
                from: 300_000,
                to: 700_000,
                over: S,
            },
        );
        let energy = Counter::default();
        let at = |t| energy.at(t, Source::Rate(&power)).now;
        assert_eq!(
            [at(S), at(2 * S), at(3 * S), at(4 * S)],
            [300_000, 600_000, 1_100_000, 1_800_000]
        );
        let mut throttle = Signal::flat(0);
        throttle.set(S, Shape::Flat(0x4));
        let held = energy.at(3 * S, Source::Bits(&throttle, 0x4)).now;
        assert_eq!(held, 2_000_000_000, "nanoseconds");
    }
}
