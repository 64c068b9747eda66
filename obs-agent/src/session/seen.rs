//! What an operation says at its end, as far as sessions add it up.

use super::sketch;
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Descriptor, LabelValue, Moment, Record, RecordValue, Session, Value};
use obs_llm::server::LLM_SERVER;
use std::borrow::Cow;

/// What a session counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Inference,
    Embeddings,
    Tool,
    /// An agent or a workflow: a turn, where nothing is around it.
    Agent,
}

impl What {
    fn named(name: &str) -> Option<Self> {
        match name {
            "chat" | "generate_content" | "text_completion" => Some(Self::Inference),
            "embeddings" => Some(Self::Embeddings),
            "execute_tool" => Some(Self::Tool),
            "invoke_agent" | "invoke_workflow" => Some(Self::Agent),
            _ => None,
        }
    }
}

/// Whom an operation was done for.
#[derive(Clone, Debug, Default)]
pub(super) struct Who<'a> {
    pub(super) session: Option<&'a str>,
    pub(super) conversation: Option<Cow<'a, str>>,
    pub(super) user: Option<&'a str>,
}

impl<'a> Who<'a> {
    fn of(session: &'a Session, record: &Record<'_>) -> Self {
        let id = |id: &'a Option<Box<str>>| id.as_deref().filter(|id| !id.is_empty());
        let mut who = Self {
            session: id(&session.session_id),
            conversation: id(&session.conversation_id).map(Cow::Borrowed),
            user: id(&session.user_id),
        };
        if who.id().is_none() {
            // Few name it themselves only; its length has the bound that a session's has.
            let own = record.attribute(gen_ai::CONVERSATION_ID.as_str());
            let own = own.map(|own| Session::default().with_conversation(&own.as_str()));
            let own = own.and_then(|session| session.conversation_id);
            who.conversation = own
                .filter(|id| !id.is_empty())
                .map(|id| Cow::Owned(id.into()));
        }
        who
    }

    /// What it is found by: the session, else the conversation.
    pub(super) fn id(&self) -> Option<&str> {
        self.session.or(self.conversation.as_deref())
    }
}

/// Tokens of one call, as far as it told them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cache_read: Option<u64>,
    pub(super) cache_write: Option<u64>,
    pub(super) reasoning: Option<u64>,
}

impl Told {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The name of a tool where no heap is asked for it. A name beyond the bound is not kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToolName {
    bytes: [u8; Self::LONGEST],
    len: u8,
}

impl ToolName {
    /// Twice what providers allow.
    const LONGEST: usize = 128;

    fn of(name: &str) -> Option<Self> {
        let mut bytes = [0; Self::LONGEST];
        bytes
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        let len = u8::try_from(name.len()).ok()?;
        (len > 0).then_some(Self { bytes, len })
    }

    pub(super) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len));
        bytes.map_or("", |bytes| std::str::from_utf8(bytes).unwrap_or_default())
    }
}

/// What an operation said.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) what: What,
    pub(super) who: Who<'a>,
    pub(super) failed: bool,
    pub(super) started: Moment,
    pub(super) ended: Moment,
    /// How long it took.
    pub(super) seconds: f64,
    pub(super) told: Told,
    /// In picodollars.
    pub(super) cost: Option<u64>,
    /// In seconds.
    pub(super) first_chunk: Option<f64>,
    /// Whether no other run is around it.
    pub(super) is_turn: bool,
    pub(super) tool: Option<ToolName>,
}

impl<'a> Seen<'a> {
    /// `None` for what sessions do not add up.
    pub(super) fn of(record: &Record<'a>) -> Option<Self> {
        let session = record.session()?;
        if is_served(record.descriptor()) {
            return None;
        }
        let mut said = Said::default();
        record.visit_attributes(&mut |key, value| said.take(key, &value));
        Some(Self {
            what: said.what?,
            who: Who::of(session, record),
            failed: record.outcome().is_error(),
            started: record.started(),
            ended: record.ended(),
            seconds: record.duration().as_secs_f64(),
            told: said.told,
            cost: said.cost,
            first_chunk: said.first_chunk,
            is_turn: said.is_outermost || said.depth.is_none_or(|depth| depth == 0),
            tool: said.tool,
        })
    }
}

