//! A model server for who has none: a real one over HTTP, with server-sent events, and no model in it. It says that it is simulated
//! in its name and in whatever it answers.

use super::{
    agent::{CONSULT_INSTRUMENT, Question, SEARCH_DOCUMENTS},
    toolbox::Toolbox,
};
use crate::serving::Serving;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, Response, StatusCode, header},
    routing::post,
    serve::ListenerExt,
};
use obs_gpu::Claim;
use serde_json::{Value, json};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::sleep};
use tokio_stream::wrappers::ReceiverStream;

/// How long it takes for a word after the first.
const WORD: Duration = Duration::from_millis(1);

/// What a plan counts as.
const PLAN: usize = 5;
/// Its names of the calls that it wants.
const SEARCH: &str = "call_search";
const CONSULT: &str = "call_consult";

/// The server.
#[derive(Debug)]
pub(crate) struct Played(Serving);

impl Played {
    pub(crate) const MODEL: &str = "simulated-1";
    pub(crate) const PROVIDER: &str = "simulated";

    /// `claim`: on what it runs, which it tells of its tokens.
    pub(crate) async fn start(claim: Option<Arc<Claim>>) -> io::Result<Self> {
        let app = Router::new().route("/v1/chat/completions", post(answer));
        let app = app.with_state(claim);
        let serving = Serving::start(|listener, stop| {
            // A word that waits for an acknowledgement is 40 ms late.
            let listener = listener.tap_io(|io| _ = io.set_nodelay(true));
            let serve = axum::serve(listener, app);
            serve.with_graceful_shutdown(stop.called()).into_future()
        });
        Ok(Self(serving.await?))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub(crate) async fn stop(self) {
        self.0.stop().await;
    }
}

/// Its mood depends on the topic, once it has read what the tools say.
async fn answer(State(claim): State<Option<Arc<Claim>>>, body: Bytes) -> Response<Body> {
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let messages = asked["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let texts = messages
        .iter()
        .filter_map(|message| message["content"].as_str());
    let read = texts.map(words).sum::<usize>();
    let mut questions = messages.iter().rev();
    let question = questions.find(|message| message["role"] == "user");
    let question = question.and_then(|message| Question::read(message["content"].as_str()?));
    let Some(question) = question else {
        return refuse(400, "invalid_request_error", "Simulated: not a question.");
    };
    if asked["tools"].is_array() {
        let plan = plan(question.topic, read);
        if let Some(claim) = claim {
            claim.tokens((read + PLAN) as u64);
        }
        return json_answer(200, &plan);
    }
    let thinking = Duration::from_millis(match question.topic {
        "history" => 400,
        "everything" => 60_000,
        "paradox" => return refuse(503, "overloaded_error", "Simulated: overloaded."),
        _ => 4,
    });
    let said = |id: &str| {
        let mut of = messages.iter().rev();
        let message = of.find(|message| message["tool_call_id"] == id);
        message.and_then(|message| message["content"].as_str())
    };
    let (found, said) = (
        said(SEARCH).unwrap_or("no documents"),
        said(CONSULT).unwrap_or_default(),
    );
    let space = if said.is_empty() { "" } else { " " };
    let text = format!(
        "{found} speak of {}.{space}{said} (simulated)",
        question.topic
    );
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let tokens = write(text, read, thinking, sender).await;
        if let Some(claim) = claim {
            claim.tokens(tokens as u64);
        }
    });
    let mut response = Response::new(Body::from_stream(ReceiverStream::new(receiver)));
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// It wants the documents, and an instrument where it knows one for the topic.
fn plan(topic: &str, read: usize) -> Value {
    let call = |id: &str, name: &str| {
        let arguments = json!({ "topic": topic }).to_string();
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    };
    let mut calls = vec![call(SEARCH, SEARCH_DOCUMENTS)];
    if Toolbox::has_one_for(topic) {
        calls.push(call(CONSULT, CONSULT_INSTRUMENT));
    }
    let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
    json!({
        "id": "simulated", "object": "chat.completion", "created": 0, "model": Played::MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": read, "completion_tokens": PLAN, "total_tokens": read + PLAN},
    })
}

/// Word by word, for as long as somebody reads. How many words were read and written by then.
async fn write(
    text: String,
    read: usize,
    thinking: Duration,
    sender: mpsc::Sender<Result<Bytes, Infallible>>,
) -> usize {
    let chunk = |choices: Value, usage: Value| {
        json!({
            "id": "simulated", "object": "chat.completion.chunk", "created": 0, "model": Played::MODEL, "choices": choices,
            "usage": usage,
        })
    };
    let choice = |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
    let role = json!({"role": "assistant", "content": ""});
    let mut chunks = vec![(
        Duration::ZERO,
        chunk(choice(role, Value::Null), Value::Null),
    )];
    let mut pause = thinking;
    for word in text.split_inclusive(' ') {
        let delta = json!({ "content": word });
        chunks.push((pause, chunk(choice(delta, Value::Null), Value::Null)));
        pause = WORD;
    }
    let written = words(&text);
    let usage = json!({"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written});
    chunks.push((
        Duration::ZERO,
        chunk(choice(json!({}), json!("stop")), Value::Null),
    ));
    chunks.push((Duration::ZERO, chunk(json!([]), usage)));
    let events = chunks
        .into_iter()
        .map(|(pause, chunk)| (pause, chunk.to_string()));
    let events = events.chain([(Duration::ZERO, "[DONE]".to_owned())]);
    for (place, (pause, event)) in events.enumerate() {
        let waits = async {
            sleep(pause).await;
            sender.send(Ok(format!("data: {event}\n\n").into())).await
        };
        tokio::select! {
            sent = waits => if sent.is_ok() { continue },
            () = sender.closed() => {}
        }
        // The role comes before the words.
        return read + place.saturating_sub(1).min(written);
    }
    read + written
}

/// They count as tokens here.
fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn refuse(status: u16, kind: &str, message: &str) -> Response<Body> {
    let error = json!({"error": {"message": message, "type": kind, "param": null, "code": null}});
    json_answer(status, &error)
}

fn json_answer(status: u16, document: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
