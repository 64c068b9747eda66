//! Whose ids a line has: the innermost of our operations and of others' spans, either inside the other.

use crate::rig::Written;
use crate::support::{Rig, rig};
use obs_core::logs::LogLayer;
use obs_core::otel::Context;
use obs_core::otel::trace::{SpanContext, TraceContextExt, Tracer, TracerProvider};
use obs_core::{Outcome, Parent, Session};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

struct World {
    rig: Rig,
    written: Written,
    provider: SdkTracerProvider,
    dispatch: tracing::Dispatch,
}

impl World {
    /// Our layer outside or inside of theirs.
    fn new(ours_first: bool) -> Self {
        let rig = rig(true);
        let written = Written::default();
        let into = written.clone();
        let provider = SdkTracerProvider::builder().build();
        let tracer = provider.tracer("user");
        let ours = LogLayer::new(&rig.telemetry).with_lines(move || into.clone());
        let dispatch = if ours_first {
            tracing::Dispatch::new(
                tracing_subscriber::registry()
                    .with(ours)
                    .with(tracing_opentelemetry::layer().with_tracer(tracer)),
            )
        } else {
            tracing::Dispatch::new(
                tracing_subscriber::registry()
                    .with(tracing_opentelemetry::layer().with_tracer(tracer))
                    .with(ours),
            )
        };
        Self {
            rig,
            written,
            provider,
            dispatch,
        }
    }

    fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        tracing::dispatcher::with_default(&self.dispatch, work)
    }

    /// The line and the record that were logged have these ids.
    #[track_caller]
    fn check(&self, ids: &SpanContext) -> Value {
        let line = self.written.line();
        assert_eq!(line["trace_id"], ids.trace_id().to_string());
        assert_eq!(line["span_id"], ids.span_id().to_string());
        let flags = format!("{:02x}", ids.trace_flags().to_u8());
        assert_eq!(line["trace_flags"], flags);
        let records = self.rig.events();
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!(records[0].trace_id, Some(ids.trace_id()));
        assert_eq!(records[0].span_id, Some(ids.span_id()));
        line
    }
}

#[test]
fn a_tracing_span_inside_our_operation_is_the_nearest() {
    for ours_first in [true, false] {
        let world = World::new(ours_first);
        let mut operation = world.rig.root("w");
        operation
            .active()
            .expect("recording")
            .set_session(Session::new("s-1"));
        let above = operation.active().expect("recording").span_context();
        let ids = world.run(|| {
            operation.scope(|| {
                let span = tracing::info_span!("theirs");
                span.in_scope(|| {
                    tracing::info!("deep");
                    span.context().span().span_context().clone()
                })
            })
        });
        assert_eq!(ids.trace_id(), above.trace_id());
        assert_ne!(ids.span_id(), above.span_id());
        let line = world.check(&ids);
        assert_eq!(
            line["session.id"], "s-1",
            "the session is that of the operation around"
        );
        operation.end(Outcome::ANSWERED);
    }
}

#[test]
fn our_operation_inside_a_tracing_span_is_the_nearest() {
    for ours_first in [true, false] {
        let world = World::new(ours_first);
        let (above, ids) = world.run(|| {
            let span = tracing::info_span!("theirs");
            span.in_scope(|| {
                let mut operation = world.rig.start("w", Parent::Current);
                let ids = operation.active().expect("recording").span_context();
                operation.scope(|| tracing::info!("deep"));
                operation.end(Outcome::ANSWERED);
                (span.context().span().span_context().clone(), ids)
            })
        });
        assert_eq!(ids.trace_id(), above.trace_id());
        assert_ne!(ids.span_id(), above.span_id());
        world.check(&ids);
    }
}

#[test]
fn ours_theirs_ours_and_back_out_again() {
    let world = World::new(true);
    let mut outer = world.rig.root("outer");
    let outer_ids = outer.active().expect("recording").span_context();
    world.run(|| {
        outer.scope(|| {
            tracing::info_span!("theirs").in_scope(|| {
                let mut inner = world.rig.start("inner", Parent::Current);
                let ids = inner.active().expect("recording").span_context();
                inner.scope(|| tracing::info!("deepest"));
                world.check(&ids);
                inner.end(Outcome::ANSWERED);
            });
            tracing::info!("back");
            world.check(&outer_ids);
        });
    });
    outer.end(Outcome::ANSWERED);
}

#[test]
fn a_span_of_the_sdk_is_as_good() {
    let world = World::new(true);
    let tracer = world.provider.tracer("user");
    let context = Context::current_with_span(tracer.start("sdk"));
    let ids = context.span().span_context().clone();
    world.run(|| {
        let _entered = context.attach();
        tracing::info!("deep");
    });
    world.check(&ids);
}

#[test]
fn a_handles_scope_on_another_thread_has_ids_and_session() {
    let world = World::new(true);
    let mut operation = world.rig.root("w");
    operation
        .active()
        .expect("recording")
        .set_session(Session::new("s-1"));
    let handle = operation.handle().expect("recording");
    std::thread::scope(|scope| {
        scope.spawn(|| world.run(|| handle.in_scope(|| tracing::info!("over there"))));
    });
    let line = world.check(&handle.span_context());
    assert_eq!(line["session.id"], "s-1");
    operation.end(Outcome::ANSWERED);
}

#[test]
fn an_instrumented_future_that_moves_between_threads_keeps_its_ids() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let world = World::new(true);
    let dispatch = world.dispatch.clone();
    let mut operation = world.rig.root("w");
    let handle = operation.handle().expect("recording");
    let ids = world.run(|| {
        let span = operation.scope(|| tracing::info_span!("theirs"));
        let ids = span.context().span().span_context().clone();
        let work = async {
            tokio::task::yield_now().await;
            tracing::info!("later");
        };
        use tracing::instrument::WithSubscriber;
        let task = runtime.spawn(handle.wrap(work.instrument(span)).with_subscriber(dispatch));
        runtime.block_on(task).expect("no panic");
        ids
    });
    assert_eq!(ids.trace_id(), handle.span_context().trace_id());
    world.check(&ids);
    operation.end(Outcome::ANSWERED);
}
