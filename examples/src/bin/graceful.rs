//! A service that is stopped as orchestrators stop one, and loses nothing. `cargo run --release -p obs-examples --bin
//! graceful` starts it as a process of its own, sends it requests, sends it SIGTERM, and counts what a receiver got.
//!
//! - `serve`: only the service, on a free port that it prints, telemetry to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run and read"
)]

use obs_core::Telemetry;
use obs_http::HttpServerLayer;
use obs_testing::Receiver;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const REQUESTS: u64 = 3;

fn main() -> ExitCode {
    let ran = match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        Some(other) => Err(format!("no such argument: {other}").into()),
        None => show(),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("graceful: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The service. When a signal stops the server, this returns, and dropping the guard delivers what is left.
#[tokio::main]
async fn serve() -> Result<()> {
    let telemetry = Telemetry::builder().with_otlp().build()?;
    let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));

    let app = axum::Router::new()
        .route("/items/{id}", axum::routing::get(|| async { "an item" }))
        .layer(HttpServerLayer::new(&telemetry));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    // Before anybody is told where the service is: a signal that comes earlier ends the process.
    let mut terminate = signal(SignalKind::terminate())?;
    println!("{}", listener.local_addr()?);

    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        drop(stopping);
    };
    // A client that never finishes its request is not waited for until somebody kills the process.
    let late = async {
        drop(stopped.await);
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    let serve = axum::serve(listener, app).with_graceful_shutdown(stop);
    tokio::select! {
        served = serve.into_future() => served?,
        () = late => {}
    }
    Ok(())
}

/// The service from outside: requests, the signal, and what arrived by the time the process was gone.
fn show() -> Result<()> {
    let receiver = Receiver::start()?;
    let mut service = Service::start(&receiver.endpoint())?;
    println!("service at {}, process {}", service.address, service.id());
    for id in 0..REQUESTS {
        service.get(&format!("/items/{id}"))?;
    }
    println!("{REQUESTS} requests answered, now SIGTERM");
    let status = service.terminate()?;

    let spans = receiver.spans().len() as u64;
    let duration = "http.server.request.duration";
    let durations = receiver.points().histogram(duration, &[]);
    let counted = durations.map_or(0, |point| point.count);
    println!("{status}; arrived: {spans} spans, {duration} with a count of {counted}");
    if !status.success() || spans != REQUESTS || counted != REQUESTS {
        return Err("telemetry was lost".into());
    }
    Ok(())
}

/// The service as a process; killed if it is dropped while it runs.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(endpoint: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command
            .arg("serve")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .stdout(Stdio::piped());
        let mut service = Self {
            process: command.spawn()?,
            address: String::new(),
        };
        let output = service.process.stdout.take();
        let output = output.ok_or("the service has no output")?;
        BufReader::new(output).read_line(&mut service.address)?;
        service.address.truncate(service.address.trim_end().len());
        Ok(service)
    }

    fn id(&self) -> u32 {
        self.process.id()
    }

    fn get(&self, path: &str) -> Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        let host = &self.address;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 200 ") {
            Ok(())
        } else {
            Err(format!("not what was asked for: {answer}").into())
        }
    }

    /// By the shell, whose own `kill` is there where no other is.
    fn terminate(&mut self) -> Result<ExitStatus> {
        let kill = format!("kill -TERM {}", self.id());
        let sent = Command::new("sh").args(["-c", &kill]).status()?;
        if !sent.success() {
            return Err("the signal was not sent".into());
        }
        Ok(self.process.wait()?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // In vain where it is gone already, which is the ordinary end.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
