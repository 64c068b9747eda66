//! Against serde_json, which holds all of an answer: arbitrary JSON, in which the names that matter stand anywhere.
//!
//! What is told is compared without its order, which is the document's, and content by whether there is any.

use super::properties::{Log, read};
use obs_llm::wire::{Framing, ResponseSink, Wire};
use obs_llm::{Tokens, Usage};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// What is expected of one document.
#[derive(Default)]
struct Expect {
    lines: Vec<String>,
    has_content: bool,
}

impl Expect {
    fn text(&mut self, name: &str, value: Option<&Value>) {
        if let Some(text) = value
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
        {
            self.lines.push(format!("{name} {text}"));
        }
    }

    fn content(&mut self, value: Option<&Value>) {
        self.has_content |= is_text(value);
    }

    /// That something is there, which `true` says, too.
    fn presence(&mut self, value: Option<&Value>) {
        self.has_content |= is_text(value) || value == Some(&Value::Bool(true));
    }

    fn usage(&mut self, usage: &Usage) {
        if !usage.is_empty() {
            let mut told = Log::default();
            told.usage(usage);
            self.lines.extend(told.lines);
        }
    }

    fn millis(&mut self, part: &str, value: Option<&Value>, nanos: f64) {
        let time = value.and_then(Value::as_f64).map(|time| time * nanos);
        if let Some(time) = time.filter(|time| *time >= 0.0) {
            self.lines.push(format!("time {part} {}", time as u64));
        }
    }
}

fn is_text(value: Option<&Value>) -> bool {
    value
        .and_then(Value::as_str)
        .is_some_and(|text| !text.is_empty())
}

fn count(object: &Value, key: &str) -> Option<u64> {
    let value = object.get(key)?;
    let real = value.as_f64().filter(|real| *real >= 0.0)?;
    Some(value.as_u64().unwrap_or(real as u64))
}

