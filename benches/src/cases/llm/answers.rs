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

    /// So many events with content between those that begin and end the answer, each filled up with text to about `size` bytes.
    fn with_events(
        mut self,
        (first, last): (&[String], &[String]),
        size: usize,
        chunks: u64,
        event: impl Fn(u64, &str) -> String,
    ) -> Self {
        let text = |number: u64| text(number, size.saturating_sub(event(number, "").len()));
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

/// What models say, in the pieces that they say it in, as JSON has it: words, punctuation, line ends, quotes, escapes, letters
/// of more than one byte.
#[rustfmt::skip]
const TOKENS: [&str; 37] = [
    "Here", " is", " a", " list", " of", " what", " you", " asked", " for", ":", r"\n\n", "1", ".", " **", "Configuration",
    "**", " —", " set", " `", "RUST", "_LOG", "`", " to", r#" \""#, "debug", r#"\""#, ",", " caf", "é", r" \u003c", "b",
    r"\u003e", r"\n", "   ", " understanding", " 東京", r".\n",
];

/// About so many bytes of them, at least one; no two pieces in a row are of one length.
fn text(number: u64, room: usize) -> String {
    let room = room * (75 + number as usize * 37 % 51) / 100;
    let mut tokens = TOKENS
        .iter()
        .cycle()
        .skip(number as usize * 11 % TOKENS.len());
    let mut text = String::new();
    while let Some(token) = tokens
        .next()
        .filter(|token| text.is_empty() || text.len() + token.len() <= room)
    {
        text.push_str(token);
    }
    text
}

const EVENTS: &str = "text/event-stream; charset=utf-8";

pub(crate) fn openai(size: usize) -> Answer {
    openai_of(size, CHUNKS)
}

/// The least that everybody sends who speaks this format.
pub(crate) fn openai_of(size: usize, chunks: u64) -> Answer {
    like_openai(size, chunks, |_, delta, reason, usage| {
        let choices = match delta {
            "" => String::new(),
            _ => format!("{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}"),
        };
        let usage = usage
            .map(|usage| format!(",\"usage\":{{{usage}}}"))
            .unwrap_or_default();
        format!(
            "data: {{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o\",\"choices\":[{choices}]{usage}}}\n\n"
        )
    })
}

/// OpenAI's own where usage is asked for: a tier, a fingerprint, an empty usage, and padding that makes all events alike in length.
pub(crate) fn openai_padded() -> Answer {
    like_openai(0, CHUNKS, |number, delta, reason, usage| {
        let choices = match delta {
            "" => String::new(),
            _ => format!(
                "{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{reason}}}"
            ),
        };
        let usage = usage.map_or("null".to_owned(), |usage| format!("{{{usage}}}"));
        let padding: String = (0..16_usize.saturating_sub(delta.len() / 4))
            .map(|at| char::from(b'A' + ((number as usize * 7 + at * 5) % 26) as u8))
            .collect();
        format!(
            "data: {{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{choices}],\"usage\":{usage},\"obfuscation\":\"{padding}\"}}\n\n"
        )
    })
}

/// vLLM's with usage in every event (`continuous_usage_stats`).
pub(crate) fn vllm() -> Answer {
    like_openai(0, CHUNKS, |number, delta, reason, _| {
        let choices = match delta {
            "" => String::new(),
            _ => format!(
                "{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{reason}}}"
            ),
        };
        format!(
            "data: {{\"id\":\"chatcmpl-0f5e8f4b6c3d4d0b8b5a1f2e3c4d5e6f\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"meta-llama/Llama-3.1-8B-Instruct\",\"choices\":[{choices}],\"usage\":{{\"prompt_tokens\":812,\"total_tokens\":{},\"completion_tokens\":{number}}}}}\n\n",
            812 + number
        )
    })
}

/// An event is made of its number, its delta, why the choice ended, and tokens.
fn like_openai(
    size: usize,
    chunks: u64,
    event: impl Fn(u64, &str, &str, Option<&str>) -> String,
) -> Answer {
    let usage = "\"prompt_tokens\":812,\"completion_tokens\":500,\"total_tokens\":1312,\"prompt_tokens_details\":{\"cached_tokens\":512},\"completion_tokens_details\":{\"reasoning_tokens\":0}";
    let role = event(0, "{\"role\":\"assistant\",\"content\":\"\"}", "null", None);
    let stop = event(chunks, "{}", "\"stop\"", None);
    let usage = event(chunks, "", "null", Some(usage));
    Answer::new(
        "https://api.openai.com/v1/chat/completions",
        "{\"model\":\"gpt-4o\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":500,\"messages\":[{\"role\":\"user\",\"content\":\"Say five hundred words.\"}]}",
        EVENTS,
    )
    .with_events(
        (&[role], &[stop, usage, "data: [DONE]\n\n".to_owned()]),
        size,
        chunks,
        |number, text| event(number + 1, &format!("{{\"content\":\"{text}\"}}"), "null", None),
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
    like_gemini(size, |part, reason, tokens| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}],\"role\":\"model\"}}{reason}}}],\"usageMetadata\":{{\"promptTokenCount\":812,\"candidatesTokenCount\":{tokens},\"totalTokenCount\":{}}}}}\r\n\r\n",
            812 + tokens
        )
    })
}

