//! Since when totals count, whatever happens to who counts them.

use super::super::reading::Series;
use super::*;

const SECOND: u64 = 1_000_000_000;

fn id(target: Target) -> SeriesId {
    SeriesId {
        target,
        model: None,
        index: None,
        further: None,
    }
}

/// Pages with one total each: when they were read, what they said, and since when they count, in seconds. Gives these starts
/// in nanoseconds.
#[track_caller]
fn check(target: Target, pages: &[(u64, f64, Option<f64>, u64)]) -> Vec<u64> {
    let mut starts = Vec::new();
    let mut memory = Memory::default();
    for (now, total, created, expect) in pages {
        let series = Series {
            id: id(target),
            value: Value::Number(*total),
            created: *created,
        };
        let metrics = memory.metrics(vec![series], &Vec::new(), None, now * SECOND);
        let Data::Sum { points, .. } = &metrics[0].data else {
            panic!("a sum: {metrics:?}");
        };
        let start = points[0].start_unix_nanos;
        assert_eq!(start / SECOND, *expect, "at {now}");
        starts.push(start);
        assert_eq!(points[0].unix_nanos, now * SECOND);
        assert_eq!(points[0].value, Number::I64(*total as i64));
    }
    starts
}

#[test]
fn a_total_whose_start_nobody_knows_counts_from_when_it_was_first_read() {
    check(
        Target::OutputTokens,
        &[
            (100, 5.0, None, 100),
            (110, 7.0, None, 100),
            // Nothing could be read for a while.
            (900, 7.0, None, 100),
        ],
    );
}

#[test]
fn a_total_that_fell_counts_from_when_it_was_last_read() {
    let starts = check(
        Target::OutputTokens,
        &[
            (100, 5.0, None, 100),
            (110, 4.0, None, 100),
            (120, 4.0, None, 100),
        ],
    );
    // Another one than that of the stream before, although that was read only once.
    assert!(
        starts[0] < starts[1] && starts[1] == starts[2],
        "{starts:?}"
    );
    check(
        Target::OutputTokens,
        &[
            (100, 5.0, None, 100),
            (110, 9.0, None, 100),
            (150, 1.0, None, 110),
            (160, 2.0, None, 110),
        ],
    );
}

#[test]
fn what_the_page_says_counts_and_a_start_that_moves_on_is_a_restart() {
    check(
        Target::OutputTokens,
        &[
            (100, 5.0, Some(40.0), 40),
            // Clocks are set, and one process of several is younger.
            (110, 6.0, Some(40.9), 40),
            (120, 7.0, Some(39.0), 40),
            // It began anew, and has more than before by now.
            (150, 80.0, Some(125.0), 125),
            (160, 81.0, Some(125.0), 125),
            // It says that it began before the last page of the one before was read.
            (170, 1.0, Some(150.0), 160),
            // It fell, and says that it did not begin anew.
            (180, 0.0, Some(150.0), 170),
        ],
    );
}

#[test]
fn a_start_that_is_to_come_is_not_known_and_no_restart() {
    check(
        Target::OutputTokens,
        &[
            (100, 5.0, Some(135.0), 100),
            (110, 6.0, Some(135.0), 100),
            // Now it has come.
            (140, 7.0, Some(135.0), 100),
            // It began anew, by a clock that is ahead.
            (150, 9.0, Some(180.0), 140),
            (190, 10.0, Some(180.0), 140),
        ],
    );
}

#[test]
fn what_goes_up_and_down_does_not_begin_anew_when_it_falls() {
    check(
        Target::Running,
        &[(100, 5.0, None, 100), (110, 1.0, None, 100)],
    );
}

#[test]
fn a_histogram_of_which_one_bucket_fell_began_anew() {
    let mut memory = Memory::default();
    let mut start = |now: u64, bounds: &[f64], counts: &[u64]| {
        let all = super::super::reading::Buckets {
            bounds: bounds.to_vec(),
            counts: counts.to_vec(),
            sum: 1.0,
        };
        let series = Series {
            id: id(Target::Queue),
            value: Value::Histogram(all),
            created: None,
        };
        let metrics = memory.metrics(vec![series], &Vec::new(), None, now * SECOND);
        match &metrics[0].data {
            Data::Histogram { points, .. } => points[0].start_unix_nanos / SECOND,
            other => panic!("a histogram: {other:?}"),
        }
    };
    assert_eq!(start(100, &[1.0], &[1, 5]), 100);
    assert_eq!(start(110, &[1.0], &[2, 5]), 100);
    assert_eq!(start(120, &[1.0], &[9, 4]), 110);
    assert_eq!(start(130, &[1.0], &[9, 4]), 110);
    assert_eq!(start(140, &[2.0], &[90, 40]), 130);
}

