//! What the server on loopback is told to do.

use crate::scripted::STREAM;
pub(crate) use crate::scripted::{Act, Server, serve, soon};
use tokio::net::TcpListener;

/// An answer in one piece.
pub(crate) fn whole(status: &str, kind: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
    vec![Act::Send(head + body)]
}

/// A stream of these events, to its end.
pub(crate) fn streamed(events: &[&str]) -> Vec<Act> {
    begun(events, &[Act::Last])
}

/// A stream of these events, that then does this.
pub(crate) fn begun(events: &[&str], then: &[Act]) -> Vec<Act> {
    let mut acts = vec![Act::Send(STREAM.to_owned())];
    acts.extend(events.iter().map(|event| Act::Chunk((*event).to_owned())));
    acts.extend(then.iter().cloned());
    acts
}

/// Where nobody answers.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    format!("http://{}", listener.local_addr().expect("it is bound"))
}
