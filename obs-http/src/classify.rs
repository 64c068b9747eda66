//! What an answer, an error or a broken body means.

use crate::descriptor::{BODY_ERROR, SERVICE_ERROR};
use http::StatusCode;
use obs_core::{ErrorType, Kind, Outcome};

/// Turns what a service did into an [`Outcome`] with a closed `error.type`. Implemented by the service's author where
/// the default is not enough; cloned per request, so keep it small. Where it panics, the conventions' rule stands.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not classify the error `{E}`",
    note = "`ClientClassify` is for types that implement `std::error::Error`; for boxed errors there is \
            `HttpClientLayer::with_classify(BoxedClassify)`"
)]
pub trait Classify<E> {
    /// Whether it cannot panic, so that nothing has to be caught.
    #[doc(hidden)]
    const NEVER_PANICS: bool = false;

    /// An answer with this status. It is the outcome unless the body fails.
    fn classify_status(&self, status: StatusCode) -> Outcome;

    /// An error in the place of an answer.
    fn classify_error(&self, error: &E) -> Outcome;

    /// A response body that broke, on the side that reads it; whatever the status said.
    fn classify_body_error(&self, _error: &E) -> Outcome {
        BROKEN_BODY
    }
}

/// The conventions' rule for servers: 5xx is an error, named by its code; 4xx is the client's. An error of the service
/// is `service_error`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerClassify;

impl<E> Classify<E> for ServerClassify {
    const NEVER_PANICS: bool = true;

    #[inline]
    fn classify_status(&self, status: StatusCode) -> Outcome {
        if status.is_server_error() {
            Outcome::failed(ErrorType::code(status.as_u16()))
        } else {
            Outcome::ANSWERED
        }
    }

    fn classify_error(&self, _error: &E) -> Outcome {
        Outcome::failed(SERVICE_ERROR)
    }
}

/// What a status means, and where the classifier panics, `otherwise`.
#[inline(always)]
pub(crate) fn status<C: Classify<E>, E>(
    kind: &Kind,
    classify: &C,
    status: StatusCode,
    otherwise: fn(StatusCode) -> Outcome,
) -> Outcome {
    if C::NEVER_PANICS {
        return classify.classify_status(status);
    }
    kind.contain(None, || Some(classify.classify_status(status)))
        .unwrap_or_else(|| otherwise(status))
}

/// What an error means; one is an error whatever becomes of its classifier.
pub(crate) fn error(kind: &Kind, asked: impl FnOnce() -> Outcome) -> Outcome {
    kind.contain(Outcome::failed(SERVICE_ERROR), asked)
}

/// A broken body is one whatever the status said.
pub(crate) const BROKEN_BODY: Outcome = Outcome::failed(BODY_ERROR);
