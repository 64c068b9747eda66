//! Nothing is logged about logging, for ever.

use crate::rig::{Logs, Written};
use obs_core::logs::LogLayer;
use obs_core::otel::Context;
use obs_core::{LogEvent, Records, Subscriber};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;

/// Logs at every write, as a client at `TRACE` does.
struct Chatty(Written);

impl Write for Chatty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        tracing::trace!(bytes = bytes.len(), "writing");
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_logs_does_not_write_for_ever() {
    let logs = Logs::new();
    let written = Written::default();
    let into = written.clone();
    let layer = LogLayer::new(&logs.rig.telemetry).with_lines(move || Chatty(into.clone()));
    // Through the global-like path: the dispatcher's own guard is not what saves us here.
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    tracing::dispatcher::with_default(&dispatch, || tracing::info!("once"));
    assert_eq!(written.lines().len(), 1);
}

#[test]
fn a_value_that_logs_while_it_is_formatted_is_formatted() {
    struct Speaks<'a>(&'a tracing::Dispatch);
    impl std::fmt::Debug for Speaks<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            tracing::dispatcher::with_default(self.0, || tracing::info!("from within"));
            f.write_str("spoken")
        }
    }
    let logs = Logs::new();
    let other = Logs::new();
    let line = logs.line_of(|| {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        tracing::info!(value = ?Speaks(&dispatch), "x");
    });
    assert_eq!(line["fields"]["value"], "spoken");
    drop(other);
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

/// The real client, at `TRACE`, with records on: deliveries are never about themselves.
#[cfg(feature = "otlp")]
#[test]
fn our_own_exporter_at_trace_makes_no_records_of_its_work() {
    use obs_core::courier::Destinations;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let requests = Arc::new(AtomicU64::new(0));
    let seen = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            seen.fetch_add(1, Ordering::Relaxed);
            answer(stream);
        }
    });
    let to = Destinations::below(&format!("http://{address}"));
    let logs = Logs::built(
        |builder| builder.with_otlp_to(to),
        |layer| layer,
    );
    logs.run(|| {
        tracing::info!("once");
        for _ in 0..5 {
            logs.rig
                .telemetry
                .flush(Duration::from_secs(10))
                .expect("delivered");
        }
    });
    assert!(requests.load(Ordering::Relaxed) > 0);
    let accounts = logs.rig.telemetry.accounts();
    assert_eq!(accounts.logs.delivered, 1, "{accounts:?}");
}

#[cfg(feature = "otlp")]
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
