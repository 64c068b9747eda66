//! Beside tracing-opentelemetry in one subscriber: each span is exported once, by one recorder, in one trace.

use crate::seen::Seen;
use crate::world::{Handler, ask, request};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use obs_core::otel::trace::{SpanId, TracerProvider};
use obs_core::{ContextMode, current};
use obs_http::{HttpServerLayer, tracing_span};
use obs_testing::Capture;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::convert::Infallible;
use tower::{Layer as _, service_fn};
use tracing::dispatcher::{Dispatch, with_default};
use tracing::instrument::{Instrument, WithSubscriber};
use tracing::{Level, Span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;

/// A telemetry of ours, and a provider of the SDK that gets what is left of the `tracing` spans.
struct World {
    capture: Capture,
    seen: Seen,
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
    dispatch: Dispatch,
}

impl World {
    fn new(filtered: bool, activation: bool) -> Self {
        Self::of(filtered, activation, Capture::new())
    }

    fn of(filtered: bool, activation: bool, capture: Capture) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let spans = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("user"))
            .with_context_activation(activation);
        let seen = Seen::default();
        let registry = tracing_subscriber::registry().with(seen.clone());
        let dispatch = match filtered {
            true => {
                let foreign = filter_fn(tracing_span::is_foreign);
                Dispatch::new(registry.with(spans.with_filter(foreign)))
            }
            false => Dispatch::new(registry.with(spans)),
        };
        Self {
            capture,
            seen,
            exporter,
            provider,
            dispatch,
        }
    }

    /// One request, or several, of one layer.
    fn ask(&self, requests: usize, work: impl Fn() + Clone + Send + 'static) {
        let layer = HttpServerLayer::new(self.capture.telemetry()).with_tracing_span(Level::INFO);
        with_default(&self.dispatch, || {
            for _ in 0..requests {
                ask(layer.layer(Handler(work.clone())), request("/items/7"));
            }
        });
    }

    /// What the SDK exported.
    fn theirs(&self) -> Vec<SpanData> {
        self.provider.force_flush().expect("an exporter in memory");
        self.exporter
            .get_finished_spans()
            .expect("an exporter in memory")
    }
}

fn user_spans() {
    tracing::info_span!("outer").in_scope(|| tracing::info_span!("inner").in_scope(|| ()));
    tracing::info!("an event of no span of the user's");
}

/// Our operation, and the user's spans beneath it, each once.
#[track_caller]
fn check(world: &World, case: &str) {
    let (record, theirs) = (world.capture.record(), world.theirs());
    let names: Vec<_> = theirs.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(names, ["inner", "outer"], "{case}");
    let outer = theirs[1].span_context.span_id();
    assert_eq!(theirs[0].parent_span_id, outer, "{case}");
    assert_eq!(theirs[1].parent_span_id, record.span_id, "{case}");
    for span in &theirs {
        assert_eq!(span.span_context.trace_id(), record.trace_id, "{case}");
        assert!(!span.parent_span_is_remote, "{case}");
    }
    assert_eq!(record.parent_span_id, None, "{case}");
    assert_eq!(world.capture.telemetry().warnings(), [""; 0], "{case}");
}

#[test]
fn each_span_is_exported_once_with_the_users_beneath_the_operation() {
    for activation in [true, false] {
        let world = World::new(true, activation);
        world.ask(1, user_spans);
        check(&world, &format!("activation {activation}"));
        let spans = world.seen.take();
        let ours = spans.iter().find(|span| span.name == tracing_span::SERVER);
        let (ours, record) = (ours.expect("the span is there"), world.capture.record());
        assert_eq!(
            ours.field("trace_id"),
            Some(record.trace_id.to_string().as_str())
        );
        assert_eq!(
            ours.field("span_id"),
            Some(record.span_id.to_string().as_str())
        );
    }
}

#[test]
fn with_the_filter_no_request_warns() {
    for activation in [true, false] {
        let world = World::new(true, activation);
        world.ask(20, user_spans);
        assert_eq!(world.capture.telemetry().warnings(), [""; 0]);
        assert_eq!(world.theirs().len(), 40);
        assert_eq!(world.capture.records().len(), 20);
    }
}

