//! The agent: a model says which tools a question wants, the agent calls them, and the model answers from what they say.

use super::{
    conversations::Conversations,
    library::{Library, Trouble},
    model::{Model, Plan, Wanted, Word},
    toolbox::Toolbox,
};
use crate::{
    business::{Ending, Question as Asked, Questions},
    operations::MEMORY,
};
use axum::body::Bytes;
use obs_agent::{
    Component, Handlers, Input, Output, Run, RunError, RunInfo, RunParent, Tap, Text,
    input::{AgentInput, ToolInput},
    output::ToolOutput,
};
use obs_core::{Kind, Labels, Outcome, Parent, Telemetry, current};
use serde_json::{Value, json};
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::sleep;
use tokio_stream::Stream;
use tower::BoxError;

/// Its name.
const NAME: &str = "assistant";
/// The tool that looks up documents over HTTP.
pub(crate) const SEARCH_DOCUMENTS: &str = "search_documents";
/// The tool that asks an instrument over gRPC.
pub(crate) const CONSULT_INSTRUMENT: &str = "consult_instrument";

/// What each request has at hand.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    library: Library,
    toolbox: Toolbox,
    model: Model,
    handlers: Handlers,
    conversations: Conversations,
    questions: Questions,
    memory: &'static Kind,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The knowledge service fails it.
    Knowledge(Trouble),
    /// The model does.
    Model(BoxError),
}

