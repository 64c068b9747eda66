//! What is told of a dispatch: rig's requests and answers in the words of runs.

use super::child::Child;
use super::failure::Failure;
use super::messages;
use crate::component::Component;
use crate::handlers::{Handlers, Run};
use crate::input::{
    DocumentsInput, EmbeddingInput, Input, MemoryInput, MemoryOperation, ModelInput,
    RetrieverInput, ToolInput,
};
use crate::output::{
    DocumentsOutput, EmbeddingOutput, Item, MemoryOutput, ModelChunk, ModelOutput, Output,
    ToolOutput, ToolRequest,
};
use crate::run::{RunInfo, RunParent};
use crate::text::Text;
use obs_core::OTHER;
use obs_llm::wire::Content;
use obs_llm::{Tokens, Usage};
use rig_core::completion::{
    self, AssistantContent, CompletionRequest, CompletionResponse, FinishReason,
};
use rig_core::effect::{
    EffectKind, EmbedInputs, EmbedOutputs, MemoryOp, MemoryOutcome, Outcome, RetrieveQuery,
    RetrievedDocuments,
};
use rig_core::error::ErrorReport;
use rig_core::message::CallId;
use rig_core::serde_json::{Value, json};
use rig_core::streaming::{self, Part, Relayed, StreamEvent};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;

/// What implements all these runs.
pub(super) const KIND: &str = "rig";

/// What is known of a model beside what it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) provider: Option<Arc<str>>,
    pub(super) model: Option<Arc<str>>,
}

/// Who is told of a dispatch, and as part of what.
pub(super) struct Telling<'a> {
    pub(super) handlers: &'a Handlers,
    pub(super) parent: RunParent<'a>,
    pub(super) about: &'a About,
    pub(super) call_id: Option<&'a CallId>,
    pub(super) attempt: u32,
}

impl Telling<'_> {
    /// It begins, if it is of anything that runs are of.
    pub(super) fn begin(&self, kind: &EffectKind) -> Option<Run> {
        match kind {
            EffectKind::Completion { request, stream } => Some(self.model(request, *stream)),
            EffectKind::ToolCall { name, args } => Some(self.tool(name, args)),
            EffectKind::Embed { inputs } => {
                let texts = match inputs {
                    EmbedInputs::Texts(texts) => texts.len(),
                    EmbedInputs::Images(images) => images.len(),
                };
                let input = EmbeddingInput {
                    provider: self.about.provider.as_deref(),
                    model: self.about.model.as_deref(),
                    texts: Some(texts as u64),
                    ..EmbeddingInput::default()
                };
                let name = input.model.unwrap_or_default();
                Some(self.start(Component::Embedding, name, &Input::Embedding(input)))
            }
            EffectKind::Rerank { request } => {
                let documents = Some(request.documents.len() as u64);
                let input = Input::Documents(DocumentsInput { documents });
                Some(self.start(Component::Transformer, "rerank", &input))
            }
            EffectKind::Memory { op } => {
                let (operation, records) = match op {
                    MemoryOp::Load { .. } => (MemoryOperation::Search, None),
                    MemoryOp::Append { messages, .. } => {
                        (MemoryOperation::Create, Some(messages.len() as u64))
                    }
                    MemoryOp::Clear { .. } => (MemoryOperation::Delete, None),
                };
                let input = MemoryInput {
                    operation,
                    records,
                    ..MemoryInput::default()
                };
                Some(self.start(Component::Memory, "", &Input::Memory(input)))
            }
            EffectKind::Retrieve { query } => {
                let (RetrieveQuery::TopN { req } | RetrieveQuery::TopNIds { req }) = query;
                let input = RetrieverInput {
                    top_k: Some(req.samples()),
                    query: Some(Text::Plain(req.query())),
                    ..RetrieverInput::default()
                };
                Some(self.start(Component::Retriever, "", &Input::Retriever(input)))
            }
            EffectKind::Custom { .. } => None,
        }
    }

    fn start(&self, component: Component, name: &str, input: &Input<'_>) -> Run {
        let info = RunInfo::new(component, name).with_kind(KIND);
        let info = info.with_attempt(self.attempt);
        self.handlers.start(info, self.parent, input)
    }

    fn model(&self, request: &CompletionRequest, stream: bool) -> Run {
        let tools: SmallVec<[&str; 8]> = request
            .tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        let messages = |out: &mut String| messages::write(out, &request.chat_history);
        let asked = request.model.as_deref();
        let input = ModelInput {
            provider: self.about.provider.as_deref(),
            model: asked.or(self.about.model.as_deref()),
            stream,
            max_tokens: request.max_tokens,
            temperature: request.temperature,
            top_p: request.options.top_p,
            tools: &tools,
            system: request.system_instructions().map(Text::Plain),
            messages: Some(Text::JsonBy(&messages)),
            // rig's models keep it to themselves.
            server: None,
        };
        let name = input.model.unwrap_or_default();
        self.start(Component::Model, name, &Input::Model(input))
    }

    fn tool(&self, name: &str, args: &str) -> Run {
        let id = self.call_id.map(CallId::wire);
        let input = ToolInput {
            call_id: id.as_deref(),
            arguments: Some(Text::Json(args)),
            ..ToolInput::default()
        };
        self.start(Component::Tool, name, &Input::Tool(input))
    }
}

