//! The same receiver behind OTLP/gRPC: the services of the official definitions, served by tonic.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use opentelemetry_proto::tonic::collector::{
    logs::v1 as logs, metrics::v1 as metrics, trace::v1 as trace,
};
use prost::Message;
use tokio::{runtime, sync::oneshot};
use tonic::{
    Request, Response, Status,
    codec::CompressionEncoding,
    transport::server::{Server, TcpIncoming},
};

use super::{Fault, Payload, Shared, State};

/// A thread that serves until it is let go, with all its connections.
pub(super) struct Served {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(super) fn start(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let service = Service(shared.clone());
        let thread = thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                        return;
                    };
                    let taking = |server| serving(server, &service, TcpIncoming::from(listener));
                    tokio::select! {
                        _ = taking(Server::builder()) => {}
                        _ = stopped => {}
                    }
                });
                // Its connections go with it, whatever they wait for.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// What this thread logs is the receiver's and not the exporter's.
pub(crate) const THREAD: &str = "chaos-receiver-grpc";

async fn serving(
    mut server: Server,
    service: &Service,
    incoming: TcpIncoming,
) -> Result<(), tonic::transport::Error> {
    macro_rules! taking {
        ($server:path) => {
            <$server>::new(service.clone())
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(64 << 20)
        };
    }
    server
        .add_service(taking!(trace::trace_service_server::TraceServiceServer<_>))
        .add_service(taking!(
            metrics::metrics_service_server::MetricsServiceServer<_>
        ))
        .add_service(taking!(logs::logs_service_server::LogsServiceServer<_>))
        .serve_with_incoming(incoming)
        .await
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Service(Arc<Shared>);

impl Service {
    /// How many items are rejected.
    async fn take(&self, payload: Payload, body: Vec<u8>) -> Result<i64, Status> {
        let shared = &self.0;
        let fault = shared.lock().fault;
        match fault {
            Fault::Hangs => {
                shared.lock().tally.unanswered += 1;
                while shared.lock().fault == fault {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(Status::unavailable("it hung"))
            }
            Fault::None | Fault::Rejects(_) => {
                if let Some(visitor) = &shared.visitor {
                    visitor(&body, &payload);
                }
                let asked = if let Fault::Rejects(items) = fault {
                    items
                } else {
                    0
                };
                let rejected = asked.min(payload.items());
                let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                let State { tally, seen, .. } = &mut *state;
                tally.take(&payload, rejected, seen);
                Ok(rejected.cast_signed())
            }
            _ => {
                shared.lock().tally.refuse(&payload);
                Err(Status::unavailable("as the case asked"))
            }
        }
    }
}

#[tonic::async_trait]
impl trace::trace_service_server::TraceService for Service {
    async fn export(
        &self,
        request: Request<trace::ExportTraceServiceRequest>,
    ) -> Result<Response<trace::ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let body = request.encode_to_vec();
        let rejected_spans = self.take(Payload::Traces(request), body).await?;
        Ok(Response::new(trace::ExportTraceServiceResponse {
            partial_success: Some(trace::ExportTracePartialSuccess {
                rejected_spans,
                error_message: String::new(),
            }),
        }))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for Service {
    async fn export(
        &self,
        request: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics::ExportMetricsServiceResponse>, Status> {
        let request = request.into_inner();
        let body = request.encode_to_vec();
        let rejected_data_points = self.take(Payload::Metrics(request), body).await?;
        Ok(Response::new(metrics::ExportMetricsServiceResponse {
            partial_success: Some(metrics::ExportMetricsPartialSuccess {
                rejected_data_points,
                error_message: String::new(),
            }),
        }))
    }
}

#[tonic::async_trait]
impl logs::logs_service_server::LogsService for Service {
    async fn export(
        &self,
        request: Request<logs::ExportLogsServiceRequest>,
    ) -> Result<Response<logs::ExportLogsServiceResponse>, Status> {
        let request = request.into_inner();
        let body = request.encode_to_vec();
        let rejected_log_records = self.take(Payload::Logs(request), body).await?;
        Ok(Response::new(logs::ExportLogsServiceResponse {
            partial_success: Some(logs::ExportLogsPartialSuccess {
                rejected_log_records,
                error_message: String::new(),
            }),
        }))
    }
}
