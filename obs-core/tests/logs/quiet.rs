//! Nothing is logged about logging, for ever.

use crate::rig::Logs;
#[cfg(feature = "log")]
use crate::rig::Written;
#[cfg(feature = "log")]
use obs_core::logs::{LogBridge, LogLayer, NonBlocking};
use obs_core::otel::Context;
use obs_core::{LogEvent, Records, Subscriber};
#[cfg(feature = "log")]
use std::io::{self, Write};
use std::sync::Arc;
#[cfg(feature = "log")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
#[cfg(feature = "log")]
use tracing_subscriber::layer::SubscriberExt;

/// Logs at every write, as a client at `TRACE` does.
#[cfg(feature = "log")]
#[derive(Clone, Default)]
struct Chatty {
    written: Written,
    bridge: Arc<OnceLock<LogBridge>>,
}

#[cfg(feature = "log")]
impl Write for Chatty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        speak(self.bridge.get().expect("a bridge"));
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Not by way of `tracing`, which has a guard of its own where its dispatcher is a thread's and none where it is global.
#[cfg(feature = "log")]
fn speak(bridge: &LogBridge) {
    log::Log::log(
        bridge,
        &log::Record::builder()
            .args(format_args!("from within"))
            .level(log::Level::Info)
            .build(),
    );
}

#[cfg(feature = "log")]
#[test]
fn a_writer_that_logs_does_not_write_for_ever() {
    let rig = crate::support::rig(true);
    let chatty = Chatty::default();
    let lines = chatty.clone();
    let layer = LogLayer::new(&rig.telemetry).with_lines(move || lines.clone());
    chatty.bridge.set(layer.bridge()).expect("the first");
    speak(&layer.bridge());
    assert_eq!(chatty.written.lines().len(), 1);
    assert_eq!(rig.telemetry.counts().log_nested, 1);
}

#[cfg(feature = "log")]
#[test]
fn a_writer_that_logs_twice_is_heard_in_neither() {
    let rig = crate::support::rig(true);
    let chatty = Chatty::default();
    let twice = chatty.clone();
    let layer = LogLayer::new(&rig.telemetry).with_lines(move || {
        speak(twice.bridge.get().expect("a bridge"));
        twice.clone()
    });
    chatty.bridge.set(layer.bridge()).expect("the first");
    speak(&layer.bridge());
    assert_eq!(chatty.written.lines().len(), 1);
    assert_eq!(rig.telemetry.counts().log_nested, 2);
}

#[cfg(feature = "log")]
#[test]
fn the_thread_of_a_writer_that_logs_is_not_heard_either() {
    let rig = crate::support::rig(true);
    let chatty = Chatty::default();
    let writer = NonBlocking::new(chatty.clone(), 1 << 20).expect("a thread");
    let layer = LogLayer::new(&rig.telemetry).with_lines(writer.clone());
    chatty.bridge.set(layer.bridge()).expect("the first");
    speak(&layer.bridge());
    assert!(writer.flush(Duration::from_secs(10)));
    assert!(writer.flush(Duration::from_secs(10)));
    assert_eq!(chatty.written.lines().len(), 1);
    assert_eq!(rig.telemetry.counts().log_nested, 1);
}

#[cfg(feature = "log")]
#[test]
fn a_value_that_logs_while_it_is_formatted_is_formatted() {
    struct Speaks(LogBridge);
    impl std::fmt::Debug for Speaks {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            speak(&self.0);
            f.write_str("spoken")
        }
    }
    let rig = crate::support::rig(true);
    let written = Written::default();
    let into = written.clone();
    let layer = LogLayer::new(&rig.telemetry)
        .with_lines(move || into.clone())
        .without_records();
    let value = Speaks(layer.bridge());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!(value = ?value, "x");
    });
    assert_eq!(written.line()["fields"]["value"], "spoken");
    assert_eq!(rig.telemetry.counts().log_nested, 1);
}

#[test]
fn delivery_makes_lines_and_no_records() {
    let logs = Logs::new();
    logs.run(|| {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        tracing::debug!(target: "hyper::client", "connecting");
    });
    assert_eq!(logs.written.lines().len(), 1);
    assert_eq!(logs.records().len(), 0);
    assert_eq!(logs.rig.telemetry.counts().log_nested, 1);
}

/// A subscriber that logs about each event it gets.
struct Gossip(Arc<AtomicU64>);

impl Subscriber for Gossip {
    fn on_records(&mut self, _: Records<'_>) {}

    fn on_log_events(&mut self, events: &[LogEvent]) {
        for _ in events {
            self.0.fetch_add(1, Ordering::Relaxed);
            tracing::info!("got one");
            tracing::info!("and was glad");
        }
    }
}

#[test]
fn a_subscriber_that_logs_about_records_gets_no_records_of_it() {
    let got = Arc::new(AtomicU64::new(0));
    let gossip = Gossip(got.clone());
    let logs = Logs::built(|builder| builder.with_subscriber(gossip), |layer| layer);
    logs.run(|| {
        tracing::info!("once");
        for _ in 0..5 {
            logs.rig
                .telemetry
                .collect(Duration::from_secs(5))
                .expect("manual");
        }
    });
    assert_eq!(got.load(Ordering::Relaxed), 1);
    assert_eq!(logs.written.lines().len(), 3);
    assert_eq!(logs.rig.telemetry.counts().log_nested, 2);
}

/// The real client, heard at `TRACE`, with records on: deliveries make lines and are never about themselves.
#[cfg(all(feature = "otlp", feature = "log"))]
#[test]
fn our_own_exporter_at_trace_makes_no_records_of_its_work() {
    use obs_core::courier::Destinations;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
    let to = Destinations::below(&format!("http://{address}"));
    let rig = crate::support::rig_with(true, |builder| builder.with_otlp_to(to));
    let written = Written::default();
    let into = written.clone();
    let layer = LogLayer::new(&rig.telemetry).with_lines(move || into.clone());
    // The client logs to the logger of the process, and no other test has one.
    let bridge = layer.bridge().with_max_level(log::LevelFilter::Trace);
    bridge.install().expect("the first");
    log::info!("once");
    for _ in 0..5 {
        let flushed = rig.telemetry.flush(Duration::from_secs(10));
        flushed.expect("delivered");
    }
    let lines = written.lines();
    let of_client = |line: &&serde_json::Value| {
        line["target"]
            .as_str()
            .is_some_and(|target| target.starts_with("ureq"))
    };
    assert!(
        lines.iter().filter(of_client).count() > 5,
        "the client is heard: {lines:#?}"
    );
    let (accounts, counts) = (rig.telemetry.accounts(), rig.telemetry.counts());
    assert_eq!(accounts.logs.delivered, 1, "{accounts:?}");
    assert!(counts.log_nested > 5, "{counts:?}");
}

#[cfg(all(feature = "otlp", feature = "log"))]
fn answer(mut stream: std::net::TcpStream) {
    use std::io::Read;
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        request.extend_from_slice(&chunk[..read]);
        let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse::<usize>().ok())
            .unwrap_or(0);
        if request.len() >= end + 4 + length {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return;
        }
    }
}
