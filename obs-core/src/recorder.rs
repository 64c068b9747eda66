//! Who records the spans of operations: this crate, or a tracer provider that the service has already.

mod pairs;
mod span;

#[cfg(feature = "sdk")]
pub(crate) use pairs::attributes_of;
pub(crate) use span::{BegunSpan, Tracer};

use opentelemetry::InstrumentationScope;
use opentelemetry::global::ObjectSafeTracerProvider;
use std::sync::Arc;

use crate::descriptor::Scope;

/// Who records spans. What operations do, how they end, and all their metrics are the same in both; going from one to the
/// other is a change of one line.
///
/// ```
/// use obs_core::{Recorder, Telemetry};
/// # use obs_core::otel::trace::noop::NoopTracerProvider as SdkTracerProvider;
/// # let provider = SdkTracerProvider::new();
/// let telemetry = Telemetry::builder()
///     .with_recorder(Recorder::sdk(provider.clone()))
///     .manual()
///     .build()?;
/// # Ok::<(), obs_core::Error>(())
/// ```
///
/// # What a provider's recorder does differently
///
/// - **Each operation is a span of the provider**: its sampler decides, its generator makes the ids, its processors see
///   `on_start` and `on_end`, its exporters send it. The sampler is shown the name, the links, and the attributes that the
///   layer knew of the request; so the span begins just before the operation is current for the first time, or has to
///   name its ids, with the operation's own start time. Processors run on the thread that starts and ends the operation.
///   A panic in any of them is contained and counted.
/// - **Nothing is kept late**: a provider cannot afford to record what it may not export. [`KeepPolicy`](crate::KeepPolicy),
///   [`HeadSampler`](crate::sampling::HeadSampler) and [`IdGenerator`](crate::ids::IdGenerator) have no say;
///   [`Telemetry::warnings`](crate::Telemetry::warnings) tells of those that were set. Forcing an operation to be kept does nothing.
/// - **This telemetry exports no traces**, only metrics and log events. Subscribers, exemplars and a
///   [`RaiseRule`](crate::RaiseRule) get what the provider sampled.
/// - **It is the service's to flush and to shut down.** After its shutdown operations have ids of ours and no span.
/// - Limits are the tighter of the provider's and ours, which are read from the same variables. What ours left out cannot be
///   told to a span from outside, and its count of dropped attributes lacks it.
/// - An attribute that the span began with and that changes later is there twice, the last value last: that is what setting
///   an attribute of an SDK's span again does (`opentelemetry_sdk` 0.33, `trace/span.rs`).
/// - It costs what an SDK's span costs: allocations and instructions for each operation (`recorder-sdk/base-kept` in the
///   README's table).
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Recorder {
    /// This crate: flat records, kept or dropped at their ends, encoded on a thread of ours.
    #[default]
    Flat,
    /// A tracer provider: see [`sdk`](Self::sdk).
    Sdk(Provider),
}

impl Recorder {
    /// The recorder of a provider: `opentelemetry_sdk`'s `SdkTracerProvider`, or any other.
    pub fn sdk(provider: impl ObjectSafeTracerProvider + Send + Sync + 'static) -> Self {
        Self::Sdk(Provider(Arc::new(provider)))
    }

    pub(crate) fn tracer(&self, scope: &Scope) -> Option<Tracer> {
        match self {
            Self::Flat => None,
            Self::Sdk(Provider(provider)) => {
                let scope = InstrumentationScope::builder(scope.name)
                    .with_version(scope.version)
                    .with_schema_url(scope.schema_url)
                    .build();
                Some(Tracer::new(provider.boxed_tracer(scope)))
            }
        }
    }

    pub(crate) fn is_sdk(&self) -> bool {
        matches!(self, Self::Sdk(_))
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Flat => "Flat",
            Self::Sdk(_) => "Sdk",
        })
    }
}

/// A tracer provider, of whichever type. Made by [`Recorder::sdk`].
#[derive(Clone)]
pub struct Provider(Arc<dyn ObjectSafeTracerProvider + Send + Sync>);

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").finish_non_exhaustive()
    }
}
