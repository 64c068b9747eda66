//! Calls of gRPC, once: answered, failed, retried, given up, compressed, of a method that there is not.

use crate::driver::{PATIENCE, telemetry};
use crate::seen::Seen;
use http::{Request, Response};
use http_body_util::BodyExt;
use obs_core::propagation::baggage::Allow;
use obs_core::{StatsLevel, Telemetry};
use obs_rpc::client::{ReplayBody, ReplayLayer, RpcClient};
use obs_rpc::{RpcClientLayer, RpcServerLayer, StatusKey};
use obs_testing::Receiver;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::HealthService;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

/// What there is at this level, by either name of the status.
pub(crate) fn run(level: StatsLevel) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let keys = [StatusKey::ResponseStatusCode, StatusKey::StatusCode];
    let seen = keys.map(|key| {
        let receiver = Receiver::start().expect("a receiver");
        let measures = level == StatsLevel::Detailed;
        let telemetry = telemetry(&receiver, |builder| {
            builder.with_level(level).with_measures(measures)
        });
        runtime.block_on(calls(&telemetry, key, &receiver));
        telemetry.shutdown(PATIENCE).expect("delivered");
        Seen::of(&receiver)
    });
    Seen::all(&seen)
}

async fn calls(telemetry: &Telemetry, key: StatusKey, receiver: &Receiver) {
    let server = serve(telemetry, key).await;
    let endpoint = Endpoint::from(server.clone());
    let inside = RpcClientLayer::new(telemetry)
        .with_status_key(key)
        .with_server(&server)
        .with_request_metadata(["x-asked"])
        .with_response_metadata(["content-type"]);
    let inside = inside.layer(endpoint.connect_lazy());
    // Two attempts under one call.
    let first = inside.clone();
    let twice = service_fn(move |request: Request<ReplayBody>| {
        let (first, second) = (first.clone(), first.clone());
        async move {
            let again = ReplayBody::clone_request(&request).expect("it is whole");
            let answer: Response<_> = first.oneshot(request).await?;
            let _ = answer.into_body().collect().await;
            second.oneshot(again).await
        }
    });
    let outside = RpcClientLayer::calls(telemetry)
        .with_status_key(key)
        .with_server(&server)
        .with_request_metadata(["x-asked"])
        .with_response_metadata(["content-type"]);
    given_up(outside.layer(inside.clone())).await;
    let retried = ServiceBuilder::new()
        .layer(outside)
        .layer(ReplayLayer::new(1024))
        .service(twice);
    let mut client = HealthClient::new(retried);
    for service in ["", "nobody"] {
        let answer = client.check(request(service)).await;
        assert_eq!(answer.is_ok(), service.is_empty());
    }
    let mut compressing = HealthClient::new(inside.clone())
        .send_compressed(Gzip)
        .accept_compressed(Gzip);
    compressing.check(request("")).await.expect("answered");
    let nothing = Request::post("/grpc.health.v1.Health/Nothing").body(Body::empty());
    let nothing = inside.oneshot(nothing.expect("a request")).await;
    let _ = nothing.expect("an answer").into_body().collect().await;

    // Seven attempts; the server's spans end a little after.
    let all = async {
        loop {
            telemetry.flush(PATIENCE).expect("delivered");
            let spans = receiver.spans();
            if spans.iter().filter(|span| span.span.kind == 2).count() == 7 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let all = tokio::time::timeout(PATIENCE, all).await;
    all.expect("as many spans as calls");
}

/// One that streams until it is dropped.
async fn given_up(channel: RpcClient<RpcClient<Channel>>) {
    let watch = HealthClient::new(channel).watch(request("")).await;
    let mut watch = watch.expect("a head").into_inner();
    watch.message().await.expect("one").expect("one");
}

fn request(service: &str) -> tonic::Request<HealthCheckRequest> {
    let service = service.to_owned();
    let mut request = tonic::Request::new(HealthCheckRequest { service });
    let metadata = request.metadata_mut();
    metadata.insert("x-asked", "1".parse().expect("text"));
    metadata.insert("baggage", "session.id=s,user.id=u".parse().expect("text"));
    request
}

async fn serve(telemetry: &Telemetry, key: StatusKey) -> http::Uri {
    let (reporter, _) = tonic_health::server::health_reporter();
    let health = HealthService::from_health_reporter(reporter);
    let health = tonic_health::pb::health_server::HealthServer::new(health)
        .send_compressed(Gzip)
        .accept_compressed(Gzip);
    let layer = RpcServerLayer::new(telemetry)
        .with_status_key(key)
        .with_baggage(Allow::names(["session.id", "user.id"]))
        .with_request_metadata(["x-asked"])
        .with_response_metadata(["content-type"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let server = Server::builder().layer(layer).add_service(health);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    format!("http://{address}").parse().expect("a URL")
}
