//! Binary metadata of a request, from a client of tonic's.

use crate::echo::{self, EchoClient};
use crate::generated::EchoServer;
use crate::service::Acts;
use crate::world::{capture, listener, one, serve};
use obs_core::StatsLevel;
use obs_rpc::volo_grpc::VoloGrpcServerLayer;
use obs_testing::Capture;
use std::net::SocketAddr;
use tokio::task::JoinHandle;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use volo::net::incoming::DefaultIncoming;
use volo_grpc::server::{Server, ServiceBuilder};

fn client(address: SocketAddr) -> EchoClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
    EchoClient::new(endpoint.connect_lazy())
}

/// What the handler says to a call with `trace-bin`.
async fn ask(client: &mut EchoClient<Channel>, text: &str) -> Result<String, tonic::Status> {
    let mut request = tonic::Request::new(echo::say(text, 0));
    let value = MetadataValue::from_bytes(&[0, 1, 254]);
    request.metadata_mut().insert_bin("trace-bin", value);
    let response = client.unary_to("Unary", request).await?;
    Ok(response.into_inner().text)
}

async fn serve_without_handle_layer(capture: Option<&Capture>) -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listener().await;
    let service = ServiceBuilder::new(EchoServer::new(Acts::default())).build();
    let server = Server::new().add_service(service);
    let incoming = DefaultIncoming::from(listener);
    let served = match capture {
        Some(capture) => {
            let server = server.layer_tower(VoloGrpcServerLayer::new(capture.telemetry()));
            tokio::spawn(async move { server.run(incoming).await.expect("served") })
        }
        None => tokio::spawn(async move { server.run(incoming).await.expect("served") }),
    };
    (address, served)
}

/// If this fails, Volo has learnt to read it, and what hides it can go.
#[tokio::test]
async fn a_volo_server_alone_dies_of_it() {
    let (address, served) = serve_without_handle_layer(None).await;
    let mut client = client(address);
    let well = client.unary(echo::say("well", 0)).await;
    assert_eq!(well.expect("answered").into_inner().text, "well");
    let status = ask(&mut client, "well").await.expect_err("it panics");
    let told = status.message();
    assert!(told.contains("h2 protocol error"), "{status:?}");
    served.abort();
}

#[tokio::test]
async fn behind_the_layers_a_handler_reads_it_where_it_belongs() {
    let capture = capture();
    let (address, served) = serve(&capture, Acts::default()).await;
    let mut client = client(address);
    let found = ask(&mut client, "binary trace-bin").await;
    assert_eq!(found.expect("answered"), "[0, 1, 254]");
    let record = one(&capture.records(), "rpc.server");
    assert_eq!(record.text("rpc.response.status_code"), Some("OK"));
    served.abort();
}

#[tokio::test]
async fn without_the_inner_layer_it_is_beside_the_metadata() {
    let capture = capture();
    let (address, served) = serve_without_handle_layer(Some(&capture)).await;
    let mut client = client(address);
    assert_eq!(
        ask(&mut client, "hidden trace-bin")
            .await
            .expect("answered"),
        "AAH+"
    );
    assert_eq!(
        ask(&mut client, "binary trace-bin")
            .await
            .expect("answered"),
        "none"
    );
    served.abort();
}

#[tokio::test]
async fn it_kills_no_call_that_is_not_observed_either() {
    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    let (address, served) = serve(&capture, Acts::default()).await;
    let mut client = client(address);
    let found = ask(&mut client, "binary trace-bin").await;
    assert_eq!(found.expect("answered"), "[0, 1, 254]");
    assert!(capture.records().is_empty());
    served.abort();
}
