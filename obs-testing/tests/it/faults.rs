//! Each fault, as a client sees it.

use crate::client::{PATIENCE, Wire, agent, post, try_post};
use crate::messages::one_span;
use obs_testing::Receiver;
use obs_testing::receiver::Answer;
use obs_testing::receiver::proto::collector::{logs, metrics, trace};
use prost::Message;
use std::time::{Duration, Instant};

/// So short that waiting it out costs a test little.
const SHORT: Duration = Duration::from_millis(50);

fn answers(receiver: &Receiver) -> Vec<Answer> {
    receiver
        .requests()
        .iter()
        .map(|request| request.answer)
        .collect()
}

#[test]
fn failures_are_counted_down() {
    let receiver = Receiver::start().unwrap();
    receiver.fail_next(2, 503, Some(Duration::from_millis(1_500)));
    let mut wire = Wire::to(&receiver);
    let body = one_span("a");
    for (expected, retry_after) in [(503, true), (503, true), (200, false)] {
        wire.post(&format!("content-length: {}\r\n", body.len()), &body);
        let answer = wire.answer();
        assert_eq!(answer.status, expected);
        assert_eq!(
            answer.headers.contains(&"retry-after: 2".to_owned()),
            retry_after,
            "{:?}",
            answer.headers
        );
    }
    assert_eq!(receiver.spans().len(), 1, "only what was accepted counts");
    assert_eq!(answers(&receiver), [503, 503, 200].map(Answer::Status));
    assert!(
        receiver
            .requests()
            .iter()
            .all(|request| request.payload.is_some()),
        "what failed can still be looked at"
    );
}

#[test]
fn failures_of_any_status_carry_a_status_message() {
    /// `google.rpc.Status`.
    #[derive(Clone, PartialEq, Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
    }
    let receiver = Receiver::start().unwrap();
    for (status, code) in [
        (400, 3),
        (401, 16),
        (429, 8),
        (500, 2),
        (502, 14),
        (504, 14),
        (599, 2),
    ] {
        receiver.fail_next(1, status, None);
        let (answered, body) = post(&receiver, "/v1/traces", &one_span("a"));
        let told = Status::decode(body.as_slice()).unwrap();
        assert_eq!((answered, told.code), (status, code));
        assert!(!told.message.is_empty());
    }
    assert!(receiver.spans().is_empty());
}

#[test]
fn silence_lasts_until_it_is_switched_off() {
    let receiver = Receiver::start().unwrap();
    receiver.never_answer(true);
    let mut wire = Wire::to(&receiver);
    let body = one_span("a");
    wire.post(&format!("content-length: {}\r\n", body.len()), &body);
    let impatient = ureq::Agent::config_builder()
        .timeout_global(Some(SHORT))
        .build()
        .into();
    let error = try_post(&impatient, &receiver, "/v1/traces", &body).unwrap_err();
    assert!(matches!(error, ureq::Error::Timeout(_)), "{error:?}");
    assert!(receiver.wait_for(PATIENCE, |receiver| receiver.requests().len() == 2));
    assert_eq!(answers(&receiver), [Answer::Never, Answer::Never]);
    assert!(receiver.spans().is_empty());

    receiver.never_answer(false);
    assert!(wire.rest().is_empty(), "never means never");
    assert_eq!(post(&receiver, "/v1/traces", &body).0, 200);
}

#[test]
fn a_silent_receiver_can_be_dropped() {
    let receiver = Receiver::start().unwrap();
    receiver.never_answer(true);
    let mut wire = Wire::to(&receiver);
    wire.post("content-length: 0\r\n", b"");
    assert!(receiver.wait_for(PATIENCE, |receiver| receiver.requests().len() == 1));
    drop(receiver);
    assert!(wire.rest().is_empty());
}

