//! Runs of agents: what a handler is told costs, what the one that emits adds to it, and what a piece of a stream pays on its way.

mod ledger;
mod normalise;
mod rig;

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use obs_agent::{
    AgentObserver, Component, Handler, Handlers, Input, Item, Output, RunInfo, RunParent,
    input::{ModelInput, ToolInput},
    output::{ModelChunk, ModelOutput},
};
use obs_core::{ContextMode, StatsLevel};
use obs_llm::{Dialect, Llm, Tokens, Usage, wire::Content};

use super::flat::{Expect, Flat};
use super::http::{Kept, builder};
use super::sdk::same;
use super::{Case, added, held};
use crate::harness::pair::Pair;

pub(crate) static ALL: &[Case] = &[
    added(
        "agent/run-empty",
        "a run of a tool, told to a handler that does nothing",
        run_empty,
    ),
    added(
        "agent/run",
        "a run of a tool, told to the handler that emits, dropped",
        run,
    ),
    added("agent/run-kept", "same, kept", run_kept),
    added(
        "agent/run-model",
        "a run of a model with its tokens, told to the handler that emits, dropped",
        run_model,
    ),
    added(
        "agent/stream-item-empty",
        "a piece of a stream of 500, told to a handler that does nothing, over the stream alone",
        stream_item_empty,
    ),
    added(
        "agent/stream-item-further",
        "same, told to one more of them, over the first",
        stream_item_further,
    ),
    added(
        "agent/stream-item",
        "same, told to the handler that emits: the time since the one before",
        stream_item,
    ),
    added(
        "agent/stream-item-default",
        "same as it ships: with what OpenTelemetry is shown meanwhile",
        stream_item_default,
    ),
    held(
        "agent/ledger-bytes",
        "bytes that a ledger takes for a session of a turn with a call of a model and three tools, of 10,000",
        ledger::bytes,
    ),
    added(
        "agent/ledger-end",
        "a call of a model in a session, told to a ledger, over the same call told to none",
        ledger::end,
    ),
    added(
        "agent/budget-check",
        "a budget of a session is asked, that limits tokens, cost, calls and tools",
        ledger::budget_check,
    ),
    added(
        "agent/normalise",
        "a span of a model's call as rig makes it, ten fields, told to a handler that does nothing, over the span under a bare registry",
        normalise::empty,
    ),
    added(
        "agent/normalise-emitted",
        "same, told to the handler that emits, dropped",
        normalise::emitted,
    ),
    added(
        "agent/normalise-other",
        "a span that is none of ours, over the same under a bare registry",
        normalise::others,
    ),
    added(
        "agent/rig-turn",
        "a turn of a rig agent (two calls of a model, one of a tool), by its adapter, dropped",
        rig::turn,
    ),
    added("agent/rig-hook", "same, by the hook alone", rig::hook),
    added(
        "peer/rig-tracing",
        "same turn, by rig's own spans and the SDK",
        rig::tracing,
    ),
];

const DURATION: &str = "gen_ai.client.operation.duration";
const GAPS: &str = "gen_ai.client.operation.time_per_output_chunk";
/// v1.41 has none for tools.
const TOOLS: &str = "obs.agent.execute_tool.duration";

/// Pieces of one stream.
const PIECES: u64 = 500;
/// Streams between two settlings.
const BURST: u64 = 4;

/// Is told of everything, and does nothing.
struct Empty;

impl Handler for Empty {}

fn flat(kept: Kept) -> Flat {
    Flat::build(builder(StatsLevel::Base, kept))
}

fn observer(flat: &Flat) -> AgentObserver {
    let llm = Llm::new(&flat.telemetry)
        .with_dialect(Dialect::V1_41)
        // A machine that stutters is no slow model.
        .with_slow(None, None);
    AgentObserver::new(&flat.telemetry).with_llm(&llm)
}

fn tool(handlers: &Handlers) {
    let mut input = ToolInput::default();
    input.call_id = Some("call_7");
    let info = RunInfo::new(Component::Tool, "weather");
    let run = handlers.start(info, RunParent::Root, &Input::Tool(input));
    black_box(&run);
    run.end(&Output::Tool(Default::default()));
}

