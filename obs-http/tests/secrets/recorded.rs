//! What the suite records by itself of a service over sockets: none of the secrets that go through it, whatever is asked for.

use crate::corpus;
use crate::world::World;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use obs_core::Trust;
use obs_core::propagation::baggage::Allow;
use obs_core::redact::Patterns;
use obs_http::{HttpClientLayer, HttpServerLayer};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, Service, ServiceExt, service_fn};
use tracing_subscriber::filter::LevelFilter;

const PATIENCE: Duration = Duration::from_secs(60);

type Body = Full<Bytes>;

/// An error whose text nobody may read.
#[derive(Debug)]
struct Failed(&'static str);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Failed {}

fn headers() -> Vec<(&'static str, &'static str)> {
    corpus::of("header")
        .iter()
        .map(|entry| entry.text.split_once(": ").expect("a header"))
        .collect()
}

fn names() -> Vec<String> {
    headers()
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect()
}

/// Answers with all the secrets in its head and body; or fails, or panics, with one.
async fn upstream(request: Request<Incoming>) -> Result<Response<Body>, Failed> {
    let index = request
        .headers()
        .get("x-index")
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let how = request
        .headers()
        .get("x-how")
        .map(|value| value.as_bytes().to_vec())
        .unwrap_or_default();
    let _ = request.into_body().collect().await;
    let of = |class| {
        let all = corpus::of(class);
        all[index.unwrap_or_default() % all.len()].text
    };
    match &how[..] {
        b"fail" => Err(Failed(of("error"))),
        b"panic" => std::panic::resume_unwind(Box::new(of("panic"))),
        _ => {
            let body = format!("{}\n{}", of("body"), of("prompt"));
            let mut response = Response::new(Full::new(Bytes::from(body)));
            for (name, value) in headers() {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                response
                    .headers_mut()
                    .append(name, HeaderValue::from_static(value));
            }
            Ok(response)
        }
    }
}

async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Failed>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                let _ = connection.await;
            });
        }
    });
    address
}

