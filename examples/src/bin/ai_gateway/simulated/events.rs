//! An answer as a stream of events.

use super::Streams;
use super::answers::{Answers, call, message};
use super::asked::Interface;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

/// How long `sim-slow` takes for a chunk; the others take hardly any time.
const SLOW: Duration = Duration::from_millis(40);
/// After so many pieces comes the middle.
const MIDDLE: usize = 3;

/// What is sent in which order, and what the answer breaks off with.
struct Script {
    events: Vec<(Option<&'static str>, Value)>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    Nothing,
    Broken,
}

pub(crate) fn stream(answers: Answers, streams: Arc<Streams>) -> Response<Body> {
    // One at a time: who does not read is not written for.
    let (sender, receiver) = channel(1);
    let slow = answers.asked.model == "sim-slow";
    tokio::spawn(send(script(&answers), slow, sender, streams));
    let mut response = Response::new(Body::from_stream(ReceiverStream::new(receiver)));
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn send(
    script: Script,
    slow: bool,
    sender: Sender<io::Result<Bytes>>,
    streams: Arc<Streams>,
) {
    streams.begun.fetch_add(1, Relaxed);
    for (name, event) in script.events {
        let pause = if slow { SLOW } else { Duration::from_millis(1) };
        tokio::time::sleep(pause).await;
        let name = name
            .map(|name| format!("event: {name}\n"))
            .unwrap_or_default();
        let event = Bytes::from(format!("{name}data: {event}\n\n"));
        if sender.send(Ok(event)).await.is_err() {
            streams.left.fetch_add(1, Relaxed);
            return;
        }
    }
    let last = match script.end {
        End::Done => Ok(Bytes::from_static(b"data: [DONE]\n\n")),
        End::Broken => Err(io::Error::other("simulated")),
        End::Nothing => return,
    };
    let sent = sender.send(last).await;
    let count = if sent.is_ok() {
        &streams.over
    } else {
        &streams.left
    };
    count.fetch_add(1, Relaxed);
}

fn script(answers: &Answers) -> Script {
    let mut script = Script {
        events: match answers.asked.interface {
            Interface::Responses => of_response(answers),
            _ => of_chat(answers),
        },
        end: match answers.asked.interface {
            Interface::Responses => End::Nothing,
            _ => End::Done,
        },
    };
    let middle = (MIDDLE + 1).min(script.events.len());
    match answers.asked.model.as_str() {
        "sim-cut" => {
            script.events.truncate(middle);
            script.end = End::Broken;
        }
        "sim-short" => {
            script.events.truncate(middle);
            script.end = End::Nothing;
        }
        "sim-error" => {
            let error = json!({"message": "Simulated: it cannot go on.", "type": "server_error", "param": null, "code": "server_error"});
            script.events.truncate(middle);
            script.events.push((None, json!({ "error": error })));
            script.end = End::Nothing;
        }
        _ => {}
    }
    script
}

/// Chunks of a chat or of a completion: roles, pieces of all choices in turn, reasons, and the usage if it is asked for.
fn of_chat(answers: &Answers) -> Vec<(Option<&'static str>, Value)> {
    let (asked, said) = (&answers.asked, answers.said());
    let is_chat = asked.interface == Interface::Chat;
    let object = if is_chat {
        "chat.completion.chunk"
    } else {
        "text_completion"
    };
    let chunk = |choices: Vec<Value>, usage: Option<Value>| {
        let mut chunk = json!({"id": answers.id(), "object": object, "created": 0, "model": answers.model(), "choices": choices});
        if asked.usage {
            chunk["usage"] = usage.unwrap_or_default();
        }
        (None, chunk)
    };
    let choice = |index: usize, delta: Value, reason: Option<&str>| {
        let text = if is_chat { "delta" } else { "text" };
        let mut choice = json!({"index": index, "finish_reason": reason, "logprobs": null});
        choice[text] = delta;
        vec![choice]
    };
    let mut events = Vec::new();
    for index in (0..asked.choices).filter(|_| is_chat) {
        let first = json!({"role": "assistant", "content": ""});
        events.push(chunk(choice(index, first, None), None));
    }
    for (at, piece) in said.pieces.iter().enumerate() {
        for index in 0..asked.choices {
            let delta = match (&asked.tool, is_chat) {
                (_, false) => json!(piece),
                (None, _) => json!({ "content": piece }),
                (Some(tool), _) if at == 0 => json!({"tool_calls": [call(tool, piece)]}),
                (Some(_), _) => {
                    json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
                }
            };
            events.push(chunk(choice(index, delta, None), None));
        }
    }
    for index in 0..asked.choices {
        let nothing = if is_chat { json!({}) } else { json!("") };
        events.push(chunk(choice(index, nothing, Some(said.reason)), None));
    }
    if asked.usage {
        events.push(chunk(Vec::new(), Some(answers.usage())));
    }
    events
}

/// Events of a response: it is created, its text comes, it is completed.
fn of_response(answers: &Answers) -> Vec<(Option<&'static str>, Value)> {
    let pieces = answers.said().pieces;
    let text = pieces.concat();
    let at = |rest: Value| {
        let mut event =
            json!({"item_id": "simulated-message-1", "output_index": 0, "content_index": 0});
        if let (Some(event), Value::Object(rest)) = (event.as_object_mut(), rest) {
            event.extend(rest);
        }
        event
    };
    let empty = json!({"type": "output_text", "text": "", "annotations": []});
    let full = json!({"type": "output_text", "text": text, "annotations": []});
    let mut events = vec![
        (
            "response.created",
            json!({"response": answers.response("in_progress", None)}),
        ),
        (
            "response.output_item.added",
            json!({"output_index": 0, "item": {"id": "simulated-message-1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}}),
        ),
        ("response.content_part.added", at(json!({ "part": empty }))),
    ];
    for piece in &pieces {
        let delta = json!({"delta": piece, "logprobs": []});
        events.push(("response.output_text.delta", at(delta)));
    }
    let end = Some((text.as_str(), answers.usage()));
    events.extend([
        (
            "response.output_text.done",
            at(json!({"text": text, "logprobs": []})),
        ),
        ("response.content_part.done", at(json!({ "part": full }))),
        (
            "response.output_item.done",
            json!({"output_index": 0, "item": message(&text, "completed")}),
        ),
        (
            "response.completed",
            json!({"response": answers.response("completed", end)}),
        ),
    ]);
    let numbered = (0..).zip(events).map(|(number, (name, mut event))| {
        event["type"] = json!(name);
        event["sequence_number"] = json!(number);
        (Some(name), event)
    });
    numbered.collect()
}
