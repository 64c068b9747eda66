//! An agent of langchain-rust with a tool, run for real.

#[path = "support/world.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod world;

use async_trait::async_trait;
use langchain_rust::agent::{AgentExecutor, OpenAiToolAgentBuilder};
use langchain_rust::chain::{Chain, LLMChainBuilder};
use langchain_rust::llm::openai::{OpenAI, OpenAIConfig};
use langchain_rust::prompt::HumanMessagePromptTemplate;
use langchain_rust::tools::Tool;
use langchain_rust::{prompt_args, template_fstring};
use std::error::Error;
use std::sync::Arc;
use tracing::instrument::WithSubscriber;
use world::scripted::{Act, Server, serve, serve_each};
use world::{World, answer, base, calls_tool, lines, says};

struct Weather {
    fails: bool,
}

#[async_trait]
impl Tool for Weather {
    fn name(&self) -> String {
        "weather".to_owned()
    }

    fn description(&self) -> String {
        "The weather in a city.".to_owned()
    }

    async fn run(&self, _: serde_json::Value) -> Result<String, Box<dyn Error>> {
        match self.fails {
            true => Err("no such city".into()),
            false => Ok("rain".to_owned()),
        }
    }
}

fn model(server: &Server) -> OpenAI<OpenAIConfig> {
    let config = OpenAIConfig::new()
        .with_api_key("key")
        .with_api_base(base(server));
    OpenAI::new(config).with_model("gpt-4o")
}

async fn ask(server: &Server, fails: bool) -> Result<String, impl Error> {
    let agent = OpenAiToolAgentBuilder::new()
        .tools(&[Arc::new(Weather { fails })])
        .build(model(server))
        .expect("an agent");
    let executor = AgentExecutor::from_agent(agent);
    executor
        .invoke(prompt_args! { "input" => "How is it in Oslo?" })
        .await
}

#[tokio::test]
async fn an_agent_calls_a_tool_and_answers() {
    let world = World::new();
    let server = serve_each(vec![answer(&calls_tool((41, 9))), answer(&says((63, 4)))]).await;
    let said = ask(&server, false)
        .with_subscriber(world.dispatch.clone())
        .await;
    assert_eq!(said.expect("an answer"), "It rains.");
    assert_eq!(world.tokens(), (41 + 63, 9 + 4, 2), "as served");
    assert_eq!(
        world.tree(),
        lines(
            r#"
            trace 1
              invoke_agent [internal]
                - gen_ai.provider.name: "openai"
                - obs.agent.implementation: "langchain-rust"
                execute_tool weather [internal]
                  - gen_ai.tool.name: "weather"
                  - obs.agent.implementation: "langchain-rust"
                plan [internal]
                  - obs.agent.implementation: "langchain-rust"
                  chain llm_chain [internal]
                    - obs.agent.implementation: "langchain-rust"
                    chat gpt-4o [client]
                      - gen_ai.provider.name: "openai"
                      - gen_ai.usage.input_tokens: 41
                      - gen_ai.usage.output_tokens: 9
                      - obs.agent.implementation: "langchain-rust"
                plan [internal]
                  - obs.agent.implementation: "langchain-rust"
                  chain llm_chain [internal]
                    - obs.agent.implementation: "langchain-rust"
                    chat gpt-4o [client]
                      - gen_ai.provider.name: "openai"
                      - gen_ai.usage.input_tokens: 63
                      - gen_ai.usage.output_tokens: 4
                      - obs.agent.implementation: "langchain-rust"
            "#
        )
    );
}

#[tokio::test]
async fn a_tool_fails_and_the_agent_goes_on() {
    let world = World::new();
    let server = serve_each(vec![answer(&calls_tool((41, 9))), answer(&says((63, 4)))]).await;
    let said = ask(&server, true)
        .with_subscriber(world.dispatch.clone())
        .await;
    assert_eq!(said.expect("an answer"), "It rains.");
    assert_eq!(world.tokens(), (41 + 63, 9 + 4, 2), "as served");
    assert_eq!(
        world.tree(),
        lines(
            r#"
            trace 1
              invoke_agent [internal]
                - gen_ai.provider.name: "openai"
                - obs.agent.implementation: "langchain-rust"
                execute_tool weather [internal] error
                  - error.type: "_OTHER"
                  - gen_ai.tool.name: "weather"
                  - obs.agent.implementation: "langchain-rust"
                plan [internal]
                  - obs.agent.implementation: "langchain-rust"
                  chain llm_chain [internal]
                    - obs.agent.implementation: "langchain-rust"
                    chat gpt-4o [client]
                      - gen_ai.provider.name: "openai"
                      - gen_ai.usage.input_tokens: 41
                      - gen_ai.usage.output_tokens: 9
                      - obs.agent.implementation: "langchain-rust"
                plan [internal]
                  - obs.agent.implementation: "langchain-rust"
                  chain llm_chain [internal]
                    - obs.agent.implementation: "langchain-rust"
                    chat gpt-4o [client]
                      - gen_ai.provider.name: "openai"
                      - gen_ai.usage.input_tokens: 63
                      - gen_ai.usage.output_tokens: 4
                      - obs.agent.implementation: "langchain-rust"
            "#
        )
    );
}

#[tokio::test]
async fn the_endpoint_refuses() {
    let world = World::new();
    let body =
        r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let server = serve(vec![Act::Send(head + body)]).await;
    let said = ask(&server, false)
        .with_subscriber(world.dispatch.clone())
        .await;
    assert!(said.is_err());
    assert_eq!(world.tokens(), (0, 0, 1));
    // Each says that what is within it failed. Of a plan it says nothing.
    assert_eq!(
        world.tree(),
        lines(
            r#"
            trace 1
              invoke_agent [internal] error
                - error.type: "_OTHER"
                - gen_ai.provider.name: "openai"
                - obs.agent.implementation: "langchain-rust"
                plan [internal]
                  - obs.agent.implementation: "langchain-rust"
                  chain llm_chain [internal] error
                    - error.type: "_OTHER"
                    - obs.agent.implementation: "langchain-rust"
                    chat gpt-4o [client] error
                      - error.type: "_OTHER"
                      - gen_ai.provider.name: "openai"
                      - obs.agent.implementation: "langchain-rust"
            "#
        )
    );
}

#[tokio::test]
async fn a_chain_is_a_workflow_around_its_call() {
    let world = World::new();
    let server = serve(answer(&says((17, 5)))).await;
    let chain = LLMChainBuilder::new()
        .prompt(HumanMessagePromptTemplate::new(template_fstring!(
            "{input}", "input"
        )))
        .llm(model(&server))
        .build()
        .expect("a chain");
    let said = chain.call(prompt_args! { "input" => "Hello" });
    let said = said.with_subscriber(world.dispatch.clone()).await;
    assert_eq!(said.expect("an answer").generation, "It rains.");
    assert_eq!(world.tokens(), (17, 5, 1), "as served");
    assert_eq!(
        world.tree(),
        lines(
            r#"
            trace 1
              invoke_workflow llm_chain [internal]
                - obs.agent.implementation: "langchain-rust"
                chat gpt-4o [client]
                  - gen_ai.provider.name: "openai"
                  - gen_ai.usage.input_tokens: 17
                  - gen_ai.usage.output_tokens: 5
                  - obs.agent.implementation: "langchain-rust"
            "#
        )
    );
}
