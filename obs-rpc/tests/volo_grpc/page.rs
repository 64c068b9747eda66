//! The tables of `docs/rpc-volo-grpc.md`: what is expected, of which the other tests show that it is so.

use crate::endings::{Ending, Kind};
use crate::expected::{Expect, Part, expected};
use crate::tables_of;
use std::fmt::Write;

const BEGIN: &str = "<!-- endings: written by `OBS_WRITE=1 cargo test -p obs-rpc --features volo-grpc --test volo_grpc`, which fails where this is stale -->\n";

/// Compares, or with `OBS_WRITE` in the environment writes.
#[test]
fn the_page_says_what_is_expected() {
    tables_of::hold("rpc-volo-grpc.md", BEGIN, &tables());
}

fn tables() -> String {
    let mut text = String::new();
    for ending in Ending::ALL {
        let (name, what) = title(ending);
        writeln!(text, "\n### {name}\n\n{what}\n").expect("a string");
        text.push_str("| call | where | status | `error.type` | cancel origin | messages |\n");
        text.push_str("|---|---|---|---|---|---|\n");
        for (kinds, part, expect) in rows(ending) {
            let kinds: Vec<_> = kinds.into_iter().map(kind_name).collect();
            let or_none = |text: Option<&'static str>| text.unwrap_or("–");
            let (status, error) = (or_none(expect.status), or_none(expect.error));
            let origin = or_none(expect.origin);
            let (kinds, part, messages) =
                (kinds.join(", "), part_name(part), messages(part, &expect));
            writeln!(
                text,
                "| {kinds} | `{part}` | {status} | {error} | {origin} | {messages} |"
            )
            .expect("a string");
        }
    }
    text.push('\n');
    text
}

fn messages(part: Part, expect: &Expect) -> String {
    match part {
        // Those of its attempt.
        Part::Call => "–".to_owned(),
        _ => format!("{}, {}", expect.asked, expect.answered),
    }
}

/// Kinds that are alike stand in one row.
fn rows(ending: Ending) -> Vec<(Vec<Kind>, Part, Expect)> {
    let mut rows: Vec<(Vec<Kind>, Part, Expect)> = Vec::new();
    for part in Part::ALL {
        for kind in Kind::ALL.into_iter().filter(|kind| ending.can_be(*kind)) {
            let expect = expected(kind, ending, part);
            let alike = |row: &&mut (Vec<Kind>, Part, Expect)| {
                row.1 == part && line(part, &row.2) == line(part, &expect)
            };
            match rows.iter_mut().find(alike) {
                Some((kinds, ..)) => kinds.push(kind),
                None => rows.push((vec![kind], part, expect)),
            }
        }
    }
    rows
}

fn line(part: Part, expect: &Expect) -> impl PartialEq {
    let end = (expect.status, expect.error, expect.origin);
    (end, messages(part, expect))
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unary => "unary",
        Kind::ServerStream => "server stream",
        Kind::ClientStream => "client stream",
        Kind::Bidi => "bidirectional",
    }
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Call => "rpc.call",
        Part::Attempt => "rpc.client",
        Part::Server => "rpc.server",
    }
}

fn title(ending: Ending) -> (&'static str, &'static str) {
    match ending {
        Ending::Ok => ("ok", "Streams have two messages, each way."),
        Ending::HandlerError => (
            "handler error",
            "NOT_FOUND, in the place of a response. That is an answer: an error to the client, none of the server's.",
        ),
        Ending::ErrorMidStream => (
            "error between two messages",
            "UNAVAILABLE, in the trailers: an error of the server's, too.",
        ),
        Ending::Timeout => (
            "deadline (`rpc_timeout`)",
            "Volo's timeout is outside of all layers and drops the call. The server knows from `grpc-timeout`.",
        ),
        Ending::DropBeforeHead => (
            "client drops the call before there are headers",
            "The server's handler waits. The attempt goes with the call around it.",
        ),
        Ending::DropMidStream => (
            "client drops the response between two messages",
            "It drops its own stream with it: while that is open, hyper does not tell the server.",
        ),
        Ending::Panic => (
            "server panics before there are headers",
            "Its task unwinds; what the client gets is a reset that says CANCEL.",
        ),
        Ending::PanicMidStream => (
            "server panics between two messages",
            "The same, within the body.",
        ),
        Ending::KilledBeforeHead => (
            "connection killed before there are headers",
            "Both ends of the connection see it end. Volo calls that UNKNOWN; its server drops the call as if the client had cancelled.",
        ),
        Ending::KilledMidStream => (
            "connection killed between two messages",
            "The same, within the body.",
        ),
    }
}