impl Agent {
    /// Its turns are told to `handlers`, and operations of its own to `telemetry`.
    pub(crate) fn new(
        telemetry: &Telemetry,
        handlers: Handlers,
        library: Library,
        toolbox: Toolbox,
        model: Model,
    ) -> Self {
        Self {
            library,
            toolbox,
            model,
            handlers,
            conversations: Conversations::default(),
            questions: Questions::new(telemetry),
            memory: telemetry.kind(&MEMORY),
        }
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    pub(crate) fn conversations(&self) -> &Conversations {
        &self.conversations
    }

    /// A turn: what is answered to `topic`, as it is written, from the first word on.
    pub(crate) async fn turn(
        &self,
        topic: &str,
        conversation: Option<&str>,
    ) -> Result<Answering, NoAnswer> {
        // Counts itself whatever becomes of it, also if nobody waits for the answer.
        let asked = self.questions.asked();
        let (turn, before) = match conversation {
            Some(id) => self.conversations.turn(id),
            None => (1, Vec::new()),
        };
        let mut input = AgentInput::default();
        input.conversation_id = conversation;
        input.turn = Some(turn);
        input.model = Some(self.model.name());
        let info = RunInfo::new(Component::Agent, NAME);
        let run = self
            .handlers
            .start(info, RunParent::Current, &Input::Agent(input));
        let question = Question { topic }.to_string();
        let mut messages = vec![json!({"role": "system", "content": INSTRUCTIONS})];
        messages.extend(before);
        messages.push(json!({"role": "user", "content": question}));

        let words = run.wrap(async {
            self.prepare(&run, topic, conversation, &mut messages)
                .await?;
            self.conversations
                .count(conversation, |came| came.calls += 1);
            let words = self.model.answer(&messages).await;
            words.map_err(NoAnswer::Model)
        });
        match words.await {
            Ok(words) => Ok(Answering {
                words: Box::pin(run.stream_with(words, observe)),
                asked: Some(asked),
                agent: self.clone(),
                conversation: conversation.map(str::to_owned),
                question,
                said: String::new(),
            }),
            Err(failure) => {
                run.fail(&failure.as_end());
                asked.ends(failure.ending());
                Err(failure)
            }
        }
    }

    /// Asks the model which tools the question wants, and calls them.
    async fn prepare(
        &self,
        run: &Run,
        topic: &str,
        conversation: Option<&str>,
        messages: &mut Vec<Value>,
    ) -> Result<(), NoAnswer> {
        self.conversations
            .count(conversation, |came| came.calls += 1);
        let Plan {
            mut calls,
            read,
            written,
        } = self.plan(run, messages).await.map_err(NoAnswer::Model)?;
        self.questions.tokens(read, written);
        self.conversations.count(conversation, |came| {
            came.read += read;
            came.written += written;
        });
        // Small models want no tools, and without them they make things up.
        for name in [SEARCH_DOCUMENTS, CONSULT_INSTRUMENT] {
            let is_of_use = name == SEARCH_DOCUMENTS || Toolbox::has_one_for(topic);
            if is_of_use && !calls.iter().any(|wanted| wanted.name == name) {
                calls.push(Wanted {
                    id: format!("unasked_{name}"),
                    name: name.to_owned(),
                    arguments: json!({ "topic": topic }).to_string(),
                });
            }
        }
        let wanted = calls.iter().map(|wanted| {
            let function = json!({"name": wanted.name, "arguments": wanted.arguments});
            json!({"id": wanted.id, "type": "function", "function": function})
        });
        let wanted: Vec<_> = wanted.collect();
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": wanted}));
        for wanted in &calls {
            self.conversations
                .count(conversation, |came| came.tools += 1);
            let said = self
                .call(run, topic, wanted)
                .await
                .map_err(NoAnswer::Knowledge)?;
            messages.push(json!({"role": "tool", "tool_call_id": wanted.id, "content": said}));
        }
        Ok(())
    }

    async fn plan(&self, run: &Run, messages: &[Value]) -> Result<Plan, BoxError> {
        let info = RunInfo::new(Component::Plan, NAME);
        let input = Input::Agent(AgentInput::default());
        let planning = self.handlers.start(info, run.as_parent(), &input);
        let tools = tools();
        let plan = planning.wrap(self.model.plan(messages, &tools)).await;
        match &plan {
            Ok(_) => planning.end(&Output::Agent(Default::default())),
            Err(error) => planning.fail(&RunError::failed("model_error").with_message(error)),
        }
        plan
    }

    /// What a tool says. Without an instrument there is an answer all the same, without documents there is none.
    async fn call(&self, run: &Run, asked: &str, wanted: &Wanted) -> Result<String, Trouble> {
        let mut input = ToolInput::default();
        input.call_id = Some(&wanted.id);
        input.arguments = Some(Text::Json(&wanted.arguments));
        let info = RunInfo::new(Component::Tool, &wanted.name);
        let tool = self
            .handlers
            .start(info, run.as_parent(), &Input::Tool(input));
        // A model that names no topic means that of the question.
        let topic = topic_of(&wanted.arguments).unwrap_or_else(|| asked.to_owned());
        let said = match wanted.name.as_str() {
            SEARCH_DOCUMENTS => match tool.wrap(self.library.search(&topic)).await {
                Ok(found) => format!("{found} documents"),
                Err(trouble) => {
                    tool.fail(&trouble.as_end().with_message(&trouble));
                    return Err(trouble);
                }
            },
            CONSULT_INSTRUMENT => match tool.wrap(self.toolbox.consult(&topic)).await {
                Ok(said) => said,
                Err(status) => {
                    let code = i32::from(status.code());
                    tracing::warn!(topic, code, "goes on without the instrument");
                    tool.fail(&RunError::failed("tool_error").with_message(&status));
                    return Ok(String::new());
                }
            },
            // Models make names up.
            _ => {
                tool.fail(&RunError::failed("tool_not_found"));
                return Ok("There is no such tool.".to_owned());
            }
        };
        let mut output = ToolOutput::default();
        output.result = Some(Text::Plain(&said));
        tool.end(&Output::Tool(output));
        Ok(said)
    }

    /// Writes the conversation down.
    fn remember(&self) -> impl Future<Output = ()> + Send + use<> {
        let memory = self.memory;
        async move {
            let operation = memory.start(Labels::NONE, Parent::Current);
            let write = sleep(Duration::from_millis(1));
            operation.instrument(write, |()| Outcome::ANSWERED).await;
        }
    }
}

/// The layer around the model tells of words and tokens; a turn has an end of its own where they break off.
fn observe(word: &Result<Word, BoxError>, tap: &mut Tap<'_>) {
    if let Err(error) = word {
        tap.fail(&RunError::failed("model_error").with_message(error));
    }
}

type Words =
    obs_agent::ObservedStream<super::model::Words, fn(&Result<Word, BoxError>, &mut Tap<'_>)>;

/// An answer on its way to whoever asked.
pub(crate) struct Answering {
    words: Pin<Box<Words>>,
    /// Until something has become of it.
    asked: Option<Asked>,
    agent: Agent,
    conversation: Option<String>,
    question: String,
    said: String,
}

impl Answering {
    fn finish(&mut self) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        tracing::info!(question = self.question, "question answered");
        asked.ends(Ending::Answered);
        if let Some(conversation) = &self.conversation {
            let (question, said) = (self.question.clone(), std::mem::take(&mut self.said));
            self.agent.conversations.said(conversation, question, said);
        }
        // Goes on after the answer, in a task of its own, and still belongs to this request.
        let remembering = self.agent.remember();
        match current::handle() {
            Some(request) => tokio::spawn(request.wrap(remembering)),
            None => tokio::spawn(remembering),
        };
    }
}

impl Stream for Answering {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BoxError>>> {
        loop {
            match ready!(self.words.as_mut().poll_next(cx)) {
                Some(Ok(Word::Text(text))) => {
                    self.said += &text;
                    return Poll::Ready(Some(Ok(text.into())));
                }
                Some(Ok(Word::Usage { read, written })) => {
                    self.agent.questions.tokens(read, written);
                    let conversation = self.conversation.as_deref();
                    self.agent.conversations.count(conversation, |came| {
                        came.read += read;
                        came.written += written;
                    });
                }
                Some(Err(error)) => {
                    tracing::warn!(question = self.question, %error, "the answer broke off");
                    if let Some(asked) = self.asked.take() {
                        asked.ends(Ending::Overloaded);
                    }
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.finish();
                    return Poll::Ready(None);
                }
            }
        }
    }
}

impl NoAnswer {
    fn as_end(&self) -> RunError<'static> {
        match self {
            Self::Knowledge(trouble) => trouble.as_end(),
            Self::Model(_) => RunError::failed("model_error"),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Knowledge(Trouble::Late) => Ending::KnowledgeLate,
            Self::Knowledge(Trouble::Failed(_)) => Ending::KnowledgeFailed,
            Self::Model(_) => Ending::Overloaded,
        }
    }
}

