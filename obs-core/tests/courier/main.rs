//! The courier over real sockets: what every answer, silence and absence of a collector comes to.
#![cfg(feature = "otlp")]
#![forbid(unsafe_code)]

mod collector;
mod ends;
mod fork;
mod network;
#[path = "../support/relay.rs"]
#[allow(dead_code, reason = "gRPC says more through it")]
mod relay;

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use obs_core::courier::{
    Account, Batch, Compression, Courier, Destination, Destinations, DropReason, HttpTransport,
    Sent, Settings, Signal, Transport,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;

use collector::{Collector, PATIENCE, Reply, Request};

fn batch(signal: Signal, items: u64) -> Batch {
    Batch::new(
        signal,
        format!("{signal} {items} ").repeat(50).into_bytes(),
        items,
    )
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// A courier, not started, that retries quickly.
fn courier_to(destinations: &Destinations) -> Courier {
    let transport = HttpTransport::new(destinations).expect("usable destinations");
    let quick =
        Settings::default().with_backoff(Duration::from_millis(5), Duration::from_millis(20));
    Courier::new(transport, quick)
}

fn courier(collector: &Collector) -> Courier {
    courier_to(&Destinations::below(&collector.url()))
}

fn gunzip(request: &Request) -> Vec<u8> {
    let mut body = Vec::new();
    GzDecoder::new(request.body.as_slice())
        .read_to_end(&mut body)
        .expect("gzip");
    body
}

#[test]
fn each_signal_arrives_at_its_path_compressed_and_signed() {
    let collector = Collector::start([]);
    let mut destinations = Destinations::below(&collector.url());
    destinations.traces = destinations.traces.with_header("Api-Key", "k1");
    destinations.logs = destinations.logs.with_timeout(Duration::MAX);
    let courier = courier_to(&destinations);
    let batches = Signal::ALL.map(|signal| batch(signal, 3));
    for batch in &batches {
        courier.outbox().push(batch.clone());
    }
    courier.flush(soon()).expect("delivered");
    let requests = collector.requests();
    assert_eq!(requests.len(), 3);
    for (request, batch) in requests.iter().zip(&batches) {
        assert_eq!(request.line, format!("POST /v1/{} HTTP/1.1", batch.signal));
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        assert_eq!(request.headers["content-encoding"], "gzip");
        assert!(request.headers["user-agent"].starts_with("obs-otlp-rust/"));
        assert_eq!(gunzip(request), *batch.body);
        assert!(request.body.len() < batch.body.len());
    }
    assert_eq!(requests[0].headers["api-key"], "k1");
    assert!(!requests[1].headers.contains_key("api-key"));
}

#[test]
fn headers_that_say_how_long_a_body_is_are_the_clients_own() {
    let collector = Collector::start([]);
    let mut destinations = Destinations::below(&collector.url());
    let logs = destinations.logs.with_header("Content-Length", "3");
    destinations.logs = logs.with_header("transfer-encoding", "chunked");
    let courier = courier_to(&destinations);
    courier.outbox().push(batch(Signal::Logs, 1));
    courier.flush(soon()).expect("delivered at once");
    assert_eq!(courier.accounts().retries, 0);
    assert_eq!(
        gunzip(&collector.requests()[0]),
        *batch(Signal::Logs, 1).body
    );
}

#[test]
fn one_connection_is_kept_for_all() {
    let collector = Collector::start([Reply::status(200), Reply::protobuf(400, vec![0; 100])]);
    let courier = courier(&collector);
    for signal in Signal::ALL.into_iter().cycle().take(9) {
        courier.outbox().push(batch(signal, 1));
    }
    courier.flush(soon()).expect_err("one was refused");
    let connections: Vec<_> = collector
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [0; 9]);
}

#[test]
fn bodies_go_as_they_are_without_compression() {
    let collector = Collector::start([]);
    let mut destinations = Destinations::below(&collector.url());
    destinations.logs =
        Destination::at(format!("{}/in?x=1", collector.url())).with_compression(Compression::None);
    let courier = courier_to(&destinations);
    courier.outbox().push(batch(Signal::Logs, 1));
    courier.flush(soon()).expect("delivered");
    let [request] = &collector.requests()[..] else {
        panic!("one request")
    };
    assert_eq!(request.line, "POST /in?x=1 HTTP/1.1");
    assert!(!request.headers.contains_key("content-encoding"));
    assert_eq!(*request.body, *batch(Signal::Logs, 1).body);
}

/// Sends ten items, of which `delivered` must arrive and `rejected` be counted, and returns the last problem.
#[track_caller]
fn check_answer(reply: Reply, delivered: u64, rejected: u64) -> String {
    let collector = Collector::start([reply]);
    let courier = courier(&collector);
    courier.outbox().push(batch(Signal::Traces, 10));
    let flushed = courier.flush(soon());
    assert_eq!(flushed.is_err(), rejected > 0, "{flushed:?}");
    assert_eq!(flushed.map_or_else(|error| error.lost(), |()| 0), rejected);
    let account = courier.accounts().traces;
    assert_eq!(account.delivered, delivered);
    assert_eq!(account.dropped.by(DropReason::Rejected), rejected);
    assert_eq!(courier.accounts().retries, 0);
    assert_eq!(collector.requests().len(), 1);
    courier.last_problem().unwrap_or_default()
}

#[test]
fn partial_success_is_counted_and_its_reason_kept() {
    let answer = |rejected, message: &str| {
        let partial = ExportTracePartialSuccess {
            rejected_spans: rejected,
            error_message: message.into(),
        };
        Reply::protobuf(
            200,
            ExportTraceServiceResponse {
                partial_success: Some(partial),
            }
            .encode_to_vec(),
        )
    };
    assert!(check_answer(answer(4, "too old"), 6, 4).contains("rejected 4 of 10 items: too old"));
    assert!(check_answer(answer(0, "deprecated field"), 10, 0).contains("deprecated field"));
    assert_eq!(check_answer(answer(0, ""), 10, 0), "");
    assert_eq!(check_answer(Reply::status(202), 10, 0), "");
}

#[test]
fn a_partial_success_with_a_long_explanation_is_counted() {
    let partial = ExportTracePartialSuccess {
        rejected_spans: 4,
        error_message: "span 00f067aa0ba902b7 is too old; ".repeat(4_000),
    };
    let answer = ExportTraceServiceResponse {
        partial_success: Some(partial),
    };
    let said = check_answer(Reply::protobuf(200, answer.encode_to_vec()), 6, 4);
    assert!(said.contains("rejected 4 of 10 items: span"), "{said}");
}

#[test]
fn an_answer_that_makes_no_sense_is_still_a_success() {
    check_answer(Reply::protobuf(200, vec![0xff; 30]), 10, 0);
    check_answer(
        Reply::Answer(
            200,
            vec![("Content-Type", "text/html".into())],
            b"\x0a\x02\x08\x05".to_vec(),
        ),
        10,
        0,
    );
    check_answer(
        Reply::Answer(
            200,
            vec![("Retry-After", "soon".into())],
            vec![b'x'; 200_000],
        ),
        10,
        0,
    );
}

#[test]
fn a_final_status_drops_the_batch_and_says_why() {
    // google.rpc.Status { code: 3, message: "bad span" }
    let status = Reply::protobuf(400, b"\x08\x03\x12\x08bad span".to_vec());
    let problem = check_answer(status, 0, 10);
    assert!(
        problem.contains("/v1/traces: HTTP 400") && problem.contains("bad span"),
        "{problem}"
    );
    let page = Reply::Answer(
        413,
        vec![("Content-Type", "text/plain".into())],
        b"too large\n".to_vec(),
    );
    assert!(check_answer(page, 0, 10).ends_with("too large"));
    for status in [301, 307, 401, 403, 404, 408, 500, 501] {
        check_answer(Reply::status(status), 0, 10);
    }
}

#[test]
fn a_redirect_does_not_carry_credentials_away() {
    let elsewhere = Collector::start([]);
    let collector = Collector::start([Reply::Answer(
        307,
        vec![("Location", elsewhere.url())],
        Vec::new(),
    )]);
    let courier = courier(&collector);
    courier.outbox().push(batch(Signal::Traces, 1));
    courier.flush(soon()).expect_err("not followed");
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn passing_failures_are_tried_again() {
    let script = [429, 502, 503, 504]
        .map(Reply::status)
        .into_iter()
        .chain([Reply::HangUp]);
    let collector = Collector::start(script);
    let courier = courier(&collector);
    courier.start().expect("a thread");
    courier.outbox().push(batch(Signal::Metrics, 10));
    let requests = collector.wait_for(6);
    courier
        .shutdown(soon())
        .expect("delivered at the sixth try");
    assert!(
        requests
            .iter()
            .all(|request| *gunzip(request) == *batch(Signal::Metrics, 10).body)
    );
    assert_eq!(courier.accounts().retries, 5);
    assert_eq!(courier.accounts().metrics.delivered, 10);
}

#[test]
fn retry_after_is_honoured_even_by_a_flush() {
    let date = |second: u32| format!("Sun, 06 Nov 1994 08:49:{second:02} GMT");
    let seconds = Reply::Answer(503, vec![("Retry-After", "1".into())], Vec::new());
    let until = Reply::Answer(
        429,
        vec![("Date", date(10)), ("Retry-After", date(11))],
        Vec::new(),
    );
    let collector = Collector::start([seconds, until]);
    let courier = courier(&collector);
    courier.start().expect("a thread");
    courier.outbox().push(batch(Signal::Traces, 1));
    collector.wait_for(1);
    courier.flush(soon()).expect("delivered at the third try");
    let at: Vec<_> = collector
        .requests()
        .iter()
        .map(|request| request.at)
        .collect();
    for pair in at.windows(2) {
        let waited = pair[1] - pair[0];
        // The wait begins when the answer is read, which is after the request was.
        assert!(
            waited >= Duration::from_secs(1) && waited < PATIENCE,
            "{waited:?}"
        );
    }
    assert_eq!(at.len(), 3);
}

#[test]
fn a_collector_that_comes_up_later_gets_everything() {
    let place = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = place.local_addr().expect("bound");
    drop(place);
    let courier = courier_to(&Destinations::below(&format!("http://{address}")));
    courier.start().expect("a thread");
    for items in 1..=5 {
        courier.outbox().push(batch(Signal::Traces, items));
    }
    let deadline = soon();
    while courier.accounts().retries < 3 {
        assert!(Instant::now() < deadline, "no attempt was made");
        std::thread::yield_now();
    }
    assert_eq!(courier.accounts().traces.pending, 15);
    assert!(
        courier
            .last_problem()
            .is_some_and(|problem| problem.contains("refused"))
    );
    let collector = Collector::start_at(address, []);
    courier.flush(soon()).expect("delivered");
    let order: Vec<_> = collector.requests().iter().map(gunzip).collect();
    let expect: Vec<_> = (1..=5)
        .map(|items| batch(Signal::Traces, items).body.to_vec())
        .collect();
    assert_eq!(order, expect, "in the order of arrival");
}

#[test]
fn one_signal_without_a_collector_does_not_hold_up_the_others() {
    let collector = Collector::start([]);
    let mut destinations = Destinations::below(&collector.url());
    let unbound = TcpListener::bind("127.0.0.1:0")
        .and_then(|place| place.local_addr())
        .expect("a loopback port");
    destinations.traces = Destination::below(&format!("http://{unbound}"), Signal::Traces);
    let courier = courier_to(&destinations);
    for _ in 0..3 {
        courier.outbox().push(batch(Signal::Traces, 2));
        courier.outbox().push(batch(Signal::Metrics, 1));
    }
    let error = courier
        .flush(Instant::now() + Duration::from_millis(300))
        .expect_err("traces have nowhere to go");
    assert_eq!((error.pending(), error.lost()), (6, 0));
    assert_eq!(courier.accounts().metrics.delivered, 3);
}

#[test]
fn overflow_drops_the_oldest_and_every_item_is_accounted_for() {
    let place = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = place.local_addr().expect("bound");
    drop(place);
    let transport =
        HttpTransport::new(&Destinations::below(&format!("http://{address}"))).expect("usable");
    let cap = 64 << 10;
    let settings = Settings::default()
        .with_capacity_bytes(cap)
        .with_backoff(Duration::from_millis(5), Duration::from_millis(20));
    let courier = Courier::new(transport, settings);
    courier.start().expect("a thread");
    let mut most = 0;
    for _ in 0..1000 {
        courier
            .outbox()
            .push(Batch::new(Signal::Traces, vec![7; 1000], 3));
        let accounts = courier.accounts();
        assert!(accounts.traces.is_balanced(), "{accounts:?}");
        most = most.max(accounts.pending_bytes);
    }
    assert!(
        most <= cap as u64 && most > cap as u64 * 95 / 100,
        "{most} of {cap} bytes used"
    );
    let collector = Collector::start_at(address, []);
    courier.flush(soon()).expect("what is left is delivered");
    let Account {
        accepted,
        delivered,
        dropped,
        pending,
        ..
    } = courier.accounts().traces;
    assert_eq!((accepted, pending), (3000, 0));
    assert_eq!(delivered, 3 * collector.requests().len() as u64);
    assert_eq!(dropped.by(DropReason::QueueFull), 3000 - delivered);
    let error = courier.shutdown(soon()).expect_err("never Ok after a loss");
    assert_eq!(error.lost(), 3000 - delivered);
}

#[test]
#[cfg(all(feature = "zstd", not(loom)))]
fn a_body_made_small_by_zstd_is_read_by_its_reference() {
    let collector = Collector::start([]);
    let mut destinations = Destinations::below(&collector.url());
    destinations.logs = destinations.logs.with_compression(Compression::Zstd);
    let courier = courier_to(&destinations);
    courier.outbox().push(batch(Signal::Logs, 1));
    courier.flush(soon()).expect("delivered");
    let [request] = &collector.requests()[..] else {
        panic!("one request")
    };
    assert_eq!(request.headers["content-encoding"], "zstd");
    let body = zstd::decode_all(&*request.body).expect("zstd");
    assert_eq!(body, *batch(Signal::Logs, 1).body);
    assert!(request.body.len() < body.len());
}

/// A busy machine may be late by itself, so once in so many times is enough. Who waits for the other side always is.
const TRIES: usize = 8;

/// What a transport says of an attempt that has `TIMEOUT`, and that it keeps to it.
#[track_caller]
fn check_in_time(destinations: &Destinations) -> Sent {
    const TIMEOUT: Duration = Duration::from_millis(300);
    let mut destinations = destinations.clone();
    destinations.traces = destinations.traces.with_timeout(TIMEOUT);
    let mut transport = HttpTransport::new(&destinations).expect("usable");
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let started = Instant::now();
        let sent = transport.send(&batch(Signal::Traces, 1), soon());
        took.push(started.elapsed());
        assert!(matches!(sent, Sent::Retry { .. }), "{sent:?}");
        if took
            .last()
            .is_some_and(|took| *took <= TIMEOUT + Duration::from_millis(100))
        {
            return sent;
        }
    }
    panic!("{took:?}");
}

#[test]
fn an_answer_whose_body_never_ends_counts_by_its_status_when_the_time_is_up() {
    let collector = Collector::start(vec![Reply::DripBody(Duration::from_millis(10)); TRIES]);
    let sent = check_in_time(&Destinations::below(&collector.url()));
    let Sent::Retry { why, .. } = sent else {
        unreachable!()
    };
    assert!(why.contains("503"), "{why}");
}

#[test]
#[cfg(not(loom))]
fn a_connection_that_is_never_made_ends_with_the_attempts_timeout() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    // A queue of one, filled: the kernel says nothing to whoever comes next.
    let (address, _full) = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        let any = "127.0.0.1:0".parse().expect("an address");
        socket.bind(any).expect("a loopback port");
        let listener = socket.listen(1).expect("listening");
        let address = listener.local_addr().expect("bound");
        let mut waiting = Vec::new();
        loop {
            let connect = tokio::net::TcpStream::connect(address);
            match tokio::time::timeout(Duration::from_millis(300), connect).await {
                Ok(stream) => waiting.push(stream.expect("queued")),
                Err(_) => break,
            }
            assert!(waiting.len() < 100, "the queue never fills");
        }
        (address, (listener, waiting))
    });
    check_in_time(&Destinations::below(&format!("http://{address}")));
}

#[test]
fn an_attempt_ends_with_its_own_timeout() {
    let collector = Collector::start([Reply::Silence, Reply::Drip(Duration::from_millis(10))]);
    let mut destinations = Destinations::below(&collector.url());
    destinations.traces = destinations.traces.with_timeout(Duration::from_millis(100));
    let courier = courier_to(&destinations);
    courier.start().expect("a thread");
    courier.outbox().push(batch(Signal::Traces, 1));
    collector.wait_for(3);
    courier
        .shutdown(soon())
        .expect("delivered at the third try");
    assert_eq!(courier.accounts().retries, 2);
}
