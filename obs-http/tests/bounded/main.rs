//! What strangers can make a telemetry hold: a million invented names, and as many threads as a service may have.
//!
//! A binary of its own: it counts the live heap of the whole process.

use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Empty;
use obs_core::metrics::{Data, Metric, Temporality};
use obs_core::sampling::HeadSampler;
use obs_core::setup::environment::Environment;
use obs_core::{LabelValue, Telemetry};
use obs_http::{HttpClientLayer, HttpServerLayer};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use tower::{Layer, Service, service_fn};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Both count the heap of one process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const MIB: i64 = 1 << 20;
const SERVER: &str = "http.server.request.duration";
const CLIENT: &str = "http.client.request.duration";

fn live_heap() -> i64 {
    let stats = HEAP.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

/// What the kernel holds of the process in memory, where it says so.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

type Body = Empty<&'static [u8]>;

fn telemetry() -> Telemetry {
    Telemetry::builder()
        .with_environment(Environment::default())
        .with_sampler(HeadSampler::always_off())
        .manual()
        .build()
        .expect("a usable configuration")
}

/// Sends it through a service that answers at once.
fn ask(
    service: &mut impl Service<Request<Body>, Response = Response<impl Sized>, Error = Infallible>,
    request: Request<Body>,
) {
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    let answer = pin!(service.call(request));
    // Its body is empty: the exchange ends with its head.
    assert!(matches!(answer.poll(&mut context), Poll::Ready(Ok(_))));
}

fn answers(request: Request<Body>) -> std::future::Ready<Result<Response<Body>, Infallible>> {
    let status = request.headers().get("x-status");
    let status = status.and_then(|status| status.to_str().ok()?.parse::<u16>().ok());
    let mut response = Response::new(Empty::new());
    if let Some(status) = status {
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    }
    std::future::ready(Ok(response))
}

/// The counts of a histogram's series, with their labels.
fn series(metrics: &[Metric], name: &str) -> Vec<(Vec<(String, String)>, u64)> {
    let points = metrics
        .iter()
        .filter(|metric| metric.name == name)
        .flat_map(|metric| match &metric.data {
            Data::Histogram { points, .. } => points.clone(),
            other => panic!("{name} is no histogram: {other:?}"),
        });
    let text = |value: &LabelValue| value.to_text().into_owned();
    points
        .map(|point| {
            let labels = point.attributes.iter();
            let labels = labels.map(|(key, value)| (key.to_string(), text(value)));
            (labels.collect(), point.count)
        })
        .collect()
}

#[track_caller]
fn exact(all: &[(Vec<(String, String)>, u64)], labels: &[(&str, &str)], expect: u64) {
    let holds = |of: &[(String, String)]| {
        labels
            .iter()
            .all(|(key, value)| of.iter().any(|(k, v)| k == key && v == value))
    };
    let found: Vec<_> = all.iter().filter(|(of, _)| holds(of)).collect();
    let sum: u64 = found.iter().map(|(_, count)| count).sum();
    assert_eq!(sum, expect, "{labels:?}: {found:?}");
}

/// Everything in it is invented anew each time.
fn invented(index: u32, uri: String) -> Request<Body> {
    let value = |text: String| HeaderValue::from_str(&text).expect("a header");
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::from_bytes(format!("M{index}").as_bytes()).expect("a method");
    *request.uri_mut() = uri.parse().expect("a URI");
    let headers = request.headers_mut();
    headers.insert("host", value(format!("host-{index}.example")));
    headers.insert("user-agent", value(format!("agent/{index}")));
    // What the service takes its routes from, if it is as careless as that.
    headers.insert("x-route", value(format!("/invented/{index}")));
    headers.insert(
        "x-status",
        HeaderValue::from(200 + u16::try_from(index % 300).unwrap_or_default()),
    );
    request
}

fn known(route: &'static str) -> Request<Body> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = route.parse().expect("a path");
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("known.example"));
    headers.insert("x-route", HeaderValue::from_static(route));
    request
}

