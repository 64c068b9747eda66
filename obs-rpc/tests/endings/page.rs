//! The tables of `docs/rpc-endings.md`: what is expected, of which the other tests show that it is so.

use crate::expected::{Expect, Side, expected};
use crate::tables_of;
use crate::{Ending, Kind};
use std::fmt::Write;

const BEGIN: &str = "<!-- endings: written by `OBS_WRITE=1 cargo test -p obs-rpc --test endings`, which fails where this is stale -->\n";

/// Compares, or with `OBS_WRITE` in the environment writes.
#[track_caller]
pub(crate) fn is_up_to_date() {
    tables_of::hold("rpc-endings.md", BEGIN, &tables());
}

fn tables() -> String {
    let mut text = String::new();
    for ending in Ending::ALL {
        let (name, what) = title(ending);
        writeln!(text, "\n### {name}\n\n{what}\n").expect("a string");
        text.push_str("| call | side | status | `error.type` | cancel origin | events |\n");
        text.push_str("|---|---|---|---|---|---|\n");
        for (kinds, side, expect) in rows(ending) {
            let kinds: Vec<_> = kinds.into_iter().map(kind_name).collect();
            let or_none = |text: Option<&'static str>| text.unwrap_or("–");
            let (status, error) = (or_none(expect.status), or_none(expect.error));
            let origin = or_none(expect.origin);
            let events: Vec<_> = expect.events.iter().map(|it| it.join(", ")).collect();
            let (kinds, side) = (kinds.join(", "), side.name());
            let events = events.join(" – or – ");
            writeln!(
                text,
                "| {kinds} | {side} | {status} | {error} | {origin} | {events} |"
            )
            .expect("a string");
        }
        if let Some((kinds, why)) = absent(ending) {
            let kinds: Vec<_> = kinds.into_iter().map(kind_name).collect();
            writeln!(text, "| {} | both | {why} | | | |", kinds.join(", ")).expect("a string");
        }
    }
    text.push('\n');
    text
}

/// Kinds that are alike stand in one row. How many messages there were is theirs to say.
fn rows(ending: Ending) -> Vec<(Vec<Kind>, Side, Expect)> {
    let mut rows: Vec<(Vec<Kind>, Side, Expect)> = Vec::new();
    for side in [Side::Client, Side::Server] {
        for kind in Kind::ALL {
            if ending.cannot_be(kind).is_some() {
                continue;
            }
            let expect = Expect {
                asked: 0,
                answered: 0,
                ..expected(kind, ending, side)
            };
            match rows
                .iter_mut()
                .find(|(_, other, row)| *other == side && *row == expect)
            {
                Some((kinds, ..)) => kinds.push(kind),
                None => rows.push((vec![kind], side, expect)),
            }
        }
    }
    rows
}

fn absent(ending: Ending) -> Option<(Vec<Kind>, &'static str)> {
    let absent = Kind::ALL
        .into_iter()
        .filter_map(|kind| Some((kind, ending.cannot_be(kind)?)));
    let absent: Vec<_> = absent.collect();
    let why = absent.first()?.1;
    Some((absent.into_iter().map(|(kind, _)| kind).collect(), why))
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unary => "unary",
        Kind::ServerStream => "server stream",
        Kind::ClientStream => "client stream",
        Kind::Bidi => "bidirectional",
    }
}

fn title(ending: Ending) -> (&'static str, &'static str) {
    match ending {
        Ending::Ok => (
            "ok",
            "A server's stream has two messages, a client's too. A bidirectional call sends its second when it has the first answer.",
        ),
        Ending::HandlerError => (
            "handler error",
            "The handler returns NOT_FOUND, or its stream does after one message. That is an answer: an error to the client, none of the server's.",
        ),
        Ending::TrailersOnly => (
            "trailers-only error",
            "The status stands in the headers, and no body follows: it is never polled.",
        ),
        Ending::RequestUndecodable => (
            "request that cannot be decoded",
            "The server reads what is no message. Without the codec it looks as if the handler had said so.",
        ),
        Ending::ResponseUndecodable => (
            "response that cannot be decoded",
            "tonic's client reads what is no message, tells its caller INTERNAL, and drops the rest, with the status in it. Without the codec that looks like a caller who goes away.",
        ),
        Ending::DeadlineAtClient => (
            "deadline, kept by the client (`Endpoint::timeout`)",
            "The channel gives up, and tells its caller CANCELLED. The server knows of no deadline. Neither side of tonic times what comes after the headers.",
        ),
        Ending::DeadlineAtServer => (
            "deadline, kept by the server (`Server::timeout`)",
            "It lies outside of the layer, which is told of it (`with_deadline`) and dropped. The client is answered CANCELLED.",
        ),
        Ending::DeadlineOfBoth => (
            "deadline of the call (`grpc-timeout`)",
            "Both sides keep it. The client may have the server's CANCELLED before it gives up: that is late all the same. The server's time begins later than the client's: what is given up within its last sixteenth, 10 ms at most, is late to it.",
        ),
        Ending::DropBeforeHeaders => (
            "client drops the call before there are headers",
            "A client's stream has sent one message and is open. The server's handler waits.",
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
        Ending::KilledBeforeHeaders => (
            "connection killed before there are headers",
            "Both ends of the connection see it end. tonic calls that UNKNOWN; its server drops the call as if the client had cancelled.",
        ),
        Ending::KilledMidStream => (
            "connection killed between two messages",
            "The same, within the body.",
        ),
    }
}