#[test]
fn without_the_filter_there_is_no_span_and_one_warning() {
    for activation in [true, false] {
        let world = World::new(false, activation);
        world.ask(1, || {
            let current = Span::current();
            assert!(current.is_none(), "{current:?}");
            user_spans();
        });
        let warnings = world.capture.telemetry().warnings();
        let [warning] = &warnings[..] else {
            panic!("one expected: {warnings:#?}")
        };
        assert!(warning.contains("tracing_span::is_foreign"), "{warning}");
        world.ask(10, || ());
        assert_eq!(world.capture.telemetry().warnings(), warnings, "said once");
        // What was tried was closed, and nobody exported it.
        let tried: Vec<_> = world
            .seen
            .take()
            .into_iter()
            .filter(|span| span.name == tracing_span::SERVER)
            .collect();
        assert!(
            !tried.is_empty()
                && tried
                    .iter()
                    .all(|span| (span.entered, span.closed) == (0, 1)),
            "{tried:#?}"
        );
        let theirs = world.theirs();
        assert!(
            theirs
                .iter()
                .all(|span| ["inner", "outer"].contains(&span.name.as_ref())),
            "{theirs:#?}"
        );
        let record = &world.capture.records()[0];
        assert_eq!(theirs[1].parent_span_id, record.span_id);
    }
}

#[test]
fn a_filter_that_goes_is_noticed_at_the_ninth_span() {
    let world = World::new(true, true);
    let bare = World::new(false, true);
    let layer = HttpServerLayer::new(world.capture.telemetry()).with_tracing_span(Level::INFO);
    for (dispatch, requests) in [(&world.dispatch, 5), (&bare.dispatch, 16)] {
        with_default(dispatch, || {
            for _ in 0..requests {
                ask(layer.layer(Handler(|| ())), request("/"));
            }
        });
    }
    let warnings = world.capture.telemetry().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    // Those up to the eighth were exported twice.
    assert_eq!(bare.theirs().len(), 3, "{:#?}", bare.theirs());
}

/// Whose child the user's span in a spawned part of a handler is: of the operation, or nobody's.
#[track_caller]
fn check_spawned(activation: bool, wrapped: bool) {
    let world = World::new(true, activation);
    let layer = HttpServerLayer::new(world.capture.telemetry()).with_tracing_span(Level::INFO);
    let dispatch = world.dispatch.clone();
    let handler = service_fn(move |_: Request<Full<Bytes>>| {
        let dispatch = dispatch.clone();
        async move {
            let part = async { tracing::info_span!("part").in_scope(|| ()) };
            let part = part.in_current_span();
            let spawned = match wrapped {
                true => tokio::spawn(current::wrap(part).with_subscriber(dispatch)),
                false => tokio::spawn(part.with_subscriber(dispatch)),
            };
            spawned.await.expect("no panic");
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    });
    with_default(&world.dispatch, || ask(layer.layer(handler), request("/")));
    let theirs = world.theirs();
    assert_eq!(theirs.len(), 1, "{theirs:#?}");
    let parent = match wrapped {
        true => world.capture.record().span_id,
        false => SpanId::INVALID,
    };
    assert_eq!(theirs[0].parent_span_id, parent, "activation {activation}");
}

#[test]
fn what_is_spawned_in_the_span_has_to_be_wrapped_to_be_in_the_trace() {
    for activation in [true, false] {
        check_spawned(activation, true);
        check_spawned(activation, false);
    }
}

#[test]
fn without_activation_a_users_span_around_the_layer_comes_first() {
    for (activation, beneath_ours) in [(true, true), (false, false)] {
        let world = World::new(true, activation);
        with_default(&world.dispatch, || {
            tracing::info_span!("around").in_scope(|| world.ask(1, user_spans));
        });
        let (record, theirs) = (world.capture.record(), world.theirs());
        let of = |name: &str| theirs.iter().find(|span| span.name == name).expect(name);
        let around = of("around").span_context.span_id();
        let expect = if beneath_ours { record.span_id } else { around };
        assert_eq!(
            of("outer").parent_span_id,
            expect,
            "activation {activation}"
        );
        assert_eq!(record.parent_span_id, activation.then_some(around));
    }
}

#[test]
fn with_ids_only_users_spans_are_beneath_the_operation_too() {
    let capture = Capture::builder()
        .with_context_mode(ContextMode::IdsOnly)
        .build();
    let world = World::of(true, true, capture);
    world.ask(1, user_spans);
    let (record, theirs) = (world.capture.record(), world.theirs());
    assert_eq!(theirs[1].parent_span_id, record.span_id);
    assert_eq!(theirs[1].span_context.trace_id(), record.trace_id);
    assert!(
        theirs
            .iter()
            .all(|span| span.span_context.span_id() != SpanId::INVALID)
    );
}
