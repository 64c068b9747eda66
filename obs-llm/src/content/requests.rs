//! The conversation of a request, by its format.

use super::json;
use super::media;
use super::message::{Exchange, Message, Part};
use super::parts::{call, list, of_content, of_part, owned, response, text};
use crate::wire::Wire;
use obs_core::Body;
use serde_json::Value;

/// Adds what a request says.
pub(super) fn read(wire: Wire, request: &Value, to: &mut Exchange) {
    match wire {
        Wire::OpenAiChat => openai(request, to),
        Wire::OpenAiResponses => responses(request, to),
        Wire::AnthropicMessages => anthropic(request, to),
        Wire::Gemini => gemini(request, to),
        Wire::Ollama => ollama(request, to),
        Wire::BedrockConverse => converse(request, to),
        // Of the models that are asked so, most speak Anthropic's.
        Wire::BedrockInvoke => anthropic(request, to),
    }
}

fn role(message: &Value) -> &str {
    text(message, "role").unwrap_or("user")
}

/// What a prompt alone says.
fn prompt(prompt: Option<&Value>, to: &mut Exchange) {
    let mut message = Message::new("user");
    of_content(prompt, &mut message.parts);
    if !message.parts.is_empty() {
        to.input.push(message);
    }
}

fn openai(request: &Value, to: &mut Exchange) {
    for told in list(request, "messages") {
        let role = role(told);
        let mut message = Message::new(role);
        let thoughts = owned(told, "reasoning_content").or_else(|| owned(told, "reasoning"));
        message.parts.extend(thoughts.map(Part::Reasoning));
        match role {
            "tool" => {
                let answer = response(owned(told, "tool_call_id"), told.get("content"));
                message.parts.push(answer);
            }
            "function" => {
                let answer = response(owned(told, "name"), told.get("content"));
                message.parts.push(answer);
            }
            _ => of_content(told.get("content"), &mut message.parts),
        }
        message.parts.extend(owned(told, "refusal").map(Part::Text));
        for tool in list(told, "tool_calls") {
            message.parts.push(tool_call(tool));
        }
        if let Some(function) = told.get("function_call").filter(|call| call.is_object()) {
            let arguments = function.get("arguments");
            message.parts.push(call(function, "id", arguments));
        }
        to.input.push(message);
    }
    prompt(request.get("prompt"), to);
    tools(list(request, "tools"), "function", to);
    tools(list(request, "functions"), "function", to);
}

/// A call as OpenAI's chat and Ollama have it: of a function, or of a tool that takes a text.
pub(super) fn tool_call(tool: &Value) -> Part {
    let function = tool.get("function").or_else(|| tool.get("custom"));
    let function = function.unwrap_or(tool);
    let arguments = function.get("arguments").or_else(|| function.get("input"));
    let mut part = call(function, "id", arguments);
    if let (Part::ToolCall { id, .. }, Some(told)) = (&mut part, text(tool, "id")) {
        *id = Some(told.to_owned());
    }
    part
}

fn responses(request: &Value, to: &mut Exchange) {
    to.system
        .extend(owned(request, "instructions").map(Part::Text));
    match request.get("input") {
        Some(Value::Array(items)) => {
            for item in items {
                to.input.push(item_of_responses(item));
            }
        }
        input => prompt(input, to),
    }
    tools(list(request, "tools"), "function", to);
}

/// An item of the Responses' input or output.
pub(super) fn item_of_responses(item: &Value) -> Message {
    let kind = text(item, "type").unwrap_or("message");
    let by_kind = match kind {
        "function_call_output" | "custom_tool_call_output" => "tool",
        "message" => "user",
        _ => "assistant",
    };
    let mut message = Message::new(text(item, "role").unwrap_or(by_kind));
    match kind {
        "message" => of_content(item.get("content"), &mut message.parts),
        _ => of_part(item, &mut message.parts),
    }
    message
}

fn anthropic(request: &Value, to: &mut Exchange) {
    of_content(request.get("system"), &mut to.system);
    for told in list(request, "messages") {
        let mut message = Message::new(role(told));
        of_content(told.get("content"), &mut message.parts);
        to.input.push(message);
    }
    prompt(request.get("prompt"), to);
    tools(list(request, "tools"), "function", to);
}

