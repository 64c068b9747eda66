//! A whole HTTP/1.1 exchange on loopback: hyper's client and server on one thread, with and without the layer.

use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1 as client, server::conn::http1 as server};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use obs_core::Telemetry;
use obs_http::HttpServerLayer;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tower_layer::Layer;
use tower_service::Service;

use super::flat::{DURATION, Expect, Flat};
use crate::harness::{
    pair::Pair,
    service::{Handler, Requests, Shape},
};

/// As it ships, with twelve headers.
pub(crate) fn http1() -> Pair {
    let flat = Flat::build(Telemetry::builder());
    let runtime = Rc::new(
        Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime"),
    );
    let handler = Handler::default();
    let bare = connect(&runtime, handler);
    let with = connect(
        &runtime,
        HttpServerLayer::new(&flat.telemetry).layer(handler),
    );
    let pair = Pair::new(exchanges(&runtime, bare), exchanges(&runtime, with));
    flat.hold(
        pair,
        Expect {
            points: Some(DURATION),
            records: 1,
            stamps: 2,
        },
    )
}

type Sender = client::SendRequest<Empty<Bytes>>;

/// A server for one connection, and the client's end of it.
fn connect<S, B>(runtime: &Runtime, service: S) -> Sender
where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error: std::error::Error + Send + Sync,
            Future: Send,
        > + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let service = tower::util::MapRequest::new(service, |mut request: Request<Incoming>| {
        Requests::extend(&mut request);
        request
    });
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("the client connects");
            stream.set_nodelay(true).expect("a TCP socket");
            // The client hangs up when the case is over.
            let _ = server::Builder::new()
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .await;
        });
        let stream = TcpStream::connect(address)
            .await
            .expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let (sender, connection) = client::handshake(TokioIo::new(stream))
            .await
            .expect("HTTP/1.1");
        tokio::spawn(connection);
        sender
    })
}

fn exchanges(runtime: &Rc<Runtime>, mut sender: Sender) -> impl FnMut() + 'static {
    let (runtime, requests) = (runtime.clone(), Requests::bare(Shape::Real));
    move || {
        runtime.block_on(async {
            sender.ready().await.expect("the connection stays");
            let answer = sender
                .send_request(requests.next())
                .await
                .expect("an answer");
            let body = answer.into_body().collect().await.expect("a whole body");
            std::hint::black_box(body.to_bytes());
        });
    }
}
