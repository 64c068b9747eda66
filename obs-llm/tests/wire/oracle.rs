//! Any JSON at all, with wanted keys at right and at wrong places: what is told is what `serde_json` finds in the whole.

use obs_llm::wire::{Content, Framing, Wire};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use crate::properties::{Log, cut, read};

/// Keys that mean something somewhere, and some that mean nothing anywhere.
const KEYS: &[&str] = &[
    "id",
    "model",
    "choices",
    "usage",
    "delta",
    "message",
    "content",
    "text",
    "refusal",
    "reasoning",
    "reasoning_content",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "finish_reason",
    "index",
    "prompt_tokens",
    "completion_tokens",
    "prompt_tokens_details",
    "cached_tokens",
    "service_tier",
    "logprobs",
    "idx",
    "prompt_token",
    "ключ",
    "",
];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z]{1,12}",
        "[\\x00-\\x7f]{0,20}",
        "\\PC{0,20}",
        "[\"\\\\{}\\[\\]:,]{0,12}",
        "[a-zé€😀]{50,90}",
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0u64..5_000_000_000).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let key = prop_oneof![
            8 => prop::sample::select(KEYS).prop_map(str::to_owned),
            1 => any_text(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|pairs| Value::from(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A chunk as it should be, of which any part may be something else.
fn any_chunk() -> impl Strategy<Value = Value> {
    let maybe = |value: BoxedStrategy<Value>| prop_oneof![6 => value, 1 => any_json()];
    let text = || maybe(any_text().prop_map(Value::from).boxed());
    let count = || maybe((0u64..9_000_000_000).prop_map(Value::from).boxed());
    let delta = (text(), text(), text(), text())
        .prop_map(|(content, reasoning, name, arguments)| {
            json!({"role": "assistant", "content": content, "reasoning_content": reasoning,
                "tool_calls": [{"index": 0, "function": {"name": name, "arguments": arguments}}]})
        })
        .boxed();
    let choice = (0u64..3, maybe(delta), text()).prop_map(|(index, delta, reason)| {
        json!({"index": index, "delta": delta, "finish_reason": reason, "logprobs": null})
    });
    let choices = prop::collection::vec(choice, 0..3).prop_map(Value::from);
    let usage = (count(), count(), count()).prop_map(|(input, output, cached)| {
        json!({"prompt_tokens": input, "completion_tokens": output,
            "prompt_tokens_details": {"cached_tokens": cached}})
    });
    let parts = (
        text(),
        text(),
        maybe(choices.boxed()),
        maybe(usage.boxed()),
        any_json(),
    );
    parts.prop_map(|(id, model, choices, usage, other)| {
        json!({"id": id, "model": model, "choices": choices, "usage": usage, "x": other})
    })
}

/// At most so many bytes, and no part of a character.
fn at_most(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn count(value: &Value) -> Option<u32> {
    let number = value.as_number()?;
    if let Some(whole) = number.as_u64() {
        return Some(whole.min(u32::MAX.into()) as u32);
    }
    number
        .as_f64()
        .filter(|number| *number >= 0.0)
        .map(|number| number as u32)
}

/// What a chat completion tells, by its format, read from the whole: all lines but those of content, sorted; and each text with
/// its kind.
struct Expect {
    lines: Vec<String>,
    texts: Vec<(Content, String)>,
}

impl Expect {
    fn of(value: &Value) -> Self {
        let mut expect = Self {
            lines: Vec::new(),
            texts: Vec::new(),
        };
        if value.is_object() {
            expect.root(value);
        }
        expect.lines.sort();
        expect
    }

    fn once(&mut self, name: &str, value: &Value) {
        if let Some(text) = value.as_str().filter(|text| !text.is_empty()) {
            self.lines.push(format!("{name} {}", at_most(text, 64)));
        }
    }

    fn root(&mut self, root: &Value) {
        self.once("id", &root["id"]);
        self.once("model", &root["model"]);
        self.once("tier", &root["service_tier"]);
        let choices = root["choices"].as_array().into_iter().flatten();
        for (place, choice) in choices.filter(|choice| choice.is_object()).enumerate() {
            self.choice(place, choice);
        }
        self.usage(&root["usage"]);
    }

    fn choice(&mut self, place: usize, choice: &Value) {
        self.usage(&choice["usage"]);
        self.says(Content::Text, &choice["text"]);
        for message in [&choice["delta"], &choice["message"]] {
            self.message(message);
        }
        if let Some(reason) = choice["finish_reason"].as_str()
            && !reason.is_empty()
        {
            let index = match choice["index"].as_number() {
                Some(_) => count(&choice["index"]).unwrap_or(0),
                None => place as u32,
            };
            let reason = at_most(reason, 40);
            self.lines.push(format!("finish {index} {reason}"));
        }
    }

    fn message(&mut self, message: &Value) {
        self.says(Content::Text, &message["content"]);
        self.says(Content::Text, &message["refusal"]);
        self.says(Content::Reasoning, &message["reasoning"]);
        self.says(Content::Reasoning, &message["reasoning_content"]);
        for part in message["content"].as_array().into_iter().flatten() {
            self.says(Content::Text, &part["text"]);
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.says(Content::ToolCall, &call["function"]["name"]);
            self.says(Content::ToolCall, &call["function"]["arguments"]);
        }
    }

    fn says(&mut self, content: Content, value: &Value) {
        if let Some(text) = value.as_str()
            && !text.is_empty()
        {
            self.texts.push((content, text.to_owned()));
        }
    }

    fn usage(&mut self, usage: &Value) {
        let mut line = String::from("usage");
        let cached = [
            &usage["cached_tokens"],
            &usage["prompt_tokens_details"]["cached_tokens"],
        ];
        // Told in two places, the later one counts; here they are in alphabetical order.
        let cached = cached.into_iter().filter_map(count).next_back();
        for (name, told) in [
            ("Input", count(&usage["prompt_tokens"])),
            ("Output", count(&usage["completion_tokens"])),
            ("CacheRead", cached),
        ] {
            if let Some(count) = told {
                line.push_str(&format!(" {name}={count}"));
            }
        }
        if line != "usage" {
            self.lines.push(line);
        }
    }
}

/// Escapes resolved by `serde_json` itself.
fn unescaped(log: &Log, kind: Content) -> String {
    let texts = log
        .texts
        .iter()
        .filter(|(content, _, _)| *content == kind)
        .map(|(_, _, text)| serde_json::from_str::<String>(&format!("\"{text}\"")).unwrap());
    texts.collect()
}

fn sorted(text: impl Iterator<Item = String>) -> Vec<char> {
    let mut chars: Vec<_> = text
        .flat_map(|text| text.chars().collect::<Vec<_>>())
        .collect();
    chars.sort_unstable();
    chars
}

fn check(value: &Value, text: &str, pieces: &[u8]) {
    let expect = Expect::of(value);
    let log = read(
        Wire::OpenAiChat,
        Framing::Json,
        true,
        cut(text.as_bytes(), pieces),
    );
    let (contents, others): (Vec<String>, Vec<String>) = log
        .lines
        .iter()
        .cloned()
        .partition(|line| line.starts_with("content "));
    let mut others = others;
    assert_eq!(others.pop().as_deref(), Some("complete"), "{text}");
    others.sort();
    assert_eq!(others, expect.lines, "{text}");
    // Once, by one of the kinds that are there.
    let kinds: BTreeSet<String> = expect
        .texts
        .iter()
        .map(|(content, _)| format!("content {content:?}"))
        .collect();
    assert_eq!(contents.len(), kinds.len().min(1), "{text}");
    assert!(contents.iter().all(|line| kinds.contains(line)), "{text}");
    // All of every text, in whichever order the keys are.
    for kind in [Content::Text, Content::Reasoning, Content::ToolCall] {
        let of_it = expect.texts.iter().filter(|(content, _)| *content == kind);
        let texts = sorted(of_it.map(|(_, text)| text.clone()));
        assert_eq!(sorted([unescaped(&log, kind)].into_iter()), texts, "{text}");
    }
}

/// With white space wherever it may stand, and with every character of its strings as an escape, where so asked.
fn spaced(value: &Value, escaped: bool) -> String {
    let string = |text: &str| match escaped {
        false => serde_json::to_string(text).unwrap(),
        true => {
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
            format!("\"{}\"", units.collect::<String>())
        }
    };
    match value {
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items = items.iter().map(|item| spaced(item, escaped));
            format!("[ {}\r\n]", items.collect::<Vec<_>>().join("\t, "))
        }
        Value::Object(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(key, value)| format!("{} :\t{}", string(key), spaced(value, escaped)));
            format!("{{ {}\n}}", pairs.collect::<Vec<_>>().join("\n ,"))
        }
        other => other.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_chunk_with_anything_in_it_tells_what_serde_json_finds(
        value in any_chunk(),
        pieces in prop::collection::vec(1u8..=255, 1..10),
    ) {
        check(&value, &value.to_string(), &pieces);
        check(&value, &spaced(&value, false), &pieces);
        check(&value, &spaced(&value, true), &pieces);
    }

    #[test]
    fn any_json_tells_what_serde_json_finds(
        value in any_json(),
        pieces in prop::collection::vec(1u8..=255, 1..10),
    ) {
        let value = match value.is_object() {
            true => value,
            false => json!({"choices": value}),
        };
        check(&value, &value.to_string(), &pieces);
        check(&value, &serde_json::to_string_pretty(&value).unwrap(), &pieces);
    }

    /// Whatever `serde_json` takes is never called malformed, and whatever is called malformed it does not take.
    #[test]
    fn what_is_json_is_never_malformed(
        value in any_json(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut bytes = value.to_string().into_bytes();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        let log = read(Wire::OpenAiChat, Framing::Json, true, [&*bytes]);
        if serde_json::from_slice::<Value>(&bytes).is_ok() {
            prop_assert_eq!(log.lines.last().map(String::as_str), Some("complete"));
        }
    }
}