fn gemini(request: &Value, to: &mut Exchange) {
    let system = request.get("systemInstruction");
    let system = system.or_else(|| request.get("system_instruction"));
    if let Some(system) = system {
        of_content(system.get("parts"), &mut to.system);
    }
    match request.get("contents") {
        Some(Value::Array(contents)) => {
            for told in contents {
                to.input.push(content_of_gemini(told, "user"));
            }
        }
        contents => prompt(contents, to),
    }
    for tool in list(request, "tools") {
        let declared = list(tool, "functionDeclarations");
        tools(declared, "function", to);
        tools(list(tool, "function_declarations"), "function", to);
    }
}

/// The conventions call the model's role the assistant's.
pub(super) fn content_of_gemini(content: &Value, otherwise: &str) -> Message {
    let mut message = Message::new(match text(content, "role").unwrap_or(otherwise) {
        "model" => "assistant",
        role => role,
    });
    of_content(content.get("parts"), &mut message.parts);
    message
}

fn ollama(request: &Value, to: &mut Exchange) {
    to.system.extend(owned(request, "system").map(Part::Text));
    for told in list(request, "messages") {
        to.input.push(message_of_ollama(told));
    }
    prompt(request.get("prompt"), to);
    if !list(request, "images").is_empty() {
        if to.input.is_empty() {
            to.input.push(Message::new("user"));
        }
        if let Some(message) = to.input.last_mut() {
            images(request, &mut message.parts);
        }
    }
    tools(list(request, "tools"), "function", to);
}

fn images(of: &Value, to: &mut Vec<Part>) {
    for image in list(of, "images").iter().filter_map(Value::as_str) {
        to.push(Part::Media(media::inline("image", None, image)));
    }
}

pub(super) fn message_of_ollama(told: &Value) -> Message {
    let mut message = Message::new(role(told));
    let thoughts = owned(told, "thinking").filter(|text| !text.is_empty());
    message.parts.extend(thoughts.map(Part::Reasoning));
    match role(told) {
        "tool" => {
            let answer = response(owned(told, "tool_name"), told.get("content"));
            message.parts.push(answer);
        }
        _ => of_content(told.get("content"), &mut message.parts),
    }
    images(told, &mut message.parts);
    for tool in list(told, "tool_calls") {
        message.parts.push(tool_call(tool));
    }
    message
}

fn converse(request: &Value, to: &mut Exchange) {
    of_content(request.get("system"), &mut to.system);
    for told in list(request, "messages") {
        let mut message = Message::new(role(told));
        of_content(told.get("content"), &mut message.parts);
        to.input.push(message);
    }
    let config = request.get("toolConfig");
    let specs = config.map(|config| list(config, "tools"));
    for tool in specs.unwrap_or_default() {
        if let Some(spec) = tool.get("toolSpec") {
            tools(std::slice::from_ref(spec), "function", to);
        }
    }
}

/// Definitions, in the conventions' shape: type, name, description, parameters.
fn tools(tools: &[Value], otherwise: &str, to: &mut Exchange) {
    for tool in tools {
        let mut inner = ["function", "custom"].into_iter();
        let inner = inner.find_map(|key| tool.get(key)).unwrap_or(tool);
        let kind = text(tool, "type").unwrap_or(otherwise);
        let mut map = vec![("type".to_owned(), Body::Text(kind.to_owned()))];
        for key in ["name", "description"] {
            if let Some(said) = owned(inner, key) {
                map.push((key.to_owned(), Body::Text(said)));
            }
        }
        let schema = [
            "parameters",
            "input_schema",
            "inputSchema",
            "parametersJsonSchema",
        ];
        let schema = schema.into_iter().find_map(|key| inner.get(key));
        if let Some(schema) = schema {
            let schema = schema.get("json").unwrap_or(schema);
            map.push(("parameters".to_owned(), json::body(schema)));
        }
        to.tools.push(Body::Map(map));
    }
}
