//! Prompts and answers: nowhere, unless they are asked for.

use crate::answers::{ANSWER, EVENTS};
use crate::scripted::serve_each;
use crate::server::{serve, soon, streamed, whole};
use crate::support::{client, hello, llm, openai, over};
use futures_util::StreamExt;
use genai::chat::{ChatMessage, ChatRequest, ContentPart, Tool, ToolCall, ToolResponse};
use obs_llm::adapters::genai::Client;
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
    let client = client(&capture);
    let asking = client.exec_chat(openai(&server), hello(), None);
    soon(asking).await.expect("an answer");
    let asking = client.exec_chat_stream(openai(&server), hello(), None);
    let stream = soon(asking).await.expect("a stream").stream;
    soon(stream.collect::<Vec<_>>()).await;
    let all = format!("{:?} {:?}", capture.records(), capture.log_events());
    for said in ["nobody is to know", "sky", "sk-secret"] {
        assert!(!all.contains(said), "{said}: {all}");
    }
}

fn conversation() -> ChatRequest {
    let call = ToolCall {
        call_id: "call_1".to_owned(),
        fn_name: "weather".to_owned(),
        fn_arguments: serde_json::json!({"city": "Oslo"}),
        thought_signatures: Some(vec!["opaque".to_owned()]),
    };
    let picture = ContentPart::from_binary_base64("image/png", "AAAA", None);
    ChatRequest::from_system("Be brief.")
        .append_message(ChatMessage::user(vec![
            ContentPart::from_text("Why?"),
            picture,
        ]))
        .append_message(ChatMessage::from(vec![call]))
        .append_message(ChatMessage::from(ToolResponse::new("call_1", "rain")))
        .with_tools([Tool::new("weather").with_description("Of a city.")])
}

/// The messages of the answer to this, by either way, as JSON.
#[tokio::test]
async fn messages_are_those_of_the_conventions() {
    for streams in [false, true] {
        let answer = match streams {
            false => whole("200 OK", "application/json", ANSWER),
            true => streamed(EVENTS),
        };
        let server = serve(answer).await;
        let capture = Capture::new();
        let llm = llm(&capture).with_content(Asked::spans());
        let client = Client::new(crate::support::bare().build().unwrap(), &llm);
        if streams {
            let asking = client.exec_chat_stream(openai(&server), conversation(), None);
            let stream = soon(asking).await.expect("a stream").stream;
            soon(stream.collect::<Vec<_>>()).await;
        } else {
            let asking = client.exec_chat(openai(&server), conversation(), None);
            soon(asking).await.expect("an answer");
        }
        let record = over(&capture, None);
        let json = |key: &str| -> serde_json::Value {
            let text = record
                .text(key)
                .unwrap_or_else(|| panic!("{key} {record:#?}"));
            serde_json::from_str(text).expect("JSON")
        };
        let system = json("gen_ai.system_instructions");
        assert_eq!(system[0]["content"], "Be brief.");
        let input = json("gen_ai.input.messages");
        assert_eq!(input[0]["parts"][0]["content"], "Why?");
        // The picture itself is nowhere.
        assert_eq!(input[0]["parts"][1]["mime_type"], "image/png");
        assert!(!input.to_string().contains("AAAA"));
        assert_eq!(input[1]["role"], "assistant");
        let call = &input[1]["parts"][0];
        assert_eq!(call["name"], "weather");
        assert_eq!(call["arguments"]["city"], "Oslo");
        assert_eq!(input[2]["role"], "tool");
        assert_eq!(input[2]["parts"][0]["id"], "call_1");
        assert_eq!(json("gen_ai.tool.definitions")[0]["name"], "weather");
        let output = json("gen_ai.output.messages");
        assert_eq!(output[0]["role"], "assistant");
        assert_eq!(output[0]["parts"][0]["content"], "The sky.");
        assert_eq!(output[0]["finish_reason"], "stop");
    }
}
