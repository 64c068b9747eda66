//! What must hold after an ending.

use super::drive::{Seen, Stage, drive};
use super::{Ending, Endings, Scripted, ScriptedBody};
use crate::capture::Capture;
use crate::tree::SpanStatus;
use http::{Request, Response};
use http_body::Body;
use std::collections::BTreeMap;
use std::sync::Arc;
use tower_service::Service;

#[track_caller]
pub(super) fn recorded<S, R>(
    endings: &Endings,
    ending: Ending,
    capture: &Capture,
    wrap: impl Fn(Scripted) -> S,
) where
    S: Service<Request<ScriptedBody>, Response = Response<R>>,
    R: Body,
{
    let before = durations(endings, capture);
    behaves(endings, ending, capture, wrap, 1);
    let (end, error) = endings.expected(ending);

    if let Some(histogram) = &endings.descriptor.duration {
        let mut expected = before;
        *expected
            .entry(error.unwrap_or_default().into())
            .or_default() += 1;
        assert_eq!(
            durations(endings, capture),
            expected,
            "{ending:?}: points of {} by error.type",
            histogram.name
        );
    }

    let mut records = capture.take_records();
    records.retain(|record| record.descriptor == endings.descriptor.name);
    if endings.errors_only && error.is_none() {
        assert_eq!(
            records.len(),
            0,
            "{ending:?}: no error, yet it was kept: {records:#?}"
        );
        return;
    }
    assert_eq!(
        records.len(),
        1,
        "{ending:?}: one record expected: {records:#?}"
    );
    let record = &records[0];
    assert_eq!(record.outcome.end(), end, "{ending:?}: how it ended");
    assert_eq!(record.error_type(), error, "{ending:?}: error.type");
    assert_eq!(
        matches!(record.status, SpanStatus::Error(_)),
        error.is_some(),
        "{ending:?}: the span's status is {:?}",
        record.status
    );
    let reason = endings.errors_only.then_some("error");
    assert_eq!(record.keep_reason, reason, "{ending:?}: why it was kept");
}

#[track_caller]
pub(super) fn untouched<S, R>(
    endings: &Endings,
    ending: Ending,
    capture: &Capture,
    wrap: impl Fn(Scripted) -> S,
) where
    S: Service<Request<ScriptedBody>, Response = Response<R>>,
    R: Body,
{
    let before = durations(endings, capture);
    behaves(endings, ending, capture, wrap, 0);
    assert_eq!(
        durations(endings, capture),
        before,
        "{ending:?}: a point although the layer is off"
    );
    let records = capture.take_records();
    assert_eq!(
        records.len(),
        0,
        "{ending:?}: a record although the layer is off: {records:#?}"
    );
}

/// The service looks as it does bare, the gauge goes up to `running` and back, and nothing is left.
#[track_caller]
fn behaves<S, R>(
    endings: &Endings,
    ending: Ending,
    capture: &Capture,
    wrap: impl Fn(Scripted) -> S,
    running: i64,
) where
    S: Service<Request<ScriptedBody>, Response = Response<R>>,
    R: Body,
{
    let gauge = endings.descriptor.in_flight.map(|gauge| gauge.name);
    let in_flight = || gauge.map_or(0, |gauge| capture.in_flight(gauge));
    let running = if gauge.is_some() { running } else { 0 };
    let (bare, _) = Scripted::new(ending);
    let expected = drive(ending, bare, (endings.request)(), |_| (), || ());
    let (inner, alive) = Scripted::new(ending);
    let seen = drive(
        ending,
        wrap(inner),
        (endings.request)(),
        |stage| {
            let over = endings.bodies_apart && stage == Stage::Body;
            let running = if over { 0 } else { running };
            assert_eq!(
                in_flight(),
                running,
                "{ending:?}: in flight, with {stage:?} under way"
            );
        },
        || pass_deadline(endings, capture),
    );
    same(ending, &seen, &expected);
    if let Some(gauge) = gauge {
        assert_eq!(
            capture.in_flight(gauge),
            0,
            "{ending:?}: {gauge} afterwards"
        );
    }
    assert_eq!(
        Arc::strong_count(&alive),
        1,
        "{ending:?}: parts of the service that are still in memory, and the driver's own"
    );
    let counts = capture.telemetry().counts();
    assert_eq!(
        counts.parked_bytes, 0,
        "{ending:?}: bytes that wait for a root"
    );
    assert_eq!(
        counts.ring_full, 0,
        "{ending:?}: records lost for want of room"
    );
}

#[track_caller]
fn same(ending: Ending, seen: &[Seen], expected: &[Seen]) {
    assert_eq!(
        seen, expected,
        "{ending:?}: the wrapped service (left) does not behave as the bare one (right)"
    );
}

#[track_caller]
fn pass_deadline(endings: &Endings, capture: &Capture) {
    let clock = capture
        .manual_clock()
        .expect("deadlines take a capture with a manual clock, to let them pass");
    clock.advance(endings.deadline.unwrap_or_default());
}

/// How many durations were recorded, by `error.type`.
fn durations(endings: &Endings, capture: &Capture) -> BTreeMap<String, u64> {
    let Some(histogram) = &endings.descriptor.duration else {
        return BTreeMap::new();
    };
    capture
        .points()
        .histogram_by(histogram.name, obs_core::semconv::http::ERROR_TYPE.as_str())
        .into_iter()
        .map(|(error, point)| (error, point.count))
        .collect()
}
