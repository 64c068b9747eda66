//! What a document of an answer adds, by its format: a whole answer, or an event of a streamed one.

use super::super::media;
use super::super::message::Part;
use super::super::parts::{list, of_content, of_part, text};
use super::super::requests::{content_of_gemini, item_of_responses, message_of_ollama};
use super::{Drafts, Kind, number};
use crate::wire::Wire;
use serde_json::Value;

pub(super) fn document(wire: Wire, value: &Value, to: &mut Drafts) {
    match wire {
        Wire::OpenAiChat => openai(value, to),
        Wire::OpenAiResponses => responses(value, to),
        Wire::AnthropicMessages => anthropic(value, to),
        Wire::Gemini => match value {
            // Without events it streams a list.
            Value::Array(chunks) => chunks.iter().for_each(|chunk| gemini(chunk, to)),
            chunk => gemini(chunk, to),
        },
        Wire::Ollama => ollama(value, to),
        Wire::BedrockConverse => converse(value, to),
        Wire::BedrockInvoke => invoke(value, to),
    }
}

fn openai(chunk: &Value, to: &mut Drafts) {
    for (at, choice) in list(chunk, "choices").iter().enumerate() {
        let index = number(choice, "index").unwrap_or(at as u64);
        let said = choice.get("delta").or_else(|| choice.get("message"));
        if let Some(said) = said {
            message(said, index, to);
        }
        // Of text completions.
        if let Some(said) = text(choice, "text") {
            to.text(index, Kind::Text, None, said);
        }
        if let Some(reason) = text(choice, "finish_reason") {
            to.ended(index, reason);
        }
    }
}

fn message(said: &Value, index: u64, to: &mut Drafts) {
    if let Some(role) = text(said, "role") {
        to.role(index, role);
    }
    let thought = text(said, "reasoning_content").or_else(|| text(said, "reasoning"));
    if let Some(thought) = thought {
        to.text(index, Kind::Reasoning, None, thought);
    }
    match said.get("content") {
        Some(Value::String(said)) => to.text(index, Kind::Text, None, said),
        content => {
            let mut parts = Vec::new();
            of_content(content, &mut parts);
            to.parts(index, parts);
        }
    }
    if let Some(refusal) = text(said, "refusal") {
        to.text(index, Kind::Text, None, refusal);
    }
    if let Some(audio) = said.get("audio").filter(|audio| audio.is_object()) {
        match text(audio, "data") {
            Some(data) if text(said, "role").is_some() && audio.get("transcript").is_some() => {
                let audio = media::inline("audio", None, data);
                to.parts(index, vec![Part::Media(audio)]);
            }
            Some(_) => to.media(index, "audio"),
            None => {}
        }
        if let Some(said) = text(audio, "transcript") {
            to.text(index, Kind::Text, None, said);
        }
    }
    for (at, tool) in list(said, "tool_calls").iter().enumerate() {
        let place = number(tool, "index").unwrap_or(at as u64);
        let function = tool.get("function").or_else(|| tool.get("custom"));
        let function = function.unwrap_or(tool);
        to.tool(index, place, text(tool, "id"), text(function, "name"));
        let arguments = text(function, "arguments").or_else(|| text(function, "input"));
        if let Some(arguments) = arguments {
            to.text(index, Kind::Tool, Some(place), arguments);
        }
    }
    if let Some(function) = said.get("function_call").filter(|call| call.is_object()) {
        to.tool(index, u64::MAX - 1, None, text(function, "name"));
        if let Some(arguments) = text(function, "arguments") {
            to.text(index, Kind::Tool, Some(u64::MAX - 1), arguments);
        }
    }
}

fn responses(event: &Value, to: &mut Drafts) {
    let place = number(event, "output_index");
    let part = |second: &str| {
        // Several parts of one item, and several items.
        let inner = number(event, second).unwrap_or_default();
        place.map(|place| place << 16 | inner & 0xffff)
    };
    let delta = text(event, "delta").unwrap_or_default();
    match text(event, "type").unwrap_or_default() {
        "response.output_text.delta" | "response.refusal.delta" => {
            to.text(0, Kind::Text, part("content_index"), delta);
        }
        "response.reasoning_summary_text.delta" => {
            to.text(0, Kind::Reasoning, part("summary_index"), delta);
        }
        "response.reasoning_text.delta" => {
            to.text(0, Kind::Reasoning, part("content_index"), delta);
        }
        "response.output_item.added" => {
            let Some(item) = event.get("item") else {
                return;
            };
            match text(item, "type") {
                Some("function_call" | "custom_tool_call") => {
                    let id = text(item, "call_id");
                    to.tool(0, place.unwrap_or_default(), id, text(item, "name"));
                }
                _ => {
                    if let Some(role) = text(item, "role") {
                        to.role(0, role);
                    }
                }
            }
        }
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            to.text(0, Kind::Tool, Some(place.unwrap_or_default()), delta);
        }
        "response.completed" | "response.incomplete" | "response.failed" => {
            let status = event.get("response").and_then(|of| text(of, "status"));
            to.ended(0, status.unwrap_or_default());
        }
        kind if kind.starts_with("response.") => {}
        // A whole answer.
        _ => {
            for item in list(event, "output") {
                let message = item_of_responses(item);
                to.role(0, "assistant");
                to.parts(0, message.parts);
            }
            if let Some(status) = text(event, "status") {
                to.ended(0, status);
            }
        }
    }
}