#[test]
fn attributes_are_those_of_the_target_and_what_tells_its_series_apart() {
    let mut memory = Memory::default();
    let base = vec![("obs.llm.engine".into(), LabelValue::Static("test"))];
    let mut shown = |target, model: Option<&str>| {
        let id = SeriesId {
            model: model.map(str::to_owned),
            index: Some("1".into()),
            further: Some("x".into()),
            ..id(target)
        };
        let series = Series {
            id,
            value: Value::Number(1.0),
            created: None,
        };
        let metrics = memory.metrics(vec![series], &base, Some("meant"), SECOND);
        let attributes = match &metrics[0].data {
            Data::Sum { points, .. } | Data::Gauge { points } => points[0].attributes.clone(),
            other => panic!("a number: {other:?}"),
        };
        let pair =
            |(key, value): (Cow<'static, str>, LabelValue)| format!("{key}={}", value.to_text());
        attributes.into_iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(Target::Finished, Some("said")),
        [
            "obs.llm.engine=test",
            "gen_ai.request.model=said",
            "obs.llm.engine.index=1",
            "obs.llm.engine.finish_reason=x"
        ]
    );
    assert_eq!(
        shown(Target::FirstTokenQuantile, None),
        [
            "obs.llm.engine=test",
            "gen_ai.request.model=meant",
            "obs.llm.engine.index=1",
            "obs.llm.engine.quantile=x"
        ]
    );
}

#[test]
fn no_more_is_remembered_than_there_is() {
    let mut memory = Memory::default();
    for turn in 0..20 {
        let series = |n: u64| Series {
            id: SeriesId {
                model: Some(format!("{turn}/{n}")),
                ..id(Target::OutputTokens)
            },
            value: Value::Number(1.0),
            created: None,
        };
        let said = (0..200).map(series).collect();
        drop(memory.metrics(said, &Vec::new(), None, turn * SECOND + 1));
        assert!(memory.0.len() <= 200 + REMEMBERED);
    }
}

mod damaged {
    //! Pages of engines with bytes that are not theirs, one after another: no panic, and what is shown can be shown.

    use super::super::super::page::PageReader;
    use super::super::super::reading::{Plan, Reading};
    use super::super::super::tables::ALL;
    use super::*;
    use proptest::prelude::*;

    fn corpus(engine: &str) -> Vec<u8> {
        let path = format!(
            "{}/tests/corpus/metrics_{engine}.prom",
            env!("CARGO_MANIFEST_DIR")
        );
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn check(metrics: &[Metric], now: u64) {
        for metric in metrics {
            match &metric.data {
                Data::Histogram { points, .. } => points.iter().for_each(|point| {
                    assert!(point.start_unix_nanos <= now && point.unix_nanos == now);
                    assert_eq!(point.buckets.len(), point.bounds.len() + 1);
                    assert_eq!(point.count, point.buckets.iter().sum::<u64>());
                    assert!(point.sum.is_finite());
                    assert!(point.bounds.windows(2).all(|pair| pair[0] < pair[1]));
                }),
                Data::Sum {
                    points, monotonic, ..
                } => points.iter().for_each(|point| {
                    assert!(point.start_unix_nanos <= now && point.unix_nanos == now);
                    assert!(!monotonic || point.value.as_f64() >= 0.0);
                }),
                Data::Gauge { points } => {
                    assert!(points.iter().all(|point| point.value.as_f64().is_finite()));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pages_are_shown_or_left_out(
            engine in 0..ALL.len(),
            pages in proptest::collection::vec(
                proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..60), 1..4,
            ),
        ) {
            let mapping = ALL[engine];
            let whole = corpus(mapping.engine);
            let plan = Plan::new(&[], mapping);
            let mut memory = Memory::default();
            for (turn, damage) in pages.into_iter().enumerate() {
                let mut page = whole.clone();
                for (at, byte) in damage {
                    let at = at.index(page.len());
                    // Numbers are what matters most.
                    page[at] = if page[at].is_ascii_digit() { b'0' + byte % 10 } else { byte };
                }
                let mut reading = Reading::new(&plan, 10_000);
                let mut reader = PageReader::new();
                reader.feed(&page, &mut |sample| reading.add(sample));
                let said = reading.finish(reader.counts().malformed);
                let now = (turn as u64 + 1) * 1_000_000_000;
                let metrics = memory.metrics(said.series, &Vec::new(), None, now);
                check(&metrics, now);
            }
        }
    }
}
