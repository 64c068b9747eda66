//! The process of a service behind the front, as the front holds it: told what to do, stopped, and never left behind.

use crate::{
    behind::{FLUSH, FLUSHED, SERVES},
    failure::Failure,
    logs::Log,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// How long it may take to start, to deliver, to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process and where it serves. When the last clone is gone, so is the process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) service: SocketAddr,
    /// The same without telemetry.
    pub(crate) bare: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) id: u32,
    running: Arc<Mutex<Running>>,
}

/// What is at the other end of the pipes.
#[derive(Debug)]
struct Running {
    /// What people call it.
    name: &'static str,
    child: Child,
    /// Its standard input, which ends with this process at the latest, and the child with it.
    commands: Option<ChildStdin>,
    said: Receiver<String>,
    ended: Option<ExitStatus>,
}

impl Process {
    /// This program again, as the service that `argument` makes of it. `telemetry_to`: a receiver, if it is not to ask the
    /// environment.
    pub(crate) fn start(
        argument: &str,
        name: &'static str,
        log: &Log,
        telemetry_to: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([argument, "--attached", "--log"])
            .arg(log.path());
        if let Some(url) = telemetry_to {
            command.args(["--telemetry-to", url]);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-c is for the front, which stops the other one when nobody needs it any more.
            .process_group(0);
        let mut running = Running::of(name, command.spawn()?)?;
        let mut addresses = [SocketAddr::from(([0, 0, 0, 0], 0)); SERVES.len()];
        for (what, address) in SERVES.into_iter().zip(&mut addresses) {
            let line = running.line()?;
            let said = line.strip_prefix(what).and_then(|at| at.parse().ok());
            *address = said.ok_or_else(|| Failure::new(format!("{name}: {line}")))?;
        }
        let [service, bare, metrics] = addresses;
        Ok(Self {
            service,
            bare,
            metrics,
            id: running.child.id(),
            running: Arc::new(Mutex::new(running)),
        })
    }

    /// Everything that has ended there is delivered when this returns.
    pub(crate) async fn flush(&self) -> Result<(), Failure> {
        self.with(Running::flush).await
    }

    /// SIGTERM, and what became of it: how it ended and its last words.
    pub(crate) async fn stop(&self) -> Result<String, Failure> {
        self.with(Running::stop).await
    }

    /// Waits for the other process, so not on a thread that serves.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Running) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let running = self.running.clone();
        let done = tokio::task::spawn_blocking(move || {
            work(&mut running.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await
            .map_err(|error| Failure::new(error.to_string()))?
    }
}

impl Running {
    fn of(name: &'static str, mut child: Child) -> Result<Self, Failure> {
        let (say, said) = mpsc::channel();
        let commands = child.stdin.take();
        let output = child.stdout.take();
        let running = Self {
            name,
            child,
            commands,
            said,
            ended: None,
        };
        let read = move || {
            let lines = output.map(|output| BufReader::new(output).lines());
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                if say.send(line).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("said".into()).spawn(read)?;
        Ok(running)
    }

    /// The next line it says.
    fn line(&mut self) -> Result<String, Failure> {
        let name = self.name;
        self.said.recv_timeout(PATIENCE).map_err(|error| {
            Failure::new(match error {
                RecvTimeoutError::Timeout => {
                    format!("{name} said nothing for {PATIENCE:?}")
                }
                RecvTimeoutError::Disconnected => format!("{name} ended by itself"),
            })
        })
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.ended.is_some() {
            return Ok(());
        }
        if let Some(commands) = &mut self.commands {
            writeln!(commands, "{FLUSH}")?;
        }
        match self.line()? {
            done if done == FLUSHED => Ok(()),
            problem => Err(Failure::new(format!(
                "telemetry of {} could not be delivered: {problem}",
                self.name
            ))),
        }
    }

    fn stop(&mut self) -> Result<String, Failure> {
        let status = self.end()?;
        let words: Vec<String> = self.said.iter().collect();
        let words = words.join("; ");
        if status.success() {
            Ok(words)
        } else {
            Err(Failure::new(format!(
                "{} ended with {status}: {words}",
                self.name
            )))
        }
    }

    /// Asks it to end, and makes it end if it does not. When this returns, it is gone.
    fn end(&mut self) -> Result<ExitStatus, Failure> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        // Not reaped yet, so the number is nobody else's. One that has ended by itself takes it for nothing.
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        let latest = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() && Instant::now() < latest {
            thread::sleep(Duration::from_millis(5));
        }
        // In vain where it is gone, which is the ordinary end.
        let _ = self.child.kill();
        let status = self.child.wait()?;
        self.ended = Some(status);
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whoever wanted to know how it ended has stopped it before.
        let _ = self.end();
    }
}
