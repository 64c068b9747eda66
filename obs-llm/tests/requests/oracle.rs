//! Against serde_json, which holds all of a request: arbitrary JSON, in which the names that matter stand anywhere.

use super::told::{Told, read};
use obs_llm::wire::{RequestSink, Wire};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value};

/// What is at the end of a path, and what of it is told.
type Tell = fn(&Value, &mut Told);

fn whole(value: &Value) -> Option<u64> {
    let real = value.as_f64()?;
    value
        .as_u64()
        .or((real >= 0.0 && real.fract() == 0.0).then_some(real as u64))
}

fn output(value: &Value) -> Option<&'static str> {
    Some(match value.as_str()? {
        "text" | "TEXT" | "text/plain" => "text",
        "json_object" | "json_schema" | "application/json" | "json" => "json",
        "audio" | "AUDIO" => "speech",
        "image" | "IMAGE" => "image",
        _ => return None,
    })
}

macro_rules! tell {
    ($method:ident, $get:path) => {
        |value, told| {
            if let Some(value) = $get(value) {
                told.$method(value);
            }
        }
    };
}

const MODEL: Tell = tell!(model, Value::as_str);
const STREAM: Tell = tell!(stream, Value::as_bool);
const USAGE: Tell = tell!(include_usage, Value::as_bool);
const MAX: Tell = tell!(max_tokens, whole);
const TEMPERATURE: Tell = tell!(temperature, Value::as_f64);
const TOP_P: Tell = tell!(top_p, Value::as_f64);
const TOP_K: Tell = tell!(top_k, Value::as_f64);
const FREQUENCY: Tell = tell!(frequency_penalty, Value::as_f64);
const PRESENCE: Tell = tell!(presence_penalty, Value::as_f64);
const SEED: Tell = tell!(seed, Value::as_i64);
const CHOICES: Tell = tell!(choice_count, whole);
const TIER: Tell = tell!(service_tier, Value::as_str);
const OUTPUT: Tell = tell!(output_type, output);
const ENCODING: Tell = tell!(encoding_format, Value::as_str);
const DIMENSIONS: Tell = tell!(dimensions, whole);
const PREVIOUS: Tell = tell!(previous_response, Value::as_str);
const CONVERSATION: Tell = tell!(conversation, Value::as_str);
const LEVEL: Tell = |value, told| match value {
    Value::String(level) => told.reasoning_level(level),
    Value::Number(tokens) => told.reasoning_level(&tokens.to_string()),
    _ => {}
};
const STOPS: Tell = |value, told| {
    for stop in value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        told.stop_sequence(stop);
    }
};
const STOP: Tell = |value, told| match value {
    Value::String(stop) => told.stop_sequence(stop),
    value => STOPS(value, told),
};
const MODALITIES: Tell = |value, told| {
    for kind in value.as_array().into_iter().flatten().filter_map(output) {
        if kind != "text" {
            told.output_type(kind);
        }
    }
};

const OPENAI: &[(&str, Tell)] = &[
    ("model", MODEL),
    ("stream", STREAM),
    ("stream_options.include_usage", USAGE),
    ("max_tokens", MAX),
    ("max_completion_tokens", MAX),
    ("temperature", TEMPERATURE),
    ("top_p", TOP_P),
    ("top_k", TOP_K),
    ("frequency_penalty", FREQUENCY),
    ("presence_penalty", PRESENCE),
    ("seed", SEED),
    ("n", CHOICES),
    ("stop", STOP),
    ("service_tier", TIER),
    ("reasoning_effort", LEVEL),
    ("reasoning.effort", LEVEL),
    ("reasoning.max_tokens", LEVEL),
    ("response_format.type", OUTPUT),
    ("modalities", MODALITIES),
    ("encoding_format", ENCODING),
    ("dimensions", DIMENSIONS),
];

const RESPONSES: &[(&str, Tell)] = &[
    ("model", MODEL),
    ("stream", STREAM),
    ("max_output_tokens", MAX),
    ("temperature", TEMPERATURE),
    ("top_p", TOP_P),
    ("service_tier", TIER),
    ("reasoning.effort", LEVEL),
    ("text.format.type", OUTPUT),
    ("previous_response_id", PREVIOUS),
    ("conversation", CONVERSATION),
    ("conversation.id", CONVERSATION),
];

const ANTHROPIC: &[(&str, Tell)] = &[
    ("model", MODEL),
    ("stream", STREAM),
    ("max_tokens", MAX),
    ("temperature", TEMPERATURE),
    ("top_p", TOP_P),
    ("top_k", TOP_K),
    ("stop_sequences", STOPS),
    ("service_tier", TIER),
    ("thinking.budget_tokens", LEVEL),
    ("output_config.effort", LEVEL),
    ("output_config.format.type", OUTPUT),
    ("output_format.type", OUTPUT),
];

const GEMINI: &[(&str, Tell)] = &[
    ("generationConfig.maxOutputTokens", MAX),
    ("generationConfig.temperature", TEMPERATURE),
    ("generationConfig.topP", TOP_P),
    ("generationConfig.topK", TOP_K),
    ("generationConfig.frequencyPenalty", FREQUENCY),
    ("generationConfig.presencePenalty", PRESENCE),
    ("generationConfig.seed", SEED),
    ("generationConfig.candidateCount", CHOICES),
    ("generationConfig.stopSequences", STOPS),
    ("generationConfig.responseMimeType", OUTPUT),
    ("generationConfig.responseModalities", MODALITIES),
    ("generationConfig.thinkingConfig.thinkingBudget", LEVEL),
    ("generationConfig.thinkingConfig.thinkingLevel", LEVEL),
    ("serviceTier", TIER),
    ("outputDimensionality", DIMENSIONS),
];

