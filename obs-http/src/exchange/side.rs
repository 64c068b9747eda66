//! What tells the side that answers from the side that asks.

use super::settings::Common;
use http::{Response, StatusCode};
use obs_core::{Active, Event, Outcome};

/// A side, as the future knows it. `E` is what the service fails with. Nobody else can name it, so it is sealed.
pub trait Side<E> {
    /// What of it goes on with the body.
    type Body;
    /// What happens with the response's head.
    const AT_HEAD: &'static [Event];
    /// What happens where an error comes in the head's place.
    const AT_ERROR: &'static [Event];

    /// What both sides are told.
    #[doc(hidden)]
    fn common(&self) -> &'static Common;

    /// What a status means.
    fn of_status(&self, status: StatusCode) -> Outcome;

    /// What an error in the place of an answer means.
    fn of_error(&self, error: &E) -> Outcome;

    /// What else the head says.
    #[inline(always)]
    fn at_head<B>(&self, _active: &mut Active<'_>, _response: &Response<B>, _outcome: Outcome) {}

    /// At the first poll, where that was asked for: nothing of the exchange is current.
    fn look(&self) {}

    /// What of it goes on with the body.
    fn body(&self) -> Self::Body;
}

/// A side, as the body knows it. `E` is what the body fails with.
pub trait BodySide<E> {
    /// The body is polled for the first time.
    const FIRST: Event;
    /// Its first data frame is there.
    const DATA: Event;
    /// Its last frame is there.
    const LAST: Event;

    /// What a broken body means.
    fn of_broken(&self, error: &E) -> Outcome;
}
