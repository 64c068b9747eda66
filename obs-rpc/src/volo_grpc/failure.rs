//! Volo's statuses, as ours.

use crate::status::Code;
use ::volo_grpc::Status;

pub(crate) fn code(status: &Status) -> Code {
    Code::of(i64::from(i32::from(status.code())))
}

/// What Volo makes of a stream or a connection that broke, of which it keeps a text: those of a peer have metadata at least
/// (a `content-type`). Of a reset it does not say whose it was; our own are not seen.
pub(crate) fn broken(status: &Status) -> Option<Code> {
    let is_broken =
        status.metadata().is_empty() && status.message().starts_with("h2 protocol error: ");
    is_broken.then(|| code(status))
}

/// Whether the peer sent it, as the whole of its answer.
pub(crate) fn is_answer(status: &Status) -> bool {
    !status.metadata().is_empty()
}
