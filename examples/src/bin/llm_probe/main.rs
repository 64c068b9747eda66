//! Calls a real engine through our client, beside a reader that is none of ours, and holds what each says against the others:
//! `llm_probe ENGINE`, the address of a llama.cpp server with `--metrics`, four slots, and the model of `.ci/llm/model.py`.
//!
//! A relay of blocking sockets stands between client and engine and has a clock of its own; what went through it is read by a
//! plain parser afterwards. Ends with 0 if all agree, and if they do not any more once anything is falsified.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is read by whoever runs the gate"
)]

mod agree;
mod controls;
mod engine;
mod load;
mod ours;
mod plain;
mod plan;
mod relay;

use agree::{Evidence, Timing};
use engine::Engine;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use load::{Caller, Ended, Saw};
use obs_core::Telemetry;
use obs_core::courier::Destinations;
use obs_llm::Provider;
use obs_llm::client::LlmClientLayer;
use obs_testing::Receiver;
use ours::Totals;
use plan::Plan;
use relay::Relay;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;
use tower::Layer;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

/// How often what says nothing, as the machine was busy elsewhere, is measured again.
const AGAIN: usize = 20;
/// How long the telemetry may take to deliver.
const PATIENCE: Duration = Duration::from_secs(20);

/// One thread: fewer of them to wait for one another between the clocks.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("llm_probe: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let engine = Engine(std::env::args().nth(1).ok_or("llm_probe ENGINE")?.parse()?);
    let relay = Relay::start(engine.0)?;
    let receiver = Receiver::start()?;
    let telemetry = Telemetry::builder()
        .with_otlp_to(Destinations::below(&receiver.endpoint()))
        .build()?;
    // The engine closes connections at its own time, and a request on one that it just closed fails.
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build_http();
    let layer = LlmClientLayer::new(&telemetry).with_provider(Provider::named("llama.cpp"));
    let caller = Caller {
        service: layer.layer(client),
        telemetry,
        relay: relay.address,
        engine,
    };
    let before = (engine.account()?, ours::scraped(engine)?);
    let mut plan = Plan::new();
    let mut saw = caller.run(&plan).await?;
    let (mut again, mut late) = (0, 0);
    let evidence = loop {
        telemetry.flush(PATIENCE)?;
        let evidence = Evidence {
            relay: exchanges(&relay)?,
            told: told(&receiver),
            totals: Totals::of(&receiver.points()),
            engine: engine.account()?.since(before.0),
            scraped: ours::scraped(engine)?.since(before.1),
            saw: saw.clone(),
        };
        // A case that says something the second time is the one that counts.
        let cases = evidence.saw[late..].iter();
        let cases: Vec<_> = cases
            .filter(|saw| evidence.timing_of(saw) == Timing::Late)
            .collect();
        if cases.is_empty() || again == AGAIN {
            if !cases.is_empty() {
                return Err(format!(
                    "{} first chunks came late to the caller each time",
                    cases.len()
                )
                .into());
            }
            break evidence;
        }
        (again, late) = (again + 1, evidence.saw.len());
        saw.extend(
            caller
                .again(cases.into_iter().map(|saw| plan.again(&saw.case)).collect())
                .await?,
        );
    };
    telemetry.shutdown(PATIENCE)?;
    let wrong = evidence.wrong();
    if !wrong.is_empty() {
        return Err(wrong.join("\n").into());
    }
    let lies = controls::all(&evidence)?;
    report(&evidence, again, lies);
    Ok(())
}

fn exchanges(relay: &Relay) -> Result<BTreeMap<u64, plain::Exchange>> {
    let mut exchanges = BTreeMap::new();
    for seen in relay.seen() {
        for exchange in plain::exchanges(&seen)? {
            if let Some(number) = exchange.asked["seed"].as_u64() {
                exchanges.insert(number, exchange);
            }
        }
    }
    Ok(exchanges)
}

fn told(receiver: &Receiver) -> BTreeMap<u64, Vec<ours::Told>> {
    let mut told: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for (number, of) in ours::told(receiver) {
        told.entry(number).or_default().push(of);
    }
    told
}

fn report(evidence: &Evidence, again: usize, lies: usize) {
    let count = |of: &dyn Fn(&&Saw) -> bool| evidence.saw.iter().filter(of).count();
    let timings = evidence.saw.iter().map(|saw| evidence.timing_of(saw));
    let mut after: Vec<f64> = timings
        .filter_map(|timing| match timing {
            Timing::After(seconds) => Some(seconds * 1e6),
            _ => None,
        })
        .collect();
    after.sort_by(f64::total_cmp);
    let quantile = |q: f64| after[((after.len() - 1) as f64 * q) as usize];
    println!(
        "first chunks after the relay's: {} of them, median {:.0} us, 99 % {:.0} us, most {:.0} us; {} late ones measured again in {again} rounds",
        after.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
        count(&|saw| evidence.timing_of(saw) == Timing::Late),
    );
    let engine = evidence.engine;
    let cut = evidence.saw.iter().filter_map(|saw| saw.spent);
    let cut = cut.fold(engine::Account::default(), engine::Account::and);
    println!(
        "the engine read {} and wrote {} tokens, {} and {} of them for calls that were cut; {} came from its cache",
        engine.read, engine.written, cut.read, cut.written, engine.cached,
    );
    println!(
        "{} calls, {} streams, {} cut, {} refused, {} gaps, {} falsehoods found",
        evidence.saw.len(),
        count(&|saw| saw.case.is_streamed()),
        count(&|saw| saw.ended == Ended::Dropped),
        count(&|saw| saw.status.is_some_and(|status| status >= 400)),
        evidence.totals.gaps,
        lies,
    );
}
