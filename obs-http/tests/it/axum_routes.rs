//! With the feature `axum`: routes from `MatchedPath`, peers from `ConnectInfo`, on a real axum server.

use crate::support::client::{exchange, send};
use crate::support::{DURATION, over, running, until};
use axum::Router;
use axum::routing::get;
use obs_core::End;
use obs_http::HttpServerLayer;
use obs_testing::{Capture, CapturedRecord, attrs};
use std::net::SocketAddr;
use tokio::net::TcpListener;

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

fn layer(capture: &Capture) -> HttpServerLayer {
    HttpServerLayer::new(capture.telemetry())
}

fn routes() -> Router {
    let items = Router::new()
        .route("/{id}", get(|| async { "item" }))
        .route("/{id}/parts/{part}", get(|| async { "part" }));
    Router::new()
        .route("/", get(|| async { "root" }))
        .route("/broken", get(|| async { http::StatusCode::BAD_GATEWAY }))
        .route("/pending", get(std::future::pending::<()>))
        .route(
            "/panic",
            get(|| async { std::panic::resume_unwind(Box::new("on purpose")) as () }),
        )
        .nest("/api", Router::new().nest("/items", items))
        .route("/files/{*path}", get(|| async { "file" }))
}

/// What is recorded of `GET path`.
async fn record(path: &str) -> CapturedRecord {
    let capture = crate::support::capture();
    let address = serve(routes().layer(layer(&capture))).await;
    exchange(address, "GET", path).await;
    over(&capture, End::Answered, None).await
}

#[track_caller]
fn route(path: &'static str, route: Option<&'static str>) -> impl Future<Output = ()> {
    async move {
        let record = record(path).await;
        assert_eq!(record.text("http.route"), route, "{path}");
        let name = route.map_or("GET".to_owned(), |route| format!("GET {route}"));
        assert_eq!(record.name, name, "{path}");
        assert_eq!(record.text("url.path"), Some(path));
    }
}

#[tokio::test]
async fn routes_are_templates_through_nested_routers() {
    route("/", Some("/")).await;
    route("/api/items/7", Some("/api/items/{id}")).await;
    route("/api/items/7/parts/9", Some("/api/items/{id}/parts/{part}")).await;
    route("/files/a/b", Some("/files/{*path}")).await;
}

#[tokio::test]
async fn what_no_route_matches_has_none() {
    route("/nowhere", None).await;
    route("/api/items/7/nowhere", None).await;
}

#[tokio::test]
async fn a_layer_on_a_nested_router_sees_the_whole_template() {
    let capture = crate::support::capture();
    let inner = Router::new()
        .route("/{id}", get(|| async { "item" }))
        .layer(layer(&capture));
    let address = serve(Router::new().nest("/api/items", inner)).await;
    exchange(address, "GET", "/api/items/7").await;
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.text("http.route"), Some("/api/items/{id}"));
    assert_eq!(record.text("url.path"), Some("/api/items/7"));
}

/// What a layer on a router records that is nested twice.
#[track_caller]
fn nested(path: &'static str, whole: &'static str, query: Option<&'static str>) -> impl Future {
    async move {
        let capture = crate::support::capture();
        let items = Router::new()
            .route("/{id}", get(|| async { "item" }))
            .route("/{id}/{*rest}", get(|| async { "no such part" }))
            .layer(layer(&capture));
        let nested = Router::new().nest("/api", Router::new().nest("/items", items));
        let address = serve(Router::new().nest("/v1", nested)).await;
        let answer = exchange(address, "GET", path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let record = over(&capture, End::Answered, None).await;
        assert_eq!(record.text("url.path"), Some(whole));
        assert_eq!(record.text("url.query"), query);
    }
}

#[tokio::test]
async fn a_layer_inside_of_nested_routers_sees_the_whole_path() {
    nested("/v1/api/items/7", "/v1/api/items/7", None).await;
    nested(
        "/v1/api/items/7/a?page=2",
        "/v1/api/items/7/a",
        Some("page=2"),
    )
    .await;
}

#[tokio::test]
async fn a_fallback_of_a_nested_router_sees_the_whole_path() {
    let capture = crate::support::capture();
    let items = Router::new()
        .route("/{id}", get(|| async { "item" }))
        .fallback(|| async { "no such item" })
        .layer(layer(&capture));
    let address = serve(Router::new().nest("/items", items)).await;
    exchange(address, "GET", "/items/7/nowhere").await;
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.text("http.route"), None);
    assert_eq!(record.text("url.path"), Some("/items/7/nowhere"));
}

#[tokio::test]
async fn a_service_nested_in_a_router_sees_the_whole_path() {
    use tower::Layer;
    let capture = crate::support::capture();
    let inner = Router::new().route("/{id}", get(|| async { "item" }));
    let router = Router::new().nest_service("/api", layer(&capture).layer(inner));
    let address = serve(router).await;
    exchange(address, "GET", "/api/7").await;
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.text("url.path"), Some("/api/7"));
}

#[tokio::test]
async fn a_flood_of_paths_is_one_series() {
    let capture = crate::support::capture();
    let address = serve(routes().layer(layer(&capture))).await;
    for id in 0..20_u32 {
        exchange(address, "GET", &format!("/api/items/{id}")).await;
        exchange(address, "GET", &format!("/nowhere/{id}")).await;
    }
    until("all of them", || capture.count(DURATION) == 40).await;
    assert_eq!(capture.points().histograms(DURATION, &[]).len(), 2);
    let routed = attrs!["http.route" => "/api/items/{id}"];
    assert_eq!(
        capture.points().histogram(DURATION, &routed).unwrap().count,
        20
    );
}

#[tokio::test]
async fn the_peer_comes_from_connect_info() {
    let record = record("/").await;
    assert_eq!(record.text("network.peer.address"), Some("127.0.0.1"));
    assert_eq!(record.text("client.address"), Some("127.0.0.1"));
    let port = record
        .attr("network.peer.port")
        .and_then(|port| port.as_i64());
    assert!(port.is_some_and(|port| port > 0), "{record:#?}");
}

#[tokio::test]
async fn errors_panics_and_clients_that_go_end_as_such() {
    for (path, end, error) in [
        ("/broken", End::Failed, "502"),
        ("/panic", End::Panicked, "panic"),
    ] {
        let capture = crate::support::capture();
        let address = serve(routes().layer(layer(&capture))).await;
        exchange(address, "GET", path).await;
        let record = over(&capture, end, Some(error)).await;
        assert_eq!(record.text("http.route"), Some(path));
    }
    let capture = crate::support::capture();
    let address = serve(routes().layer(layer(&capture))).await;
    let stream = send(address, "GET", "/pending").await;
    running(&capture, 1).await;
    drop(stream);
    over(&capture, End::Cancelled, Some("cancelled")).await;
}

#[tokio::test]
async fn a_layer_around_the_app_and_one_inside_are_parent_and_child() {
    let capture = crate::support::capture();
    let inside = routes().layer(layer(&capture));
    // Around everything, as one service: no route is known out there.
    let around = Router::new()
        .fallback_service(inside)
        .layer(layer(&capture));
    let address = serve(around).await;
    exchange(address, "GET", "/api/items/7").await;
    until("both", || capture.count(DURATION) == 2).await;
    let records = capture.records();
    let outer = records.iter().find(|record| record.name == "GET");
    let inner = records
        .iter()
        .find(|record| record.name == "GET /api/items/{id}");
    assert_eq!(
        inner.expect("the inner one").parent_span_id,
        outer.map(|outer| outer.span_id)
    );
}
