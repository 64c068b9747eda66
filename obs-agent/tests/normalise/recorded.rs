//! A handler that writes down runs, and frameworks' spans as they make them.

use obs_agent::normalise::Normaliser;
use obs_agent::obs_llm::Tokens;
use obs_agent::{Handler, Handlers, Input, Output, RunEnd, RunError, RunRef, Starting, State};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;

/// What a handler was told, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    /// All of it, by lines; what has a depth stands so far in.
    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("\n")
    }

    pub(crate) fn handlers(&self) -> Handlers {
        Handlers::new().with(self.clone())
    }
}

fn of(run: &RunRef) -> String {
    let info = run.info();
    let indent = "  ".repeat(run.depth() as usize);
    let name = match info.name {
        "" => String::new(),
        name => format!(" {name}"),
    };
    format!("{indent}{}{name}", info.component)
}

impl Handler for Log {
    fn on_start(&self, run: &mut Starting<'_>, input: &Input<'_>) -> State {
        let info = run.info();
        let indent = "  ".repeat(run.depth() as usize);
        let mut line = format!("{indent}{}", info.component);
        if !info.name.is_empty() {
            write!(line, " {}", info.name).unwrap();
        }
        if !info.second_hand {
            line.push_str(" (first hand)");
        }
        write!(line, " begins by {}", info.kind).unwrap();
        match input {
            Input::Model(input) => {
                let (provider, model) = (input.provider, input.model);
                write!(
                    line,
                    ": {} {}",
                    provider.unwrap_or("?"),
                    model.unwrap_or("?")
                )
                .unwrap();
                if input.stream {
                    line.push_str(" stream");
                }
                if let Some(messages) = input.messages {
                    messages.with(|text| write!(line, " {text}").unwrap());
                }
            }
            Input::Tool(input) => {
                if let Some(id) = input.call_id {
                    write!(line, ": {id}").unwrap();
                }
                if let Some(arguments) = input.arguments {
                    arguments.with(|text| write!(line, " {text}").unwrap());
                }
            }
            Input::Agent(input) => {
                if let Some(id) = input.conversation_id {
                    write!(line, ": {id}").unwrap();
                }
            }
            _ => {}
        }
        self.push(line);
        State::none()
    }

    fn on_end(&self, run: &RunRef, _: &mut State, output: &Output<'_>) {
        let mut line = format!("{} ends", of(run));
        let usage = match output {
            Output::Model(output) => {
                for reason in output.finish_reasons {
                    write!(line, " {reason}").unwrap();
                }
                if let Some(time) = output.time_to_first_chunk {
                    write!(line, " after {time:?}").unwrap();
                }
                output.usage
            }
            Output::Embedding(output) => output.usage,
            Output::Agent(output) => output.usage,
            Output::Tool(output) => {
                if let Some(result) = output.result {
                    result.with(|text| write!(line, " {text}").unwrap());
                }
                None
            }
            Output::ToldWithin => {
                line.push_str(" as told within");
                None
            }
            _ => None,
        };
        if let Some(usage) = usage {
            let count = |tokens| usage.get(tokens).map_or(-1, |count| count as i64);
            write!(line, " {}/{}", count(Tokens::Input), count(Tokens::Output)).unwrap();
        }
        self.push(line);
    }

    fn on_error(&self, run: &RunRef, _: &mut State, error: &RunError<'_>) {
        let mut line = format!("{} fails", of(run));
        if error.end != RunEnd::Failed {
            write!(line, " {:?}", error.end).unwrap();
        }
        if !error.kind.is_empty() {
            write!(line, " {}", error.kind).unwrap();
        }
        if let Some(message) = error.message {
            write!(line, ": {message}").unwrap();
        }
        self.push(line);
    }
}

/// Runs `work` with the layer, and says what it told.
pub(crate) fn told(work: impl FnOnce()) -> String {
    told_by(|normaliser| normaliser, work)
}

pub(crate) fn told_by(set: impl FnOnce(Normaliser) -> Normaliser, work: impl FnOnce()) -> String {
    let log = Log::default();
    let normaliser = set(Normaliser::new(&log.handlers()));
    tracing::subscriber::with_default(subscriber(normaliser), work);
    log.take()
}

pub(crate) fn subscriber(normaliser: Normaliser) -> impl Subscriber + Send + Sync {
    tracing_subscriber::registry().with(normaliser.into_layer())
}

/// A text without the indent that it has in a test.
pub(crate) fn lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().skip(1).collect();
    let indent = lines
        .iter()
        .map(|line| line.len() - line.trim_start().len());
    let indent = indent.min().unwrap_or(0);
    lines
        .iter()
        .map(|line| &line[indent..])
        .collect::<Vec<_>>()
        .join("\n")
}

/// A call of a model as rig 0.44 tells it beneath its agents: who serves it is known when the request is made.
pub(crate) fn rig_chat() -> tracing::Span {
    use tracing::field::Empty;
    tracing::info_span!(
        target: "rig::agent_chat",
        "chat",
        gen_ai.operation.name = "chat",
        gen_ai.agent.name = "assistant",
        gen_ai.provider.name = Empty,
        gen_ai.request.model = Empty,
        gen_ai.request.stream = Empty,
        gen_ai.response.id = Empty,
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.reasoning_tokens = Empty,
        gen_ai.input.messages = Empty,
    )
}

/// What it says when the request is made.
pub(crate) fn rig_asks(span: &tracing::Span) {
    span.record("gen_ai.operation.name", "chat");
    span.record("gen_ai.provider.name", "openai");
    span.record("gen_ai.request.model", "gpt-4o");
}

/// What it says when the answer is there.
pub(crate) fn rig_answers(span: &tracing::Span, input: u64, output: u64) {
    span.record("gen_ai.usage.input_tokens", input);
    span.record("gen_ai.usage.output_tokens", output);
}

pub(crate) fn rig_agent() -> tracing::Span {
    use tracing::field::Empty;
    tracing::info_span!(
        target: "rig_agent::agent::telemetry",
        "invoke_agent",
        gen_ai.operation.name = "invoke_agent",
        gen_ai.agent.name = "assistant",
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
    )
}

pub(crate) fn rig_tool() -> tracing::Span {
    use tracing::field::Empty;
    tracing::info_span!(
        target: "rig_agent::agent::telemetry",
        "execute_tool",
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.type = "function",
        gen_ai.tool.name = Empty,
        gen_ai.tool.call.id = Empty,
        gen_ai.tool.call.arguments = Empty,
        gen_ai.tool.call.result = Empty,
        gen_ai.tool.error.type = Empty,
    )
}
