//! Why a call ended without a status from the peer, read off an error: as tonic reads it, so that what is recorded is what
//! the caller sees. Types of tonic are recognised as such; those of hyper and h2 by what they say, which are constants there.

use crate::call::ending::Origin;
use crate::descriptor::{BODY_ERROR, SERVICE_ERROR};
use crate::status::Code;
use obs_core::{ErrorType, Outcome};
use std::any::Any;
use std::error::Error;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The call could not be sent, or its connection broke.
const TRANSPORT: ErrorType = ErrorType::own(19);

/// What an error makes of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) code: Option<Code>,
    pub(crate) outcome: Outcome,
    pub(crate) origin: Option<Origin>,
}

/// An error that can be looked into: of tonic, or boxed.
pub(crate) fn chain<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let error: &dyn Any = error;
    if let Some(status) = error.downcast_ref::<tonic::Status>() {
        return Some(status);
    }
    if let Some(transport) = error.downcast_ref::<tonic::transport::Error>() {
        return Some(transport);
    }
    error
        .downcast_ref::<Box<dyn Error + Send + Sync>>()
        .map(|boxed| &**boxed as &(dyn Error + 'static))
}

/// An error in the place of a response, where it is the client's.
#[cold]
pub(crate) fn of_client(error: Option<&(dyn Error + 'static)>) -> Failed {
    match error.and_then(found) {
        Some(found) => found.to_client(),
        // What tonic makes of an error that it does not know.
        None => failed(Some(Code::UNKNOWN), SERVICE_ERROR),
    }
}

/// An error in the place of a response, where it is the service's: what becomes of it is up to those outside.
#[cold]
pub(crate) fn of_server(error: Option<&(dyn Error + 'static)>) -> Failed {
    match error.and_then(found) {
        Some(Found::Status(code)) => failed(Some(code), code.error()),
        Some(Found::Late) => Found::Late.to_client(),
        _ => failed(None, SERVICE_ERROR),
    }
}

/// A body that broke.
#[cold]
pub(crate) fn of_body(error: Option<&(dyn Error + 'static)>, server: bool) -> Failed {
    match error.and_then(found) {
        Some(found) => found.to_client(),
        None if server => failed(None, BODY_ERROR),
        None => failed(Some(Code::UNKNOWN), BODY_ERROR),
    }
}

const fn failed(code: Option<Code>, error: ErrorType) -> Failed {
    Failed {
        code,
        outcome: Outcome::failed(error),
        origin: None,
    }
}

/// What was recognised first on the way from the outermost error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Status(Code),
    /// The channel's own timeout, by `grpc-timeout`.
    Late,
    /// By what lies between.
    Transport(Code),
}

impl Found {
    fn to_client(self) -> Failed {
        match self {
            Self::Status(Code::CANCELLED) => Failed {
                code: Some(Code::CANCELLED),
                outcome: Outcome::cancelled(Code::CANCELLED.error()),
                origin: Some(Origin::Peer),
            },
            Self::Status(code) => failed(Some(code), code.error()),
            // So tonic tells its caller (0.14); that it is late is what is ours to say.
            Self::Late => Failed {
                code: Some(Code::CANCELLED),
                outcome: Outcome::TIMED_OUT,
                origin: Some(Origin::Deadline),
            },
            Self::Transport(Code::CANCELLED) => Failed {
                code: Some(Code::CANCELLED),
                outcome: Outcome::cancelled(Code::CANCELLED.error()),
                origin: Some(Origin::Peer),
            },
            Self::Transport(code) => failed(Some(code), TRANSPORT),
        }
    }
}

/// Chains are short; one that bites its tail must not hang the host.
const DEEPEST: usize = 16;

fn found(error: &(dyn Error + 'static)) -> Option<Found> {
    let mut next = Some(error);
    for _ in 0..DEEPEST {
        let error = next?;
        if let Some(status) = error.downcast_ref::<tonic::Status>() {
            return Some(Found::Status(Code::of(i64::from(i32::from(status.code())))));
        }
        if error.is::<tonic::TimeoutExpired>() {
            return Some(Found::Late);
        }
        if error.is::<tonic::ConnectError>() {
            return Some(Found::Transport(Code::UNAVAILABLE));
        }
        if let Some(code) = said(error) {
            return Some(Found::Transport(code));
        }
        next = error.source();
    }
    None
}

/// How messages of hyper and h2 begin, and what tonic makes of them. The reasons of h2 follow what it calls the error.
const SAYINGS: &[(&str, Code)] = &[
    // hyper
    ("operation was canceled", Code::CANCELLED),
    ("connection closed before message completed", Code::UNKNOWN),
    // h2, by the peer
    ("stream error received: ", Code::INTERNAL),
    ("stream error received: refused stream", Code::UNAVAILABLE),
    (
        "stream error received: stream no longer needed",
        Code::CANCELLED,
    ),
    (
        "stream error received: detected excessive load",
        Code::RESOURCE_EXHAUSTED,
    ),
    (
        "stream error received: security properties",
        Code::PERMISSION_DENIED,
    ),
    ("connection error received: ", Code::UNAVAILABLE),
    ("connection error detected: ", Code::INTERNAL),
    ("keep-alive timed out", Code::UNAVAILABLE),
];

fn said(error: &(dyn Error + 'static)) -> Option<Code> {
    let mut text = Beginning {
        bytes: [0; 64],
        len: 0,
    };
    // It fails where the text is longer than what is looked at. An error that panics over its text is not ours to let
    // through: its host goes on with it as it would without us.
    let _ = catch_unwind(AssertUnwindSafe(|| write!(text, "{error}")));
    let text = &text.bytes[..text.len];
    let fits = SAYINGS
        .iter()
        .filter(|(saying, _)| text.starts_with(saying.as_bytes()));
    // The longest beginning is the one that is meant.
    fits.max_by_key(|(saying, _)| saying.len())
        .map(|(_, means)| *means)
}

/// The beginning of a text, without an allocation.
struct Beginning {
    bytes: [u8; 64],
    len: usize,
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let taken = text.len().min(room.len());
        room[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.len += taken;
        if taken == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