/// Google's own, of a model that has thought.
pub(crate) fn gemini_detailed() -> Answer {
    like_gemini(600, |part, reason, tokens| {
        format!(
            "data: {{\"candidates\": [{{\"content\": {{\"parts\": [{part}],\"role\": \"model\"}}{reason},\"index\": 0}}],\"usageMetadata\": {{\"promptTokenCount\": 812,\"candidatesTokenCount\": {tokens},\"totalTokenCount\": {},\"promptTokensDetails\": [{{\"modality\": \"TEXT\",\"tokenCount\": 812}}],\"thoughtsTokenCount\": 231}},\"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"9uMkaYWYN-Xjz7IPkMyQkAQ\"}}\r\n\r\n",
            812 + 231 + tokens
        )
    })
}

fn like_gemini(size: usize, event: impl Fn(&str, &str, u64) -> String) -> Answer {
    let last = event("{\"text\":\"\"}", ",\"finishReason\":\"STOP\"", 17 * CHUNKS);
    Answer::new(
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Say five hundred words.\"}]}]}",
        EVENTS,
    )
    .with_events((&[], &[last]), size, CHUNKS, |number, text| {
        event(&format!("{{\"text\":\"{text}\"}}"), "", 17 * number + 1)
    })
}

pub(crate) fn ollama(size: usize) -> Answer {
    let last = "{\"model\":\"llama3.2\",\"created_at\":\"2026-01-01T00:00:12.000000Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":4883583458,\"load_duration\":1334875,\"prompt_eval_count\":26,\"prompt_eval_duration\":342546000,\"eval_count\":500,\"eval_duration\":4535599000}\n";
    Answer::new(
        "http://localhost:11434/api/chat",
        "{\"model\":\"llama3.2\",\"messages\":[{\"role\":\"user\",\"content\":\"Say five hundred words.\"}]}",
        "application/x-ndjson",
    )
    .with_events((&[], &[last.to_owned()]), size, CHUNKS, |number, text| {
        format!(
            "{{\"model\":\"llama3.2\",\"created_at\":\"2026-01-01T00:00:{:02}.{:06}Z\",\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"done\":false}}\n",
            number / 50,
            number % 50 * 20_000 + number * 37 % 9_999
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, answer: &Answer, size: usize) {
        let chunks = &answer.frames[3..CHUNKS as usize - 3];
        let mean = chunks.iter().map(Bytes::len).sum::<usize>() / chunks.len();
        assert!(mean.abs_diff(size) <= size / 20, "{name}: {mean} bytes");
        let mut lengths: Vec<usize> = chunks.iter().map(Bytes::len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        assert!(lengths.len() >= 5, "{name}: {lengths:?}");
    }

    #[test]
    fn chunks_are_of_the_sizes_that_their_names_say() {
        check("openai", &openai(200), 200);
        check("anthropic", &anthropic(200), 200);
        check("gemini", &gemini(200), 200);
        check("ollama", &ollama(200), 200);
        check("long", &openai(2048), 2048);
    }
}
