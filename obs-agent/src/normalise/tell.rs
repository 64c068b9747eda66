//! What handlers are told of a span: how its run begins and ends.

use super::attributes::Said as Words;
use super::dialect::Dialect;
use super::fields::{Failure, Fields};
use super::layer::Core;
use super::messages::{Content, Side};
use super::reading::{Reading, Seen};
use super::site::Site;
use super::{table, whose};
use crate::component::Component;
use crate::failure::RunError;
use crate::handlers::Run;
use crate::input::{
    AgentInput, DocumentsInput, EmbeddingInput, Input, MemoryInput, ModelInput, NodeInput,
    PromptInput, RetrieverInput, ToolInput,
};
use crate::output::{
    AgentOutput, DocumentsOutput, EmbeddingOutput, MemoryOutput, ModelOutput, NodeOutput, Output,
    ToolOutput,
};
use crate::run::{RunInfo, RunParent, RunRef};
use crate::text::Text;
use obs_llm::Usage;
use std::time::Duration;

/// A span by what is kept of it.
pub(super) fn view<'a>(site: &'static Site, fields: &'a Fields, is_root: bool) -> Seen<'a> {
    let dialect = site.dialect;
    let dialect = dialect.unwrap_or_else(|| Dialect::of(site.scope, fields));
    let said = Words::new(fields, dialect).by_rows(fields);
    Seen {
        name: said.text(table::SPAN_NAME).unwrap_or(site.name),
        is_root,
        said,
    }
}

impl Core {
    pub(super) fn start(
        &self,
        site: &'static Site,
        fields: &Fields,
        is_root: bool,
        around: Option<&RunRef>,
    ) -> Option<Run> {
        if around.is_some_and(|around| is_left_to_adapter(around, site)) {
            return None;
        }
        let view = view(site, fields, is_root);
        let reading = view.read()?;
        let info = RunInfo::new(reading.operation.component(), name(&view, &reading))
            .with_kind(site.framework)
            .with_second_hand();
        let parent = match around {
            Some(around) => RunParent::Of(around),
            None => RunParent::Root,
        };
        let said = Said::of(&view, Side::Input, self.with_content, &reading);
        let input = input(&reading, &said);
        let run = self.handlers.start(info, parent, &input);
        if let Some(own) = run.reference() {
            whose::tell(own, around, reading.conversation_id, reading.user_id);
        }
        Some(run)
    }
}

/// An adapter of this framework told an agent's turn within what the framework says of it: it tells the rest, too.
fn is_left_to_adapter(around: &RunRef, site: &Site) -> bool {
    let info = around.info();
    info.component == Component::Agent && info.kind == site.framework && around.is_told_within()
}

/// What the run is called.
fn name<'a>(view: &Seen<'a>, reading: &Reading<'a>) -> &'a str {
    let entity = || {
        let name = view.said.text(table::ENTITY_NAME);
        name.or(Some(view.name))
    };
    let name = match reading.operation.component() {
        Component::Agent | Component::Plan => reading.agent_name,
        Component::Tool => reading.tool_name,
        Component::Workflow | Component::Chain => reading.workflow_name,
        Component::Lambda | Component::Prompt | Component::Transformer => entity(),
        _ => None,
    };
    name.unwrap_or_default()
}

/// What was said, where it is recorded.
#[derive(Default)]
struct Said {
    messages: Option<String>,
    system: Option<String>,
    /// Arguments, a result, a query, documents.
    other: Option<String>,
}

impl Said {
    fn of(view: &Seen<'_>, side: Side, with_content: bool, reading: &Reading<'_>) -> Self {
        if !with_content {
            return Self::default();
        }
        let content = |content| view.content(content).map(|text| text.into_owned());
        let is_input = side == Side::Input;
        let other = match (reading.operation.component(), is_input) {
            (Component::Tool, true) => content(Content::Arguments),
            (Component::Tool, false) => content(Content::Result),
            (Component::Retriever, true) => content(Content::Query),
            (Component::Retriever, false) => content(Content::Documents),
            _ => None,
        };
        let mut messages = String::new();
        let talks = matches!(
            reading.operation.component(),
            Component::Model | Component::Agent
        );
        let any = talks && view.messages(side, &mut messages);
        Self {
            messages: any.then_some(messages),
            system: content(Content::Instructions).filter(|_| is_input),
            other,
        }
    }

    fn messages(&self) -> Option<Text<'_>> {
        self.messages.as_deref().map(Text::Json)
    }

    fn system(&self) -> Option<Text<'_>> {
        self.system.as_deref().map(text)
    }

    fn other(&self) -> Option<Text<'_>> {
        self.other.as_deref().map(text)
    }
}

/// As JSON where it looks like it.
fn text(text: &str) -> Text<'_> {
    let text = text.trim();
    let pairs = [('{', '}'), ('[', ']')];
    let is_json = pairs
        .iter()
        .any(|(open, close)| text.starts_with(*open) && text.ends_with(*close));
    match is_json {
        true => Text::Json(text),
        false => Text::Plain(text),
    }
}

