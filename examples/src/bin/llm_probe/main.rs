//! Calls a real engine through our client, beside a reader that is none of ours: `llm_probe ENGINE`, its address.
#![forbid(unsafe_code)]

mod engine;
mod load;
mod plain;
mod plan;
mod relay;

use engine::Engine;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use load::Caller;
use obs_core::Telemetry;
use plan::Plan;
use relay::Relay;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let engine = Engine(std::env::args().nth(1).ok_or("llm_probe ENGINE")?.parse()?);
    let relay = Relay::start(engine.0)?;
    let telemetry = Telemetry::noop();
    let caller = Caller {
        service: Client::builder(TokioExecutor::new()).build_http(),
        telemetry,
        relay: relay.address,
        engine,
    };
    let before = engine.account()?;
    let saw = caller.run(Plan::new()).await?;
    let spent = engine.account()?.since(before);
    eprintln!("{spent:?}");
    for saw in &saw {
        eprintln!(
            "{} {} {:?} {:?} {:?} {:?} {:?} {:?}",
            saw.case.number,
            saw.case.path,
            saw.case.cut,
            saw.status,
            saw.first_content,
            saw.ended,
            saw.spent,
            saw.heard
        );
        if saw.status != Some(200) || !saw.case.is_streamed() {
            eprintln!("   {}", String::from_utf8_lossy(&saw.body));
        }
    }
    let mut n = 0;
    for (asked, answered) in relay.seen() {
        n += plain::exchanges(&asked, &answered)?.len();
    }
    eprintln!("{n} exchanges");
    Ok(())
}
