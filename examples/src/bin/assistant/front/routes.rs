//! The front's routes: a question has a turn of the agent, whose answer is sent as it is written.

use super::{
    agent::{Agent, NoAnswer},
    library::Trouble,
};
use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use obs_core::{Session, current};

/// The routes of `agent`.
pub(crate) fn routes(agent: Agent) -> Router {
    Router::new()
        .route("/ask/{topic}", get(ask))
        .route("/documents/{id}", get(document))
        .with_state(agent)
}

/// `?conversation=ID` says of which conversation it is.
async fn ask(
    State(agent): State<Agent>,
    Path(topic): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, StatusCode> {
    let conversation = query.as_deref().and_then(conversation);
    if let Some(id) = conversation {
        // Whatever is done for this request is done in this session.
        current::with(|request| request.set_session(Session::new(id)));
    }
    match agent.turn(&topic, conversation).await {
        Ok(answering) => Ok(Response::new(Body::from_stream(answering))),
        Err(NoAnswer::Knowledge(trouble)) => Err(answer_to(&trouble)),
        Err(NoAnswer::Model(trouble)) => {
            tracing::warn!(topic, %trouble, "no answer of the model's");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// Its id, which is of letters, digits and dashes.
fn conversation(query: &str) -> Option<&str> {
    let mut parts = query.split('&');
    let id = parts.find_map(|part| part.strip_prefix("conversation="))?;
    let is_plain = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_plain && !id.is_empty()).then_some(id)
}

async fn document(State(agent): State<Agent>, Path(id): Path<usize>) -> Result<String, StatusCode> {
    let document = agent.library().document(id).await;
    document
        .map_err(|trouble| answer_to(&trouble))?
        .ok_or(StatusCode::NOT_FOUND)
}

/// What whoever asked is told when the knowledge service fails.
fn answer_to(trouble: &Trouble) -> StatusCode {
    let status = match trouble {
        Trouble::Late => StatusCode::GATEWAY_TIMEOUT,
        Trouble::Failed(_) => StatusCode::BAD_GATEWAY,
    };
    tracing::error!(%trouble, status = status.as_u16(), "no help from the knowledge service");
    status
}