fn set(usage: &mut Usage, tokens: Tokens, count: Option<u64>) {
    if let Some(count) = count {
        usage.set(tokens, count);
    }
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn anthropic(answer: &Value) -> Expect {
    let mut expect = Expect::default();
    expect.text("id", answer.get("id"));
    expect.text("model", answer.get("model"));
    expect.text("finish 0", answer.get("stop_reason"));
    let blocks = items(answer.get("content"));
    for block in blocks
        .chain(answer.get("content_block"))
        .chain(answer.get("delta"))
    {
        expect.text("finish 0", block.get("stop_reason"));
        for key in ["text", "thinking", "partial_json"] {
            expect.content(block.get(key));
        }
        expect.presence(block.get("data"));
        let kind = block
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        expect.has_content |= matches!(kind, "tool_use" | "server_tool_use" | "mcp_tool_use");
    }
    if let Some(error) = answer.get("error").filter(|error| error.is_object()) {
        let kind = error
            .get("type")
            .and_then(Value::as_str)
            .filter(|kind| !kind.is_empty());
        expect
            .lines
            .push(format!("error {}", kind.unwrap_or("_OTHER")));
    }
    if let Some(told) = answer.get("usage") {
        let written = told.get("cache_creation").unwrap_or(&Value::Null);
        let hour = count(written, "ephemeral_1h_input_tokens");
        let minutes = count(written, "ephemeral_5m_input_tokens").unwrap_or(0);
        let all = count(told, "cache_creation_input_tokens");
        let all = all.or(hour.map(|hour| hour + minutes));
        let read = count(told, "cache_read_input_tokens");
        let input = count(told, "input_tokens");
        let mut usage = Usage::new();
        set(&mut usage, Tokens::Output, count(told, "output_tokens"));
        set(&mut usage, Tokens::CacheWriteHour, hour);
        set(&mut usage, Tokens::CacheWrite, all);
        set(&mut usage, Tokens::CacheRead, read);
        let input = input.map(|input| input + read.unwrap_or(0) + all.unwrap_or(0));
        set(&mut usage, Tokens::Input, input);
        expect.usage(&usage);
        expect.text("tier", told.get("service_tier"));
    }
    expect
}

const ANTHROPIC: &[&str] = &[
    "id",
    "model",
    "stop_reason",
    "type",
    "content",
    "content_block.type",
    "content_block.text",
    "content_block.data",
    "delta.text",
    "delta.thinking",
    "delta.partial_json",
    "delta.stop_reason",
    "error.type",
    "usage.input_tokens",
    "usage.output_tokens",
    "usage.cache_read_input_tokens",
    "usage.cache_creation_input_tokens",
    "usage.cache_creation.ephemeral_1h_input_tokens",
    "usage.cache_creation.ephemeral_5m_input_tokens",
    "usage.service_tier",
];

fn gemini(answer: &Value) -> Expect {
    let mut expect = Expect::default();
    expect.text("id", answer.get("responseId"));
    expect.text("model", answer.get("modelVersion"));
    for (place, choice) in items(answer.get("candidates"))
        .filter(|item| item.is_object())
        .enumerate()
    {
        let index = choice.get("index").filter(|index| index.is_number());
        let index = index.map(|_| count(choice, "index").unwrap_or(0));
        let number = index.unwrap_or(place as u64) as u32;
        expect.text(&format!("finish {number}"), choice.get("finishReason"));
        for part in items(
            choice
                .get("content")
                .and_then(|content| content.get("parts")),
        ) {
            expect.content(part.get("text"));
            expect.content(part.get("inlineData").and_then(|data| data.get("data")));
            expect.content(part.get("executableCode").and_then(|code| code.get("code")));
            expect.has_content |= part.get("functionCall").is_some_and(Value::is_object);
        }
    }
    if let Some(feedback) = answer.get("promptFeedback") {
        expect.text("finish 0", feedback.get("blockReason"));
    }
    if let Some(error) = answer.get("error").filter(|error| error.is_object()) {
        let status = error.get("status").filter(|status| is_text(Some(status)));
        let code = error
            .get("code")
            .filter(|code| is_text(Some(code)) || code.is_number());
        // A code that is a text counts most, and one that is a number least.
        let code = match code {
            Some(Value::String(code)) => code.clone(),
            _ => match (status, code) {
                (Some(status), _) => status.as_str().unwrap_or_default().to_owned(),
                (None, Some(code)) => code.to_string(),
                (None, None) => "_OTHER".to_owned(),
            },
        };
        expect.lines.push(format!("error {code}"));
    }
    if let Some(told) = answer.get("usageMetadata") {
        let mut usage = Usage::new();
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (None, None) => None,
            _ => Some(one.unwrap_or(0) + other.unwrap_or(0)),
        };
        let thoughts = count(told, "thoughtsTokenCount");
        let prompt = count(told, "promptTokenCount");
        let input = sum(prompt, count(told, "toolUsePromptTokenCount"));
        set(&mut usage, Tokens::Input, input);
        let output = sum(count(told, "candidatesTokenCount"), thoughts);
        set(&mut usage, Tokens::Output, output);
        set(&mut usage, Tokens::Reasoning, thoughts);
        let cached = count(told, "cachedContentTokenCount");
        set(&mut usage, Tokens::CacheRead, cached);
        for (list, kinds) in [
            (
                "promptTokensDetails",
                [Tokens::TextInput, Tokens::ImageInput, Tokens::AudioInput],
            ),
            (
                "toolUsePromptTokensDetails",
                [Tokens::TextInput, Tokens::ImageInput, Tokens::AudioInput],
            ),
            (
                "candidatesTokensDetails",
                [Tokens::TextOutput, Tokens::ImageOutput, Tokens::AudioOutput],
            ),
        ] {
            for item in items(told.get(list)) {
                let kind = match item.get("modality").and_then(Value::as_str) {
                    Some("TEXT") => kinds[0],
                    Some("IMAGE") => kinds[1],
                    Some("AUDIO") => kinds[2],
                    _ => continue,
                };
                let more = count(item, "tokenCount").unwrap_or(0);
                usage.set(kind, usage.get(kind).unwrap_or(0) + more);
            }
        }
        expect.usage(&usage);
    }
    expect
}

