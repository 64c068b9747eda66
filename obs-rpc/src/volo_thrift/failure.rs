//! What an error of Volo's makes of a call: an `error.type` from the closed set.

use ::volo_thrift::error::{ApplicationException, ApplicationExceptionKind, BizError};
use ::volo_thrift::{ClientError, ThriftException};
use obs_core::{Active, ErrorType, Outcome, semconv::obs};
use std::io;

/// The call could not be sent, or its connection broke.
pub(crate) const TRANSPORT: ErrorType = ErrorType::own(19);
/// What came, or was to be sent, was not Thrift, and it is not known which of the two.
pub(crate) const PROTOCOL: ErrorType = ErrorType::own(20);
/// A message could not be written.
pub(crate) const ENCODE: ErrorType = ErrorType::own(21);
/// A message could not be read.
pub(crate) const DECODE: ErrorType = ErrorType::own(22);
/// The service, or Volo in its place, answered with an application exception.
pub(crate) const APPLICATION: ErrorType = ErrorType::own(23);
/// The service answered with a business error.
pub(crate) const BIZ: ErrorType = ErrorType::own(24);

/// Where a client's codec failed, left in the call's context for the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broke {
    Encoding,
    Decoding,
    /// The connection was over before the answer was.
    Connection,
}

/// How Volo's own words for a client begin. They come as application exceptions, as those of a peer do.
const TIMEOUT: &str = "[VOLO] thrift rpc call timeout";
const MULTIPLEX: &str = "multiplex connection";
const BALANCE: &str = "load balance ";

/// An error in the place of a client's answer. `late` says whether the call's deadline has passed.
#[cold]
pub(crate) fn of_client(error: &ClientError, broke: Option<Broke>, late: bool) -> Outcome {
    match error {
        ClientError::Application(exception) => match broke {
            Some(Broke::Decoding) => Outcome::failed(DECODE),
            Some(Broke::Encoding) => Outcome::failed(ENCODE),
            _ => of_exception(exception, late),
        },
        ClientError::Transport(error) if error.io_error().kind() == io::ErrorKind::TimedOut => {
            Outcome::TIMED_OUT
        }
        ClientError::Transport(_) => Outcome::failed(TRANSPORT),
        ClientError::Protocol(_) => Outcome::failed(match broke {
            Some(Broke::Encoding) => ENCODE,
            Some(Broke::Decoding) => DECODE,
            Some(Broke::Connection) => TRANSPORT,
            None => PROTOCOL,
        }),
        ClientError::Biz(_) => Outcome::failed(BIZ),
    }
}

fn of_exception(exception: &ApplicationException, late: bool) -> Outcome {
    let said = exception.message();
    if late && said.starts_with(TIMEOUT) {
        // A peer whose own call was late says the same: it is ours where our time is over.
        Outcome::TIMED_OUT
    } else if said.starts_with(MULTIPLEX) || said.starts_with(BALANCE) {
        Outcome::failed(TRANSPORT)
    } else if exception.kind() == ApplicationExceptionKind::BAD_SEQUENCE_ID {
        Outcome::failed(PROTOCOL)
    } else {
        Outcome::failed(APPLICATION)
    }
}

/// A request that could not be read. `over` says whether the connection was.
#[cold]
pub(crate) fn of_request(error: &ThriftException, over: bool) -> Outcome {
    Outcome::failed(match error {
        ThriftException::Transport(_) => TRANSPORT,
        // It asks which protocol it is before it says that there is no more.
        ThriftException::Protocol(_) if over => TRANSPORT,
        ThriftException::Protocol(_) => DECODE,
        // The generated code does not know the method.
        ThriftException::Application(_) => APPLICATION,
    })
}

/// An answer that could not be written. `began` says whether any of it was.
#[cold]
pub(crate) fn of_answer(error: &ThriftException, began: bool) -> Outcome {
    Outcome::failed(match error {
        ThriftException::Transport(_) => TRANSPORT,
        _ if began => TRANSPORT,
        _ => ENCODE,
    })
}

/// What an exception says beyond its type.
#[cold]
pub(crate) fn tell_exception(active: &mut Active<'_>, exception: &ApplicationException) {
    active.set(obs::RPC_EXCEPTION, i64::from(i32::from(exception.kind())));
}

/// What a business error says beyond its type.
#[cold]
pub(crate) fn tell_biz(active: &mut Active<'_>, error: &BizError) {
    active.set(obs::RPC_BIZ_STATUS, i64::from(error.status_code));
}

#[cfg(test)]
mod tests {
    use super::*;
    use obs_core::Descriptor;
    use volo_thrift::error::{ProtocolException, ProtocolExceptionKind, TransportException};

    fn exception(message: &'static str) -> ClientError {
        let kind = ApplicationExceptionKind::INTERNAL_ERROR;
        ApplicationException::new(kind, message).into()
    }

    fn io_error(kind: io::ErrorKind) -> ClientError {
        TransportException::from(io::Error::from(kind)).into()
    }

    fn protocol() -> ClientError {
        ProtocolException::new(ProtocolExceptionKind::InvalidData, "odd").into()
    }

    #[test]
    fn types_have_their_names() {
        let errors = |it: &'static Descriptor| it.errors;
        for (index, name) in [
            (19, "transport_error"),
            (20, "protocol_error"),
            (21, "encode_error"),
            (22, "decode_error"),
            (23, "application_error"),
            (24, "biz_error"),
        ] {
            assert_eq!(errors(&crate::RPC_CLIENT)[index], name);
            assert_eq!(errors(&crate::RPC_SERVER)[index], name);
        }
    }

    #[track_caller]
    fn check(error: ClientError, broke: Option<Broke>, late: bool, expect: Outcome) {
        assert_eq!(of_client(&error, broke, late), expect, "{error:?}");
    }

    #[test]
    fn a_timeout_is_one_where_the_time_is_over() {
        let said = "[VOLO] thrift rpc call timeout, rpcinfo: …";
        check(exception(said), None, true, Outcome::TIMED_OUT);
        check(exception(said), None, false, Outcome::failed(APPLICATION));
        check(exception("late"), None, true, Outcome::failed(APPLICATION));
        check(
            io_error(io::ErrorKind::TimedOut),
            None,
            false,
            Outcome::TIMED_OUT,
        );
    }

    #[test]
    fn what_never_left_is_of_the_transport() {
        for said in [
            "load balance retry reaches end",
            "load balance discovery error: nobody",
            "multiplex connection closed",
        ] {
            check(exception(said), None, false, Outcome::failed(TRANSPORT));
        }
        let refused = io_error(io::ErrorKind::ConnectionRefused);
        check(refused, None, false, Outcome::failed(TRANSPORT));
    }

    #[test]
    fn a_codec_knows_which_way_it_failed() {
        check(
            protocol(),
            Some(Broke::Encoding),
            false,
            Outcome::failed(ENCODE),
        );
        check(
            protocol(),
            Some(Broke::Decoding),
            false,
            Outcome::failed(DECODE),
        );
        check(
            protocol(),
            Some(Broke::Connection),
            false,
            Outcome::failed(TRANSPORT),
        );
        check(protocol(), None, false, Outcome::failed(PROTOCOL));
        check(
            BizError::default().into(),
            None,
            false,
            Outcome::failed(BIZ),
        );
    }
}
