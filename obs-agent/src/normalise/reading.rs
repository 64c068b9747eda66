//! A span, read: all of it in our words.

use super::attributes::{Attributes, Said, Value};
use super::dialect::Dialect;
use super::operation::{Operation, name_behind};
use super::table::{self, Row};
use super::usage::usage;
use super::words;
use crate::component::Component;
use obs_llm::Usage;
use std::borrow::Cow;

/// A span as its instrumentation told it.
#[derive(Clone, Copy)]
pub struct SpanView<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Who made it: the name of an instrumentation's scope, the target of a span of `tracing`.
    pub scope: &'a str,
    /// Whether it has no parent in its process, or none at all.
    pub is_root: bool,
    /// What is said of it.
    pub attributes: &'a dyn Attributes,
}

impl std::fmt::Debug for SpanView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpanView")
            .field("name", &self.name)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What a span says, without what was said in it: that is [`messages`](SpanView::messages) and [`content`](SpanView::content). What it does
/// not say is absent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reading<'a> {
    /// What it is.
    pub operation: Operation,
    /// In whose words it was told.
    pub dialect: Dialect,
    /// Who serves the model, by the conventions' names of those that they know: `azure.ai.openai`.
    pub provider: Option<Cow<'a, str>>,
    /// The model that was asked for.
    pub request_model: Option<&'a str>,
    /// The model that answered.
    pub response_model: Option<&'a str>,
    /// The answer's id.
    pub response_id: Option<&'a str>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// The most tokens that may be answered.
    pub max_tokens: Option<u64>,
    /// The temperature.
    pub temperature: Option<f64>,
    /// The mass of probability that is sampled from.
    pub top_p: Option<f64>,
    /// Its tokens, by our arithmetic: totals with all their parts. Of an agent or a workflow the sum of what is within it.
    pub usage: Usage,
    /// Time to the first chunk, in seconds.
    pub time_to_first_chunk: Option<f64>,
    /// Time to the first token as the server of the model has it, in seconds: another time, since nothing of the way is in it.
    pub server_time_to_first_token: Option<f64>,
    /// Why the answer ended, one for each choice.
    pub finish_reasons: Vec<Cow<'a, str>>,
    /// The conversation, as the framework or the user names it.
    pub conversation_id: Option<&'a str>,
    /// The user.
    pub user_id: Option<&'a str>,
    /// The agent's name.
    pub agent_name: Option<&'a str>,
    /// Its id.
    pub agent_id: Option<&'a str>,
    /// What it is for.
    pub agent_description: Option<&'a str>,
    /// Its version.
    pub agent_version: Option<&'a str>,
    /// The workflow's name, or the chain's.
    pub workflow_name: Option<&'a str>,
    /// The tool's name.
    pub tool_name: Option<&'a str>,
    /// The model's id of the call.
    pub tool_call_id: Option<&'a str>,
    /// What kind of tool it is.
    pub tool_type: Option<&'a str>,
    /// What it is for.
    pub tool_description: Option<&'a str>,
    /// A knowledge base.
    pub data_source_id: Option<&'a str>,
    /// How many documents at most.
    pub top_k: Option<u64>,
    /// How many texts become vectors.
    pub texts: Option<u64>,
    /// What somebody reckons it to have cost: kept beside our own, in no sum.
    pub cost: Option<f64>,
    /// How it failed, if it did: a word, empty where nothing but that is known.
    pub error: Option<&'a str>,
    /// The error itself.
    pub error_message: Option<&'a str>,
}

impl<'a> SpanView<'a> {
    /// Which operation it is; none of ours where this is none.
    pub fn operation(&self) -> Option<Operation> {
        self.seen().operation()
    }

    /// All that it says, if it is an operation of ours.
    pub fn read(&self) -> Option<Reading<'a>> {
        self.seen().read()
    }

    pub(crate) fn seen(&self) -> Seen<'a> {
        Seen {
            name: self.name,
            is_root: self.is_root,
            said: Said::new(self.attributes, Dialect::of(self.scope, self.attributes)),
        }
    }
}

/// A span of which it is known in whose words it is told.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) name: &'a str,
    pub(crate) is_root: bool,
    pub(crate) said: Said<'a>,
}

impl<'a> Seen<'a> {
    pub(crate) fn operation(&self) -> Option<Operation> {
        Operation::of(self.name, self.is_root, &self.said)
    }

