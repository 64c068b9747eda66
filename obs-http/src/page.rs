//! `/metrics`: the page that Prometheus scrapes, as a service to mount or as a listener of its own.
//!
//! ```no_run
//! use axum::Router;
//! use obs_core::Telemetry;
//! use obs_http::{HttpServerLayer, MetricsPage};
//!
//! # fn app(telemetry: Telemetry) -> Router {
//! Router::new()
//!     .route("/", axum::routing::get(|| async { "hello" }))
//!     .layer(HttpServerLayer::new(&telemetry))
//!     // After the layer: scrapes are no requests of the service.
//!     .route_service("/metrics", MetricsPage::new(&telemetry))
//! # }
//! ```
//!
//! A scrape gets [OpenMetrics](PageFormat::OpenMetrics) with exemplars if it asks for it, as Prometheus does, and the text
//! format otherwise.
//!
//! # Metrics of the crate `metrics`
//! Business metrics that a service records with the macros of the crate `metrics` come onto the same page in one of two ways.
//! `metrics-exporter-prometheus` stays their recorder, and its page is joined with this one: see
//! [`MetricsPage::with_joined`]. Or our recorder takes them (`obs_core::metrics_facade::MetricsRecorder`, feature `metrics` of
//! `obs-core`): then they are on this page by themselves, leave over OTLP too, and are handed on to another recorder if one is
//! named. Not both: a page that shows the names of such a recorder already is not joined with that of the other.

mod join;
mod joined;
#[cfg(feature = "listener")]
mod listener;
mod rendering;

#[cfg(feature = "listener")]
pub use listener::MetricsListener;

pub use rendering::Rendering;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use joined::Joined;
use obs_core::encode::PageFormat;
use obs_core::{Error, Telemetry};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// The metrics page of a telemetry. Answers GET and HEAD on whatever path it is mounted. A page is rendered on a thread of
/// its own, because it may wait for observables: the service's runtime goes on meanwhile.
#[derive(Clone, Debug)]
pub struct MetricsPage {
    telemetry: Telemetry,
    joined: Arc<[Joined]>,
}

impl MetricsPage {
    /// The page of `telemetry` alone.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self {
            telemetry: *telemetry,
            joined: Arc::default(),
        }
    }

    /// Adds the page of another exporter, in the text format, for instance of `metrics-exporter-prometheus`:
    /// `page.with_joined("metrics", move || handle.render())`. It is rendered at each scrape.
    ///
    /// # Errors
    /// When both have a metric of one name: ours of all layers and instruments that are made by now, so join last. Where
    /// that happens later, the other exporter's is left out and named
    /// in a comment (of which OpenMetrics has none).
    pub fn with_joined(
        self,
        name: &'static str,
        render: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let added = Joined::new(name, render);
        // What is registered, not only what has a series by now: at set-up that is next to nothing.
        let mut own = self.telemetry.prometheus();
        for (name, kind) in self.telemetry.prometheus_names() {
            own.push_str(&format!("# TYPE {name} {kind}\n"));
        }
        for joined in self.joined.iter() {
            own.push_str(&joined.render(&self.telemetry));
        }
        if let Some(taken) = join::collision(&own, &added.render(&self.telemetry)) {
            return Err(Error::configuration(format!(
                "`{taken}` is on the page already, and on that of `{name}` too"
            )));
        }
        let joined = self.joined.iter().cloned().chain([added]);
        Ok(Self {
            joined: joined.collect(),
            ..self
        })
    }

    /// The page of now.
    pub fn render(&self, format: PageFormat) -> String {
        let mut page = self.telemetry.prometheus_page(format);
        for joined in self.joined.iter() {
            join::join(
                &mut page,
                &joined.render(&self.telemetry),
                joined.name,
                format,
            );
        }
        page
    }

    /// What a request gets: status, media type, body.
    fn answer(&self, method: &Method, accept: Option<&str>) -> (StatusCode, &'static str, String) {
        if *method != Method::GET && *method != Method::HEAD {
            let said = "a metrics page is read, with GET or HEAD\n".to_owned();
            return (
                StatusCode::METHOD_NOT_ALLOWED,
                "text/plain; charset=utf-8",
                said,
            );
        }
        let format = accept.map_or(PageFormat::Text, PageFormat::negotiate);
        (StatusCode::OK, format.content_type(), self.render(format))
    }
}

impl<B> Service<Request<B>> for MetricsPage {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Rendering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let accepts = request.headers().get_all(header::ACCEPT).iter();
        let accepts: Vec<_> = accepts.filter_map(|value| value.to_str().ok()).collect();
        let accept = (!accepts.is_empty()).then(|| accepts.join(","));
        let (page, method) = (self.clone(), request.method().clone());
        Rendering::of(move || page.respond(&method, accept.as_deref()))
    }
}

impl MetricsPage {
    fn respond(&self, method: &Method, accept: Option<&str>) -> Response<String> {
        let (status, media, body) = self.answer(method, accept);
        let mut response = Response::new(if *method == Method::HEAD {
            String::new()
        } else {
            body
        });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        // Which of the two it is depends on what was asked for.
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}
