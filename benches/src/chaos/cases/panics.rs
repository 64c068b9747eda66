//! R9: panics of a handler, an extractor, a callback and an exporter. The service unwinds as without us, the telemetry
//! lives on, and what is ours to count is counted.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, extract::FromRequestParts, routing::get};
use bytes::Bytes;
use http::{Request, StatusCode, request::Parts};
use http_body_util::{BodyExt, Empty};
use obs_core::{
    Builder, Delivery, Outcome, Records, Subscriber, Telemetry,
    courier::{Batch, Sent, Settings, Signal, Transport},
    ids::IdGenerator,
    otel::trace::{SpanId, TraceId},
    setup::environment::Environment,
};
use obs_http::{Classify, HttpServerLayer};
use tower::ServiceExt;

use super::endings::said;
use crate::{
    chaos::{Pace, row::Row, service::block_on},
    harness::service::TRACEPARENT,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// Requests that panic, and healthy ones after them.
const TIMES: u64 = 100;

pub(super) fn panics(_: Pace) -> io::Result<Vec<Row>> {
    // They are meant, and there are hundreds.
    std::panic::set_hook(Box::new(|_| {}));
    Ok(vec![
        of_the_service("handler", "/handler")?,
        of_the_service("extractor", "/extractor")?,
        callbacks()?,
        exporter()?,
    ])
}

fn app() -> Router {
    Router::new()
        .route("/handler", get(|| async { panic!("the handler") as &str }))
        .route("/extractor", get(async |_: Bad| "never"))
        .route("/fine", get(async || "fine"))
}

/// What the handler asks for, and cannot be had.
struct Bad;

impl<S: Sync> FromRequestParts<S> for Bad {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        panic!("the extractor")
    }
}

/// The status; or it unwinds.
fn ask(app: &Router, path: &str) -> StatusCode {
    block_on(async {
        let mut request: Request<Empty<Bytes>> = Request::new(Empty::new());
        if let Ok(uri) = path.parse() {
            *request.uri_mut() = uri;
        }
        // Or nobody asks whether the caller is trusted.
        let parent = http::HeaderValue::from_static(TRACEPARENT);
        request.headers_mut().insert("traceparent", parent);
        let Ok(answer) = app.clone().oneshot(request).await;
        let status = answer.status();
        drop(answer.into_body().collect().await);
        status
    })
}

/// Counts spans delivered; panics as often as asked first.
#[derive(Clone, Debug, Default)]
struct Sink {
    spans: Arc<AtomicU64>,
    panics: Arc<AtomicU64>,
}

impl Transport for Sink {
    fn send(&mut self, batch: &Batch, _: Instant) -> Sent {
        let less = |left: u64| left.checked_sub(1);
        let panicking = self
            .panics
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        assert!(panicking.is_err(), "the exporter");
        if batch.signal == Signal::Traces {
            self.spans.fetch_add(batch.items, Ordering::Relaxed);
        }
        Sent::DELIVERED
    }
}

fn telemetry(sink: &Sink, set: impl FnOnce(Builder) -> Builder) -> io::Result<Telemetry> {
    let settings =
        Settings::default().with_backoff(Duration::from_millis(1), Duration::from_millis(5));
    let builder = Telemetry::builder()
        .with_environment(Environment::default())
        .with_delivery(Delivery::through(sink.clone()).with_settings(settings));
    set(builder).build().map_err(io::Error::other)
}

/// Healthy requests after the panics whose spans do not arrive.
fn dead(telemetry: &Telemetry, sink: &Sink, app: &Router) -> u64 {
    // What went before may be lost with the panic; that is counted elsewhere.
    let _ = telemetry.flush(PATIENCE);
    let before = sink.spans.load(Ordering::Relaxed);
    for _ in 0..TIMES {
        ask(app, "/fine");
    }
    let _ = telemetry.flush(PATIENCE);
    TIMES.saturating_sub(sink.spans.load(Ordering::Relaxed) - before)
}

/// The service's own panics: each unwinds with what it said, ends its operation and is a span.
fn of_the_service(name: &str, path: &str) -> io::Result<Row> {
    let sink = Sink::default();
    let telemetry = telemetry(&sink, |builder| builder)?;
    let (bare, with) = (app(), app().layer(HttpServerLayer::new(&telemetry)));
    let mut unlike = 0;
    for _ in 0..TIMES {
        let (without, ours) = (said(|| ask(&bare, path)), said(|| ask(&with, path)));
        unlike += u64::from(without.is_none() || without != ours);
    }
    telemetry.flush(PATIENCE).map_err(io::Error::other)?;
    let not_counted = TIMES.abs_diff(sink.spans.load(Ordering::Relaxed));
    let mut row = Row::new(
        format!("R9/{name}"),
        format!("{TIMES} requests whose {name} panics, as many healthy ones after them"),
    );
    row.put("unlike without us", unlike as f64, "")
        .put("not counted", not_counted as f64, "")
        .put("dead afterwards", dead(&telemetry, &sink, &with) as f64, "");
    Ok(row)
}

