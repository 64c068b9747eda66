//! What is beyond the caps, how it is told, and that what is told is whole.

use crate::support::{anomalies, ask, details, details_of_all, layer, structured};
use obs_core::Body;
use obs_core::redact::{Redaction, Text};
use obs_core::sampling::HeadSampler;
use obs_llm::content::{Capture as Content, Exchange, Message, Part, Upload, Uploaded};
use obs_llm::wire::RequestSink;
use obs_llm::{Dialect, Llm, LlmOperation, Provider};
use obs_testing::{AttrValue, Capture};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const URL: &str = "https://api.openai.com/v1/chat/completions";

fn request(messages: &[&str]) -> String {
    let messages = messages.iter();
    let messages: Vec<_> = messages
        .map(|text| json!({"role": "user", "content": text}))
        .collect();
    json!({"model": "gpt-4o", "messages": messages}).to_string()
}

fn answer(text: &str) -> String {
    let message = json!({"role": "assistant", "content": text});
    json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).to_string()
}

fn asked(capture: &Capture, content: Content, request: &str, answer: &str) {
    let answer = ("application/json", answer.as_bytes());
    ask(
        &layer(capture, content),
        (URL, request.as_bytes()),
        answer,
        100,
    );
}

/// The texts of a list of messages.
fn texts(messages: &Value) -> Vec<String> {
    let messages = messages.as_array().expect("a list").iter();
    let text = |message: &Value| message["parts"][0]["content"].as_str().map(str::to_owned);
    messages
        .map(|message| text(message).expect("a text"))
        .collect()
}

fn on_span(capture: &Capture, key: &str) -> Value {
    let record = capture.record();
    serde_json::from_str(record.text(key).expect("told")).expect("JSON")
}

#[test]
fn a_text_is_cut_within_no_character_and_says_so() {
    let capture = Capture::new();
    let content = Content::spans_and_events().with_text_bytes(31);
    asked(
        &capture,
        content,
        &request(&[&"é".repeat(20)]),
        &answer("short"),
    );
    let expected = format!("{}…[+10 bytes]", "é".repeat(15));
    let event = details(&capture);
    assert_eq!(
        texts(&structured(&event, "gen_ai.input.messages")),
        [&*expected]
    );
    assert_eq!(
        texts(&on_span(&capture, "gen_ai.input.messages")),
        [&*expected]
    );
    assert_eq!(
        texts(&on_span(&capture, "gen_ai.output.messages")),
        ["short"]
    );
    let record = capture.record();
    assert_eq!(
        record.attr("obs.llm.content.cut"),
        Some(&AttrValue::from(10))
    );
}

#[test]
fn the_newest_messages_are_told_first() {
    let capture = Capture::new();
    let content = Content::events().with_call_bytes(1000);
    let long = "x".repeat(400);
    let messages = [&*long, &*long, &*long, "the last"];
    asked(&capture, content, &request(&messages), &answer("yes"));
    let event = details(&capture);
    let told = texts(&structured(&event, "gen_ai.input.messages"));
    assert_eq!(told.last().map(String::as_str), Some("the last"));
    assert!(told.len() < 4 || told[0].len() < 400, "{told:?}");
    assert_eq!(
        texts(&structured(&event, "gen_ai.output.messages")),
        ["yes"]
    );
}

#[test]
fn an_attribute_of_a_span_is_json_at_any_size() {
    for bytes in [64, 200, 333, 1000, 3000] {
        let capture = Capture::new();
        let content = Content::spans().with_attribute_bytes(bytes);
        let messages = ["first", &"\"\\\n\u{1}😀".repeat(50)];
        asked(&capture, content, &request(&messages), &answer("yes"));
        let record = capture.record();
        if let Some(json) = record.text("gen_ai.input.messages") {
            assert!(json.len() <= bytes, "{bytes}");
            let told: Value = serde_json::from_str(json).expect("JSON");
            let told = texts(&told);
            let last = told.last().expect("the last message");
            assert!(last.starts_with("\"\\\n"), "{bytes}");
            assert!(bytes < 1000 || told[0] == "first", "{bytes}");
        } else {
            assert_eq!(bytes, 64, "no room for a message at all");
        }
    }
}

