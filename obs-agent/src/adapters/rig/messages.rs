//! What is said to models and by them, in the format of `gen_ai.input.messages` and its like. It is written where somebody records
//! it, and nowhere else. Of media there is which they are, and not they.

use rig_core::completion::{AssistantContent, Message};
use rig_core::message::UserContent;
use rig_core::serde_json::{Value, json};
use rig_core::tool::ToolOutput;

/// Messages but for the leading one of the system, which is told apart.
pub(super) fn write<'a>(out: &mut String, messages: impl IntoIterator<Item = &'a Message>) {
    let mut messages = messages.into_iter().peekable();
    if matches!(messages.peek(), Some(Message::System { .. })) {
        messages.next();
    }
    push(out, &messages.flat_map(of).collect());
}

/// An answer.
pub(super) fn write_answer(out: &mut String, content: &[AssistantContent], reason: Option<&str>) {
    let mut message = assistant(content);
    if let (Some(message), Some(reason)) = (message.as_object_mut(), reason) {
        message.insert("finish_reason".to_owned(), reason.into());
    }
    push(out, &Value::Array(vec![message]));
}

/// What a tool gave.
pub(super) fn write_output(out: &mut String, output: &ToolOutput) {
    out.push_str(&output.render());
}

fn push(out: &mut String, value: &Value) {
    out.push_str(&value.to_string());
}

/// One of rig's can be several: results of tools have a role of their own.
fn of(message: &Message) -> Vec<Value> {
    match message {
        Message::System { content } => vec![role("system", vec![text(content)])],
        Message::Assistant(message) => vec![assistant(&message.content)],
        Message::User { content } => {
            let (results, said): (Vec<_>, Vec<_>) = content
                .iter()
                .partition(|content| matches!(content, UserContent::ToolResult(_)));
            let of_role = |name, of: Vec<&UserContent>| {
                let parts: Vec<_> = of.into_iter().map(user).collect();
                (!parts.is_empty()).then(|| role(name, parts))
            };
            let messages = [of_role("tool", results), of_role("user", said)];
            messages.into_iter().flatten().collect()
        }
    }
}

fn role(role: &str, parts: Vec<Value>) -> Value {
    json!({ "role": role, "parts": parts })
}

fn text(content: &str) -> Value {
    json!({ "type": "text", "content": content })
}

fn media(modality: &str) -> Value {
    json!({ "type": "blob", "modality": modality })
}

fn user(content: &UserContent) -> Value {
    match content {
        UserContent::Text(said) => text(&said.text),
        UserContent::ToolResult(result) => {
            let output = ToolOutput::try_from(result.content.clone());
            json!({
                "type": "tool_call_response",
                "id": result.call.wire(),
                "response": output.map(|output| output.render()).unwrap_or_default(),
            })
        }
        UserContent::Image(_) => media("image"),
        UserContent::Audio(_) => media("audio"),
        UserContent::Video(_) => media("video"),
        _ => media("document"),
    }
}

fn assistant(content: &[AssistantContent]) -> Value {
    let part = |content: &AssistantContent| match content {
        AssistantContent::Text(said) => Some(text(&said.text)),
        AssistantContent::Reasoning(thought) => {
            Some(json!({ "type": "reasoning", "content": thought.text }))
        }
        AssistantContent::ToolCall(call) => Some(json!({
            "type": "tool_call",
            "id": call.id.wire(),
            "name": call.function.name.as_str(),
            "arguments": match &call.function.invalid_arguments {
                Some(text) => Value::from(text.as_str()),
                None => Value::Object(call.function.arguments.clone()),
            },
        })),
        AssistantContent::Image(_) => Some(media("image")),
        _ => None,
    };
    role("assistant", content.iter().filter_map(part).collect())
}
