//! Every way in which a run ends: each run within it has ended then, and says how.

use crate::answers::{ANSWERING, answers, asks, calls, refuses};
use crate::emitted::emitting;
use crate::scripted::{Act, serve, serve_each, soon};
use crate::server::{begun, nobody, streamed, whole};
use crate::support::{BY, By, Places, Weather, agent, agent_of, ask, chat, observer};
use crate::told::{Run, Told};
use futures_util::{FutureExt, StreamExt};
use obs_agent::Component;
use obs_testing::{AttrValue, Capture, assert_tree};
use rig_agent::AgentBuilder;
use rig_agent::agent::{AgentHook, DispatchAction, DispatchEvent, HookContext};
use rig_core::tool::PortableTool;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

/// The run of the agent, which is over, as everything within it.
#[track_caller]
fn ended(told: &Told) -> String {
    assert_eq!(told.open(), 0, "{:#?}", told.runs());
    told.run("guide").end.expect("it has ended")
}

#[tokio::test]
async fn a_model_that_refuses_says_with_which_status() {
    for streams in [false, true] {
        for (status, kind) in [
            ("500 Internal Server Error", "500"),
            ("429 Too Many", "429"),
        ] {
            let server = serve(refuses(status)).await;
            let told = Told::default();
            let agent = agent(By::All, &told, &server.url(""));
            soon(ask(&agent, streams)).await.expect_err("it refuses");
            assert_tree(
                told.tree(),
                &format!(
                    "
                    agent guide turn 1 => Failed {kind}
                      model gpt-4o-mini of openai with weather,clock => Failed {kind}
                    "
                ),
            );
        }
    }
}

/// rig tells its hooks the text of the run's error, and of the model nothing.
#[tokio::test]
async fn the_hook_alone_sees_that_a_model_failed_and_not_why() {
    for streams in [false, true] {
        let server = serve(refuses("500 Internal Server Error")).await;
        let told = Told::default();
        let agent = agent(By::Hook, &told, &server.url(""));
        soon(ask(&agent, streams)).await.expect_err("it refuses");
        assert_tree(
            told.tree(),
            "
            agent guide turn 1 => Failed
              model gpt-4o-mini of openai with weather,clock => Failed
            ",
        );
    }
}

