//! Small pages against small mappings.

use super::*;
use crate::engines::page::PageReader;

const MAPPING: Mapping = Mapping {
    engine: "test",
    title: "Test",
    path: "/metrics",
    model: &["model_name", "model"],
    index: &["engine"],
    rows: &[
        Row::exact("wait", Target::Queue),
        Row::exact("first_ms", Target::TimeToFirstToken).per(1e3),
        Row::exact("running", Target::Running).selecting(&[Select::IsOrAbsent("rank", "0")]),
        Row::exact("usage", Target::KvCacheUsage),
        Row::exact("old_usage", Target::KvCacheUsage),
        Row::exact("tokens_total", Target::OutputTokens),
        Row::exact("done_total", Target::Finished).by("reason"),
        Row::exact("aborted_total", Target::Finished).always("abort"),
        Row::exact("late", Target::FirstTokenQuantile).by("quantile"),
    ],
    none: &[],
    read_in: "here",
};

const MOST: usize = 1_000;

fn read(page: &str) -> Said {
    read_with(&[], page)
}

fn read_with(own: &[Row], page: &str) -> Said {
    let plan = Plan::new(own, &MAPPING);
    let mut reading = Reading::new(&plan, MOST);
    let mut reader = PageReader::new();
    reader.feed(page.as_bytes(), &mut |sample| reading.add(sample));
    reading.finish(reader.counts().malformed)
}

/// Each series as `target model/index/further value`, sorted.
fn shown(said: &Said) -> Vec<String> {
    let mut lines: Vec<String> = { said.series.iter() }
        .map(|series| {
            let id = &series.id;
            let parts = [&id.model, &id.index, &id.further];
            let parts = parts.map(|part| part.as_deref().unwrap_or("-"));
            let value = match &series.value {
                Value::Number(value) => value.to_string(),
                Value::Histogram(all) => format!("{:?} {:?} {}", all.bounds, all.counts, all.sum),
            };
            format!("{:?} {} {value}", id.target, parts.join("/"))
        })
        .collect();
    lines.sort();
    lines
}

#[track_caller]
fn check(page: &str, expect: &[&str], anomalies: &[(Anomaly, u64)]) {
    let said = read(page);
    assert_eq!(shown(&said), expect);
    let counted: Vec<_> = said
        .anomalies
        .each()
        .filter(|(_, many)| *many > 0)
        .collect();
    assert_eq!(counted, anomalies);
}

#[test]
fn a_histogram_keeps_its_buckets() {
    check(
        "wait_bucket{model=\"m\",le=\"0.5\"} 2\nwait_bucket{model=\"m\",le=\"7680.0\"} 5\n\
         wait_bucket{model=\"m\",le=\"+Inf\"} 6\nwait_sum{model=\"m\"} 8000.5\nwait_count{model=\"m\"} 6\n",
        &["Queue m/-/- [0.5, 7680.0] [2, 3, 1] 8000.5"],
        &[],
    );
}

#[test]
fn units_are_divided_so_that_limits_stay_the_numbers_they_are() {
    check(
        "first_ms_bucket{le=\"300\"} 1\nfirst_ms_bucket{le=\"+Inf\"} 1\nfirst_ms_sum 290\n",
        &["TimeToFirstToken -/-/- [0.3] [1, 0] 0.29"],
        &[],
    );
}

#[test]
fn what_differs_in_labels_that_nobody_asks_for_is_added_up() {
    check(
        "wait_bucket{s=\"a\",le=\"1\"} 2\nwait_bucket{s=\"a\",le=\"+Inf\"} 3\nwait_sum{s=\"a\"} 4\n\
         wait_bucket{s=\"b\",le=\"+Inf\"} 7\nwait_bucket{s=\"b\",le=\"1\"} 5\nwait_sum{s=\"b\"} 6\n\
         tokens_total{s=\"a\"} 1\ntokens_total{s=\"b\"} 2\n\
         running{s=\"a\"} 3\nrunning{s=\"b\",rank=\"0\"} 4\nrunning{rank=\"1\"} 50\n",
        &[
            "OutputTokens -/-/- 3",
            "Queue -/-/- [1.0] [7, 3] 10",
            "Running -/-/- 7",
        ],
        &[],
    );
}