fn over_nothing(with: impl FnMut() + 'static) -> Pair {
    Pair::new(
        || {
            black_box(0);
        },
        with,
    )
}

fn run_empty() -> Pair {
    let handlers = Handlers::new().with(Empty);
    over_nothing(move || tool(&handlers))
}

fn run() -> Pair {
    run_as(Kept::None)
}

fn run_kept() -> Pair {
    run_as(Kept::All)
}

fn run_as(kept: Kept) -> Pair {
    let flat = flat(kept);
    let handlers = Handlers::new().with(observer(&flat));
    let held = flat.clone();
    let pair = flat.hold(over_nothing(move || tool(&handlers)), Expect::default());
    pair.with_account(move |calls| {
        held.settle();
        same(TOOLS, held.points_of(TOOLS), calls)?;
        Ok(format!("{calls} points"))
    })
}

fn model_input() -> ModelInput<'static> {
    let mut input = ModelInput::default();
    (input.provider, input.model) = (Some("openai"), Some("gpt-4o-mini"));
    input
}

fn usage() -> Usage {
    Usage::new()
        .with(Tokens::Input, 12)
        .with(Tokens::Output, 41)
}

fn run_model() -> Pair {
    let flat = flat(Kept::None);
    let handlers = Handlers::new().with(observer(&flat));
    let expect = Expect {
        points: Some(DURATION),
        ..Expect::default()
    };
    let pair = over_nothing(move || {
        let info = RunInfo::new(Component::Model, "");
        let run = handlers.start(info, RunParent::Root, &Input::Model(model_input()));
        let mut output = ModelOutput::default();
        output.response_id = Some("chatcmpl-7");
        output.model = Some("gpt-4o-mini-2024-07-18");
        output.finish_reasons = &["stop"];
        output.usage = Some(usage());
        run.end(&Output::Model(output));
    });
    flat.hold(pair, expect)
}

/// Pieces that are there at once.
struct Pieces(u64);

impl Stream for Pieces {
    type Item = u64;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        self.0 = self.0.wrapping_sub(1);
        Poll::Ready((self.0 < PIECES).then_some(self.0))
    }
}

fn read(stream: impl Stream<Item = u64>) {
    let mut stream = pin!(stream);
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(piece)) = stream.as_mut().poll_next(&mut context) {
        black_box(piece);
    }
}

/// A stream of a model, told piece by piece.
fn streamed(handlers: &Handlers) {
    let mut input = model_input();
    input.stream = true;
    let info = RunInfo::new(Component::Model, "");
    let run = handlers.start(info, RunParent::Root, &Input::Model(input));
    read(run.stream_with(black_box(Pieces(PIECES)), |_, tap| {
        let mut chunk = ModelChunk::default();
        chunk.content = Some(Content::Text);
        tap.item(&Item::Model(chunk));
    }));
}

fn stream_item_empty() -> Pair {
    let handlers = Handlers::new().with(Empty);
    let pair = Pair::new(
        || read(black_box(Pieces(PIECES))),
        move || streamed(&handlers),
    );
    pair.with_per_call(PIECES).with_burst(BURST)
}

fn stream_item_further() -> Pair {
    let one = Handlers::new().with(Empty);
    let two = one.clone().with(Empty);
    let pair = Pair::new(move || streamed(&one), move || streamed(&two));
    pair.with_per_call(PIECES).with_burst(BURST)
}

fn stream_item() -> Pair {
    stream_item_of(flat(Kept::None))
}

fn stream_item_default() -> Pair {
    let builder = builder(StatsLevel::Base, Kept::None);
    stream_item_of(Flat::build(builder.with_context_mode(ContextMode::Full)))
}

fn stream_item_of(flat: Flat) -> Pair {
    let handlers = Handlers::new().with(observer(&flat));
    let pair = Pair::new(
        || read(black_box(Pieces(PIECES))),
        move || streamed(&handlers),
    );
    let expect = Expect {
        points: Some(DURATION),
        ..Expect::default()
    };
    let held = flat.clone();
    flat.hold(pair, expect)
        .with_per_call(PIECES)
        .with_burst(BURST)
        .with_account(move |calls| {
            same(GAPS, held.points_of(GAPS), calls * (PIECES - 1))?;
            held.account(calls, expect)
        })
}
