//! What is said in a span, as messages and texts, by what each dialect's documentation shows.

use super::said::{Said, span};
use obs_agent::normalise::Value::{self, Int, Str};
use obs_agent::normalise::{Content, Side};

fn messages(side: Side, said: &[(&str, Value<'_>)]) -> Option<String> {
    let mut out = String::new();
    let said = Said(said);
    span("any", "", &said)
        .messages(side, &mut out)
        .then_some(out)
}

#[test]
fn messages_of_each_dialect() {
    let whole = r#"[{"role":"user","parts":[]}]"#;
    assert_eq!(
        messages(Side::Input, &[("gen_ai.input.messages", Str(whole))]).as_deref(),
        Some(whole)
    );
    assert_eq!(
        messages(
            Side::Input,
            &[
                ("gen_ai.prompt.0.role", Str("system")),
                ("gen_ai.prompt.0.content", Str("Be \"kind\".\n")),
                ("gen_ai.prompt.1.role", Str("user")),
                ("gen_ai.prompt.3.role", Str("user")),
            ],
        )
        .as_deref(),
        Some(
            r#"[{"role":"system","parts":[{"type":"text","content":"Be \"kind\".\n"}]},{"role":"user","parts":[{"type":"text","content":""}]}]"#
        )
    );
    assert_eq!(
        messages(
            Side::Output,
            &[
                ("llm.output_messages.0.message.role", Str("assistant")),
                ("llm.output_messages.0.message.content", Str("Hello")),
            ],
        )
        .as_deref(),
        Some(r#"[{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#)
    );
    for (side, key, role) in [
        (Side::Input, "ai.prompt", "user"),
        (Side::Input, "traceloop.entity.input", "user"),
        (Side::Input, "input.value", "user"),
        (Side::Output, "ai.response.text", "assistant"),
        (Side::Output, "output.value", "assistant"),
    ] {
        let expect =
            format!(r#"[{{"role":"{role}","parts":[{{"type":"text","content":"a\u0001b"}}]}}]"#);
        assert_eq!(
            messages(side, &[(key, Str("a\u{1}b"))]),
            Some(expect),
            "{key}"
        );
    }
    assert_eq!(messages(Side::Output, &[("input.value", Str("x"))]), None);
}

#[test]
fn what_else_is_said() {
    let said = Said(&[
        ("ai.toolCall.args", Str("{\"city\":\"Oslo\"}")),
        ("output.value", Int(7)),
        ("gen_ai.system_instructions", Str("Be kind.")),
        ("gen_ai.retrieval.query.text", Str("fjords")),
        ("gen_ai.retrieval.documents", Str("[]")),
    ]);
    let span = span("any", "", &said);
    for (content, expect) in [
        (Content::Arguments, "{\"city\":\"Oslo\"}"),
        (Content::Result, "7"),
        (Content::Instructions, "Be kind."),
        (Content::Query, "fjords"),
        (Content::Documents, "[]"),
    ] {
        assert_eq!(
            span.content(content).as_deref(),
            Some(expect),
            "{content:?}"
        );
    }
}
