//! Over genai.

use crate::outline::{outline, two_calls};
use crate::scripted::{Server, soon};
use crate::support::{TREE, Told, ask, call, handlers, llm, server, turn};
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{ChatOptions, ChatRequest, ChatResponse, ChatStreamEvent, ToolResponse};
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ServiceTarget};
use obs_agent::{Handlers, Output};
use obs_llm::adapters::genai::Client;
use obs_llm::{Tokens, Usage};
use obs_testing::{Capture, assert_tree};

pub(crate) fn client(capture: &Capture) -> Client {
    let reqwest = reqwest::Client::builder().no_proxy().build();
    let genai = genai::Client::builder().with_reqwest(reqwest.expect("a client"));
    Client::new(genai.build().expect("a client"), &llm(capture))
}

pub(crate) fn target(server: &Server) -> ServiceTarget {
    ServiceTarget {
        endpoint: Endpoint::from_owned(server.url("/v1/")),
        auth: AuthData::from_single("sk-secret"),
        model: ModelIden::new(AdapterKind::OpenAI, "gpt-4o-mini"),
    }
}

/// What is asked, without tools.
pub(crate) fn question() -> ChatRequest {
    ChatRequest::from_user("How is it in Oslo?")
}

fn usage(answer: &ChatResponse) -> Usage {
    let count = |tokens: Option<i32>| tokens.map_or(0, |tokens| tokens.unsigned_abs().into());
    Usage::new()
        .with(Tokens::Input, count(answer.usage.prompt_tokens))
        .with(Tokens::Output, count(answer.usage.completion_tokens))
}

/// Asks until there is an answer, and calls the tools that are wanted.
async fn run(
    handlers: &Handlers,
    client: &Client,
    server: &Server,
    told: Told,
) -> genai::Result<String> {
    let mut request = ChatRequest::from_user("How is it in Oslo?");
    loop {
        let asked = client.exec_chat(target(server), request.clone(), None);
        let answer = ask(handlers, told, asked, usage).await?;
        let calls: Vec<_> = answer.tool_calls().into_iter().cloned().collect();
        if calls.is_empty() {
            return Ok(answer.into_first_text().unwrap_or_default());
        }
        request = request.append_message(calls.clone());
        for wanted in calls {
            let arguments = wanted.fn_arguments.to_string();
            let result = call(handlers, &wanted.fn_name, &wanted.call_id, &arguments).await;
            request = request.append_message(ToolResponse::new(wanted.call_id, result));
        }
    }
}

/// The same, each answer read as a stream.
async fn run_streamed(
    handlers: &Handlers,
    client: &Client,
    server: &Server,
) -> genai::Result<String> {
    let options = ChatOptions::default()
        .with_capture_content(true)
        .with_capture_tool_calls(true);
    let mut request = ChatRequest::from_user("How is it in Oslo?");
    loop {
        let asked = client.exec_chat_stream(target(server), request.clone(), Some(&options));
        let mut stream = asked.await?.stream;
        let mut end = None;
        while let Some(event) = stream.next().await {
            if let ChatStreamEvent::End(told) = event? {
                end = Some(told);
            }
        }
        let end = end.expect("it ends");
        let calls = end.captured_tool_calls().unwrap_or_default();
        let calls: Vec<_> = calls.into_iter().cloned().collect();
        if calls.is_empty() {
            return Ok(end.captured_first_text().unwrap_or_default().to_owned());
        }
        request = request.append_message(calls.clone());
        for wanted in calls {
            let arguments = wanted.fn_arguments.to_string();
            let result = call(handlers, &wanted.fn_name, &wanted.call_id, &arguments).await;
            request = request.append_message(ToolResponse::new(wanted.call_id, result));
        }
    }
}

#[tokio::test]
async fn a_call_whose_answer_is_streamed_is_told_once_within_the_agent_s_run() {
    let server = server(true).await;
    let capture = Capture::new();
    let (handlers, client) = (handlers(&capture), client(&capture));
    let agent = turn(&handlers);
    let answer = soon(agent.wrap(run_streamed(&handlers, &client, &server))).await;
    assert_eq!(answer.expect("an answer"), "Rain at noon.");
    agent.end(&Output::Agent(Default::default()));
    assert_tree(outline(&capture), TREE);
    two_calls(&capture, true);
}

#[tokio::test]
async fn a_call_of_a_model_is_told_once_within_the_agent_s_run() {
    for told in [Told::Beneath, Told::Around] {
        let server = server(false).await;
        let capture = Capture::new();
        let (handlers, client) = (handlers(&capture), client(&capture));
        let agent = turn(&handlers);
        let answer = soon(agent.wrap(run(&handlers, &client, &server, told))).await;
        assert_eq!(answer.expect("an answer"), "Rain at noon.");
        agent.end(&Output::Agent(Default::default()));
        assert!(server.bodies()[1].contains("rain"), "the tool's answer");
        assert_tree(outline(&capture), TREE);
        two_calls(&capture, false);
    }
}
