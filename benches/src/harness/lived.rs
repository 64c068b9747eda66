//! What shows only in real time: how soon something is known, and what threads that live for a while take of a core.

use std::{fs, time::Duration};

use super::{report::Report, time::median};
use crate::bars::Unit;

/// A case that lives for a while, and the figures that it tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lived {
    pub(crate) figures: &'static [Unit],
    /// Tells them, and what it did for them.
    pub(crate) live: fn(Length, &mut Told) -> Result<String, String>,
}

/// For how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// As long as the figure needs.
    Whole,
    /// Long enough to see that it works: for the tests.
    Moment,
}

impl Length {
    /// One of two, by its length.
    pub(crate) fn of<T>(self, whole: T, moment: T) -> T {
        match self {
            Self::Whole => whole,
            Self::Moment => moment,
        }
    }
}

/// What a case says.
#[derive(Debug, Default)]
pub(crate) struct Told(Vec<(Unit, f64)>);

impl Told {
    pub(crate) fn put(&mut self, unit: Unit, value: f64) {
        self.0.push((unit, value));
    }

    /// Of times the median, and the worst.
    pub(crate) fn put_times(&mut self, times: &[Duration]) {
        let mut millis: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        self.put(Unit::Ms, median(&mut millis));
        // They are in their order now.
        if let Some(worst) = millis.last() {
            self.put(Unit::WorstMs, *worst);
        }
    }
}

impl Lived {
    pub(crate) fn measure(&self, report: &mut Report, length: Length) {
        let mut told = Told::default();
        let mut account = (self.live)(length, &mut told);
        for unit in self.figures {
            match told.0.iter().find(|(known, _)| known == unit) {
                Some((_, value)) => report.put(unit.word(), *value),
                None if account.is_ok() => account = Err(format!("no word of {unit}")),
                None => {}
            }
        }
        report.account = Some(account);
    }
}

/// What all threads that this process has now have run by now, by the kernel's count in nanoseconds; `None` where it keeps none.
pub(crate) fn ran() -> Option<Duration> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let mut nanos = 0;
    for thread in threads {
        // One that ends meanwhile ran next to nothing since.
        let line = fs::read_to_string(thread.ok()?.path().join("schedstat"));
        let ran = line
            .ok()
            .and_then(|line| line.split(' ').next()?.parse().ok());
        nanos += ran.unwrap_or(0_u64);
    }
    (nanos > 0).then_some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn told(live: fn(Length, &mut Told) -> Result<String, String>) -> Report {
        let figures = &[Unit::Ms, Unit::WorstMs];
        let mut report = Report::default();
        Lived { figures, live }.measure(&mut report, Length::Moment);
        report
    }

    #[test]
    fn of_times_the_middle_and_the_worst_are_told() {
        let report = told(|_, told| {
            told.put_times(&[9, 1, 2].map(Duration::from_millis));
            Ok(String::new())
        });
        assert_eq!(
            (report.get("ms"), report.get("worst-ms")),
            (Some(2.0), Some(9.0))
        );
    }

    #[test]
    fn a_figure_that_is_missing_is_no_success() {
        let report = told(|_, told| {
            told.put(Unit::Ms, 1.0);
            Ok(String::new())
        });
        assert!(matches!(report.account, Some(Err(said)) if said.contains("worst-ms")));
    }

    #[test]
    fn what_a_thread_runs_is_counted_and_what_it_sleeps_is_not() {
        let began = ran().expect("this kernel counts it");
        let busy = Instant::now();
        while busy.elapsed() < Duration::from_millis(100) {
            std::hint::black_box(busy);
        }
        let ran_for = ran().expect("it does").saturating_sub(began);
        // On a busy machine another one had the core for a part of it; other tests run beside this one.
        assert!(ran_for > Duration::from_millis(5), "{ran_for:?}");
    }
}
