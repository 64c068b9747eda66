//! A telemetry whose exports are caught, and what was caught, decoded by others.

use obs_core::courier::{Batch, Capture, Sent, Signal};
use obs_core::otel::KeyValue;
use obs_core::setup::environment::Environment;
use obs_core::setup::resource::Resource;
use obs_core::{Builder, Telemetry};
use opentelemetry_sdk::Resource as SdkResource;
use prost::Message;
use std::time::Duration;

/// Generous: the machine may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) fn manual(capture: &Capture) -> Telemetry {
    built(capture, |builder| builder)
}

pub(crate) fn built(capture: &Capture, with: impl FnOnce(Builder) -> Builder) -> Telemetry {
    let builder = Telemetry::builder()
        .with_environment(Environment::default())
        .with_resource(Resource::builder().with_service_name("ours").build())
        .with_transport(capture.clone())
        .manual();
    with(builder).build().expect("usable")
}

/// A destination that is never there.
pub(crate) fn dead() -> Capture {
    Capture::new().with_answer(|_| Sent::retry("nobody listens"))
}

/// That of the user's provider: not ours.
pub(crate) fn theirs() -> SdkResource {
    SdkResource::builder_empty()
        .with_schema_url([KeyValue::new("service.name", "theirs")], "url:resource")
        .build()
}

pub(crate) fn decoded<M: Message + Default>(batch: &Batch) -> M {
    M::decode(&*batch.body).expect("the official decoder reads it")
}

/// The batches of one signal; ours, of which there are some, are left out with their resource.
pub(crate) fn of(signal: Signal, batches: Vec<Batch>) -> Vec<Batch> {
    batches
        .into_iter()
        .filter(|batch| batch.signal == signal)
        .collect()
}
