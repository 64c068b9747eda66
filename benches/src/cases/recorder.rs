//! The same layer where the OpenTelemetry SDK records its spans, with exporters that count and throw away.

use obs_core::{Recorder, StatsLevel, Telemetry};

use super::{
    flat::{BURST, DURATION, Expect, Flat},
    http::{Kept, builder, priced},
    sdk::Sdk,
};
use crate::harness::{
    pair::Pair,
    service::{Handler, Shape},
};

/// As `http/base-kept`, but for who records.
pub(crate) fn base_kept() -> Pair {
    over_sdk(
        builder(StatsLevel::Base, Kept::All),
        Shape::Plain,
        Handler::default(),
    )
}

/// As `http/default`, but for who records.
pub(crate) fn default_mode() -> Pair {
    over_sdk(
        Telemetry::builder(),
        Shape::Real,
        Handler {
            pauses: 3,
            ..Handler::default()
        },
    )
}

fn over_sdk(builder: obs_core::Builder, shape: Shape, handler: Handler) -> Pair {
    let sdk = Sdk::install();
    let flat = Flat::build(builder.with_recorder(Recorder::sdk(sdk.tracers.clone())));
    let expect = Expect {
        points: Some(DURATION),
        records: 1,
        stamps: 2,
    };
    let pair = priced(shape, handler, flat.telemetry);
    let (settled, drained) = (flat.clone(), sdk.clone());
    pair.with_burst(BURST)
        .with_settle(move || {
            settled.settle();
            drained.tracers.force_flush().expect("the queue drains");
        })
        .with_account(move |calls| {
            let ours = flat.account(calls, expect)?;
            let theirs = sdk.account(calls, None)?;
            Ok(format!("{ours}, {theirs}"))
        })
}
