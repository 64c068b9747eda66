//! What is to be expected of each ending, by reasons: what gRPC's specification says, and what can be seen from where a
//! layer stands. Where tonic surprises, a comment says so.

use crate::{Ending, Kind};
use tonic::Code;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expect {
    pub(crate) status: Option<&'static str>,
    pub(crate) error: Option<&'static str>,
    pub(crate) origin: Option<&'static str>,
    /// In order. More than one where it is a race who is first.
    pub(crate) events: Vec<Vec<&'static str>>,
    pub(crate) asked: i64,
    pub(crate) answered: i64,
}

/// How a call ends to one side.
struct End {
    status: Option<&'static str>,
    error: Option<&'static str>,
    origin: Option<&'static str>,
}

const fn end(
    status: Option<&'static str>,
    error: Option<&'static str>,
    origin: Option<&'static str>,
) -> End {
    End {
        status,
        error,
        origin,
    }
}

const OK: End = end(Some("OK"), None, None);
/// What the peer said, and is an error to whoever asked.
const fn said(status: &'static str) -> End {
    end(Some(status), Some(status), None)
}
/// An answer that is not the server's fault is none of its errors (conventions for RPC: of seventeen statuses six are).
const fn answered(status: &'static str) -> End {
    end(Some(status), None, None)
}
/// Whoever held the call dropped it: to gRPC that is CANCELLED, though nobody said so.
const fn dropped(origin: &'static str) -> End {
    end(Some("CANCELLED"), Some("cancelled"), Some(origin))
}
/// The peer's RST_STREAM said CANCEL (gRPC over HTTP/2, "Errors").
const RESET: End = end(Some("CANCELLED"), Some("CANCELLED"), Some("peer"));

pub(crate) fn expected(kind: Kind, ending: Ending, side: Side) -> Expect {
    let end = match side {
        Side::Client => at_client(ending),
        Side::Server => at_server(kind, ending),
    };
    let events = match side {
        Side::Client => events_of_client(kind, ending),
        Side::Server => vec![events_of_server(kind, ending)],
    };
    Expect {
        status: end.status,
        error: end.error,
        origin: end.origin,
        events,
        asked: asked(kind, ending),
        answered: answers(kind, ending),
    }
}

fn at_client(ending: Ending) -> End {
    match ending {
        Ending::Ok => OK,
        Ending::HandlerError | Ending::TrailersOnly => said("NOT_FOUND"),
        // What tonic's server says of a message that it cannot read.
        Ending::RequestUndecodable => said("INTERNAL"),
        // tonic's client reads the message, fails, and drops the rest with the status in it. A layer sees that it is dropped.
        Ending::ResponseUndecodable => dropped("local"),
        // tonic's channel calls it CANCELLED (0.14), where gRPC says DEADLINE_EXCEEDED. What is recorded is what the caller
        // sees; the error says what it was.
        Ending::DeadlineAtClient | Ending::DeadlineOfBoth => {
            end(Some("CANCELLED"), Some("timeout"), Some("deadline"))
        }
        // The server's own timeout: it answers CANCELLED too, and the client knows of no deadline.
        Ending::DeadlineAtServer => RESET,
        Ending::DropBeforeHeaders | Ending::DropMidStream => dropped("local"),
        // A task that unwinds drops its stream, for which h2 says CANCEL.
        Ending::Panic | Ending::PanicMidStream => RESET,
        // gRPC would say UNAVAILABLE; tonic says UNKNOWN of a connection that is lost under a call.
        Ending::KilledBeforeHeaders | Ending::KilledMidStream => {
            end(Some("UNKNOWN"), Some("transport_error"), None)
        }
    }
}

fn at_server(kind: Kind, ending: Ending) -> End {
    match ending {
        Ending::Ok => OK,
        Ending::HandlerError | Ending::TrailersOnly => answered("NOT_FOUND"),
        Ending::RequestUndecodable => said("INTERNAL"),
        // The server has sent all it had, and its status.
        Ending::ResponseUndecodable if kind != Kind::Bidi => OK,
        // Here it is still to answer when its client goes away.
        Ending::ResponseUndecodable => dropped("peer"),
        // The client keeps its timeout to itself and goes away.
        Ending::DeadlineAtClient => dropped("peer"),
        // Whatever is sent to the client is outside of the layer, which is dropped.
        Ending::DeadlineAtServer | Ending::DeadlineOfBoth => {
            end(Some("DEADLINE_EXCEEDED"), Some("timeout"), Some("deadline"))
        }
        Ending::DropBeforeHeaders | Ending::DropMidStream => dropped("peer"),
        // Nothing is sent that has a status.
        Ending::Panic | Ending::PanicMidStream => end(None, Some("panic"), None),
        // From a server nobody can tell a connection that is lost from a client that goes away.
        Ending::KilledBeforeHeaders | Ending::KilledMidStream => dropped("peer"),
    }
}

/// A status of the caller that is not the one recorded.
pub(crate) fn told_otherwise(cell: &str) -> Option<(Code, &'static str)> {
    if cell.contains("ResponseUndecodable") {
        // Only the codec knows.
        Some((Code::Internal, "CANCELLED"))
    } else {
        None
    }
}

