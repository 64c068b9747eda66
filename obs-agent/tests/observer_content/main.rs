//! What runs say is recorded where it is asked for, within caps, without secrets, and nowhere else.

#[path = "../observer/support.rs"]
#[expect(dead_code, reason = "others use the rest")]
mod support;

mod caps;
mod leaks;

use obs_agent::{AgentObserver, Component, Handlers, Input, Item, Output, RunParent, Text};
use obs_core::Body;
use obs_core::redact::Patterns;
use obs_llm::Dialect;
use obs_llm::content::Capture as Content;
use obs_llm::wire::Content as Piece;
use obs_testing::{AttrValue, Capture, CapturedRecord};
use support::{of, start};

const SECRET: &str = "sk-proj-4fJq9ZxW2mPz7LkT";

fn observed(capture: &Capture, content: Content, dialect: Dialect) -> Handlers {
    let observer = AgentObserver::new(capture.telemetry());
    Handlers::new().with(observer.with_dialect(dialect).with_content(content))
}

fn captured() -> Capture {
    Capture::builder()
        .with(|builder| builder.with_redactor(Patterns::new()))
        .build()
}

fn text(record: &CapturedRecord, key: &str) -> Option<String> {
    match record.attr(key) {
        Some(AttrValue::Str(text)) => Some(text.to_string()),
        None => None,
        other => panic!("{key}: {other:?}"),
    }
}

