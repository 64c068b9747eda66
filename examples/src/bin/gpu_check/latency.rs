//! How long calls take: as a table for people, and as lines that a script plays.

use crate::sweep::{ByCall, Swept};
use std::fmt::{self, Write};
use std::time::Duration;

/// All devices together.
#[derive(Debug)]
pub(crate) struct Measured {
    /// When: `as it was`, `under load`.
    pub(crate) name: &'static str,
    calls: ByCall,
    utilization: Vec<i64>,
}

impl Measured {
    pub(crate) fn of(name: &'static str, swept: &[Swept]) -> Self {
        let mut calls = ByCall::new();
        for (call, times) in swept.iter().flat_map(|swept| &swept.calls) {
            calls.entry(call).or_default().extend(times);
        }
        calls.values_mut().for_each(|times| times.sort_unstable());
        let utilization = swept.iter().flat_map(|swept| swept.utilization.clone());
        Self {
            name,
            calls,
            utilization: utilization.collect(),
        }
    }

    fn quantiles(&self, call: &str) -> Option<(usize, [Duration; 3])> {
        let sorted = self.calls.get(call)?;
        let quantiles = [500, 990, 1000].map(|share| quantile(sorted, share));
        let [Some(half), Some(most), Some(longest)] = quantiles else {
            return None;
        };
        Some((sorted.len(), [half, most, longest]))
    }

    /// A line for each call, as a script of `obs-gpu-fake` has them: microseconds, to the next one.
    pub(crate) fn script(&self) -> String {
        let mut script = String::new();
        for call in self.calls.keys() {
            if let Some((_, [half, most, longest])) = self.quantiles(call) {
                let [half, most, longest] =
                    [half, most, longest].map(|of| of.as_nanos().div_ceil(1000));
                // Writing into a text does not fail.
                let _ = writeln!(script, "latency {call} {half} {most} {longest}");
            }
        }
        script
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |millionths: i64| millionths as f64 / 1e4;
        let all = &self.utilization;
        let (Some(least), Some(most)) = (all.iter().min(), all.iter().max()) else {
            return write!(f, "- {}: devices did not say how busy they were", self.name);
        };
        let mean = all.iter().sum::<i64>() / i64::try_from(all.len()).unwrap_or(i64::MAX).max(1);
        write!(
            f,
            "- {}: devices were {:.0} % busy ({:.0} to {:.0} %)",
            self.name,
            percent(mean),
            percent(*least),
            percent(*most)
        )
    }
}

/// The least that no fewer than this share, in thousandths, are at most. They are in their order.
pub(crate) fn quantile(sorted: &[Duration], thousandths: usize) -> Option<Duration> {
    let rank = (sorted.len() * thousandths).div_ceil(1000);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// Calls, and how long each takes, in microseconds.
pub(crate) fn table(usual: &Measured, loaded: Option<&Measured>) -> String {
    let both: Vec<&Measured> = std::iter::once(usual).chain(loaded).collect();
    let mut table = String::from("| call |");
    for measured in &both {
        let _ = write!(
            table,
            " {}: calls | p50 µs | p99 µs | longest µs |",
            measured.name
        );
    }
    table.push_str("\n|---|");
    table.push_str(&"--:|--:|--:|--:|".repeat(both.len()));
    let mut calls: Vec<&str> = both
        .iter()
        .flat_map(|of| of.calls.keys().copied())
        .collect();
    calls.sort_unstable();
    calls.dedup();
    for call in calls {
        let _ = write!(table, "\n| `{call}` |");
        for measured in &both {
            match measured.quantiles(call) {
                None => table.push_str(" - | - | - | - |"),
                Some((count, times)) => {
                    let _ = write!(table, " {count} |");
                    for time in times {
                        let _ = write!(table, " {} |", micros(time));
                    }
                }
            }
        }
    }
    table
}

/// Three figures of microseconds.
pub(crate) fn micros(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..10.0 => format!("{micros:.2}"),
        ..100.0 => format!("{micros:.1}"),
        _ => format!("{micros:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swept(calls: &[(&'static str, &[u64])], utilization: &[i64]) -> Swept {
        let calls = calls.iter().map(|(call, times)| {
            let times = times.iter().copied().map(Duration::from_nanos);
            (*call, times.collect())
        });
        Swept {
            calls: calls.collect(),
            utilization: utilization.to_vec(),
            ..Swept::default()
        }
    }

    #[track_caller]
    fn check(nanos: &[u64], thousandths: usize, expect: Option<u64>) {
        let sorted: Vec<_> = nanos.iter().copied().map(Duration::from_nanos).collect();
        let found = quantile(&sorted, thousandths);
        assert_eq!(found, expect.map(Duration::from_nanos), "{nanos:?}");
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        check(&[], 500, None);
        check(&[7], 500, Some(7));
        check(&[7], 990, Some(7));
        check(&[1, 2], 500, Some(1));
        check(&[1, 2, 3], 500, Some(2));
        check(&[1, 2, 3, 4], 500, Some(2));
        check(&[1, 2, 3, 4], 1000, Some(4));
        let hundred: Vec<u64> = (1..=100).collect();
        check(&hundred, 990, Some(99));
        let more: Vec<u64> = (1..=101).collect();
        check(&more, 990, Some(100));
    }

    #[test]
    fn devices_are_counted_together_and_calls_apart() {
        let one = swept(
            &[
                ("nvmlInit_v2", &[9_000]),
                ("nvmlDeviceGetPowerUsage", &[400, 1_234_567]),
            ],
            &[0],
        );
        let other = swept(
            &[("nvmlDeviceGetPowerUsage", &[25_000])],
            &[1_000_000, 500_000],
        );
        let usual = Measured::of("as it was", &[one, other]);
        let table = table(&usual, Some(&Measured::of("under load", &[])));
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `nvmlDeviceGetPowerUsage` | 3 | 25.0 | 1235 | 1235 | - | - | - | - |",
                "| `nvmlInit_v2` | 1 | 9.00 | 9.00 | 9.00 | - | - | - | - |"
            ]
        );
        let heads = table.lines().take(2).map(|line| line.matches('|').count());
        assert_eq!(heads.collect::<Vec<_>>(), [10, 10], "{table}");
        assert_eq!(
            usual.to_string(),
            "- as it was: devices were 50 % busy (0 to 100 %)"
        );
    }

    #[test]
    fn a_script_never_says_less_than_was_measured() {
        let of = swept(&[("nvmlDeviceGetPowerUsage", &[1, 1_001, 2_000])], &[]);
        let measured = Measured::of("as it was", &[of]);
        assert_eq!(measured.script(), "latency nvmlDeviceGetPowerUsage 2 2 2\n");
        let script = format!("{}gpus = H100", measured.script());
        assert_eq!(obs_gpu_fake::check(&script), Ok(()));
        assert!(
            measured
                .to_string()
                .ends_with("did not say how busy they were")
        );
    }
}
