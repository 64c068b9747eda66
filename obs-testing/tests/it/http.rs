//! What the receiver takes, and how it answers.

use crate::client::{PATIENCE, Wire, agent, post, try_post};
use crate::messages::{gzip, one_span, pair, span, text, traces};
use obs_testing::receiver::proto::collector::trace::v1::ExportTraceServiceResponse;
use obs_testing::receiver::proto::common::v1::any_value::Value;
use obs_testing::receiver::{Answer, LARGEST_BODY, Signal};
use obs_testing::{AttrValue, Receiver};
use prost::Message;
use std::time::Duration;

#[test]
fn an_export_comes_out_as_it_went_in() {
    let receiver = Receiver::start().unwrap();
    let mut sent = span(1, 2, 3, "GET /");
    sent.attributes = vec![
        text("text", "a"),
        pair("int", Value::IntValue(-1)),
        pair("double", Value::DoubleValue(0.5)),
        pair("bool", Value::BoolValue(true)),
        pair("bytes", Value::BytesValue(vec![1])),
    ];
    let message = traces(vec![sent.clone()]);
    let (status, body) = post(&receiver, "/v1/traces", &message.encode_to_vec());
    assert_eq!(status, 200);
    assert_eq!(
        ExportTraceServiceResponse::decode(body.as_slice()).unwrap(),
        ExportTraceServiceResponse::default()
    );

    assert_eq!(receiver.traces(), [message]);
    let [received] = receiver.spans().try_into().unwrap();
    assert_eq!(received.span, sent);
    assert_eq!(received.name(), "GET /");
    assert_eq!(received.trace_id(), u128::from_be_bytes([1; 16]));
    assert_eq!(received.span_id(), u64::from_be_bytes([2; 8]));
    assert_eq!(received.parent_span_id(), Some(u64::from_be_bytes([3; 8])));
    assert_eq!(
        (
            received.scope.name.as_str(),
            received.scope.version.as_str()
        ),
        ("obs-http", "1.2.3")
    );
    assert_eq!(received.scope.schema_url, "https://schema/scope");
    assert_eq!(&*received.resource_schema_url, "https://schema/resource");
    assert_eq!(received.resource_attr("service.name"), Some("shop".into()));
    assert_eq!(received.attr("text"), Some("a".into()));
    assert_eq!(received.attr("int"), Some((-1).into()));
    assert_eq!(received.attr("double"), Some(0.5.into()));
    assert_eq!(received.attr("bool"), Some(true.into()));
    assert_eq!(received.attr("bytes"), Some(AttrValue::Bytes(vec![1])));
    assert_eq!(received.attr("absent"), None);
}

#[test]
fn a_connection_serves_request_after_request() {
    let receiver = Receiver::start().unwrap();
    let agent = agent();
    for name in ["first", "second"] {
        let mut response = try_post(&agent, &receiver, "/v1/traces", &one_span(name)).unwrap();
        assert_eq!(response.status(), 200);
        response.body_mut().read_to_vec().unwrap();
    }
    assert_eq!(receiver.connections(), 1);
    assert_eq!(
        receiver
            .requests()
            .iter()
            .map(|request| request.connection)
            .collect::<Vec<_>>(),
        [1, 1]
    );
    assert_eq!(
        receiver
            .spans()
            .iter()
            .map(|span| span.name().to_owned())
            .collect::<Vec<_>>(),
        ["first", "second"]
    );
}

#[test]
fn two_requests_sent_in_one_go_are_told_apart() {
    let receiver = Receiver::start().unwrap();
    let mut wire = Wire::to(&receiver);
    let body = one_span("a");
    let request = |connection: &str| {
        let head = format!(
            "POST /v1/traces?x=y HTTP/1.1\r\nContent-Type: application/x-protobuf; a=b\r\nContent-Length: {}\r\n{connection}\r\n",
            body.len()
        );
        [head.as_bytes(), &body].concat()
    };
    wire.send(&[request(""), request("connection: close\r\n")].concat());
    assert_eq!(wire.answer().status, 200);
    let last = wire.answer();
    assert_eq!(last.status, 200);
    assert!(
        last.headers.contains(&"connection: close".to_owned()),
        "{:?}",
        last.headers
    );
    assert!(wire.rest().is_empty());
    assert_eq!(receiver.spans().len(), 2);
}

