//! What a real llama.cpp server answered, as it came, tells what `serde_json` finds in the whole of it, split at any byte.
//!
//! The answers are `corpus/llamacpp_*`: all four interfaces of the server, with reasoning, tools, several choices, a cache, reports of
//! its progress, without usage, and its errors.

use obs_llm::wire::{Content, Framing, ResponseScanner, ResponseSink, Wire};
use obs_llm::{Tokens, Usage};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

struct Case {
    name: String,
    wire: Wire,
    framing: Framing,
    bytes: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).expect("the corpus is there") {
        let path = entry.expect("a file").path();
        let file = path.file_name().and_then(|name| name.to_str());
        let Some(name) = file.and_then(|name| name.strip_prefix("llamacpp_")) else {
            continue;
        };
        let framing = match name.rsplit('.').next() {
            Some("sse") => Framing::EventStream,
            Some("json") => Framing::Json,
            _ => continue,
        };
        let wire = match name.strip_prefix("error_").unwrap_or(name) {
            name if name.starts_with("responses") => Wire::OpenAiResponses,
            name if name.starts_with("messages") => Wire::AnthropicMessages,
            _ => Wire::OpenAiChat,
        };
        cases.push(Case {
            name: name.to_owned(),
            wire,
            framing,
            bytes: fs::read(&path).expect("it can be read"),
        });
    }
    assert!(cases.len() >= 27, "{} answers", cases.len());
    cases
}

/// What an answer told, in the end.
#[derive(Debug, Default, PartialEq)]
struct Told {
    id: Option<String>,
    model: Option<String>,
    content: BTreeMap<String, u64>,
    finish: BTreeMap<u32, String>,
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
    error: bool,
    complete: bool,
    malformed: u64,
}

impl ResponseSink for Told {
    fn response_id(&mut self, id: &str) {
        self.id = Some(id.to_owned());
    }
    fn response_model(&mut self, model: &str) {
        self.model = Some(model.to_owned());
    }
    fn content(&mut self, content: Content) {
        *self.content.entry(format!("{content:?}")).or_default() += 1;
    }
    fn finish_reason(&mut self, choice: u32, reason: &str) {
        self.finish.insert(choice, reason.to_owned());
    }
    fn usage(&mut self, usage: &Usage) {
        self.input = usage.get(Tokens::Input).or(self.input);
        self.output = usage.get(Tokens::Output).or(self.output);
        self.cached = usage.get(Tokens::CacheRead).or(self.cached);
    }
    fn error(&mut self, _: &str) {
        self.error = true;
    }
    fn complete(&mut self) {
        self.complete = true;
    }
    fn malformed(&mut self, _: obs_llm::wire::Malformed) {
        self.malformed += 1;
    }
}

fn scanned<'a>(case: &Case, pieces: impl IntoIterator<Item = &'a [u8]>) -> Told {
    let mut scanner = ResponseScanner::new(case.wire, case.framing);
    let mut told = Told::default();
    for piece in pieces {
        scanner.feed(piece, &mut told);
    }
    scanner.end(&mut told);
    told
}

// --- the same, read with serde_json ----------------------------------------------------------------------------------

