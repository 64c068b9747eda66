//! Calls that end at random: each is a task that polls a client a random number of times.

use crate::chance::Chance;
use crate::echo::{Echo, EchoClient, Said, say};
use obs_core::{Labels, Parent, Telemetry};
use obs_rpc::client::RpcClient;
use obs_rpc::{RPC_CALL, RpcClientLayer, RpcServerLayer};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Status};
use tower::{Layer, Service};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Starts {
    pub(crate) clients: u64,
    pub(crate) servers: u64,
}

/// Counts what comes to the service inside.
#[derive(Clone, Debug)]
struct Counted<S> {
    inner: S,
    starts: Arc<AtomicU64>,
}

impl<S: Service<R>, R> Service<R> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.starts.fetch_add(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}

#[derive(Clone, Debug, Default)]
struct CountLayer(Arc<AtomicU64>);

impl<S> Layer<S> for CountLayer {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            starts: Arc::clone(&self.0),
        }
    }
}

type Client = EchoClient<Counted<RpcClient<Channel>>>;

pub(crate) struct Storm {
    telemetry: Telemetry,
    layers: (RpcServerLayer, RpcClientLayer),
    clients: CountLayer,
    servers: CountLayer,
}

/// Calls at a time, and connections.
const AT_ONCE: usize = 48;
const CONNECTIONS: usize = 4;
/// Twice as many operations as a thread's pool, its ring and its way back hold.
const RENEWED: usize = 2048;

impl Storm {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Self {
            layers: (
                RpcServerLayer::new(&telemetry),
                RpcClientLayer::new(&telemetry),
            ),
            telemetry,
            clients: CountLayer::default(),
            servers: CountLayer::default(),
        }
    }

    pub(crate) fn starts(&self) -> Starts {
        Starts {
            clients: self.clients.0.load(Ordering::Relaxed),
            servers: self.servers.0.load(Ordering::Relaxed),
        }
    }

    /// With a server and connections of its own, which are gone afterwards with all that they held.
    pub(crate) async fn rage(&self, calls: u64) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server::builder()
            // What they guard against is what happens here.
            .http2_max_pending_accept_reset_streams(Some(usize::MAX))
            .http2_max_local_error_reset_streams(Some(usize::MAX))
            .layer(self.servers.clone())
            .layer(self.layers.0.clone())
            .add_service(Echo);
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let server = tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            let served = server.serve_with_incoming_shutdown(incoming, stopped);
            served.await.expect("served");
        });
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
            let channel = endpoint.connect().await.expect("connected");
            let service = self.clients.layer(self.layers.1.layer(channel));
            clients.push(EchoClient::new(service));
        }
        self.call(calls, &clients).await;
        drop(clients);
        drop(stop);
        server.await.expect("it ends with its connections");
    }

    /// Renews the pool of each worker's thread. How many records it holds, and how much each of them has grown, depends
    /// on how many were under way at once; what is compared must not.
    pub(crate) async fn renew_pools(&self, workers: usize) {
        let barrier = Arc::new(Barrier::new(workers));
        let mut tasks = JoinSet::new();
        for _ in 0..workers {
            let (telemetry, barrier) = (self.telemetry, Arc::clone(&barrier));
            tasks.spawn(async move {
                // Blocks the worker, on purpose: so each of them gets one of these tasks.
                barrier.wait();
                // Takes everything out of this thread's pool, and gives back what is new: its ring and pool take that,
                // and the old records find no room. Of a kind that is not counted here.
                let kind = telemetry.kind(&RPC_CALL);
                let start = || kind.start(Labels::NONE, Parent::Root);
                let mut operations: Vec<_> = std::iter::repeat_with(start).take(RENEWED).collect();
                while let Some(newest) = operations.pop() {
                    drop(newest);
                }
            });
        }
        tasks.join_all().await;
    }

    async fn call(&self, calls: u64, clients: &[Client]) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for seed in 0..calls {
            let permit = room.clone().acquire_owned().await.expect("it stays open");
            let client = clients[seed as usize % clients.len()].clone();
            tasks.spawn(async move {
                let _permit = permit;
                call(client, Chance::new(seed)).await;
            });
            while let Some(ended) = tasks.try_join_next() {
                ended.expect("only servers panic");
            }
            // The books are balanced by counting what had no room; better that all have.
            if seed % 32 == 0 {
                self.telemetry.collect(crate::PATIENCE).expect("in time");
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("only servers panic");
        }
    }
}

/// What the server is to do with a message.
fn text(chance: &mut Chance) -> String {
    match chance.below(16) {
        0 => "unwind".to_owned(),
        1 => format!("fail {}", 1 + chance.below(16)),
        2..6 => format!("sleep {}", 1 + chance.below(3)),
        // Most of a frame, or several.
        6 => "m".repeat(chance.below(40_000) as usize),
        _ => "m".to_owned(),
    }
}

fn of<T>(message: T, chance: &mut Chance) -> Request<T> {
    let mut request = Request::new(message);
    if chance.one_in(4) {
        request.set_timeout(Duration::from_micros(200 + chance.below(3000)));
    }
    request
}

/// One call, to wherever chance takes it.
async fn call(mut client: Client, mut chance: Chance) {
    let polls = match chance.below(4) {
        0 | 1 => u64::MAX,
        2 => chance.below(4),
        _ => chance.below(200),
    };
    if chance.one_in(2) {
        let request = of(say(&text(&mut chance), 0), &mut chance);
        let answer = async { client.unary_to("Unary", request).await };
        let _ = DropAfter::new(answer, polls).await;
        return;
    }
    let (messages, receiver) = mpsc::channel(4);
    let request = of(ReceiverStream::new(receiver), &mut chance);
    let many = chance.below(4);
    let talk = async {
        let sent = async {
            for _ in 0..many {
                // The call may be over.
                let _ = messages.send(say(&text(&mut chance), 0)).await;
            }
            let stays = chance.one_in(3);
            (stays, messages)
        };
        let asked = client.bidi(request);
        let ((stays, messages), asked) = tokio::join!(sent, asked);
        let open = stays.then_some(messages);
        listen(asked?.into_inner(), many, open).await
    };
    let _ = DropAfter::new(talk, polls).await;
}

/// Reads what was asked for, while the request may stay open.
async fn listen(
    mut answers: tonic::Streaming<Said>,
    many: u64,
    open: Option<mpsc::Sender<Said>>,
) -> Result<(), Status> {
    for _ in 0..many {
        answers.message().await?;
    }
    if open.is_none() {
        while answers.message().await?.is_some() {}
    }
    Ok(())
}

/// Polls as often as it is told, and then drops what it polled.
struct DropAfter<F> {
    inner: Option<Pin<Box<F>>>,
    polls: u64,
}

impl<F> DropAfter<F> {
    fn new(inner: F, polls: u64) -> Self {
        Self {
            inner: Some(Box::pin(inner)),
            polls,
        }
    }
}

impl<F: Future> Future for DropAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polls = self.polls;
        let Some(inner) = self.inner.as_mut().filter(|_| polls > 0) else {
            self.inner = None;
            return Poll::Ready(None);
        };
        match inner.as_mut().poll(cx) {
            Poll::Ready(output) => {
                self.inner = None;
                Poll::Ready(Some(output))
            }
            Poll::Pending => {
                if polls != u64::MAX {
                    self.polls -= 1;
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}
