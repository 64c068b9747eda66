//! A collector of the official definitions, served by tonic, that answers by script and remembers what it was sent.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use obs_core::courier::Signal;
use opentelemetry_proto::tonic::collector::logs::v1 as logs;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use prost::Message;
use tokio::runtime::Runtime;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::ServerTlsConfig;
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Request, Response, Status};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The name of every thread of a collector's.
pub(crate) const THREAD: &str = "collector";

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Taken,
    /// Partial success: so many items, and why.
    Rejected(i64, &'static str),
    Fails(Status),
    /// Never a word.
    Silence,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) signal: Signal,
    pub(crate) metadata: MetadataMap,
    /// The request, encoded again.
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
    arrived: Condvar,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    /// `Some` until it is dropped.
    runtime: Option<Runtime>,
}

impl Collector {
    /// Answers in the order of the script, then takes everything.
    pub(crate) fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_at("127.0.0.1:0", script, None)
    }

    pub(crate) fn start_at(
        address: impl std::net::ToSocketAddrs,
        script: impl IntoIterator<Item = Reply>,
        tls: Option<ServerTlsConfig>,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("a loopback port");
        let address = listener.local_addr().expect("bound");
        listener.set_nonblocking(true).expect("non-blocking");
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            ..Shared::default()
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(THREAD)
            .enable_all()
            .build()
            .expect("a runtime");
        let service = Service(Arc::clone(&shared));
        runtime.spawn(async move {
            macro_rules! taking {
                ($server:path) => {{
                    <$server>::new(service.clone())
                        .accept_compressed(CompressionEncoding::Gzip)
                        .accept_compressed(CompressionEncoding::Zstd)
                }};
            }
            let mut server = Server::builder();
            if let Some(tls) = tls {
                server = server.tls_config(tls).expect("usable");
            }
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            server
                .add_service(taking!(trace::trace_service_server::TraceServiceServer<_>))
                .add_service(taking!(
                    metrics::metrics_service_server::MetricsServiceServer<_>
                ))
                .add_service(taking!(logs::logs_service_server::LogsServiceServer<_>))
                .serve_with_incoming(TcpIncoming::from(listener))
                .await
        });
        Self {
            address,
            shared,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Seen> {
        let seen = self.shared.seen.lock().unwrap();
        let (seen, waited) = self
            .shared
            .arrived
            .wait_timeout_while(seen, PATIENCE, |seen| seen.len() < count)
            .unwrap();
        assert!(!waited.timed_out(), "only {} of {count}", seen.len());
        seen.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone)]
struct Service(Arc<Shared>);

impl Service {
    async fn take(
        &self,
        signal: Signal,
        request: Request<impl Message>,
    ) -> Result<(i64, String), Status> {
        self.0.seen.lock().unwrap().push(Seen {
            signal,
            metadata: request.metadata().clone(),
            body: request.get_ref().encode_to_vec(),
        });
        self.0.arrived.notify_all();
        let reply = self.0.script.lock().unwrap().pop_front();
        match reply.unwrap_or(Reply::Taken) {
            Reply::Taken => Ok((0, String::new())),
            Reply::Rejected(count, why) => Ok((count, why.into())),
            Reply::Fails(status) => Err(status),
            Reply::Silence => std::future::pending().await,
        }
    }
}

#[tonic::async_trait]
impl trace::trace_service_server::TraceService for Service {
    async fn export(
        &self,
        request: Request<trace::ExportTraceServiceRequest>,
    ) -> Result<Response<trace::ExportTraceServiceResponse>, Status> {
        let (rejected_spans, error_message) = self.take(Signal::Traces, request).await?;
        let partial_success = Some(trace::ExportTracePartialSuccess {
            rejected_spans,
            error_message,
        });
        Ok(Response::new(trace::ExportTraceServiceResponse {
            partial_success,
        }))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for Service {
    async fn export(
        &self,
        request: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics::ExportMetricsServiceResponse>, Status> {
        let (rejected_data_points, error_message) = self.take(Signal::Metrics, request).await?;
        let partial_success = Some(metrics::ExportMetricsPartialSuccess {
            rejected_data_points,
            error_message,
        });
        Ok(Response::new(metrics::ExportMetricsServiceResponse {
            partial_success,
        }))
    }
}

#[tonic::async_trait]
impl logs::logs_service_server::LogsService for Service {
    async fn export(
        &self,
        request: Request<logs::ExportLogsServiceRequest>,
    ) -> Result<Response<logs::ExportLogsServiceResponse>, Status> {
        let (rejected_log_records, error_message) = self.take(Signal::Logs, request).await?;
        let partial_success = Some(logs::ExportLogsPartialSuccess {
            rejected_log_records,
            error_message,
        });
        Ok(Response::new(logs::ExportLogsServiceResponse {
            partial_success,
        }))
    }
}