fn expected(case: &Case) -> Told {
    let text = std::str::from_utf8(&case.bytes).expect("it is text");
    let mut told = Told::default();
    if case.framing == Framing::Json {
        let value: Value = serde_json::from_str(text).expect("it is JSON");
        told.error = value["error"].is_object();
        told.complete = true;
        told.whole(case.wire, &value);
        return told;
    }
    for event in text.split("\n\n").filter(|event| !event.is_empty()) {
        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
        match data.expect("each of its events has data") {
            "[DONE]" => told.complete = true,
            data => told.event(case.wire, &serde_json::from_str(data).expect("it is JSON")),
        }
    }
    told
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn has_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

impl Told {
    /// A chunk counts once, by the first of its contents: none of the server's has two.
    fn has(&mut self, content: &str, has: bool) {
        if has {
            *self.content.entry(content.to_owned()).or_default() += 1;
        }
    }

    fn event(&mut self, wire: Wire, value: &Value) {
        let kind = value["type"].as_str().unwrap_or_default();
        match wire {
            Wire::OpenAiResponses => {
                self.has("Text", kind == "response.output_text.delta");
                self.has("Reasoning", kind == "response.reasoning_text.delta");
                self.has("ToolCall", kind == "response.function_call_arguments.delta");
                self.complete |= kind == "response.completed";
                self.whole_of_responses(&value["response"]);
            }
            Wire::AnthropicMessages => {
                let (delta, block) = (&value["delta"], &value["content_block"]);
                self.has("Text", has_text(&delta["text"]));
                self.has("Reasoning", has_text(&delta["thinking"]));
                let is_call = has_text(&delta["partial_json"]) || block["type"] == "tool_use";
                self.has("ToolCall", is_call);
                self.complete |= kind == "message_stop";
                self.whole_of_messages(&value["message"]);
                self.whole_of_messages(value);
                self.reason(0, &delta["stop_reason"]);
            }
            _ => {
                let choices = value["choices"].as_array();
                for delta in choices.into_iter().flatten().map(|it| &it["delta"]) {
                    self.has("Text", has_text(&delta["content"]));
                    self.has("Reasoning", has_text(&delta["reasoning_content"]));
                    self.has("ToolCall", delta["tool_calls"].is_array());
                }
                for choice in choices.into_iter().flatten() {
                    self.has("Text", has_text(&choice["text"]));
                }
                self.whole_of_chat(value);
            }
        }
    }

    /// A body counts once, by the first of its contents.
    fn whole(&mut self, wire: Wire, value: &Value) {
        match wire {
            Wire::OpenAiResponses => {
                self.has("Text", value["output"].is_array());
                self.whole_of_responses(value);
            }
            Wire::AnthropicMessages => {
                self.has("Text", value["content"].is_array());
                self.whole_of_messages(value);
                self.reason(0, &value["stop_reason"]);
            }
            _ => {
                let (choice, message) = (&value["choices"][0], &value["choices"][0]["message"]);
                let is_text = has_text(&choice["text"]) || has_text(&message["content"]);
                self.has("Text", is_text);
                self.has("Reasoning", has_text(&message["reasoning_content"]));
                self.has("ToolCall", message["tool_calls"].is_array());
                self.whole_of_chat(value);
            }
        }
    }

    fn names(&mut self, value: &Value) {
        self.id = text(&value["id"]).or(self.id.take());
        self.model = text(&value["model"]).or(self.model.take());
    }

    fn reason(&mut self, choice: u64, reason: &Value) {
        if let Some(reason) = text(reason) {
            self.finish.insert(choice as u32, reason);
        }
    }

    fn tokens(&mut self, input: Option<u64>, output: &Value, cached: &Value) {
        self.input = input.or(self.input);
        self.output = output.as_u64().or(self.output);
        self.cached = cached.as_u64().or(self.cached);
    }

    fn whole_of_responses(&mut self, value: &Value) {
        self.names(value);
        let usage = &value["usage"];
        let cached = &usage["input_tokens_details"]["cached_tokens"];
        self.tokens(
            usage["input_tokens"].as_u64(),
            &usage["output_tokens"],
            cached,
        );
        // The interface has no reasons; the status is what says that it came to its end.
        if value["status"] == "completed" {
            self.reason(0, &value["status"]);
        }
    }

    fn whole_of_messages(&mut self, value: &Value) {
        self.names(value);
        let usage = &value["usage"];
        // Input is what no cache had.
        let (input, cached) = (&usage["input_tokens"], &usage["cache_read_input_tokens"]);
        let input = input
            .as_u64()
            .map(|it| it + cached.as_u64().unwrap_or_default());
        self.tokens(input, &usage["output_tokens"], cached);
    }

    fn whole_of_chat(&mut self, value: &Value) {
        self.names(value);
        let (usage, timings) = (&value["usage"], &value["timings"]);
        if usage.is_object() {
            let cached = &usage["prompt_tokens_details"]["cached_tokens"];
            self.tokens(
                usage["prompt_tokens"].as_u64(),
                &usage["completion_tokens"],
                cached,
            );
        } else if timings.is_object() {
            // Nobody asked for usage, and the engine tells it all the same.
            let input = timings["prompt_n"]
                .as_u64()
                .zip(timings["cache_n"].as_u64());
            let input = input.map(|(read, cached)| read + cached);
            self.tokens(input, &timings["predicted_n"], &timings["cache_n"]);
        }
        for choice in value["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap_or_default();
            self.reason(index, &choice["finish_reason"]);
        }
    }
}

#[test]
fn an_answer_tells_what_stands_in_it() {
    for case in cases() {
        let told = scanned(&case, [&*case.bytes]);
        assert_eq!(told, expected(&case), "{}", case.name);
    }
}

#[test]
fn split_at_every_byte_it_tells_the_same() {
    for case in cases() {
        let expect = expected(&case);
        for at in 0..=case.bytes.len() {
            let (one, other) = case.bytes.split_at(at);
            assert_eq!(
                scanned(&case, [one, other]),
                expect,
                "{} at {at}",
                case.name
            );
        }
        let bytes = case.bytes.chunks(1);
        assert_eq!(scanned(&case, bytes), expect, "{} by bytes", case.name);
    }
}

/// What it is good for: each kind of content occurs, and tokens are known even of who did not ask for them.
#[test]
fn the_answers_have_everything() {
    let expect = |name: &str| {
        let case = cases().into_iter().find(|case| case.name == name);
        expected(&case.expect("it is in the corpus"))
    };
    for (name, content) in [
        ("chat_length.sse", "Text"),
        ("chat_reasoning.sse", "Reasoning"),
        ("chat_tools.sse", "ToolCall"),
        ("messages_reasoning.sse", "Reasoning"),
        ("responses_reasoning.sse", "Reasoning"),
        ("responses_tools.sse", "ToolCall"),
    ] {
        assert!(expect(name).content.contains_key(content), "{name}");
    }
    assert_eq!(expect("chat_silent.sse").output, Some(4));
    assert_eq!(expect("chat_two.sse").finish.len(), 2);
    assert!(expect("error_messages.json").error);
}
