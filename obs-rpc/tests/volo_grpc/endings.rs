//! Every ending of every kind of call between a server and a client of Volo's, as all three layers record it: the status, the
//! error, who cancelled, how many messages; one duration and nothing left in flight.

use crate::expected::{Expect, Part, expected};
use crate::generated::Said;
use crate::raw::Nonsense;
use crate::service::say;
use crate::world::{World, all, capture, client, listener, one};
use crate::{PATIENCE, TIMEOUT};
use obs_rpc::volo_grpc::VoloGrpcServerLayer;
use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::pin::pin;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use volo::net::incoming::DefaultIncoming;
use volo_grpc::codegen::StreamExt;
use volo_grpc::codegen::futures::Stream;
use volo_grpc::server::Server;
use volo_grpc::{Code, Response, Status};

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

    pub(crate) fn answers_many(self) -> bool {
        matches!(self, Self::ServerStream | Self::Bidi)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Ok,
    HandlerError,
    ErrorMidStream,
    Timeout,
    DropBeforeHead,
    DropMidStream,
    Panic,
    PanicMidStream,
    KilledBeforeHead,
    KilledMidStream,
}

impl Ending {
    pub(crate) const ALL: [Self; 10] = [
        Self::Ok,
        Self::HandlerError,
        Self::ErrorMidStream,
        Self::Timeout,
        Self::DropBeforeHead,
        Self::DropMidStream,
        Self::Panic,
        Self::PanicMidStream,
        Self::KilledBeforeHead,
        Self::KilledMidStream,
    ];

    pub(crate) fn is_mid_stream(self) -> bool {
        matches!(
            self,
            Self::ErrorMidStream
                | Self::DropMidStream
                | Self::PanicMidStream
                | Self::KilledMidStream
        )
    }

    /// A unary response comes with its status.
    pub(crate) fn can_be(self, kind: Kind) -> bool {
        kind.answers_many() || !self.is_mid_stream()
    }

    /// What a request asks for.
    fn text(self) -> &'static str {
        match self {
            Self::Ok => "well",
            Self::HandlerError => "fail 5",
            Self::ErrorMidStream => "then fail 14",
            Self::Panic => "panic",
            Self::PanicMidStream => "then panic",
            Self::DropMidStream | Self::KilledMidStream => "then hang",
            Self::Timeout | Self::DropBeforeHead | Self::KilledBeforeHead => "hang",
        }
    }
}

/// What the caller has seen: a status, or nothing where it did not wait for one.
type Seen = Option<Code>;

impl World {
    async fn drive(&self, kind: Kind, ending: Ending) -> Seen {
        let said = say(ending.text(), 2);
        match kind {
            Kind::Unary => {
                let call = self.client.unary(said);
                self.until_head(ending, async { call.await.map(drop) })
                    .await
            }
            Kind::ClientStream => {
                let (messages, request) = mpsc::channel(2);
                messages.try_send(said.clone()).expect("there is room");
                messages.try_send(said).expect("there is room");
                drop(messages);
                let call = self.client.client_stream(ReceiverStream::new(request));
                self.until_head(ending, async { call.await.map(drop) })
                    .await
            }
            Kind::ServerStream => {
                let call = self.client.server_stream(said);
                self.stream(ending, call, None).await
            }
            Kind::Bidi => {
                let (messages, request) = mpsc::channel(2);
                messages.try_send(said).expect("there is room");
                let call = self.client.bidi(ReceiverStream::new(request));
                self.stream(ending, call, Some(messages)).await
            }
        }
    }

    async fn stream<S: Stream<Item = Result<Said, Status>>>(
        &self,
        ending: Ending,
        call: impl Future<Output = Result<Response<S>, Status>>,
        mut messages: Option<mpsc::Sender<Said>>,
    ) -> Seen {
        let mut answers = None;
        let head = async {
            call.await
                .map(|response| answers = Some(response.into_inner()))
        };
        let seen = self.until_head(ending, head).await;
        let Some(answers) = answers else { return seen };
        let mut answers = pin!(answers);
        let first = answers.next().await;
        if let Some(Err(status)) = first {
            return Some(status.code());
        }
        match ending {
            Ending::DropMidStream => {
                self.acts.hangs.notified().await;
                return None;
            }
            Ending::KilledMidStream => {
                self.acts.hangs.notified().await;
                self.cut();
            }
            // Its second message, and no more.
            Ending::Ok => {
                if let Some(messages) = messages.take() {
                    messages.try_send(say("well", 2)).expect("there is room");
                }
            }
            _ => self.acts.goes_on.notify_one(),
        }
        loop {
            match answers.next().await {
                Some(Ok(_)) => {}
                Some(Err(status)) => return Some(status.code()),
                None => return Some(Code::Ok),
            }
        }
    }

    /// Until there is a response, or whatever comes in its place.
    async fn until_head(
        &self,
        ending: Ending,
        call: impl Future<Output = Result<(), Status>>,
    ) -> Seen {
        let mut call = pin!(call);
        if matches!(ending, Ending::DropBeforeHead | Ending::KilledBeforeHead) {
            tokio::select! {
                _ = &mut call => panic!("it does not answer"),
                () = self.acts.hangs.notified() => {}
            }
            match ending {
                Ending::DropBeforeHead => return None,
                _ => self.cut(),
            }
        }
        let answer = call.await;
        Some(answer.map_or_else(|status| status.code(), |()| Code::Ok))
    }
}

