//! Over genai.

use crate::outline::{outline, two_calls};
use crate::scripted::{Server, soon};
use crate::support::{TREE, Told, ask, call, handlers, llm, server, turn};
use genai::adapter::AdapterKind;
use genai::chat::{ChatRequest, ChatResponse, ToolResponse};
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ServiceTarget};
use obs_agent::{Handlers, Output};
use obs_llm::adapters::genai::Client;
use obs_llm::{Tokens, Usage};
use obs_testing::{Capture, assert_tree};

fn client(capture: &Capture) -> Client {
    let reqwest = reqwest::Client::builder().no_proxy().build();
    let genai = genai::Client::builder().with_reqwest(reqwest.expect("a client"));
    Client::new(genai.build().expect("a client"), &llm(capture))
}

fn target(server: &Server) -> ServiceTarget {
    ServiceTarget {
        endpoint: Endpoint::from_owned(server.url("/v1/")),
        auth: AuthData::from_single("sk-secret"),
        model: ModelIden::new(AdapterKind::OpenAI, "gpt-4o-mini"),
    }
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

#[tokio::test]
async fn a_call_of_a_model_is_told_once_within_the_agent_s_run() {
    for told in [Told::Beneath, Told::Around] {
        let server = server().await;
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
