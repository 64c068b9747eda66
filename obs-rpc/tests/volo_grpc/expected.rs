//! What is to be expected of each ending, by reasons.

use crate::endings::{Ending, Kind};

/// Who records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The layer around all of a client's call.
    Call,
    /// The one around its attempt.
    Attempt,
    Server,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::Call, Self::Attempt, Self::Server];
}

pub(crate) struct Expect {
    pub(crate) status: Option<&'static str>,
    pub(crate) error: Option<&'static str>,
    pub(crate) origin: Option<&'static str>,
    pub(crate) asked: i64,
    pub(crate) answered: i64,
}

type End = (
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
);

const OK: End = (Some("OK"), None, None);

const fn dropped(origin: &'static str) -> End {
    (Some("CANCELLED"), Some("cancelled"), Some(origin))
}

const LATE: End = (Some("DEADLINE_EXCEEDED"), Some("timeout"), Some("deadline"));

pub(crate) fn expected(kind: Kind, ending: Ending, part: Part) -> Expect {
    let (status, error, origin) = match part {
        Part::Server => at_server(ending),
        _ => at_client(ending, part),
    };
    Expect {
        status,
        error,
        origin,
        asked: asked(kind, ending, part),
        answered: answered(kind, ending),
    }
}

fn at_client(ending: Ending, part: Part) -> End {
    match ending {
        Ending::Ok => OK,
        Ending::HandlerError => (Some("NOT_FOUND"), Some("NOT_FOUND"), None),
        Ending::ErrorMidStream => (Some("UNAVAILABLE"), Some("UNAVAILABLE"), None),
        Ending::Timeout => LATE,
        // Whoever asked has gone, and the attempt goes with the call.
        Ending::DropBeforeHead if part == Part::Attempt => dropped("cascaded"),
        Ending::DropMidStream if part == Part::Attempt => dropped("cascaded"),
        Ending::DropBeforeHead | Ending::DropMidStream => dropped("local"),
        // The stream that nobody answers any more is reset with CANCEL, by the server.
        Ending::Panic | Ending::PanicMidStream => {
            (Some("CANCELLED"), Some("CANCELLED"), Some("peer"))
        }
        Ending::KilledBeforeHead | Ending::KilledMidStream => {
            (Some("UNKNOWN"), Some("transport_error"), None)
        }
    }
}

fn at_server(ending: Ending) -> End {
    match ending {
        Ending::Ok => OK,
        // No fault of the server's.
        Ending::HandlerError => (Some("NOT_FOUND"), None, None),
        Ending::ErrorMidStream => (Some("UNAVAILABLE"), Some("UNAVAILABLE"), None),
        // It knows from `grpc-timeout`.
        Ending::Timeout => LATE,
        Ending::DropBeforeHead
        | Ending::DropMidStream
        | Ending::KilledBeforeHead
        | Ending::KilledMidStream => dropped("peer"),
        Ending::Panic | Ending::PanicMidStream => (None, Some("panic"), None),
    }
}

fn asked(kind: Kind, ending: Ending, part: Part) -> i64 {
    match kind {
        Kind::Unary | Kind::ServerStream => 1,
        // The handler does not come to its second.
        Kind::ClientStream if ending == Ending::Ok || part != Part::Server => 2,
        Kind::ClientStream => 1,
        Kind::Bidi if ending == Ending::Ok => 2,
        Kind::Bidi => 1,
    }
}

fn answered(kind: Kind, ending: Ending) -> i64 {
    match ending {
        Ending::Ok if kind.answers_many() => 2,
        Ending::Ok => 1,
        ending if ending.is_mid_stream() => 1,
        _ => 0,
    }
}
