//! Agents that go round in circles, and the budget that stops each. `cargo run --release -p obs-examples --bin agent_budget` has an agent
//! wait for three orders that are never shipped, with a limit of another kind each time, and prints why it stopped, its trace as it was
//! received, and what its session came to, which must be what the agent counted itself.
//!
//! The model is simulated: it is in this program, and wants to look once more whatever it is told.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run and read"
)]

mod clerk;
mod shown;

use clerk::{Clerk, Did, Manner};
use obs_agent::session::{Ledger, Limit, Limits};
use obs_agent::{AgentObserver, Handlers};
use obs_core::{Telemetry, courier::Destinations};
use obs_testing::Receiver;
use std::process::ExitCode;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How long telemetry may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// A session, what its model does, what it may come to, and what stops it.
struct Case {
    session: &'static str,
    manner: Manner,
    limits: Limits,
    stops: Limit,
}

const CASES: [Case; 3] = [
    Case {
        session: "asks-the-same-again",
        manner: Manner::Again,
        limits: Limits::new().with_identical_calls(3).with_tool_calls(50),
        stops: Limit::IdenticalCalls,
    },
    Case {
        session: "asks-something-new",
        manner: Manner::New,
        limits: Limits::new().with_identical_calls(3).with_tokens(1_000),
        stops: Limit::Tokens,
    },
    Case {
        session: "takes-its-time",
        manner: Manner::Slow,
        limits: Limits::new().with_wall_time(Duration::from_millis(250)),
        stops: Limit::WallTime,
    },
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("agent_budget: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<()> {
    let receiver = Receiver::start()?;
    let telemetry = Telemetry::builder()
        .with_otlp_to(Destinations::below(&receiver.endpoint()))
        .build()?;
    let ledger = Ledger::new(&telemetry);
    let handlers = Handlers::new().with(AgentObserver::new(&telemetry));
    println!("The model is simulated.");
    for case in &CASES {
        let clerk = Clerk::new(&handlers, case.manner);
        let budget = ledger.budget_from_now(case.session, case.limits);
        let stopped = match clerk.wait_for_order(case.session, &budget).await {
            Ok(answer) => return Err(format!("{}: it ended with {answer}", case.session).into()),
            Err(stopped) => stopped,
        };
        println!("\n{}: {stopped}", case.session);
        if stopped.limit != case.stops {
            return Err(format!("{}: it was to be stopped by {}", case.session, case.stops).into());
        }
        // Waits for the receiver, so not on the thread that serves.
        tokio::task::spawn_blocking(move || telemetry.flush(PATIENCE)).await??;
        shown::trace(&receiver, case.session, stopped)?;
        let summary = ledger.close(case.session);
        let summary = summary.ok_or("its ledger knows nothing of it")?;
        println!("{summary}");
        let did = Did {
            asked: summary.inference_calls,
            read: summary.input_tokens,
            written: summary.output_tokens,
            called: summary.tool_calls,
        };
        if (summary.turns, did) != (1, clerk.did()) {
            return Err(format!("its ledger says {did:?}, and its agent {:?}", clerk.did()).into());
        }
    }
    tokio::task::spawn_blocking(move || telemetry.shutdown(PATIENCE)).await??;
    Ok(())
}
