//! Points of what the kernel counts, put together anew each time: what is gone is not repeated.

use crate::metrics::Shape;
use crate::page::{Of, Page};
use obs_core::metrics::{Metric, Number, PointAttributes};
use obs_core::{Key, LabelValue, Telemetry};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A metric whose points come from elsewhere.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
    pub(crate) shape: Shape,
}

impl From<&Shown> for Of {
    fn from(shown: &Shown) -> Self {
        Self(shown.name, shown.unit, shown.description, shown.shape)
    }
}

/// For how long what was read at one collection is shown: until well after the next one is due.
const KEPT: Duration = Duration::from_secs(300);

/// Shows at each collection what `read` gives for the time that it is, in nanoseconds since the Unix epoch, for as long as the telemetry
/// lives.
pub(crate) fn observe(
    telemetry: &Telemetry,
    mut read: impl FnMut(u64) -> Vec<Metric> + Send + 'static,
) {
    if telemetry.is_shut_down() {
        return;
    }
    let source = telemetry.point_source();
    telemetry.observe(move || {
        let now = source.unix_nanos();
        source.show(read(now), KEPT);
    });
}

/// For how many rounds what is not said is remembered: names that come and go fill no memory.
const ABSENT: u64 = 60;

/// Since when totals count. One that fell began anew after it was read last.
#[derive(Debug, Default)]
pub(crate) struct Since {
    /// By metric and labels: the last number, when that was, since when it counts, and in which round it was said.
    known: HashMap<(&'static str, String), (f64, u64, u64, u64)>,
    round: u64,
}

impl Since {
    fn start(&mut self, name: &'static str, labels: String, value: f64, times: (u64, u64)) -> u64 {
        let (first, now) = times;
        let round = self.round;
        let known = { self.known.entry((name, labels)) }.or_insert((value, now, first, round));
        if value < known.0 {
            known.2 = known.1;
        }
        (known.0, known.1, known.3) = (value, now, round);
        known.2
    }
}

/// Points of one moment.
#[derive(Debug)]
pub(crate) struct Points<'s> {
    page: Page,
    since: &'s mut Since,
    /// Since when totals count that were never seen to fall, and now, in nanoseconds since the Unix epoch.
    times: (u64, u64),
}

impl<'s> Points<'s> {
    pub(crate) fn new(since: &'s mut Since, times: (u64, u64)) -> Self {
        since.round += 1;
        Self {
            page: Page::default(),
            since,
            times,
        }
    }

    /// A whole number, where there is one.
    pub(crate) fn whole(&mut self, shown: &Shown, labels: &[(Key, &str)], value: Option<u64>) {
        if let Some(value) = value {
            self.add(
                shown,
                labels,
                Number::I64(i64::try_from(value).unwrap_or(i64::MAX)),
            );
        }
    }

    /// Any other number, where there is one.
    pub(crate) fn float(&mut self, shown: &Shown, labels: &[(Key, &str)], value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.add(shown, labels, Number::F64(value));
        }
    }

    fn add(&mut self, shown: &Shown, labels: &[(Key, &str)], value: Number) {
        let attributes: PointAttributes = { labels.iter() }
            .map(|(key, text)| {
                let text = LabelValue::Text(Arc::from(*text));
                (Cow::Borrowed(key.as_str()), text)
            })
            .collect();
        let (first, now) = self.times;
        let start = match shown.shape {
            Shape::Counter => {
                let names = labels.iter().map(|(key, text)| [key.as_str(), *text]);
                let texts: Vec<&str> = names.flatten().collect();
                self.since
                    .start(shown.name, texts.join("\0"), value.as_f64(), self.times)
            }
            _ => first,
        };
        self.page.push(shown, attributes, (start, now), value);
    }

    /// All of them. What has not been said for long is forgotten: should it come back, it is as if it had never been seen.
    pub(crate) fn finish(self) -> Vec<Metric> {
        let round = self.since.round;
        let known = &mut self.since.known;
        known.retain(|_, known| round - known.3 < ABSENT);
        self.page.into_metrics()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obs_core::metrics::Data;

    const TOTAL: Shown = Shown {
        name: "test.total",
        unit: "1",
        description: "",
        shape: Shape::Counter,
    };
    const DEVICE: Key = Key::new(&"device");

    /// Since when the one point of a round counts.
    fn round(since: &mut Since, now: u64, value: Option<u64>) -> Option<u64> {
        let mut points = Points::new(since, (5, now));
        points.whole(&TOTAL, &[(DEVICE, "a")], value);
        let metrics = points.finish();
        let Data::Sum { points, .. } = &metrics.first()?.data else {
            panic!("{metrics:?}");
        };
        Some(points[0].start_unix_nanos)
    }

    #[test]
    fn a_total_that_fell_began_anew() {
        let mut since = Since::default();
        assert_eq!(round(&mut since, 10, Some(7)), Some(5));
        assert_eq!(round(&mut since, 20, Some(7)), Some(5));
        assert_eq!(round(&mut since, 30, Some(6)), Some(20));
        assert_eq!(round(&mut since, 40, Some(9)), Some(20));
        assert_eq!(round(&mut since, 50, None), None);
        // What was not said for once goes on, or began anew meanwhile.
        assert_eq!(round(&mut since, 60, Some(9)), Some(20));
        assert_eq!(round(&mut since, 70, None), None);
        assert_eq!(round(&mut since, 80, Some(3)), Some(60));
        (0..ABSENT).for_each(|_| assert_eq!(round(&mut since, 90, None), None));
        assert!(since.known.is_empty());
    }

    #[test]
    fn what_has_the_same_text_under_another_name_is_another() {
        const MODEL: Key = Key::new(&"model");
        let mut since = Since::default();
        for now in [10, 20, 30] {
            let mut points = Points::new(&mut since, (5, now));
            points.whole(&TOTAL, &[(DEVICE, "a")], Some(9 + now));
            points.whole(&TOTAL, &[(MODEL, "a")], Some(1 + now));
            let metrics = points.finish();
            let Data::Sum { points, .. } = &metrics[0].data else {
                panic!("{metrics:?}");
            };
            let starts = [0, 1].map(|place: usize| points[place].start_unix_nanos);
            assert_eq!(starts, [5, 5], "at {now}");
        }
    }

    #[test]
    fn points_of_one_metric_stand_together() {
        let mut since = Since::default();
        let mut points = Points::new(&mut since, (5, 10));
        points.whole(&TOTAL, &[(DEVICE, "a")], Some(1));
        points.float(&TOTAL, &[(DEVICE, "b")], Some(f64::NAN));
        points.whole(&TOTAL, &[(DEVICE, "c")], Some(u64::MAX));
        points.float(&TOTAL, &[(DEVICE, "d")], None);
        let metrics = points.finish();
        assert_eq!(metrics.len(), 1);
        assert_eq!(metrics[0].data.len(), 2);
    }
}
