//! The service: asks, and calls or refuses.

use super::Draining;
use super::future::ResponseFuture;
use super::keep::Keep;
use super::rules::{Choose, Refuse};
use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};
use tower_service::Service;

/// A service behind the gates of the devices that its requests take.
pub struct GpuGateService<S, C, R, K> {
    pub(super) inner: S,
    pub(super) choose: C,
    pub(super) refuse: R,
    pub(super) draining: Draining,
    pub(super) keep: PhantomData<fn(K)>,
}

impl<S, C, R, K> GpuGateService<S, C, R, K> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, C: Clone, R: Clone, K> Clone for GpuGateService<S, C, R, K> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            choose: self.choose.clone(),
            refuse: self.refuse.clone(),
            draining: self.draining,
            keep: PhantomData,
        }
    }
}

impl<S: fmt::Debug, C, R, K> fmt::Debug for GpuGateService<S, C, R, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuGateService")
            .field("inner", &self.inner)
            .field("draining", &self.draining)
            .finish_non_exhaustive()
    }
}

impl<S, C, R, K, Request> Service<Request> for GpuGateService<S, C, R, K>
where
    S: Service<Request>,
    C: Choose<Request>,
    R: Refuse<S::Response, S::Error>,
    K: Keep<S::Response>,
{
    type Response = K::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response, S::Error, K>;

    /// As the service within. A gate is asked with the request: here nobody knows which, and a closed one must answer at once, not keep
    /// callers waiting.
    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        match self.choose.enter(&request, self.draining) {
            // The pass is held across the call, which may panic.
            Ok(pass) => ResponseFuture::passed(self.inner.call(request), pass),
            Err(refused) => ResponseFuture::refused(self.refuse.refuse(refused)),
        }
    }
}
