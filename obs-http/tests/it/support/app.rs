//! The service under test: its path says how it behaves.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::channel::Channel;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use std::fmt;
use tokio::io::copy_bidirectional_with_sizes;

pub(crate) type Body = UnsyncBoxBody<Bytes, Broken>;

/// What the service and its bodies fail with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

pub(crate) const HELLO: &str = "hello, world";

pub(crate) async fn app<B: Send + 'static>(request: Request<B>) -> Result<Response<Body>, Broken> {
    let path = request.uri().path().to_owned();
    // hyper leaves the bodies of answers to HEAD away over HTTP/1 only; over HTTP/2 it is the router that does (axum).
    if request.method() == Method::HEAD && request.version() == Version::HTTP_2 {
        return Ok(Response::new(empty()));
    }
    if request.method() == Method::CONNECT {
        return Ok(connect(request));
    }
    Ok(match path.as_str() {
        "/hello" => Response::new(full(HELLO)),
        "/chunked" => Response::new(channel(|mut sender| async move {
            for chunk in ["one ", "two ", "three"] {
                let _ = sender.send_data(Bytes::from_static(chunk.as_bytes())).await;
            }
        })),
        // A length that the body itself does not know.
        "/streamed-with-length" => {
            let mut response = Response::new(channel(|mut sender| async move {
                let _ = sender.send_data(Bytes::from_static(b"12345")).await;
                let _ = sender.send_data(Bytes::from_static(b"67890")).await;
            }));
            response
                .headers_mut()
                .insert("content-length", http::HeaderValue::from_static("10"));
            response
        }
        "/trailers" => Response::new(channel(|mut sender| async move {
            let _ = sender.send_data(Bytes::from_static(HELLO.as_bytes())).await;
            let mut trailers = HeaderMap::new();
            trailers.insert("x-checksum", http::HeaderValue::from_static("1"));
            let _ = sender.send_trailers(trailers).await;
        })),
        "/endless" => Response::new(channel(|mut sender| async move {
            while sender
                .send_data(Bytes::from_static(&[b'x'; 1024]))
                .await
                .is_ok()
            {}
        })),
        // One chunk, and then nothing for as long as somebody waits.
        "/stalled" => Response::new(channel(|mut sender| async move {
            let _ = sender.send_data(Bytes::from_static(HELLO.as_bytes())).await;
            std::future::pending::<()>().await;
        })),
        "/broken-body" => Response::new(channel(|mut sender| async move {
            let _ = sender.send_data(Bytes::from_static(HELLO.as_bytes())).await;
            sender.abort(Broken);
        })),
        "/panicking-body" => Response::new(
            Full::new(Bytes::from_static(HELLO.as_bytes()))
                .map_frame(|_| panic_silently())
                .map_err(|never| match never {})
                .boxed_unsync(),
        ),
        // It says that nothing comes, with a body that does not know it.
        "/announced-empty" => {
            let mut response = Response::new(channel(|_| async {}));
            response
                .headers_mut()
                .insert("content-length", http::HeaderValue::from_static("0"));
            response
        }
        "/empty" => Response::new(empty()),
        "/204" => status(StatusCode::NO_CONTENT, empty()),
        "/304" => status(StatusCode::NOT_MODIFIED, empty()),
        "/404" => status(StatusCode::NOT_FOUND, full("nothing here")),
        "/503" => status(StatusCode::SERVICE_UNAVAILABLE, full("busy")),
        "/error" => return Err(Broken),
        "/panic" => panic_silently(),
        "/pending" => std::future::pending().await,
        "/upgrade" => upgrade(request),
        other => panic!("no behaviour is called {other}"),
    })
}

/// A tunnel to an echo, in an answer whose body's type knows nothing of tunnels; without one for those who say so.
fn connect<B: Send + 'static>(mut request: Request<B>) -> Response<Body> {
    if request.headers().contains_key("x-refuse") {
        return status(StatusCode::FORBIDDEN, full("not from here"));
    }
    echo(&mut request);
    Response::new(channel(|sender| async move {
        std::future::pending::<()>().await;
        drop(sender);
    }))
}

fn upgrade<B: Send + 'static>(mut request: Request<B>) -> Response<Body> {
    echo(&mut request);
    let mut response = status(StatusCode::SWITCHING_PROTOCOLS, empty());
    for (name, value) in [("connection", "upgrade"), ("upgrade", "echo")] {
        response
            .headers_mut()
            .insert(name, http::HeaderValue::from_static(value));
    }
    response
}

/// An echo on the connection, once it has been handed over.
fn echo<B>(request: &mut Request<B>) {
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let (mut one, mut other) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(&mut other);
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        let _ = copy_bidirectional_with_sizes(&mut TokioIo::new(upgraded), &mut one, 64, 64).await;
    });
}

fn status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn full(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of unknown length that a task fills.
fn channel<F>(fill: impl FnOnce(http_body_util::channel::Sender<Bytes, Broken>) -> F) -> Body
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, body) = Channel::new(1);
    tokio::spawn(fill(sender));
    body.boxed_unsync()
}

/// Without the hook's message: this one is expected.
fn panic_silently() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}