#[test]
fn chunked_and_packed_bodies_are_read() {
    let receiver = Receiver::start().unwrap();
    let plain = one_span(&"long ".repeat(200));
    let packed = gzip(&plain);
    let mut wire = Wire::to(&receiver);
    let (one, other) = packed.split_at(packed.len() / 2);
    wire.post(
        "content-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        format!("{:x}\r\n", one.len()).as_bytes(),
    );
    wire.send(&[one, b"\r\n"].concat());
    wire.send(
        &[
            format!("{:X};a=b\r\n", other.len()).as_bytes(),
            other,
            b"\r\n0\r\ntrailer: 1\r\n\r\n",
        ]
        .concat(),
    );
    assert_eq!(wire.answer().status, 200);
    // The connection is still in step.
    wire.post(&format!("content-length: {}\r\n", plain.len()), &plain);
    assert_eq!(wire.answer().status, 200);

    assert_eq!(receiver.traces()[0], receiver.traces()[1]);
    let sizes: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| (request.wire_bytes, request.unpacked_bytes))
        .collect();
    assert_eq!(
        sizes,
        [(packed.len(), plain.len()), (plain.len(), plain.len())]
    );
    let bytes = receiver.byte_counts();
    assert_eq!(
        (bytes.wire, bytes.unpacked),
        (packed.len() + plain.len(), 2 * plain.len())
    );
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let receiver = Receiver::start().unwrap();
    let mut wire = Wire::to(&receiver);
    let body = one_span("a");
    wire.post(
        &format!("expect: 100-continue\r\ncontent-length: {}\r\n", body.len()),
        b"",
    );
    assert_eq!(wire.head(), ["HTTP/1.1 100 Continue"]);
    wire.send(&body);
    assert_eq!(wire.answer().status, 200);
}

#[test]
fn an_empty_export_is_an_export() {
    let receiver = Receiver::start().unwrap();
    for (path, signal) in [
        ("/v1/traces", Signal::Traces),
        ("/v1/metrics", Signal::Metrics),
        ("/v1/logs", Signal::Logs),
    ] {
        assert_eq!(post(&receiver, path, b""), (200, Vec::new()));
        let request = receiver.requests().pop().unwrap();
        assert_eq!((request.signal(), request.accepted()), (Some(signal), true));
    }
    assert_eq!(
        (
            receiver.traces().len(),
            receiver.metrics().len(),
            receiver.logs().len()
        ),
        (1, 1, 1)
    );
}

#[test]
fn headers_of_each_request_are_kept() {
    let receiver = Receiver::start().unwrap();
    let url = format!("{}/v1/traces", receiver.endpoint());
    let request = agent()
        .post(url)
        .header("content-type", "application/x-protobuf")
        .header("X-Tenant", "blue");
    assert_eq!(request.send(&[][..]).unwrap().status(), 200);
    let request = receiver.requests().pop().unwrap();
    assert_eq!(request.header("x-tenant"), Some("blue"));
    assert_eq!(request.header("X-TENANT"), Some("blue"));
    assert_eq!(request.header("x-absent"), None);
}

#[test]
fn what_is_not_otlp_is_refused_and_the_connection_goes_on() {
    let receiver = Receiver::start().unwrap();
    let mut wire = Wire::to(&receiver);
    #[track_caller]
    fn check(wire: &mut Wire, request: &str, expected: u16) {
        wire.send(request.as_bytes());
        let answer = wire.answer();
        assert_eq!(answer.status, expected);
        assert!(!answer.body.is_empty(), "no google.rpc.Status");
    }
    let protobuf = "content-type: application/x-protobuf\r\n";
    check(
        &mut wire,
        &format!("POST /v1/traces HTTP/1.1\r\n{protobuf}content-length: 3\r\n\r\n\u{7f}ab"),
        400,
    );
    check(
        &mut wire,
        &format!(
            "POST /v1/traces HTTP/1.1\r\n{protobuf}content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"
        ),
        400,
    );
    check(
        &mut wire,
        &format!(
            "POST /v1/traces HTTP/1.1\r\n{protobuf}content-encoding: br\r\ncontent-length: 3\r\n\r\nabc"
        ),
        415,
    );
    check(
        &mut wire,
        "POST /v1/traces HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        415,
    );
    check(
        &mut wire,
        &format!("POST /v1/spans HTTP/1.1\r\n{protobuf}content-length: 2\r\n\r\nab"),
        404,
    );
    check(&mut wire, "GET /v1/traces HTTP/1.1\r\n\r\n", 405);
    assert_eq!(receiver.connections(), 1);
    let answers: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| request.answer)
        .collect();
    assert_eq!(answers, [400, 400, 415, 415, 404, 405].map(Answer::Status));
    assert!(receiver.traces().is_empty());
}

