//! The program of other people runs in a request, and its spans land in the trace of that request.

use obs_testing::Receiver;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A span as the program's own exporter prints it: what it says in front of a colon, and behind it.
type Printed = BTreeMap<String, String>;

/// The spans among what was printed: each begins with its number.
fn printed(text: &str) -> Vec<Printed> {
    let spans = text.split("Span #").skip(1);
    let fields = |span: &str| {
        // Its scope is indented further; its attributes and events come later.
        let own = span.lines().take_while(|line| *line != "\tAttributes:");
        let own = own.filter(|line| !line.starts_with("\t\t"));
        let pairs = own.filter_map(|line| line.split_once(':'));
        pairs
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect()
    };
    spans.map(fields).collect()
}

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_of_others_runs_unchanged_and_its_spans_are_children_of_our_operation() {
    let receiver = Receiver::start().expect("a receiver");
    let mut command = Command::new(env!("CARGO_BIN_EXE_obs-ecosystem"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .stdout(Stdio::piped());
    let mut service = Service(command.spawn().expect("it was built with this test"));
    let mut output = BufReader::new(service.0.stdout.take().expect("piped"));
    let mut address = String::new();
    output.read_line(&mut address).expect("it says where it is");
    let address = address.trim_end();

    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "GET /shave HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.ends_with("\r\n\r\nshaved"), "{answer}");
    let mut text = String::new();
    output.read_to_string(&mut text).expect("text");
    assert!(service.0.wait().expect("it is ours").success(), "{text}");

    // Ours, as received.
    let spans = receiver.spans();
    let [server] = &spans[..] else {
        panic!("one request was sent: {spans:?}");
    };
    assert_eq!(server.name(), "GET /shave");
    let trace_id = format!("{:032x}", server.trace_id());

    // Theirs, as their exporter printed them.
    let theirs = printed(&text);
    let field = |span: &Printed, key: &str| span.get(key).cloned().unwrap_or_default();
    let named = |name: &str| -> Vec<&Printed> {
        let fits = |span: &&Printed| field(span, "Name") == name;
        theirs.iter().filter(fits).collect()
    };
    let (all, each) = (named("shaving_yaks"), named("shave"));
    // It shaves three yaks.
    assert_eq!((all.len(), each.len(), theirs.len()), (1, 3, 4), "{text}");
    for span in &theirs {
        assert_eq!(field(span, "TraceId"), trace_id, "{text}");
    }
    let server_id = format!("{:016x}", server.span_id());
    assert_eq!(field(all[0], "ParentSpanId"), server_id, "{text}");
    for span in each {
        assert_eq!(field(span, "ParentSpanId"), field(all[0], "SpanId"));
    }

    // Its own log lines, by its own subscriber, carry the trace's id too.
    let id = format!("\"traceId\":\"{trace_id}\"");
    let lines = text.lines().filter(|line| line.starts_with('{'));
    assert!(
        lines.filter(|line| line.contains(&id)).count() > 0,
        "{text}"
    );
}
