//! Layers of others for tonic, on both sides of the same call, as their documentation sets them up.

use opentelemetry::trace::TracerProvider;
use tonic::transport::Server;
use tonic_tracing_opentelemetry::middleware;
use tower::ServiceBuilder;
use tower_otel::trace::GrpcLayer;
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use super::echo::{Client, Models};
use super::{Method, calls, plain, wire};
use crate::{
    cases::{flat::BURST, sdk::Sdk},
    harness::pair::Pair,
};

/// tonic with nothing around it, over nothing: what all the others are added to.
pub(crate) fn tonic_alone() -> Pair {
    let runtime = wire::runtime();
    let client = Client::new(plain(&runtime));
    Pair::new(|| {}, calls(&runtime, client, Method::Unary)).with_burst(BURST)
}

/// tonic-tracing-opentelemetry: a span of `tracing` on each side, the trace context between them.
pub(crate) fn tonic_tracing() -> Pair {
    let sdk = Sdk::install();
    subscribe(&sdk, "otel::tracing");
    let runtime = wire::runtime();
    let bare = calls(&runtime, Client::new(plain(&runtime)), Method::Unary);
    let served = wire::pipe(&runtime, |accepted| {
        Server::builder()
            .layer(middleware::server::OtelGrpcLayer::default())
            .add_service(Models)
            .serve_with_incoming(accepted)
    });
    let client = ServiceBuilder::new()
        .layer(middleware::client::OtelGrpcLayer)
        .service(served);
    let pair = Pair::new(bare, calls(&runtime, Client::new(client), Method::Unary));
    sdk.hold_spans(pair, 2).with_burst(BURST)
}

/// tower-otel's layers for gRPC: the same; its metrics are for HTTP.
pub(crate) fn tower_otel() -> Pair {
    let sdk = Sdk::install();
    subscribe(&sdk, "tower_otel");
    let runtime = wire::runtime();
    let bare = calls(&runtime, Client::new(plain(&runtime)), Method::Unary);
    let served = wire::pipe(&runtime, |accepted| {
        Server::builder()
            .layer(GrpcLayer::server(Level::INFO))
            .add_service(Models)
            .serve_with_incoming(accepted)
    });
    let client = ServiceBuilder::new()
        .layer(GrpcLayer::client(Level::INFO))
        .service(served);
    let pair = Pair::new(bare, calls(&runtime, Client::new(client), Method::Unary));
    sdk.hold_spans(pair, 2).with_burst(BURST)
}

/// Their spans and no others: HTTP/2 below has many, which nobody exports.
fn subscribe(sdk: &Sdk, target: &str) {
    let spans = tracing_opentelemetry::layer().with_tracer(sdk.tracers.tracer("bench"));
    let wanted = Targets::new().with_target(target, Level::TRACE);
    tracing_subscriber::registry()
        .with(wanted)
        .with(spans)
        .init();
}
