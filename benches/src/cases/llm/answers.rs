//! Answers as providers send them, an event a frame, each frame of the size that is asked for.

use bytes::Bytes;
use http::{HeaderValue, Uri};

use super::CHUNKS;

/// What is asked, of whom, and what comes back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) uri: Uri,
    pub(crate) asked: Bytes,
    pub(crate) kind: HeaderValue,
    pub(crate) frames: Vec<Bytes>,
}

impl Answer {
    fn new(uri: &'static str, asked: &'static str, kind: &'static str) -> Self {
        Self {
            uri: Uri::from_static(uri),
            asked: Bytes::from_static(asked.as_bytes()),
            kind: HeaderValue::from_static(kind),
            frames: Vec::new(),
        }
    }

    /// So many events with content between those that begin and end the answer, each filled up with text to `size` bytes.
    fn with_events(
        mut self,
        (first, last): (&[String], &[String]),
        size: usize,
        chunks: u64,
        event: impl Fn(u64, &str) -> String,
    ) -> Self {
        let text = |number: u64| {
            let room = size.saturating_sub(event(number, "").len());
            let words = "of what a model says there are words ".chars().cycle();
            words
                .skip(number as usize % 31)
                .take(room)
                .collect::<String>()
        };
        let events = (0..chunks).map(|number| event(number, &text(number)));
        let all = first
            .iter()
            .cloned()
            .chain(events)
            .chain(last.iter().cloned());
        self.frames = all.map(Bytes::from).collect();
        self
    }
}

const EVENTS: &str = "text/event-stream; charset=utf-8";

pub(crate) fn openai(size: usize) -> Answer {
    openai_of(size, CHUNKS)
}

pub(crate) fn openai_of(size: usize, chunks: u64) -> Answer {
    let event = |delta: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-9zB1qXw\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let usage = "data: {\"id\":\"chatcmpl-9zB1qXw\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o\",\"choices\":[],\"usage\":{\"prompt_tokens\":812,\"completion_tokens\":500,\"total_tokens\":1312,\"prompt_tokens_details\":{\"cached_tokens\":512},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}\n\n";
    let role = event("{\"role\":\"assistant\",\"content\":\"\"}", "null");
    let stop = event("{}", "\"stop\"");
    Answer::new(
        "https://api.openai.com/v1/chat/completions",
        "{\"model\":\"gpt-4o\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":500,\"messages\":[{\"role\":\"user\",\"content\":\"Say five hundred words.\"}]}",
        EVENTS,
    )
    .with_events(
        (&[role], &[stop, usage.to_owned(), "data: [DONE]\n\n".to_owned()]),
        size,
        chunks,
        |_, text| event(&format!("{{\"content\":\"{text}\"}}"), "null"),
    )
}

pub(crate) fn anthropic(size: usize) -> Answer {
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":812,\"cache_read_input_tokens\":0,\"cache_creation_input_tokens\":0,\"output_tokens\":1}}}\n\n";
    let block = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    let delta = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":500}}\n\n";
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    Answer::new(
        "https://api.anthropic.com/v1/messages",
        "{\"model\":\"claude-sonnet-4-5\",\"stream\":true,\"max_tokens\":500,\"messages\":[{\"role\":\"user\",\"content\":\"Say five hundred words.\"}]}",
        EVENTS,
    )
    .with_events(
        (
            &[start.to_owned(), block.to_owned()],
            &[delta.to_owned(), stop.to_owned()],
        ),
        size,
        CHUNKS,
        |_, text| {
            format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
            )
        },
    )
}

pub(crate) fn gemini(size: usize) -> Answer {
    let event = |part: &str, reason: &str, tokens: u64| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}],\"role\":\"model\"}}{reason}}}],\"usageMetadata\":{{\"promptTokenCount\":812,\"candidatesTokenCount\":{tokens}}}}}\r\n\r\n"
        )
    };
    let last = event("{\"text\":\"\"}", ",\"finishReason\":\"STOP\"", 500);
    Answer::new(
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Say five hundred words.\"}]}]}",
        EVENTS,
    )
    .with_events((&[], &[last]), size, CHUNKS, |number, text| {
        event(&format!("{{\"text\":\"{text}\"}}"), "", number + 1)
    })
}

pub(crate) fn ollama(size: usize) -> Answer {
    let last = "{\"model\":\"llama3.2\",\"created_at\":\"2026-01-01T00:00:00.000000Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":4883583458,\"load_duration\":1334875,\"prompt_eval_count\":26,\"prompt_eval_duration\":342546000,\"eval_count\":500,\"eval_duration\":4535599000}\n";
    Answer::new(
        "http://localhost:11434/api/chat",
        "{\"model\":\"llama3.2\",\"messages\":[{\"role\":\"user\",\"content\":\"Say five hundred words.\"}]}",
        "application/x-ndjson",
    )
    .with_events((&[], &[last.to_owned()]), size, CHUNKS, |_, text| {
        format!(
            "{{\"model\":\"llama3.2\",\"created_at\":\"2026-01-01T00:00:00.000000Z\",\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"done\":false}}\n"
        )
    })
}

/// A KiB in one piece.
pub(crate) fn unary() -> Answer {
    let text = "a word and another one ".repeat(28);
    let body = format!(
        "{{\"id\":\"chatcmpl-9zB1qXw\",\"object\":\"chat.completion\",\"created\":1767225600,\"model\":\"gpt-4o\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":812,\"completion_tokens\":140,\"total_tokens\":952,\"prompt_tokens_details\":{{\"cached_tokens\":512}}}},\"system_fingerprint\":\"fp_44709d6fcb\"}}"
    );
    let mut answer = Answer::new(
        "https://api.openai.com/v1/chat/completions",
        "{\"model\":\"gpt-4o\",\"max_tokens\":500,\"messages\":[{\"role\":\"user\",\"content\":\"Say some words.\"}]}",
        "application/json",
    );
    answer.frames.push(Bytes::from(body));
    answer
}