#[tokio::test]
async fn where_nobody_answers_the_transport_failed() {
    let told = Told::default();
    let agent = agent(By::All, &told, &nobody().await);
    soon(ask(&agent, false)).await.expect_err("nobody is there");
    assert_eq!(ended(&told), "Failed service_error");
    assert_eq!(
        told.run("gpt-4o-mini").end.as_deref(),
        Some("Failed service_error")
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_failed_with_what_is_known_of_it() {
    for by in BY {
        let server = serve(begun(&ANSWERING[..3], &[Act::Close])).await;
        let told = Told::default();
        let agent = agent(by, &told, &server.url(""));
        soon(ask(&agent, true)).await.expect_err("it breaks off");
        let kind = match by {
            By::Hook => "Failed",
            By::All => "Failed body_error",
        };
        assert_tree(
            told.tree(),
            &format!(
                "
                agent guide turn 1 => {kind}
                  model gpt-4o-mini of openai with weather,clock => 2 items {kind}
                "
            ),
        );
    }
}

/// What the model's run says of it the agent's says, too.
#[tokio::test]
async fn an_answer_that_is_none_failed_the_agent_as_it_failed_the_model() {
    let garbage = "data: {nonsense\n\n";
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n";
    let json = "application/json";
    for (streams, answer, kind) in [
        (
            false,
            whole("200 OK", json, "{nonsense"),
            "incomplete_response",
        ),
        (false, whole("200 OK", json, ""), "incomplete_response"),
        (
            false,
            whole("200 OK", json, r#"{"error":{"message":"no"}}"#),
            "model_error",
        ),
        (true, streamed(&[garbage]), "incomplete_response"),
        (
            true,
            streamed(&[ANSWERING[1], garbage]),
            "incomplete_response",
        ),
        (true, streamed(&[ANSWERING[1], error]), "model_error"),
        // It ends, and the provider has not said that.
        (true, streamed(&ANSWERING[..3]), "incomplete_response"),
        (true, streamed(&[]), "incomplete_response"),
        (true, whole("502 Bad Gateway", "text/html", "<html>"), "502"),
    ] {
        let server = serve(answer).await;
        let told = Told::default();
        let agent = agent(By::All, &told, &server.url(""));
        let error = soon(ask(&agent, streams)).await.expect_err("no answer");
        let kind = format!("Failed {kind}");
        assert_eq!(ended(&told), kind, "{error}");
        assert_eq!(told.run("gpt-4o-mini").end, Some(kind), "{error}");
        assert_eq!(told.runs().len(), 2);
    }
}

#[tokio::test]
async fn a_tool_that_fails_is_tried_again_and_counted() {
    for by in BY {
        for streams in [false, true] {
            let lost = || calls(streams, "weather", r#"{"city":"Atlantis"}"#);
            let server = serve_each(vec![lost(), lost(), answers(streams)]).await;
            let told = Told::default();
            let agent = agent(by, &told, &server.url(""));
            soon(ask(&agent, streams)).await.expect("an answer");
            let tools: Vec<_> = told.tree().lines().filter_map(tool).collect();
            assert_eq!(
                tools,
                [
                    r#"weather call_9{"city":"Atlantis"} => Failed not_found"#,
                    r#"weather call_9{"city":"Atlantis"} again 1 => Failed not_found"#,
                ]
            );
            assert_eq!(
                ended(&told),
                "ok",
                "what a tool says of itself is an answer"
            );
        }
    }
}

fn tool(line: &str) -> Option<String> {
    Some(line.trim().strip_prefix("tool ")?.to_owned())
}

/// What a model makes up is no name.
#[tokio::test]
async fn a_tool_that_is_not_there_is_a_run_that_failed() {
    for streams in [false, true] {
        let server = serve(calls(streams, "nothing", "{}")).await;
        let told = Told::default();
        let agent = agent(By::All, &told, &server.url(""));
        soon(ask(&agent, streams)).await.expect_err("no such tool");
        assert_eq!(ended(&told), "Failed tool_not_found");
        let tools: Vec<_> = told.tree().lines().filter_map(tool).collect();
        assert_eq!(tools, ["_OTHER call_9{} => Failed tool_not_found"]);
    }
}

#[tokio::test]
async fn arguments_that_are_none_are_asked_for_again() {
    for by in BY {
        for streams in [false, true] {
            let broken = calls(streams, "weather", r#"{"city":"#);
            let server = serve_each(vec![broken, answers(streams)]).await;
            let told = Told::default();
            let agent = agent(by, &told, &server.url(""));
            soon(ask(&agent, streams)).await.expect("an answer");
            let tree = told.tree();
            let tools: Vec<_> = tree.lines().filter_map(tool).collect();
            assert_eq!(
                tools,
                [r#"weather call_9{"city": => Failed invalid_arguments"#]
            );
            assert!(tree.contains("with weather,clock again 1 =>"), "{tree}");
        }
    }
}

#[tokio::test]
async fn a_run_that_has_too_many_turns_says_so() {
    for by in BY {
        for streams in [false, true] {
            let server = serve(calls(streams, "clock", "{}")).await;
            let told = Told::default();
            let agent = agent(by, &told, &server.url(""));
            soon(ask(&agent, streams)).await.expect_err("no answer");
            assert_eq!(ended(&told), "Failed max_turns");
            let runs = told.runs();
            let models = runs.iter().filter(|run| run.component == Component::Model);
            assert!(models.clone().all(|run| run.end.as_deref() == Some("ok")));
            assert_eq!(models.count(), 4, "all that it may");
        }
    }
}

/// Whatever rig has read ahead: at the moment in which it is dropped everything has ended.
#[tokio::test]
async fn a_stream_that_is_dropped_at_any_item_has_ended_with_all_within_it() {
    for by in BY {
        for read in 0.. {
            let server = serve_each(vec![asks(true), answers(true)]).await;
            let told = Told::default();
            let agent = agent(by, &told, &server.url(""));
            let mut items = agent.prompt("How is it in Oslo?").stream();
            let mut is_whole = false;
            for _ in 0..read {
                match soon(items.next()).await {
                    Some(item) => drop(item.expect("unbroken")),
                    None => is_whole = true,
                }
            }
            drop(items);
            if read == 0 {
                assert!(told.runs().is_empty(), "nothing was asked for");
                continue;
            }
            if is_whole {
                assert_eq!(ended(&told), "ok");
                assert!(read > 10, "it has many items");
                break;
            }
            let end = ended(&told);
            let is_last = end == "ok";
            assert!(is_last || end == "Cancelled cancelled", "{end}");
            for run in told.runs() {
                let end = run.end.expect("it has ended");
                assert!(["ok", "Cancelled cancelled"].contains(&&*end), "{end}");
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_is_given_up_is_cancelled_with_its_model() {
    for by in BY {
        for streams in [false, true] {
            let server = serve(match streams {
                false => vec![Act::Hold],
                true => begun(&ANSWERING[..2], &[Act::Hold]),
            })
            .await;
            let told = Told::default();
            let agent = agent(by, &told, &server.url(""));
            let asked = tokio::spawn(async move { ask(&agent, streams).await });
            soon(server.arrived.notified()).await;
            assert_eq!(told.open(), 2, "the agent and its model");
            asked.abort();
            assert!(soon(asked).await.expect_err("aborted").is_cancelled());
            assert_eq!(ended(&told), "Cancelled cancelled");
            let model = told.run("gpt-4o-mini");
            assert_eq!(model.end.as_deref(), Some("Cancelled cancelled"));
            soon(server.gone.notified()).await;
        }
    }
}

/// A tool whose answer nobody awaits.
struct Endless;

impl PortableTool for Endless {
    const NAME: &'static str = "clock";
    type Args = serde_json::Value;
    type Output = String;
    type Error = Infallible;

    fn description(&self) -> String {
        "Never.".to_owned()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({"type": "object", "properties": {}})
    }

    async fn call(&self, _: Self::Args) -> Result<String, Infallible> {
        std::future::pending().await
    }
}

/// Beside it another one has answered.
#[tokio::test]
async fn a_run_that_is_given_up_while_a_tool_works_is_cancelled_with_that() {
    for by in BY {
        for (streams, side_by_side) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
            let server = serve_each(vec![asks(streams), answers(streams)]).await;
            let told = Told::default();
            let observer = observer(&told);
            let model = chat(&server.url(""));
            let agent = match by {
                By::Hook => AgentBuilder::new(model)
                    .tool(Weather)
                    .tool(Endless)
                    .add_hook(observer.hook()),
                By::All => { observer.agent(model) }
                    .tool(observer.tool(Weather))
                    .tool(observer.tool(Endless)),
            };
            let agent = agent.name("guide").default_max_turns(4).build();
            let runner = agent.prompt("How is it?").tool_concurrency(side_by_side);
            let has_answered = async {
                let is = |run: &Run| run.name == "weather" && run.end.is_some();
                let begun = |run: &Run| run.name == "clock";
                loop {
                    let runs = told.runs();
                    if runs.iter().any(is) && runs.iter().any(begun) {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            };
            let asked = async {
                match streams {
                    true => drop(runner.stream().collect::<Vec<_>>().await),
                    false => drop(runner.run().await),
                }
            };
            tokio::select! {
                () = asked => panic!("it never ends"),
                () = soon(has_answered) => {}
            }
            assert_eq!(ended(&told), "Cancelled cancelled");
            let end = |name: &str| told.run(name).end;
            assert_eq!(end("weather").as_deref(), Some("ok"));
            assert_eq!(end("clock").as_deref(), Some("Cancelled cancelled"));
        }
    }
}

#[tokio::test]
async fn a_tool_that_panics_takes_its_agent_with_it() {
    for by in BY {
        for is_caught in [false, true] {
            let server = serve(calls(false, "weather", r#"{"city":"Babel"}"#)).await;
            let told = Told::default();
            let agent = agent(by, &told, &server.url(""));
            let asks = async move { ask(&agent, false).await };
            match is_caught {
                true => drop(
                    AssertUnwindSafe(asks)
                        .catch_unwind()
                        .await
                        .expect_err("it panics"),
                ),
                false => {
                    let asked = soon(tokio::spawn(asks)).await;
                    assert!(asked.expect_err("it panics").is_panic());
                }
            }
            // rig's own futures unwind, and drop what they know of the run on the way.
            assert_eq!(told.run("weather").end.as_deref(), Some("Panicked panic"));
            assert_eq!(ended(&told), "Panicked panic");
        }
    }
}

/// Refuses tools, or stops the run there.
struct Refuses {
    stops: bool,
}

impl AgentHook for Refuses {
    async fn on_dispatch(&self, _: &HookContext, event: DispatchEvent<'_>) -> DispatchAction {
        match (event.tool_name(), self.stops) {
            (None, _) => DispatchAction::proceed(),
            (Some(_), false) => DispatchAction::skip("not today"),
            (Some(_), true) => DispatchAction::stop("enough"),
        }
    }
}

#[tokio::test]
async fn what_another_hook_refuses_is_told_as_refused() {
    for by in BY {
        let ways = [calls(false, "clock", "{}"), answers(false)];
        let server = serve_each(ways.to_vec()).await;
        let told = Told::default();
        let agent = agent(by, &told, &server.url(""));
        let runner = agent.prompt("What time is it?");
        let runner = runner.add_hook(Refuses { stops: false });
        soon(runner.run()).await.expect("an answer");
        assert_eq!(told.run("clock").end.as_deref(), Some("Cancelled skipped"));
        assert_eq!(ended(&told), "ok");
    }
}

/// What it is called on the span, and in the metric.
#[tokio::test]
async fn a_refusal_is_emitted_by_its_word() {
    for by in BY {
        let ways = [calls(false, "clock", "{}"), answers(false)];
        let server = serve_each(ways.to_vec()).await;
        let capture = Capture::new();
        let model = chat(&server.url(""));
        let agent = agent_of(by, &emitting(&capture), model, &Places::default());
        let runner = agent.prompt("What time is it?");
        let runner = runner.add_hook(Refuses { stops: false });
        soon(runner.run()).await.expect("an answer");
        let records = capture.records();
        let clock = { records.iter() }.find(|record| record.name == "execute_tool clock");
        let clock = clock.expect("it is told");
        assert_eq!(clock.error_type(), Some("skipped"));
        assert_eq!(clock.outcome.end(), obs_core::End::Cancelled);
        let skipped = [("error.type", AttrValue::from("skipped"))];
        let points = capture.points();
        let point = points.histogram("obs.agent.execute_tool.duration", &skipped);
        assert_eq!(point.map(|point| point.count), Some(1));
    }
}

#[tokio::test]
async fn a_run_that_another_hook_stops_is_cancelled() {
    for by in BY {
        let server = serve(calls(false, "clock", "{}")).await;
        let told = Told::default();
        let agent = agent(by, &told, &server.url(""));
        let runner = agent.prompt("What time is it?");
        let runner = runner.add_hook(Refuses { stops: true });
        soon(runner.run()).await.expect_err("stopped");
        assert_eq!(ended(&told), "Cancelled cancelled");
        assert_eq!(
            told.run("clock").end.as_deref(),
            Some("Cancelled cancelled")
        );
    }
}