/// Panics of what users hand to us: none reaches the service.
fn callbacks() -> io::Result<Row> {
    type Set = fn(Builder) -> Builder;
    type Layered = fn(&Telemetry) -> Router;
    let plain: Layered = |telemetry| app().layer(HttpServerLayer::new(telemetry));
    let nothing: Set = |builder| builder;
    let table: [(&str, Set, Layered); 7] = [
        (
            "subscriber",
            |builder| builder.with_subscriber(Panicking),
            plain,
        ),
        (
            "id generator",
            |builder| builder.with_id_generator(Arc::new(Panicking)),
            plain,
        ),
        (
            "diagnostics",
            |builder| builder.with_diagnostics(|_| panic!("diagnostics")),
            plain,
        ),
        ("observable", nothing, |telemetry| {
            telemetry.observe(|| panic!("the observable"));
            app().layer(HttpServerLayer::new(telemetry))
        }),
        ("classifier", nothing, |telemetry| {
            app().layer(HttpServerLayer::new(telemetry).with_classify(Panicking))
        }),
        ("route rule", nothing, |telemetry| {
            app().layer(HttpServerLayer::new(telemetry).with_route(|_| panic!("the route")))
        }),
        ("trust rule", nothing, |telemetry| {
            app().layer(HttpServerLayer::new(telemetry).with_trust_by(|_| panic!("the trust")))
        }),
    ];
    let (mut unlike, mut not_counted, mut late) = (0, Vec::new(), 0);
    for (name, set, layered) in table {
        let sink = Sink::default();
        let telemetry = telemetry(&sink, set)?;
        let app = layered(&telemetry);
        // Something for the diagnostics to say.
        telemetry.gauge(&instrument("chaos.twice", "s"));
        telemetry.gauge(&instrument("chaos.twice", "By"));
        for _ in 0..TIMES {
            unlike += u64::from(said(|| ask(&app, "/fine")).is_some());
        }
        let _ = telemetry.flush(PATIENCE);
        if telemetry.counts().panics == 0 {
            not_counted.push(name);
        }
        late += dead(&telemetry, &sink, &app);
    }
    let mut row = Row::new(
        "R9/callbacks",
        format!(
            "{TIMES} requests each beside a panicking {}",
            table.map(|(name, ..)| name).join(", ")
        ),
    );
    if !not_counted.is_empty() {
        row.done
            .push_str(&format!("; not counted: {}", not_counted.join(", ")));
    }
    row.put("unlike without us", unlike as f64, "")
        .put("not counted", not_counted.len() as f64, "")
        .put("dead afterwards", late as f64, "");
    Ok(row)
}

fn instrument(name: &'static str, unit: &'static str) -> obs_core::Instrument {
    obs_core::Instrument {
        name,
        unit,
        description: "",
        labels: &[],
        scope: &obs_core::Scope {
            name: "obs-benches",
            version: "0",
            schema_url: "",
        },
    }
}

/// In every role.
#[derive(Clone, Copy, Debug)]
struct Panicking;

impl Subscriber for Panicking {
    fn on_records(&mut self, _: Records<'_>) {
        panic!("the subscriber")
    }
}

impl IdGenerator for Panicking {
    fn new_trace_id(&self) -> TraceId {
        panic!("trace ids")
    }

    fn new_span_id(&self) -> SpanId {
        panic!("span ids")
    }
}

impl Classify<Infallible> for Panicking {
    fn classify_status(&self, _: StatusCode) -> Outcome {
        panic!("the status")
    }

    fn classify_error(&self, _: &Infallible) -> Outcome {
        panic!("the error")
    }
}

/// One that panics twice on a batch delivers it at its third attempt; what it panics on for good is counted.
fn exporter() -> io::Result<Row> {
    const PANICS: u64 = 2;
    let sink = Sink::default();
    sink.panics.store(PANICS, Ordering::Relaxed);
    let telemetry = telemetry(&sink, |builder| builder)?;
    let app = app().layer(HttpServerLayer::new(&telemetry));
    let mut unlike = 0;
    for _ in 0..TIMES {
        unlike += u64::from(said(|| ask(&app, "/fine")).is_some());
    }
    let _ = telemetry.flush(PATIENCE);
    let late = dead(&telemetry, &sink, &app);
    let accounts = telemetry.accounts();
    let mut row = Row::new(
        "R9/exporter",
        format!(
            "an exporter that panics {PANICS} times, {} requests",
            2 * TIMES
        ),
    );
    let spans = accounts.traces;
    let unaccounted = (2 * TIMES).abs_diff(spans.delivered + spans.dropped.total() + spans.pending);
    row.put("unlike without us", unlike as f64, "")
        .put("delivered", spans.delivered as f64, "")
        .put(
            "not counted",
            (PANICS.abs_diff(accounts.panics) + unaccounted) as f64,
            "",
        )
        .put("dead afterwards", late as f64, "");
    Ok(row)
}
