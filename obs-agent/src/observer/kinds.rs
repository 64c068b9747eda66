//! The kinds of operations of one observer.

use super::Shared;
use crate::component::Component;
use crate::descriptor::{self as of, by};
use obs_core::{Kind, Telemetry};
use obs_llm::Dialect;

pub(super) struct Kinds {
    pub(super) agent: &'static Kind,
    pub(super) remote: &'static Kind,
    pub(super) workflow: &'static Kind,
    pub(super) plan: &'static Kind,
    pub(super) tool: &'static Kind,
    pub(super) retrieval: &'static Kind,
    pub(super) memory: &'static Kind,
    pub(super) node: &'static Kind,
    pub(super) db: &'static Kind,
    pub(super) mcp_client: &'static Kind,
    pub(super) mcp_server: &'static Kind,
    pub(super) mcp_within: &'static Kind,
    pub(super) mcp_session: &'static Kind,
}

impl Kinds {
    pub(super) fn new(telemetry: &Telemetry, dialect: Dialect) -> Self {
        let kind = |v1_41, main| telemetry.kind(by(dialect, v1_41, main));
        Self {
            agent: kind(&of::INVOKE_AGENT, &of::INVOKE_AGENT_MAIN),
            remote: kind(&of::REMOTE_AGENT, &of::REMOTE_AGENT_MAIN),
            workflow: kind(&of::INVOKE_WORKFLOW, &of::INVOKE_WORKFLOW_MAIN),
            plan: kind(&of::PLAN, &of::PLAN_MAIN),
            tool: kind(&of::EXECUTE_TOOL, &of::EXECUTE_TOOL_MAIN),
            retrieval: kind(&of::RETRIEVAL, &of::RETRIEVAL_MAIN),
            memory: kind(&of::MEMORY, &of::MEMORY_MAIN),
            node: kind(&of::NODE, &of::NODE_MAIN),
            db: kind(&of::DB_CLIENT, &of::DB_CLIENT),
            mcp_client: kind(&of::MCP_CLIENT, &of::MCP_CLIENT_MAIN),
            mcp_server: kind(&of::MCP_SERVER, &of::MCP_SERVER_MAIN),
            mcp_within: kind(&of::MCP_WITHIN, &of::MCP_WITHIN_MAIN),
            mcp_session: kind(&of::MCP_SESSION, &of::MCP_SESSION_MAIN),
        }
    }
}

impl Shared {
    pub(super) fn reserve(&self, component: Component, name: &str) {
        let kinds = &self.kinds;
        match component {
            Component::Agent => {
                kinds.agent.reserve(of::NAME, name);
                kinds.plan.reserve(of::NAME, name);
                kinds.remote.reserve(of::REMOTE_NAME, name);
            }
            Component::Tool => {
                kinds.tool.reserve(of::NAME, name);
                for kind in [kinds.mcp_client, kinds.mcp_server, kinds.mcp_within] {
                    kind.reserve(of::mcp::TOOL, name);
                }
            }
            Component::Plan => {
                kinds.plan.reserve(of::NAME, name);
            }
            Component::Workflow => {
                kinds.workflow.reserve(of::NAME, name);
            }
            Component::Retriever => {
                kinds.retrieval.reserve(of::DATA_SOURCE, name);
            }
            Component::Graph | Component::Chain => {
                kinds.workflow.reserve(of::NAME, name);
                kinds.node.reserve(of::NODE_NAME, name);
            }
            _ => {
                kinds.node.reserve(of::NODE_NAME, name);
            }
        }
    }
}
