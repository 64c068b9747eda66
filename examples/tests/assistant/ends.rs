//! How it ends: whatever ends it, what was recorded is delivered and no process is left behind.

use crate::program::{BEHIND, Served, assistant, check_contains, get};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use obs_testing::{Receiver, eventually};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// How many requests of a path the service has told the receiver of.
fn served(receiver: &Receiver, service: &str, path: &str) -> usize {
    let spans = receiver.spans();
    let of = |span: &&obs_testing::receiver::ReceivedSpan| {
        span.resource_attr("service.name") == Some(service.into())
            && span.attr("url.path") == Some(path.into())
    };
    spans.iter().filter(of).count()
}

#[track_caller]
fn assert_closed(all: &Served, service: &str) {
    let address = all.address(service);
    let closed = eventually(PATIENCE, || TcpStream::connect(&address).is_err());
    assert!(closed, "{service} still listens at {address}");
}

#[track_caller]
fn ends_well_on(signal: Signal) {
    let receiver = Receiver::start().expect("a receiver");
    let mut all = Served::after_the_load(&receiver);
    let answer = all.ask("/ask/moon");
    assert!(
        answer.ends_with("\r\n\r\n2 documents speak of moon. (simulated)"),
        "{answer}"
    );
    all.signal(signal);
    let (status, words) = all.end();
    assert!(status.success(), "{signal}: {status} {words}");
    all.assert_gone();
    // The last request as well: neither had time to send it before the signal.
    assert_eq!(served(&receiver, "assistant-front", "/ask/moon"), 1);
    assert_eq!(served(&receiver, "assistant-knowledge", "/search/moon"), 1);
}

#[test]
fn serving_goes_on_until_ctrl_c() {
    ends_well_on(Signal::SIGINT);
}

#[test]
fn sigterm_ends_all_and_loses_nothing() {
    ends_well_on(Signal::SIGTERM);
}

#[test]
fn sigterm_during_the_load_leaves_no_process_behind() {
    let mut all = Served::start(&["--quick"], None);
    all.read_until("telemetry of all to ");
    all.signal(Signal::SIGTERM);
    let (status, words) = all.end();
    assert_eq!(status.code(), Some(1), "{words}");
    check_contains(&words, &["SIGTERM came before everything was shown"]);
    all.assert_gone();
}

#[test]
fn a_front_that_is_killed_takes_the_other_services_with_it() {
    let receiver = Receiver::start().expect("a receiver");
    let mut all = Served::after_the_load(&receiver);
    all.ask("/ask/moon");
    all.signal(Signal::SIGKILL);
    all.end();
    // Nobody reaps it here, so its number proves nothing: its port and its last words do.
    for service in BEHIND {
        assert_closed(&all, service);
    }
    let told = eventually(PATIENCE, || {
        served(&receiver, "assistant-knowledge", "/search/moon") == 1
    });
    assert!(told, "what it had recorded is lost");
}

#[test]
fn a_knowledge_service_that_dies_is_an_error_in_the_trace_and_an_answer_all_the_same() {
    let receiver = Receiver::start().expect("a receiver");
    let mut all = Served::after_the_load(&receiver);
    all.kill("assistant-knowledge");
    assert_closed(&all, "assistant-knowledge");
    let answer = all.ask("/ask/moon");
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    all.signal(Signal::SIGTERM);
    let (status, words) = all.end();
    // It did what it could, and does not call it well.
    assert_eq!(status.code(), Some(1), "{words}");
    check_contains(&words, &["the knowledge service ended with signal: 9"]);
    all.assert_gone();

    let spans = receiver.spans();
    let server = spans
        .iter()
        .find(|span| span.attr("url.path") == Some("/ask/moon".into()))
        .expect("the request is a span");
    assert_eq!(server.attr("error.type"), Some("502".into()));
    let trace = spans
        .iter()
        .filter(|span| span.trace_id() == server.trace_id());
    let calls: Vec<_> = trace
        .filter(|span| span.name() == "GET /search/{topic}")
        .map(|span| (span.name(), span.attr("error.type")))
        .collect();
    // The call and its two attempts. Which way the first one fails depends on whether its connection was seen to close.
    assert_eq!(calls.len(), 3, "{calls:?}");
    for (_, error) in &calls {
        assert!(error.is_some(), "{calls:?}");
    }
    let refused = |(_, error): &&(_, _)| *error == Some("connection_refused".into());
    assert!(calls.iter().filter(refused).count() >= 2, "{calls:?}");
    // And the business knows.
    let failed = [("assistant.outcome", "knowledge_failed".into())];
    let counted = receiver.points().sum("assistant.answers", &failed);
    assert_eq!(counted.map(|point| point.as_f64()), Some(1.0));
}

