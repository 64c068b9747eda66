//! An inference counts once, whoever tells it besides.

use crate::support::{agent, model, names, observed, of, usage};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use obs_agent::{Output, RunParent};
use obs_llm::{Dialect, Llm, LlmClientLayer, LlmOperation, Provider};
use obs_testing::Capture;
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};

const ANSWER: &str = r#"{"id":"chatcmpl-1","model":"gpt-4o","choices":[{"index":0,"finish_reason":"stop",
    "message":{"role":"assistant","content":"hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;

/// A chat over HTTP, through obs-llm's layer.
async fn ask(layer: &LlmClientLayer) {
    let answers = service_fn(|request: Request<_>| async {
        let body: obs_llm::client::RequestBody<Full<Bytes>> = request.into_body();
        body.collect().await.expect("a body");
        let head = Response::builder().header("content-type", "application/json");
        Ok::<_, Infallible>(head.body(Full::<Bytes>::from(ANSWER)).expect("a head"))
    });
    let body = Full::<Bytes>::from(r#"{"model":"gpt-4o","messages":[]}"#);
    let request = Request::post("https://api.openai.com/v1/chat/completions");
    let request = request.body(body).expect("a request");
    let answer = layer.layer(answers).oneshot(request).await.expect("one");
    answer.into_body().collect().await.expect("a body");
}

/// Calls, and tokens of input and output together.
#[track_caller]
fn counted(capture: &Capture, calls: u64, tokens: f64) {
    assert_eq!(capture.count("gen_ai.client.operation.duration"), calls);
    let points = capture.points();
    let spent = points.histograms("gen_ai.client.token.usage", &[]);
    let spent: f64 = spent.iter().filter_map(|point| point.sum).sum();
    assert_eq!(spent, tokens);
}

/// Inferences that count on the agent, whoever told them.
#[track_caller]
fn calls(capture: &Capture, expect: f64) {
    let points = capture.points();
    let point = points.histogram("obs.agent.invoke_agent.inference_calls", &[]);
    let point = point.expect("there");
    assert_eq!((point.count, point.sum), (1, Some(expect)));
}

#[test]
fn a_layer_within_a_run_of_a_model_tells_nothing_more() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let layer = LlmClientLayer::of(&llm);
    let outer = agent(&handlers, "a", RunParent::Root);
    let run = model(&handlers, outer.as_parent());
    run.wrap(ask(&layer)).now_or_never().expect("at once");
    run.end(&Output::Model(of!(output::ModelOutput {
        usage: Some(usage(9, 2))
    })));
    counted(&capture, 1, 11.0);
    // Beside a run of a model it tells its own.
    outer.wrap(ask(&layer)).now_or_never().expect("at once");
    outer.end(&Output::Agent(Default::default()));
    counted(&capture, 2, 22.0);
    assert_eq!(
        names(&capture),
        ["chat gpt-4o", "chat gpt-4o", "invoke_agent a"]
    );
}

#[test]
fn a_run_of_a_model_within_a_call_tells_nothing_more() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let outer = agent(&handlers, "a", RunParent::Root);
    // By what is current.
    outer.in_scope(|| {
        let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
        call.scope(|| {
            let run = model(&handlers, RunParent::Current);
            assert!(run.is_told(), "other handlers are");
            run.end(&Output::Model(of!(output::ModelOutput {
                usage: Some(usage(9, 2))
            })));
        });
        call.end();
    });
    // By its parent, on another thread.
    let around = model(&handlers, outer.as_parent());
    let parent = crate::support::reference(&around);
    let inner = handlers.clone();
    let elsewhere = std::thread::spawn(move || {
        let run = model(&inner, RunParent::Of(&parent));
        run.end(&Output::Model(of!(output::ModelOutput {
            usage: Some(usage(9, 2))
        })));
    });
    elsewhere.join().unwrap();
    around.end(&Output::Model(of!(output::ModelOutput {
        usage: Some(usage(9, 2))
    })));
    outer.end(&Output::Agent(Default::default()));
    counted(&capture, 2, 11.0);
    calls(&capture, 2.0);
}

/// However deep, on whichever thread; vectors that are asked for on the way are a call of their own.
#[test]
fn a_call_within_a_call_is_none_however_deep() {
    use obs_agent::{Component, Input};
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let capture = Capture::new();
        let handlers = observed(&capture, dialect);
        let outer = model(&handlers, RunParent::Root);
        let node = Input::Node(Default::default());
        let step = crate::support::start(
            &handlers,
            Component::Lambda,
            "step",
            outer.as_parent(),
            &node,
        );
        step.in_scope(|| drop(model(&handlers, RunParent::Current)));
        let parent = crate::support::reference(&step);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                drop(model(&handlers, RunParent::Of(&parent)));
                let input = Input::Embedding(Default::default());
                let vectors = crate::support::start(
                    &handlers,
                    Component::Embedding,
                    "",
                    RunParent::Of(&parent),
                    &input,
                );
                vectors.end(&Output::Embedding(Default::default()));
            });
        });
        step.end(&Output::Node(Default::default()));
        outer.end(&Output::Model(Default::default()));
        // Of two threads, so in no order.
        let mut names = names(&capture);
        names.sort_unstable();
        assert_eq!(names, ["chat gpt-4o", "embeddings", "lambda step"]);
    }
}

/// What an agent within makes counts there, also what is told by hand; vectors are no inferences.
#[test]
fn calls_that_no_run_tells_count_on_the_agent_in_whose_turn_they_are() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let outer = agent(&handlers, "a", RunParent::Root);
    let tool = crate::support::tool(&handlers, "t", outer.as_parent());
    tool.in_scope(|| {
        drop(llm.call(LlmOperation::GenerateContent, &Provider::GCP_GEMINI));
        drop(llm.call(LlmOperation::Embeddings, &Provider::OPENAI));
    });
    drop(llm.call(LlmOperation::Chat, &Provider::OPENAI));
    tool.end(&Output::Tool(Default::default()));
    outer.end(&Output::Agent(Default::default()));
    calls(&capture, 1.0);
}

/// Whoever tells a call by hand within a run of a model, and does not ask whether one is around, tells no call of the agent's more.
#[test]
fn a_call_by_hand_within_a_run_of_a_model_is_the_runs() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let outer = agent(&handlers, "a", RunParent::Root);
    let run = model(&handlers, outer.as_parent());
    run.in_scope(|| drop(llm.call(LlmOperation::Chat, &Provider::OPENAI)));
    run.end(&Output::Model(Default::default()));
    outer.end(&Output::Agent(Default::default()));
    calls(&capture, 1.0);
}
