//! Which devices a request is for, and what it is answered where one of them refuses.

use super::{Draining, GpuGate, GpuGateSet, GpuPass, GpuRefused};

/// Which devices a request is for: closures implement it, and [`Fixed`].
pub trait Choose<Request> {
    /// A pass through the gates of those.
    ///
    /// # Errors
    /// Where one of them refuses.
    fn enter(&self, request: &Request, draining: Draining) -> Result<GpuPass, GpuRefused>;
}

/// None: it takes no device, and passes.
impl<Request, F> Choose<Request> for F
where
    F: Fn(&Request) -> Option<GpuGateSet>,
{
    #[inline]
    fn enter(&self, request: &Request, draining: Draining) -> Result<GpuPass, GpuRefused> {
        match self(request) {
            Some(gates) => gates.enter(draining),
            None => Ok(GpuPass::none()),
        }
    }
}

/// The same devices for every request.
#[derive(Clone, Copy, Debug)]
pub struct Fixed(pub(super) &'static [GpuGate]);

impl<Request> Choose<Request> for Fixed {
    #[inline]
    fn enter(&self, _: &Request, draining: Draining) -> Result<GpuPass, GpuRefused> {
        GpuPass::fixed(self.0, draining)
    }
}

/// What a request is answered that is refused: closures implement it, and [`GiveError`].
pub trait Refuse<Response, Error> {
    /// The answer, or the error in its place.
    ///
    /// # Errors
    /// Where a refusal is no answer.
    fn refuse(&self, refused: GpuRefused) -> Result<Response, Error>;
}

impl<Response, Error, F> Refuse<Response, Error> for F
where
    F: Fn(GpuRefused) -> Result<Response, Error>,
{
    fn refuse(&self, refused: GpuRefused) -> Result<Response, Error> {
        self(refused)
    }
}

/// The [refusal](GpuRefused) as the service's error, which has to be made of one: as a boxed error is.
#[derive(Clone, Copy, Debug, Default)]
pub struct GiveError;

impl<Response, Error: From<GpuRefused>> Refuse<Response, Error> for GiveError {
    fn refuse(&self, refused: GpuRefused) -> Result<Response, Error> {
        Err(refused.into())
    }
}
