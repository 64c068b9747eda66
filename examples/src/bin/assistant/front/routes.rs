//! The front's routes: a question is answered from what the knowledge service finds and a tool says, by a model that is only
//! played.

use super::library::{Library, Trouble};
use super::toolbox::Toolbox;
use crate::{
    business::{Ending, Questions},
    operations::{MEMORY, MODEL_CALL, OUTPUT_TOKENS, OVERLOADED, SMALL},
};
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use obs_core::{Kind, Labels, Outcome, Parent, Telemetry, current};
use std::time::Duration;
use tokio::time::sleep;

/// The routes, and the operations inside them, reporting to `telemetry`.
pub(crate) fn routes(telemetry: &Telemetry, library: Library, toolbox: Toolbox) -> Router {
    Router::new()
        .route("/ask/{topic}", get(ask))
        .route("/documents/{id}", get(document))
        .with_state(Assistant {
            library,
            toolbox,
            model_call: telemetry.kind(&MODEL_CALL),
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
        Err(Overloaded) => {
            tracing::warn!(topic, "the model is overloaded");
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
    model_call: &'static Kind,
    memory: &'static Kind,
    questions: Questions,
}

struct Overloaded;

impl Assistant {
    /// Asks the model, whose mood depends on the topic.
    async fn complete(
        &self,
        topic: &str,
        documents: usize,
        said: &str,
    ) -> Result<String, Overloaded> {
        let thinking = Duration::from_millis(match topic {
            "history" => 400,
            "everything" => 60_000,
            _ => 4,
        });
        let questions = self.questions;
        let call = async {
            sleep(thinking).await;
            if topic == "paradox" {
                return Err(Overloaded);
            }
            let answer = format!("{documents} documents speak of {topic}.{said}");
            let tokens = |text: &str| text.split_whitespace().count() as u64;
            current::set(OUTPUT_TOKENS, tokens(&answer));
            questions.tokens(tokens(topic), tokens(&answer));
            Ok(answer)
        };
        let operation = self.model_call.start(SMALL, Parent::Current);
        operation
            .instrument(call, |answer| match answer {
                Ok(_) => Outcome::ANSWERED,
                Err(Overloaded) => Outcome::failed(OVERLOADED),
            })
            .await
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
