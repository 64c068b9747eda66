//! What the services behind the front have in common: each is a process of its own, which the front starts and stops.

mod commands;

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
use std::io::{self, Write};

/// What such a service says on its standard output once it serves, each with an address behind it: to whoever started it.
pub(crate) const SERVES: [&str; 3] = ["service: ", "without telemetry: ", "metrics: "];
/// What it answers to the command of that name.
pub(crate) const FLUSHED: &str = "flushed";
/// The command: everything that has ended is to be delivered.
pub(crate) const FLUSH: &str = "flush";

/// One of them, from its first line to its last.
#[derive(Debug)]
pub(crate) struct Behind {
    signals: Signals,
    observed: Observed,
    attached: bool,
}

impl Behind {
    pub(crate) fn begin(name: &'static str, options: options::Behind) -> Result<Self, Failure> {
        // Before anybody is told where the service is: a signal that comes earlier ends the process.
        let signals = Signals::listen()?;
        let environment = Environment::from_process();
        let builder = match &options.telemetry_to {
            Some(url) => Telemetry::builder().with_otlp_to(Destinations::below(url)),
            None => Telemetry::builder().with_otlp(),
        };
        let log = options.log.map(Log::at);
        Ok(Self {
            signals,
            observed: Observed::start(name, &environment, builder, log.as_ref())?,
            attached: options.attached,
        })
    }

    pub(crate) fn telemetry(&self) -> Telemetry {
        self.observed.telemetry
    }

    /// Until a signal, or until the end of the input if there is somebody at its other end.
    pub(crate) async fn serve(mut self, service: Serving, bare: Serving) -> Result<(), Failure> {
        let telemetry = self.telemetry();
        let addresses = [service.address, bare.address, self.observed.metrics()];
        for (what, address) in SERVES.into_iter().zip(addresses) {
            say(&format!("{what}{address}"));
        }
        let mut commands = Commands::read(self.attached, telemetry)?;
        let why = tokio::select! {
            signal = self.signals.next() => signal,
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
}

/// Whoever listened may be gone, which is no reason to fail.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
