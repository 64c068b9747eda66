//! The front's routes: a question is answered from what the knowledge service finds and a tool says, by a model.

use super::library::{Library, Trouble};
use super::model::Model;
use super::toolbox::Toolbox;
use crate::{
    business::{Ending, Questions},
    operations::MEMORY,
};
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use obs_core::{Kind, Labels, Outcome, Parent, Telemetry, current};
use std::{fmt, time::Duration};
use tokio::time::sleep;
use tower::BoxError;

/// The routes, and the operations inside them, reporting to `telemetry`.
pub(crate) fn routes(
    telemetry: &Telemetry,
    library: Library,
    toolbox: Toolbox,
    model: Model,
) -> Router {
    Router::new()
        .route("/ask/{topic}", get(ask))
        .route("/documents/{id}", get(document))
        .with_state(Assistant {
            library,
            toolbox,
            model,
            memory: telemetry.kind(&MEMORY),
            questions: Questions::new(telemetry),
        })
}

async fn ask(
    State(assistant): State<Assistant>,
    Path(topic): Path<String>,
) -> Result<String, StatusCode> {
    // Counts itself whatever becomes of it, also if nobody waits for the answer.
    let question = assistant.questions.asked();
    let documents = match assistant.library.search(&topic).await {
        Ok(documents) => documents,
        Err(trouble) => {
            let (ending, status) = answer_to(&trouble);
            question.ends(ending);
            return Err(status);
        }
    };
    let said = assistant.toolbox.consult(&topic).await;
    let answer = match assistant.complete(&topic, documents, &said).await {
        Ok(answer) => answer,
        Err(trouble) => {
            tracing::warn!(topic, %trouble, "no answer of the model's");
            question.ends(Ending::Overloaded);
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    tracing::info!(topic, documents, "question answered");
    question.ends(Ending::Answered);

    // Goes on after the answer, in a task of its own, and still belongs to this request.
    let remembering = assistant.remember();
    match current::handle() {
        Some(request) => tokio::spawn(request.wrap(remembering)),
        None => tokio::spawn(remembering),
    };
    Ok(answer)
}

async fn document(
    State(assistant): State<Assistant>,
    Path(id): Path<usize>,
) -> Result<String, StatusCode> {
    let document = assistant.library.document(id).await;
    document
        .map_err(|trouble| answer_to(&trouble).1)?
        .ok_or(StatusCode::NOT_FOUND)
}

/// What a question ends with when the knowledge service fails it, and what whoever asked is told.
fn answer_to(trouble: &Trouble) -> (Ending, StatusCode) {
    let (ending, status) = match trouble {
        Trouble::Late => (Ending::KnowledgeLate, StatusCode::GATEWAY_TIMEOUT),
        Trouble::Failed(_) => (Ending::KnowledgeFailed, StatusCode::BAD_GATEWAY),
    };
    tracing::error!(%trouble, status = status.as_u16(), "no help from the knowledge service");
    (ending, status)
}

/// What each request has at hand.
#[derive(Clone, Debug)]
struct Assistant {
    library: Library,
    toolbox: Toolbox,
    model: Model,
    memory: &'static Kind,
    questions: Questions,
}

/// What a model is asked, and is to answer from.
pub(crate) struct Question<'q> {
    pub(crate) topic: &'q str,
    pub(crate) documents: usize,
    /// By a tool; empty, or with a space before it.
    pub(crate) said: &'q str,
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (topic, said) = (self.topic, self.said.trim_start());
        write!(
            f,
            "Topic: {topic}\nDocuments found: {}\nTool: {said}",
            self.documents
        )
    }
}

impl<'q> Question<'q> {
    /// Of a text that was made of one.
    pub(crate) fn read(text: &'q str) -> Option<Self> {
        let mut lines = text.lines();
        let mut line = |name| lines.next()?.strip_prefix(name);
        let (topic, documents) = (line("Topic: ")?, line("Documents found: ")?.parse().ok()?);
        // With the space before it that it had.
        let said = line("Tool:")?;
        Some(Self {
            topic,
            documents,
            said: if said.trim().is_empty() { "" } else { said },
        })
    }
}

impl Assistant {
    /// Asks the model.
    async fn complete(
        &self,
        topic: &str,
        documents: usize,
        said: &str,
    ) -> Result<String, BoxError> {
        let question = Question {
            topic,
            documents,
            said,
        };
        let answer = self.model.answer(&question.to_string()).await?;
        self.questions.tokens(answer.read, answer.written);
        Ok(answer.text)
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
