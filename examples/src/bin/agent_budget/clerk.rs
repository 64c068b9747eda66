//! An agent with one tool, which waits for an order to be shipped.

use obs_agent::input::{AgentInput, ModelInput, ToolInput};
use obs_agent::obs_llm::{Tokens, Usage};
use obs_agent::output::{ModelOutput, ToolOutput, ToolRequest};
use obs_agent::session::{Budget, BudgetExceeded};
use obs_agent::{Component, Handlers, Input, Output, Run, RunError, RunInfo, RunParent, Text};
use std::{cell::Cell, time::Duration};

/// Its only tool.
const TOOL: &str = "order_status";

/// Tokens that its model writes each time.
const WRITTEN: u64 = 15;

/// What its model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Asks for the same order each time.
    Again,
    /// Asks for the next one.
    New,
    /// Thinks long.
    Slow,
}

/// What it did, by its own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Did {
    pub(crate) asked: u64,
    /// Tokens.
    pub(crate) read: u64,
    pub(crate) written: u64,
    /// Calls of its tool.
    pub(crate) called: u64,
}

/// The agent.
pub(crate) struct Clerk {
    handlers: Handlers,
    manner: Manner,
    did: Cell<Did>,
}

impl Clerk {
    pub(crate) fn new(handlers: &Handlers, manner: Manner) -> Self {
        Self {
            handlers: handlers.clone(),
            manner,
            did: Cell::default(),
        }
    }

    pub(crate) fn did(&self) -> Did {
        self.did.get()
    }

    fn count(&self, add: impl FnOnce(&mut Did)) {
        let mut did = self.did.get();
        add(&mut did);
        self.did.set(did);
    }

    /// Waits until an order is shipped, or the budget is used up.
    pub(crate) async fn wait_for_order(
        &self,
        session: &str,
        budget: &Budget,
    ) -> Result<String, BudgetExceeded> {
        let mut input = AgentInput::default();
        input.conversation_id = Some(session);
        let info = RunInfo::new(Component::Agent, "clerk");
        let run = self
            .handlers
            .start(info, RunParent::Current, &Input::Agent(input));
        // Within the run, so that the reason is on its span.
        match run.wrap(self.rounds(&run, budget)).await {
            Ok(answer) => {
                run.end(&Output::Agent(Default::default()));
                Ok(answer)
            }
            Err(exceeded) => {
                run.fail(&RunError::failed("budget_exceeded").with_message(&exceeded));
                Err(exceeded)
            }
        }
    }

    async fn rounds(&self, run: &Run, budget: &Budget) -> Result<String, BudgetExceeded> {
        for round in 0_u32.. {
            budget.check()?;
            let arguments = self.ask(run, round).await;
            budget.tool_call(TOOL, arguments.as_str());
            budget.check()?;
            let status = self.call(run, &arguments).await;
            if status != "waiting" {
                return Ok(status);
            }
        }
        Ok(String::from("it has waited long enough"))
    }

    /// Asks the model, which wants the tool to be called with these arguments.
    async fn ask(&self, run: &Run, round: u32) -> String {
        let mut input = ModelInput::default();
        (input.provider, input.model) = (Some("simulated"), Some("simulated-1"));
        input.tools = &[TOOL];
        let info = RunInfo::new(Component::Model, "");
        let model = self
            .handlers
            .start(info, run.as_parent(), &Input::Model(input));
        let thinks = match self.manner {
            Manner::Slow => 40,
            Manner::Again | Manner::New => 2,
        };
        tokio::time::sleep(Duration::from_millis(thinks)).await;
        let order = match self.manner {
            Manner::New => round,
            Manner::Again | Manner::Slow => 7,
        };
        let mut output = ModelOutput::default();
        output.model = input.model;
        output.finish_reasons = &["tool_calls"];
        let read = 120 + u64::from(round) * 20;
        let usage = Usage::new()
            .with(Tokens::Input, read)
            .with(Tokens::Output, WRITTEN);
        self.count(|did| {
            did.asked += 1;
            did.read += read;
            did.written += WRITTEN;
        });
        output.usage = Some(usage);
        let id = format!("call_{round}");
        let calls = [ToolRequest::new(TOOL, Some(&id))];
        output.tool_calls = &calls;
        model.end(&Output::Model(output));
        format!(r#"{{"order":{order}}}"#)
    }

    async fn call(&self, run: &Run, arguments: &str) -> String {
        self.count(|did| did.called += 1);
        let mut input = ToolInput::default();
        input.arguments = Some(Text::Json(arguments));
        let info = RunInfo::new(Component::Tool, TOOL);
        let tool = self
            .handlers
            .start(info, run.as_parent(), &Input::Tool(input));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut output = ToolOutput::default();
        let status = String::from("waiting");
        output.result = Some(Text::Plain(&status));
        tool.end(&Output::Tool(output));
        status
    }
}