/// Ends a run as its dispatch ended, and says how it failed where it did.
pub(super) fn end(run: Run, outcome: &Result<Outcome, ErrorReport>) -> Option<Failure> {
    let failure = match outcome {
        Ok(Outcome::Completion(response)) => {
            answered(run, response);
            return None;
        }
        Ok(Outcome::ToolResult { result }) => match Failure::of_tool(result) {
            Some(failure) => failure,
            None => {
                let write = |out: &mut String| messages::write_output(out, result.output());
                let result = Some(Text::PlainBy(&write));
                run.end(&Output::Tool(ToolOutput { result }));
                return None;
            }
        },
        Ok(Outcome::Documents(found)) => {
            let count = match found {
                RetrievedDocuments::Scored(found) => found.len(),
                RetrievedDocuments::Ids(found) => found.len(),
            };
            let write = |out: &mut String| write_found(out, found);
            run.end(&Output::Documents(DocumentsOutput {
                count: Some(count as u64),
                documents: Some(Text::JsonBy(&write)),
            }));
            return None;
        }
        Ok(outcome) => {
            run.end(&output(outcome));
            return None;
        }
        Err(report) => Failure::of_report(report),
    };
    run.fail(&failure.error());
    Some(failure)
}

fn output(outcome: &Outcome) -> Output<'_> {
    match outcome {
        Outcome::Embeddings(EmbedOutputs::Texts(made) | EmbedOutputs::Images(made)) => {
            Output::Embedding(EmbeddingOutput {
                model: made.model.as_deref(),
                usage: usage(&made.usage),
            })
        }
        Outcome::Memory(MemoryOutcome::Loaded { messages }) => Output::Memory(MemoryOutput {
            count: Some(messages.len() as u64),
            records: None,
        }),
        Outcome::Memory(_) => Output::Memory(MemoryOutput::default()),
        Outcome::Reranked(reranked) => Output::Documents(DocumentsOutput {
            count: Some(reranked.results.len() as u64),
            documents: None,
        }),
        _ => Output::Node(crate::output::NodeOutput::default()),
    }
}

/// What was found: which it is, and how near.
fn write_found(out: &mut String, found: &RetrievedDocuments) {
    let found: Vec<_> = match found {
        RetrievedDocuments::Scored(found) => found
            .iter()
            .map(|(score, id, _)| json!({ "id": id, "score": score }))
            .collect(),
        RetrievedDocuments::Ids(found) => found
            .iter()
            .map(|(score, id)| json!({ "id": id, "score": score }))
            .collect(),
    };
    out.push_str(&Value::Array(found).to_string());
}

fn answered(run: Run, response: &CompletionResponse) {
    let reason = response.finish_reason();
    let reason = reason.as_ref().map(reason_name);
    let calls = calls_of(&response.choice);
    let calls: SmallVec<[ToolRequest<'_>; 4]> = calls
        .iter()
        .map(|(name, id)| ToolRequest::new(name, Some(id)))
        .collect();
    let messages = |out: &mut String| messages::write_answer(out, &response.choice, reason);
    run.end(&Output::Model(ModelOutput {
        response_id: response.response_id(),
        model: response.origin.response_model.as_deref(),
        finish_reasons: reason.as_slice(),
        usage: usage(&response.usage),
        tool_calls: &calls,
        messages: Some(Text::JsonBy(&messages)),
        ..ModelOutput::default()
    }));
}

type Calls<'a> = SmallVec<[(&'a str, Cow<'a, str>); 4]>;

fn calls_of(content: &[AssistantContent]) -> Calls<'_> {
    let calls = content.iter().filter_map(|content| match content {
        AssistantContent::ToolCall(call) => Some((call.function.name.as_str(), call.id.wire())),
        _ => None,
    });
    calls.collect()
}

