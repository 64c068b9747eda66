//! Over async-openai.

use crate::outline::{outline, two_calls};
use crate::scripted::{Server, soon};
use crate::support::{TREE, Told, ask, call, handlers, llm, server, turn};
use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::ReqwestService;
use async_openai::types::chat::{CreateChatCompletionRequest, CreateChatCompletionResponse};
use futures_util::StreamExt;
use obs_agent::{Handlers, Output};
use obs_llm::adapters::async_openai::AsyncOpenAiLayer;
use obs_llm::{LlmClientLayer, Tokens, Usage};
use obs_testing::{Capture, assert_tree};
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceBuilder;

pub(crate) fn client(capture: &Capture, server: &Server) -> Client<OpenAIConfig> {
    let config = OpenAIConfig::new()
        .with_api_base(server.url("/v1"))
        .with_api_key("sk-of-nobody");
    let reqwest = reqwest::Client::builder().no_proxy().build();
    let stack = ServiceBuilder::new()
        .layer(AsyncOpenAiLayer::from(LlmClientLayer::of(&llm(capture))))
        .service(ReqwestService::new(reqwest.expect("a client")));
    Client::with_config(config).with_http_service(stack)
}

pub(crate) use async_openai::error::OpenAIError as Error;

/// What is asked, without tools.
pub(crate) fn question() -> CreateChatCompletionRequest {
    let messages = [json!({"role": "user", "content": "How is it in Oslo?"})];
    let request = json!({"model": "gpt-4o-mini", "messages": messages});
    serde_json::from_value(request).expect("a request")
}

fn usage(answer: &CreateChatCompletionResponse) -> Usage {
    let told = answer.usage.as_ref().expect("it is told");
    Usage::new()
        .with(Tokens::Input, u64::from(told.prompt_tokens))
        .with(Tokens::Output, u64::from(told.completion_tokens))
}

/// Asks until there is an answer, and calls the tools that are wanted.
async fn run(
    handlers: &Handlers,
    client: &Client<OpenAIConfig>,
    told: Told,
) -> Result<String, OpenAIError> {
    let mut messages = vec![json!({"role": "user", "content": "How is it in Oslo?"})];
    loop {
        let request = json!({"model": "gpt-4o-mini", "messages": messages});
        let request: CreateChatCompletionRequest =
            serde_json::from_value(request).expect("a request");
        let chat = client.chat();
        let answer = ask(handlers, told, chat.create(request), usage).await?;
        let answer = serde_json::to_value(&answer.choices[0].message).expect("JSON");
        let Some(calls) = answer["tool_calls"].as_array() else {
            return Ok(answer["content"].as_str().unwrap_or_default().to_owned());
        };
        messages.push(answer.clone());
        for wanted in calls {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let (id, function) = (text(&wanted["id"]), &wanted["function"]);
            let (name, arguments) = (text(&function["name"]), text(&function["arguments"]));
            let result = call(handlers, &name, &id, &arguments).await;
            messages.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
        }
    }
}

/// The same, each answer read as a stream.
async fn run_streamed(
    handlers: &Handlers,
    client: &Client<OpenAIConfig>,
) -> Result<String, OpenAIError> {
    let mut messages = vec![json!({"role": "user", "content": "How is it in Oslo?"})];
    loop {
        let request = json!({"model": "gpt-4o-mini", "messages": messages});
        let request: CreateChatCompletionRequest =
            serde_json::from_value(request).expect("a request");
        let mut stream = client.chat().create_stream(request).await?;
        let (mut said, mut wanted) = (String::new(), Vec::<[String; 3]>::new());
        while let Some(chunk) = stream.next().await {
            let chunk = serde_json::to_value(chunk?).expect("JSON");
            let delta = &chunk["choices"][0]["delta"];
            said.push_str(delta["content"].as_str().unwrap_or_default());
            for part in delta["tool_calls"].as_array().into_iter().flatten() {
                let index = part["index"].as_u64().expect("a number") as usize;
                wanted.resize_with(wanted.len().max(index + 1), Default::default);
                let function = &part["function"];
                let parts = [&part["id"], &function["name"], &function["arguments"]];
                for (whole, part) in wanted[index].iter_mut().zip(parts) {
                    whole.push_str(part.as_str().unwrap_or_default());
                }
            }
        }
        if wanted.is_empty() {
            return Ok(said);
        }
        let calls: Vec<_> = wanted
            .iter()
            .map(|[id, name, arguments]| {
                let function = json!({"name": name, "arguments": arguments});
                json!({"id": id, "type": "function", "function": function})
            })
            .collect();
        messages.push(json!({"role": "assistant", "tool_calls": calls}));
        for [id, name, arguments] in &wanted {
            let result = call(handlers, name, id, arguments).await;
            messages.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
        }
    }
}

#[tokio::test]
async fn a_call_whose_answer_is_streamed_is_told_once_within_the_agent_s_run() {
    let server = server(true).await;
    let capture = Capture::new();
    let (handlers, client) = (handlers(&capture), client(&capture, &server));
    let agent = turn(&handlers);
    let answer = soon(agent.wrap(run_streamed(&handlers, &client))).await;
    assert_eq!(answer.expect("an answer"), "Rain at noon.");
    agent.end(&Output::Agent(Default::default()));
    // A task of the client's reads its streams.
    soon(async {
        while capture.records().len() < TREE.trim().lines().count() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_tree(outline(&capture), TREE);
    two_calls(&capture, true);
}

#[tokio::test]
async fn a_call_of_a_model_is_told_once_within_the_agent_s_run() {
    for told in [Told::Beneath, Told::Around] {
        let server = server(false).await;
        let capture = Capture::new();
        let (handlers, client) = (handlers(&capture), client(&capture, &server));
        let agent = turn(&handlers);
        let answer = soon(agent.wrap(run(&handlers, &client, told))).await;
        assert_eq!(answer.expect("an answer"), "Rain at noon.");
        agent.end(&Output::Agent(Default::default()));
        assert!(server.bodies()[1].contains("rain"), "the tool's answer");
        assert_tree(outline(&capture), TREE);
        two_calls(&capture, false);
    }
}
