//! Endings on sockets: hyper-util's client against a server that does what it is told to.

use crate::answers::layer;
use crate::scripted::{Act, STREAM, serve, soon};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use obs_llm::client::{
    InjectedBody, LlmClient, ModelHint, RequestBody, ResponseBody, UsageInjectionLayer,
};
use obs_llm::{Dialect, Llm, LlmClientLayer};
use obs_testing::{Capture, CapturedRecord};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

const DURATION: &str = "gen_ai.client.operation.duration";
const ACTIVE: &str = "obs.llm.client.active_calls";
const ANSWER: &str = include_str!("../corpus/anthropic/text.sse");
const ASKED: &str = r#"{"model":"claude-sonnet-4-5","stream":true,"max_tokens":64,"messages":[]}"#;

type Sends = Client<HttpConnector, RequestBody<Full<Bytes>>>;
type Asks = LlmClient<Sends>;

fn client(capture: &Capture, http2: bool) -> Asks {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http();
    layer(capture).layer(client)
}

fn request(address: SocketAddr) -> Request<Full<Bytes>> {
    let request = Request::post(format!("http://{address}/v1/messages"));
    request.body(Full::from(ASKED)).expect("a request")
}

/// Reads so many bytes.
async fn read(body: &mut ResponseBody<Incoming>, bytes: usize) {
    let mut read = 0;
    while read < bytes {
        let frame = soon(body.frame()).await.expect("more").expect("unbroken");
        read += frame.into_data().expect("data").len();
    }
    assert_eq!(read, bytes);
}

/// The record of the only call.
#[track_caller]
fn over(capture: &Capture, error: Option<&str>) -> CapturedRecord {
    assert_eq!(capture.count(DURATION), 1, "durations");
    assert_eq!(capture.in_flight(ACTIVE), 0, "in flight");
    let mut records = capture.take_records();
    assert_eq!(records.len(), 1, "{records:#?}");
    let record = records.remove(0);
    assert_eq!(record.error_type(), error, "{record:#?}");
    assert_eq!(
        record.text("gen_ai.request.model"),
        Some("claude-sonnet-4-5")
    );
    record
}

#[tokio::test]
async fn what_is_cut_in_the_head_failed() {
    let cuts = ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\ncontent-ty"];
    for cut in cuts {
        for end in [Act::Close, Act::Reset] {
            let capture = Capture::new();
            let server = serve(vec![Act::Send(cut.to_owned()), end]).await;
            let answer = soon(client(&capture, false).oneshot(request(server.address))).await;
            answer.expect_err("no answer");
            over(&capture, Some("service_error"));
        }
    }
}

#[tokio::test]
async fn nobody_there_is_a_call_that_failed_of_the_model_that_was_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let capture = Capture::new();
    let mut request = request(address);
    let hint = ModelHint::from("claude-sonnet-4-5");
    request.extensions_mut().insert(hint);
    let answer = soon(client(&capture, false).oneshot(request)).await;
    answer.expect_err("no answer");
    over(&capture, Some("service_error"));
}

#[tokio::test]
async fn who_gives_up_before_the_head_has_cancelled_it() {
    let capture = Capture::new();
    let server = serve(vec![Act::Hold]).await;
    let asking = client(&capture, false).oneshot(request(server.address));
    tokio::select! {
        _ = asking => panic!("nobody answers"),
        () = soon(server.arrived.notified()) => {}
    }
    over(&capture, Some("cancelled"));
}

/// What is to be known of the first `k` events.
#[track_caller]
fn known(record: &CapturedRecord, events: &[&str]) {
    let of = |what: &str| events.iter().filter(|event| event.contains(what)).count() as i64;
    let int = |name: &str| record.attr(name).and_then(obs_testing::AttrValue::as_i64);
    let contents = Some(of("text_delta")).filter(|count| *count > 0);
    assert_eq!(int("obs.llm.response.chunks"), contents);
    let started = of("message_start") > 0;
    assert_eq!(int("gen_ai.usage.input_tokens"), started.then_some(25));
    let output = if of("message_delta") > 0 { 15 } else { 1 };
    assert_eq!(int("gen_ai.usage.output_tokens"), started.then_some(output));
    let first = record.attr("gen_ai.response.time_to_first_chunk");
    assert_eq!(first.is_some(), contents.is_some());
}

