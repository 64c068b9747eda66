//! The gateway as its users run it, before upstreams that the test plays itself. What OpenAI's own client sees of it, the gate
//! holds against what it tells.

use obs_testing::Receiver;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// The program, with nothing of this process's settings.
fn ai_gateway(arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ai_gateway"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("OTEL_") || name.starts_with("GATEWAY_") {
            command.env_remove(&*name);
        }
    }
    command
        .args(arguments)
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

struct Gateway {
    process: Child,
    address: String,
}

impl Gateway {
    fn start(receiver: &Receiver, settings: &[(&str, &str)]) -> Self {
        let process = ai_gateway(&["serve"], settings)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
            .spawn()
            .expect("the program was built with this test");
        let mut gateway = Self {
            process,
            address: String::new(),
        };
        let lines = BufReader::new(gateway.process.stdout.take().expect("piped")).lines();
        for line in lines.map_while(Result::ok) {
            if let Some(found) = line.strip_prefix("gateway: http://") {
                gateway.address = found.trim_end_matches("/v1").to_owned();
            }
            if line == "ready" {
                return gateway;
            }
        }
        panic!("it did not begin");
    }

    /// Asks, and has read nothing yet.
    fn ask(&self, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        // Whoever is told that it is too much stops reading.
        _ = stream.write_all(body.as_bytes());
        stream
    }

    fn end(mut self) -> ExitStatus {
        let kill = format!("kill -TERM {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("a shell").success());
        self.process.wait().expect("it is ours")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// One that is listened to, and its base for the settings.
fn upstream() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}/base/v1", listener.local_addr().expect("bound"));
    (listener, base)
}

/// The head of a request, and its connection.
fn head(listener: &TcpListener) -> (String, BufReader<TcpStream>) {
    let (stream, _) = listener.accept().expect("asked");
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).expect("a head"), 0, "{head}");
    }
    (head.to_ascii_lowercase(), reader)
}

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const STREAMED: &str = r#"{"model":"m","stream":true,"messages":[]}"#;
const NOWHERE: &str = "http://127.0.0.1:1/v1";

#[test]
fn it_shows_itself_and_ends_well() {
    let run = ai_gateway(&[], &[])
        .output()
        .expect("the program was built");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(run.status.success(), "{stdout}{stderr}");
    let mut rest = &*stdout;
    for part in [
        "behind it two upstreams that are simulated",
        "17 spans, 6 of them calls of models, of which metrics count 6",
        "the second streams",
        "- error.type: \"rate_limit_exceeded\"",
        "- gen_ai.provider.name: \"simulated-second\"",
        "the upstream breaks off",
        "- error.type: \"body_error\"",
        "the client leaves",
        "- error.type: \"cancelled\"",
        "SIGTERM while it streams",
        "- gen_ai.response.finish_reasons: [\"stop\"]",
        "- gen_ai.usage.output_tokens: 12",
        "ann               30 tokens",
        "ben               15 tokens",
    ] {
        let found = rest.split_once(part);
        (_, rest) = found.unwrap_or_else(|| panic!("no `{part}` in its place:\n{stdout}"));
    }
}