/// Its name in gRPC's specification.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::NotFound => "NOT_FOUND",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Unauthenticated => "UNAUTHENTICATED",
        other => panic!("no test ends in {other:?}"),
    }
}

/// Whether the request is over before there is a response.
fn is_sent_first(kind: Kind, ending: Ending) -> bool {
    match kind {
        Kind::Unary | Kind::ServerStream => true,
        Kind::ClientStream => !ending.leaves_request_open(),
        Kind::Bidi => false,
    }
}

/// Messages of the request. A client's stream sends two; a bidirectional one sends its second after the first answer.
fn asked(kind: Kind, ending: Ending) -> i64 {
    match kind {
        Kind::Unary | Kind::ServerStream => 1,
        Kind::ClientStream => 1 + i64::from(!ending.leaves_request_open()),
        Kind::Bidi => 1 + i64::from(ending == Ending::Ok),
    }
}

/// Messages of the response.
fn answers(kind: Kind, ending: Ending) -> i64 {
    match (head(kind, ending), kind.answers_many()) {
        (Head::None | Head::Only, _) => 0,
        (Head::Messages, false) => 1,
        (Head::Messages, true) => match ending {
            Ending::Ok => 2,
            // They come in one piece, of which the first is not understood.
            Ending::ResponseUndecodable if kind == Kind::ServerStream => 2,
            _ => 1,
        },
    }
}

enum Head {
    /// There is no response.
    None,
    /// Headers that are the whole response, with the status.
    Only,
    /// Headers, and at least one message.
    Messages,
}

fn head(kind: Kind, ending: Ending) -> Head {
    match ending {
        Ending::TrailersOnly | Ending::RequestUndecodable => Head::Only,
        Ending::HandlerError if !kind.answers_many() => Head::Only,
        Ending::Panic => Head::None,
        ending if ending.hangs() => Head::None,
        _ => Head::Messages,
    }
}

/// In which order: what was sent, the head, what was read, the end.
fn events_of_client(kind: Kind, ending: Ending) -> Vec<Vec<&'static str>> {
    let first = is_sent_first(kind, ending);
    // The stream is opened by what asks for the first message.
    let mut events = vec!["stream_start", "write_start", "stream_send"];
    if first {
        events.extend(["write_finish", "wait_read_start"]);
    }
    let with_head = |events: &mut Vec<_>| {
        if first {
            events.push("wait_read_finish");
        }
        events.push("stream_recv_header");
    };
    match head(kind, ending) {
        Head::None => match ending {
            // The peer's reset, or the end of the connection, is the end of the stream.
            Ending::Panic | Ending::KilledBeforeHeaders => events.push("stream_finish"),
            Ending::DeadlineAtServer => {
                with_head(&mut events);
                events.push("stream_finish");
            }
            // Both are late at once: either the client has the server's answer first, or it has stopped to wait.
            Ending::DeadlineOfBoth => {
                let gave_up = events.clone();
                with_head(&mut events);
                events.push("stream_finish");
                return vec![gave_up, events];
            }
            // Whoever gives up sees no end.
            _ => {}
        },
        Head::Only => {
            with_head(&mut events);
            events.push("stream_finish");
        }
        Head::Messages => {
            with_head(&mut events);
            events.extend(["read_start", "stream_recv"]);
            if kind == Kind::Bidi && ending == Ending::Ok {
                events.push("write_finish");
            }
            let given_up = matches!(ending, Ending::DropMidStream | Ending::ResponseUndecodable);
            if !given_up {
                events.extend(["read_finish", "stream_finish"]);
            }
        }
    }
    vec![events]
}

fn events_of_server(kind: Kind, ending: Ending) -> Vec<&'static str> {
    let read: &[_] = match kind {
        // Whether it is a stream is not seen from outside: the handler is taken to be called with the one message of a request
        // that is over. A message that cannot be read is found before that, and with it no handler is called at all.
        Kind::Unary | Kind::ServerStream if ending != Ending::RequestUndecodable => &[
            "stream_start",
            "read_start",
            "stream_recv",
            "server_handle_start",
            "read_finish",
        ],
        // The handler reads it.
        _ if is_sent_first(kind, ending) && ending != Ending::RequestUndecodable => &[
            "stream_start",
            "server_handle_start",
            "read_start",
            "stream_recv",
            "read_finish",
        ],
        _ => &[
            "stream_start",
            "server_handle_start",
            "read_start",
            "stream_recv",
        ],
    };
    let mut events = read.to_vec();
    match head(kind, ending) {
        Head::None if ending == Ending::Panic => events.push("server_handle_finish"),
        Head::None => {}
        Head::Only => events.extend(["server_handle_finish", "stream_finish"]),
        Head::Messages => {
            events.extend(["server_handle_finish", "write_start", "stream_send"]);
            if kind == Kind::Bidi && ending == Ending::Ok {
                events.push("read_finish");
            }
            let sends_status = match ending {
                Ending::Ok | Ending::HandlerError => true,
                Ending::ResponseUndecodable => kind != Kind::Bidi,
                _ => false,
            };
            if sends_status {
                events.extend(["write_finish", "stream_finish"]);
            }
        }
    }
    events
}
