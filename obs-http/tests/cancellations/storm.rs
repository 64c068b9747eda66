//! Exchanges that end at random: each is a task that polls an observed service a random number of times.

pub(crate) mod chance;
pub(crate) mod service;

use chance::Chance;
use http::Request;
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use obs_core::otel::KeyValue;
use obs_core::otel::trace::SpanKind;
use obs_core::{
    DURATION_BOUNDS, Descriptor, Histogram, InFlight, Key, Label, Labels, OpRef, Parent, Scope,
    Telemetry, Values,
};
use obs_http::{HttpClientLayer, HttpServerLayer};
use service::Erratic;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::{Layer, Service};

static SCOPE: Scope = Scope {
    name: "obs-http-tests",
    version: "1",
    schema_url: "",
};

/// What handlers do inside.
pub(crate) static WORK: Descriptor = Descriptor {
    name: "test.work",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[Label {
        key: Key::new(&"error.type"),
        values: Values::Error,
    }],
    method: None,
    errors: &["bad"],
    duration: Some(Histogram {
        name: "test.work.duration",
        unit: "s",
        description: "How long work takes.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: Some(InFlight {
        name: "test.work.active",
        unit: "{work}",
        description: "How much is running.",
        labels: 0,
    }),
    span_name: |_, name| name.push_str("work"),
};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Starts {
    pub(crate) exchanges: u64,
    pub(crate) children: u64,
}

/// What all exchanges share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) telemetry: Telemetry,
    pub(crate) exchanges: AtomicU64,
    pub(crate) children: AtomicU64,
    /// Handles that outlive their operations.
    pub(crate) shelf: Mutex<Vec<OpRef>>,
    /// Tasks that outlive the exchange that spawned them.
    pub(crate) strays: Mutex<JoinSet<()>>,
}

pub(crate) struct Storm {
    shared: Arc<Shared>,
    /// A server whose handler is a client: what becomes of the one becomes of the other.
    layers: (HttpServerLayer, HttpClientLayer),
}

/// Exchanges at a time.
const AT_ONCE: usize = 64;
/// Twice as many operations as a thread's pool, its ring and its way back hold.
const RENEWED: usize = 2048;

impl Storm {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Self {
            layers: (
                HttpServerLayer::new(&telemetry),
                HttpClientLayer::new(&telemetry),
            ),
            shared: Arc::new(Shared {
                telemetry,
                exchanges: AtomicU64::new(0),
                children: AtomicU64::new(0),
                shelf: Mutex::default(),
                strays: Mutex::default(),
            }),
        }
    }

    pub(crate) fn starts(&self) -> Starts {
        Starts {
            exchanges: self.shared.exchanges.load(Ordering::Relaxed),
            children: self.shared.children.load(Ordering::Relaxed),
        }
    }

    pub(crate) async fn rage(&self, exchanges: u64) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for seed in 0..exchanges {
            let permit = room.clone().acquire_owned().await.expect("it stays open");
            let (layers, shared) = (self.layers.clone(), Arc::clone(&self.shared));
            tasks.spawn(async move {
                let _permit = permit;
                exchange(layers, shared, Chance::new(seed)).await;
            });
            // A panic is an ending like the others.
            while tasks.try_join_next().is_some() {}
            // On a machine with few cores the collector may not get one; what is counted must not depend on that. This
            // is the thread that waits for all others, and no worker.
            if seed % 32 == 0 {
                self.shared
                    .telemetry
                    .collect(crate::PATIENCE)
                    .expect("in time");
            }
        }
        while tasks.join_next().await.is_some() {}
        let mut strays = std::mem::take(&mut *self.shared.strays.lock().expect("no panic here"));
        while strays.join_next().await.is_some() {}
        for handle in std::mem::take(&mut *self.shared.shelf.lock().expect("no panic here")) {
            assert!(!handle.is_running(), "every operation is over");
            handle.set_attribute(KeyValue::new("too", "late"));
        }
    }

    /// Renews the pool of each worker's thread. How many records it holds, and how much each of them has grown, depends
    /// on how many were under way at once; what is compared must not.
    pub(crate) async fn renew_pools(&self, workers: usize) {
        let barrier = Arc::new(Barrier::new(workers));
        let mut tasks = JoinSet::new();
        for _ in 0..workers {
            let (shared, barrier) = (Arc::clone(&self.shared), Arc::clone(&barrier));
            tasks.spawn(async move {
                // Blocks the worker, on purpose: so each of them gets one of these tasks.
                barrier.wait();
                shared.renew_pool();
            });
        }
        tasks.join_all().await;
    }
}

impl Shared {
    /// Takes everything out of this thread's pool, and gives back what is new: its ring and pool take that, and the old
    /// records find no room.
    fn renew_pool(&self) {
        let kind = self.telemetry.kind(&WORK);
        let start = || kind.start(Labels::NONE, Parent::Root);
        let mut operations: Vec<_> = std::iter::repeat_with(start).take(RENEWED).collect();
        self.children.fetch_add(RENEWED as u64, Ordering::Relaxed);
        while let Some(newest) = operations.pop() {
            drop(newest);
        }
    }
}

/// One exchange, to wherever chance takes it.
async fn exchange(
    (server, client): (HttpServerLayer, HttpClientLayer),
    shared: Arc<Shared>,
    mut chance: Chance,
) {
    let mut service = server.layer(client.layer(Erratic {
        shared: Arc::clone(&shared),
        chance: chance.fork(),
    }));
    let mut request = Request::new(Empty::<bytes::Bytes>::new());
    if chance.one_in(4) {
        let sampled = u8::from(chance.one_in(2));
        let traceparent = format!(
            "00-{:032x}-{:016x}-{sampled:02x}",
            u128::from(chance.next()) | 1,
            chance.next() | 1
        );
        request
            .headers_mut()
            .insert("traceparent", traceparent.parse().expect("a header"));
    }
    shared.exchanges.fetch_add(1, Ordering::Relaxed);
    let future = service.call(request);
    drop(service);
    let polls = if chance.one_in(2) {
        u64::MAX
    } else {
        chance.below(5)
    };
    let Some(Ok(response)) = (DropAfter {
        inner: Some(Box::pin(future)),
        polls,
    })
    .await
    else {
        return;
    };
    let mut body = Box::pin(response.into_body());
    let frames = if chance.one_in(2) {
        u64::MAX
    } else {
        chance.below(4)
    };
    for _ in 0..frames {
        if body.is_end_stream() {
            break;
        }
        match body.frame().await {
            Some(Ok(_)) => {}
            _ => break,
        }
    }
}

/// Polls as often as it is told, and then drops what it polled.
struct DropAfter<F> {
    inner: Option<Pin<Box<F>>>,
    polls: u64,
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
                self.polls = self.polls.saturating_sub(1);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
