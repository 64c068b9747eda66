//! A server with tools for every ending, and how it is asked.

use obs_agent::adapters::rmcp::{McpObserver, ObservedClient};
use obs_agent::{AgentObserver, Handlers};
use obs_testing::{Capture, SpanTree};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, InitializeResult, ListToolsResult,
    PaginatedRequestParams, PromptMessage, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, ResourceContents, Role, ServerCapabilities, Tool,
};
use rmcp::service::{RequestContext, RoleServer, RunningService, Service};
use rmcp::{ServerHandler, ServiceExt};
use std::time::Duration;

pub(crate) struct Weather;

impl ServerHandler for Weather {
    fn get_info(&self) -> InitializeResult {
        let all = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts();
        InitializeResult::new(all.enable_resources().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let said = |text: &str| vec![ContentBlock::text(text)];
        let result = match &*request.name {
            "rain" => CallToolResult::success(said("at noon")),
            "fails" => CallToolResult::error(said("no weather today")),
            "slow" => {
                context.ct.cancelled().await;
                CallToolResult::success(said("too late"))
            }
            "panics" => panic!("as the test wants"),
            _ => return Err(ErrorData::invalid_params("no such tool", None)),
        };
        Ok(result.into())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = serde_json::Map::new();
        Ok(ListToolsResult::with_all_items(vec![Tool::new(
            "rain", "When.", schema,
        )]))
    }

    async fn get_prompt(
        &self,
        _: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let message = PromptMessage::new_text(Role::User, "Will it rain?");
        Ok(GetPromptResult::new(vec![message]).into())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if request.uri != "file:///notes.md" {
            return Err(ErrorData::resource_not_found("none", None));
        }
        let contents = ResourceContents::text("Rain.", request.uri);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}

pub(crate) fn handlers(capture: &Capture) -> Handlers {
    Handlers::new().with(AgentObserver::new(capture.telemetry()))
}

pub(crate) fn mcp(capture: &Capture) -> McpObserver {
    McpObserver::new(&handlers(capture)).with_transport("pipe")
}

/// A client and a server that are connected.
pub(crate) async fn connected<S: Service<RoleServer>>(
    client: &McpObserver,
    server: S,
) -> (ObservedClient<()>, RunningService<RoleServer, S>) {
    let (here, there) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(server.serve(there));
    let client = client.connect((), here).await.expect("a handshake");
    let server = serving.await.expect("no panic").expect("a handshake");
    (client, server)
}

/// Without what differs from run to run, and what all have.
pub(crate) fn tree(capture: &Capture) -> SpanTree {
    capture.tree().with_attributes([
        "error.type",
        "gen_ai.prompt.name",
        "gen_ai.tool.name",
        "mcp.resource.uri",
        "rpc.response.status_code",
    ])
}

/// Waits until this many spans have ended.
pub(crate) async fn spans(capture: &Capture, count: usize) {
    for _ in 0..1000 {
        if capture.records().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let records = capture.records();
    let names: Vec<_> = records.iter().map(|record| &*record.name).collect();
    assert_eq!(records.len(), count, "{names:?}");
}

pub(crate) fn tool(name: &'static str) -> CallToolRequestParams {
    CallToolRequestParams::new(name)
}
