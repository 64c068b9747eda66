//! Our HTTP layer with a `tracing` span of each operation (feature `span`).

use obs_core::StatsLevel;
use obs_http::HttpServerLayer;
use tower_layer::Layer;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use super::flat::{DURATION, Expect, Flat};
use super::http::{Kept, builder};
use crate::harness::{
    pair::Pair,
    service::{Handler, Requests, Shape, pair_of},
};

/// Base with a `tracing` span of each operation, which a registry without layers takes.
pub(crate) fn wanted() -> Pair {
    spanned(Level::INFO)
}

/// The same at a level that is filtered.
pub(crate) fn unwanted() -> Pair {
    spanned(Level::DEBUG)
}

fn spanned(level: Level) -> Pair {
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .init();
    let flat = Flat::build(builder(StatsLevel::Base, Kept::None));
    let layer = HttpServerLayer::new(&flat.telemetry).with_tracing_span(level);
    let handler = Handler::default();
    let pair = pair_of(&Requests::of(Shape::Plain), handler, layer.layer(handler));
    flat.hold(
        pair,
        Expect {
            points: Some(DURATION),
            records: 0,
            stamps: 2,
        },
    )
}
