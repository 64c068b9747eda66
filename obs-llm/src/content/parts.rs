//! Parts of messages, as the formats write them.
//!
//! Each format names its parts in a way that no other does, so one reader knows them all: providers that speak another's format
//! add parts of their own to it.

use super::json;
use super::media;
use super::message::{Media, MediaPlace, Part};
use obs_core::Body;
use serde_json::Value;

pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

pub(super) fn owned(value: &Value, key: &str) -> Option<String> {
    text(value, key).map(str::to_owned)
}

pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let list = value.get(key).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// Content that is a text, a part, or a list of parts.
pub(super) fn of_content(content: Option<&Value>, to: &mut Vec<Part>) {
    match content {
        Some(Value::String(text)) if !text.is_empty() => to.push(Part::Text(text.clone())),
        Some(Value::Array(parts)) => parts.iter().for_each(|part| of_part(part, to)),
        Some(part @ Value::Object(_)) => of_part(part, to),
        _ => {}
    }
}

/// One part.
pub(super) fn of_part(part: &Value, to: &mut Vec<Part>) {
    if let Some(text) = part.as_str() {
        return to.push(Part::Text(text.to_owned()));
    }
    let parts = match text(part, "type") {
        Some(kind) => of_type(kind, part),
        None => of_key(part),
    };
    to.extend(parts);
}

fn of_one(part: &Value) -> Option<Part> {
    let mut parts = Vec::new();
    of_part(part, &mut parts);
    parts.pop()
}

/// OpenAI's and Anthropic's, which say their type.
fn of_type(kind: &str, part: &Value) -> Vec<Part> {
    let said = |key| owned(part, key).unwrap_or_default();
    let one = match kind {
        "text" | "input_text" | "output_text" => Part::Text(said("text")),
        "refusal" => Part::Text(said("refusal")),
        "thinking" => match part.get("thinking") {
            Some(Value::Array(parts)) => return thoughts(parts),
            _ => Part::Reasoning(said("thinking")),
        },
        "reasoning" => {
            let summary = list(part, "summary").iter().chain(list(part, "content"));
            return thoughts(summary);
        }
        "tool_use" | "server_tool_use" | "mcp_tool_use" => call(part, "id", part.get("input")),
        "function_call" => call(part, "call_id", part.get("arguments")),
        "custom_tool_call" => call(part, "call_id", part.get("input")),
        "tool_result" | "mcp_tool_result" | "web_search_tool_result" => {
            response(owned(part, "tool_use_id"), part.get("content"))
        }
        "function_call_output" | "custom_tool_call_output" => {
            response(owned(part, "call_id"), part.get("output"))
        }
        "image_url" | "input_image" => match part.get("image_url") {
            Some(Value::String(url)) => Part::Media(media::at("image", None, url)),
            Some(image) => {
                let url = text(image, "url").unwrap_or_default();
                Part::Media(media::at("image", None, url))
            }
            None => file("image", part),
        },
        "input_audio" | "audio" => {
            let audio = part.get("input_audio").unwrap_or(part);
            let format = text(audio, "format").map(|format| format!("audio/{format}"));
            let data = text(audio, "data").unwrap_or_default();
            Part::Media(media::inline("audio", format.as_deref(), data))
        }
        "file" => file("document", part.get("file").unwrap_or(part)),
        "input_file" => file("document", part),
        "image" | "document" | "video" => of_source(kind, part),
        _ => Part::Other(kind.to_owned()),
    };
    vec![one]
}

/// Google's, Bedrock's and Ollama's, which are told by their keys.
fn of_key(part: &Value) -> Vec<Part> {
    let has = |key| part.get(key);
    let one = if let Some(said) = text(part, "text") {
        match part.get("thought").and_then(Value::as_bool) {
            Some(true) => Part::Reasoning(said.to_owned()),
            _ => Part::Text(said.to_owned()),
        }
    } else if let Some(called) = has("functionCall") {
        call(called, "id", called.get("args"))
    } else if let Some(answered) = has("functionResponse") {
        let id = owned(answered, "id").or_else(|| owned(answered, "name"));
        response(id, answered.get("response"))
    } else if let Some(data) = has("inlineData").or_else(|| has("inline_data")) {
        let kind = text(data, "mimeType").or_else(|| text(data, "mime_type"));
        let modality = media::modality_of(kind).unwrap_or("document");
        let data = text(data, "data").unwrap_or_default();
        Part::Media(media::inline(modality, kind, data))
    } else if let Some(file) = has("fileData").or_else(|| has("file_data")) {
        let kind = text(file, "mimeType").or_else(|| text(file, "mime_type"));
        let url = text(file, "fileUri").or_else(|| text(file, "file_uri"));
        let modality = media::modality_of(kind).unwrap_or("document");
        Part::Media(media::at(modality, kind, url.unwrap_or_default()))
    } else if let Some(called) = has("toolUse") {
        call(called, "toolUseId", called.get("input"))
    } else if let Some(answered) = has("toolResult") {
        response(owned(answered, "toolUseId"), answered.get("content"))
    } else if let Some(thought) = has("reasoningContent") {
        let thought = thought.get("reasoningText").unwrap_or(thought);
        Part::Reasoning(owned(thought, "text").unwrap_or_default())
    } else if let Some((kind, media)) = ["image", "video", "audio", "document"]
        .into_iter()
        .find_map(|kind| has(kind).map(|media| (kind, media)))
    {
        of_source(kind, media)
    } else {
        let kind = part.as_object().and_then(|part| part.keys().next());
        Part::Other(kind.cloned().unwrap_or_default())
    };
    vec![one]
}

