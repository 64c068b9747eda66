//! The GPUs of this machine in the terminal, once a second, and on a page for Prometheus. `cargo run --release -p obs-examples --bin
//! gpu_top` shows them until ctrl-c; where the output is no terminal, a few rounds. Without a driver it shows eight devices that are
//! played, and says so.
//!
//! - `--rounds N`: ends after so many.
//! - `--fake SCENARIO`: plays that, whatever the machine has: `serving`, or one of `S1` to `S14`, in which something goes wrong. The
//!   documentation of `obs-gpu-fake` has a table of them.
//! - `--address HOST:PORT`: where the page is, `/metrics`; without it on a free port of the loopback interface.
//! - `--budget PERCENT`: what reading may take of a core, in calls of the driver's; without it half a percent. 0 is as much as it takes.
//! - `OTEL_EXPORTER_OTLP_ENDPOINT`: where metrics and events go besides; without it nowhere.
//!
//! No driver is asked by what is shown: what was read last is, and what is too old is left out, as `-`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a program that people run and read")]

mod options;
mod played;
mod screen;
mod table;
mod watched;

use options::Options;
use screen::Screen;
use std::io;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use watched::Watched;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// From one round to the next.
const ROUND: Duration = Duration::from_secs(1);
/// Rounds where nobody sits before a terminal.
const FEW: u64 = 3;
/// How long the first round waits for something to show.
const FIRST: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    match Options::from_arguments(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if is_unread(&*failure) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("gpu_top: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether its output is read no more, as `head` does: nothing is wrong then.
fn is_unread(failure: &(dyn std::error::Error + 'static)) -> bool {
    let failure = failure.downcast_ref::<io::Error>();
    failure.is_some_and(|failure| failure.kind() == io::ErrorKind::BrokenPipe)
}

#[tokio::main(flavor = "current_thread")]
async fn run(options: &Options) -> Result<()> {
    // Before the terminal is another than it was.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut watched = Watched::start(options)?;
    let screen = Screen::open()?;
    let rounds = options.rounds.or((!screen.is_live()).then_some(FEW));

    let first = async {
        while !watched.has_read_all() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let mut ended_by = tokio::select! {
        _ = timeout(FIRST, first) => None,
        _ = terminate.recv() => Some("SIGTERM"),
        _ = interrupt.recv() => Some("ctrl-c"),
    };
    let mut turns = interval(ROUND);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = 0;
    while ended_by.is_none() && rounds.is_none_or(|rounds| shown < rounds) {
        tokio::select! {
            _ = turns.tick() => {
                screen.show(&watched.look())?;
                shown += 1;
            }
            _ = terminate.recv() => ended_by = Some("SIGTERM"),
            _ = interrupt.recv() => ended_by = Some("ctrl-c"),
        }
    }
    screen.close()?;
    watched.end()?;
    let by = ended_by.map_or_else(String::new, |by| format!(", by {by}"));
    screen::say(&format!("ended after {shown} rounds{by}"))?;
    Ok(())
}
