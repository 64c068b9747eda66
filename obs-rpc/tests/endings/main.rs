//! Every ending of every kind of call over real sockets, as both sides record it: what happened in which order, one duration,
//! nothing left in flight, the status, the error and who cancelled. The tables of `docs/rpc-endings.md` are written from it:
//! `OBS_WRITE=1 cargo test -p obs-rpc --test endings`.
#![cfg(feature = "tonic")]

#[path = "../support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;

mod answers;
mod around;
mod bodies;
mod drive;
mod expected;
mod inside;
mod page;
mod peer;
mod resets;
mod service;
#[path = "../support/tables_of.rs"]
mod tables_of;
mod world;

use expected::{Expect, Side, expected};
use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::time::Duration;
use tonic::Code;
use world::World;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// What is enforced by the endings that are deadlines. A server takes what is given up within the last sixteenth for late.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(160);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unary,
    ServerStream,
    ClientStream,
    Bidi,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [
        Self::Unary,
        Self::ServerStream,
        Self::ClientStream,
        Self::Bidi,
    ];

    /// Whether its request may have several messages.
    pub(crate) fn asks_many(self) -> bool {
        matches!(self, Self::ClientStream | Self::Bidi)
    }

    /// Whether its response may.
    pub(crate) fn answers_many(self) -> bool {
        matches!(self, Self::ServerStream | Self::Bidi)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Ok,
    HandlerError,
    TrailersOnly,
    RequestUndecodable,
    ResponseUndecodable,
    DeadlineAtClient,
    DeadlineAtServer,
    DeadlineOfBoth,
    DropBeforeHeaders,
    DropMidStream,
    Panic,
    PanicMidStream,
    KilledBeforeHeaders,
    KilledMidStream,
}

impl Ending {
    pub(crate) const ALL: [Self; 14] = [
        Self::Ok,
        Self::HandlerError,
        Self::TrailersOnly,
        Self::RequestUndecodable,
        Self::ResponseUndecodable,
        Self::DeadlineAtClient,
        Self::DeadlineAtServer,
        Self::DeadlineOfBoth,
        Self::DropBeforeHeaders,
        Self::DropMidStream,
        Self::Panic,
        Self::PanicMidStream,
        Self::KilledBeforeHeaders,
        Self::KilledMidStream,
    ];

    /// The handler comes to a point where it waits for what does not come, before it has answered.
    pub(crate) fn hangs(self) -> bool {
        matches!(
            self,
            Self::DeadlineAtClient
                | Self::DeadlineAtServer
                | Self::DeadlineOfBoth
                | Self::DropBeforeHeaders
                | Self::KilledBeforeHeaders
        )
    }

    /// A stream of the client's is still open then.
    pub(crate) fn leaves_request_open(self) -> bool {
        matches!(self, Self::DropBeforeHeaders | Self::KilledBeforeHeaders)
    }

    /// Why there is no such call, if there is none.
    pub(crate) fn cannot_be(self, kind: Kind) -> Option<&'static str> {
        match self {
            Self::DropMidStream | Self::PanicMidStream | Self::KilledMidStream => {
                (!kind.answers_many()).then_some(
                    "cannot be: the one message comes with its status, and tonic's client gives both to its caller at once",
                )
            }
            Self::TrailersOnly if !kind.answers_many() => {
                Some("the same as `handler error`: tonic answers a handler's error without messages in headers alone")
            }
            _ => None,
        }
    }
}

/// What both sides recorded is what was to be expected.
async fn check(kind: Kind, ending: Ending) {
    let (seen, capture, client, server) = loop {
        let world = World::new(ending).await;
        let seen = world.drive(kind, ending).await;
        let (capture, client, server) = world.recorded().await;
        // A client's time begins before the server's, which allows for ten milliseconds of it. On a busy machine the request
        // may be longer on its way: then it is a client that goes away too early, and not this ending.
        let on_its_way = Duration::from_nanos(server.start_ns.saturating_sub(client.start_ns));
        if ending != Ending::DeadlineOfBoth || on_its_way < Duration::from_millis(6) {
            break (seen, capture, client, server);
        }
    };
    for (side, record) in [(Side::Client, client), (Side::Server, server)] {
        let expect = expected(kind, ending, side);
        let cell = format!("{kind:?}, {ending:?}, {side:?}");
        check_record(&cell, &expect, &record);
        check_metrics(&cell, &capture, side, &record);
        if side == Side::Client {
            check_seen(&cell, seen, &record);
        }
    }
}

