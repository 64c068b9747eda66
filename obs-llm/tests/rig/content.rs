//! Prompts and answers: nowhere, unless they are asked for.

use crate::answers::{ANSWER, EVENTS};
use crate::scripted::serve_each;
use crate::server::{serve, soon, streamed, whole};
use crate::support::{chat, hello, llm, openai, over};
use obs_llm::adapters::rig::ModelLayer;
use obs_llm::content::Capture as Asked;
use obs_testing::Capture;

#[tokio::test]
async fn nothing_of_it_is_recorded_by_default() {
    let answers = vec![
        whole("200 OK", "application/json", ANSWER),
        streamed(EVENTS),
    ];
    let server = serve_each(answers).await;
    let capture = Capture::new();
    let model = chat(&capture, &server.url(""));
    soon(model.call(hello())).await.expect("an answer");
    let stream = model.stream(hello()).expect("a stream");
    soon(stream.finish()).await.expect("an answer");
    let all = format!("{:?} {:?}", capture.records(), capture.log_events());
    for said in ["nobody is to know", "sky", "sk-secret"] {
        assert!(!all.contains(said), "{said}: {all}");
    }
}

#[tokio::test]
async fn messages_are_read_of_requests_and_answers() {
    for streams in [false, true] {
        let answer = match streams {
            false => whole("200 OK", "application/json", ANSWER),
            true => streamed(EVENTS),
        };
        let server = serve(answer).await;
        let capture = Capture::new();
        let llm = llm(&capture).with_content(Asked::spans());
        let model = openai(&server.url("")).chat("gpt-4o-mini");
        let model = ModelLayer::new(&llm).layer(model);
        if streams {
            let stream = model.stream(hello()).expect("a stream");
            soon(stream.finish()).await.expect("an answer");
        } else {
            soon(model.call(hello())).await.expect("an answer");
        }
        let record = over(&capture, None);
        let json = |key: &str| -> serde_json::Value {
            let text = record.text(key);
            let text = text.unwrap_or_else(|| panic!("{key} {record:#?}"));
            serde_json::from_str(text).expect("JSON")
        };
        let input = json("gen_ai.input.messages");
        assert_eq!(input[0]["role"], "user");
        let said = "what nobody is to know";
        assert_eq!(input[0]["parts"][0]["content"], said);
        let output = json("gen_ai.output.messages");
        assert_eq!(output[0]["parts"][0]["content"], "The sky.");
        assert_eq!(output[0]["finish_reason"], "stop");
    }
}
