//! A corpus of secrets in all that passes: none is exported where content is not asked for, and none that the patterns know where
//! it is.

use crate::support::ask;
use obs_core::Telemetry;
use obs_core::courier::Destinations;
use obs_core::redact::Patterns;
use obs_llm::content::Capture as Content;
use obs_llm::{Llm, LlmClientLayer};
use obs_testing::Receiver;
use serde_json::{Value, json};
use std::time::Duration;

/// What the patterns know by its looks, wherever it stands.
const KNOWN: [&str; 5] = [
    "sk-proj-4fJq9ZxW2mPz7LkT",
    "sk-ant-api03-Zq8Kf2Lm9Xw4Pz7T",
    "AKIAZQ3WLM7XP9KT2RVB",
    "ghp_Zq8Kf2Lm9Xw4Pz7TZq8Kf2Lm9Xw4Pz7Tq8Kf",
    "hunter2hunter2",
];

/// What nobody knows to be a secret, but whose it is.
const PRIVATE: [&str; 7] = [
    "my-diary-of-monday",
    "the-systems-own-words",
    "argument-of-a-tool",
    "answer-of-a-tool",
    "thought-of-the-model",
    "answer-of-the-model",
    "description-of-a-tool",
];

/// Base64 of media, and a signed URL's key.
const MEDIA: [&str; 2] = [
    "c2VjcmV0IGltYWdlIG9mIG1pbmU",
    "X-Amz-Signature=5ec2e75ec2e7",
];

fn secrets() -> String {
    let url = format!("postgres://u:{}@db/x", KNOWN[4]);
    format!("{} {} {} {} {url}", KNOWN[0], KNOWN[1], KNOWN[2], KNOWN[3])
}

fn request() -> Value {
    let secrets = secrets();
    json!({"model": "m", "stream": true, "messages": [
        {"role": "system", "content": format!("{} {secrets}", PRIVATE[1])},
        {"role": "user", "content": [
            {"type": "text", "text": format!("{} {secrets}", PRIVATE[0])},
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", MEDIA[0])}},
            {"type": "image_url", "image_url": {"url": format!("https://b.example/i?{}", MEDIA[1])}}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {
            "name": "f", "arguments": json!({"q": format!("{} {secrets}", PRIVATE[2])}).to_string()}}]},
        {"role": "tool", "tool_call_id": "1", "content": format!("{} {secrets}", PRIVATE[3])}],
        "tools": [{"type": "function", "function": {"name": "f", "description": format!("{} {secrets}", PRIVATE[6])}}]})
}

