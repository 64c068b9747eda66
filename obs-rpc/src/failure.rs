//! Why a call ended without a status from the peer, read off an error: as tonic reads it, so that what is recorded is what
//! the caller sees. What broke the call is told by the types of hyper and h2, which tonic's errors hold.

use crate::call::ending::Origin;
use crate::descriptor::{BODY_ERROR, SERVICE_ERROR, TRANSPORT_ERROR};
use crate::status::Code;
use obs_core::{ErrorType, Outcome};
use std::any::Any;
use std::error::Error;

/// What an error makes of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) code: Option<Code>,
    pub(crate) outcome: Outcome,
    pub(crate) origin: Option<Origin>,
}

impl Failed {
    /// A status that somebody said is to this side what it would be in the head of a response.
    pub(crate) fn as_meant(mut self, outcome: impl FnOnce(Code) -> Outcome) -> Self {
        if let Some(code) = self.code
            && self.outcome == Outcome::failed(code.error())
        {
            self.outcome = outcome(code);
        }
        self
    }
}

/// An error that can be looked into: of tonic, of hyper beneath it, of Volo, or boxed.
pub(crate) fn chain<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let error: &dyn Any = error;
    if let Some(status) = error.downcast_ref::<tonic::Status>() {
        return Some(status);
    }
    if let Some(transport) = error.downcast_ref::<tonic::transport::Error>() {
        return Some(transport);
    }
    // Of a client of hyper's own in the place of a channel.
    if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
        return Some(hyper);
    }
    #[cfg(feature = "volo-grpc")]
    if let Some(status) = error.downcast_ref::<::volo_grpc::Status>() {
        return Some(status);
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
        Some(late @ Found::Late) => late.to_client(),
        _ => failed(None, SERVICE_ERROR),
    }
}

