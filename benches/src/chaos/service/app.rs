//! The application: an axum router with our layer, whose handler makes two calls, does something of its own and logs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{Router, extract::Path, routing::get};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use obs_core::{
    DURATION_BOUNDS, Descriptor, Histogram, Kind, Labels, Outcome, Parent, Scope, Telemetry,
    logs::{Flood, LogLayer},
    otel::trace::SpanKind,
};
use obs_http::{
    HttpClientLayer, HttpServerLayer,
    client::{HttpClient, Injection},
};
use tower::ServiceExt;
use tower_layer::Layer;

use crate::harness::service::{Handler, Requests, Shape, exchange};

/// Spans of one request: the server's, one inside, two calls.
pub(crate) const SPANS: u64 = 4;
pub(crate) const ROUTE: &str = "/v1/models/{model}";

/// Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct App {
    router: Router,
    requests: Requests,
    made: Arc<AtomicU64>,
}

impl App {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        let client = HttpClientLayer::new(telemetry)
            .with_injection(Injection::everywhere())
            .layer(Handler::default());
        let work = Work {
            client,
            calls: Requests::outgoing(),
            search: telemetry.kind(&SEARCH),
        };
        let layer = HttpServerLayer::new(telemetry)
            .with_known_routes([ROUTE])
            .with_route(|head| {
                let matched = head.extensions.get::<axum::extract::MatchedPath>();
                matched.map(|path| path.as_str())
            });
        let handler = move |Path(model): Path<String>| async move { work.answer(&model).await };
        Self {
            router: Router::new().route(ROUTE, get(handler)).layer(layer),
            requests: Requests::unrouted(Shape::Real),
            made: Arc::default(),
        }
    }

    /// Requests so far.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// One request, to the end of its answer's body. Whether it was answered as it should be.
    pub(crate) async fn request(&self) -> bool {
        let request: Request<Empty<bytes::Bytes>> = self.requests.next();
        let Ok(answer) = self.router.clone().oneshot(request).await;
        self.made.fetch_add(1, Ordering::Relaxed);
        let status = answer.status();
        let body = answer.into_body().collect().await;
        status == StatusCode::OK && body.is_ok_and(|body| !body.to_bytes().is_empty())
    }
}

/// Events of `tracing` for the telemetry, and for nobody else. All of them, so that they can be counted: by default most of
/// one call site's are held back.
pub(crate) fn log_layer(telemetry: &Telemetry) -> LogLayer {
    LogLayer::new(telemetry)
        .without_lines()
        .with_flood(Flood::off())
}

/// What a handler needs.
#[derive(Clone, Debug)]
struct Work {
    client: HttpClient<Handler>,
    calls: Requests,
    search: &'static Kind,
}

impl Work {
    async fn answer(&self, model: &str) -> String {
        let search = self.search.start(Labels::NONE, Parent::Current);
        let mut found = 0;
        for _ in 0..2 {
            found += exchange(&self.client, self.calls.next());
        }
        search.end(Outcome::ANSWERED);
        tracing::info!(model, found, "answered");
        format!("{model}: {found}")
    }
}

static SCOPE: Scope = Scope {
    name: "obs-benches",
    version: "0",
    schema_url: "",
};

const INSIDE: Descriptor = Descriptor {
    name: "chaos.search",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: Some(Histogram {
        name: "chaos.search.duration",
        unit: "s",
        description: "",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("search"),
};

pub(crate) static SEARCH: Descriptor = INSIDE;

/// What a forked child does.
pub(crate) static CHILD: Descriptor = Descriptor {
    name: "chaos.child",
    duration: None,
    span_name: |_, name| name.push_str("child"),
    ..INSIDE
};