const GEMINI: &[&str] = &[
    "responseId",
    "modelVersion",
    "candidates",
    "promptFeedback.blockReason",
    "error.code",
    "error.status",
    "usageMetadata.promptTokenCount",
    "usageMetadata.toolUsePromptTokenCount",
    "usageMetadata.candidatesTokenCount",
    "usageMetadata.thoughtsTokenCount",
    "usageMetadata.cachedContentTokenCount",
    "usageMetadata.promptTokensDetails",
    "usageMetadata.candidatesTokensDetails",
];

fn ollama(answer: &Value) -> Expect {
    let mut expect = Expect::default();
    expect.text("model", answer.get("model"));
    expect.text("finish 0", answer.get("done_reason"));
    for key in ["response", "thinking", "image"] {
        expect.content(answer.get(key));
    }
    let message = answer.get("message");
    for key in ["content", "thinking"] {
        expect.content(message.and_then(|message| message.get(key)));
    }
    for from in [Some(answer), message].into_iter().flatten() {
        expect.has_content |= items(from.get("tool_calls")).any(Value::is_object);
    }
    let images = items(message.and_then(|message| message.get("images")));
    expect.has_content |= images.fold(false, |any, image| any | is_text(Some(image)));
    if answer.get("error").is_some_and(Value::is_string) {
        expect.lines.push("error _OTHER".to_owned());
    }
    for (part, key) in [
        ("Total", "total_duration"),
        ("Load", "load_duration"),
        ("Prefill", "prompt_eval_duration"),
        ("Decode", "eval_duration"),
    ] {
        expect.millis(part, answer.get(key), 1.0);
    }
    let mut usage = Usage::new();
    set(
        &mut usage,
        Tokens::Input,
        count(answer, "prompt_eval_count"),
    );
    set(&mut usage, Tokens::Output, count(answer, "eval_count"));
    let cached = count(answer, "prompt_eval_cached_count");
    set(&mut usage, Tokens::CacheRead, cached);
    expect.usage(&usage);
    expect
}

const OLLAMA: &[&str] = &[
    "model",
    "response",
    "thinking",
    "image",
    "message.content",
    "message.thinking",
    "message.tool_calls",
    "message.images",
    "tool_calls",
    "done",
    "done_reason",
    "error",
    "total_duration",
    "load_duration",
    "prompt_eval_duration",
    "eval_duration",
    "prompt_eval_count",
    "prompt_eval_cached_count",
    "eval_count",
];

fn converse(answer: &Value) -> Expect {
    let mut expect = Expect::default();
    expect.text("finish 0", answer.get("stopReason"));
    if let Some(kind) = answer.get("__type").and_then(Value::as_str) {
        let name = kind.rsplit('#').next().filter(|name| !name.is_empty());
        expect
            .lines
            .push(format!("error {}", name.unwrap_or("_OTHER")));
    }
    let message = answer
        .get("output")
        .and_then(|output| output.get("message"));
    let blocks = items(message.and_then(|message| message.get("content")));
    for block in blocks.chain(answer.get("delta")).chain(answer.get("start")) {
        expect.content(block.get("text"));
        for key in ["image", "audio"] {
            expect.has_content |= block.get(key).is_some_and(Value::is_object);
        }
        let within = |node, key| block.get(node).and_then(|node: &Value| node.get(key));
        expect.content(within("toolUse", "input"));
        expect.content(within("reasoningContent", "text"));
        expect.presence(within("toolUse", "name"));
        expect.presence(within("reasoningContent", "redactedContent"));
        let thought = block.get("reasoningContent");
        let thought = thought.and_then(|thought| thought.get("reasoningText"));
        expect.content(thought.and_then(|thought| thought.get("text")));
    }
    let metrics = answer.get("metrics");
    let latency = metrics.and_then(|metrics| metrics.get("latencyMs"));
    expect.millis("Total", latency, 1e6);
    let tier = answer.get("serviceTier");
    expect.text("tier", tier.and_then(|tier| tier.get("type")));
    if let Some(told) = answer.get("usage") {
        let (read, written) = (
            count(told, "cacheReadInputTokens"),
            count(told, "cacheWriteInputTokens"),
        );
        let hours = items(told.get("cacheDetails"));
        let hours = hours.filter(|write| write.get("ttl").and_then(Value::as_str) == Some("1h"));
        let hours: Vec<_> = hours
            .map(|write| count(write, "inputTokens").unwrap_or(0))
            .collect();
        let hour = (!hours.is_empty()).then(|| hours.iter().sum());
        let written = written.or(hour);
        let input = count(told, "inputTokens");
        let mut usage = Usage::new();
        set(&mut usage, Tokens::Output, count(told, "outputTokens"));
        set(&mut usage, Tokens::CacheRead, read);
        set(&mut usage, Tokens::CacheWrite, written);
        set(&mut usage, Tokens::CacheWriteHour, hour);
        let input = input.map(|input| input + read.unwrap_or(0) + written.unwrap_or(0));
        set(&mut usage, Tokens::Input, input);
        expect.usage(&usage);
    }
    expect
}