/// Tells what an answer that is streamed ended with.
pub(super) fn completed(child: &Child, response: &CompletionResponse) {
    let reason = response.finish_reason();
    let reason = reason.as_ref().map(reason_name);
    let tokens = usage(&response.usage);
    child.stream(|run| {
        run.item(&Item::Model(ModelChunk {
            finish_reason: reason,
            usage: tokens.as_ref(),
            response_id: response.response_id(),
            model: response.origin.response_model.as_deref(),
            ..ModelChunk::default()
        }));
    });
    if let Some(run) = child.take() {
        run.end(&Output::Streamed);
    }
}

/// Tells which tools an answer wants, where its pieces did not.
pub(super) fn chosen(child: &Child, response: &CompletionResponse) {
    for (name, id) in calls_of(&response.choice) {
        choose(child, name, &id);
    }
}

fn choose(child: &Child, name: &str, id: &str) {
    child.stream(|run| {
        run.item(&Item::Model(ModelChunk {
            tool_call: Some(ToolRequest::new(name, Some(id))),
            ..ModelChunk::default()
        }));
    });
}

/// Which parts of an answer have said something, of the first of them: others end in one piece.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said(u64);

impl Said {
    fn bit(part: Part) -> u64 {
        u32::try_from(part.index()).map_or(0, |index| 1_u64.checked_shl(index).unwrap_or(0))
    }

    fn has(self, part: Part) -> bool {
        self.0 & Self::bit(part) != 0
    }
}

/// Tells a piece of an answer, and how it ends; gives how it failed where it did.
pub(super) fn relayed(
    child: &Child,
    item: &Result<Relayed, ErrorReport>,
    parts: &mut Said,
) -> Option<Failure> {
    match item {
        Ok(Relayed::Origin(_) | Relayed::Item(streaming::Item::Unknown(_))) => None,
        Ok(Relayed::Item(streaming::Item::Event(event))) => {
            piece(child, event, parts);
            None
        }
        Ok(Relayed::Done(response)) => {
            completed(child, response);
            None
        }
        Err(report) => {
            let mut failure = Failure::of_report(report);
            if child.is_streamed() {
                failure = failure.within_answer();
            }
            if let Some(run) = child.take() {
                run.fail(&failure.error());
            }
            Some(failure)
        }
    }
}

fn piece(child: &Child, event: &StreamEvent, parts: &mut Said) {
    match event {
        StreamEvent::Text { text, .. } => said(child, Content::Text, text),
        StreamEvent::Reasoning { text, .. } => said(child, Content::Reasoning, text),
        StreamEvent::Arguments { part, json } => {
            parts.0 |= Said::bit(*part);
            said(child, Content::ToolCall, json);
        }
        StreamEvent::End {
            part,
            content: AssistantContent::ToolCall(call),
        } => {
            if !parts.has(*part) {
                said(child, Content::ToolCall, "");
            }
            choose(child, call.function.name.as_str(), &call.id.wire());
        }
        StreamEvent::End {
            content: AssistantContent::Image(_),
            ..
        } => said(child, Content::Media, ""),
        StreamEvent::Start { .. } | StreamEvent::End { .. } => {}
    }
}

/// A piece with content.
pub(super) fn said(child: &Child, content: Content, text: &str) {
    child.stream(|run| {
        run.item(&Item::Model(ModelChunk {
            content: Some(content),
            text: (!text.is_empty()).then_some(Text::Plain(text)),
            ..ModelChunk::default()
        }));
    });
}

pub(super) fn reason_name(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Other(reason) => reason,
        _ => OTHER,
    }
}

/// rig's counts are totals with their parts, as ours are.
pub(super) fn usage(told: &completion::Usage) -> Option<Usage> {
    let counts = [
        (Tokens::Input, told.input_tokens),
        (Tokens::Output, told.output_tokens),
        (Tokens::CacheRead, told.cached_input_tokens),
        (Tokens::CacheWrite, told.cache_creation_input_tokens),
        (Tokens::Reasoning, told.reasoning_tokens),
    ];
    let mut usage = Usage::new();
    for (tokens, count) in counts {
        if let Some(count) = count {
            usage.set(tokens, count);
        }
    }
    (!usage.is_empty()).then_some(usage)
}
