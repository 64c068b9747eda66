//! Two threads with our instruments: nothing of a thread's own is shared on the way.

use obs_core::StatsLevel;
use obs_http::HttpServerLayer;
use tower_layer::Layer;

use super::{
    flat::{DURATION, Expect, Flat},
    histogram::Bound,
    http::{Kept, builder},
    peers_recording::values,
};
use crate::harness::{
    scaling::Scaling,
    service::{Handler, Requests, Shape, exchange},
};

/// One series of a histogram, bound once.
pub(crate) fn histogram() -> Scaling {
    scaled(Bound::explicit())
}

/// The same, counted in exponential buckets too.
pub(crate) fn exponential() -> Scaling {
    scaled(Bound::exponential())
}

fn scaled(bound: Bound) -> Scaling {
    Scaling::new(
        move || {
            let mut value = values();
            Box::new(move || bound.series.record(value()))
        },
        move |operations| bound.account(operations),
    )
}

/// The whole layer, its service cloned for each request; the handler alone is taken for 2.
pub(crate) fn http() -> Scaling {
    let flat = Flat::build(builder(StatsLevel::Base, Kept::None));
    let service = HttpServerLayer::new(&flat.telemetry).layer(Handler::default());
    Scaling::new(
        move || {
            let (service, requests) = (service.clone(), Requests::of(Shape::Plain));
            Box::new(move || {
                std::hint::black_box(exchange(&service, requests.next()));
            })
        },
        move |operations| {
            flat.account(
                operations,
                Expect {
                    points: Some(DURATION),
                    ..Expect::default()
                },
            )
        },
    )
    .with_control(handler_alone)
}

/// The handler alone: what this machine gives two threads that share nothing.
pub(crate) fn bare() -> Scaling {
    Scaling::new(handler_alone, |_| {
        Ok(String::from("nothing leaves this case"))
    })
}

fn handler_alone() -> Box<dyn FnMut()> {
    let requests = Requests::of(Shape::Plain);
    Box::new(move || {
        std::hint::black_box(exchange(&Handler::default(), requests.next()));
    })
}
