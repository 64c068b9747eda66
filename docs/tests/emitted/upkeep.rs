//! What a telemetry says of itself when things go wrong, and of what it keeps late.

use crate::driver::{PATIENCE, telemetry};
use obs_core::sampling::HeadSampler;
use obs_core::{KeepPolicy, Labels, Outcome, Parent, RaiseRule};
use obs_http::{HTTP_SERVER, SERVICE_ERROR};
use obs_testing::Receiver;

pub(crate) fn run(receiver: &Receiver) {
    let mut keep = KeepPolicy::default();
    keep.parked_children = 1;
    let telemetry = telemetry(receiver, |builder| {
        builder
            .with_sampler(HeadSampler::ratio(0.0).expect("a share"))
            .with_keep(keep)
            .with_raise(RaiseRule::default())
            .with_max_series(2)
    });
    let kind = telemetry.kind(&HTTP_SERVER);
    let mut root = kind.start(Labels::NONE, Parent::Root);
    let handle = root.handle().expect("it is observed");
    for route in ["/a", "/b", "/c"] {
        let child = kind.start_with(Labels::NONE, Some((1, route)), Parent::Operation(&handle));
        child.end(Outcome::ANSWERED);
    }
    // The children wait for their root meanwhile.
    telemetry.flush(PATIENCE).expect("delivered");
    root.end(Outcome::failed(SERVICE_ERROR));
    telemetry.flush(PATIENCE).expect("delivered");
    telemetry.shutdown(PATIENCE).expect("delivered");
}