#[test]
fn what_is_behind_the_cap_of_a_request_is_missing_and_no_more() {
    let whole = request(&["one", "two is the second", "three"]);
    let to = whole.find("second").expect("there");
    let capture = Capture::new();
    let content = Content::spans_and_events().with_request_bytes(to + 3);
    asked(&capture, content, &whole, &answer("yes"));
    let missing = whole.len() - to - 3;
    let cut = format!("two is the…[+{} bytes]", missing + " sec".len());
    let told = texts(&structured(&details(&capture), "gen_ai.input.messages"));
    assert_eq!(told, ["one", &*cut]);
    let cut = AttrValue::from(i64::try_from(missing).expect("small"));
    assert_eq!(capture.record().attr("obs.llm.content.cut"), Some(&cut));
}

#[test]
fn a_call_without_room_in_the_pool_goes_without_and_gives_back_what_it_held() {
    let capture = Capture::new();
    let content = Content::events().with_in_flight_bytes(1000);
    let layer = layer(&capture, content);
    let (long, short) = (request(&[&"x".repeat(2000)]), request(&["hi"]));
    let answer = answer("yes");
    for request in [&long, &short, &long, &short] {
        ask(
            &layer,
            (URL, request.as_bytes()),
            ("application/json", answer.as_bytes()),
            50,
        );
    }
    assert!((anomalies(&capture, "content_dropped") - 2.0).abs() < 0.1);
    let events = details_of_all(&capture);
    assert_eq!(events.len(), 2);
    for event in events {
        assert_eq!(texts(&structured(&event, "gen_ai.input.messages")), ["hi"]);
    }
    assert_eq!(capture.records().len(), 4, "all calls are measured");
}

/// Writes what would break JSON if it saw JSON.
fn breaker(text: Text<'_>) -> Redaction {
    match text.value {
        value if value.contains("secret") => Redaction::replace("\"}],\n\\"),
        value if value.contains("gone") => Redaction::Remove,
        value if value.starts_with('[') => Redaction::replace("it was seen as a whole"),
        _ => Redaction::Keep,
    }
}

