//! Runs as these tests tell them.

use obs_agent::{AgentObserver, Component, Handlers, Input, Run, RunInfo, RunParent, input};
use obs_llm::{Dialect, Tokens, Usage};
use obs_testing::Capture;
use std::time::Duration;

pub(crate) const MS: Duration = Duration::from_millis(1);

/// A value of a type that grows, by the fields that matter.
macro_rules! of {
    ($module:ident::$type:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        #[allow(unused_mut)]
        let mut made = obs_agent::$module::$type::default();
        $(made.$field = $value;)*
        made
    }};
}
pub(crate) use of;

pub(crate) fn observed(capture: &Capture, dialect: Dialect) -> Handlers {
    Handlers::new().with(AgentObserver::new(capture.telemetry()).with_dialect(dialect))
}

pub(crate) fn start(
    handlers: &Handlers,
    component: Component,
    name: &str,
    parent: RunParent<'_>,
    input: &Input<'_>,
) -> Run {
    handlers.start(RunInfo::new(component, name), parent, input)
}

/// A run of an agent that is asked nothing in particular.
pub(crate) fn agent(handlers: &Handlers, name: &str, parent: RunParent<'_>) -> Run {
    let input = Input::Agent(input::AgentInput::default());
    start(handlers, Component::Agent, name, parent, &input)
}

pub(crate) fn tool(handlers: &Handlers, name: &str, parent: RunParent<'_>) -> Run {
    let input = Input::Tool(input::ToolInput::default());
    start(handlers, Component::Tool, name, parent, &input)
}

pub(crate) fn model(handlers: &Handlers, parent: RunParent<'_>) -> Run {
    let input = of!(input::ModelInput {
        provider: Some("openai"),
        model: Some("gpt-4o"),
    });
    start(handlers, Component::Model, "", parent, &Input::Model(input))
}

pub(crate) fn usage(input: u64, output: u64) -> Usage {
    Usage::new()
        .with(Tokens::Input, input)
        .with(Tokens::Output, output)
}

pub(crate) fn reference(run: &Run) -> obs_agent::RunRef {
    run.reference().expect("somebody is told of it").clone()
}

/// Of the spans that are there, in the order of their ends.
pub(crate) fn names(capture: &Capture) -> Vec<String> {
    let records = capture.records();
    records.into_iter().map(|record| record.name).collect()
}
