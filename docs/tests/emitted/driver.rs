//! Everything, once: servers and clients that answer and fail, logs, the process, the runtime, and trouble.

use crate::seen::Seen;
use crate::{agent, gpu, gpu_used, llm, logs, rpc, upkeep};
use axum::{Router, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{HttpConnector, dns::GaiResolver};
use hyper_util::rt::TokioExecutor;
use obs_core::propagation::baggage::Allow;
use obs_core::setup::environment::Environment;
use obs_core::{Builder, StatsLevel, Telemetry};
use obs_http::client::{Connector, ConnectorLayer, HttpClientLayer};
use obs_http::{Forwarded, HttpServerLayer};
use obs_testing::Receiver;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A telemetry in manual mode that exports to `receiver`.
pub(crate) fn telemetry(receiver: &Receiver, set: impl FnOnce(Builder) -> Builder) -> Telemetry {
    let endpoint = receiver.endpoint();
    let variable = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone());
    let resource = obs_core::setup::resource::Resource::builder()
        .with_service_name("table")
        .with_service_version("1.2.3")
        .build();
    let builder = Telemetry::builder()
        .with_environment(Environment::from_fn(variable))
        .with_resource(resource)
        .with_otlp()
        .manual();
    set(builder).build().expect("settings that can be used")
}

/// What there is at this level. Sizes are asked for at Detailed.
pub(crate) fn run(level: StatsLevel) -> Seen {
    let receiver = Receiver::start().expect("a receiver");
    let measures = level == StatsLevel::Detailed;
    let telemetry = telemetry(&receiver, |builder| {
        builder.with_level(level).with_measures(measures)
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(exchanges(&telemetry));
    telemetry.flush(PATIENCE).expect("delivered");
    // What was delivered is said by the next one.
    telemetry.shutdown(PATIENCE).expect("delivered");

    let apart = Receiver::start().expect("a receiver");
    upkeep::run(&apart);
    let other = Seen::of(&apart);
    Seen::all([
        &Seen::of(&receiver),
        &other,
        &rpc::run(level),
        &llm::run(level),
        &agent::run(level),
        &gpu::run(),
        &gpu_used::run(level),
    ])
}

async fn exchanges(telemetry: &Telemetry) {
    telemetry.observe_process();
    telemetry.observe_tokio(&tokio::runtime::Handle::current());
    let address = serve(telemetry).await;
    let client = HttpClientLayer::new(telemetry)
        .with_connections(true)
        .with_scheme(true)
        .with_user_agent(true)
        .with_template(|_| Some("/items/{id}"))
        .with_request_headers(["x-asked"])
        .with_response_headers(["x-answered"])
        .layer(hyper_client());
    // Two attempts under one call.
    let twice = service_fn(move |request: Request<Empty<Bytes>>| {
        let client = client.clone();
        async move {
            let first = client.clone().oneshot(request.clone()).await?;
            let _ = first.into_body().collect().await;
            client.oneshot(request).await
        }
    });
    let call = HttpClientLayer::calls(telemetry)
        .with_scheme(true)
        .with_user_agent(true)
        .with_template(|_| Some("/items/{id}"))
        .with_request_headers(["x-asked"])
        .with_response_headers(["x-answered"])
        .layer(twice);
    for (method, path) in [
        ("GET", "/items/7?a=b"),
        ("GET", "/broken"),
        ("BREW", "/items/7"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://localhost:{}{path}", address.port()))
            .header("user-agent", "table")
            .header("x-asked", "1")
            .header(
                "forwarded",
                "for=\"203.0.113.7:5000\";proto=http;host=shop.example",
            )
            .header("traceparent", "broken")
            .body(Empty::new())
            .expect("a request");
        let answer = call.clone().oneshot(request).await.expect("an answer");
        answer.into_body().collect().await.expect("a body");
    }
    with_baggage(address).await;
    logs::run(telemetry);
}

type Hyper = Client<Connector<Connector<HttpConnector<Connector<GaiResolver>>>>, Empty<Bytes>>;

/// With the times of names, TCP and connections.
fn hyper_client() -> Hyper {
    let resolver = ConnectorLayer::dns().layer(GaiResolver::new());
    let tcp = HttpConnector::new_with_resolver(resolver);
    let connector = ConnectorLayer::default().layer(ConnectorLayer::tcp().layer(tcp));
    Client::builder(TokioExecutor::new()).build(connector)
}

async fn serve(telemetry: &Telemetry) -> SocketAddr {
    let layer = HttpServerLayer::new(telemetry)
        .with_request_headers(["x-asked"])
        .with_response_headers(["x-answered"])
        .with_baggage(Allow::names(["session.id", "user.id"]))
        .with_forwarded(Forwarded::standard(1).with_senders(|_| true));
    let item = || async { ([("x-answered", "1")], "an item") };
    let broken = || async {
        obs_core::current::record_exception("shop::Gone", "the shelf is gone", Some("at a"));
        http::StatusCode::INTERNAL_SERVER_ERROR
    };
    let app = Router::new()
        .route("/items/{id}", axum::routing::any(item))
        .route("/broken", get(broken))
        .layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// As another service's client sends it.
async fn with_baggage(address: SocketAddr) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("it listens");
    let head = "GET /items/7?a=b HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\
                baggage: session.id=s,user.id=u\r\ntraceparent: broken\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
}
