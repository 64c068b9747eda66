//! A server with a tool for every ending.

use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, InitializeResult, ListToolsResult,
    PaginatedRequestParams, PromptMessage, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, ResourceContents, Role, ServerCapabilities, Tool,
};
use rmcp::service::{RequestContext, RoleServer};

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
        let kind = ("type".to_owned(), "object".into());
        let schema = serde_json::Map::from_iter([kind]);
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