#[test]
fn what_is_not_http_is_answered_and_cut_off() {
    #[track_caller]
    fn check(request: &str, expected: u16) {
        let receiver = Receiver::start().unwrap();
        let mut wire = Wire::to(&receiver);
        wire.send(request.as_bytes());
        wire.finish();
        assert_eq!(wire.answer().status, expected);
        assert!(wire.rest().is_empty());
        assert!(receiver.traces().is_empty());
    }
    check("hello\r\n\r\n", 400);
    check("POST /v1/traces HTTP/1.1\r\n", 400);
    check(
        "POST /v1/traces HTTP/1.1\r\ncontent-length: 10\r\n\r\nshort",
        400,
    );
    check(
        "POST /v1/traces HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        400,
    );
    check(
        "POST /v1/traces HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        400,
    );
    check(
        &format!(
            "POST /v1/traces HTTP/1.1\r\ncontent-length: {}\r\n\r\n",
            LARGEST_BODY + 1
        ),
        413,
    );
    check(
        &format!(
            "POST /v1/traces HTTP/1.1\r\nx: {}\r\n\r\n",
            "y".repeat(1 << 17)
        ),
        431,
    );
}

#[test]
fn a_sender_of_too_much_still_reads_the_answer() {
    let receiver = Receiver::start().unwrap();
    let mut wire = Wire::to(&receiver);
    wire.post(
        &format!("content-length: {}\r\n", LARGEST_BODY + 1),
        &vec![0; 4 << 20],
    );
    assert_eq!(wire.answer().status, 413);
}

#[test]
fn waiting_ends_when_it_arrives() {
    let receiver = Receiver::start().unwrap();
    assert!(!receiver.wait_for(Duration::from_millis(1), |receiver| {
        !receiver.spans().is_empty()
    }));
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| receiver.wait_for(PATIENCE, |receiver| receiver.spans().len() == 2));
        post(&receiver, "/v1/traces", &one_span("a"));
        post(&receiver, "/v1/traces", &one_span("b"));
        assert!(waiting.join().unwrap());
    });
    receiver.clear();
    assert!(receiver.requests().is_empty() && receiver.spans().is_empty());
    assert_eq!(receiver.byte_counts(), Default::default());
}

#[test]
fn the_oldest_requests_go_when_there_are_too_many_bytes() {
    let receiver = Receiver::start().unwrap();
    let one = one_span("1").len();
    receiver.retain_at_most(2 * one);
    for name in ["1", "2", "3"] {
        post(&receiver, "/v1/traces", &one_span(name));
    }
    assert_eq!(
        receiver
            .spans()
            .iter()
            .map(|span| span.name().to_owned())
            .collect::<Vec<_>>(),
        ["2", "3"]
    );
    assert_eq!(receiver.forgotten(), 1);
    assert_eq!(receiver.byte_counts().unpacked, 3 * one);
}

#[test]
fn dropping_ends_idle_connections_and_frees_the_port() {
    let receiver = Receiver::start().unwrap();
    let address = receiver.address();
    let wire = Wire::to(&receiver);
    assert!(receiver.wait_for(PATIENCE, |receiver| receiver.connections() == 1));
    drop(receiver);
    assert!(wire.rest().is_empty());
    std::net::TcpListener::bind(address).unwrap();
}

#[test]
fn receivers_do_not_know_each_other() {
    let (one, other) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    post(&one, "/v1/traces", &one_span("a"));
    assert_eq!((one.spans().len(), other.spans().len()), (1, 0));
}
