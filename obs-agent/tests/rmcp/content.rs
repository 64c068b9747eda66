//! What tools are called with and give, where it is asked for.

use crate::support::{Weather, connected, spans, tool};
use obs_agent::adapters::rmcp::McpObserver;
use obs_agent::{AgentObserver, Handlers};
use obs_llm::content::Capture as Content;
use obs_testing::Capture;
use serde_json::{Map, Value, json};

const ARGUMENTS: &str = "gen_ai.tool.call.arguments";
const RESULT: &str = "gen_ai.tool.call.result";

#[tokio::test]
async fn arguments_and_results_are_on_both_spans_where_they_are_asked_for() {
    for (content, asked) in [(Content::off(), false), (Content::spans(), true)] {
        let capture = Capture::new();
        let observer = AgentObserver::new(capture.telemetry()).with_content(content);
        let mcp = McpObserver::new(&Handlers::new().with(observer));
        let (client, _server) = connected(&mcp, mcp.service(Weather)).await;
        spans(&capture, 3).await;
        capture.clear();
        let city = Map::from_iter([("city".to_owned(), Value::from("Oslo"))]);
        let call = tool("rain").with_arguments(city);
        client.call_tool(call).await.expect("a result");
        spans(&capture, 2).await;
        for record in capture.records() {
            let said = |key: &str| -> Option<Value> {
                let text = record.text(key)?;
                Some(serde_json::from_str(text).expect("JSON"))
            };
            let result = said(RESULT).map(|result| result["content"][0]["text"].clone());
            assert_eq!(said(ARGUMENTS), asked.then(|| json!({"city": "Oslo"})));
            assert_eq!(result, asked.then(|| json!("at noon")));
        }
    }
}
