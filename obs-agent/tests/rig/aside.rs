//! With the handler that emits, and with whoever else observes beneath: an inference is told once, with one set of tokens, and what
//! sends it is within it.

use crate::answers::{answers, asks, refuses};
use crate::emitted::{Beneath, emitting};
use crate::outline::{TREE, outline, two_calls};
use crate::scripted::{serve, serve_each, soon};
use crate::support::{BY, By, Places, agent_of, ask, chat};
use futures_util::StreamExt;
use obs_testing::{Capture, assert_tree};

/// Whoever is beneath finds a call of a model around, and does nothing; their requests are within it.
#[tokio::test]
async fn with_others_beneath_a_model_an_inference_is_told_once() {
    for streams in [false, true] {
        for beneath in [Beneath::Http, Beneath::Client, Beneath::Model] {
            let server = serve_each(vec![asks(streams), answers(streams)]).await;
            let capture = Capture::new();
            let model = beneath.model(&capture, &server.url(""));
            let observer = emitting(&capture);
            let agent = agent_of(By::All, &observer, model, &Places::default());
            soon(ask(&agent, streams)).await.expect("an answer");
            assert_tree(outline(&capture), TREE);
            two_calls(&capture, streams);
        }
    }
}

/// The hook is around nothing and sees nothing beneath: where it is told so it leaves calls of models to them.
#[tokio::test]
async fn calls_of_models_can_be_left_to_whoever_is_beneath() {
    for by in BY {
        for streams in [false, true] {
            for beneath in [Beneath::Client, Beneath::Model] {
                let server = serve_each(vec![asks(streams), answers(streams)]).await;
                let capture = Capture::new();
                let model = beneath.model(&capture, &server.url(""));
                let observer = emitting(&capture).without_models();
                let agent = agent_of(by, &observer, model, &Places::default());
                let runner = agent.prompt("How is it in Oslo?");
                match streams {
                    false => drop(soon(observer.run(runner)).await.expect("an answer")),
                    true => {
                        let items = observer.stream(runner).collect::<Vec<_>>();
                        assert!(soon(items).await.iter().all(Result::is_ok));
                    }
                }
                assert_tree(outline(&capture), TREE);
                two_calls(&capture, streams);
            }
        }
    }
}

#[tokio::test]
async fn a_hook_alone_tells_a_call_of_a_model_with_its_tokens() {
    for streams in [false, true] {
        let server = serve_each(vec![asks(streams), answers(streams)]).await;
        let capture = Capture::new();
        let observer = emitting(&capture);
        let model = chat(&server.url(""));
        let agent = agent_of(By::Hook, &observer, model, &Places::default());
        soon(ask(&agent, streams)).await.expect("an answer");
        assert_tree(outline(&capture), &TREE.replace("    POST\n", ""));
        two_calls(&capture, streams);
    }
}

#[tokio::test]
async fn a_refusal_is_an_error_of_the_call_and_of_the_run() {
    let server = serve(refuses("429 Too Many Requests")).await;
    let capture = Capture::new();
    let model = Beneath::Model.model(&capture, &server.url(""));
    let observer = emitting(&capture);
    let agent = agent_of(By::All, &observer, model, &Places::default());
    soon(ask(&agent, false)).await.expect_err("it refuses");
    let records = capture.records();
    let errors: Vec<_> = records
        .iter()
        .map(|record| (record.name.as_str(), record.error_type()))
        .collect();
    for name in ["invoke_agent guide", "chat gpt-4o-mini", "POST"] {
        assert!(errors.contains(&(name, Some("429"))), "{errors:?}");
    }
    assert_eq!(errors.len(), 3);
}

#[tokio::test]
async fn a_run_has_on_its_spans_what_was_decided() {
    let server = serve_each(vec![asks(false), answers(false)]).await;
    let capture = Capture::new();
    let observer = emitting(&capture);
    let model = chat(&server.url(""));
    let agent = agent_of(By::All, &observer, model, &Places::default());
    soon(ask(&agent, false)).await.expect("an answer");
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          invoke_agent guide [internal]
            - gen_ai.agent.name: "guide"
            - gen_ai.operation.name: "invoke_agent"
            - gen_ai.provider.name: "openai"
            - gen_ai.request.model: "gpt-4o-mini"
            - gen_ai.response.finish_reasons: ["stop"]
            - gen_ai.usage.cache_read.input_tokens: 6
            - gen_ai.usage.input_tokens: 37
            - gen_ai.usage.output_tokens: 14
            - gen_ai.usage.reasoning.output_tokens: 3
            - obs.agent.depth: 0
            - obs.agent.implementation: "rig"
            - obs.agent.run.inferences: 2
            - obs.agent.run.tools: 2
            - obs.agent.turn: 1
            chat gpt-4o-mini [client]
              - gen_ai.operation.name: "chat"
              - gen_ai.provider.name: "openai"
              - gen_ai.request.model: "gpt-4o-mini"
              - gen_ai.response.finish_reasons: ["stop"]
              - gen_ai.response.id: "c1"
              - gen_ai.response.model: "gpt-4o-mini-2024-07-18"
              - gen_ai.usage.cache_read.input_tokens: 6
              - gen_ai.usage.input_tokens: 30
              - gen_ai.usage.output_tokens: 5
              - gen_ai.usage.reasoning.output_tokens: 3
              - obs.agent.depth: 1
              - obs.agent.implementation: "rig"
              - obs.agent.step: 4
              - obs.agent.tools.offered: ["weather", "clock"]
            chat gpt-4o-mini [client]
              - gen_ai.operation.name: "chat"
              - gen_ai.provider.name: "openai"
              - gen_ai.request.model: "gpt-4o-mini"
              - gen_ai.response.finish_reasons: ["tool_calls"]
              - gen_ai.response.id: "c0"
              - gen_ai.response.model: "gpt-4o-mini-2024-07-18"
              - gen_ai.usage.input_tokens: 7
              - gen_ai.usage.output_tokens: 9
              - obs.agent.depth: 1
              - obs.agent.implementation: "rig"
              - obs.agent.step: 1
              - obs.agent.tools.chosen: ["weather", "clock"]
              - obs.agent.tools.offered: ["weather", "clock"]
            execute_tool clock [internal]
              - gen_ai.agent.name: "guide"
              - gen_ai.operation.name: "execute_tool"
              - gen_ai.tool.call.id: "call_2"
              - gen_ai.tool.name: "clock"
              - gen_ai.tool.type: "function"
              - obs.agent.depth: 1
              - obs.agent.implementation: "rig"
              - obs.agent.step: 3
            execute_tool weather [internal]
              - gen_ai.agent.name: "guide"
              - gen_ai.operation.name: "execute_tool"
              - gen_ai.tool.call.id: "call_1"
              - gen_ai.tool.name: "weather"
              - gen_ai.tool.type: "function"
              - obs.agent.depth: 1
              - obs.agent.implementation: "rig"
              - obs.agent.step: 2
        "#,
    );
}
