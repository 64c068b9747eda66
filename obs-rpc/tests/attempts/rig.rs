//! A server that does as it is scripted, before it answers as `test.Echo` does, and what the client's side recorded.

use crate::echo::Echo;
use obs_rpc::client::ReplayBody;
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::{Capture, CapturedRecord};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tower::Service;
use tower::retry::Policy;

/// What comes of a request before the service sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Fail(Code),
    /// No answer, ever.
    Hang,
}

/// The first requests get a step each, the others their answer.
#[derive(Clone, Debug)]
pub(crate) struct Scripted(Arc<Mutex<VecDeque<Step>>>);

impl NamedService for Scripted {
    const NAME: &'static str = Echo::NAME;
}

impl Service<Request<Body>> for Scripted {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let step = self.0.lock().expect("whole").pop_front();
        Box::pin(async move {
            match step {
                Some(Step::Fail(code)) => Ok(Status::new(code, "scripted").into_http()),
                Some(Step::Hang) => std::future::pending().await,
                None => Echo.call(request).await,
            }
        })
    }
}

/// A server with a layer of its own, and a channel to it.
pub(crate) async fn serve(
    capture: &Capture,
    script: impl IntoIterator<Item = Step>,
) -> (Channel, Scripted) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let scripted = Scripted(Arc::new(Mutex::new(script.into_iter().collect())));
    let layer = RpcServerLayer::new(capture.telemetry())
        .with_methods(["test.Echo/Unary"])
        .with_addresses(false);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().layer(layer).add_service(scripted.clone());
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .expect("a URL")
        .connect_lazy();
    (channel, scripted)
}

impl Scripted {
    /// Whether everything that was scripted has happened.
    pub(crate) fn is_over(&self) -> bool {
        self.0.lock().expect("whole").is_empty()
    }
}

/// Sends again what was answered with UNAVAILABLE, as often as it says.
#[derive(Clone)]
pub(crate) struct Unavailable(pub(crate) u32);

impl<B, E> Policy<Request<ReplayBody>, Response<B>, E> for Unavailable {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<ReplayBody>,
        result: &mut Result<Response<B>, E>,
    ) -> Option<Ready<()>> {
        let again = match result {
            Ok(response) => Status::from_header_map(response.headers())
                .is_some_and(|status| status.code() == Code::Unavailable),
            Err(_) => true,
        };
        if !again {
            return None;
        }
        self.0 = self.0.checked_sub(1)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<ReplayBody>) -> Option<Request<ReplayBody>> {
        ReplayBody::clone_request(request)
    }
}

impl tower::hedge::Policy<Request<ReplayBody>> for Unavailable {
    fn clone_request(&self, request: &Request<ReplayBody>) -> Option<Request<ReplayBody>> {
        ReplayBody::clone_request(request)
    }

    fn can_retry(&self, _: &Request<ReplayBody>) -> bool {
        self.0 > 0
    }
}

pub(crate) fn calls(capture: &Capture) -> RpcClientLayer {
    RpcClientLayer::calls(capture.telemetry())
}

pub(crate) fn attempts(capture: &Capture) -> RpcClientLayer {
    RpcClientLayer::new(capture.telemetry())
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The call, its attempts in the order of their starts, and what the server made of each.
pub(crate) async fn family(
    capture: &Capture,
    expect: usize,
) -> (CapturedRecord, Vec<CapturedRecord>, Vec<CapturedRecord>) {
    let of = |records: &[CapturedRecord], name: &str| {
        let mut own: Vec<_> = records
            .iter()
            .filter(|record| record.descriptor == name)
            .cloned()
            .collect();
        own.sort_by_key(|record| record.attr("obs.rpc.attempt").and_then(|it| it.as_i64()));
        own
    };
    // A server's ends come a little after the client's.
    let all = async {
        while of(&capture.records(), "rpc.server").len() < expect {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let all = tokio::time::timeout(PATIENCE, all).await;
    let records = capture.records();
    let (attempts, servers) = (of(&records, "rpc.client"), of(&records, "rpc.server"));
    assert!(all.is_ok(), "{}", capture.tree());
    assert_eq!(attempts.len(), expect, "{}", capture.tree());
    let [call]: [_; 1] = of(&records, "rpc.call").try_into().expect("one call");
    assert_eq!(call.parent_span_id, None);
    for (number, attempt) in attempts.iter().enumerate() {
        assert_eq!(attempt.trace_id, call.trace_id);
        assert_eq!(attempt.parent_span_id, Some(call.span_id));
        let said = attempt.attr("obs.rpc.attempt").and_then(|it| it.as_i64());
        assert_eq!(said.unwrap_or_default(), number as i64);
        assert_eq!(said.is_some(), number > 0, "only from the second on");
    }
    let told = call
        .attr("obs.rpc.call.attempts")
        .and_then(|it| it.as_i64());
    assert_eq!(told, Some(expect as i64));
    // Each attempt carries its own ids.
    let parents: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            let own = |server: &&CapturedRecord| server.parent_span_id == Some(attempt.span_id);
            servers.iter().find(own).expect("its server's").clone()
        })
        .collect();
    (call, attempts, parents)
}

pub(crate) fn status(record: &CapturedRecord) -> &str {
    record.text("rpc.response.status_code").unwrap_or("none")
}