fn anthropic(event: &Value, to: &mut Drafts) {
    let place = number(event, "index").unwrap_or_default();
    match text(event, "type").unwrap_or_default() {
        "message_start" => {
            if let Some(role) = event.get("message").and_then(|of| text(of, "role")) {
                to.role(0, role);
            }
        }
        "content_block_start" => {
            let Some(block) = event.get("content_block") else {
                return;
            };
            match text(block, "type").unwrap_or_default() {
                "text" => {
                    let said = text(block, "text").unwrap_or_default();
                    to.text(0, Kind::Text, Some(place), said);
                }
                "thinking" => {
                    let said = text(block, "thinking").unwrap_or_default();
                    to.text(0, Kind::Reasoning, Some(place), said);
                }
                "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                    to.tool(0, place, text(block, "id"), text(block, "name"));
                }
                _ => {
                    let mut parts = Vec::new();
                    of_part(block, &mut parts);
                    to.parts(0, parts);
                }
            }
        }
        "content_block_delta" => {
            let Some(delta) = event.get("delta") else {
                return;
            };
            for (key, kind) in [
                ("text", Kind::Text),
                ("thinking", Kind::Reasoning),
                ("partial_json", Kind::Tool),
            ] {
                if let Some(said) = text(delta, key) {
                    to.text(0, kind, Some(place), said);
                }
            }
        }
        "message_delta" => {
            if let Some(reason) = event.get("delta").and_then(|of| text(of, "stop_reason")) {
                to.ended(0, reason);
            }
        }
        "message" => {
            to.role(0, text(event, "role").unwrap_or("assistant"));
            let mut parts = Vec::new();
            of_content(event.get("content"), &mut parts);
            to.parts(0, parts);
            if let Some(reason) = text(event, "stop_reason") {
                to.ended(0, reason);
            }
        }
        _ => {}
    }
}

fn gemini(chunk: &Value, to: &mut Drafts) {
    for (at, candidate) in list(chunk, "candidates").iter().enumerate() {
        let index = number(candidate, "index").unwrap_or(at as u64);
        if let Some(content) = candidate.get("content") {
            let message = content_of_gemini(content, "model");
            to.role(index, &message.role);
            to.parts(index, message.parts);
        }
        if let Some(reason) = text(candidate, "finishReason") {
            to.ended(index, reason);
        }
    }
}

fn ollama(line: &Value, to: &mut Drafts) {
    if let Some(said) = line.get("message") {
        if let Some(role) = text(said, "role") {
            to.role(0, role);
        }
        to.parts(0, message_of_ollama(said).parts);
    }
    if let Some(thought) = text(line, "thinking") {
        to.text(0, Kind::Reasoning, None, thought);
    }
    if let Some(said) = text(line, "response") {
        to.text(0, Kind::Text, None, said);
    }
    if let Some(reason) = text(line, "done_reason") {
        to.ended(0, reason);
    }
}

fn converse(event: &Value, to: &mut Drafts) {
    let place = number(event, "contentBlockIndex").unwrap_or_default();
    if let Some(role) = text(event, "role") {
        to.role(0, role);
    }
    if let Some(tool) = event.get("start").and_then(|start| start.get("toolUse")) {
        to.tool(0, place, text(tool, "toolUseId"), text(tool, "name"));
    }
    if let Some(delta) = event.get("delta") {
        if let Some(said) = text(delta, "text") {
            to.text(0, Kind::Text, Some(place), said);
        }
        let thought = { delta.get("reasoningContent") }.and_then(|thought| text(thought, "text"));
        if let Some(thought) = thought {
            to.text(0, Kind::Reasoning, Some(place), thought);
        }
        let input = delta.get("toolUse").and_then(|tool| text(tool, "input"));
        if let Some(input) = input {
            to.text(0, Kind::Tool, Some(place), input);
        }
    }
    let whole = event.get("output").and_then(|output| output.get("message"));
    if let Some(said) = whole {
        to.role(0, text(said, "role").unwrap_or("assistant"));
        let mut parts = Vec::new();
        of_content(said.get("content"), &mut parts);
        to.parts(0, parts);
    }
    if let Some(reason) = text(event, "stopReason") {
        to.ended(0, reason);
    }
}

/// Each event holds one of the model's own format, in base64; a whole answer is one. Of the models that stream so, most speak
/// Anthropic's; OpenAI's is told by its choices.
fn invoke(event: &Value, to: &mut Drafts) {
    let decoded = text(event, "bytes").and_then(media::decoded);
    let inner = decoded.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let event = inner.as_ref().unwrap_or(event);
    match event.get("choices") {
        Some(_) => openai(event, to),
        None => anthropic(event, to),
    }
}
