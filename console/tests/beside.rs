//! A service with our layer, our log layer and tokio-console's in one registry: a console sees its tasks, and what we export
//! is what we export without it.

use console_api::instrument::{InstrumentRequest, instrument_client::InstrumentClient};
use console_api::tasks::Task;
use console_subscriber::{ConsoleLayer, ServerParts};
use obs_core::LogEvent;
use obs_core::logs::LogLayer;
use obs_http::HttpServerLayer;
use obs_testing::Capture;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_stream::wrappers::TcpListenerStream;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

/// What the task of the service is called, as a console shows it.
const TASK: &str = "shop";
const PATIENCE: Duration = Duration::from_secs(60);

/// What was exported, written and shown.
#[derive(Debug)]
struct Told {
    spans: String,
    metrics: Vec<String>,
    logs: Vec<LogEvent>,
    lines: Vec<String>,
    /// Names of tasks that a console was shown.
    tasks: Vec<String>,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock().expect("nobody panicked");
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One request to a service, on this thread. `most`: what the log layer is shown.
fn run(with_console: bool, most: LevelFilter) -> Told {
    let capture = Capture::new();
    let lines = Lines::default();
    let writer = lines.clone();
    let log = LogLayer::new(capture.telemetry()).with_lines(move || writer.clone());
    let console = with_console.then(console);
    let (layer, address) = console.unzip();
    let subscriber = tracing_subscriber::registry()
        .with(layer)
        .with(log.with_filter(most));
    let guard = tracing::subscriber::set_default(subscriber);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let tasks = runtime.expect("a runtime").block_on(async {
        let layer = HttpServerLayer::new(capture.telemetry());
        let app = axum::Router::new()
            .route("/items/{id}", axum::routing::get(item))
            .layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let shop = listener.local_addr().expect("it is bound");
        let serving = async move { axum::serve(listener, app).await };
        let task = tokio::task::Builder::new().name(TASK).spawn(serving);
        let task = task.expect("a task");
        ask(shop).await;
        let tasks = match address {
            Some(address) => watch(address)
                .await
                .expect("a console saw the task in time"),
            None => Vec::new(),
        };
        task.abort();
        tasks
    });
    drop(guard);
    let written = String::from_utf8(lines.0.lock().expect("nobody panicked").clone());
    let points = capture.points();
    let mut metrics: Vec<_> = points
        .histograms
        .iter()
        .map(|point| point.series.to_string())
        .collect();
    metrics.extend(points.sums.iter().map(|point| point.series.to_string()));
    metrics.sort();
    Told {
        spans: capture.tree().to_string(),
        metrics,
        logs: capture.log_events(),
        lines: written.expect("text").lines().map(str::to_owned).collect(),
        tasks,
    }
}

async fn item() -> &'static str {
    tracing::info!(stock = 3, "looked up");
    // A task and a timer, for tokio to tell of.
    let later = tokio::spawn(async { tokio::time::sleep(Duration::from_millis(1)).await });
    later.await.expect("a task");
    "an item"
}

async fn ask(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let head = b"GET /items/7 HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";
    stream.write_all(head).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.ends_with("an item"), "{answer}");
}

/// The layer, and where a console connects to. It is served from a runtime of its own, as `console_subscriber` does.
fn console() -> (ConsoleLayer, SocketAddr) {
    let interval = Duration::from_millis(20);
    let (layer, server) = ConsoleLayer::builder().publish_interval(interval).build();
    let ServerParts {
        instrument_server,
        aggregator,
        ..
    } = server.into_parts();
    let (send, address) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            send.send(listener.local_addr().expect("it is bound"))
                .expect("awaited");
            tokio::spawn(aggregator.run());
            tonic::transport::Server::builder()
                .add_service(instrument_server)
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
        })
    });
    (layer, address.recv().expect("it listens"))
}

/// What a console is shown, until the task of the service is among it; `None` where that takes too long.
async fn watch(address: SocketAddr) -> Option<Vec<String>> {
    let (send, seen) = oneshot::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let seen = runtime.expect("a runtime").block_on(async {
            let console = InstrumentClient::connect(format!("http://{address}")).await;
            let updates = console
                .expect("it listens")
                .watch_updates(InstrumentRequest {})
                .await;
            let mut updates = updates.expect("a stream").into_inner();
            let mut names = Vec::new();
            while !names.iter().any(|name| name == TASK) {
                let update = updates.message().await.expect("a message")?;
                let tasks = update.task_update.unwrap_or_default().new_tasks;
                names.extend(tasks.iter().filter_map(name));
            }
            Some(names)
        });
        let _ = send.send(seen);
    });
    tokio::time::timeout(PATIENCE, seen).await.ok()?.ok()?
}

fn name(task: &Task) -> Option<String> {
    use console_api::field::{Name, Value};
    let is_name =
        |name: &Option<Name>| matches!(name, Some(Name::StrName(name)) if name == "task.name");
    let field = task.fields.iter().find(|field| is_name(&field.name))?;
    match field.value.as_ref()? {
        Value::StrVal(text) | Value::DebugVal(text) => Some(text.clone()),
        _ => None,
    }
}

/// Messages of what was exported, and targets of what was written.
fn said(told: &Told) -> (Vec<String>, Vec<String>) {
    let bodies = told
        .logs
        .iter()
        .map(|event| format!("{:?} {:?}", event.scope.map(|scope| scope.name), event.body));
    let members = told.lines.iter().map(|line| {
        let after = line.split_once("\"level\"").expect("a line of ours").1;
        // Ids were drawn.
        let (before, rest) = after.split_once("\"trace_id\"").unwrap_or((after, ""));
        format!(
            "{before}{}",
            rest.split_once("\"message\"").map_or("", |(_, rest)| rest)
        )
    });
    (bodies.collect(), members.collect())
}

#[test]
fn a_console_sees_the_tasks_and_we_export_what_we_do_without_it() {
    let (without, with) = (run(false, LevelFilter::INFO), run(true, LevelFilter::INFO));
    assert!(
        with.tasks.iter().any(|name| name == TASK),
        "{:?}",
        with.tasks
    );
    assert!(without.tasks.is_empty());

    assert!(
        with.spans.contains("GET /items/{id} [server]"),
        "{}",
        with.spans
    );
    assert_eq!(with.spans, without.spans);
    assert!(with.metrics.len() >= 3, "{:?}", with.metrics);
    assert_eq!(with.metrics, without.metrics);
    assert_eq!(with.lines.len(), 1, "{:?}", with.lines);
    assert_eq!(with.logs.len(), 1, "{:?}", with.logs);
    assert_eq!(said(&with), said(&without));
}

/// Why the log layer has a filter: what tokio tells a console are events and spans of `tracing` like any others.
#[test]
fn a_log_layer_without_a_filter_is_told_of_the_insides_of_tokio() {
    let told = run(true, LevelFilter::TRACE);
    let insides = told.lines.iter().filter(|line| {
        line.contains("\"target\":\"tokio::") || line.contains("\"target\":\"runtime.")
    });
    assert!(insides.count() > 3, "{:?}", told.lines);
    // Of spans and metrics it changes nothing.
    assert_eq!(told.spans, run(false, LevelFilter::INFO).spans);
}