#[test]
fn a_tool_service_that_dies_is_an_error_in_the_trace_and_the_answer_goes_without() {
    let receiver = Receiver::start().expect("a receiver");
    let mut all = Served::after_the_load(&receiver);
    all.kill("assistant-tools");
    assert_closed(&all, "assistant-tools");
    // The almanac has been asked before, when the normal request was shown.
    let answer = all.ask("/ask/tides");
    assert!(
        answer.ends_with("\r\n\r\n3 documents speak of tides. (simulated)"),
        "{answer}"
    );
    all.signal(Signal::SIGTERM);
    let (status, words) = all.end();
    assert_eq!(status.code(), Some(1), "{words}");
    check_contains(&words, &["the tool service ended with signal: 9"]);
    all.assert_gone();

    let spans = receiver.spans();
    let asked = spans
        .iter()
        .filter(|span| span.attr("url.path") == Some("/ask/tides".into()));
    let last = asked.max_by_key(|span| span.span.start_time_unix_nano);
    let trace = last.expect("the request is a span").trace_id();
    let calls = spans.iter().filter(|span| {
        span.trace_id() == trace && span.attr("rpc.method") == Some("assistant.Tools/Call".into())
    });
    let mut errors: Vec<_> = calls
        .map(|span| (span.span.kind, span.attr("error.type")))
        .map(|(kind, error)| (kind, error.map(|error| error.to_string())))
        .collect();
    errors.sort();
    // Internal is the call, client each attempt. Whether there is a second one depends on whether its connection was seen to
    // close before the first.
    let (internal, client) = (1, 3);
    let transport = || Some("transport_error".to_owned());
    assert_eq!(errors[0], (internal, transport()), "{errors:?}");
    assert!(
        errors[1..].iter().all(|it| *it == (client, transport())),
        "{errors:?}"
    );
    assert!(errors.len() >= 2, "{errors:?}");
}

#[test]
fn the_knowledge_service_by_itself_logs_to_the_standard_error_and_ends_on_sigterm() {
    let receiver = Receiver::start().expect("a receiver");
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*receiver.endpoint());
    // Nobody's input: it must not take its end for a command.
    let mut process = assistant(&["knowledge"], &[endpoint])
        .stdin(Stdio::null())
        .spawn()
        .expect("the program was built");
    let output = process.stdout.take().expect("piped");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let mut address = |what: &str| {
        let line = lines.next().unwrap_or_default();
        let address = line.strip_prefix(what).map(str::to_owned);
        address.unwrap_or_else(|| panic!("`{line}` does not begin with `{what}`"))
    };
    let service = address("service: ");
    address("without telemetry: ");
    address("metrics: ");
    let answer = get(&service, "/search/clouds");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let id = Pid::from_raw(process.id().cast_signed());
    kill(id, Signal::SIGTERM).expect("it runs");
    let ended = process.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", ended.status);
    let last = lines.last().unwrap_or_default();
    check_contains(&last, &["stopped by SIGTERM; delivered 2 spans"]);

    let spans = receiver.spans();
    let retrieve = spans.iter().find(|span| span.name() == "retrieve");
    let retrieve = retrieve.expect("the search was made");
    let words = String::from_utf8_lossy(&ended.stderr);
    check_contains(
        &words,
        &[
            &format!("\"trace_id\":\"{:032x}\"", retrieve.trace_id()),
            &format!("\"span_id\":\"{:016x}\"", retrieve.span_id()),
            "\"message\":\"searched\"",
        ],
    );
}