#[test]
fn a_late_answer_comes_late_and_the_export_counts_at_once() {
    let receiver = Receiver::start().unwrap();
    receiver.delay(PATIENCE * 100);
    let impatient = ureq::Agent::config_builder()
        .timeout_global(Some(SHORT))
        .build()
        .into();
    try_post(&impatient, &receiver, "/v1/traces", &one_span("a")).unwrap_err();
    assert!(receiver.wait_for(PATIENCE, |receiver| receiver.spans().len() == 1));

    receiver.delay(SHORT);
    let begun = Instant::now();
    assert_eq!(post(&receiver, "/v1/traces", &one_span("a")).0, 200);
    assert!(begun.elapsed() >= SHORT);
    // The first is still being delayed; dropping does not wait for it.
}

#[test]
fn an_answer_can_drip() {
    let receiver = Receiver::start().unwrap();
    receiver.drip(Duration::from_micros(10));
    let (status, body) = post(&receiver, "/v1/traces", &one_span("a"));
    assert_eq!((status, body.as_slice()), (200, &[][..]));
    receiver.drip(PATIENCE);
    let mut wire = Wire::to(&receiver);
    wire.post("content-length: 0\r\n", b"");
    assert!(receiver.wait_for(PATIENCE, |receiver| receiver.requests().len() == 2));
    drop(receiver);
    assert!(wire.rest().is_empty());
}

#[test]
fn hanging_up_leaves_no_answer() {
    let receiver = Receiver::start().unwrap();
    receiver.hang_up_next(1);
    let body = one_span("a");
    let mut wire = Wire::to(&receiver);
    wire.post(&format!("content-length: {}\r\n", body.len()), &body);
    assert!(wire.rest().is_empty());
    assert_eq!(post(&receiver, "/v1/traces", &body).0, 200);
    assert_eq!(answers(&receiver), [Answer::HungUp, Answer::Status(200)]);
    assert_eq!(receiver.spans().len(), 1);
}

#[test]
fn partial_success_is_told_for_each_signal() {
    let receiver = Receiver::start().unwrap();
    receiver.partial_success(3);
    let (status, body) = post(&receiver, "/v1/traces", &one_span("a"));
    let traces = trace::v1::ExportTraceServiceResponse::decode(body.as_slice())
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!((status, traces.rejected_spans), (200, 3));
    let body = post(&receiver, "/v1/metrics", b"").1;
    let metrics = metrics::v1::ExportMetricsServiceResponse::decode(body.as_slice())
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!(metrics.rejected_data_points, 3);
    let body = post(&receiver, "/v1/logs", b"").1;
    let logs = logs::v1::ExportLogsServiceResponse::decode(body.as_slice())
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!(logs.rejected_log_records, 3);
    assert!(!traces.error_message.is_empty());
    assert_eq!(
        receiver.spans().len(),
        1,
        "what was said to be rejected is kept for the test to see"
    );

    receiver.partial_success(0);
    assert_eq!(
        post(&receiver, "/v1/traces", &one_span("a")),
        (200, Vec::new())
    );
}

#[test]
fn a_closed_port_refuses_and_comes_back() {
    let receiver = Receiver::start().unwrap();
    let agent = agent();
    let idle = Wire::to(&receiver);
    assert_eq!(
        try_post(&agent, &receiver, "/v1/traces", &one_span("before"))
            .unwrap()
            .status(),
        200
    );
    let endpoint = receiver.endpoint();

    receiver.refuse_connections();
    assert!(idle.rest().is_empty(), "open connections go too");
    for _ in 0..3 {
        let error = std::net::TcpStream::connect(receiver.address()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    }
    try_post(&agent, &receiver, "/v1/traces", &one_span("during")).unwrap_err();
    receiver.refuse_connections();

    receiver.accept_connections().unwrap();
    receiver.accept_connections().unwrap();
    assert_eq!(receiver.endpoint(), endpoint);
    assert_eq!(
        try_post(&agent, &receiver, "/v1/traces", &one_span("after"))
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        receiver
            .spans()
            .iter()
            .map(|span| span.name().to_owned())
            .collect::<Vec<_>>(),
        ["before", "after"]
    );
}

#[test]
fn a_receiver_that_refuses_can_be_dropped() {
    let receiver = Receiver::start().unwrap();
    receiver.refuse_connections();
}