#[test]
fn models_and_engines_are_apart_and_the_first_label_that_is_there_counts() {
    check(
        "tokens_total{model_name=\"a\",model=\"x\",engine=\"0\"} 1\ntokens_total{model=\"b\",engine=\"1\"} 2\n",
        &["OutputTokens a/0/- 1", "OutputTokens b/1/- 2"],
        &[],
    );
}

#[test]
fn reasons_and_quantiles_are_told_apart() {
    check(
        "done_total{reason=\"stop\"} 5\ndone_total{reason=\"length\"} 6\naborted_total 7\n\
         late{quantile=\"0.99\"} 0.25\nlate_sum 3\nlate_count 4\n",
        &[
            "Finished -/-/abort 7",
            "Finished -/-/length 6",
            "Finished -/-/stop 5",
            "FirstTokenQuantile -/-/0.99 0.25",
        ],
        &[],
    );
}

#[test]
fn the_first_spelling_that_a_page_has_counts() {
    check(
        "usage 0.5\nold_usage 0.7\n",
        &["KvCacheUsage -/-/- 0.5"],
        &[],
    );
    check("old_usage 0.7\n", &["KvCacheUsage -/-/- 0.7"], &[]);
    // One that says nonsense is as good as not there.
    check(
        "usage NaN\nold_usage 0.7\n",
        &["KvCacheUsage -/-/- 0.7"],
        &[(Anomaly::ImpossibleValue, 1)],
    );
}

#[test]
fn rows_of_ones_own_come_first() {
    let own = [Row::exact("my_usage", Target::KvCacheUsage).per(100.0)];
    let said = read_with(&own, "usage 0.5\nmy_usage 25\nrunning 1\n");
    assert_eq!(shown(&said), ["KvCacheUsage -/-/- 0.25", "Running -/-/- 1"]);
}

#[test]
fn values_that_cannot_be_are_left_out() {
    check(
        "running NaN\nusage +Inf\ntokens_total -1\n",
        &[],
        &[(Anomaly::ImpossibleValue, 3)],
    );
    check("running -1\n", &["Running -/-/- -1"], &[]);
}

#[test]
fn a_value_that_adds_up_to_nothing_is_not_added_up() {
    check(
        "usage{gpu=\"0\"} 0.5\nusage{gpu=\"1\"} 0.7\n",
        &[],
        &[(Anomaly::Ambiguous, 1)],
    );
    check(
        "usage{engine=\"0\"} 0.5\nusage{engine=\"1\"} 0.7\n",
        &["KvCacheUsage -/0/- 0.5", "KvCacheUsage -/1/- 0.7"],
        &[],
    );
}

#[test]
fn histograms_of_other_buckets_are_not_added_up() {
    check(
        "wait_bucket{s=\"a\",le=\"1\"} 2\nwait_bucket{s=\"a\",le=\"+Inf\"} 3\nwait_sum{s=\"a\"} 4\n\
         wait_bucket{s=\"b\",le=\"2\"} 2\nwait_bucket{s=\"b\",le=\"+Inf\"} 3\nwait_sum{s=\"b\"} 4\n",
        &[],
        &[(Anomaly::ConflictingBuckets, 1)],
    );
}

