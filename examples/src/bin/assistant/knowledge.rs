//! The knowledge service: a process of its own, which the front starts and stops.

mod commands;
mod routes;

use crate::{
    failure::Failure,
    logs::Log,
    observed::{LAST, Observed},
    options, report,
    serving::Serving,
    signals::Signals,
};
use commands::Commands;
use obs_core::{Telemetry, courier::Destinations, setup::environment::Environment};
use obs_http::HttpServerLayer;
use std::io::{self, Write};

/// Its `service.name`.
pub(crate) const NAME: &str = "assistant-knowledge";

/// What it says on its standard output once it serves, each with an address behind it: to whoever started it.
pub(crate) const SERVES: [&str; 3] = ["service: ", "without telemetry: ", "metrics: "];
/// What it answers to the command of that name.
pub(crate) const FLUSHED: &str = "flushed";
/// The command: everything that has ended is to be delivered.
pub(crate) const FLUSH: &str = "flush";

/// Serves until a signal, or until the end of its input if it is attached.
pub(crate) async fn run(options: options::Knowledge) -> Result<(), Failure> {
    // Before anybody is told where the service is: a signal that comes earlier ends the process.
    let mut signals = Signals::listen()?;
    let environment = Environment::from_process();
    let builder = match &options.telemetry_to {
        Some(url) => Telemetry::builder().with_otlp_to(Destinations::below(url)),
        None => Telemetry::builder().with_otlp(),
    };
    let log = options.log.map(Log::at);
    let observed = Observed::start(NAME, &environment, builder, log.as_ref())?;
    let telemetry = observed.telemetry;

    let app = routes::routes(&telemetry).layer(HttpServerLayer::new(&telemetry));
    let service = Serving::start(app).await?;
    let bare = Serving::start(routes::routes(&Telemetry::noop())).await?;
    let addresses = [service.address, bare.address, observed.metrics()];
    for (what, address) in SERVES.into_iter().zip(addresses) {
        say(&format!("{what}{address}"));
    }

    let mut commands = Commands::read(options.attached, telemetry)?;
    let why = tokio::select! {
        signal = signals.next() => signal,
        () = commands.end() => "the end of its input",
    };
    service.stop().await;
    bare.stop().await;
    let ended = telemetry.shutdown(LAST);
    say(&format!(
        "stopped by {why}; {}",
        report::delivered(&telemetry)
    ));
    Ok(ended?)
}

/// Whoever listened may be gone, which is no reason to fail.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
