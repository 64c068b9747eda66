//! Sessions that add up: what a conversation with an agent came to, while it goes on and when it is over, and budgets that a loop
//! can stop itself by.
//!
//! A [`Ledger`] sums up the operations of each session: turns, calls of models with their tokens and cost, calls of tools with
//! their failures and latency, times to the first chunk. It is told of each operation as it ends, whether its trace is sampled or
//! not, so a sum is that of all calls, and is there when the call is over.
//!
//! ```
//! use obs_agent::session::{Ledger, Limits};
//! use obs_agent::obs_core::{Session, Telemetry};
//! use obs_agent::obs_llm::{Llm, LlmOperation, Provider};
//!
//! let telemetry = Telemetry::builder().manual().build()?;
//! let ledger = Ledger::new(&telemetry);
//! let budget = ledger.budget("s-1", Limits::new().with_inference_calls(1));
//!
//! let llm = Llm::new(&telemetry);
//! while budget.check().is_ok() {
//!     let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
//!     call.set_session(Session::new("s-1").with_conversation("c-1"));
//!     call.end();
//! }
//!
//! let summary = ledger.summary("s-1").expect("it is there");
//! assert_eq!(summary.inference_calls, 1);
//! println!("{summary}");
//! # Ok::<(), obs_agent::obs_core::Error>(())
//! ```
//!
//! A budget is of a session, with what it came to before or [from now on](Ledger::budget_from_now), or of
//! [one run](Ledger::budget_of_run), where several loops of one session are not to share it.
//!
//! # What is added up
//!
//! Operations that have a [session](obs_core::Session), by their `gen_ai.operation.name`, whichever crate records them and in
//! either dialect. A session is found by its `session.id`; where it has none, by its conversation.
//!
//! | `gen_ai.operation.name` | what it adds |
//! |---|---|
//! | `chat`, `generate_content`, `text_completion` | an inference with its tokens, cost and time to the first chunk |
//! | `embeddings` | a call that makes vectors, with its cost; its tokens stand apart |
//! | `execute_tool` | a call of the tool that `gen_ai.tool.name` names, with its latency |
//! | `invoke_agent`, `invoke_workflow` | a turn, where `obs.agent.depth` says that nothing is around it, or `obs.agent.outermost` that nothing of its conversation is; never tokens, which are those of its calls |
//!
//! - **Failed** is what has an `error.type`: also what was dropped, timed out or panicked. What it used until then is added.
//! - **Cost** is in US dollars (`obs.llm.cost.usd`), of the calls that have a price, to the picodollar. A call that tells of tokens
//!   and has no price is counted as one, and is never free; without any price there is no cost.
//! - **Tokens** that are cached are a part of the input, and those of reasoning a part of the output, as the conventions have it. A
//!   call that told of none is counted as one.
//! - What an agent that runs **elsewhere** says that it used is on its span, and in no sum: its calls are not made here.
//! - What a **server** of models records is left out: it is counted by whoever asked it. So is what is
//!   [disabled](obs_core::StatsLevel::Disabled).
//!
//! # What is emitted
//!
//! A session that is over for its ledger is told as the event `obs.agent.session.summary`, once: when it was idle, when another one
//! needed its room, when it was [closed](Ledger::close), or at the shutdown; with what its summary says, and when it was seen first and
//! last. One that goes on afterwards is a new one. As metrics there are numbers of sessions, never their ids:
//!
//! | metric | unit | kind | attributes | stability |
//! |---|---|---|---|---|
//! | `obs.agent.sessions` | {session} | up-down counter, those that are held | – | ours |
//! | `obs.agent.sessions.memory` | By | up-down counter, what they take | – | ours |
//! | `obs.agent.sessions.ended` | {session} | counter | `obs.agent.session.end_reason`: `idle`, `evicted`, `closed`, `shutdown` | ours |
//! | `obs.agent.budgets.exceeded` | {budget} | counter | `obs.agent.budget.exceeded`: the limit | ours |
//!
//! Idle sessions are looked for at each collection of metrics; who collects none calls [`Ledger::sweep`].
//!
//! # What it costs
//!
//! An operation without a session costs what it cost before. One with a session is read at its end and added up behind a lock
//! that only sessions of the same shard share, and asks nothing of the heap, but for a session or a tool that is new. At its
//! [caps](LedgerBuilder) the session that was not seen for longest gives way.

mod budget;
mod builder;
mod entry;
mod event;
mod ledger;
mod limits;
mod numbers;
mod repeats;
mod seen;
mod shard;
mod sketch;
mod state;
mod summary;
mod tally;
mod totals;

pub use budget::{Budget, BudgetExceeded};
pub use builder::LedgerBuilder;
pub use event::EndReason;
pub use ledger::Ledger;
pub use limits::{Limit, Limits};
pub use state::LedgerCounts;
pub use summary::{FirstChunks, SessionSummary, ToolSummary};