/// Ends an answer after `k` of its events in each way there is.
async fn ended(k: usize, events: &[&str]) {
    let sent = &events[..k];
    let bytes = sent.concat().len();
    let (told, whole) = (k >= events.len() - 1, k == events.len());
    let or = |error: &'static str, fine: bool| (!fine).then_some(error);
    let last = Act::Last;
    let ends = [
        (vec![Act::Hold], or("cancelled", told)),
        (vec![Act::Await, Act::Reset], or("body_error", whole)),
        (vec![Act::Await, Act::Close], or("body_error", whole)),
        (vec![Act::Await, last], or("incomplete_response", told)),
    ];
    for (end, error) in ends {
        let capture = Capture::new();
        let mut acts = vec![Act::Send(STREAM.to_owned())];
        acts.extend(sent.iter().map(|event| Act::Chunk((*event).to_owned())));
        acts.extend(end.iter().cloned());
        let server = serve(acts).await;
        let answer = soon(client(&capture, false).oneshot(request(server.address))).await;
        let mut body = answer.expect("an answer").into_body();
        read(&mut body, bytes).await;
        server.go_on.notify_one();
        if !matches!(end[0], Act::Hold) {
            // The client sees what it would see without us.
            let breaks = matches!(end[1], Act::Reset | Act::Close);
            let rest = soon(body.frame()).await;
            assert_eq!(rest.is_some_and(|frame| frame.is_err()), breaks, "{end:?}");
        }
        drop(body);
        known(&over(&capture, error), sent);
    }
}

