//! OTLP/gRPC over real sockets, with tonic as the other side: from every kind of thread.
#![cfg(all(feature = "grpc", feature = "tls", feature = "zstd", not(loom)))]
#![forbid(unsafe_code)]

mod answers;
mod asked;
mod network;
#[path = "../support/relay.rs"]
mod relay;
mod secure;
mod server;

use std::time::{Duration, Instant};

use obs_core::Error;
use obs_core::courier::{Batch, Courier, Destinations, GrpcTransport, Settings, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

use server::{Collector, PATIENCE};

/// A request of that service with so much text in it that compression has something to do.
fn batch(signal: Signal, items: u64) -> Batch {
    let schema_url = format!("https://example.com/{items}/").repeat(50);
    let body = match signal {
        Signal::Traces => ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                schema_url,
                ..ResourceSpans::default()
            }],
        }
        .encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                schema_url,
                ..ResourceMetrics::default()
            }],
        }
        .encode_to_vec(),
        Signal::Logs => ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                schema_url,
                ..ResourceLogs::default()
            }],
        }
        .encode_to_vec(),
    };
    Batch::new(signal, body, items)
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// A courier, not started, that retries quickly.
fn courier_to(destinations: &Destinations) -> Courier {
    let transport = GrpcTransport::new(destinations).expect("usable destinations");
    let quick =
        Settings::default().with_backoff(Duration::from_millis(5), Duration::from_millis(20));
    Courier::new(transport, quick)
}

fn courier(collector: &Collector) -> Courier {
    courier_to(&Destinations::grpc(collector.endpoint()))
}

/// Who delivers, and where the caller stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A thread of the courier's own.
    Thread,
    /// Manual mode on a thread without a runtime.
    Outside,
    /// Manual mode inside a runtime of the host's.
    CurrentThread,
    MultiThread,
}

impl Place {
    const ALL: [Self; 4] = [
        Self::Thread,
        Self::Outside,
        Self::CurrentThread,
        Self::MultiThread,
    ];

    fn run<T: Send + 'static>(
        self,
        courier: Courier,
        work: impl FnOnce(&Courier) -> T + Send + 'static,
    ) -> (Courier, T) {
        use tokio::runtime::Builder;
        match self {
            Self::Thread => {
                courier.start().expect("a thread");
                let done = work(&courier);
                (courier, done)
            }
            Self::Outside => {
                let done = work(&courier);
                (courier, done)
            }
            Self::CurrentThread => {
                let runtime = Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(async {
                    let done = work(&courier);
                    (courier, done)
                })
            }
            Self::MultiThread => {
                let mut builder = Builder::new_multi_thread();
                let runtime = builder.worker_threads(1).enable_all().build();
                runtime.expect("a runtime").block_on(async {
                    tokio::spawn(async {
                        let done = work(&courier);
                        (courier, done)
                    })
                    .await
                    .expect("no panic")
                })
            }
        }
    }

    fn flush(self, courier: Courier, deadline: Instant) -> (Courier, Result<(), Error>) {
        self.run(courier, move |courier| courier.flush(deadline))
    }
}
