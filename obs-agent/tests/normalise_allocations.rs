//! Spans that are none of ours allocate nothing.

use obs_agent::normalise::Normaliser;
use obs_agent::{Handler, Handlers};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use tracing::{Subscriber, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A layer that wants every span.
struct Everything;

impl<S: Subscriber> Layer<S> for Everything {}

struct Nothing;

impl Handler for Nothing {}

/// Allocations of twenty spans, after the first ones, which make the registry's places.
fn allocated(one: impl Fn()) -> usize {
    for _ in 0..20 {
        one();
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..20 {
        one();
    }
    region.change().allocations
}

fn request() {
    let span = info_span!("request", method = "GET", status = tracing::field::Empty);
    span.in_scope(|| span.record("status", 200));
}

#[test]
fn spans_that_are_none_of_ours_allocate_nothing() {
    let normaliser = || Normaliser::new(&Handlers::new().with(Nothing)).into_layer();
    let alone = tracing_subscriber::registry().with(normaliser());
    assert_eq!(
        tracing::subscriber::with_default(alone, || allocated(request)),
        0
    );
    let with_others = tracing_subscriber::registry()
        .with(normaliser())
        .with(Everything);
    assert_eq!(
        tracing::subscriber::with_default(with_others, || allocated(request)),
        0
    );
    // One of ours does, so that the counter counts.
    let ours = || drop(info_span!("x", gen_ai.operation.name = "chat"));
    let alone = tracing_subscriber::registry().with(normaliser());
    assert!(tracing::subscriber::with_default(alone, || allocated(ours)) > 0);
}