fn answer() -> String {
    let secrets = secrets();
    let delta = |delta: Value| json!({"id": "c1", "choices": [{"index": 0, "delta": delta}]});
    let arguments = json!({"q": format!("{} {secrets}", PRIVATE[2])}).to_string();
    let (one, other) = arguments.split_at(arguments.len() / 2);
    let chunks = [
        delta(
            json!({"role": "assistant", "reasoning_content": format!("{} {secrets}", PRIVATE[4])}),
        ),
        delta(json!({"content": format!("{} sk-pro", PRIVATE[5])})),
        // A secret in two chunks.
        delta(json!({"content": "j-4fJq9ZxW2mPz7LkT is it"})),
        delta(
            json!({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": one}}]}),
        ),
        delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": other}}]})),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
    ];
    let events = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    events.collect::<String>() + "data: [DONE]\n\n"
}

/// An error that quotes what was asked.
fn error() -> String {
    let message = format!("Incorrect key {}: {}", secrets(), PRIVATE[0]);
    json!({"error": {"message": message, "type": "invalid_request_error", "code": null, "param": PRIVATE[2]}}).to_string()
}

/// All that was exported, as text: traces, metrics and logs.
fn exported(content: Content) -> String {
    let receiver = Receiver::start().expect("a receiver");
    let telemetry = Telemetry::builder()
        .with_otlp_to(Destinations::below(&receiver.endpoint()))
        .with_redactor(Patterns::new())
        .manual()
        .build()
        .expect("usable");
    let layer = LlmClientLayer::of(&Llm::new(&telemetry).with_content(content));
    let (url, request) = (
        "https://api.openai.com/v1/chat/completions",
        request().to_string(),
    );
    let asked = (url, request.as_bytes());
    ask(
        &layer,
        asked,
        ("text/event-stream", answer().as_bytes()),
        100,
    );
    ask(&layer, asked, ("application/json", error().as_bytes()), 100);
    telemetry.flush(Duration::from_secs(20)).expect("delivered");
    let (traces, metrics, logs) = (receiver.traces(), receiver.metrics(), receiver.logs());
    assert!(!traces.is_empty() && !metrics.is_empty());
    format!("{traces:?} {metrics:?} {logs:?}")
}

#[test]
fn nothing_is_exported_where_nobody_asks() {
    let exported = exported(Content::off());
    assert!(
        exported.contains("invalid_request_error"),
        "the call is told"
    );
    for secret in KNOWN.iter().chain(&PRIVATE).chain(&MEDIA) {
        assert!(!exported.contains(secret), "{secret}");
    }
}

#[test]
fn no_secret_is_exported_that_the_patterns_know() {
    for content in [
        Content::events(),
        Content::spans(),
        Content::spans_and_events(),
    ] {
        let exported = exported(content);
        for private in PRIVATE {
            assert!(exported.contains(private), "{private} was asked for");
        }
        for secret in KNOWN.iter().chain(&MEDIA) {
            assert!(!exported.contains(secret), "{secret}");
        }
    }
}

#[test]
fn nothing_of_content_is_in_metrics() {
    let capture = obs_testing::Capture::new();
    let layer = crate::support::layer(&capture, Content::spans_and_events());
    let request = request().to_string();
    let asked = (
        "https://api.openai.com/v1/chat/completions",
        request.as_bytes(),
    );
    ask(
        &layer,
        asked,
        ("text/event-stream", answer().as_bytes()),
        100,
    );
    let points = format!("{:?}", capture.points());
    assert!(points.contains("gen_ai.client.operation.duration"));
    for secret in KNOWN.iter().chain(&PRIVATE).chain(&MEDIA) {
        assert!(!points.contains(secret), "{secret}");
    }
}

/// What is kept of a conversation does not show itself where something is printed.
#[test]
fn debugging_shows_nothing_of_it() {
    use obs_llm::content::{Message, Part};
    let part = Part::Text(PRIVATE[0].to_owned());
    let message = Message::new("user").with_part(part.clone());
    let mut exchange = obs_llm::content::Exchange::default();
    exchange.input.push(message.clone());
    let shown = format!("{part:?} {message:?} {exchange:?}");
    assert!(!shown.contains(PRIVATE[0]), "{shown}");
}

/// Half a secret looks like none: where a request or an answer is cut within one, no half of it is left.
#[test]
fn no_half_of_a_secret_is_left_where_content_is_cut() {
    let secret = KNOWN[0];
    let said = format!("the key is {secret} and more");
    let request = json!({"messages": [{"role": "user", "content": said}]}).to_string();
    // The text of an answer is held up to the cap of the call.
    let words = "word ".repeat(100);
    let answer = json!({"choices": [{"message": {"content": format!("{words}{said}")}}]});
    let answer = answer.to_string();
    let at = request.find(secret).expect("there");
    let before = words.len() + "the key is ".len();
    for cut in 1..secret.len() {
        for (content, left) in [
            (
                Content::spans_and_events().with_request_bytes(at + cut),
                "the key is",
            ),
            (
                Content::spans_and_events().with_call_bytes(before + cut),
                "word word",
            ),
        ] {
            let capture = obs_testing::Capture::builder()
                .with(|builder| builder.with_redactor(Patterns::new()))
                .build();
            let layer = crate::support::layer(&capture, content);
            let url = "https://api.openai.com/v1/chat/completions";
            let answer = ("application/json", answer.as_bytes());
            ask(&layer, (url, request.as_bytes()), answer, 50);
            let told = format!("{:?} {:?}", capture.record(), capture.log_events());
            assert!(told.contains(left), "{cut}: {told}");
            let half = format!("the key is {}", &secret[..1]);
            assert!(!told.contains(&half), "{cut}: {told}");
        }
    }
}

/// Base64 that stands where a URL is expected, and a tool's answer that is one part: of both the hash is told.
#[test]
fn no_media_are_told_as_a_url_or_as_data_of_a_tool() {
    let data = |scheme: &str| format!("{scheme}image/png;base64,{}", MEDIA[0]);
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let request = json!({"messages": [
        {"role": "user", "content": [
            image(&data("DATA:")),
            image(&data(" data:")),
            image(MEDIA[0]),
            {"type": "file", "file": {"filename": "a.pdf", "file_data": MEDIA[0]}}]},
        {"role": "tool", "tool_call_id": "1", "content": image(&data("data:"))}]});
    let capture = obs_testing::Capture::new();
    let layer = crate::support::layer(&capture, Content::spans_and_events());
    let url = "https://api.openai.com/v1/chat/completions";
    let request = request.to_string();
    let answer = ("application/json", b"{}".as_slice());
    ask(&layer, (url, request.as_bytes()), answer, 50);
    let told = format!("{:?} {:?}", capture.record(), capture.log_events());
    assert!(
        told.contains("sha256") && !told.contains(MEDIA[0]),
        "{told}"
    );
    assert_eq!(told.matches("\\\"blob\\\"").count(), 5, "{told}");
}

/// All texts of a conversation are shown, those that are no prose as well.
#[test]
fn secrets_in_ids_and_urls_are_redacted() {
    let secret = KNOWN[0];
    let request = json!({"messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": format!("https://b.example/{secret}/i")}},
            {"type": "file", "file": {"file_id": secret}}]},
        {"role": "assistant", "tool_calls": [{"id": secret, "function": {"name": secret, "arguments": secret}}]},
        {"role": "tool", "tool_call_id": secret, "content": secret}]});
    let capture = obs_testing::Capture::builder()
        .with(|builder| builder.with_redactor(Patterns::new()))
        .build();
    let layer = crate::support::layer(&capture, Content::spans_and_events());
    let url = "https://api.openai.com/v1/chat/completions";
    let answer = ("application/json", b"{}".as_slice());
    ask(&layer, (url, request.to_string().as_bytes()), answer, 50);
    let told = format!("{:?} {:?}", capture.record(), capture.log_events());
    assert!(told.contains("https://b.example/"), "{told}");
    assert!(!told.contains(secret), "{told}");
}