const CONVERSE: &[&str] = &[
    "stopReason",
    "__type",
    "output.message.content",
    "delta.text",
    "delta.toolUse.input",
    "delta.reasoningContent.text",
    "start.toolUse.name",
    "delta.image",
    "metrics.latencyMs",
    "serviceTier.type",
    "usage.inputTokens",
    "usage.outputTokens",
    "usage.cacheReadInputTokens",
    "usage.cacheWriteInputTokens",
    "usage.cacheDetails",
];

/// Names that stand in lists, where no path leads.
const INNER: &[&str] = &[
    "type",
    "text",
    "thinking",
    "data",
    "index",
    "content",
    "parts",
    "thought",
    "functionCall",
    "inlineData",
    "executableCode",
    "code",
    "finishReason",
    "modality",
    "tokenCount",
    "function",
    "toolUse",
    "name",
    "input",
    "reasoningContent",
    "reasoningText",
    "image",
    "ttl",
    "inputTokens",
    "stop_reason",
    "partial_json",
];

/// A value that holds no others.
fn leaf() -> impl Strategy<Value = Value> + Clone {
    const WORDS: [&str; 9] = [
        "tool_use",
        "TEXT",
        "IMAGE",
        "AUDIO",
        "1h",
        "stop",
        "a#Throttled",
        "",
        "\u{1f600}\"\\",
    ];
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => (-2_i64..9000).prop_map(Value::from),
        1 => select(vec![0.5, 1.0, -2.25, 7.75]).prop_map(Value::from),
        2 => select(WORDS.to_vec()).prop_map(Value::from),
        1 => "[a-z ]{0,9}".prop_map(Value::from),
    ]
}

/// A value in which these names, and those that stand in lists, stand wherever they like.
fn value(paths: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let names = paths.iter().flat_map(|path| path.split('.'));
    let names: Vec<_> = names.chain(INNER.iter().copied()).collect();
    let name = prop_oneof![
        9 => select(names).prop_map(str::to_owned),
        1 => "[a-z\"\\\\\u{e9}]{0,12}",
    ];
    leaf().prop_recursive(4, 40, 6, move |inner| {
        let pairs = prop::collection::vec((name.clone(), inner.clone()), 0..6);
        prop_oneof![
            2 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
            4 => pairs.prop_map(|pairs| Value::from(Map::from_iter(pairs))),
        ]
    })
}

