//! The layer: settings by value.

use super::keep::UntilAnswered;
use super::rules::{Fixed, GiveError};
use super::service::GpuGateService;
use super::{Draining, GpuGate};
use std::marker::PhantomData;
use tower_layer::Layer;

/// Wraps a service whose requests take devices: lets them through while these take work, and refuses them while they do not. What is
/// in flight is counted, so that whoever drains a device knows [when it is empty](GpuGate::drained).
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use obs_gpu::{DeviceId, GpuGateLayer, GpuHealth, GpuRefused, HealthSettings};
/// use std::convert::Infallible;
/// use tower_layer::Layer;
///
/// # #[derive(Clone)] struct Model;
/// # let telemetry = obs_core::Telemetry::builder().manual().build()?;
/// let health = GpuHealth::new(&telemetry, HealthSettings::new());
/// // All requests are for one device; a request that is refused is answered 503, and is in flight until its body has ended.
/// let layer = GpuGateLayer::new([health.gate(&DeviceId::new("GPU-5e1f"))])
///     .until_body_ends()
///     .with_answer(|refused: GpuRefused| {
///         let mut answer = Response::new(refused.to_string());
///         *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
///         Ok::<_, Infallible>(answer)
///     });
/// let service = layer.layer(Model);
/// # Ok::<(), obs_core::Error>(())
/// ```
///
/// With tonic the answer is `tonic::Status::unavailable(refused.to_string()).into_http()`. Without an answer the service's error has to be
/// made of a [`GpuRefused`](super::GpuRefused).
///
/// A request is in flight until it is answered, or until its body has ended: for HTTP and gRPC that is
/// [`until_body_ends`](Self::until_body_ends), as streams go on. One that is refused does not reach the service within, which stays
/// ready for the next. What is in flight when a gate closes is not touched.
///
/// Make one at start-up and clone it: what is fixed of it is leaked, once, so that a service cloned per request counts no references.
// Three parameters beside the service, where one is the rule: which devices and which answer are closures of the user's own types, and
// how long a request is in flight changes the type of the response.
#[derive(Clone, Debug)]
pub struct GpuGateLayer<C = Fixed, R = GiveError, K = UntilAnswered> {
    pub(super) choose: C,
    pub(super) refuse: R,
    pub(super) draining: Draining,
    pub(super) keep: PhantomData<fn(K)>,
}

impl GpuGateLayer {
    /// All requests take these devices, all of them together.
    pub fn new(gates: impl IntoIterator<Item = GpuGate>) -> Self {
        let gates: Box<[GpuGate]> = gates.into_iter().collect();
        Self {
            choose: Fixed(Box::leak(gates)),
            refuse: GiveError,
            draining: Draining::default(),
            keep: PhantomData,
        }
    }
}

impl<C> GpuGateLayer<C> {
    /// Which devices a request takes it says itself: a closure of the request that gives their
    /// [gates](super::GpuGateSet), made at start-up and cloned; or `None` for one that takes none, which passes. Where it panics, that
    /// is the caller's.
    pub fn by(choose: C) -> Self {
        Self {
            choose,
            refuse: GiveError,
            draining: Draining::default(),
            keep: PhantomData,
        }
    }
}

impl<C, R, K> GpuGateLayer<C, R, K> {
    /// What a request is answered that is refused: a closure of the [refusal](super::GpuRefused), which says the device, its state and
    /// the cause.
    #[must_use]
    pub fn with_answer<A>(self, answer: A) -> GpuGateLayer<C, A, K> {
        GpuGateLayer {
            choose: self.choose,
            refuse: answer,
            draining: self.draining,
            keep: PhantomData,
        }
    }

    /// What becomes of new requests while a device drains. Default: they are refused.
    #[must_use]
    pub fn with_draining(self, draining: Draining) -> Self {
        Self { draining, ..self }
    }

    /// A request is in flight until its answer's body has ended, failed or been dropped.
    #[cfg(feature = "http")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http")))]
    #[must_use]
    pub fn until_body_ends(self) -> GpuGateLayer<C, R, super::UntilBodyEnds> {
        GpuGateLayer {
            choose: self.choose,
            refuse: self.refuse,
            draining: self.draining,
            keep: PhantomData,
        }
    }
}

impl<S, C: Clone, R: Clone, K> Layer<S> for GpuGateLayer<C, R, K> {
    type Service = GpuGateService<S, C, R, K>;

    fn layer(&self, inner: S) -> Self::Service {
        GpuGateService {
            inner,
            choose: self.choose.clone(),
            refuse: self.refuse.clone(),
            draining: self.draining,
            keep: PhantomData,
        }
    }
}
