//! hyper-rustls around our connector, before servers with which it comes to no agreement.

use super::failing_servers::{Then, answering_at_once};
use super::{fetch, layer, over};
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use obs_core::{End, StatsLevel};
use obs_http::client::ConnectorLayer;

use tower::Layer;

#[track_caller]
fn fails(answer: &'static [u8]) -> impl Future<Output = ()> {
    async move {
        let capture = crate::support::capturing()
            .with_level(StatsLevel::Detailed)
            .build();
        let address = answering_at_once(answer, Then::Close).await;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(ConnectorLayer::tcp().layer(tcp));
        let client = Client::builder(TokioExecutor::new())
            .build::<_, Empty<Bytes>>(ConnectorLayer::default().layer(tls));
        let request = Request::get(format!("https://{address}/")).body(Empty::new());
        let answer = fetch(layer(&capture).layer(client), request.expect("a request")).await;
        assert_eq!(answer, Err("head"));
        let record = over(&capture, End::Failed, Some("tls_error")).await;
        assert_eq!(
            record.event_names().join(" "),
            "client_conn_start tcp_start tcp_finish tls_start client_conn_finish",
            "the keys were never agreed on"
        );
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls() {
    fails(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
}

#[tokio::test]
async fn a_server_that_refuses_the_handshake() {
    // An alert, fatal: handshake_failure.
    fails(&[21, 3, 3, 0, 2, 2, 40]).await;
}