#[test]
fn what_a_redactor_writes_breaks_no_json() {
    let capture = Capture::builder()
        .with(|builder| builder.with_redactor(breaker))
        .build();
    let request = json!({"model": "m", "messages": [
        {"role": "user", "content": [{"type": "text", "text": "a secret"}, {"type": "text", "text": "gone"}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "function": {"name": "f",
            "arguments": "{\"a\":[\"secret\",\"gone\",\"stays\"],\"b\":\"gone\"}"}}]}]});
    asked(
        &capture,
        Content::spans_and_events(),
        &request.to_string(),
        &answer("yes"),
    );
    let left = "\"}],\n\\";
    let expected = json!([
        {"role": "user", "parts": [{"type": "text", "content": left}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": [left, "stays"]}}]}]);
    assert_eq!(on_span(&capture, "gen_ai.input.messages"), expected);
    assert_eq!(
        structured(&details(&capture), "gen_ai.input.messages"),
        expected
    );
}

#[test]
fn what_is_told_by_hand_is_told() {
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let llm = llm.with_content(Content::events());
    let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
    assert!(call.wants_content());
    call.model("claude");
    call.system_instruction("Brief.");
    call.input_message(Message::new("user").with_text("hi"));
    call.tool_definition(Body::Map(vec![(
        "name".to_owned(),
        Body::Text("f".to_owned()),
    )]));
    let reply = Message::new("assistant").with_part(Part::Reasoning("hm".to_owned()));
    call.output_message(reply.with_finish_reason("end_turn"));
    // Dropped: what was said by then is told.
    drop(call);
    let event = details(&capture);
    assert_eq!(event.severity, obs_core::Severity::Debug);
    assert_eq!(event.span_id, Some(capture.record().span_id));
    let attribute = |key: &str| {
        let pair = event
            .attributes
            .iter()
            .find(|pair| pair.key.as_str() == key);
        pair.map(|pair| pair.value.to_string())
    };
    assert_eq!(attribute("gen_ai.request.model").as_deref(), Some("claude"));
    assert_eq!(attribute("gen_ai.operation.name").as_deref(), Some("chat"));
    assert_eq!(attribute("error.type").as_deref(), Some("cancelled"));
    let told = |key| structured(&event, key);
    assert_eq!(
        told("gen_ai.system_instructions"),
        json!([{"type": "text", "content": "Brief."}])
    );
    assert_eq!(texts(&told("gen_ai.input.messages")), ["hi"]);
    assert_eq!(told("gen_ai.tool.definitions"), json!([{"name": "f"}]));
    assert_eq!(
        told("gen_ai.output.messages"),
        json!([{"role": "assistant", "finish_reason": "end_turn", "parts": [{"type": "reasoning", "content": "hm"}]}])
    );
}

#[test]
fn nothing_is_kept_where_nobody_asks() {
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_content(Content::off());
    let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
    assert!(!call.wants_content());
    call.input_message(Message::new("user").with_text("hi"));
    call.end();
    assert_eq!(capture.log_events().len(), 0);
}

#[test]
fn an_answer_that_is_cut_off_is_told_as_far_as_it_came() {
    let capture = Capture::new();
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\" th";
    let answer = ("text/event-stream", stream.as_bytes());
    ask(
        &layer(&capture, Content::events()),
        (URL, request(&["hi"]).as_bytes()),
        answer,
        9,
    );
    let told = structured(&details(&capture), "gen_ai.output.messages");
    assert_eq!(texts(&told), ["Hello"]);
}

/// Keeps what it gets, and rewrites the answer.
#[derive(Debug, Default)]
struct Store(Mutex<Vec<Exchange>>);

impl Upload for Store {
    fn upload(&self, exchange: &mut Exchange) -> Uploaded {
        self.0.lock().expect("not poisoned").push(exchange.clone());
        for message in &mut exchange.output {
            message.parts = vec![Part::Text("rewritten".to_owned())];
        }
        Uploaded {
            input: Some("store://1/input".to_owned()),
            ..Uploaded::default()
        }
    }
}

#[test]
fn an_upload_gets_it_whatever_is_captured_and_sampled() {
    for (content, sampled) in [
        (Content::off(), false),
        (Content::off(), true),
        (Content::spans_and_events(), true),
    ] {
        let sampler = if sampled {
            HeadSampler::always_on()
        } else {
            HeadSampler::always_off()
        };
        let capture = Capture::builder().with_sampler(sampler).build();
        let (store, both) = (Arc::new(Store::default()), content.is_capturing());
        let content = content.with_upload(store.clone());
        asked(&capture, content, &request(&["hi"]), &answer("yes"));
        let stored = store.0.lock().expect("not poisoned");
        assert_eq!(stored.len(), 1);
        assert!(stored[0].output[0].parts == [Part::Text("yes".to_owned())]);
        assert_eq!(details_of_all(&capture).len(), usize::from(both));
        if sampled {
            let record = capture.record();
            assert_eq!(
                record.text("obs.llm.input.messages_ref"),
                Some("store://1/input")
            );
            assert_eq!(record.text("gen_ai.input.messages").is_some(), both);
        }
        if both {
            let told = on_span(&capture, "gen_ai.output.messages");
            assert_eq!(texts(&told), ["rewritten"]);
        }
    }
}

/// One that panics costs what it says, and no more.
#[test]
fn an_upload_that_panics_is_contained() {
    #[derive(Debug)]
    struct Bomb;
    impl Upload for Bomb {
        fn upload(&self, _: &mut Exchange) -> Uploaded {
            panic!("no store")
        }
    }
    let capture = Capture::new();
    let content = Content::events().with_upload(Arc::new(Bomb));
    asked(&capture, content, &request(&["hi"]), &answer("yes"));
    assert_eq!(
        texts(&structured(&details(&capture), "gen_ai.input.messages")),
        ["hi"]
    );
    assert_eq!(capture.records().len(), 1);
}

/// A limit on all texts of spans cuts them as text, after which JSON would be none: it is a cap like the others.
#[test]
fn an_attribute_of_a_span_is_json_below_the_limit_of_all_texts() {
    let of = |name: &str| (name == "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT").then(|| "150".to_owned());
    let environment = obs_core::setup::environment::Environment::from_fn(of);
    let capture = Capture::builder()
        .with(|builder| builder.with_environment(environment))
        .build();
    let messages = ["first", &"\"\\\n😀".repeat(50)];
    asked(
        &capture,
        Content::spans(),
        &request(&messages),
        &answer("yes"),
    );
    let record = capture.record();
    let told = record.text("gen_ai.input.messages").expect("told");
    assert!(told.chars().count() <= 150, "{told}");
    let told: Value = serde_json::from_str(told).expect("JSON");
    assert!(
        texts(&told)
            .last()
            .expect("a message")
            .starts_with("\"\\\n")
    );
}

/// By the conventions the event has what the span of an inference has, and some of that where the request says it.
#[test]
fn the_event_has_what_was_asked_for_as_the_span_does() {
    let request = json!({"model": "gpt-4o", "stream": true, "n": 2, "seed": 7, "max_tokens": 64, "temperature": 0.5,
        "service_tier": "flex", "response_format": {"type": "json_object"}, "messages": []});
    let chunk = |choice: u32, told: Value| {
        json!({"id": "c1", "model": "gpt-4o-1", "service_tier": "flex", "system_fingerprint": "fp",
            "choices": [{"index": choice, "delta": {"content": "hi"}, "finish_reason": told}]})
    };
    let chunks = [
        chunk(0, Value::Null),
        chunk(0, "stop".into()),
        chunk(1, "stop".into()),
    ];
    let events = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    let stream = events.collect::<String>() + "data: [DONE]\n\n";
    let capture = Capture::new();
    let layer = layer(&capture, Content::events());
    let answer = ("text/event-stream", stream.as_bytes());
    ask(&layer, (URL, request.to_string().as_bytes()), answer, 50);
    let (event, record) = (details(&capture), capture.record());
    let keys: Vec<_> = { event.attributes.iter() }
        .map(|pair| pair.key.as_str())
        .collect();
    // Ours are the span's alone, and so is its status.
    let own = |key: &str| key.starts_with("obs.");
    for (key, _) in record.attributes.iter().filter(|(key, _)| !own(key)) {
        assert!(
            keys.contains(&&**key),
            "{key} is not on the event: {keys:?}"
        );
    }
    for key in [
        "gen_ai.request.stream",
        "gen_ai.request.choice.count",
        "gen_ai.request.seed",
        "gen_ai.output.type",
        "gen_ai.response.time_to_first_chunk",
    ] {
        assert_eq!(
            keys.iter().filter(|known| **known == key).count(),
            1,
            "{key}"
        );
    }
}

/// Who tells the answer by hand beside a stream whose bytes are read knows better, and it is told once.
#[test]
fn what_is_told_by_hand_beats_what_is_read() {
    use futures_util::{FutureExt, StreamExt, stream};
    use obs_llm::InstrumentedStream;
    use obs_llm::wire::{Framing, Wire};
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_content(Content::events());
    let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
    call.set_session(obs_core::Session::new("s-1"));
    call.output_message(Message::new("assistant").with_text("by hand"));
    let pieces = stream::iter([Ok::<_, ()>(answer("by the bytes"))]);
    let stream = InstrumentedStream::of_bytes(pieces, call, Wire::OpenAiChat, Framing::Json);
    let read: Vec<_> = stream.collect().now_or_never().expect("it is there");
    assert_eq!(read.len(), 1);
    let event = details(&capture);
    let told = structured(&event, "gen_ai.output.messages");
    assert_eq!(texts(&told), ["by hand"]);
    assert!(format!("{:?}", event.session).contains("s-1"));
}
