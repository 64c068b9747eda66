//! A stage that is gone through many times: each passage is a point of its own, beside that of the operation's end.

use crate::STAGE;
use crate::oracle::check;
use crate::support::points::{all, histogram};
use crate::support::rig_with;
use obs_core::{Event, ExponentialHistogram, Labels, Outcome, StatsLevel};

#[test]
fn each_passage_counts_whichever_thread_sees_it_and_the_events_are_one_more() {
    let rig = rig_with(false, |builder| {
        builder
            .with_level(StatsLevel::Detailed)
            .with_histograms(ExponentialHistogram::default())
    });
    let mut operation = rig.root("chat");
    let kind = operation.active().expect("recording").kind();
    operation.stamp(Event::SERVER_HANDLE_START);
    rig.advance_ms(40);
    operation.stamp(Event::SERVER_HANDLE_FINISH);
    let labels = operation.active().expect("recording").labels();
    assert_ne!(labels, Labels::NONE);
    let start = operation.active().expect("recording").started();
    let end = kind.now();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..10).for_each(|_| kind.record_stage(labels, 0, start, end)));
        }
    });
    // The other way round is no time at all, and a stage that there is not is none.
    kind.record_stage(labels, 0, end, start);
    kind.record_stage(labels, 1, start, end);
    let values: Vec<f64> = [0.0].into_iter().chain([0.04; 30]).collect();
    let point = histogram(&all(&rig.telemetry), STAGE, &[("test.step", "chat")]);
    assert_eq!(point.count, 31);
    assert!((point.sum - 1.2).abs() < 1e-9, "{}", point.sum);
    check(&point.exponential.expect("asked for"), &values, 160, 6);
    operation.end(Outcome::ANSWERED);
    let points = all(&rig.telemetry);
    assert_eq!(
        histogram(&points, STAGE, &[("test.step", "chat")]).count,
        32
    );
}

#[test]
fn many_at_once_are_what_each_of_them_is() {
    let points = |at_once: bool| {
        let rig = rig_with(false, |builder| {
            builder
                .with_level(StatsLevel::Detailed)
                .with_histograms(ExponentialHistogram::default())
        });
        let mut operation = rig.root("chat");
        let active = operation.active().expect("recording");
        let (kind, labels, start) = (active.kind(), active.labels(), active.started());
        rig.advance_ms(40);
        let end = kind.now();
        for (from, to, times) in [(start, end, 300), (end, end, 7), (start, end, 0)] {
            if at_once {
                kind.record_stages(labels, 0, (from, to), times);
            } else {
                (0..times).for_each(|_| kind.record_stage(labels, 0, from, to));
            }
        }
        // A stage that there is not.
        kind.record_stages(labels, 1, (start, end), 5);
        histogram(&all(&rig.telemetry), STAGE, &[("test.step", "chat")])
    };
    let (at_once, each) = (points(true), points(false));
    assert_eq!(at_once.count, 307);
    assert_eq!(format!("{at_once:?}"), format!("{each:?}"));
}
