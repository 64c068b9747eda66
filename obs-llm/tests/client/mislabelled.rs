//! Answers whose type says something else than they are.

use crate::answers::{CHAT, STREAM, layer};
use crate::support::ask;
use http_body_util::BodyExt;
use obs_testing::{Capture, CapturedRecord};

const URL: &str = "https://api.openai.com/v1/chat/completions";

async fn answered(pieces: &[&str]) -> CapturedRecord {
    let capture = Capture::new();
    let answer = (200, "application/json", pieces);
    let response = ask(&layer(&capture), (URL, CHAT), answer).await;
    let body = response.into_body().collect().await.expect("infallible");
    assert_eq!(body.to_bytes(), pieces.concat().as_bytes());
    let malformed = [("obs.anomaly", "malformed_json".into())];
    let malformed = capture.points().sum("obs.llm.anomalies", &malformed);
    assert!(malformed.is_none_or(|point| point.as_f64() == 0.0));
    capture.record()
}

#[tokio::test]
async fn events_that_are_sent_as_json_are_read_as_events() {
    let whole = STREAM.concat();
    for begins in [
        "",
        ": ping\n\n",
        "event: message\n",
        "id: 7\n",
        "retry: 10\n\n",
        "\n\n",
    ] {
        let text = format!("{begins}{whole}");
        for cut in [1, begins.len().max(1), begins.len() + 9, text.len()] {
            let (one, other) = text.split_at(cut);
            let record = answered(&[one, other]).await;
            assert_eq!(record.error_type(), None, "{begins:?} cut at {cut}");
            let told = |key| record.attr(key).cloned();
            assert_eq!(told("gen_ai.usage.output_tokens"), Some(2_i64.into()));
            assert_eq!(told("obs.llm.response.chunks"), Some(2_i64.into()));
        }
    }
}

#[tokio::test]
async fn json_is_json_whatever_it_begins_with() {
    let answer = r#"{"id":"c1","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    for begins in ["", "\n  ", "\u{feff}"] {
        let record = answered(&[begins, answer]).await;
        assert_eq!(record.error_type(), None, "{begins:?}");
        let told = record.attr("gen_ai.usage.output_tokens").cloned();
        assert_eq!(told, Some(1_i64.into()), "{begins:?}");
    }
}