fn thoughts<'a>(parts: impl IntoIterator<Item = &'a Value>) -> Vec<Part> {
    let texts = parts.into_iter().filter_map(|part| owned(part, "text"));
    texts.map(Part::Reasoning).collect()
}

/// A call whose arguments are a map, or the text of one.
pub(super) fn call(part: &Value, id: &str, arguments: Option<&Value>) -> Part {
    let arguments = match arguments {
        Some(Value::String(text)) => json::arguments(text.clone()),
        Some(value) => json::body(value),
        None => Body::Empty,
    };
    Part::ToolCall {
        id: owned(part, id),
        name: owned(part, "name").unwrap_or_default(),
        arguments,
    }
}

/// A tool's answer, which may have parts: of those each is told as a part is, so that no image is in it.
pub(super) fn response(id: Option<String>, content: Option<&Value>) -> Part {
    let response = match content {
        Some(Value::Array(parts)) => {
            let mut told = Vec::new();
            for part in parts {
                // What is no part of a message is a value of the tool's own.
                let is_part = match part {
                    Value::Object(map) => !map.is_empty(),
                    _ => part.is_string(),
                };
                match part.get("json") {
                    Some(json) => told.push(json::body(json)),
                    None if !is_part => told.push(json::body(part)),
                    None => {
                        let mut parts = Vec::new();
                        of_part(part, &mut parts);
                        told.extend(parts.into_iter().map(super::render::part));
                    }
                }
            }
            Body::List(told)
        }
        // A part that stands for itself may be media, too.
        Some(part) if text(part, "type").is_some() => match of_one(part) {
            Some(media @ Part::Media(_)) => super::render::part(media),
            _ => json::body(part),
        },
        Some(value) => json::body(value),
        None => Body::Empty,
    };
    Part::ToolCallResponse { id, response }
}

/// A file that the provider has, or one that stands there.
fn file(modality: &'static str, part: &Value) -> Part {
    Part::Media(if let Some(id) = text(part, "file_id") {
        Media {
            modality,
            mime_type: None,
            place: MediaPlace::File(id.to_owned()),
        }
    } else if let Some(url) = text(part, "file_url").or_else(|| text(part, "file_data")) {
        media::at(modality, None, url)
    } else {
        Media {
            modality,
            ..Media::default()
        }
    })
}

/// Anthropic's and Bedrock's, which have a source.
fn of_source(kind: &str, part: &Value) -> Part {
    let modality = match kind {
        "image" => "image",
        "video" => "video",
        "audio" => "audio",
        _ => "document",
    };
    let source = part.get("source").unwrap_or(part);
    if text(source, "type") == Some("text") {
        return Part::Text(owned(source, "data").unwrap_or_default());
    }
    let format = text(part, "format").map(|format| match modality {
        "document" => format!("application/{format}"),
        _ => format!("{modality}/{format}"),
    });
    let mime_type = text(source, "media_type").or(format.as_deref());
    let data = text(source, "data").or_else(|| text(source, "bytes"));
    Part::Media(match (data, text(source, "url")) {
        (Some(data), _) => media::inline(modality, mime_type, data),
        (None, Some(url)) => media::at(modality, mime_type, url),
        (None, None) => {
            let s3 = source.get("s3Location").and_then(|s3| text(s3, "uri"));
            match (text(source, "file_id"), s3) {
                (Some(id), _) => Media {
                    modality,
                    mime_type: mime_type.map(str::to_owned),
                    place: MediaPlace::File(id.to_owned()),
                },
                (None, Some(uri)) => media::at(modality, mime_type, uri),
                (None, None) => Media {
                    modality,
                    mime_type: mime_type.map(str::to_owned),
                    place: MediaPlace::Inline,
                },
            }
        }
    })
}
