//! What each loop does of an agent.

use crate::answers::{answers, asks};
use crate::scripted::{Server, serve_each};
use obs_agent::{
    AgentObserver, Component, Handlers, Input, Output, Run, RunInfo, RunParent, Text, input, output,
};
use obs_llm::{Dialect, Llm, Usage};
use obs_testing::Capture;

pub(crate) const TREE: &str = "
invoke_agent guide
  chat gpt-4o-mini
  execute_tool weather
  execute_tool clock
  chat gpt-4o-mini
";

/// Who tells of a call of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The adapter beneath alone.
    Beneath,
    /// A run around it, too.
    Around,
}

pub(crate) fn llm(capture: &Capture) -> Llm {
    Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41)
}

pub(crate) fn handlers(capture: &Capture) -> Handlers {
    let observer = AgentObserver::new(capture.telemetry());
    Handlers::new().with(observer.with_llm(&llm(capture)))
}

/// First it wants two tools to be called, then it has an answer.
pub(crate) async fn server(streams: bool) -> Server {
    serve_each(vec![asks(streams), answers(streams)]).await
}

/// The turn of the agent, around its loop.
pub(crate) fn turn(handlers: &Handlers) -> Run {
    let mut asked = input::AgentInput::default();
    asked.turn = Some(1);
    let info = RunInfo::new(Component::Agent, "guide");
    handlers.start(info, RunParent::Current, &Input::Agent(asked))
}

/// A call of a tool within it.
pub(crate) async fn call(handlers: &Handlers, name: &str, id: &str, arguments: &str) -> String {
    let mut asked = input::ToolInput::default();
    asked.call_id = Some(id);
    asked.arguments = Some(Text::Json(arguments));
    let info = RunInfo::new(Component::Tool, name);
    let tool = handlers.start(info, RunParent::Current, &Input::Tool(asked));
    let result = tool.wrap(async { "rain".to_owned() }).await;
    let mut given = output::ToolOutput::default();
    given.result = Some(Text::Plain(&result));
    tool.end(&Output::Tool(given));
    result
}

/// A call of a model, with a run around it where one is wanted. `usage` is what the library tells of its answer.
pub(crate) async fn ask<T, E>(
    handlers: &Handlers,
    told: Told,
    asks: impl Future<Output = Result<T, E>>,
    usage: impl Fn(&T) -> Usage,
) -> Result<T, E> {
    if told == Told::Beneath {
        return asks.await;
    }
    let mut asked = input::ModelInput::default();
    asked.model = Some("gpt-4o-mini");
    let info = RunInfo::new(Component::Model, "gpt-4o-mini");
    let model = handlers.start(info, RunParent::Current, &Input::Model(asked));
    let answer = model.wrap(asks).await?;
    let mut answered = output::ModelOutput::default();
    answered.usage = Some(usage(&answer));
    model.end(&Output::Model(answered));
    Ok(answer)
}
