//! What a run asks of the heap: a small number, whatever else goes on, and no more the longer its stream is.
//!
//! A binary of its own with one test: it counts the allocations of the whole process.

use obs_agent::{
    AgentObserver, Component, Handlers, Input, Item, Output, Run, RunInfo, RunParent, input, output,
};
use obs_core::ContextMode;
use obs_llm::wire::Content;
use obs_testing::Capture;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::time::Duration;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often the heap is asked by `work`, once what is made once is there, and records come back from the collector as they do
/// where one runs.
fn asked(capture: &Capture, work: impl Fn()) -> usize {
    for _ in 0..8 {
        work();
        let collected = capture.telemetry().collect(Duration::from_secs(9));
        collected.expect("nobody else collects");
    }
    let region = Region::new(HEAP);
    work();
    let change = region.change();
    change.allocations + change.reallocations
}

fn run(handlers: &Handlers, component: Component, input: &Input<'_>, parent: RunParent<'_>) -> Run {
    handlers.start(RunInfo::new(component, "a"), parent, input)
}

#[test]
fn a_run_asks_for_little() {
    let capture = Capture::new();
    let observed = Handlers::new().with(AgentObserver::new(capture.telemetry()));
    let tool = Input::Tool(Default::default());
    let done = Output::Tool(Default::default());

    // What nobody wants.
    let bare = Handlers::new();
    assert_eq!(
        asked(&capture, || run(
            &bare,
            Component::Tool,
            &tool,
            RunParent::Root
        )
        .end(&done)),
        0
    );

    // The run's reference, whose name stands in it. What it is to this handler is its operation, which is there.
    let alone = asked(&capture, || {
        run(&observed, Component::Tool, &tool, RunParent::Root).end(&done)
    });
    assert_eq!(alone, 1);

    // An agent has besides what its calls count on, its name for them, and what both are remembered by.
    let agent = Input::Agent(Default::default());
    let whole = asked(&capture, || {
        let outer = run(&observed, Component::Agent, &agent, RunParent::Root);
        outer.end(&Output::Agent(Default::default()));
    });
    assert_eq!(whole, 4);

    // A piece of a stream asks for nothing.
    let mut model = input::ModelInput::default();
    (model.provider, model.model) = (Some("openai"), Some("gpt-4o"));
    let model = Input::Model(model);
    let answer = |pieces: usize| {
        asked(&capture, || {
            let mut streamed = run(&observed, Component::Model, &model, RunParent::Root);
            streamed.begin_output();
            let mut piece = output::ModelChunk::default();
            piece.content = Some(Content::Text);
            for _ in 0..pieces {
                streamed.item(&Item::Model(piece));
            }
            streamed.end(&Output::Streamed);
        })
    };
    assert_eq!(answer(1000), answer(2));
    assert_eq!(answer(2), 2);

    // Nor where it comes by a stream that is polled within the run, whatever others are shown of that.
    for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
        let capture = Capture::builder().with_context_mode(mode).build();
        let observed = Handlers::new().with(AgentObserver::new(capture.telemetry()));
        let read = |pieces: usize| {
            asked(&capture, || {
                let run = run(&observed, Component::Model, &model, RunParent::Root);
                let stream = futures_util::stream::iter(0..pieces);
                let stream = run.stream_with(stream, |_, tap| {
                    let mut piece = output::ModelChunk::default();
                    piece.content = Some(Content::Text);
                    tap.item(&Item::Model(piece));
                });
                let count = futures_util::StreamExt::count(stream);
                let count = futures_util::FutureExt::now_or_never(count);
                assert_eq!(count, Some(pieces));
            })
        };
        assert_eq!(read(1000), read(2), "{mode:?}");
    }
}