const INSTRUCTIONS: &str = "Answer in one sentence, from what the tools say.";

/// What the model may want to be called.
fn tools() -> Value {
    let tool = |name: &str, description: &str| {
        let topic = json!({"type": "string", "description": "What the question is about."});
        let parameters =
            json!({"type": "object", "properties": {"topic": topic}, "required": ["topic"]});
        json!({
            "type": "function",
            "function": {"name": name, "description": description, "parameters": parameters},
        })
    };
    json!([
        tool(
            SEARCH_DOCUMENTS,
            "Counts the documents that speak of a topic."
        ),
        tool(
            CONSULT_INSTRUMENT,
            "Asks an instrument, where there is one for the topic."
        ),
    ])
}

fn topic_of(arguments: &str) -> Option<String> {
    let arguments: Value = serde_json::from_str(arguments).ok()?;
    Some(arguments["topic"].as_str()?.to_owned())
}

/// What a model is asked.
pub(crate) struct Question<'q> {
    pub(crate) topic: &'q str,
}

const BEFORE: &str = "What is there to say of ";

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BEFORE}{}?", self.topic)
    }
}

impl<'q> Question<'q> {
    /// Of a text that was made of one.
    pub(crate) fn read(text: &'q str) -> Option<Self> {
        let topic = text.strip_prefix(BEFORE)?.strip_suffix('?')?;
        Some(Self { topic })
    }
}