#[test]
fn an_upstream_is_asked_with_its_own_key_and_told_of_the_trace() {
    let receiver = Receiver::start().expect("a receiver");
    let (listener, base) = upstream();
    let settings = [
        ("GATEWAY_FIRST_URL", &*base),
        ("GATEWAY_FIRST_PROVIDER", "played"),
        ("GATEWAY_FIRST_KEY", "of-the-gateway"),
        ("GATEWAY_SECOND_URL", NOWHERE),
    ];
    let gateway = Gateway::start(&receiver, &settings);
    let headers = "Authorization: Bearer of-the-client\r\nAccept-Encoding: gzip, zstd\r\nX-Own: 1\r\nCookie: a=b\r\nTE: trailers\r\nOpenAI-Organization: theirs\r\n";
    let asked = gateway.ask(headers, CHAT);
    let (head, mut reader) = head(&listener);
    let mut body = vec![0; CHAT.len()];
    reader.read_exact(&mut body).expect("a body");
    assert_eq!(body, CHAT.as_bytes());
    let said =
        r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    write!(
        reader.get_mut(),
        "HTTP/1.1 400 No\r\ncontent-type: application/json\r\nx-theirs: 2\r\nset-cookie: c=d\r\nkeep-alive: timeout=5\r\ncontent-length: {}\r\n\r\n{said}",
        said.len()
    )
    .expect("answered");
    let got = answer(asked);
    assert!(
        got.starts_with("HTTP/1.1 400 ") && got.ends_with(said),
        "{got}"
    );
    assert!(got.contains("\r\nx-theirs: 2\r\n"), "{got}");
    assert!(got.contains("\r\nx-gateway-upstream: played\r\n"), "{got}");
    for header in ["set-cookie", "keep-alive"] {
        assert!(!got.contains(header), "{got}");
    }

    assert!(
        head.starts_with("post /base/v1/chat/completions http/1.1\r\n"),
        "{head}"
    );
    for header in [
        "authorization: bearer of-the-gateway",
        "accept-encoding: gzip, zstd",
        "x-own: 1",
    ] {
        assert!(head.contains(&format!("\r\n{header}\r\n")), "{head}");
    }
    for header in [
        "of-the-client",
        "cookie",
        "\r\nte:",
        "theirs",
        "host: gateway",
    ] {
        assert!(!head.contains(header), "{head}");
    }
    drop(reader);
    assert!(gateway.end().success());
    let spans = receiver.spans();
    let attempt = spans
        .iter()
        .find(|span| span.name() == "POST")
        .expect("an attempt");
    let (trace, span) = (attempt.trace_id(), attempt.span_id());
    assert!(
        head.contains(&format!("\r\ntraceparent: 00-{trace:032x}-{span:016x}-")),
        "{head}"
    );
    let call = spans
        .iter()
        .find(|span| span.name() == "chat m")
        .expect("a call");
    assert_eq!(call.attr("gen_ai.provider.name"), Some("played".into()));
    assert_eq!(attempt.parent_span_id(), Some(call.span_id()));
}

#[test]
fn where_no_upstream_is_there_it_says_so_as_openai_would() {
    let receiver = Receiver::start().expect("a receiver");
    let settings = [
        ("GATEWAY_FIRST_URL", NOWHERE),
        ("GATEWAY_FIRST_PROVIDER", "one"),
        ("GATEWAY_SECOND_URL", NOWHERE),
        ("GATEWAY_SECOND_PROVIDER", "other"),
    ];
    let gateway = Gateway::start(&receiver, &settings);
    let got = answer(gateway.ask("", CHAT));
    let (head, body) = got.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 502 "), "{got}");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["error"]["code"], "upstream_unreachable");
    assert_eq!(body["error"]["type"], "api_error");
    assert!(gateway.end().success());

    let spans = receiver.spans();
    let mut calls: Vec<_> = spans
        .iter()
        .filter_map(|span| Some((span.attr("gen_ai.provider.name")?.to_string(), span)))
        .collect();
    calls.sort_by(|(one, _), (other, _)| one.cmp(other));
    let providers: Vec<_> = calls
        .iter()
        .map(|(provider, _)| provider.as_str())
        .collect();
    assert_eq!(providers, ["one", "other"]);
    for (_, call) in calls {
        assert_eq!(call.attr("error.type"), Some("service_error".into()));
        let attempts = spans
            .iter()
            .filter(|span| span.parent_span_id() == Some(call.span_id()));
        assert_eq!(attempts.count(), 2, "a connection is tried for twice");
    }
}

