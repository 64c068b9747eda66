//! Within an agent: each turn of its loop is a call.

use crate::answers::{ANSWER, EVENTS};
use crate::scripted::serve_each;
use crate::server::{Act, begun, serve, soon, streamed, whole};
use crate::support::{ACTIVE, DURATION, TOKENS, chat, int, over};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::Full;
use obs_testing::{Capture, CapturedRecord};
use rig_agent::AgentBuilder;
use rig_core::tool::PortableTool;
use std::convert::Infallible;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

struct Weather;

impl PortableTool for Weather {
    const NAME: &'static str = "weather";
    type Args = serde_json::Value;
    type Output = String;
    type Error = Infallible;

    fn description(&self) -> String {
        "Of a city.".to_owned()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}})
    }

    async fn call(&self, _: serde_json::Value) -> Result<String, Infallible> {
        Ok("rain".to_owned())
    }
}

const CALLS: &str = r#"{"id":"c0","object":"chat.completion","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16}}"#;

const CALLING: &[&str] = &[
    "data: {\"id\":\"c0\",\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"}}]},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c0\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
    "data: {\"id\":\"c0\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":9,\"total_tokens\":16}}\n\n",
    "data: [DONE]\n\n",
];

/// Two calls, in order, both of the request's.
#[track_caller]
fn two_turns(capture: &Capture) {
    assert_eq!(capture.count(DURATION), 2);
    assert_eq!(capture.count(TOKENS), 4);
    assert_eq!(capture.in_flight(ACTIVE), 0);
    let records = capture.take_records();
    let (calls, requests): (Vec<_>, Vec<_>) = records
        .iter()
        .partition(|record: &&CapturedRecord| record.name == "chat gpt-4o-mini");
    assert_eq!((calls.len(), requests.len()), (2, 1), "{records:#?}");
    for (call, reason) in calls.iter().zip(["tool_calls", "stop"]) {
        assert_eq!(call.error_type(), None);
        let reasons = call.attr("gen_ai.response.finish_reasons");
        assert_eq!(reasons, Some(&vec![reason].into()));
        assert_eq!(call.parent_span_id, Some(requests[0].span_id));
    }
}

#[tokio::test]
async fn each_turn_is_a_call_the_child_of_what_is_current() {
    for streams in [false, true] {
        let json = |body| whole("200 OK", "application/json", body);
        let server = serve_each(match streams {
            false => vec![json(CALLS), json(ANSWER)],
            true => vec![streamed(CALLING), streamed(EVENTS)],
        })
        .await;
        let capture = Capture::new();
        let model = chat(&capture, &server.url(""));
        let agent = AgentBuilder::new(model).tool(Weather).build();
        let answers = service_fn(|_: Request<Full<Bytes>>| async {
            let run = agent.prompt("How is it in Oslo?").max_turns(3);
            if streams {
                let items: Vec<_> = run.stream().collect().await;
                assert!(items.iter().all(Result::is_ok), "{items:?}");
            } else {
                let answer = run.run().await.expect("an answer");
                assert_eq!(answer.output(), "The sky.");
            }
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let layer = obs_http::HttpServerLayer::new(capture.telemetry());
        let request = Request::get("/").body(Full::default());
        let answered = layer.layer(answers).oneshot(request.expect("a request"));
        drop(soon(answered).await.expect("infallible"));
        assert_eq!(server.bodies().len(), 2);
        assert!(server.bodies()[1].contains("rain"), "the tool's answer");
        two_turns(&capture);
    }
}

#[tokio::test]
async fn a_run_that_is_dropped_has_cancelled_its_call() {
    let capture = Capture::new();
    let server = serve(begun(&EVENTS[..3], &[Act::Hold])).await;
    let model = chat(&capture, &server.url(""));
    let agent = AgentBuilder::new(model).build();
    let mut items = agent.prompt("Why?").stream();
    while first_chunks(&capture) == 0 {
        soon(items.next()).await.expect("more").expect("unbroken");
    }
    drop(items);
    let record = over(&capture, Some("cancelled"));
    assert!(int(&record, "obs.llm.response.chunks").is_some());
}

/// How many first chunks have come.
fn first_chunks(capture: &Capture) -> u64 {
    capture.count(crate::support::FIRST)
}
