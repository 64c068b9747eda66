//! A body that says itself that nothing more is to come is not asked further, by hyper for one: such a call has ended, and was not
//! given up.
#![cfg(feature = "tonic")]

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::Capture;
use std::convert::Infallible;
use std::future::ready;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service, ServiceExt, service_fn};

fn answers()
-> impl Service<Request<Body>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> {
    service_fn(|_| {
        // A message and no trailers, as of no server of gRPC's.
        let body = Full::new(Bytes::from_static(b"\0\0\0\0\x01m"));
        ready(Ok(Response::new(body)))
    })
}

/// The status and `error.type` of a call whose body was read to its last byte, and asked whether that was all, or not.
async fn ended<S, B>(capture: &Capture, service: S, asked: bool) -> [String; 2]
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error = Infallible> + Unpin,
{
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = "/test.Echo/Unary".parse().expect("a path");
    let response = service.oneshot(request).await.expect("it answers");
    let mut body = response.into_body();
    assert!(body.frame().await.expect("a message").is_ok());
    if asked {
        assert!(body.is_end_stream());
    }
    drop(body);
    let record = capture.record();
    let text = |key| record.text(key).unwrap_or_default().to_owned();
    [text("rpc.response.status_code"), text("error.type")]
}

#[tokio::test]
async fn a_body_that_is_over_and_says_so_is_not_given_up() {
    let expect = |asked| match asked {
        true => ["UNKNOWN", "UNKNOWN"],
        false => ["CANCELLED", "cancelled"],
    };
    for asked in [true, false] {
        let capture = Capture::new();
        let server = RpcServerLayer::new(capture.telemetry()).layer(answers());
        assert_eq!(ended(&capture, server, asked).await, expect(asked));
        let capture = Capture::new();
        let client = RpcClientLayer::new(capture.telemetry()).layer(answers());
        assert_eq!(ended(&capture, client, asked).await, expect(asked));
    }
}
