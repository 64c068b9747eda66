//! Right around the handlers of a volo-grpc server, behind all that Volo does before.

use super::BinaryMetadata;
use super::server::Handled;
use ::volo_grpc::context::ServerContext;
use ::volo_grpc::{Request, Response};
use motore::layer::Layer;
use motore::service::Service;

/// Wraps the router of a volo-grpc server (`Server::layer`, added last), or one of its services (`ServiceBuilder::layer`), behind a
/// [`VoloGrpcServerLayer`](super::VoloGrpcServerLayer), without which it does nothing.
///
/// It tells when the handler was called and when it had answered, apart from what Volo's own layers do, and gives the request
/// its binary metadata back.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoloGrpcHandleLayer;

impl VoloGrpcHandleLayer {
    /// A layer.
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for VoloGrpcHandleLayer {
    type Service = VoloGrpcHandle<S>;

    fn layer(self, inner: S) -> VoloGrpcHandle<S> {
        VoloGrpcHandle { inner }
    }
}

/// See [`VoloGrpcHandleLayer`].
#[derive(Clone, Debug)]
pub struct VoloGrpcHandle<S> {
    inner: S,
}

impl<S> VoloGrpcHandle<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, T, U> Service<ServerContext, Request<T>> for VoloGrpcHandle<S>
where
    S: Service<ServerContext, Request<T>, Response = Response<U>> + Sync,
    T: Send,
{
    type Response = Response<U>;
    type Error = S::Error;

    async fn call(
        &self,
        cx: &mut ServerContext,
        mut request: Request<T>,
    ) -> Result<Response<U>, S::Error> {
        // Volo asks no further.
        if let Some(BinaryMetadata(binary)) = request.extensions_mut().remove() {
            request.metadata_mut().headers_mut().extend(binary);
        }
        let _handled = request.extensions_mut().remove().map(Leaving::enter);
        self.inner.call(cx, request).await
    }
}

/// Whoever drops the handler's future ends it as well.
struct Leaving(Handled);

impl Leaving {
    fn enter(handled: Handled) -> Self {
        handled.0.enter_handler();
        Self(handled)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.0.leave_handler();
    }
}