/// What is served is counted by whoever asked for it, perhaps in this process, too.
fn is_served(of: &Descriptor) -> bool {
    matches!(of.span_kind, SpanKind::Server | SpanKind::Consumer) || of.name == LLM_SERVER.name
}

#[derive(Default)]
struct Said {
    what: Option<What>,
    told: Told,
    cost: Option<u64>,
    first_chunk: Option<f64>,
    depth: Option<u64>,
    is_outermost: bool,
    tool: Option<ToolName>,
}

/// Picodollars in a dollar: sums of whole numbers do not depend on their order.
pub(super) const PICO: f64 = 1e12;

impl Said {
    fn take(&mut self, key: &str, value: &RecordValue<'_>) {
        const OPERATION: &str = gen_ai::OPERATION_NAME.as_str();
        const INPUT: &str = gen_ai::USAGE_INPUT_TOKENS.as_str();
        const OUTPUT: &str = gen_ai::USAGE_OUTPUT_TOKENS.as_str();
        const CACHE_READ: &str = gen_ai::USAGE_CACHE_READ_INPUT_TOKENS.as_str();
        const CACHE_WRITE: &str = gen_ai::USAGE_CACHE_CREATION_INPUT_TOKENS.as_str();
        const CACHE_WRITE_MAIN: &str = gen_ai::USAGE_CACHE_WRITE_INPUT_TOKENS.as_str();
        const REASONING: &str = gen_ai::USAGE_REASONING_OUTPUT_TOKENS.as_str();
        const FIRST_CHUNK: &str = gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK.as_str();
        const TOOL: &str = gen_ai::TOOL_NAME.as_str();
        const COST: &str = obs::LLM_COST_USD.as_str();
        const DEPTH: &str = obs::agent::DEPTH.as_str();
        const OUTERMOST: &str = obs::agent::OUTERMOST.as_str();
        match key {
            OPERATION => self.what = text(value, What::named),
            INPUT => self.told.input = count(value),
            OUTPUT => self.told.output = count(value),
            CACHE_READ => self.told.cache_read = count(value),
            CACHE_WRITE | CACHE_WRITE_MAIN => self.told.cache_write = count(value),
            REASONING => self.told.reasoning = count(value),
            FIRST_CHUNK => self.first_chunk = number(value),
            TOOL => self.tool = text(value, ToolName::of),
            COST => self.cost = number(value).map(|usd| (usd * PICO).round() as u64),
            DEPTH => self.depth = count(value),
            OUTERMOST => self.is_outermost = *value == RecordValue::Value(Value::Bool(true)),
            _ => {}
        }
    }
}

fn text<T>(value: &RecordValue<'_>, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    match value {
        RecordValue::Value(Value::Str(text)) => read(text),
        RecordValue::Label(LabelValue::Static(text)) => read(text),
        RecordValue::Label(LabelValue::Text(text)) => read(text),
        _ => None,
    }
}

fn count(value: &RecordValue<'_>) -> Option<u64> {
    match value {
        RecordValue::Value(Value::I64(count)) => u64::try_from(*count).ok(),
        _ => None,
    }
}

/// None that makes no sense as a time or an amount.
fn number(value: &RecordValue<'_>) -> Option<f64> {
    match value {
        RecordValue::Value(Value::F64(number)) => Some(*number).filter(sketch::is_sound),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tools_name_is_kept_up_to_its_bound() {
        let name = |text: &str| ToolName::of(text).map(|name| name.as_str().to_owned());
        assert_eq!(name("search"), Some("search".to_owned()));
        assert_eq!(
            name("wetter_für_örtchen"),
            Some("wetter_für_örtchen".to_owned())
        );
        let longest = "x".repeat(128);
        assert_eq!(name(&longest), Some(longest.clone()));
        assert_eq!(name(&format!("{longest}x")), None);
        assert_eq!(name(""), None);
    }
}
