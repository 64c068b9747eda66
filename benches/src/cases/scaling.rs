//! Two threads with our instruments: nothing of a thread's own is shared on the way.

use obs_core::{DURATION_BOUNDS, Instrument, Key, Label, Scope, StatsLevel, Values};
use obs_http::HttpServerLayer;
use tower_layer::Layer;

use super::{
    flat::{DURATION, Expect, Flat},
    http::{Kept, builder},
    peers_recording::values,
    sdk::same,
};
use crate::harness::{
    scaling::Scaling,
    service::{Handler, Requests, Shape, exchange},
};

const HISTOGRAM: Instrument = Instrument {
    name: "bench.duration",
    unit: "s",
    description: "",
    labels: &[Label {
        key: Key::new(&"bench.method"),
        values: Values::Closed(&["get", "set"]),
    }],
    scope: &Scope {
        name: "obs-benches",
        version: "0",
        schema_url: "",
    },
};

/// One series of a histogram, bound once.
pub(crate) fn histogram() -> Scaling {
    let flat = Flat::build(builder(StatsLevel::Base, Kept::None));
    let bound = flat
        .telemetry
        .histogram(&HISTOGRAM, DURATION_BOUNDS)
        .bind(&["get"]);
    Scaling::new(
        move || {
            let mut value = values();
            Box::new(move || bound.record(value()))
        },
        move |operations| {
            same("points", flat.points_of(HISTOGRAM.name), operations)?;
            Ok(format!("{operations} points"))
        },
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
