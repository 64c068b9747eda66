//! The assistant as its users run it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Output, Stdio},
};

/// The program, with nothing of this process's `OTEL_*` variables.
fn assistant(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assistant"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end.
fn quick(environment: &[(&str, &str)]) -> Output {
    let run = assistant(&["--quick"], environment).output();
    run.expect("the program was built with this test")
}

#[track_caller]
fn check_contains(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => panic!("`{part}` is not there, or not in its place:\n{text}"),
        }
    }
}

/// It fails, says so in its last words, and shows no tree as if all were well.
#[track_caller]
fn check_fails(run: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{stderr}");
    check_contains(&stderr, words);
    let stdout = String::from_utf8_lossy(&run.stdout);
    assert!(!stdout.contains("Requests by route"), "{stdout}");
}

#[test]
fn it_shows_every_ending_and_ends_well() {
    let run = quick(&[]);
    let stdout = String::from_utf8_lossy(&run.stdout);
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{stdout}{stderr}");
    check_contains(
        &stdout,
        &[
            "telemetry to a receiver of its own at http://127.0.0.1:",
            "Traces, as received",
            "a normal request\n",
            "GET /ask/{topic} [server] ",
            "retrieve [internal] ",
            "- assistant.retrieval.hits: 3\n",
            "chat small-1 [client] ",
            "remember [internal] ",
            "a failed request",
            "GET /ask/{topic} [server] error ",
            "- error.type: \"503\"\n",
            "chat small-1 [client] error ",
            "- error.type: \"overloaded\"\n",
            "a slow request",
            "chat small-1 [client] 4",
            "a cancelled request",
            "GET /ask/{topic} [server] error ",
            "- error.type: \"cancelled\"\n",
            "Requests by route",
            "/ask/{topic} ",
            "503: 1, cancelled: 1\n",
            "/documents/{id} ",
            "Cost of the instrumentation",
            "measured just now on this machine",
            "median without ",
            "median with ",
            "ratio ",
            "Metrics page: http://127.0.0.1:",
            "http_server_request_duration_seconds_count{",
            "Delivered: ",
            "let go of: 0 on the way, 0 for want of room",
        ],
    );
}

#[test]
fn points_as_deltas_add_up_to_the_same_table() {
    let preference = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let run = quick(&[(preference, "delta")]);
    let stdout = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    // Each of four endings once, and two in each of three rounds of four clients.
    let requests = (4 + 2 * 3 * 4).to_string();
    check_contains(
        &stdout,
        &["/ask/{topic} ", &requests, "503: 1, cancelled: 1\n"],
    );
}

#[test]
fn without_traces_it_fails_and_says_what_is_missing() {
    check_fails(
        &quick(&[("OTEL_TRACES_EXPORTER", "none")]),
        &["telemetry is missing: ", "spans of a normal request"],
    );
}

#[test]
fn without_metrics_it_fails_and_says_what_is_missing() {
    check_fails(
        &quick(&[("OTEL_METRICS_EXPORTER", "none")]),
        &[
            "telemetry is missing: ",
            "of /ask/{topic} are in the metrics",
        ],
    );
}

#[test]
fn with_telemetry_switched_off_it_fails() {
    check_fails(
        &quick(&[("OTEL_SDK_DISABLED", "true")]),
        &["telemetry is missing: "],
    );
}

#[test]
fn a_receiver_that_is_not_there_is_named_as_the_reason() {
    // A free port of the others would be another test's in a moment; nobody listens on the first one.
    check_fails(
        &quick(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]),
        &["telemetry could not be delivered to where OTEL_EXPORTER_OTLP_* says"],
    );
}

#[test]
fn an_unknown_argument_is_refused() {
    let run = assistant(&["--fast"], &[]).output().expect("the program");
    check_fails(&run, &["`--fast` is neither --serve nor --quick"]);
}

#[test]
fn a_receiver_of_others_gets_everything_and_the_trees_are_seen_on_their_way() {
    let receiver = obs_testing::Receiver::start().expect("a port");
    let run = quick(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.endpoint())]);
    let stdout = String::from_utf8_lossy(&run.stdout);
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{stdout}{stderr}");
    check_contains(
        &stdout,
        &[
            "telemetry to where OTEL_EXPORTER_OTLP_* says",
            "Traces, as seen by a subscriber in this program",
            "a cancelled request",
            "503: 1, cancelled: 1\n",
        ],
    );
    let services: Vec<_> = receiver
        .spans()
        .iter()
        .map(|span| span.resource_attr("service.name"))
        .collect();
    assert!(!services.is_empty());
    assert!(
        services
            .iter()
            .all(|name| *name == Some("assistant".into()))
    );
    assert!(
        receiver
            .points()
            .names()
            .contains("http.server.request.duration")
    );
}

#[cfg(unix)]
#[test]
fn serving_goes_on_until_ctrl_c() {
    let mut served = Served(
        assistant(&["--quick", "--serve"], &[])
            .spawn()
            .expect("the program"),
    );
    let stdout = served.0.stdout.take().expect("piped");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "Serving until ctrl-c:"));
    let url = lines.next().expect("a URL");
    let answer = get(url.trim());
    assert!(
        answer.ends_with("\r\n\r\n3 documents speak of tides."),
        "{answer}"
    );
    let interrupt = format!("kill -INT {}", served.0.id());
    let interrupted = Command::new("sh").args(["-c", &interrupt]).status();
    assert!(interrupted.expect("a shell").success());
    assert!(served.0.wait().expect("it ends").success());
}

/// The whole answer, head and body.
fn get(url: &str) -> String {
    let host = url.trim_start_matches("http://");
    let (host, path) = host.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("it serves");
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// Ends with the test, whatever becomes of it.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
