//! The README's way to stop: a real signal to a real process, and nothing is lost.

use obs_testing::Receiver;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const DURATION: &str = "http.server.request.duration";

/// The program, with nothing of this process's `OTEL_*` variables.
fn graceful(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graceful"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdout(Stdio::piped());
    command
}

struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(receiver: &Receiver) -> Self {
        let mut process = graceful(&["serve"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
            // Nothing arrives by itself while the test runs: what does, the end brought.
            .env("OTEL_METRIC_EXPORT_INTERVAL", "600000")
            .spawn()
            .expect("the program was built with this test");
        let mut address = String::new();
        BufReader::new(process.stdout.take().expect("piped"))
            .read_line(&mut address)
            .expect("it says where it is");
        Self {
            process,
            address: address.trim_end().to_owned(),
        }
    }

    fn get(&self, path: &str) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }

    fn signal(mut self, name: &str) -> ExitStatus {
        let kill = format!("kill -{name} {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("a shell").success());
        self.process.wait().expect("it is ours")
    }
}

#[track_caller]
fn nothing_is_lost_on(signal: &str) {
    let receiver = Receiver::start().expect("a receiver");
    let service = Service::start(&receiver);
    for id in 0..5 {
        service.get(&format!("/items/{id}"));
    }
    service.get("/nowhere");
    assert_eq!(receiver.points().histogram(DURATION, &[]), None);
    let status = service.signal(signal);
    assert!(status.success(), "{signal}: {status}");

    assert_eq!(receiver.spans().len(), 6, "{signal}");
    let points = receiver.points();
    let by_route = points.histogram_by(DURATION, "http.route");
    let counts: u64 = by_route.values().map(|point| point.count).sum();
    assert_eq!(by_route["/items/{id}"].count, 5, "{signal}");
    assert_eq!(counts, 6, "{signal}");
}

#[test]
fn sigterm_does_not_lose_the_last_spans_and_metrics() {
    nothing_is_lost_on("TERM");
}

#[test]
fn ctrl_c_does_not_lose_the_last_spans_and_metrics() {
    nothing_is_lost_on("INT");
}

/// Its orchestrator would kill it before long, and with it everything that was not sent.
#[test]
fn a_client_that_never_finishes_its_request_does_not_keep_the_service_from_ending() {
    let receiver = Receiver::start().expect("a receiver");
    let service = Service::start(&receiver);
    let mut stuck = TcpStream::connect(&service.address).expect("it listens");
    stuck
        .write_all(b"GET /items/1 HTTP/1.1\r\nho")
        .expect("sent");
    service.get("/items/2");
    let began = Instant::now();
    let status = service.signal("TERM");
    assert!(status.success(), "{status}");
    assert!(began.elapsed() < Duration::from_secs(20), "too late");
    assert_eq!(receiver.spans().len(), 1);
    let points = receiver.points().histogram(DURATION, &[]);
    assert_eq!(points.map(|point| point.count), Some(1));
    drop(stuck);
}

/// What the snippets are for: a signal that nobody handles loses everything.
#[test]
fn a_signal_that_ends_the_process_loses_what_was_not_sent() {
    let receiver = Receiver::start().expect("a receiver");
    let service = Service::start(&receiver);
    service.get("/items/1");
    let status = service.signal("KILL");
    assert_eq!(status.signal(), Some(9));
    assert_eq!(receiver.points().histogram(DURATION, &[]), None);
}

#[test]
fn the_example_ends_by_itself_and_says_what_arrived() {
    let run = graceful(&[]).output().expect("the program was built");
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{text}");
    assert!(
        text.contains("arrived: 3 spans, http.server.request.duration with a count of 3"),
        "{text}"
    );
}