fn input<'a>(reading: &'a Reading<'a>, said: &'a Said) -> Input<'a> {
    let provider = reading.provider.as_deref();
    match reading.operation.component() {
        Component::Model => Input::Model(ModelInput {
            provider,
            model: reading.request_model,
            stream: reading.stream,
            max_tokens: reading.max_tokens,
            temperature: reading.temperature,
            top_p: reading.top_p,
            system: said.system(),
            messages: said.messages(),
            ..ModelInput::default()
        }),
        Component::Embedding => Input::Embedding(EmbeddingInput {
            provider,
            model: reading.request_model,
            texts: reading.texts,
            ..EmbeddingInput::default()
        }),
        Component::Tool => Input::Tool(ToolInput {
            call_id: reading.tool_call_id,
            description: reading.tool_description,
            tool_type: reading.tool_type,
            arguments: said.other(),
        }),
        Component::Retriever => Input::Retriever(RetrieverInput {
            data_source_id: reading.data_source_id,
            provider,
            top_k: reading.top_k,
            query: said.other(),
            ..RetrieverInput::default()
        }),
        // It is in this process, whoever serves its model.
        Component::Agent | Component::Plan => Input::Agent(AgentInput {
            id: reading.agent_id,
            description: reading.agent_description,
            version: reading.agent_version,
            model: reading.request_model,
            conversation_id: reading.conversation_id,
            messages: said.messages(),
            system: said.system(),
            ..AgentInput::default()
        }),
        Component::Memory => Input::Memory(MemoryInput {
            operation: reading.operation.memory(),
            ..MemoryInput::default()
        }),
        Component::Prompt => Input::Prompt(PromptInput::default()),
        Component::Transformer => Input::Documents(DocumentsInput::default()),
        _ => Input::Node(NodeInput::default()),
    }
}

/// The tokens that it says.
pub(super) fn usage(view: &Seen<'_>) -> Option<Usage> {
    let usage = view.read()?.usage;
    (!usage.is_empty()).then_some(usage)
}

/// `usage` is what others say of its tokens, where it says nothing of them.
pub(super) fn end(
    run: Run,
    view: &Seen<'_>,
    around: Option<&RunRef>,
    failure: Option<&Failure>,
    with_content: bool,
    usage: Option<Usage>,
) {
    if let Some(own) = run.reference() {
        // Perhaps it was not known when it began.
        let said = view.said;
        let (conversation, user) = (said.text(table::CONVERSATION), said.text(table::USER));
        whose::tell(own, around, conversation, user);
    }
    if run.reference().is_some_and(RunRef::is_told_within) {
        return run.end(&Output::ToldWithin);
    }
    if std::thread::panicking() {
        return run.fail(&RunError::panicked());
    }
    // It began as one, and what is recorded since does not make it another.
    let Some(mut reading) = view.read() else {
        return run.end(&Output::Node(NodeOutput::default()));
    };
    if let Some(usage) = usage.filter(|_| reading.usage.is_empty()) {
        reading.usage = usage;
    }
    if let Some((kind, message)) = error(&reading, failure) {
        let error = RunError::failed(kind);
        return match message {
            Some(message) => run.fail(&error.with_message(&message)),
            None => run.fail(&error),
        };
    }
    let said = Said::of(view, Side::Output, with_content, &reading);
    let reasons: Vec<&str> = reading
        .finish_reasons
        .iter()
        .map(|reason| &**reason)
        .collect();
    run.end(&output(&reading, &reasons, &said));
}

/// What kind of error it was, and the error.
fn error<'a>(
    reading: &Reading<'a>,
    failure: Option<&'a Failure>,
) -> Option<(&'a str, Option<&'a str>)> {
    let kind = failure.and_then(|failure| failure.kind.as_deref());
    let message = failure.and_then(|failure| failure.message.as_deref());
    let own = reading.error.filter(|error| !error.is_empty());
    (reading.error.is_some() || failure.is_some()).then(|| {
        let kind = own.or(kind).unwrap_or_default();
        (kind, reading.error_message.or(message))
    })
}

fn output<'a>(reading: &'a Reading<'a>, reasons: &'a [&'a str], said: &'a Said) -> Output<'a> {
    let usage = Some(reading.usage).filter(|usage| !usage.is_empty());
    match reading.operation.component() {
        Component::Model => Output::Model(ModelOutput {
            response_id: reading.response_id,
            model: reading.response_model,
            // Perhaps they were not known when it began.
            provider: reading.provider.as_deref(),
            request_model: reading.request_model,
            finish_reasons: reasons,
            usage,
            time_to_first_chunk: { reading.time_to_first_chunk }
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            messages: said.messages(),
            ..ModelOutput::default()
        }),
        Component::Embedding => Output::Embedding(EmbeddingOutput {
            model: reading.response_model,
            usage,
        }),
        Component::Tool => Output::Tool(ToolOutput {
            result: said.other(),
        }),
        Component::Retriever => Output::Documents(DocumentsOutput {
            documents: said.other(),
            ..DocumentsOutput::default()
        }),
        Component::Transformer => Output::Documents(DocumentsOutput::default()),
        Component::Agent | Component::Plan => Output::Agent(AgentOutput {
            usage,
            finish_reason: reasons.first().copied(),
            messages: said.messages(),
        }),
        Component::Memory => Output::Memory(MemoryOutput::default()),
        _ => Output::Node(NodeOutput::default()),
    }
}
