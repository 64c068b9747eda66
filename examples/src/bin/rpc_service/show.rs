//! The service and its client from outside, as two processes: calls, the signal, and what arrived by the time both were gone.

use crate::Result;
use obs_testing::{Receiver, SpanTree};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// One that is greeted, and one that the service refuses.
const NAMES: [&str; 2] = ["world", ""];

pub(crate) fn show() -> Result<()> {
    let receiver = Receiver::start()?;
    let mut service = Service(program(&receiver)?.arg("serve").spawn()?);
    let output = service.0.stdout.take().ok_or("the service has no output")?;
    let mut address = String::new();
    BufReader::new(output).read_line(&mut address)?;
    let address = address.trim_end();
    println!("service at {address}, process {}", service.0.id());
    for name in NAMES {
        let called = program(&receiver)?.args(["call", address, name]).output()?;
        print!("{}", String::from_utf8_lossy(&called.stdout));
        print!("{}", String::from_utf8_lossy(&called.stderr));
    }
    // By the shell, whose own `kill` is there where no other is.
    let kill = format!("kill -TERM {}", service.0.id());
    Command::new("sh").args(["-c", &kill]).status()?;
    let status = service.0.wait()?;

    println!("after SIGTERM the service ended with {status}; arrived:");
    let (spans, points) = (receiver.spans(), receiver.points());
    print!("{}", SpanTree::new(spans.clone()).with_durations(true));
    for side in ["rpc.client.call.duration", "rpc.server.call.duration"] {
        let points = points.histograms(side, &[]);
        let counted: u64 = points.iter().map(|point| point.count).sum();
        println!("{side} with a count of {counted}");
        if counted != NAMES.len() as u64 {
            return Err("telemetry was lost".into());
        }
    }
    if !status.success() || spans.len() != 2 * NAMES.len() {
        return Err("telemetry was lost".into());
    }
    Ok(())
}

/// This program again, with nothing of the environment's but the receiver.
fn program(receiver: &Receiver) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .stdout(Stdio::piped());
    Ok(command)
}

/// Killed if it is dropped while it runs.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // In vain where it is gone already, which is the ordinary end.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
