//! One span of the matrix, whoever records it, and the ways to carry it to where its child is.

#![allow(unreachable_pub, reason = "a module of one test")]

use crate::support::{self, Rig};
use obs_core::otel::Context;
use obs_core::otel::trace::{
    FutureExt, SpanContext, SpanId, TraceContextExt, TraceId, Tracer, TracerProvider,
};
use obs_core::{ContextMode, OpRef, Operation, Outcome, Parent, current};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracer, SdkTracerProvider};
use tracing::Instrument;
use tracing::dispatcher::{Dispatch, with_default};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Ours,
    Sdk,
    Tracing,
}

impl Who {
    /// Whose exporter gets it.
    pub fn recorder(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Sdk | Self::Tracing => "sdk",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    SameTask,
    Spawn,
    /// What is spawned is part of what is current where it is spawned.
    SpawnCurrent,
    SpawnBlocking,
    Thread,
}

/// Both recorders, each with an exporter of its own, and a `tracing` subscriber that is nobody's default.
#[derive(Clone)]
pub struct World {
    pub rig: Rig,
    pub tracer: SdkTracer,
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
    dispatch: Dispatch,
    activation: bool,
}

/// A span as either exporter got it.
#[derive(Debug)]
pub struct Exported {
    pub who: &'static str,
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent: Option<SpanId>,
    pub remote: bool,
}

impl World {
    pub fn new(activation: bool) -> Self {
        Self::with_mode(activation, ContextMode::Full)
    }

    pub fn with_mode(activation: bool, mode: ContextMode) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let tracer = provider.tracer("user");
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer.clone())
            .with_context_activation(activation);
        Self {
            rig: support::rig_with(true, |builder| builder.with_context_mode(mode)),
            tracer,
            provider,
            exporter,
            dispatch: Dispatch::new(tracing_subscriber::registry().with(layer)),
            activation,
        }
    }

    /// Runs `work` with the subscriber as this thread's default: the registry closes the parents of spans through it.
    pub fn subscribed<R>(&self, work: impl FnOnce() -> R) -> R {
        with_default(&self.dispatch, work)
    }

    /// A span below what is current.
    pub fn open(&self, who: Who) -> Node {
        match who {
            Who::Ours => {
                let mut operation = self.rig.start("ours", Parent::Current);
                let handle = operation.handle().expect("a recording operation");
                Node::Ours(operation, handle)
            }
            Who::Sdk => Node::Sdk(Context::current_with_span(self.tracer.start("sdk"))),
            Who::Tracing => Node::Tracing(tracing::info_span!("tracing")),
        }
    }

    pub fn exported(&self) -> Vec<Exported> {
        self.provider.force_flush().expect("an exporter in memory");
        let theirs = self
            .exporter
            .get_finished_spans()
            .expect("an exporter in memory");
        let ours = self.rig.spans().into_iter().map(|span| Exported {
            who: "ours",
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent: span.parent,
            remote: span.remote,
        });
        let theirs = theirs.into_iter().map(|span| Exported {
            who: "sdk",
            trace_id: span.span_context.trace_id(),
            span_id: span.span_context.span_id(),
            parent: Some(span.parent_span_id).filter(|parent| *parent != SpanId::INVALID),
            remote: span.parent_span_is_remote,
        });
        ours.chain(theirs).collect()
    }
}

pub enum Node {
    Ours(Operation, OpRef),
    Sdk(Context),
    Tracing(tracing::Span),
}

/// What takes a span along to another task or thread.
enum Carrier {
    Ours(OpRef),
    Context(Context),
    Span(tracing::Span),
}

impl Node {
    pub fn ids(&self) -> SpanContext {
        match self {
            Self::Ours(_, handle) => handle.span_context(),
            Self::Sdk(context) => context.span().span_context().clone(),
            Self::Tracing(span) => span.context().span().span_context().clone(),
        }
    }

    pub fn close(self) {
        match self {
            Self::Ours(operation, _) => operation.end(Outcome::ANSWERED),
            Self::Sdk(context) => context.span().end(),
            Self::Tracing(span) => drop(span),
        }
    }

    /// Runs `work` with this span current, in the way of its own library.
    pub fn enter<R>(&mut self, work: impl FnOnce() -> R) -> R {
        match self {
            Self::Ours(operation, _) => operation.scope(work),
            Self::Sdk(context) => {
                let _attached = context.clone().attach();
                work()
            }
            Self::Tracing(span) => span.in_scope(work),
        }
    }

    /// Runs `work`, in which a child of kind `child` is opened, inside this span at `place`.
    pub fn run_inside<R: Send + 'static>(
        &mut self,
        world: &World,
        place: Place,
        child: Who,
        work: impl FnOnce(&World) -> R + Send + 'static,
    ) -> R {
        // Without activation OpenTelemetry's context knows nothing of a `tracing` span: whoever wants children of
        // other libraries below it attaches its context by hand.
        let by_hand = !world.activation && child != Who::Tracing;
        let carrier = match self {
            Self::Ours(_, handle) => Carrier::Ours(handle.clone()),
            Self::Sdk(context) => Carrier::Context(context.clone()),
            Self::Tracing(span) if by_hand => Carrier::Context(span.context()),
            Self::Tracing(span) => Carrier::Span(span.clone()),
        };
        let world = world.clone();
        let work = move || world.subscribed(|| work(&world));
        match place {
            Place::SameTask if matches!(self, Self::Tracing(_)) => carrier.run(work),
            Place::SameTask => self.enter(work),
            Place::Thread => std::thread::spawn(|| carrier.run(work))
                .join()
                .expect("no panic"),
            Place::SpawnCurrent => {
                let work = carrier.passed(work);
                let spawned = self.enter(|| current::wrap(work));
                runtime().block_on(async { tokio::spawn(spawned).await.expect("no panic") })
            }
            Place::Spawn => runtime()
                .block_on(async { tokio::spawn(carrier.spawned(work)).await.expect("no panic") }),
            Place::SpawnBlocking => runtime().block_on(async {
                tokio::task::spawn_blocking(|| carrier.run(work))
                    .await
                    .expect("no panic")
            }),
        }
    }
}

/// One for all cases: nothing of a case may stay behind on its threads.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> = std::sync::LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .expect("a runtime")
    });
    &RUNTIME
}

impl Carrier {
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        match self {
            Self::Ours(handle) => handle.in_scope(work),
            Self::Context(context) => {
                let _attached = context.attach();
                work()
            }
            Self::Span(span) => span.in_scope(work),
        }
    }

    /// A future that runs `work` in its second poll; of ours it is known by itself.
    async fn passed<R>(self, work: impl FnOnce() -> R) -> R {
        match self {
            Self::Ours(_) => {
                tokio::task::yield_now().await;
                work()
            }
            others => others.spawned(work).await,
        }
    }

    /// A future that runs `work` in its second poll.
    async fn spawned<R>(self, work: impl FnOnce() -> R) -> R {
        let work = async {
            tokio::task::yield_now().await;
            work()
        };
        match self {
            Self::Ours(handle) => handle.wrap(work).await,
            Self::Context(context) => work.with_context(context).await,
            Self::Span(span) => work.instrument(span).await,
        }
    }
}
