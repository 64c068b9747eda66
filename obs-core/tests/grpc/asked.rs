//! What code and environment ask for, as it arrives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use obs_core::courier::{Compression, Courier, Destinations, OtlpTransport, Settings, Signal};
use obs_core::setup::environment::Environment;

use super::server::{Collector, PATIENCE};
use super::{Place, batch, courier_to, soon};

#[test]
fn each_signal_arrives_at_its_service_compressed_and_signed() {
    for place in Place::ALL {
        let collector = Collector::start([]);
        let mut destinations = Destinations::grpc(collector.endpoint());
        destinations.traces = destinations.traces.with_header("Api-Key", "k1");
        destinations.metrics = destinations.metrics.with_compression(Compression::Zstd);
        destinations.logs = destinations
            .logs
            .with_compression(Compression::None)
            .with_header("X-Raw-Bin", "\u{e9}")
            .with_timeout(Duration::MAX);
        let courier = courier_to(&destinations);
        for signal in Signal::ALL {
            courier.outbox().push(batch(signal, 3));
        }
        let (_, flushed) = place.flush(courier, soon());
        flushed.unwrap_or_else(|error| panic!("{place:?}: {error}"));
        let seen = collector.seen();
        assert_eq!(seen.len(), 3);
        let text = |at: usize, name: &str| {
            let value = seen[at].metadata.get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or("")
        };
        for (at, signal) in Signal::ALL.into_iter().enumerate() {
            assert_eq!(seen[at].signal, signal);
            assert_eq!(seen[at].body, *batch(signal, 3).body);
            assert!(text(at, "user-agent").starts_with("obs-otlp-rust/"));
            assert_eq!(text(at, "content-type"), "application/grpc");
        }
        assert_eq!(text(0, "grpc-encoding"), "gzip");
        assert_eq!(text(1, "grpc-encoding"), "zstd");
        assert_eq!(text(2, "grpc-encoding"), "");
        assert_eq!(text(0, "api-key"), "k1");
        assert_eq!(text(1, "api-key"), "");
        assert!(text(0, "grpc-timeout").ends_with('m'));
        let raw = seen[2].metadata.get_bin("x-raw-bin").expect("it is sent");
        assert_eq!(raw.to_bytes().expect("base64"), "\u{e9}".as_bytes());
    }
}

#[test]
fn a_path_in_the_endpoint_means_nothing() {
    let collector = Collector::start([]);
    let destinations = Destinations::grpc(format!("{}/v1/traces?x=1", collector.endpoint()));
    let courier = courier_to(&destinations);
    courier.outbox().push(batch(Signal::Logs, 1));
    courier.flush(soon()).expect("delivered");
    assert_eq!(collector.seen()[0].signal, Signal::Logs);
}

/// One request of HTTP/1.1, answered with an empty success: its first line and headers.
fn answers_once(listener: &TcpListener) -> Vec<String> {
    let (stream, _) = listener.accept().expect("a client");
    let mut reader = BufReader::new(&stream);
    let head: Vec<String> = reader
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .map(|line| line.to_ascii_lowercase())
        .collect();
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|it| it.parse().ok()).expect("a length");
    reader.read_exact(&mut vec![0; length]).expect("a body");
    let mut writer = &stream;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    writer.write_all(answer).expect("it listens");
    head
}

#[test]
fn traces_go_by_grpc_and_metrics_by_http_because_the_environment_says_so() {
    let grpc = Collector::start([]);
    let http = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!("http://{}", http.local_addr().expect("bound"));
    let endpoint = grpc.address.to_string();
    let variables = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url.as_str()),
    ];
    let environment = Environment::from_fn(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    assert_eq!(environment.warnings(), []);
    let transport = OtlpTransport::new(&environment.destinations()).expect("usable");
    let courier = Courier::new(transport, Settings::default());
    courier.start().expect("a thread");
    for signal in Signal::ALL {
        courier.outbox().push(batch(signal, 2));
    }
    let head = answers_once(&http);
    courier.flush(soon()).expect("delivered");
    assert_eq!(head[0], "post / http/1.1");
    for expect in ["content-encoding: zstd", "api-key: k1"] {
        assert!(head.iter().any(|line| line == expect), "{head:?}");
    }
    let seen = grpc.seen();
    let signals: Vec<_> = seen.iter().map(|seen| seen.signal).collect();
    assert_eq!(signals, [Signal::Traces, Signal::Logs]);
    for seen in &seen {
        let text = |name| seen.metadata.get(name).and_then(|it| it.to_str().ok());
        assert_eq!(text("api-key"), Some("k1"));
        assert_eq!(text("grpc-encoding"), Some("zstd"));
        assert_eq!(seen.body, *batch(seen.signal, 2).body);
    }
}

#[test]
fn a_whole_telemetry_speaks_grpc_in_manual_mode_inside_a_runtime() {
    use obs_core::{LogEvent, Telemetry};
    let collector = Collector::start([]);
    let telemetry = Telemetry::builder()
        .manual()
        .with_otlp_to(Destinations::grpc(collector.endpoint()))
        .build()
        .expect("usable");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        telemetry.emit(LogEvent::new("shown", obs_core::Body::Text("x".into())));
        telemetry.shutdown(PATIENCE).expect("delivered");
    });
    let signals: Vec<_> = collector.seen().iter().map(|seen| seen.signal).collect();
    assert!(signals.contains(&Signal::Logs), "{signals:?}");
    assert!(telemetry.accounts().logs.delivered >= 1);
}