/// What each component says, at its beginning and its end, and under which keys.
fn all(
    dialect: Dialect,
) -> Vec<(
    Component,
    Input<'static>,
    Output<'static>,
    [&'static str; 2],
)> {
    let by = |v1_41, main| match dialect {
        Dialect::Main => main,
        _ => v1_41,
    };
    let json = |text| Some(Text::Json(text));
    let plain = |text| Some(Text::Plain(text));
    vec![
        (
            Component::Tool,
            Input::Tool(of!(input::ToolInput {
                arguments: json(r#"{"said":"Rosebud"}"#)
            })),
            Output::Tool(of!(output::ToolOutput {
                result: plain("Xanadu")
            })),
            ["gen_ai.tool.call.arguments", "gen_ai.tool.call.result"],
        ),
        (
            Component::Retriever,
            Input::Retriever(of!(input::RetrieverInput {
                query: plain("Rosebud")
            })),
            Output::Documents(of!(output::DocumentsOutput {
                documents: json(r#"[{"id":"Xanadu","score":0.5}]"#)
            })),
            ["gen_ai.retrieval.query.text", "gen_ai.retrieval.documents"],
        ),
        (
            Component::Memory,
            Input::Memory(of!(input::MemoryInput {
                query: plain("Rosebud")
            })),
            Output::Memory(of!(output::MemoryOutput {
                records: json(r#"[{"id":"Xanadu"}]"#)
            })),
            [
                by("obs.agent.memory.query.text", "gen_ai.memory.query.text"),
                by("obs.agent.memory.records", "gen_ai.memory.records"),
            ],
        ),
        (
            Component::Mcp,
            Input::Mcp(of!(input::McpInput {
                method: "tools/call",
                arguments: json(r#"{"said":"Rosebud"}"#),
            })),
            Output::Mcp(of!(output::McpOutput {
                result: json(r#"{"content":"Xanadu"}"#)
            })),
            ["gen_ai.tool.call.arguments", "gen_ai.tool.call.result"],
        ),
        // What calls no tool has no arguments of one.
        (
            Component::Mcp,
            Input::Mcp(of!(input::McpInput {
                method: "prompts/get",
                arguments: json(r#"{"said":"Rosebud"}"#),
            })),
            Output::Mcp(of!(output::McpOutput {
                result: json(r#"{"content":"Xanadu"}"#)
            })),
            ["obs.agent.input", "obs.agent.output"],
        ),
        (
            Component::Agent,
            Input::Agent(of!(input::AgentInput {
                messages: plain("Rosebud")
            })),
            Output::Agent(of!(output::AgentOutput {
                messages: json(
                    r#"[{"role":"assistant","parts":[{"type":"text","content":"Xanadu"}]}]"#
                )
            })),
            ["gen_ai.input.messages", "gen_ai.output.messages"],
        ),
        (
            Component::Prompt,
            Input::Prompt(of!(input::PromptInput {
                variables: json(r#"{"who":"Rosebud"}"#)
            })),
            Output::Node(of!(output::NodeOutput {
                value: plain("Xanadu")
            })),
            ["obs.agent.input", "obs.agent.output"],
        ),
        (
            Component::Workflow,
            Input::Node(of!(input::NodeInput {
                value: plain("Rosebud")
            })),
            Output::Node(of!(output::NodeOutput {
                value: plain("Xanadu")
            })),
            ["obs.agent.input", "obs.agent.output"],
        ),
    ]
}

#[test]
fn each_component_says_what_it_began_and_ended_with() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let capture = captured();
        let handlers = observed(&capture, Content::spans_and_events(), dialect);
        for (component, input, output, keys) in all(dialect) {
            start(&handlers, component, "a", RunParent::Root, &input).end(&output);
            let record = capture.record();
            let events = capture.log_events();
            let said = keys.map(|key| text(&record, key).unwrap_or_else(|| panic!("{key}")));
            assert!(said[0].contains("Rosebud"), "{component}: {said:?}");
            assert!(said[1].contains("Xanadu"), "{component}: {said:?}");
            assert_eq!(events.len(), 2, "{component}");
            for (event, key) in events.iter().zip(keys) {
                assert_eq!(event.name, "obs.agent.details");
                let schema = event.scope.map(|scope| scope.schema_url);
                let expect = match dialect {
                    Dialect::Main => obs_core::semconv::gen_ai::SCHEMA_URL_MAIN,
                    _ => obs_core::semconv::gen_ai::SCHEMA_URL,
                };
                assert_eq!(schema, Some(expect));
                assert_eq!(event.span_id, Some(record.span_id));
                assert_eq!(event.structured[0].0.as_str(), key);
            }
            capture.clear();
        }
    }
}

#[test]
fn nothing_is_said_unless_it_is_asked_for() {
    let capture = captured();
    let observers = [
        AgentObserver::new(capture.telemetry()),
        AgentObserver::new(capture.telemetry()).with_content(Content::off()),
    ];
    for observer in observers {
        let handlers = Handlers::new().with(observer.with_dialect(Dialect::V1_41));
        for (component, input, output, keys) in all(Dialect::V1_41) {
            start(&handlers, component, "a", RunParent::Root, &input).end(&output);
            let record = capture.record();
            for key in keys {
                assert_eq!(record.attr(key), None, "{component}");
            }
            assert!(capture.log_events().is_empty());
            capture.clear();
        }
        // What has to be made first is not made.
        let dear = |_: &mut String| panic!("nobody asked");
        let input = of!(input::ToolInput {
            arguments: Some(Text::JsonBy(&dear))
        });
        let run = start(
            &handlers,
            Component::Tool,
            "a",
            RunParent::Root,
            &Input::Tool(input),
        );
        run.end(&Output::Tool(Default::default()));
        capture.clear();
        assert_eq!(handlers.panics(), 0);
    }
}

/// Whoever made a text panics: the run goes on, and ends as it ends.
#[test]
fn a_text_that_cannot_be_made_is_left_out() {
    let capture = captured();
    let handlers = observed(&capture, Content::spans(), Dialect::V1_41);
    let broken = |_: &mut String| panic!("as the test wants");
    let input = of!(input::ToolInput {
        arguments: Some(Text::JsonBy(&broken))
    });
    let run = start(
        &handlers,
        Component::Tool,
        "a",
        RunParent::Root,
        &Input::Tool(input),
    );
    run.end(&Output::Tool(of!(output::ToolOutput {
        result: Some(Text::Plain("done"))
    })));
    let record = capture.record();
    assert_eq!(record.attr("gen_ai.tool.call.arguments"), None);
    let result = text(&record, "gen_ai.tool.call.result");
    assert_eq!(result.as_deref(), Some("done"));
    assert_eq!(handlers.panics(), 0);
}

/// The same of a model's, at each place where it says something: what can be made is told, and the call ends as it ends.
#[test]
fn a_models_text_that_cannot_be_made_is_left_out() {
    let broken = |_: &mut String| panic!("as the test wants");
    let broken = Text::PlainBy(&broken);
    let whole = Text::Plain("whole");
    for at in 0..4 {
        let text_at = |place| if at == place { broken } else { whole };
        let capture = captured();
        let handlers = observed(&capture, Content::spans(), Dialect::V1_41);
        let input = Input::Model(of!(input::ModelInput {
            system: Some(text_at(0)),
            messages: Some(text_at(1)),
        }));
        let asked =
            |input: &Input<'_>| start(&handlers, Component::Model, "", RunParent::Root, input);
        let mut run = asked(&input);
        run.begin_output();
        run.item(&Item::Model(of!(output::ModelChunk {
            content: Some(Piece::Text),
            text: Some(text_at(2)),
        })));
        run.end(&Output::Streamed);
        let streamed = capture.record();
        capture.clear();
        asked(&input).end(&Output::Model(of!(output::ModelOutput {
            messages: Some(text_at(3))
        })));
        assert_eq!(handlers.panics(), 0, "{at}");
        for (record, broken_output) in [(streamed, 2), (capture.record(), 3)] {
            assert!(!record.outcome.is_error(), "{at}: {record:?}");
            for (key, place) in [
                ("gen_ai.system_instructions", 0),
                ("gen_ai.input.messages", 1),
                ("gen_ai.output.messages", broken_output),
            ] {
                let told = text(&record, key).unwrap_or_default();
                assert_eq!(told.contains("whole"), at != place, "{at} {key}: {told}");
            }
        }
    }
}

#[test]
fn secrets_are_in_no_text_and_in_no_place() {
    let capture = captured();
    let handlers = observed(&capture, Content::spans_and_events(), Dialect::V1_41);
    let arguments = format!(r#"{{"deep":[{{"key":"{SECRET}"}}],"n":1}}"#);
    let input = of!(input::ToolInput {
        arguments: Some(Text::Json(&arguments))
    });
    let run = start(
        &handlers,
        Component::Tool,
        "a",
        RunParent::Root,
        &Input::Tool(input),
    );
    let result = format!("{} {SECRET}", "word ".repeat(10));
    run.end(&Output::Tool(of!(output::ToolOutput {
        result: Some(Text::Plain(&result))
    })));
    let told = format!("{:?} {:?}", capture.record(), capture.log_events());
    assert!(!told.contains("4fJq9ZxW"), "{told}");
    assert!(
        told.contains("word word") && told.contains("REDACTED"),
        "{told}"
    );
}

#[test]
fn what_is_too_long_is_cut_and_stays_json() {
    let capture = captured();
    let content = Content::spans_and_events()
        .with_attribute_bytes(600)
        .with_text_bytes(64);
    let handlers = observed(&capture, content, Dialect::V1_41);
    let documents: Vec<_> = (0..100)
        .map(|n| format!(r#"{{"id":"doc-{n}","text":"{}"}}"#, "é\\\"x ".repeat(n)))
        .collect();
    let documents = format!("[{}]", documents.join(","));
    let run = start(
        &handlers,
        Component::Retriever,
        "a",
        RunParent::Root,
        &Input::Retriever(Default::default()),
    );
    run.end(&Output::Documents(of!(output::DocumentsOutput {
        documents: Some(Text::Json(&documents))
    })));
    let record = capture.record();
    let told = text(&record, "gen_ai.retrieval.documents").expect("there");
    assert!(told.len() <= 600, "{}", told.len());
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let told = told.as_array().expect("a list");
    assert_eq!(told[0]["id"], "doc-0", "the first ones stay");
    assert!(1 < told.len() && told.len() < 100);
    let Some(AttrValue::Int(cut)) = record.attr("obs.llm.content.cut") else {
        panic!("{record:?}");
    };
    assert!(*cut > 1000, "{cut}");
    // The event has them all, each text within its cap.
    let events = capture.log_events();
    let Body::List(all) = &events[0].structured[0].1 else {
        panic!("{events:?}");
    };
    assert_eq!(all.len(), 100);
}

/// What says that it is JSON and is none is a text.
#[test]
fn no_json_is_text() {
    let capture = captured();
    let handlers = observed(&capture, Content::spans(), Dialect::V1_41);
    for said in ["{not json", "", "\u{0}\u{1}", "[1,2"] {
        let input = of!(input::ToolInput {
            arguments: Some(Text::Json(said))
        });
        let run = start(
            &handlers,
            Component::Tool,
            "a",
            RunParent::Root,
            &Input::Tool(input),
        );
        run.end(&Output::Tool(Default::default()));
        let record = capture.take_records().remove(0);
        let told = text(&record, "gen_ai.tool.call.arguments");
        assert_eq!(told.as_deref(), Some(said));
    }
}

/// What a model is asked and answers is told as obs-llm tells it, from its pieces.
#[test]
fn a_streamed_answer_is_whole_in_the_end() {
    let capture = captured();
    let handlers = observed(&capture, Content::spans_and_events(), Dialect::V1_41);
    let input = of!(input::ModelInput {
        system: Some(Text::Plain("Be brief.")),
        messages: Some(Text::Json(
            r#"[{"role":"user","parts":[{"type":"text","content":"Rain?"}]}]"#
        )),
    });
    let mut run = start(
        &handlers,
        Component::Model,
        "",
        RunParent::Root,
        &Input::Model(input),
    );
    run.begin_output();
    for (kind, piece) in [
        (Piece::Reasoning, "I should "),
        (Piece::Reasoning, "look."),
        (Piece::Text, "Let me "),
        (Piece::Text, "see."),
    ] {
        run.item(&Item::Model(of!(output::ModelChunk {
            content: Some(kind),
            text: Some(Text::Plain(piece)),
        })));
    }
    let call = obs_agent::output::ToolRequest::new("weather", Some("call_1"));
    run.item(&Item::Model(of!(output::ModelChunk {
        content: Some(Piece::ToolCall),
        tool_call: Some(call),
    })));
    for piece in [r#"{"city":"#, r#""Rome"}"#] {
        run.item(&Item::Model(of!(output::ModelChunk {
            content: Some(Piece::ToolCall),
            text: Some(Text::Plain(piece)),
        })));
    }
    run.item(&Item::Model(of!(output::ModelChunk {
        finish_reason: Some("tool_calls")
    })));
    run.end(&Output::Streamed);
    let record = capture.record();
    let told = |key| text(&record, key).unwrap_or_else(|| panic!("{key}: {record:?}"));
    let json = |key| serde_json::from_str::<serde_json::Value>(&told(key)).expect("JSON");
    assert_eq!(
        json("gen_ai.output.messages"),
        serde_json::json!([{"role": "assistant", "finish_reason": "tool_calls", "parts": [
            {"type": "reasoning", "content": "I should look."},
            {"type": "text", "content": "Let me see."},
            {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Rome"}},
        ]}])
    );
    assert_eq!(
        json("gen_ai.input.messages"),
        serde_json::json!([{"role": "user", "parts": [{"type": "text", "content": "Rain?"}]}])
    );
    assert_eq!(
        json("gen_ai.system_instructions"),
        serde_json::json!([{"type": "text", "content": "Be brief."}])
    );
    let events = capture.log_events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].name, "gen_ai.client.inference.operation.details");
}

#[test]
fn an_answer_in_one_piece_has_its_messages() {
    let capture = captured();
    let handlers = observed(&capture, Content::spans(), Dialect::V1_41);
    let run = start(
        &handlers,
        Component::Model,
        "",
        RunParent::Root,
        &Input::Model(Default::default()),
    );
    run.end(&Output::Model(of!(output::ModelOutput {
        finish_reasons: &["stop"],
        messages: Some(Text::Plain("No rain.")),
    })));
    let record = capture.record();
    let told = text(&record, "gen_ai.output.messages").expect("there");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let expect = serde_json::json!([{"role": "assistant", "finish_reason": "stop",
        "parts": [{"type": "text", "content": "No rain."}]}]);
    assert_eq!(told, expect);
}

/// An agent's instructions are parts; and a flood of a stream is held within the call's cap.
#[test]
fn instructions_are_parts_and_a_flood_is_capped() {
    let capture = captured();
    let content = Content::spans().with_call_bytes(1000);
    let handlers = observed(&capture, content, Dialect::V1_41);
    let input = of!(input::AgentInput {
        system: Some(Text::Plain("Be kind."))
    });
    let outer = start(
        &handlers,
        Component::Agent,
        "a",
        RunParent::Root,
        &Input::Agent(input),
    );
    outer.end(&Output::Agent(Default::default()));
    let record = capture.take_records().remove(0);
    let told = text(&record, "gen_ai.system_instructions").expect("there");
    assert_eq!(told, r#"[{"type":"text","content":"Be kind."}]"#);

    let model = Input::Model(Default::default());
    let mut run = start(&handlers, Component::Model, "", RunParent::Root, &model);
    run.begin_output();
    for _ in 0..1000 {
        run.item(&Item::Model(of!(output::ModelChunk {
            content: Some(Piece::Text),
            text: Some(Text::Plain("0123456789")),
        })));
    }
    run.end(&Output::Streamed);
    let record = capture.record();
    let told = text(&record, "gen_ai.output.messages").expect("there");
    assert!(told.len() < 1200, "{}", told.len());
    let Some(AttrValue::Int(cut)) = record.attr("obs.llm.content.cut") else {
        panic!("{record:?}");
    };
    assert!((9000..10_000).contains(cut), "{cut}");
}

#[track_caller]
fn text_of(record: &CapturedRecord, key: &str) -> String {
    text(record, key).unwrap_or_else(|| panic!("{key}: {record:?}"))
}
