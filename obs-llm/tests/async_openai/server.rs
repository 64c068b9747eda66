//! What the server on loopback is told to do.

use crate::scripted::STREAM;
pub(crate) use crate::scripted::{Act, Server, serve_each as serve};

/// The head of a stream.
pub(crate) fn stream() -> Act {
    Act::Send(STREAM.to_owned())
}

/// A stream of these events, to its end.
pub(crate) fn events(events: &str) -> Vec<Act> {
    let pieces = events.split_inclusive("\n\n").map(str::to_owned);
    let mut acts = vec![stream()];
    acts.extend(pieces.map(Act::Chunk));
    acts.push(Act::Last);
    acts
}

/// An answer in one piece.
pub(crate) fn json(status: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    vec![Act::Send(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nx-request-id: req_1\r\n\r\n{body}"
    ))]
}