const CONVERSE: &[(&str, Tell)] = &[
    ("inferenceConfig.maxTokens", MAX),
    ("inferenceConfig.temperature", TEMPERATURE),
    ("inferenceConfig.topP", TOP_P),
    ("inferenceConfig.topK", TOP_K),
    ("inferenceConfig.stopSequences", STOPS),
    ("additionalModelRequestFields.top_k", TOP_K),
    ("additionalModelRequestFields.topK", TOP_K),
    ("additionalModelRequestFields.inferenceConfig.topK", TOP_K),
    ("additionalModelRequestFields.inferenceConfig.topP", TOP_P),
    (
        "additionalModelRequestFields.inferenceConfig.maxTokens",
        MAX,
    ),
    (
        "additionalModelRequestFields.inferenceConfig.temperature",
        TEMPERATURE,
    ),
    (
        "additionalModelRequestFields.inferenceConfig.stopSequences",
        STOPS,
    ),
    ("additionalModelRequestFields.thinking.budget_tokens", LEVEL),
    (
        "additionalModelRequestFields.reasoning_config.budget_tokens",
        LEVEL,
    ),
    ("additionalModelRequestFields.reasoning_effort", LEVEL),
    ("serviceTier.type", TIER),
    ("outputConfig.textFormat.type", OUTPUT),
];

fn expected(paths: &[(&str, Tell)], request: &Value) -> Told {
    let mut told = Told::default();
    for (path, tell) in paths {
        let found = path
            .split('.')
            .try_fold(request, |value, key| value.as_object()?.get(key));
        if let Some(value) = found {
            tell(value, &mut told);
        }
    }
    told.0.sort();
    told
}

/// A value that holds no others.
fn leaf() -> impl Strategy<Value = Value> + Clone {
    const WORDS: [&str; 7] = [
        "gpt-4o",
        "text",
        "json_object",
        "audio",
        "IMAGE",
        "",
        "\u{1f600}\"\\\n",
    ];
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => (-9_i64..9000).prop_map(Value::from),
        1 => select(vec![0.5, 1.0, -2.25, 0.0]).prop_map(Value::from),
        3 => select(WORDS.to_vec()).prop_map(Value::from),
        1 => "[ -~\u{e9}\u{1f600}]{0,20}".prop_map(Value::from),
    ]
}

/// A value in which these names stand wherever they like.
fn value(paths: &'static [(&'static str, Tell)]) -> impl Strategy<Value = Value> {
    let names: Vec<_> = paths.iter().flat_map(|(path, _)| path.split('.')).collect();
    let name = prop_oneof![
        9 => select(names).prop_map(str::to_owned),
        1 => "[a-z\"\\\\\u{e9}]{0,12}",
    ];
    leaf().prop_recursive(3, 24, 5, move |inner| {
        let pairs = prop::collection::vec((name.clone(), inner.clone()), 0..5);
        prop_oneof![
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
            4 => pairs.prop_map(|pairs| Value::from(Map::from_iter(pairs))),
        ]
    })
}

/// A request in which each path stands with some likelihood, and other values beside and within.
fn request(paths: &'static [(&'static str, Tell)]) -> impl Strategy<Value = Value> {
    let one = prop_oneof![
        3 => leaf(),
        1 => prop::collection::vec(leaf(), 0..4).prop_map(Value::from),
        1 => value(paths),
    ];
    let each = prop::collection::vec((select(paths.to_vec()), one), 0..9);
    (value(paths), each).prop_map(|(mut request, each)| {
        for ((path, _), value) in each {
            let mut at = &mut request;
            for key in path.split('.') {
                if !at.is_object() {
                    *at = Value::from(Map::new());
                }
                let object = at.as_object_mut().expect("an object");
                at = object.entry(key).or_insert(Value::Null);
            }
            *at = value;
        }
        request
    })
}

fn holds(wire: Wire, paths: &[(&str, Tell)], request: &Value, pretty: bool) {
    let text = match pretty {
        true => serde_json::to_string_pretty(request),
        false => serde_json::to_string(request),
    };
    let text = text.expect("JSON");
    let mut told = read(wire, [text.as_bytes()]);
    assert_eq!(read(wire, text.as_bytes().chunks(3)), told);
    told.0.sort();
    assert_eq!(told, expected(paths, request), "{text}");
}

/// The generator reaches every path with a value that is told: or the properties below would show less than they say.
#[test]
fn every_path_is_reached() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    for paths in [OPENAI, RESPONSES, ANTHROPIC, GEMINI, CONVERSE] {
        let mut runner = TestRunner::deterministic();
        let mut left: Vec<_> = paths.to_vec();
        for _ in 0..5000 {
            let request = request(paths)
                .new_tree(&mut runner)
                .expect("a tree")
                .current();
            left.retain(|path| expected(&[*path], &request).0.is_empty());
            if left.is_empty() {
                break;
            }
        }
        let left: Vec<_> = left.iter().map(|(path, _)| *path).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

proptest! {
    #[test]
    fn openai(request in request(OPENAI), pretty: bool) {
        holds(Wire::OpenAiChat, OPENAI, &request, pretty);
    }

    #[test]
    fn responses(request in request(RESPONSES), pretty: bool) {
        holds(Wire::OpenAiResponses, RESPONSES, &request, pretty);
    }

    #[test]
    fn anthropic(request in request(ANTHROPIC), pretty: bool) {
        holds(Wire::AnthropicMessages, ANTHROPIC, &request, pretty);
    }

    #[test]
    fn gemini(request in request(GEMINI), pretty: bool) {
        holds(Wire::Gemini, GEMINI, &request, pretty);
    }

    #[test]
    fn converse(request in request(CONVERSE), pretty: bool) {
        holds(Wire::BedrockConverse, CONVERSE, &request, pretty);
    }
}