    pub(crate) fn read(&self) -> Option<Reading<'a>> {
        let said = self.said;
        let operation = Operation::of(self.name, self.is_root, &said)?;
        let provider = said.first(table::PROVIDER, |value| Some(provider(value.text()?)));
        let failed = said.text(table::STATUS);
        let failed = failed.is_some_and(|status| status.eq_ignore_ascii_case("error"));
        let error_message = said.text(table::ERROR);
        let error = said.text(table::ERROR_TYPE);
        Some(Reading {
            operation,
            dialect: said.dialect,
            request_model: said.text(table::REQUEST_MODEL),
            response_model: said.text(table::RESPONSE_MODEL),
            response_id: said.text(table::RESPONSE_ID),
            stream: streams(self.name, &said),
            max_tokens: said.count(table::MAX_TOKENS),
            temperature: said.number(table::TEMPERATURE),
            top_p: said.number(table::TOP_P),
            usage: usage(&said, provider.as_deref()),
            time_to_first_chunk: seconds(said.number(table::FIRST_CHUNK)).or_else(|| {
                let millis = said.number(table::FIRST_CHUNK_MS);
                seconds(millis.map(|millis| millis / 1000.0))
            }),
            server_time_to_first_token: seconds(said.number(table::SERVER_FIRST_TOKEN)),
            finish_reasons: said
                .first(table::FINISH_REASONS, finish_reasons)
                .unwrap_or_default(),
            conversation_id: said.text(table::CONVERSATION),
            user_id: said.text(table::USER),
            agent_name: named(&said, operation, Component::Agent, table::AGENT_NAME),
            agent_id: said.text(table::AGENT_ID),
            agent_description: said.text(table::AGENT_DESCRIPTION),
            agent_version: said.text(table::AGENT_VERSION),
            workflow_name: named(&said, operation, Component::Workflow, table::WORKFLOW_NAME),
            tool_name: named(&said, operation, Component::Tool, table::TOOL_NAME)
                .or_else(|| name_behind(self.name, &said)),
            tool_call_id: said.text(table::TOOL_CALL_ID),
            tool_type: said.text(table::TOOL_TYPE),
            tool_description: said.text(table::TOOL_DESCRIPTION),
            data_source_id: said.text(table::DATA_SOURCE),
            top_k: said.count(table::TOP_K),
            texts: said.count(table::TEXTS),
            cost: said.number(table::COST),
            error: error.or_else(|| (failed || error_message.is_some()).then_some("")),
            error_message,
            provider,
        })
    }
}

/// A time that is one.
fn seconds(seconds: Option<f64>) -> Option<f64> {
    seconds.filter(|seconds| *seconds >= 0.0)
}

/// The name of what this is. OpenLLMetry's spans have one name, and it is that of what the span is.
fn named<'a>(said: &Said<'a>, is: Operation, of: Component, row: Row) -> Option<&'a str> {
    let own = is.component() == of;
    let entity = || said.text(table::ENTITY_NAME).filter(|_| own);
    match said.dialect {
        Dialect::OpenLlmetry => entity().or_else(|| said.text(row)),
        _ => said.text(row).or_else(entity),
    }
}

/// By the name that the conventions have.
pub(crate) fn provider(text: &str) -> Cow<'_, str> {
    let mut interfaces = words::INTERFACES.iter();
    let bare = interfaces.find_map(|interface| text.strip_suffix(interface));
    // An enum of OpenInference's is told as `LLMProvider.OPENAI` by some.
    let bare = bare.unwrap_or(text);
    let mut known = words::PROVIDERS.iter();
    if let Some((_, ours)) = known.find(|(theirs, _)| theirs.eq_ignore_ascii_case(bare)) {
        return (*ours).into();
    }
    // OpenLLMetry has capitals: `OpenAI`, `Anthropic`.
    match bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => bare.to_ascii_lowercase().into(),
        false => bare.into(),
    }
}

/// Vercel says it by the name of the function only.
fn streams(name: &str, said: &Said<'_>) -> bool {
    let told = said.first(table::STREAM, Value::flag);
    told.unwrap_or_else(|| {
        let function = said.text(table::VERCEL_FUNCTION).unwrap_or(name);
        said.dialect == Dialect::Vercel && function.contains("doStream")
    })
}

/// One, or several: a list, or a text that is written as one. Vercel's have dashes.
fn finish_reasons(value: Value<'_>) -> Option<Vec<Cow<'_, str>>> {
    let reasons: Vec<_> = match value {
        Value::List(list) => list.iter().filter_map(|text| reason(text)).collect(),
        Value::Str(text) => {
            let text = text.trim();
            let list = text
                .strip_prefix('[')
                .and_then(|text| text.strip_suffix(']'));
            match list {
                Some(list) => list.split(',').filter_map(reason).collect(),
                None => reason(text).into_iter().collect(),
            }
        }
        _ => return None,
    };
    (!reasons.is_empty()).then_some(reasons)
}

fn reason(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim().trim_matches(['"', '\'']).trim();
    if text.is_empty() {
        return None;
    }
    Some(match text.contains('-') {
        true => text.replace('-', "_").into(),
        false => text.into(),
    })
}
