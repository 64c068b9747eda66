//! Spans of frameworks as runs: what the layer adds to a span of a call of a model, beside the same span under a bare registry, and
//! to one that is none of ours.

use obs_agent::Handlers;
use obs_agent::normalise::Normaliser;
use tracing::field::Empty as Unset;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use super::super::flat::Expect;
use super::super::http::Kept;
use super::{DURATION, Empty, flat, observer};
use crate::harness::pair::Pair;

/// A call of a model as rig 0.44 tells it, with ten fields: three at its beginning, seven recorded.
fn chat() {
    let span = tracing::info_span!(
        target: "rig::agent_chat",
        "chat",
        gen_ai.operation.name = "chat",
        gen_ai.agent.name = "guide",
        gen_ai.provider.name = "openai",
        gen_ai.request.model = Unset,
        gen_ai.request.stream = Unset,
        gen_ai.response.id = Unset,
        gen_ai.response.model = Unset,
        gen_ai.usage.input_tokens = Unset,
        gen_ai.usage.output_tokens = Unset,
        gen_ai.usage.reasoning_tokens = Unset,
    );
    span.in_scope(|| {
        span.record("gen_ai.request.model", "gpt-4o-mini");
        span.record("gen_ai.request.stream", false);
    });
    span.record("gen_ai.response.id", "chatcmpl-7");
    span.record("gen_ai.response.model", "gpt-4o-mini-2024-07-18");
    span.record("gen_ai.usage.input_tokens", 12);
    span.record("gen_ai.usage.output_tokens", 41);
    span.record("gen_ai.usage.reasoning_tokens", 3);
}

/// A span of somebody else's, with as many fields at its beginning.
fn other() {
    let span = tracing::info_span!("request", method = "GET", route = "/", status = Unset);
    span.in_scope(|| span.record("status", 200));
}

/// A layer that wants every span: without one, a span that is none of ours would not even be made.
struct Wants;

impl<S: Subscriber> Layer<S> for Wants {}

/// Over a registry that has nothing else.
fn over_bare(handlers: &Handlers, work: fn()) -> Pair {
    let normaliser = Normaliser::new(handlers);
    let with = Registry::default().with(normaliser.into_layer());
    let with = Dispatch::new(with.with(Wants));
    let bare = Dispatch::new(Registry::default().with(Wants));
    Pair::new(
        move || tracing::dispatcher::with_default(&bare, work),
        move || tracing::dispatcher::with_default(&with, work),
    )
}

/// Told to a handler that does nothing.
pub(super) fn empty() -> Pair {
    over_bare(&Handlers::new().with(Empty), chat)
}

/// Told to the one that emits.
pub(super) fn emitted() -> Pair {
    let flat = flat(Kept::None);
    let handlers = Handlers::new().with(observer(&flat));
    let expect = Expect {
        points: Some(DURATION),
        ..Expect::default()
    };
    flat.hold(over_bare(&handlers, chat), expect)
}

/// None of ours: only its entering is looked at.
pub(super) fn others() -> Pair {
    over_bare(&Handlers::new().with(Empty), other)
}
