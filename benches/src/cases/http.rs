//! Our HTTP layer around the same handler: each level, dropped and kept, and as it ships.

use obs_core::{
    Builder, ContextMode, Event, ExponentialHistogram, StatsLevel, Telemetry, current,
    sampling::HeadSampler,
};
use obs_http::HttpServerLayer;
use tower_layer::Layer;

use super::{
    flat::{DURATION, Expect, Flat},
    sdk::same,
};
use crate::harness::{
    pair::Pair,
    service::{Handler, Requests, Shape, pair_of},
};

/// Whether the head decision keeps everything or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    All,
    None,
}

/// Levels are priced without the OpenTelemetry context, which has cases of its own.
pub(crate) fn builder(level: StatsLevel, kept: Kept) -> Builder {
    let sampler = match kept {
        Kept::All => HeadSampler::always_on(),
        Kept::None => HeadSampler::always_off(),
    };
    Telemetry::builder()
        .with_level(level)
        .with_sampler(sampler)
        .with_context_mode(ContextMode::Off)
}

/// A layer that records nothing, because its telemetry never will.
pub(crate) fn noop() -> Pair {
    priced(Shape::Plain, Handler::default(), Telemetry::noop())
}

/// A layer switched off at run time.
pub(crate) fn disabled() -> Pair {
    let flat = Flat::build(builder(StatsLevel::Disabled, Kept::All));
    let pair = priced(Shape::Plain, Handler::default(), flat.telemetry);
    flat.hold(pair, Expect::default())
}

/// Base: metrics and a record, dropped at its end.
pub(crate) fn base_dropped() -> Pair {
    at(StatsLevel::Base, Kept::None, Shape::Plain)
}

pub(crate) fn base_dropped_traceparent() -> Pair {
    at(StatsLevel::Base, Kept::None, Shape::Traceparent)
}

/// The same, and the duration is counted in exponential buckets too.
pub(crate) fn base_dropped_exponential() -> Pair {
    let builder = builder(StatsLevel::Base, Kept::None);
    let flat = Flat::build(builder.with_histograms(ExponentialHistogram::default()));
    let pair = priced(Shape::Plain, Handler::default(), flat.telemetry);
    let counted = flat.clone();
    let pair = flat.hold(
        pair,
        Expect {
            points: Some(DURATION),
            ..Expect::default()
        },
    );
    pair.with_account(move |calls| {
        same("points", flat.points_of(DURATION), calls)?;
        same(
            "exponential points",
            counted.exponential_points_of(DURATION),
            calls,
        )?;
        Ok(format!("{calls} points of both kinds"))
    })
}

/// Base: the record goes on to the collector.
pub(crate) fn base_kept() -> Pair {
    at(StatsLevel::Base, Kept::All, Shape::Plain)
}

pub(crate) fn base_kept_traceparent() -> Pair {
    at(StatsLevel::Base, Kept::All, Shape::Traceparent)
}

/// Detailed: thirteen moments, eight of them the layer's.
pub(crate) fn detailed_dropped() -> Pair {
    at(StatsLevel::Detailed, Kept::None, Shape::Plain)
}

pub(crate) fn detailed_dropped_traceparent() -> Pair {
    at(StatsLevel::Detailed, Kept::None, Shape::Traceparent)
}

pub(crate) fn detailed_kept() -> Pair {
    at(StatsLevel::Detailed, Kept::All, Shape::Plain)
}

pub(crate) fn detailed_kept_traceparent() -> Pair {
    at(StatsLevel::Detailed, Kept::All, Shape::Traceparent)
}

fn at(level: StatsLevel, kept: Kept, shape: Shape) -> Pair {
    let flat = Flat::build(builder(level, kept));
    let detailed = level == StatsLevel::Detailed;
    let inside = if detailed { stamp_five } else { || {} };
    let pair = priced(
        shape,
        Handler {
            inside,
            ..Handler::default()
        },
        flat.telemetry,
    );
    let records = u64::from(kept == Kept::All);
    // At Base start and end only: the head's moment is a stage, no span event.
    let stamps = if detailed { 13 } else { 2 };
    flat.hold(
        pair,
        Expect {
            points: Some(DURATION),
            records,
            stamps,
        },
    )
}

/// As it ships, behind callers that send no `tracestate`, as OpenTelemetry's own do.
pub(crate) fn default_mode() -> Pair {
    default(Shape::Real)
}

/// The same behind a vendor's tracer.
pub(crate) fn default_tracestate() -> Pair {
    default(Shape::Vendor)
}

/// As it ships: nothing set but the exporter's stand-in. Head-sampled, 12 headers, our span in the context, 4 polls.
fn default(shape: Shape) -> Pair {
    let flat = Flat::build(Telemetry::builder());
    let pair = priced(
        shape,
        Handler {
            pauses: 3,
            ..Handler::default()
        },
        flat.telemetry,
    );
    flat.hold(
        pair,
        Expect {
            points: Some(DURATION),
            records: 1,
            stamps: 2,
        },
    )
}

/// The context with ids only, over the same layer without it: made once, attached in the call, one poll and one frame.
pub(crate) fn context_ids() -> Pair {
    context(ContextMode::IdsOnly)
}

/// The same with our own span in it.
pub(crate) fn context_full() -> Pair {
    context(ContextMode::Full)
}

fn context(mode: ContextMode) -> Pair {
    let without = Flat::build(builder(StatsLevel::Base, Kept::None));
    let with = Flat::build(builder(StatsLevel::Base, Kept::None).with_context_mode(mode));
    let handler = Handler::default();
    let wrapped = |telemetry: &Telemetry| HttpServerLayer::new(telemetry).layer(handler);
    let pair = pair_of(
        &Requests::of(Shape::Plain),
        wrapped(&without.telemetry),
        wrapped(&with.telemetry),
    );
    with.hold(
        pair,
        Expect {
            points: Some(DURATION),
            ..Expect::default()
        },
    )
}

pub(crate) fn priced(shape: Shape, handler: Handler, telemetry: Telemetry) -> Pair {
    let layer = HttpServerLayer::new(&telemetry);
    pair_of(&Requests::of(shape), handler, layer.layer(handler))
}

/// What a handler that decodes and encodes would say; in both sides, and free where nothing is current.
fn stamp_five() {
    for event in [
        Event::READ_START,
        Event::READ_FINISH,
        Event::DECODE_START,
        Event::DECODE_FINISH,
        Event::ENCODE_START,
    ] {
        current::stamp(event);
    }
}
