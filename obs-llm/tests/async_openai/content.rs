//! What is said stays out of telemetry unless it is asked for.

use crate::chat::STREAMED;
use crate::server::{events, json, serve};
use crate::support::{asks, client, llm, over, soon};
use futures_util::StreamExt;
use obs_llm::Llm;
#[cfg(feature = "content")]
use obs_llm::content::Capture as Content;
use obs_testing::Capture;
use serde_json::json as value;

const PROMPT: &str = "of nobody's business";
const BUSY: &str = r#"{"error":{"message":"busy","type":"server_error"}}"#;

/// Asks, is answered at the second attempt, and says all that was recorded.
async fn recorded(capture: &Capture, llm: &Llm) -> String {
    let server = serve(vec![
        json("503 Service Unavailable", BUSY),
        events(STREAMED),
    ])
    .await;
    let request = asks(value!({
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": PROMPT}],
    }));
    let client = client(llm, &server);
    let stream = soon(client.chat().create_stream(request)).await;
    let items: Vec<_> = soon(stream.expect("a stream").collect()).await;
    assert_eq!(items.len(), 7);
    let record = over(capture, None).await;
    format!(
        "{record:?} {:?} {:?}",
        capture.log_events(),
        capture.points()
    )
}

#[tokio::test]
async fn nothing_that_is_said_is_recorded_unless_it_is_asked_for() {
    let capture = Capture::new();
    let recorded = recorded(&capture, &llm(&capture)).await;
    for said in [PROMPT, "Hello", "w\u{f6}rld", "quoted", "sk-of-nobody"] {
        assert!(!recorded.contains(said), "{said}");
    }
}

#[cfg(feature = "content")]
#[tokio::test]
async fn what_is_asked_for_is_recorded_once_whatever_was_retried() {
    let capture = Capture::new();
    let llm = llm(&capture).with_content(Content::spans());
    let recorded = recorded(&capture, &llm).await;
    assert!(!recorded.contains("sk-of-nobody"));
    let record = capture.record();
    let said = |key: &str| {
        let text = record.text(key).expect("it was said");
        serde_json::from_str::<serde_json::Value>(text).expect("JSON")
    };
    assert_eq!(
        said("gen_ai.input.messages"),
        value!([{"role": "user", "parts": [{"type": "text", "content": PROMPT}]}])
    );
    let answer = "Hello w\u{f6}rld\n\"quoted\" \u{1f600}";
    assert_eq!(
        said("gen_ai.output.messages"),
        value!([{
            "role": "assistant",
            "parts": [{"type": "text", "content": answer}],
            "finish_reason": "stop",
        }])
    );
}
