//! What holds in any dialect: which of several names counts, how numbers come, what is part of what.

use super::said::{Said, show, span};
use super::table::check;
use obs_agent::normalise::Value::{Bool, Float, Int, Str};

#[test]
fn a_name_alone_is_meant_where_more_is_said() {
    check(
        "any",
        "chat gpt-4o",
        &[("gen_ai.system", Str("openai"))],
        "Chat provider=openai",
    );
    check(
        "any",
        "execute_tool add",
        &[("gen_ai.tool.name", Str("add"))],
        "ExecuteTool tool=add",
    );
    check("any", "chat with a friend", &[], "nothing");
    check(
        "any",
        "GET /",
        &[("gen_ai.system", Str("openai"))],
        "nothing",
    );
}

#[test]
fn providers_by_the_conventions_words() {
    let provider = |text| {
        let said = [
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.system", Str(text)),
        ];
        let said = Said(&said);
        let reading = span("any", "", &said).read().expect("it is one");
        reading.provider.expect("it is said").into_owned()
    };
    for (theirs, ours) in [
        ("az.ai.openai", "azure.ai.openai"),
        ("az.ai.inference", "azure.ai.inference"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("google.generative-ai", "gcp.gemini"),
        ("amazon-bedrock", "aws.bedrock"),
        ("mistral.chat", "mistral_ai"),
        ("xai.responses", "x_ai"),
        ("OpenAI", "openai"),
        ("deepseek", "deepseek"),
        ("my-gateway", "my-gateway"),
    ] {
        assert_eq!(provider(theirs), ours, "{theirs}");
    }
}

#[test]
fn numbers_come_as_they_come() {
    let tokens = |value| {
        let said = [
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.usage.input_tokens", value),
        ];
        show(&span("any", "", &Said(&said)))
    };
    for (value, expect) in [
        (Int(12), "Chat Input=12"),
        (Float(12.0), "Chat Input=12"),
        (Str(" 12 "), "Chat Input=12"),
        (Str("1.2e1"), "Chat Input=12"),
        (Int(-1), "Chat"),
        (Float(f64::NAN), "Chat"),
        (Float(0.5), "Chat"),
        (Str("many"), "Chat"),
        (Bool(true), "Chat"),
        (Int(i64::MAX), "Chat Input=4294967295"),
    ] {
        assert_eq!(tokens(value), expect, "{value:?}");
    }
    // What is no number leaves the next name its turn.
    check(
        "any",
        "",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.usage.input_tokens", Str("")),
            ("gen_ai.usage.prompt_tokens", Int(4)),
        ],
        "Chat Input=4",
    );
}

#[test]
fn parts_that_are_more_than_their_total_are_not_in_it() {
    check(
        "any",
        "",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.usage.input_tokens", Int(3)),
            ("gen_ai.usage.cache_read.input_tokens", Int(40)),
            ("gen_ai.usage.output_tokens", Int(5)),
            ("gen_ai.usage.reasoning.output_tokens", Int(6)),
        ],
        "Chat Input=43 Output=11 CacheRead=40 Reasoning=6",
    );
}

#[test]
fn a_servers_time_is_another() {
    check(
        "vllm",
        "llm_request",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.latency.time_to_first_token", Float(0.1)),
            ("gen_ai.response.time_to_first_token", Float(-1.0)),
        ],
        "Chat server_first=0.1s",
    );
}
