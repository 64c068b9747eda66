//! R10: strangers who invent a million methods, paths, agents and hosts.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::{Ready, ready},
    io,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use obs_core::{
    Delivery, Telemetry,
    courier::{Batch, Sent, Transport},
    metrics::{Data, Temporality},
    setup::environment::Environment,
};
use obs_http::HttpServerLayer;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::chaos::{
    Pace,
    row::Row,
    service::{block_on, resident_bytes},
};

const INVENTED: u64 = 1_000_000;
const KNOWN: [&str; 3] = ["/health", "/items", "/orders"];
/// A request to a configured route comes after so many invented ones.
const EVERY: u64 = 1_000;
/// What a group of metrics may have unless told otherwise.
const CONFIGURED: f64 = 2_000.0;
const DURATION: &str = "http.server.request.duration";
const MIB: f64 = (1 << 20) as f64;

/// A service as careless as can be: it takes its routes from a header. All spans are kept, encoded and thrown away.
pub(super) fn flood(_: Pace) -> io::Result<Vec<Row>> {
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_max_series(CONFIGURED as u32)
        .with_delivery(Delivery::through(Away))
        .with_collect_interval(Duration::from_millis(1))
        .build()
        .map_err(io::Error::other)?;
    let service = HttpServerLayer::new(&telemetry)
        .with_route(|head| head.headers.get("x-route")?.to_str().ok())
        .with_known_routes(KNOWN)
        .layer(Answers);
    // Pools and pages of the process, under requests that invent nothing.
    for made in 0..100_000 {
        ask(&service, known(KNOWN[made % KNOWN.len()]));
    }
    let (before, mut most) = (resident_bytes(), 0.0_f64);
    for index in 0..INVENTED {
        ask(&service, invented(index));
        if index % EVERY == 0 {
            KNOWN
                .into_iter()
                .for_each(|route| ask(&service, known(route)));
            most = most.max(resident_bytes());
        }
    }
    telemetry
        .flush(Duration::from_secs(60))
        .map_err(io::Error::other)?;
    most = most.max(resident_bytes());
    let (series, routes) = series(&telemetry);
    let wanted = INVENTED.div_ceil(EVERY);
    let warm = |at: usize| (100_000 + KNOWN.len() - 1 - at) / KNOWN.len();
    let off: u64 = KNOWN
        .into_iter()
        .enumerate()
        .map(|(at, route)| {
            (wanted + warm(at) as u64).abs_diff(routes.get(route).copied().unwrap_or(0))
        })
        .sum();
    let mut row = Row::new(
        "R10",
        format!(
            "{INVENTED} requests, each with a method, path, route, agent and host of its own, every span kept"
        ),
    );
    row.put("series", series, "")
        .put(
            "series / configured",
            series / (CONFIGURED + KNOWN.len() as f64),
            "",
        )
        .put("configured routes off by", off as f64, "")
        .put("memory added", (most - before) / MIB, "MiB");
    Ok(vec![row])
}

/// Series of the duration, and the values counted by route.
fn series(telemetry: &Telemetry) -> (f64, BTreeMap<String, u64>) {
    let (mut series, mut routes) = (0, BTreeMap::new());
    for metric in telemetry.reader(Temporality::Cumulative).collect() {
        let Data::Histogram { points, .. } = &metric.data else {
            continue;
        };
        if metric.name != DURATION {
            continue;
        }
        series += points.len();
        for point in points {
            let mut labels = point.attributes.iter();
            if let Some((_, route)) = labels.find(|(key, _)| key == "http.route") {
                *routes.entry(route.to_text().into_owned()).or_default() += point.count;
            }
        }
    }
    (series as f64, routes)
}

fn invented(index: u64) -> Request<Empty<Bytes>> {
    let text = |text: String| HeaderValue::from_str(&text).expect("a header");
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::from_bytes(format!("M{index}").as_bytes()).expect("a method");
    *request.uri_mut() = format!("/invented/{index}?q={index}")
        .parse()
        .expect("a path");
    let headers = request.headers_mut();
    headers.insert("host", text(format!("host-{index}.example")));
    headers.insert("user-agent", text(format!("agent/{index}")));
    headers.insert("x-route", text(format!("/invented/{index}")));
    request
}

fn known(route: &'static str) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = route.parse().expect("a path");
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static("known.example"));
    request
        .headers_mut()
        .insert("x-route", HeaderValue::from_static(route));
    request
}

fn ask<S, B>(service: &S, request: Request<Empty<Bytes>>)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Data = Bytes>,
{
    block_on(async {
        let Ok(answer) = service.clone().oneshot(request).await;
        drop(answer.into_body().collect().await);
    });
}

#[derive(Clone, Copy, Debug)]
struct Answers;

impl<B> Service<Request<B>> for Answers {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"fine")))))
    }
}

/// Delivers to nobody.
#[derive(Clone, Copy, Debug)]
struct Away;

impl Transport for Away {
    fn send(&mut self, _: &Batch, _: Instant) -> Sent {
        Sent::DELIVERED
    }
}
