//! What heads say, of requests and of answers, and what settings say in their place.

use crate::answers::{CHAT, STREAM, layer};
use crate::support::{Frames, ask, request};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use obs_llm::client::{ModelHint, RequestBody};
use obs_llm::wire::Wire;
use obs_llm::{LlmClientLayer, LlmOperation, Provider};
use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::convert::Infallible;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

const URL: &str = "https://api.openai.com/v1/chat/completions";

fn anomalies(capture: &Capture, of: &str) -> f64 {
    let of = [("obs.anomaly", AttrValue::from(of))];
    let point = capture.points().sum("obs.llm.anomalies", &of);
    point.map_or(0.0, |point| point.as_f64())
}

/// Asks with these headers in the answer, and drops its body after so many frames.
async fn answered(
    layer: &LlmClientLayer,
    request: Request<Frames>,
    (status, heads): (u16, &[(&'static str, &'static str)]),
    (pieces, frames): (&[&str], usize),
) {
    let service = service_fn(|request: Request<RequestBody<Frames>>| async move {
        request.into_body().collect().await?;
        let mut head = Response::builder().status(status);
        for (name, value) in heads {
            head = head.header(*name, *value);
        }
        Ok::<_, Infallible>(head.body(Frames::of(pieces)).unwrap())
    });
    let answer = layer.layer(service).oneshot(request).await.unwrap();
    let mut body = answer.into_body();
    for _ in 0..frames {
        if body.frame().await.is_none() {
            return;
        }
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const ALL: usize = usize::MAX;
const UNARY: &str = r#"{"model":"gpt-4o","messages":[]}"#;

#[tokio::test]
async fn an_error_page_is_no_malformed_answer() {
    for (kind, page) in [
        ("text/html", "<html><body>Bad Gateway</body></html>"),
        ("text/plain; charset=utf-8", "upstream connect error"),
        ("application/json", ""),
        ("", ""),
    ] {
        // One that was asked for a stream would be looked into as one, and one that was not as JSON.
        for (frames, asks) in [(0, CHAT), (ALL, CHAT), (0, UNARY), (ALL, UNARY)] {
            let capture = Capture::new();
            let heads = [("content-type", kind)];
            let heads = if kind.is_empty() { &[][..] } else { &heads };
            let pieces = [page];
            let pieces = if page.is_empty() { &[][..] } else { &pieces };
            let asked = request(URL, asks);
            answered(&layer(&capture), asked, (502, heads), (pieces, frames)).await;
            let record = capture.record();
            assert_eq!(record.error_type(), Some("502"), "{kind} {frames} {asks}");
            for anomaly in ["malformed_json", "cut", "usage_missing", "unreadable"] {
                assert_eq!(anomalies(&capture, anomaly), 0.0, "{kind} {anomaly} {asks}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_that_says_it_is_json_and_is_none_is_counted() {
    let capture = Capture::new();
    let asked = request(URL, CHAT);
    let pieces: [&str; 1] = ["<html>"];
    answered(&layer(&capture), asked, (503, &[JSON]), (&pieces, ALL)).await;
    assert_eq!(capture.record().error_type(), Some("503"));
    assert_eq!(anomalies(&capture, "malformed_json"), 1.0);
}

#[tokio::test]
async fn an_error_is_called_by_what_it_says_in_each_json() {
    let error =
        r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#;
    for kind in [
        "application/json; charset=utf-8",
        "application/problem+json",
        "APPLICATION/JSON",
    ] {
        let capture = Capture::new();
        let heads = [("content-type", kind)];
        let asked = request(URL, CHAT);
        let pieces = [&error[..20], &error[20..]];
        answered(&layer(&capture), asked, (429, &heads), (&pieces, ALL)).await;
        assert_eq!(
            capture.record().error_type(),
            Some("rate_limit_exceeded"),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn who_drops_a_stream_at_the_error_in_it_has_not_cancelled_it() {
    let capture = Capture::new();
    let heads = [("content-type", "text/event-stream")];
    let error = "data: {\"error\":{\"message\":\"x\",\"type\":\"server_error\",\"code\":\"rate_limit_exceeded\"}}\n\n";
    let pieces = [STREAM[0], error, "data: "];
    answered(
        &layer(&capture),
        request(URL, CHAT),
        (200, &heads),
        (&pieces, 2),
    )
    .await;
    assert_eq!(capture.record().error_type(), Some("rate_limit_exceeded"));
}

#[track_caller]
fn is_streamed(record: &CapturedRecord) {
    assert_eq!(record.error_type(), None);
    assert_eq!(record.attr("obs.llm.response.chunks"), Some(&2_i64.into()));
    let first = record.attr("gen_ai.response.time_to_first_chunk");
    assert!(first.is_some());
}

#[tokio::test]
async fn a_stream_without_a_type_is_what_was_asked_for() {
    for heads in [&[][..], &[("content-type", "application/octet-stream")]] {
        let capture = Capture::new();
        answered(
            &layer(&capture),
            request(URL, CHAT),
            (200, heads),
            (STREAM, ALL),
        )
        .await;
        is_streamed(&capture.record());
    }
}

#[tokio::test]
async fn bedrock_tells_tokens_in_its_head_for_models_that_do_not() {
    let heads = [
        JSON,
        ("x-amzn-bedrock-input-token-count", "20"),
        ("x-amzn-bedrock-output-token-count", "7"),
    ];
    let url = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/acme.writer-v1%3A0/invoke";
    let capture = Capture::new();
    let asked = request(url, r#"{"inputText":"hi"}"#);
    let answer: [&str; 1] = [r#"{"text":"hello"}"#];
    answered(&layer(&capture), asked, (200, &heads), (&answer, ALL)).await;
    let record = capture.record();
    assert_eq!(
        record.text("gen_ai.request.model"),
        Some("acme.writer-v1:0")
    );
    assert_eq!(
        record.attr("gen_ai.usage.input_tokens"),
        Some(&20_i64.into())
    );
    assert_eq!(
        record.attr("gen_ai.usage.output_tokens"),
        Some(&7_i64.into())
    );
    // Nobody else's head counts.
    let capture = Capture::new();
    let answer: [&str; 1] =
        [r#"{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}"#];
    let asked = request(URL, r#"{"model":"gpt-4o"}"#);
    answered(&layer(&capture), asked, (200, &heads), (&answer, ALL)).await;
    assert_eq!(capture.record().attr("gen_ai.usage.input_tokens"), None);
}

/// OpenAI has a code for each parameter and more codes every month, and few types.
#[tokio::test]
async fn an_error_whose_code_nobody_knows_is_called_by_its_type() {
    let error =
        |code: &str, kind: &str| format!(r#"{{"error":{{"code":"{code}","type":"{kind}"}}}}"#);
    for (code, kind, expect) in [
        (
            "unsupported_value",
            "invalid_request_error",
            "invalid_request_error",
        ),
        (
            "context_length_exceeded",
            "invalid_request_error",
            "context_length_exceeded",
        ),
        ("unsupported_value", "no_such_type", "400"),
    ] {
        let capture = Capture::new();
        let body = error(code, kind);
        let asked = request(URL, CHAT);
        answered(&layer(&capture), asked, (400, &[JSON]), (&[&body], ALL)).await;
        assert_eq!(capture.record().error_type(), Some(expect), "{code} {kind}");
        // And in the middle of a stream, where no status says anything.
        let capture = Capture::new();
        let event = format!("data: {body}\n\n");
        let heads = [("content-type", "text/event-stream")];
        let asked = request(URL, CHAT);
        answered(&layer(&capture), asked, (200, &heads), (&[&event], ALL)).await;
        let expect = if expect == "400" { "_OTHER" } else { expect };
        assert_eq!(capture.record().error_type(), Some(expect), "{code} {kind}");
    }
}

/// The body of an error of Bedrock's says what happened to people, and the head how it is called.
#[tokio::test]
async fn what_bedrock_calls_an_error_is_read_from_its_head() {
    let url = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse-stream";
    let namespace = "com.amazonaws.bedrockruntime#ThrottlingException";
    for (kind, expect) in [
        ("ThrottlingException", "ThrottlingException"),
        (
            "ThrottlingException:http://internal.amazon.com/coral/",
            "ThrottlingException",
        ),
        (namespace, "ThrottlingException"),
        ("NoSuchException", "429"),
        ("", "429"),
    ] {
        let capture = Capture::new();
        let heads = [JSON, ("x-amzn-errortype", kind)];
        let pieces = [r#"{"message":"Too many requests, please wait"}"#];
        let asked = request(url, "{}");
        answered(&layer(&capture), asked, (429, &heads), (&pieces, ALL)).await;
        assert_eq!(capture.record().error_type(), Some(expect), "{kind}");
    }
}

#[tokio::test]
async fn settings_say_what_paths_and_hosts_do_not() {
    let capture = Capture::new();
    let layer = layer(&capture)
        .with_wire(Wire::OpenAiChat, LlmOperation::Chat)
        .with_provider(Provider::named("acme"))
        .with_server("models.internal", Some(9_000));
    let answer = (200, "text/event-stream", STREAM);
    let response = ask(&layer, ("http://10.0.0.1:8080/ask", CHAT), answer).await;
    response.into_body().collect().await.unwrap();
    let record = capture.record();
    is_streamed(&record);
    assert_eq!(record.text("gen_ai.provider.name"), Some("acme"));
    assert_eq!(record.text("server.address"), Some("models.internal"));
    assert_eq!(record.attr("server.port"), Some(&9_000_i64.into()));
}

#[tokio::test]
async fn hosts_are_told_without_their_brackets_and_ports() {
    for (url, host, address, port) in [
        (
            "http://[::1]:8080/v1/chat/completions",
            None,
            "::1",
            Some(8080),
        ),
        ("http://[::1]/v1/chat/completions", None, "::1", Some(80)),
        (
            "https://user:secret@api.openai.com/v1/chat/completions",
            None,
            "api.openai.com",
            Some(443),
        ),
        (
            "/v1/chat/completions",
            Some("llm.internal:81"),
            "llm.internal",
            Some(81),
        ),
        (
            "/v1/chat/completions",
            Some("llm.internal"),
            "llm.internal",
            None,
        ),
    ] {
        let capture = Capture::new();
        let mut asked = request(url, CHAT);
        if let Some(host) = host {
            asked
                .headers_mut()
                .insert(header::HOST, header::HeaderValue::from_static(host));
        }
        let heads = [("content-type", "text/event-stream")];
        answered(&layer(&capture), asked, (200, &heads), (STREAM, ALL)).await;
        let record = capture.record();
        assert_eq!(record.text("server.address"), Some(address), "{url}");
        let told = record.attr("server.port").and_then(AttrValue::as_i64);
        assert_eq!(told, port, "{url}");
        let is_known = url.contains("api.openai.com");
        let provider = if is_known { "openai" } else { "_OTHER" };
        assert_eq!(record.text("gen_ai.provider.name"), Some(provider), "{url}");
        assert!(!format!("{record:?}").contains("secret"), "{url}");
    }
}

#[tokio::test]
async fn what_the_body_says_counts_more_than_what_is_said_beside_it() {
    for (body, model) in [(CHAT, "gpt-4o"), ("no JSON", "hinted")] {
        let capture = Capture::new();
        let mut asked = request(URL, body);
        asked.extensions_mut().insert(ModelHint::from("hinted"));
        let heads = [("content-type", "text/event-stream")];
        answered(&layer(&capture), asked, (200, &heads), (STREAM, ALL)).await;
        assert_eq!(capture.record().text("gen_ai.request.model"), Some(model));
    }
}

/// A server may answer before it has read what it is asked.
#[tokio::test]
async fn a_request_that_is_sent_after_the_head_of_its_answer_is_known_at_the_end() {
    use std::sync::{Arc, Mutex};
    for frames in [0, 2, ALL] {
        let capture = Capture::new();
        let slot = Arc::new(Mutex::new(None));
        let keeps = slot.clone();
        let service = service_fn(move |request: Request<RequestBody<Frames>>| {
            *keeps.lock().unwrap() = Some(request.into_body());
            let head = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
            std::future::ready(Ok::<_, Infallible>(head.body(Frames::of(STREAM)).unwrap()))
        });
        let answer = layer(&capture).layer(service);
        let answer = answer.oneshot(request(URL, CHAT)).await.unwrap();
        let mut body = answer.into_body();
        let late = slot.lock().unwrap().take().expect("it was asked");
        let sent = late.collect().await.unwrap().to_bytes();
        assert_eq!(sent, CHAT);
        for _ in 0..frames {
            if body.frame().await.is_none() {
                break;
            }
        }
        drop(body);
        let record = capture.record();
        let expect = (frames < ALL).then_some("cancelled");
        assert_eq!(record.error_type(), expect);
        assert_eq!(
            record.text("gen_ai.request.model"),
            Some("gpt-4o"),
            "{frames}"
        );
        assert_eq!(
            record.attr("gen_ai.request.max_tokens"),
            Some(&64_i64.into())
        );
    }
}
