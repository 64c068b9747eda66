//! The program that talks gRPC with software of others talks with itself, before others are asked about it.

use obs_testing::receiver::ReceivedSpan;
use obs_testing::{AttrValue, Receiver};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The program, with nothing of this process's `OTEL_*` variables.
fn program(receiver: &Receiver, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpc_interop"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .stdout(Stdio::piped());
    command
}

/// Killed if it is dropped while it runs.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(span: &ReceivedSpan, key: &str) -> String {
    match span.attr(key) {
        Some(AttrValue::Str(text)) => text,
        other => panic!("{key} of {}: {other:?}", span.name()),
    }
}

#[test]
fn every_call_of_our_client_is_one_call_of_our_server() {
    let receiver = Receiver::start().expect("a port");
    let serving = program(&receiver, &["serve"]).spawn();
    let mut server = Server(serving.expect("the program was built with this test"));
    let mut address = String::new();
    BufReader::new(server.0.stdout.take().expect("piped"))
        .read_line(&mut address)
        .expect("it says where it is");
    let called = program(&receiver, &["call", address.trim_end()]).output();
    let called = called.expect("the same program");
    assert!(called.status.success(), "{called:?}");
    let kill = format!("kill -TERM {}", server.0.id());
    let sent = Command::new("sh").args(["-c", &kill]).status();
    assert!(sent.expect("a shell").success());
    assert!(server.0.wait().expect("it is ours").success());

    let printed = String::from_utf8_lossy(&called.stdout).into_owned();
    let cases: Vec<_> = printed
        .lines()
        .filter(|line| !line.starts_with("health "))
        .collect();
    assert!(
        cases.len() > 20 && printed.contains("health SERVING"),
        "{printed}"
    );
    let spans = receiver.spans();
    assert_eq!(
        spans.len(),
        2 * cases.len(),
        "a span on each side, and none of a health check"
    );
    for line in cases {
        let case = line.split(' ').next().expect("a name");
        let method = format!("interop.Echo/{case}");
        let client = spans
            .iter()
            .find(|span| span.name() == method && span.parent_span_id().is_none());
        let client = client.unwrap_or_else(|| panic!("no span of {case}"));
        let children: Vec<_> = spans
            .iter()
            .filter(|span| span.parent_span_id() == Some(client.span_id()))
            .collect();
        assert_eq!(children.len(), 1, "{case}");
        let server = children[0];
        let status = |span| text(span, "rpc.response.status_code");
        if status(client) != "OK" && client.attr("obs.rpc.cancel.origin").is_some() {
            // Each side has its own word for that.
            continue;
        }
        assert_eq!(status(client), status(server), "{case}");
        for measure in [
            "obs.rpc.request.messages",
            "obs.rpc.request.size",
            "obs.rpc.response.messages",
            "obs.rpc.response.size",
            "obs.rpc.request.compressed",
            "obs.rpc.response.compressed",
        ] {
            assert_eq!(
                client.attr(measure),
                server.attr(measure),
                "{case}: {measure}"
            );
        }
    }
}
