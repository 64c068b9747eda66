//! Where nobody asks for content nothing of it is anywhere: on no span, in no event, in no metric, in no `Debug`.

use crate::support::{of, start};
use crate::{all, captured};
use obs_agent::output::ToolRequest;
use obs_agent::{
    AgentObserver, Component, Handlers, Input, Item, Output, RunEnd, RunError, RunParent, Text,
};
use obs_llm::content::Capture as Content;
use obs_llm::wire::Content as Piece;
use obs_llm::{Dialect, Llm};
use obs_testing::Capture;

/// What is said in all that follows, and nowhere else.
const SAID: &str = "hunter2";

/// A model's, which `all` has not.
fn model() -> (Input<'static>, Output<'static>) {
    let input = of!(input::ModelInput {
        system: Some(Text::Plain(SAID)),
        messages: Some(Text::Json(
            r#"[{"role":"user","parts":[{"type":"text","content":"hunter2"}]}]"#
        )),
    });
    let output = of!(output::ModelOutput {
        messages: Some(Text::Plain(SAID))
    });
    (Input::Model(input), Output::Model(output))
}

/// Everything that somebody may see of it.
fn shown(capture: &Capture) -> String {
    let page = capture.telemetry().prometheus();
    let (records, events) = (capture.records(), capture.log_events());
    format!("{records:?} {events:?} {:?} {page}", capture.points())
}

fn observers(capture: &Capture, dialect: Dialect) -> [AgentObserver; 2] {
    let new = || AgentObserver::new(capture.telemetry()).with_dialect(dialect);
    let off = Llm::new(capture.telemetry()).with_content(Content::off());
    [new(), new().with_llm(&off.with_dialect(dialect))]
}

/// Errors whose text, kind or both hold what a user said; and an error that is none of the list.
fn errors() -> Vec<RunError<'static>> {
    let ends = [
        RunEnd::Failed,
        RunEnd::Cancelled,
        RunEnd::TimedOut,
        RunEnd::Panicked,
    ];
    let kinds = ["", SAID, "tool_error", "503", "-32602"];
    let errors = ends.into_iter().flat_map(|end| {
        kinds.into_iter().map(move |kind| {
            let mut error = RunError::failed(kind).with_message(&SAID);
            error.end = end;
            error
        })
    });
    errors.collect()
}

#[test]
fn what_fails_says_nothing_of_what_was_said() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let capture = captured();
        for observer in observers(&capture, dialect) {
            let handlers = Handlers::new().with(observer);
            let said = Text::Plain(SAID);
            let runs = all(dialect).into_iter();
            let runs = runs.map(|(component, input, ..)| (component, input));
            let more = [
                (Component::Model, model().0),
                (
                    Component::Loader,
                    Input::Loader(of!(input::LoaderInput { source: Some(said) })),
                ),
                (
                    Component::Lambda,
                    Input::Node(of!(input::NodeInput { value: Some(said) })),
                ),
                (
                    Component::Mcp,
                    Input::Mcp(of!(input::McpInput {
                        method: SAID,
                        transport: Some(SAID),
                        arguments: Some(said),
                    })),
                ),
            ];
            for (component, input) in runs.chain(more) {
                for error in errors() {
                    start(&handlers, component, "a", RunParent::Root, &input).fail(&error);
                }
            }
            let shown = shown(&capture).to_lowercase();
            assert!(shown.contains("tool_error") && shown.contains("_other"));
            // As the test says it and as `all` does.
            for said in [SAID, "rosebud"] {
                assert!(!shown.contains(said), "{said}: {shown}");
            }
        }
    }
}

#[test]
fn what_is_answered_says_nothing_of_what_was_said() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let capture = captured();
        for observer in observers(&capture, dialect) {
            let handlers = Handlers::new().with(observer);
            for (component, input, output, _) in all(dialect) {
                start(&handlers, component, "a", RunParent::Root, &input).end(&output);
            }
            let (input, output) = model();
            let begin = || start(&handlers, Component::Model, "", RunParent::Root, &input);
            begin().end(&output);
            let mut streamed = begin();
            streamed.begin_output();
            for kind in [Piece::Text, Piece::Reasoning, Piece::ToolCall] {
                streamed.item(&Item::Model(of!(output::ModelChunk {
                    content: Some(kind),
                    text: Some(Text::Plain(SAID)),
                    tool_call: Some(ToolRequest::new("weather", Some("call_1"))),
                })));
            }
            streamed.item(&Item::Node(of!(output::NodeOutput {
                value: Some(Text::Plain(SAID))
            })));
            streamed.end(&Output::Streamed);
            let shown = shown(&capture);
            assert!(shown.contains("weather"), "what was decided is told");
            for said in [SAID, "Rosebud", "Xanadu"] {
                assert!(!shown.contains(said), "{said}: {shown}");
            }
        }
    }
}

#[test]
fn debug_says_nothing_of_what_was_said() {
    let (asked, answered) = model();
    let chunk = Item::Model(of!(output::ModelChunk {
        text: Some(Text::Plain(SAID))
    }));
    let made = |out: &mut String| out.push_str(SAID);
    let mut shown = format!("{asked:?} {answered:?} {chunk:?} {:?}", Text::JsonBy(&made));
    for dialect in [Dialect::V1_41, Dialect::Main] {
        for (_, input, output, _) in all(dialect) {
            shown.push_str(&format!("{input:?} {output:?}"));
        }
    }
    for error in errors() {
        let mut error = error;
        error.kind = "";
        shown.push_str(&format!("{error:?}"));
    }
    let capture = captured();
    let handlers = Handlers::new()
        .with(AgentObserver::new(capture.telemetry()).with_content(Content::spans()));
    let run = start(&handlers, Component::Model, "", RunParent::Root, &asked);
    shown.push_str(&format!("{run:?} {:?} {handlers:?}", run.reference()));
    run.end(&answered);
    for said in [SAID, "Rosebud", "Xanadu"] {
        assert!(!shown.contains(said), "{said}: {shown}");
    }
}

/// Where content is asked for, it is on spans or in events, and still in no metric and in no text of an error.
#[test]
fn what_is_asked_for_is_in_no_metric() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        for content in [Content::spans(), Content::events()] {
            let capture = captured();
            let observer = AgentObserver::new(capture.telemetry());
            let observer = observer.with_dialect(dialect).with_content(content);
            let handlers = Handlers::new().with(observer);
            for (component, input, output, _) in all(dialect) {
                start(&handlers, component, "a", RunParent::Root, &input).end(&output);
                let failed = start(&handlers, component, "a", RunParent::Root, &input);
                failed.fail(&RunError::failed("hunter2").with_message(&SAID));
            }
            let (spans, events) = (
                format!("{:?}", capture.records()),
                format!("{:?}", capture.log_events()),
            );
            assert_ne!(spans.contains("Rosebud"), events.contains("Rosebud"));
            let all = shown(&capture);
            assert!(!all.contains(SAID), "{all}");
            let metrics = format!(
                "{:?} {}",
                capture.points(),
                capture.telemetry().prometheus()
            );
            for said in ["Rosebud", "Xanadu"] {
                assert!(!metrics.contains(said), "{said}: {metrics}");
            }
        }
    }
}