#[test]
fn a_million_invented_methods_paths_hosts_and_agents_stay_within_their_caps() {
    const INVENTED: u32 = 1_000_000;
    const KNOWN: [&str; 3] = ["/health", "/items", "/orders"];
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let telemetry = telemetry();
    let server = HttpServerLayer::new(&telemetry)
        .with_route(|head| head.headers.get("x-route")?.to_str().ok())
        .with_known_routes(KNOWN);
    let mut server = server.layer(service_fn(answers));
    let mut client = HttpClientLayer::new(&telemetry).layer(service_fn(answers));
    let (before, resident_before) = (live_heap(), resident());
    let (mut most, mut most_resident) = (0, 0);
    for index in 0..INVENTED {
        ask(&mut server, invented(index, format!("/invented/{index}")));
        ask(
            &mut client,
            invented(
                index,
                format!("http://host-{index}.example:{}/", 1024 + index % 60_000),
            ),
        );
        if index % 100_000 == 0 {
            // What was asked for a moment ago is still known a moment later.
            for route in KNOWN {
                ask(&mut server, known(route));
            }
            most = most.max(live_heap() - before);
            let grown = resident()
                .zip(resident_before)
                .map(|(now, before)| now - before);
            most_resident = most_resident.max(grown.unwrap_or_default());
        }
    }
    most = most.max(live_heap() - before);
    let grown = resident()
        .zip(resident_before)
        .map(|(now, before)| now - before);
    most_resident = most_resident.max(grown.unwrap_or_default());
    let metrics = telemetry.reader(Temporality::Cumulative).collect();
    let (served, called) = (series(&metrics, SERVER), series(&metrics, CLIENT));
    let total =
        |all: &[(Vec<(String, String)>, u64)]| all.iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!(total(&served), u64::from(INVENTED) + 30, "none is lost");
    assert_eq!(total(&called), u64::from(INVENTED), "none is lost");
    for route in KNOWN {
        exact(
            &served,
            &[("http.route", route), ("http.request.method", "GET")],
            10,
        );
    }
    // 2,000 of a group, room of their own for configured routes, and what overflows.
    assert!(
        served.len() <= 2_300,
        "{} series of the server",
        served.len()
    );
    assert!(
        called.len() <= 2_100,
        "{} series of the client",
        called.len()
    );
    // No method that was invented is a label.
    exact(
        &served,
        &[("http.request.method", "_OTHER")],
        u64::from(INVENTED),
    );
    assert!(most < 16 * MIB, "{most} bytes");
    assert!(most_resident <= 32 * MIB, "{most_resident} bytes resident");
}

#[test]
fn two_thousand_series_under_six_hundred_threads_take_less_than_64_mib() {
    const THREADS: usize = 600;
    const ROUTES: usize = 200;
    const STATUSES: u16 = 10;
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let routes: &'static [String] = (0..ROUTES)
        .map(|route| format!("/routes/{route}"))
        .collect::<Vec<_>>()
        .leak();
    let before = live_heap();
    let telemetry = telemetry();
    let server = HttpServerLayer::new(&telemetry)
        .with_route(|head| head.headers.get("x-route")?.to_str().ok())
        .layer(service_fn(answers));
    let all_are_there = Arc::new(Barrier::new(THREADS + 1));
    let may_end = Arc::new(Barrier::new(THREADS + 1));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let mut server = server.clone();
            let (there, end) = (Arc::clone(&all_are_there), Arc::clone(&may_end));
            thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(move || {
                    for route in routes {
                        for status in 200..200 + STATUSES {
                            let mut request = known("/");
                            let headers = request.headers_mut();
                            let route = HeaderValue::from_str(route).expect("a header");
                            headers.insert("x-route", route);
                            headers.insert("x-status", HeaderValue::from(status));
                            ask(&mut server, request);
                        }
                    }
                    there.wait();
                    end.wait();
                })
                .expect("a thread")
        })
        .collect();
    all_are_there.wait();
    // All of them live, and all of them have touched every series.
    let held = live_heap() - before;
    may_end.wait();
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
    let metrics = telemetry.reader(Temporality::Cumulative).collect();
    let served = series(&metrics, SERVER);
    assert_eq!(served.len(), ROUTES * usize::from(STATUSES));
    assert!(served.iter().all(|(_, count)| *count == THREADS as u64));
    assert!(held <= 64 * MIB, "{held} bytes");
}