/// Sends by hand, so that headers are as they stand here.
async fn send(address: SocketAddr, target: &str, extra: &str, body: &str) {
    let mut head =
        format!("POST {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{extra}");
    for (name, value) in headers() {
        head += &format!("{name}: {value}\r\n");
    }
    head += "traceparent: 00-12345678901234567890123456789012-1234567890123456-01\r\n";
    for entry in corpus::of("tracestate") {
        head += &format!("tracestate: {}\r\n", entry.text);
    }
    for entry in corpus::of("baggage") {
        head += &format!("baggage: {}\r\n", entry.text);
    }
    head += &format!("content-length: {}\r\n\r\n{body}", body.len());
    let asked = async {
        let mut stream = TcpStream::connect(address).await.expect("a listener");
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        // A panic in the handler ends the connection.
        let _ = stream.read_to_end(&mut answer).await;
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .expect("in time");
}

/// A server layer and a client layer that are asked for all they can record.
fn layers(world: &World) -> (HttpServerLayer, HttpClientLayer) {
    let names = names();
    let all = || names.iter().map(String::as_str);
    let server = HttpServerLayer::new(&world.telemetry)
        .with_trust(Trust::LinkOnly)
        .with_baggage(Allow::all())
        .with_addresses(true)
        .with_request_headers(all())
        .with_response_headers(all());
    let client = HttpClientLayer::new(&world.telemetry)
        .with_addresses(true)
        .with_user_agent(true)
        .with_connections(true)
        .with_request_headers(all())
        .with_response_headers(all());
    #[cfg(feature = "tracing")]
    let (server, client) = (
        server.with_tracing_span(tracing::Level::INFO),
        client.with_tracing_span(tracing::Level::INFO),
    );
    (server, client)
}

/// Where to, by everything that may stand in a URL.
fn targets() -> Vec<String> {
    let paths = corpus::of("path");
    let queries = corpus::of("query");
    let longest = paths.len().max(queries.len());
    (0..longest)
        .map(|at| {
            let (path, query) = (
                paths[at % paths.len()].text,
                queries[at % queries.len()].text,
            );
            format!("{path}?{query}")
        })
        .collect()
}

/// Sends all that is secret through a service that is observed, and gives all that comes out.
fn drive(mut world: World) -> Vec<(String, Vec<u8>)> {
    let (server, client) = layers(&world);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let upstream = serve(server.layer(service_fn(upstream))).await;
        let hyper = Client::builder(TokioExecutor::new()).build_http::<Body>();
        let calls = client.layer(hyper);
        let front = service_fn(move |request: Request<Incoming>| {
            let calls = calls.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body
                    .collect()
                    .await
                    .map_err(|_| Failed("no body"))?
                    .to_bytes();
                let userinfo = corpus::of("userinfo")[0].text;
                let target = head.uri.path_and_query().expect("a target");
                // Nobody listens on port 9: an error with a URL in it.
                for address in [upstream, ([127, 0, 0, 1], 9).into()] {
                    let mut call = Request::post(format!("http://{userinfo}@{address}{target}"))
                        .body(Full::new(body.clone()))
                        .expect("a request");
                    for (name, value) in &head.headers {
                        if name != "connection" && name != "host" && name != "content-length" {
                            call.headers_mut().append(name, value.clone());
                        }
                    }
                    if let Ok(answer) = calls.clone().oneshot(call).await {
                        let _ = answer.into_body().collect().await;
                    }
                }
                let mut response = Response::new(Full::new(body));
                for (name, value) in headers() {
                    let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                    response
                        .headers_mut()
                        .append(name, HeaderValue::from_static(value));
                }
                Ok::<_, Failed>(response)
            }
        });
        let front = serve(server.layer(front)).await;
        let bodies = corpus::of("body");
        for (index, target) in targets().iter().enumerate() {
            for how in ["answer", "fail", "panic"] {
                let extra = format!("x-how: {how}\r\nx-index: {index}\r\n");
                send(front, target, &extra, bodies[index % bodies.len()].text).await;
            }
        }
    });
    world.prints(&server);
    world.prints(&client);
    tracing::info!("driven");
    let everything = world.everything();
    // It was not silence. Each request made a span of the front and two of calls, most also one of what was called.
    let (counts, requests) = (world.telemetry.counts(), 3 * targets().len() as u64);
    assert!(counts.collected >= 4 * requests, "{counts:?}");
    everything
}

#[test]
fn nothing_secret_that_goes_through_a_service_is_recorded_whatever_is_asked_for() {
    // What libraries say to their developers is not the suite's word: hyper-util logs credentials of URLs at TRACE.
    let everything = drive(World::new(LevelFilter::INFO, |builder| builder));
    assert_eq!(World::leaks(&everything), [""; 0]);
    let exported = { everything.iter() }.filter(|(what, _)| what == "/v1/traces");
    let exported: Vec<u8> = exported.flat_map(|(_, bytes)| bytes.clone()).collect();
    let exported = corpus::text_of(&exported);
    for text in [
        "http.request.header.referer",
        "http.response.header.location",
        "https://REDACTED:REDACTED@shop.example/cb?code=REDACTED&state=1",
        "/shop;jsessionid=REDACTED/cart",
        "page=2&access_token=REDACTED",
        "url.full",
        "REDACTED:REDACTED@127.0.0.1",
    ] {
        assert!(exported.contains(text), "{text} is not exported");
    }
}

#[test]
fn with_the_patterns_what_libraries_log_is_free_of_it_too() {
    let set = |builder: obs_core::Builder| builder.with_redactor(Patterns::new());
    let everything = drive(World::new(LevelFilter::TRACE, set));
    assert_eq!(World::leaks(&everything), [""; 0]);
    let lines = { everything.iter() }.find(|(what, _)| what == "lines");
    let lines = corpus::text_of(&lines.expect("written").1);
    assert!(
        lines.contains("hyper_util::client") && lines.contains("REDACTED:REDACTED@127.0.0.1"),
        "{lines}"
    );
}