/// What all three recorded is what was to be expected.
async fn check(kind: Kind, ending: Ending) {
    let world = World::new((ending == Ending::Timeout).then_some(TIMEOUT)).await;
    let driven = timeout(PATIENCE, world.drive(kind, ending)).await;
    let seen = driven.unwrap_or_else(|_| panic!("{kind:?} to {ending:?} comes to no end"));
    let records = world.recorded().await;
    for (part, record) in Part::ALL.into_iter().zip(&records) {
        let cell = format!("{kind:?}, {ending:?}, {part:?}");
        let mut expect = expected(kind, ending, part);
        if ending == Ending::Timeout && record.duration < TIMEOUT - TIMEOUT / 16 {
            // On a busy machine it came so late that the time of whoever dropped it was over before its own.
            expect = expected(kind, Ending::DropBeforeHead, part);
        }
        check_record(&cell, &expect, part, record);
        check_metrics(&cell, &world.capture, part);
        if let Some(seen) = seen.filter(|_| part != Part::Server) {
            let recorded = record.text("rpc.response.status_code");
            assert_eq!(recorded, Some(name(seen)), "{cell}: what Volo tells");
        }
    }
    let [call, attempt, server] = records;
    assert_eq!(attempt.parent_span_id, Some(call.span_id));
    assert_eq!(server.parent_span_id, Some(attempt.span_id));
}

pub(crate) fn name(code: Code) -> &'static str {
    match i32::from(code) {
        0 => "OK",
        1 => "CANCELLED",
        2 => "UNKNOWN",
        4 => "DEADLINE_EXCEEDED",
        5 => "NOT_FOUND",
        13 => "INTERNAL",
        14 => "UNAVAILABLE",
        other => panic!("{other} is not expected"),
    }
}

#[track_caller]
fn check_record(cell: &str, expect: &Expect, part: Part, record: &CapturedRecord) {
    let text = |key: &str| record.text(key);
    let took = record.duration;
    assert_eq!(
        text("rpc.response.status_code"),
        expect.status,
        "{cell}, after {took:?}"
    );
    assert_eq!(record.error_type(), expect.error, "{cell}");
    assert_eq!(text("obs.rpc.cancel.origin"), expect.origin, "{cell}");
    if part == Part::Call {
        return;
    }
    for (part, messages) in [("request", expect.asked), ("response", expect.answered)] {
        match record.attr(&format!("obs.rpc.{part}.messages")) {
            Some(AttrValue::Int(number)) => assert_eq!(*number, messages, "{cell}: {part}"),
            other => panic!("{cell}: {part}: {other:?}"),
        }
    }
    // What ended began, and in this order.
    for finish in record
        .events
        .iter()
        .filter(|event| event.name.ends_with("_finish"))
    {
        let start = finish.name.replace("_finish", "_start");
        let mut starts = record.events.iter().filter(|event| event.name == start);
        let start = starts
            .next()
            .unwrap_or_else(|| panic!("{cell}: {}", finish.name));
        assert!(start.time_ns <= finish.time_ns, "{cell}: {}", finish.name);
    }
}

/// One duration, one of each measure, and nobody in flight.
#[track_caller]
fn check_metrics(cell: &str, capture: &Capture, part: Part) {
    let side = match part {
        Part::Call => return assert_eq!(capture.count("obs.rpc.call.duration"), 1, "{cell}"),
        Part::Attempt => "client",
        Part::Server => "server",
    };
    let duration = format!("rpc.{side}.call.duration");
    assert_eq!(capture.count(&duration), 1, "{cell}");
    for part in ["request", "response"] {
        let name = format!("obs.rpc.{side}.{part}.messages");
        assert_eq!(capture.count(&name), 1, "{cell}: {name}");
    }
    let gauge = format!("obs.rpc.{side}.active_calls");
    assert_eq!(capture.in_flight(&gauge), 0, "{cell}");
}

#[tokio::test]
async fn every_ending_of_every_kind_is_recorded_as_what_it_is() {
    let mut wrong = Vec::new();
    for ending in Ending::ALL {
        for kind in Kind::ALL {
            // Each as a task, so that all that are wrong are told.
            if ending.can_be(kind) && tokio::spawn(check(kind, ending)).await.is_err() {
                wrong.push((kind, ending));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Volo's generated code stops reading where it cannot read on, and tells its layers nothing: to them it was dropped.
#[tokio::test]
async fn a_response_that_cannot_be_read_was_given_up() {
    let capture = capture();
    let (listener, address) = listener().await;
    let server = Server::new()
        .add_service(Nonsense)
        .layer_tower(VoloGrpcServerLayer::new(capture.telemetry()));
    let served = tokio::spawn(async move { server.run(DefaultIncoming::from(listener)).await });
    let client = client(&capture, address, None);
    let seen = client.unary(say("well", 0)).await.expect_err("nonsense");
    assert_eq!(seen.code(), Code::Internal);
    let records = all(&capture, 3).await;
    for (kind, origin) in [("rpc.call", "local"), ("rpc.client", "cascaded")] {
        let record = one(&records, kind);
        assert_eq!(record.text("rpc.response.status_code"), Some("CANCELLED"));
        assert_eq!(record.text("obs.rpc.cancel.origin"), Some(origin));
    }
    assert_eq!(capture.in_flight("obs.rpc.client.active_calls"), 0);
    served.abort();
}
