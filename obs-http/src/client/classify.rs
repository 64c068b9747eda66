//! What answers and errors mean to the side that asked.

use super::failure;
use crate::classify::{BROKEN_BODY, Classify};
use crate::descriptor::SERVICE_ERROR;
use http::StatusCode;
use obs_core::{ErrorType, Outcome};
use std::error::Error;

/// The conventions' rule for clients: 4xx and 5xx are errors, named by their codes. Other errors are named by what is
/// found in their sources, from the closed set in [`client`](crate::client).
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientClassify;

impl<E: Error + 'static> Classify<E> for ClientClassify {
    #[inline]
    fn classify_status(&self, status: StatusCode) -> Outcome {
        of_status(status)
    }

    fn classify_error(&self, error: &E) -> Outcome {
        of_error(error)
    }

    fn classify_body_error(&self, error: &E) -> Outcome {
        of_body_error(error)
    }
}

/// The same for boxed errors, which layers such as tower's `Timeout` and `Buffer` make of others when they stand inside
/// of ours. Bodies may have the errors of hyper (feature `hyper-util`) and reqwest (feature `reqwest`), too.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoxedClassify;

type BoxError = Box<dyn Error + Send + Sync>;

macro_rules! boxed {
    ($($error:ty => $as:expr),* $(,)?) => {$(
        impl Classify<$error> for BoxedClassify {
            #[inline]
            fn classify_status(&self, status: StatusCode) -> Outcome {
                of_status(status)
            }

            fn classify_error(&self, error: &$error) -> Outcome {
                let view: fn(&$error) -> &(dyn Error + 'static) = $as;
                of_error(view(error))
            }

            fn classify_body_error(&self, error: &$error) -> Outcome {
                let view: fn(&$error) -> &(dyn Error + 'static) = $as;
                of_body_error(view(error))
            }
        }
    )*};
}

boxed! {
    BoxError => |error| &**error,
    std::convert::Infallible => |error| error,
    std::io::Error => |error| error,
}
#[cfg(feature = "hyper-util")]
boxed! {
    hyper::Error => |error| error,
    hyper_util::client::legacy::Error => |error| error,
}
#[cfg(feature = "reqwest")]
boxed!(reqwest::Error => |error| error);

#[inline]
pub(super) fn of_status(status: StatusCode) -> Outcome {
    if status.is_client_error() || status.is_server_error() {
        Outcome::failed(ErrorType::code(status.as_u16()))
    } else {
        Outcome::ANSWERED
    }
}

fn of_error(error: &(dyn Error + 'static)) -> Outcome {
    Outcome::failed(failure::of(error).unwrap_or(SERVICE_ERROR))
}

fn of_body_error(error: &(dyn Error + 'static)) -> Outcome {
    failure::of(error).map_or(BROKEN_BODY, Outcome::failed)
}