pub(crate) fn check_record(cell: &str, expect: &Expect, record: &CapturedRecord) {
    let events = record.event_names();
    assert!(
        expect.events.contains(&events),
        "{cell}: {events:?} and not {:?}",
        expect.events
    );
    let text = |key: &str| record.text(key);
    assert_eq!(text("rpc.response.status_code"), expect.status, "{cell}");
    assert_eq!(record.error_type(), expect.error, "{cell}");
    assert_eq!(text("obs.rpc.cancel.origin"), expect.origin, "{cell}");
    for (part, messages) in [("request", expect.asked), ("response", expect.answered)] {
        let number = |what: &str| match record.attr(&format!("obs.rpc.{part}.{what}")) {
            Some(AttrValue::Int(number)) => Some(*number),
            _ => None,
        };
        assert_eq!(number("messages"), Some(messages), "{cell}: {part}");
        // Each message is one field of one byte.
        assert_eq!(number("size"), Some(3 * messages), "{cell}: {part}");
        assert_eq!(number("compressed"), None, "{cell}: {part}");
    }
}

/// One duration and one of each measure, and nobody in flight.
fn check_metrics(cell: &str, capture: &Capture, side: Side, record: &CapturedRecord) {
    let side = side.name();
    assert_eq!(
        capture.count(&format!("rpc.{side}.call.duration")),
        1,
        "{cell}"
    );
    for what in ["messages", "size"] {
        for part in ["request", "response"] {
            let name = format!("obs.rpc.{side}.{part}.{what}");
            assert_eq!(capture.count(&name), 1, "{cell}: {name}");
        }
    }
    let gauge = format!("obs.rpc.{side}.active_calls");
    assert_eq!(capture.in_flight(&gauge), 0, "{cell}");
    // What began and ended is a stage, and nothing else is; both begin at the first byte and not before the call.
    let events = record.event_names();
    for start in events.iter().filter(|name| name.ends_with("_start")) {
        let at = |name: &str| {
            let mut found = record.events.iter().filter(|event| event.name == name);
            let event = found.next();
            assert!(found.next().is_none(), "{cell}: {name} once");
            event.map(|event| event.time_ns)
        };
        let finish = at(&start.replace("_start", "_finish"));
        assert!(
            finish.is_none_or(|finish| at(start) <= Some(finish)),
            "{cell}: {start} before its end"
        );
    }
    for finish in events.iter().filter(|name| name.ends_with("_finish")) {
        let start = finish.replace("_finish", "_start");
        assert!(
            events.contains(&&*start),
            "{cell}: {finish} without a start"
        );
    }
}

/// What is recorded is what the caller sees, where it waited for it.
fn check_seen(cell: &str, seen: Option<Code>, record: &CapturedRecord) {
    let Some(seen) = seen else { return };
    let name = match expected::told_otherwise(cell) {
        Some((code, name)) => {
            assert_eq!(seen, code, "{cell}: what tonic tells its caller");
            name
        }
        None => expected::name(seen),
    };
    assert_eq!(
        record.text("rpc.response.status_code"),
        Some(name),
        "{cell}"
    );
}

#[tokio::test]
async fn every_ending_of_every_kind_is_recorded_as_what_it_is() {
    let mut wrong = Vec::new();
    for ending in Ending::ALL {
        for kind in Kind::ALL {
            let is_there = ending.cannot_be(kind).is_none() || ending == Ending::TrailersOnly;
            // Each as a task, so that all that are wrong are told.
            if is_there && tokio::spawn(check(kind, ending)).await.is_err() {
                wrong.push((kind, ending));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_page_says_what_is_expected() {
    page::is_up_to_date();
}
