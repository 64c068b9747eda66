//! How long a request is in flight.

use super::GpuPass;

/// How long a request is in flight: [`UntilAnswered`], or `UntilBodyEnds` with the feature `http`.
pub trait Keep<Response> {
    /// What the response becomes.
    type Response;

    /// Takes the pass along with the response, or lets go of it: what is left of it is that of [no device](GpuPass::none).
    fn keep(response: Response, pass: &mut GpuPass) -> Self::Response;
}

/// Until there is an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilAnswered;

impl<Response> Keep<Response> for UntilAnswered {
    type Response = Response;

    #[inline(always)]
    fn keep(response: Response, pass: &mut GpuPass) -> Response {
        *pass = GpuPass::none();
        response
    }
}

/// Until the answer's body has ended, failed or been dropped: what a model says token by token is in flight until its last.
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilBodyEnds;

#[cfg(feature = "http")]
impl<B: http_body::Body> Keep<http::Response<B>> for UntilBodyEnds {
    type Response = http::Response<super::GpuGateBody<B>>;

    #[inline(always)]
    fn keep(response: http::Response<B>, pass: &mut GpuPass) -> Self::Response {
        let pass = std::mem::replace(pass, GpuPass::none());
        response.map(|body| super::GpuGateBody::new(body, pass))
    }
}