/// Whoever stores it outside sees what was read before it is cut for spans: no half of a secret either.
#[test]
fn no_half_of_a_secret_is_uploaded_where_an_answer_is_cut() {
    #[derive(Debug, Default)]
    struct Store(std::sync::Mutex<String>);
    impl obs_llm::content::Upload for Store {
        fn upload(&self, said: &mut obs_llm::content::Exchange) -> obs_llm::content::Uploaded {
            for part in said.output.iter().flat_map(|message| &message.parts) {
                if let obs_llm::content::Part::Text(text) = part {
                    self.0.lock().expect("not poisoned").push_str(text);
                }
            }
            obs_llm::content::Uploaded::default()
        }
    }
    let (before, secret) = ("word ".repeat(20), KNOWN[0]);
    let said = format!("{before}{secret} and more");
    let answer = json!({"choices": [{"message": {"content": said}}]}).to_string();
    for cut in 1..secret.len() {
        let store = std::sync::Arc::new(Store::default());
        let content = Content::off().with_call_bytes(before.len() + cut);
        let capture = obs_testing::Capture::new();
        let layer = crate::support::layer(&capture, content.with_upload(store.clone()));
        let url = "https://api.openai.com/v1/chat/completions";
        let answer = ("application/json", answer.as_bytes());
        ask(&layer, (url, b"{}"), answer, 50);
        let stored = store.0.lock().expect("not poisoned").clone();
        assert!(stored.starts_with("word word"), "{cut}: {stored}");
        let half = format!("word {}", &secret[..1]);
        assert!(!stored.contains(&half), "{cut}: {stored}");
    }
}

/// A body that is printed, as whoever debugs prints an answer, shows nothing of what passes: neither as text nor as bytes.
#[test]
fn debugging_a_call_shows_nothing_of_what_passes() {
    use http::{Request, Response};
    use http_body_util::{BodyExt, Full, StreamBody};
    use tower::{Layer, ServiceExt, service_fn};
    type Asked = Request<obs_llm::client::RequestBody<Full<bytes::Bytes>>>;
    let begun = |key: &str| format!("{{\"{key}\":\"{}", PRIVATE[5]);
    let kinds = ["application/json", "text/event-stream"];
    let keys = ["id", "content", "finish_reason", PRIVATE[4]];
    let cases = kinds.iter().flat_map(|kind| keys.map(|key| (*kind, key)));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    for (kind, key) in cases {
        let capture = obs_testing::Capture::new();
        let layer = crate::support::layer(&capture, Content::spans_and_events());
        let piece = match kind {
            "application/json" => begun(key),
            _ => format!("data: {}", begun(key)),
        };
        let service = service_fn(move |asked: Asked| {
            let pieces = [piece.clone(), "x".to_owned()].map(|piece| {
                Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes::Bytes::from(piece)))
            });
            async move {
                asked.into_body().collect().await?;
                let head = Response::builder().header("content-type", kind);
                let body = StreamBody::new(futures_util::stream::iter(pieces));
                Ok::<_, std::convert::Infallible>(head.body(body).expect("a head"))
            }
        });
        let request =
            json!({"stop": [PRIVATE[0]], "messages": [{"role": "user", "content": PRIVATE[1]}]});
        let request = Request::post("https://api.openai.com/v1/chat/completions")
            .body(Full::from(request.to_string()));
        let shown = runtime.block_on(async {
            let answered = layer.layer(service).oneshot(request.expect("a request"));
            let mut body = answered.await.expect("infallible").into_body();
            drop(body.frame().await);
            // The body inside has no more than the last piece.
            format!("{body:?}")
        });
        assert!(shown.contains("LlmCall"), "{shown}");
        for private in PRIVATE {
            let bytes: Vec<_> = private.bytes().map(|byte| byte.to_string()).collect();
            assert!(!shown.contains(private), "{kind} {key}: {shown}");
            assert!(!shown.contains(&bytes.join(", ")), "{kind} {key}: {shown}");
        }
    }
}