#[tokio::test]
async fn after_each_event_an_answer_may_end_in_each_way() {
    let events: Vec<&str> = ANSWER.split_inclusive("\n\n").collect();
    assert_eq!(events.len(), 8);
    for k in 0..=events.len() {
        ended(k, &events).await;
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_call() {
    let capture = Capture::new();
    let answer = Act::Send(format!(
        "{STREAM}{:x}\r\n{ANSWER}\r\n0\r\n\r\n",
        ANSWER.len()
    ));
    let server = serve(vec![answer]).await;
    let client = client(&capture, false);
    for _ in 0..3 {
        let answer = soon(client.clone().oneshot(request(server.address))).await;
        let body = soon(answer.expect("an answer").into_body().collect()).await;
        assert_eq!(body.expect("whole").to_bytes(), ANSWER);
        assert_eq!(capture.take_records().remove(0).error_type(), None);
        // The connection goes back to its pool in a task of its own.
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
    assert_eq!(capture.count(DURATION), 3);
}

/// A server of HTTP/2 whose answers are written by who holds the other end, and what it was asked.
type Answers =
    mpsc::UnboundedReceiver<(http::request::Parts, Bytes, Sender<Bytes, std::io::Error>)>;

async fn serve_http2() -> (SocketAddr, Answers) {
    let (told, answers) = mpsc::unbounded_channel();
    let app = service_fn(move |request: Request<Incoming>| {
        let told = told.clone();
        async move {
            let (head, body) = request.into_parts();
            let asked = body.collect().await?.to_bytes();
            let (writes, body) = Channel::<Bytes, std::io::Error>::new(1);
            let _ = told.send((head, asked, writes));
            let head = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
            Ok::<_, hyper::Error>(head.body(body).expect("a head"))
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(app.clone());
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, answers)
}

#[tokio::test]
async fn over_http2_an_answer_may_end_after_each_event_in_each_way() {
    let events: Vec<&str> = ANSWER.split_inclusive("\n\n").collect();
    let (address, mut answers) = serve_http2().await;
    for k in 0..=events.len() {
        let (told, whole) = (k >= events.len() - 1, k == events.len());
        let or = |error: &'static str, fine: bool| (!fine).then_some(error);
        for end in ["drop", "reset", "end"] {
            let capture = Capture::new();
            let answer = soon(client(&capture, true).oneshot(request(address))).await;
            let mut body = answer.expect("an answer").into_body();
            let (_, _, mut writes) = soon(answers.recv()).await.expect("it was asked");
            for event in &events[..k] {
                let event = Bytes::copy_from_slice(event.as_bytes());
                let len = event.len();
                writes.send_data(event).await.expect("it is read");
                read(&mut body, len).await;
            }
            let error = match end {
                "drop" => or("cancelled", told),
                "reset" => {
                    writes.abort(std::io::Error::other("gone"));
                    soon(body.frame())
                        .await
                        .expect("an end")
                        .expect_err("a reset");
                    or("body_error", whole)
                }
                _ => {
                    drop(writes);
                    let rest = soon((&mut body).collect()).await.expect("unbroken");
                    assert!(rest.to_bytes().is_empty());
                    or("incomplete_response", told)
                }
            };
            drop(body);
            known(&over(&capture, error), &events[..k]);
        }
    }
}

#[tokio::test]
async fn over_http2_what_is_injected_has_its_length() {
    let (address, mut answers) = serve_http2().await;
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let sends: Client<HttpConnector, RequestBody<InjectedBody<Full<Bytes>>>> =
        Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
    let client = UsageInjectionLayer::of(&llm).layer(LlmClientLayer::of(&llm).layer(sends));
    let asks = r#"{"model":"claude-sonnet-4-5","stream":true}"#;
    let url = format!("http://{address}/v1/chat/completions");
    let request = Request::post(url).header(header::CONTENT_LENGTH, asks.len());
    let request = request.body(Full::from(asks)).expect("a request");
    let answer = soon(client.oneshot(request)).await.expect("an answer");
    let (head, body, writes) = soon(answers.recv()).await.expect("it was asked");
    let expect =
        r#"{"model":"claude-sonnet-4-5","stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(body, expect);
    let length = head
        .headers
        .get(header::CONTENT_LENGTH)
        .expect("its length");
    assert_eq!(length, &expect.len().to_string());
    drop(writes);
    soon(answer.into_body().collect()).await.expect("whole");
    over(&capture, Some("incomplete_response"));
}

#[tokio::test]
async fn within_a_call_that_is_observed_already_nothing_counts_twice() {
    let capture = Capture::new();
    let server = serve(vec![
        Act::Send(format!(
            "{STREAM}{:x}\r\n{ANSWER}\r\n0\r\n\r\n",
            ANSWER.len()
        )),
        Act::Close,
    ])
    .await;
    // Twice around one client.
    let sends: Client<HttpConnector, RequestBody<RequestBody<Full<Bytes>>>> =
        Client::builder(TokioExecutor::new()).build_http();
    let twice = layer(&capture).layer(layer(&capture).layer(sends));
    let answer = soon(twice.oneshot(request(server.address))).await;
    let body = answer.expect("an answer").into_body().collect();
    assert_eq!(soon(body).await.expect("whole").to_bytes(), ANSWER);
    over(&capture, None);
}

#[tokio::test]
async fn a_gateway_in_between_is_a_call_of_its_own() {
    let capture = Capture::new();
    let server = serve(vec![
        Act::Send(format!(
            "{STREAM}{:x}\r\n{ANSWER}\r\n0\r\n\r\n",
            ANSWER.len()
        )),
        Act::Close,
    ])
    .await;
    // A gateway that passes on what it is asked, in the task of its connection.
    let onward = client(&capture, false);
    let upstream = server.address;
    let gateway = service_fn(move |request: Request<Incoming>| {
        let onward = onward.clone();
        async move {
            let body = request
                .into_body()
                .collect()
                .await
                .expect("whole")
                .to_bytes();
            let request = Request::builder().method(Method::POST);
            let request = request.uri(format!("http://{upstream}/v1/messages"));
            let request = request.body(Full::from(body)).expect("a request");
            Ok::<_, Infallible>(onward.oneshot(request).await.expect("an answer"))
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let server = hyper::server::conn::http1::Builder::new();
        let service = TowerToHyperService::new(gateway);
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    });
    let answer = soon(client(&capture, false).oneshot(request(address))).await;
    let body = answer.expect("an answer").into_body().collect();
    assert_eq!(soon(body).await.expect("whole").to_bytes(), ANSWER);
    // The gateway's body is dropped by its own task.
    soon(async {
        while capture.in_flight(ACTIVE) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(capture.count(DURATION), 2);
    for record in capture.records() {
        assert_eq!(record.error_type(), None);
        assert_eq!(record.attr("obs.llm.response.chunks"), Some(&2_i64.into()));
    }
}
