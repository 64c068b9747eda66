//! What a handler adds to its operation, priced over the same service without it: attributes, children, chunks.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use obs_core::{
    ContextMode, DURATION_BOUNDS, Descriptor, Histogram, Key, Kind, Label, LabelId, Labels,
    Outcome, Parent, Scope, StatsLevel, Telemetry, Values, current, otel::trace::SpanKind,
};
use obs_http::HttpServerLayer;
use std::sync::OnceLock;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    flat::{BURST, DURATION, Expect, Flat},
    http::{Kept, builder},
};
use crate::harness::{
    pair::Pair,
    service::{Handler, Requests, Shape, pair_of},
};

const KEYS: [Key; 8] = [
    Key::new(&"bench.a"),
    Key::new(&"bench.b"),
    Key::new(&"bench.c"),
    Key::new(&"bench.d"),
    Key::new(&"bench.e"),
    Key::new(&"bench.f"),
    Key::new(&"bench.g"),
    Key::new(&"bench.h"),
];

/// An attribute whose text is kept by pointer; eight on each request, set in one visit of the operation.
pub(crate) fn attribute_static() -> Pair {
    over(
        Kept::None,
        || {},
        || {
            current::with(|active| {
                KEYS.iter()
                    .for_each(|key| active.set_static(*key, "tenant-4711"));
            });
        },
    )
    .with_per_call(8)
}

/// The same, each in a visit of its own.
pub(crate) fn attribute_static_each() -> Pair {
    over(
        Kept::None,
        || {},
        || {
            KEYS.iter()
                .for_each(|key| current::set_static(*key, "tenant-4711"))
        },
    )
    .with_per_call(8)
}

/// An attribute whose text is copied; eight on each request.
pub(crate) fn attribute_dynamic() -> Pair {
    over(
        Kept::None,
        || {},
        || {
            KEYS.iter()
                .for_each(|key| current::set(*key, black_box("tenant-4711")))
        },
    )
    .with_per_call(8)
}

/// The first child of a request: it waits for the decision and goes with its root.
pub(crate) fn child_parked_dropped() -> Pair {
    over(Kept::None, || {}, child::<WITH>)
}

/// Each further child.
pub(crate) fn child_parked_dropped_further() -> Pair {
    over(Kept::None, child::<WITHOUT>, || {
        child::<WITH>();
        child::<WITH>();
    })
}

/// A child of a request that is kept.
pub(crate) fn child_kept() -> Pair {
    over(Kept::All, || {}, child::<WITH>)
}

const WITHOUT: usize = 0;
const WITH: usize = 1;
/// The kind of child in the telemetry of each side.
static KINDS: [OnceLock<&'static Kind>; 2] = [const { OnceLock::new() }; 2];

fn child<const SIDE: usize>() {
    let Some(kind) = KINDS[SIDE].get() else {
        return;
    };
    kind.start(Labels::NONE.with(0, LabelId::closed(0)), Parent::Current)
        .end(Outcome::ANSWERED);
}

static CLIENT: Descriptor = Descriptor {
    name: "bench.client",
    span_kind: SpanKind::Client,
    scope: &Scope {
        name: "obs-benches",
        version: "0",
        schema_url: "",
    },
    labels: &[Label {
        key: Key::new(&"bench.method"),
        values: Values::Closed(&["get", "set"]),
    }],
    method: Some(0),
    errors: &[],
    duration: Some(Histogram {
        name: "bench.client.duration",
        unit: "s",
        description: "",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("get"),
};

/// The service with a handler that does `with` inside, over the same service with `without` inside.
fn over(kept: Kept, without: fn(), with: fn()) -> Pair {
    let bare = Flat::build(builder(StatsLevel::Base, kept));
    let flat = Flat::build(builder(StatsLevel::Base, kept));
    let _ = KINDS[WITHOUT].set(bare.telemetry.kind(&CLIENT));
    let _ = KINDS[WITH].set(flat.telemetry.kind(&CLIENT));
    let wrapped = |telemetry: &Telemetry, inside| {
        HttpServerLayer::new(telemetry).layer(Handler {
            inside,
            ..Handler::default()
        })
    };
    let pair = pair_of(
        &Requests::of(Shape::Plain),
        wrapped(&bare.telemetry, without),
        wrapped(&flat.telemetry, with),
    );
    let records = if kept == Kept::All { 2 } else { 0 };
    let pair = flat.hold(
        pair,
        Expect {
            points: Some(DURATION),
            records,
            stamps: 2,
        },
    );
    // A ring takes half as many requests where each leaves two records.
    pair.with_burst(BURST / 2).with_settle(move || {
        bare.settle();
        flat.settle();
    })
}

/// Chunks of one streamed body.
const CHUNKS: u64 = 1_000;

/// A chunk of a response's body: counted, nothing else.
pub(crate) fn chunk() -> Pair {
    streamed(ContextMode::Off, false)
}

/// The same with the operation current while the body is polled.
pub(crate) fn chunk_current() -> Pair {
    streamed(ContextMode::Off, true)
}

/// The same as it ships: our span in the context while the body is polled.
pub(crate) fn chunk_default() -> Pair {
    streamed(ContextMode::Full, true)
}

fn streamed(mode: ContextMode, in_body: bool) -> Pair {
    let flat = Flat::build(builder(StatsLevel::Base, Kept::None).with_context_mode(mode));
    let layer = HttpServerLayer::new(&flat.telemetry).with_current_in_body(in_body);
    let pair =
        pair_of(&Requests::of(Shape::Plain), Streamer, layer.layer(Streamer)).with_per_call(CHUNKS);
    flat.hold(
        pair,
        Expect {
            points: Some(DURATION),
            ..Expect::default()
        },
    )
    .with_burst(20)
}

/// Answers with a body of [`CHUNKS`] frames.
#[derive(Clone, Copy, Debug)]
struct Streamer;

impl<B> Service<Request<B>> for Streamer {
    type Response = Response<Chunks>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Chunks>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Chunks(CHUNKS))))
    }
}

#[derive(Debug)]
struct Chunks(u64);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    #[inline(never)]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(
            b"data: {\"token\":\" the\"}\n\n",
        )))))
    }
}
