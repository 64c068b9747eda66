//! The service to copy from, as its users run it: it says what arrived, and what it was told is not lost.

use obs_testing::{AttrValue, Receiver};
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

/// The program, with nothing of this process's `OTEL_*` variables.
fn rpc_service(arguments: &[&str], receiver: Option<&Receiver>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpc_service"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    if let Some(receiver) = receiver {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint());
    }
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[test]
fn it_shows_both_sides_of_both_calls() {
    let run = rpc_service(&[], None).output().expect("it was built");
    let stdout = text(&run.stdout);
    assert!(run.status.success(), "{stdout}{}", text(&run.stderr));
    let mut rest = &*stdout;
    for part in [
        "Hello, world!\n",
        "nobody has no name",
        "exit status: 0; arrived:\n",
        "  hello.Greeter/SayHello [client] ",
        "    - rpc.response.status_code: \"OK\"\n",
        "    hello.Greeter/SayHello [server] ",
        " remote parent\n",
        "      - rpc.response.status_code: \"OK\"\n",
        // What a caller got wrong is an error to the caller, and none of the service.
        "  hello.Greeter/SayHello [client] error ",
        "    - error.type: \"INVALID_ARGUMENT\"\n",
        "    hello.Greeter/SayHello [server] ",
        "      - rpc.response.status_code: \"INVALID_ARGUMENT\"\n",
        "rpc.client.call.duration with a count of 2\n",
        "rpc.server.call.duration with a count of 2\n",
    ] {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("`{part}` is not there, or not in its place:\n{stdout}");
        };
        rest = after;
    }
    assert_eq!(stdout.matches("[server] error").count(), 0, "{stdout}");
}

/// SIGTERM, and how the service ended.
fn ends_on(signal: &str) -> (Receiver, Output) {
    let receiver = Receiver::start().expect("a receiver");
    let mut service = rpc_service(&["serve"], Some(&receiver))
        // Nothing arrives by itself while the test runs: what does, the end brought.
        .env("OTEL_METRIC_EXPORT_INTERVAL", "600000")
        .spawn()
        .expect("it was built");
    let mut address = String::new();
    BufReader::new(service.stdout.take().expect("piped"))
        .read_line(&mut address)
        .expect("it says where it is");
    let elsewhere = Receiver::start().expect("a receiver");
    let called = rpc_service(&["call", address.trim_end(), "you"], Some(&elsewhere)).output();
    assert_eq!(text(&called.expect("it ran").stdout), "Hello, you!\n");
    let kill = format!("kill -{signal} {}", service.id());
    let sent = Command::new("sh").args(["-c", &kill]).status();
    assert!(sent.expect("a shell").success());
    (receiver, service.wait_with_output().expect("it is ours"))
}

#[test]
fn what_it_served_arrives_after_either_signal() {
    for signal in ["TERM", "INT"] {
        let (receiver, ended) = ends_on(signal);
        assert!(ended.status.success(), "{signal}: {}", ended.status);
        let spans = receiver.spans();
        assert_eq!(spans.len(), 1, "{signal}");
        let method = spans[0].attr("rpc.method");
        assert_eq!(method, Some(AttrValue::from("hello.Greeter/SayHello")));
        let points = receiver.points().histogram("rpc.server.call.duration", &[]);
        assert_eq!(points.map(|point| point.count), Some(1), "{signal}");
    }
}

#[test]
fn a_service_that_is_not_there_is_an_error_of_the_client_and_of_its_span() {
    let receiver = Receiver::start().expect("a receiver");
    // Nobody listens on the first port.
    let call = rpc_service(&["call", "127.0.0.1:1", "you"], Some(&receiver)).output();
    let call = call.expect("it ran");
    assert_eq!(call.status.code(), Some(1));
    let spans = receiver.spans();
    assert_eq!(spans.len(), 1);
    let attr = |key| spans[0].attr(key).map(|value| value.to_string());
    assert_eq!(attr("error.type").as_deref(), Some("transport_error"));
    assert_eq!(
        attr("rpc.response.status_code").as_deref(),
        Some("UNAVAILABLE")
    );
}

#[test]
fn an_unknown_argument_is_refused() {
    let run = rpc_service(&["surf"], None).output();
    let run = run.expect("it ran");
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stderr).contains("neither `serve` nor `call ADDRESS NAME`"));
}
