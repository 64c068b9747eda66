//! What an exchange of ours holds while its handler works.

use obs_core::{Builder, StatsLevel, Telemetry};
use obs_http::HttpServerLayer;
use tower_layer::Layer;

use super::{
    flat::Flat,
    http::{Kept, builder},
};
use crate::harness::{
    in_flight::InFlight,
    service::{Handler, Requests, Shape},
};

/// At Base, dropped at the end.
pub(crate) fn base() -> InFlight {
    waiting(Shape::Plain, builder(StatsLevel::Base, Kept::None))
}

/// As it ships: 12 headers, our span in the context.
pub(crate) fn default() -> InFlight {
    waiting(Shape::Real, Telemetry::builder())
}

fn waiting(shape: Shape, builder: Builder) -> InFlight {
    let flat = Flat::build(builder);
    let handler = Handler {
        pauses: u32::MAX,
        ..Handler::default()
    };
    let wrapped = HttpServerLayer::new(&flat.telemetry).layer(handler);
    InFlight::new(&Requests::of(shape), handler, wrapped, move |opened| {
        flat.account_cancelled(opened)
    })
}