#[test]
fn what_is_no_histogram_is_none() {
    for page in [
        // The last bucket is missing, or the sum, or a limit.
        "wait_bucket{le=\"1\"} 2\nwait_sum 1\n",
        "wait_bucket{le=\"+Inf\"} 2\n",
        "wait_bucket 2\nwait_bucket{le=\"+Inf\"} 2\nwait_sum 1\n",
        "wait_bucket{le=\"x\"} 2\nwait_bucket{le=\"+Inf\"} 2\nwait_sum 1\n",
        "wait_bucket{le=\"NaN\"} 2\nwait_bucket{le=\"+Inf\"} 2\nwait_sum 1\n",
        "wait_bucket{le=\"-Inf\"} 0\nwait_bucket{le=\"+Inf\"} 2\nwait_sum 1\n",
        // They run backwards, or are not whole, or below zero, or beyond what is counted.
        "wait_bucket{le=\"1\"} 3\nwait_bucket{le=\"+Inf\"} 2\nwait_sum 1\n",
        "wait_bucket{le=\"1\"} 1.5\nwait_bucket{le=\"+Inf\"} 2\nwait_sum 1\n",
        "wait_bucket{le=\"1\"} -1\nwait_bucket{le=\"+Inf\"} 2\nwait_sum 1\n",
        "wait_bucket{le=\"+Inf\"} 1e300\nwait_sum 1\n",
        "wait_bucket{le=\"+Inf\"} NaN\nwait_sum 1\n",
        "wait_bucket{le=\"+Inf\"} 1\nwait_sum NaN\n",
        "wait_sum 1\n",
    ] {
        check(page, &[], &[(Anomaly::BrokenHistogram, 1)]);
    }
    // One that is none takes its likes along: their sum would lack it.
    check(
        "wait_bucket{s=\"a\",le=\"+Inf\"} 3\nwait_sum{s=\"a\"} 4\nwait_sum{s=\"b\"} 4\n",
        &[],
        &[(Anomaly::BrokenHistogram, 1)],
    );
}

#[test]
fn a_summary_is_no_histogram() {
    check("wait{quantile=\"0.5\"} 1\nwait_count 4\n", &[], &[]);
}

#[test]
fn a_sample_that_is_there_twice_counts_once() {
    check(
        "tokens_total{a=\"1\",b=\"2\"} 5\ntokens_total{b=\"2\",a=\"1\"} 5\nwrong\n",
        &["OutputTokens -/-/- 5"],
        &[(Anomaly::MalformedLine, 1), (Anomaly::DuplicateSample, 1)],
    );
    check(
        "wait_bucket{le=\"+Inf\"} 2\nwait_bucket{le=\"inf\"} 2\nwait_sum 1\n",
        &["Queue -/-/- [] [2] 1"],
        &[(Anomaly::DuplicateSample, 1)],
    );
}

#[test]
fn since_when_it_counts_is_what_the_series_says_and_else_what_the_process_does() {
    let said = read(
        "tokens_total{s=\"a\"} 1\ntokens_total{s=\"b\"} 2\ntokens_created{s=\"a\"} 200\ntokens_created{s=\"b\"} 100\n\
         wait_bucket{le=\"+Inf\"} 2\nwait_sum 1\nwait_created 300.5\n\
         done_total{reason=\"stop\"} 3\ndone_created{reason=\"stop\"} NaN\n\
         process_start_time_seconds 50\nprocess_start_time_seconds{other=\"1\"} 60\n",
    );
    let created = |target| {
        let of = said.series.iter().find(|series| series.id.target == target);
        of.expect("a series").created
    };
    assert_eq!(created(Target::OutputTokens), Some(100.0));
    assert_eq!(created(Target::Queue), Some(300.5));
    assert_eq!(created(Target::Finished), Some(50.0));
    assert_eq!(read("tokens_total 1\n").series[0].created, None);
}

#[test]
fn more_samples_than_anybody_has_are_said_so() {
    let page: String = (0..=MOST)
        .map(|n| format!("tokens_total{{n=\"{n}\"}} 1\n"))
        .collect();
    assert!(read(&page).too_many);
    assert!(!read(page.split_once('\n').expect("lines").1).too_many);
    let others: String = (0..=MOST)
        .map(|n| format!("other{{n=\"{n}\"}} 1\n"))
        .collect();
    assert!(!read(&others).too_many);
}