/// What stands in the lists, as it does there.
fn list() -> impl Strategy<Value = Value> {
    let text = |key: &'static str| leaf().prop_map(move |value| json!({ key: value }));
    let part = prop_oneof![
        text("text"),
        (leaf(), any::<bool>())
            .prop_map(|(text, thought)| json!({"text": text, "thought": thought})),
        Just(json!({"functionCall": {}})),
        leaf().prop_map(|data| json!({"inlineData": {"data": data}})),
    ];
    let parts = prop::collection::vec(part, 0..3);
    let item = prop_oneof![
        text("text"),
        text("thinking"),
        text("type"),
        (leaf(), leaf())
            .prop_map(|(modality, count)| json!({"modality": modality, "tokenCount": count})),
        (leaf(), leaf()).prop_map(|(ttl, count)| json!({"ttl": ttl, "inputTokens": count})),
        (parts, leaf(), leaf()).prop_map(|(parts, index, reason)| {
            json!({"index": index, "content": {"parts": parts}, "finishReason": reason})
        }),
        Just(json!({"toolUse": {"name": "f", "input": {}}})),
        leaf(),
    ];
    prop::collection::vec(item, 0..4).prop_map(Value::from)
}

fn answer(paths: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let one = prop_oneof![3 => leaf(), 2 => list(), 1 => value(paths)];
    let each = prop::collection::vec((select(paths.to_vec()), one), 0..10);
    each.prop_map(|each| {
        let mut answer = Value::from(Map::new());
        for (path, value) in each {
            let mut at = &mut answer;
            for key in path.split('.') {
                if !at.is_object() {
                    *at = Value::from(Map::new());
                }
                let object = at.as_object_mut().expect("an object");
                at = object.entry(key).or_insert(Value::Null);
            }
            *at = value;
        }
        answer
    })
}

/// The generator reaches every path with a value that makes a difference: or the properties below would show less than they say.
#[test]
fn every_path_makes_a_difference() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    // These complete a stream; a document is complete at its end in any case.
    const ALONE: [&str; 2] = ["type", "done"];
    type Oracle = fn(&Value) -> Expect;
    for (paths, oracle) in [
        (ANTHROPIC, anthropic as Oracle),
        (GEMINI, gemini),
        (OLLAMA, ollama),
        (CONVERSE, converse),
    ] {
        let mut runner = TestRunner::deterministic();
        let mut left = paths.to_vec();
        left.retain(|path| !ALONE.contains(path));
        for _ in 0..3000 {
            let answer = answer(paths)
                .new_tree(&mut runner)
                .expect("a tree")
                .current();
            let whole = oracle(&answer);
            left.retain(|path| {
                let mut without = answer.clone();
                let pointer = format!("/{}", path.replace('.', "/"));
                if let Some(value) = without.pointer_mut(&pointer) {
                    *value = Value::Null;
                }
                let without = oracle(&without);
                (without.lines, without.has_content) == (whole.lines.clone(), whole.has_content)
            });
            if left.is_empty() {
                break;
            }
        }
        assert!(left.is_empty(), "{left:?}");
    }
}

#[track_caller]
fn holds(wire: Wire, answer: &Value, expect: Expect) {
    let text = serde_json::to_string(answer).expect("JSON");
    let told = read(wire, Framing::Json, false, [text.as_bytes()]);
    let pieces = read(wire, Framing::Json, false, text.as_bytes().chunks(3));
    assert_eq!(pieces, told, "{text}");
    let (content, mut lines): (Vec<_>, Vec<_>) = told
        .lines
        .iter()
        .map(String::as_str)
        .partition(|line| line.starts_with("content "));
    lines.sort_unstable();
    let mut expected = expect.lines;
    expected.push("complete".to_owned());
    expected.sort_unstable();
    assert_eq!(lines, expected, "{text}");
    assert_eq!(content.len(), usize::from(expect.has_content), "{text}");
}

proptest! {
    #[test]
    fn of_anthropic(answer in answer(ANTHROPIC)) {
        holds(Wire::AnthropicMessages, &answer, anthropic(&answer));
    }

    #[test]
    fn of_gemini(answer in answer(GEMINI)) {
        holds(Wire::Gemini, &answer, gemini(&answer));
    }

    #[test]
    fn of_ollama(answer in answer(OLLAMA)) {
        holds(Wire::Ollama, &answer, ollama(&answer));
    }

    #[test]
    fn of_converse(answer in answer(CONVERSE)) {
        holds(Wire::BedrockConverse, &answer, converse(&answer));
    }
}