#[test]
fn an_upstream_that_accepts_and_never_answers_is_passed_over() {
    let receiver = Receiver::start().expect("a receiver");
    let (silent, first) = upstream();
    let (other, second) = upstream();
    let settings = [
        ("GATEWAY_FIRST_URL", &*first),
        ("GATEWAY_FIRST_PROVIDER", "silent"),
        ("GATEWAY_SECOND_URL", &*second),
        ("GATEWAY_SECOND_PROVIDER", "other"),
        ("GATEWAY_PATIENCE_MS", "200"),
    ];
    let gateway = Gateway::start(&receiver, &settings);
    let asked = gateway.ask("", CHAT);
    let (_, held) = head(&silent);
    let (_, mut reader) = head(&other);
    write!(
        reader.get_mut(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{{}}"
    )
    .expect("answered");
    let got = answer(asked);
    assert!(got.contains("\r\nx-gateway-upstream: other\r\n"), "{got}");
    drop((held, reader));
    assert!(gateway.end().success());
    let spans = receiver.spans();
    let silent = spans
        .iter()
        .find(|span| span.attr("gen_ai.provider.name") == Some("silent".into()));
    // A layer within it gave up.
    assert_eq!(
        silent.expect("a call").attr("error.type"),
        Some("timeout".into())
    );
}

#[test]
fn a_refusal_that_is_too_long_to_be_held_is_one_all_the_same() {
    let receiver = Receiver::start().expect("a receiver");
    let (listener, base) = upstream();
    let settings = [
        ("GATEWAY_FIRST_URL", &*base),
        ("GATEWAY_FIRST_PROVIDER", "played"),
        ("GATEWAY_SECOND_URL", NOWHERE),
    ];
    let gateway = Gateway::start(&receiver, &settings);
    let asked = gateway.ask("", CHAT);
    let (_, mut reader) = head(&listener);
    let long = "x".repeat(100 * 1024);
    write!(
        reader.get_mut(),
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{long}",
        long.len()
    )
    .expect("answered");
    let got = answer(asked);
    assert!(got.starts_with("HTTP/1.1 429 "), "{got}");
    assert!(got.contains("\r\nretry-after: 7\r\n"), "{got}");
    assert!(
        !got.contains("text/plain") && got.ends_with("\r\n\r\n"),
        "{got}"
    );
    drop(reader);
    assert!(gateway.end().success());
}

/// An upstream that writes without end, and a client that does not read: what is under way fits into the sockets' and hyper's
/// buffers. Then the client leaves, and the upstream notices.
#[test]
fn who_does_not_read_is_not_written_for() {
    let receiver = Receiver::start().expect("a receiver");
    let (listener, base) = upstream();
    let settings = [
        ("GATEWAY_FIRST_URL", &*base),
        ("GATEWAY_FIRST_PROVIDER", "played"),
    ];
    let gateway = Gateway::start(&receiver, &settings);
    let asked = gateway.ask("", STREAMED);
    let (_, reader) = head(&listener);
    let mut upstream = reader.into_inner();
    upstream
        .set_write_timeout(Some(Duration::from_secs(1)))
        .expect("set");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    upstream.write_all(head.as_bytes()).expect("written");
    let event = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(4000)
    );
    let mut written = 0;
    let stopped = loop {
        match upstream.write_all(event.as_bytes()) {
            Ok(()) => written += event.len(),
            Err(error) => break error,
        }
        assert!(written < 64 << 20, "the gateway holds what nobody reads");
    };
    let kinds = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    assert!(kinds.contains(&stopped.kind()), "{stopped}");

    drop(asked);
    let gone = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(20));
        upstream
            .write_all(event.as_bytes())
            .is_err_and(|error| !kinds.contains(&error.kind()))
    });
    assert!(gone, "the upstream was not cancelled");
    assert!(gateway.end().success());
    let spans = receiver.spans();
    let call = spans
        .iter()
        .find(|span| span.name() == "chat m")
        .expect("a call");
    assert_eq!(call.attr("error.type"), Some("cancelled".into()));
}

#[test]
fn a_request_that_is_too_large_is_refused_and_asks_nobody() {
    let receiver = Receiver::start().expect("a receiver");
    let gateway = Gateway::start(&receiver, &[]);
    let got = answer(gateway.ask("", &" ".repeat((32 << 20) + 1)));
    assert!(got.starts_with("HTTP/1.1 413 "), "{got}");
    assert!(got.contains("request_too_large"), "{got}");
    assert!(gateway.end().success());
    assert_eq!(receiver.spans().len(), 1);
}

#[track_caller]
fn check_refused(settings: &[(&str, &str)], words: &str) {
    let run = ai_gateway(&["serve"], settings)
        .output()
        .expect("the program was built");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(words), "{stderr}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    check_refused(&[("GATEWAY_KEYS", "/nowhere/keys")], "/nowhere/keys");
    check_refused(&[("GATEWAY_PRICES", "/nowhere/prices")], "/nowhere/prices");
    check_refused(
        &[("GATEWAY_GRACE_MS", "long")],
        "GATEWAY_GRACE_MS makes no sense",
    );
    check_refused(
        &[("GATEWAY_FIRST_URL", "/v1")],
        "is no address of an upstream",
    );
}