/// A response's body that broke. A server's own says nothing of a connection of the server's.
#[cold]
pub(crate) fn of_body(error: Option<&(dyn Error + 'static)>, server: bool) -> Failed {
    match error.and_then(found) {
        Some(Found::Status(code)) => failed(Some(code), code.error()),
        Some(found) if !server => found.to_client(),
        _ if server => failed(None, BODY_ERROR),
        _ => failed(Some(Code::UNKNOWN), BODY_ERROR),
    }
}

/// Whether a request's body broke because of the peer: it reset the stream, or the connection is lost. Nobody is there to be
/// answered then.
#[cold]
pub(crate) fn is_of_peer(error: &(dyn Error + 'static)) -> bool {
    let found = found(error);
    matches!(
        found,
        Some(Found::Reset(_) | Found::Unsent(_) | Found::Transport(_))
    )
}

const fn failed(code: Option<Code>, error: ErrorType) -> Failed {
    Failed {
        code,
        outcome: Outcome::failed(error),
        origin: None,
    }
}

/// What was recognised on the way from the outermost error to its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Of somebody who knows: an interceptor, a service, an encoder.
    Status(Code),
    /// The channel's own timeout, by `grpc-timeout` or its endpoint.
    Late,
    /// The peer reset the stream because it wants no more of it.
    Reset(Code),
    /// It was reset by us, because what was to be sent failed.
    Unsent(Code),
    /// By what lies between, or by the peer's transport.
    Transport(Code),
}

impl Found {
    const fn to_client(self) -> Failed {
        match self {
            Self::Status(code) => failed(Some(code), code.error()),
            // So tonic tells its caller (0.14); that it is late is what is ours to say.
            Self::Late => Failed {
                code: Some(Code::CANCELLED),
                outcome: Outcome::TIMED_OUT,
                origin: Some(Origin::Deadline),
            },
            Self::Reset(code) => Failed {
                code: Some(code),
                outcome: Outcome::cancelled(Code::CANCELLED.error()),
                origin: Some(Origin::Peer),
            },
            Self::Unsent(code) => failed(Some(code), BODY_ERROR),
            Self::Transport(code) => failed(Some(code), TRANSPORT_ERROR),
        }
    }
}

/// Chains are short; one that bites its tail must not hang the host.
const DEEPEST: usize = 16;

fn found(error: &(dyn Error + 'static)) -> Option<Found> {
    let (mut told, mut transport) = (None, false);
    let mut next = Some(error);
    for _ in 0..DEEPEST {
        let Some(error) = next else { break };
        #[cfg(feature = "volo-grpc")]
        if let Some(status) = error.downcast_ref::<::volo_grpc::Status>() {
            match crate::volo_grpc::failure::broken(status) {
                Some(Code::CANCELLED) => return Some(Found::Reset(Code::CANCELLED)),
                Some(code) => return Some(Found::Transport(code)),
                None => told = told.or(Some(crate::volo_grpc::failure::code(status))),
            }
        }
        if let Some(status) = error.downcast_ref::<tonic::Status>() {
            // What the caller sees. Further in stands why.
            told = told.or(Some(Code::of(i64::from(i32::from(status.code())))));
        } else if error.is::<tonic::TimeoutExpired>() {
            return Some(Found::Late);
        } else if error.is::<tonic::ConnectError>() {
            return Some(Found::Transport(told.unwrap_or(Code::UNAVAILABLE)));
        } else if let Some(error) = error.downcast_ref::<h2::Error>() {
            let code = told.unwrap_or(of_h2(error.reason()));
            let by_us = error.is_reset() && !error.is_remote() && !error.is_library();
            return Some(match error.reason() {
                Some(h2::Reason::CANCEL) if error.is_remote() => Found::Reset(code),
                Some(h2::Reason::INTERNAL_ERROR) if by_us => Found::Unsent(code),
                _ => Found::Transport(code),
            });
        } else if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_timeout() {
                // Its pings were not answered.
                return Some(Found::Transport(told.unwrap_or(Code::UNAVAILABLE)));
            }
            if error.is_canceled() {
                // The connection had gone before the request was on it. Nobody cancelled, whatever tonic calls it.
                return Some(Found::Transport(told.unwrap_or(Code::CANCELLED)));
            }
            // A body of the user's is within: what it says comes next.
            transport |= !error.is_user();
        } else {
            transport |= error.is::<std::io::Error>() || error.is::<tonic::transport::Error>();
        }
        next = error.source();
    }
    match transport {
        true => Some(Found::Transport(told.unwrap_or(Code::UNKNOWN))),
        false => told.map(Found::Status),
    }
}

/// gRPC's mapping of HTTP/2's reasons (doc/PROTOCOL-HTTP2.md), as tonic has it. A connection that is lost without any is
/// UNKNOWN to tonic.
const fn of_h2(reason: Option<h2::Reason>) -> Code {
    use h2::Reason;
    match reason {
        Some(
            Reason::NO_ERROR
            | Reason::PROTOCOL_ERROR
            | Reason::INTERNAL_ERROR
            | Reason::FLOW_CONTROL_ERROR
            | Reason::SETTINGS_TIMEOUT
            | Reason::FRAME_SIZE_ERROR
            | Reason::COMPRESSION_ERROR
            | Reason::CONNECT_ERROR,
        ) => Code::INTERNAL,
        Some(Reason::REFUSED_STREAM) => Code::UNAVAILABLE,
        Some(Reason::CANCEL) => Code::CANCELLED,
        Some(Reason::ENHANCE_YOUR_CALM) => Code::RESOURCE_EXHAUSTED,
        Some(Reason::INADEQUATE_SECURITY) => Code::PERMISSION_DENIED,
        _ => Code::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    type Boxed = Box<dyn Error + Send + Sync>;

    /// An error of an application's, with another inside, or itself.
    #[derive(Debug)]
    struct Own(Option<Boxed>);

    impl fmt::Display for Own {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("of its own")
        }
    }

    impl Error for Own {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            match &self.0 {
                Some(inner) => Some(&**inner),
                None => Some(self),
            }
        }
    }

    #[track_caller]
    fn check(error: Boxed, client: (Option<Code>, ErrorType), server: (Option<Code>, ErrorType)) {
        let nested: Boxed = Box::new(Own(Some(error)));
        for (failed, expect) in [
            (of_client(chain(&nested)), client),
            (of_server(chain(&nested)), server),
        ] {
            assert_eq!((failed.code, failed.outcome.error()), expect, "{nested:?}");
        }
    }

    #[test]
    fn a_status_within_is_the_status() {
        let (code, own) = (Some(Code::of(5)), Code::of(5).error());
        let status = Box::new(tonic::Status::not_found(""));
        check(status, (code, own), (code, own));
    }

    #[test]
    fn what_is_not_known_is_unknown_to_the_caller() {
        let client = (Some(Code::UNKNOWN), SERVICE_ERROR);
        check(
            Box::new(Own(Some("why".into()))),
            client,
            (None, SERVICE_ERROR),
        );
        // Its source is itself.
        check(Box::new(Own(None)), client, (None, SERVICE_ERROR));
        assert!(
            chain(&fmt::Error).is_none(),
            "not one that can be looked into"
        );
    }

    /// A connection that is closed, and tasks that nobody needs then.
    #[derive(Clone)]
    struct Closed;

    impl<F: Future> hyper::rt::Executor<F> for Closed {
        fn execute(&self, _: F) {}
    }

    type Polled<T> = Poll<io::Result<T>>;

    fn closed<T>() -> Polled<T> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    impl hyper::rt::Read for Closed {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: hyper::rt::ReadBufCursor<'_>,
        ) -> Polled<()> {
            closed()
        }
    }

    impl hyper::rt::Write for Closed {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Polled<usize> {
            closed()
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled<()> {
            closed()
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled<()> {
            closed()
        }
    }

    #[tokio::test]
    async fn a_lost_connection_of_a_client_of_hypers_own_is_the_transports() {
        let asked =
            hyper::client::conn::http2::handshake::<_, _, tonic::body::Body>(Closed, Closed);
        let Err(lost) = asked.await else {
            panic!("it is closed")
        };
        let failed = of_client(chain(&lost));
        assert_eq!(
            (failed.code, failed.outcome.error()),
            (Some(Code::UNKNOWN), TRANSPORT_ERROR)
        );
    }

    #[test]
    fn a_lost_connection_is_the_transports() {
        let lost = Box::new(io::Error::from(io::ErrorKind::BrokenPipe));
        let client = (Some(Code::UNKNOWN), TRANSPORT_ERROR);
        check(lost, client, (None, SERVICE_ERROR));
        let reset = Box::new(h2::Error::from(h2::Reason::REFUSED_STREAM));
        let client = (Some(Code::UNAVAILABLE), TRANSPORT_ERROR);
        check(reset, client, (None, SERVICE_ERROR));
    }
}
