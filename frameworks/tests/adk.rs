//! An agent of adk-rust with a tool, run for real.

#[path = "support/world.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod world;

use adk_agent::LlmAgentBuilder;
use adk_core::{Content, ToolContext};
use adk_model::openai::{OpenAIClient, OpenAIConfig};
use adk_runner::Runner;
use adk_session::{CreateRequest, InMemorySessionService, SessionService};
use adk_tool::FunctionTool;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tracing::instrument::WithSubscriber;
use world::scripted::{Act, Server, serve, serve_each};
use world::{World, base, lines, stream};

async fn weather(_: Arc<dyn ToolContext>, _: Value) -> adk_core::Result<Value> {
    Ok(json!({"weather": "rain"}))
}

/// Asks an agent, and says how many events came, and whether all went well.
async fn ask(server: &Server) -> (usize, bool) {
    let config = OpenAIConfig::compatible("key", base(server), "gpt-4o");
    let model = OpenAIClient::new(config).expect("a client");
    let tool = FunctionTool::new("weather", "The weather in a city.", weather);
    let agent = LlmAgentBuilder::new("forecaster")
        .model(Arc::new(model))
        .tool(Arc::new(tool))
        .build()
        .expect("an agent");
    let sessions = Arc::new(InMemorySessionService::new());
    let session = CreateRequest {
        app_name: "app".to_owned(),
        user_id: "u-1".to_owned(),
        session_id: Some("s-1".to_owned()),
        state: Default::default(),
    };
    sessions.create(session).await.expect("a session");
    let runner = Runner::builder()
        .app_name("app")
        .agent(Arc::new(agent))
        .session_service(sessions)
        .build()
        .expect("a runner");
    let content = Content::new("user").with_text("How is it in Oslo?");
    let mut events = runner.run_str("u-1", "s-1", content).await.expect("a run");
    let (mut count, mut well) = (0, true);
    while let Some(event) = events.next().await {
        count += 1;
        well &= event.is_ok();
    }
    (count, well)
}

fn chunk(delta: &str, finish: &str, usage: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]{usage}}}"#
    )
}

fn usage((input, output): (u32, u32)) -> String {
    let total = input + output;
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[],"usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}}}"#
    )
}

fn calls_tool(tokens: (u32, u32)) -> Vec<Act> {
    let call = r#"{"role":"assistant","tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]}"#;
    stream(&[
        &chunk(call, "null", ""),
        &chunk("{}", "\"tool_calls\"", ""),
        &usage(tokens),
        "[DONE]",
    ])
}

fn says(tokens: (u32, u32)) -> Vec<Act> {
    stream(&[
        &chunk(r#"{"role":"assistant","content":"It "}"#, "null", ""),
        &chunk(r#"{"content":"rains."}"#, "null", ""),
        &chunk("{}", "\"stop\"", ""),
        &usage(tokens),
        "[DONE]",
    ])
}

#[tokio::test]
async fn an_agent_calls_a_tool_and_answers() {
    let world = World::new();
    let server = serve_each(vec![calls_tool((41, 9)), says((63, 4))]).await;
    let (events, well) = ask(&server).with_subscriber(world.dispatch.clone()).await;
    assert!(well && events >= 3, "{events}");
    assert_eq!(world.tokens(), (41 + 63, 9 + 4, 2), "as served");
    assert_eq!(
        world.tree(),
        lines(
            r#"
            trace 1
              invoke_agent forecaster [internal]
                - gen_ai.provider.name: "openai"
                - obs.agent.implementation: "adk-rust"
                chat gpt-4o [client]
                  - gen_ai.provider.name: "openai"
                  - gen_ai.request.stream: true
                  - gen_ai.usage.input_tokens: 41
                  - gen_ai.usage.output_tokens: 9
                  - obs.agent.implementation: "adk-rust"
                chat gpt-4o [client]
                  - gen_ai.provider.name: "openai"
                  - gen_ai.request.stream: true
                  - gen_ai.usage.input_tokens: 63
                  - gen_ai.usage.output_tokens: 4
                  - obs.agent.implementation: "adk-rust"
                execute_tool weather [internal]
                  - gen_ai.tool.name: "weather"
                  - obs.agent.implementation: "adk-rust"
            "#
        )
    );
}

#[tokio::test]
async fn what_adk_does_not_say_of_a_failure_is_not_told() {
    let world = World::new();
    let body =
        r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let server = serve(vec![Act::Send(head + body)]).await;
    let (_, well) = ask(&server).with_subscriber(world.dispatch.clone()).await;
    assert!(!well);
    assert_eq!(world.tokens(), (0, 0, 1));
    // Its spans say nothing of a failure: it goes to whoever reads the events.
    assert_eq!(
        world.tree(),
        lines(
            r#"
            trace 1
              invoke_agent forecaster [internal]
                - gen_ai.provider.name: "openai"
                - obs.agent.implementation: "adk-rust"
                chat gpt-4o [client]
                  - gen_ai.provider.name: "openai"
                  - gen_ai.request.stream: true
                  - obs.agent.implementation: "adk-rust"
            "#
        )
    );
}
