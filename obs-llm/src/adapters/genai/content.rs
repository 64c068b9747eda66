//! What is said, where it is asked for: genai's messages as those of the conventions.

use crate::call::LlmCall;
use crate::content::{Message, Part, body_of_json, media_at, media_inline, modality_of};
use genai::chat::{
    Binary, BinarySource, ChatRequest, ChatResponse, ChatRole, ContentPart, MessageContent,
    StreamEnd, Tool,
};
use obs_core::Body;

pub(super) fn request(request: &ChatRequest, call: &mut LlmCall) {
    if !call.wants_content() {
        return;
    }
    if let Some(system) = &request.system {
        call.system_instruction(system);
    }
    for message in &request.messages {
        let role = match message.role {
            ChatRole::System => "system",
            ChatRole::User => "user",
            ChatRole::Assistant => "assistant",
            ChatRole::Tool => "tool",
        };
        call.input_message(said(role, &message.content));
    }
    for told in request.tools.iter().flatten() {
        call.tool_definition(tool(told));
    }
}

pub(super) fn answer(answer: &ChatResponse, call: &mut LlmCall) {
    if !call.wants_content() {
        return;
    }
    let mut message = said("assistant", &answer.content);
    if let (Some(thought), false) = (
        &answer.reasoning_content,
        answer.content.contains_reasoning_content(),
    ) {
        message.parts.insert(0, Part::Reasoning(thought.clone()));
    }
    message.finish_reason = answer.stop_reason.as_ref().map(|why| why.raw().to_owned());
    call.output_message(message);
}

/// Of a stream whose frames are not read there is what genai was asked to gather.
pub(super) fn end(end: &StreamEnd, call: &mut LlmCall) {
    if let (Some(content), true) = (&end.captured_content, call.wants_content()) {
        let mut message = said("assistant", content);
        message.finish_reason = { end.captured_stop_reason.as_ref() }.map(|why| why.raw().into());
        call.output_message(message);
    }
}

fn said(role: &str, content: &MessageContent) -> Message {
    let mut message = Message::new(role);
    message.parts = content.parts().iter().filter_map(part).collect();
    message
}

fn part(told: &ContentPart) -> Option<Part> {
    Some(match told {
        ContentPart::Text(text) => Part::Text(text.clone()),
        ContentPart::ReasoningContent(text) => Part::Reasoning(text.clone()),
        ContentPart::ToolCall(call) => Part::ToolCall {
            id: Some(call.call_id.clone()),
            name: call.fn_name.clone(),
            arguments: body_of_json(&call.fn_arguments),
        },
        ContentPart::ToolResponse(response) => Part::ToolCallResponse {
            id: Some(response.call_id.clone()),
            response: Body::Text(response.content.clone()),
        },
        ContentPart::Binary(binary) => Part::Media(media(binary)),
        ContentPart::Custom(_) => Part::Other("custom".to_owned()),
        // It says nothing.
        ContentPart::ThoughtSignature(_) => return None,
    })
}

fn media(binary: &Binary) -> crate::content::Media {
    let kind = Some(&*binary.content_type);
    let modality = modality_of(kind).unwrap_or("document");
    match &binary.source {
        BinarySource::Base64(data) => media_inline(modality, kind, data),
        BinarySource::Url(url) => media_at(modality, kind, url),
    }
}

fn tool(tool: &Tool) -> Body {
    let text = |text: &str| Body::Text(text.to_owned());
    let mut told = vec![
        ("type".to_owned(), text("function")),
        ("name".to_owned(), text(tool.name.as_str())),
    ];
    if let Some(description) = &tool.description {
        told.push(("description".to_owned(), text(description)));
    }
    if let Some(schema) = &tool.schema {
        told.push(("parameters".to_owned(), body_of_json(schema)));
    }
    Body::Map(told)
}
