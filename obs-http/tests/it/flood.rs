//! A scanner that tries everything: what was configured stays exact.

use crate::support::ask::{ask, build, get};
use crate::support::{DURATION, layer};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use obs_core::sampling::HeadSampler;
use obs_testing::{AttrValue, Capture};
use std::convert::Infallible;
use tower::{Layer, service_fn};

const KNOWN: [&str; 3] = ["/health", "/items/{id}", "/orders/{id}"];

/// The route is what the request says, and so is the status: both come from somebody else's idea of the service.
fn request(route: &str, status: u16) -> Request<Empty<Bytes>> {
    let status = HeaderValue::from(status);
    build(get("/").header("x-route", route).header("x-status", status))
}

#[test]
fn configured_routes_stay_exact_under_a_flood_of_100_000_label_sets() {
    let capture = Capture::builder()
        .with_sampler(HeadSampler::always_off())
        .build();
    let layer = layer(&capture)
        .with_route(|head| head.headers.get("x-route")?.to_str().ok())
        .with_known_routes(KNOWN);
    let mut service = layer.layer(service_fn(|request: Request<Empty<Bytes>>| {
        let status: u16 = request.headers()["x-status"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    }));
    let statuses = [200, 201, 202, 203, 400, 401, 403, 404, 405, 410];
    let mut sent = 0;
    for route in 0..10_000 {
        let route = format!("/flood/{route}");
        for status in statuses {
            ask(&mut service, request(&route, status));
            sent += 1;
        }
    }
    assert_eq!(sent, 100_000);
    for route in KNOWN {
        for status in statuses {
            ask(&mut service, request(route, status));
        }
    }
    for route in KNOWN {
        for status in statuses {
            let labels = [
                ("http.route", AttrValue::from(route)),
                ("http.response.status_code", AttrValue::from(status)),
            ];
            let point = capture.points().histogram(DURATION, &labels);
            assert_eq!(point.map(|point| point.count), Some(1), "{route} {status}");
        }
    }
    assert_eq!(capture.count(DURATION), sent + 30);
}
