//! The client: every case once, one after another. What a case is to do, the server reads in the metadata, as ours does.

use crate::Result;
use crate::codec::BytesCodec;
use bytes::Bytes;
use obs_core::Telemetry;
use obs_rpc::RpcClientLayer;
use obs_rpc::client::RpcClient;
use std::time::Duration;
use tokio_stream::StreamExt;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tower::Layer;

/// What happens on this side of a case.
#[derive(Clone, Copy, Debug, Default)]
struct Case {
    /// `Kind_case`, which the method is called.
    name: &'static str,
    /// Metadata for the server.
    metadata: &'static [(&'static str, &'static str)],
    messages: u32,
    size: usize,
    gzip: bool,
    /// Sent as `grpc-timeout`.
    timeout_ms: Option<u64>,
    /// The call is dropped after as long, or after as many messages of the answer.
    drop_after_ms: Option<u64>,
    drop_after: Option<u64>,
}

const fn case(name: &'static str, metadata: &'static [(&'static str, &'static str)]) -> Case {
    Case {
        name,
        metadata,
        messages: 1,
        size: 5,
        gzip: false,
        timeout_ms: None,
        drop_after_ms: None,
        drop_after: None,
    }
}

const fn several(mut case: Case, messages: u32, size: usize) -> Case {
    case.messages = messages;
    case.size = size;
    case
}

const fn gzip(mut case: Case) -> Case {
    case.gzip = true;
    case
}

const CASES: &[Case] = &[
    case("Unary_plain", &[]),
    several(case("Unary_empty", &[]), 1, 0),
    case("Unary_large", &[("x-size", "200000")]),
    several(case("Unary_large_request", &[("x-size", "3")]), 1, 300_000),
    gzip(several(case("Unary_gzip", &[("x-gzip", "1")]), 1, 20_000)),
    case("Unary_gzip_answer", &[("x-gzip", "1"), ("x-size", "20000")]),
    case("Unary_fails", &[("x-act", "fail 5")]),
    case("Unary_fails_late", &[("x-act", "fail 4")]),
    case("Unary_raises", &[("x-act", "raise")]),
    case("Unary_unimplemented", &[("x-act", "fail 12")]),
    several(case("ClientStream_plain", &[]), 3, 7),
    several(case("ClientStream_none", &[]), 0, 0),
    gzip(several(case("ClientStream_gzip", &[]), 3, 9_000)),
    several(case("ClientStream_fails", &[("x-act", "fail 3")]), 2, 5),
    case("ServerStream_plain", &[("x-count", "4")]),
    case("ServerStream_none", &[("x-count", "0")]),
    case(
        "ServerStream_large",
        &[("x-count", "3"), ("x-size", "100000")],
    ),
    case(
        "ServerStream_gzip",
        &[("x-count", "3"), ("x-size", "9000"), ("x-gzip", "1")],
    ),
    case("ServerStream_fails_at_once", &[("x-act", "fail 9")]),
    case(
        "ServerStream_fails",
        &[("x-count", "2"), ("x-then", "fail 10")],
    ),
    case(
        "ServerStream_trailers",
        &[("x-count", "1"), ("x-then", "trailers 0")],
    ),
    several(case("Bidi_plain", &[]), 5, 11),
    gzip(several(case("Bidi_gzip", &[("x-gzip", "1")]), 2, 5_000)),
    several(case("Bidi_fails", &[("x-then", "fail 16")]), 2, 5),
    Case {
        timeout_ms: Some(500),
        ..case("Unary_deadline", &[("x-act", "sleep 5000")])
    },
    Case {
        timeout_ms: Some(600),
        ..case(
            "ServerStream_deadline",
            // tonic's own side keeps no deadline once there is a head.
            &[("x-count", "2"), ("x-then", "sleep 2000")],
        )
    },
    Case {
        drop_after_ms: Some(500),
        ..case("Unary_dropped", &[("x-act", "sleep 5000")])
    },
    Case {
        drop_after: Some(1),
        ..case(
            "ServerStream_dropped",
            &[("x-count", "1"), ("x-then", "sleep 5000")],
        )
    },
    Case {
        drop_after: Some(2),
        ..several(case("Bidi_dropped", &[("x-then", "sleep 5000")]), 2, 5)
    },
    // The last: it stops the server.
    case("Bidi_stopped", &[("x-then", "stop")]),
];

/// What the caller saw.
#[derive(Debug, Default)]
struct Saw {
    code: Option<Code>,
    messages: u64,
    bytes: u64,
    /// Metadata of the answer, and those that came with its end.
    head: MetadataMap,
    tail: MetadataMap,
    details: usize,
}

impl Saw {
    fn failed(&mut self, status: Status) {
        self.code = Some(status.code());
        self.tail = status.metadata().clone();
        self.details = status.details().len();
    }
}

type Client = tonic::client::Grpc<RpcClient<Channel>>;
type Answer<T> = std::result::Result<T, Status>;

/// Every case against the server at `address`, each a line: name, code, messages, bytes, `x-traceparent` as it came back,
/// and whether `x-echo-bin` did in the head and in the trailers, and how long the details were.
pub(crate) async fn call(telemetry: &Telemetry, address: &str) -> Result<()> {
    let url = format!("http://{address}");
    let endpoint = Endpoint::from_shared(url)?.tcp_nodelay(true);
    let layer = RpcClientLayer::new(telemetry)
        .with_server(endpoint.uri())
        .without_infrastructure();
    let service = layer.layer(endpoint.connect().await?);
    health(service.clone()).await?;
    for case in CASES {
        let mut client = Client::new(service.clone()).accept_compressed(Gzip);
        if case.gzip {
            client = client.send_compressed(Gzip);
        }
        let mut saw = Saw::default();
        let made = make(case, client, &mut saw);
        match case.drop_after_ms {
            Some(ms) => drop(tokio::time::timeout(Duration::from_millis(ms), made).await),
            None => made.await,
        }
        let (code, name) = (saw.code, case.name);
        let bin = |metadata: &MetadataMap| {
            metadata
                .get_bin("x-echo-bin")
                .is_some_and(|it| it.to_bytes().is_ok_and(|it| it == BINARY))
        };
        let parent = [&saw.head, &saw.tail].map(|it| it.get("x-traceparent"));
        let parent = parent.into_iter().flatten().next();
        let parent = parent.map_or("-", |it| it.to_str().unwrap_or("-"));
        let code = code.map_or(-1, i32::from);
        let (messages, bytes, details) = (saw.messages, saw.bytes, saw.details);
        let (head, tail) = (bin(&saw.head), bin(&saw.tail));
        println!("{name} {code} {messages} {bytes} {parent} {head} {tail} {details}");
    }
    Ok(())
}

const BINARY: &[u8] = &[0, 255, b',', 0x80, b'\n'];

/// A health check by gRPC's own service, which is left out of telemetry.
async fn health(service: RpcClient<Channel>) -> Result<()> {
    let mut client = tonic_health::pb::health_client::HealthClient::new(service);
    let asked = tonic_health::pb::HealthCheckRequest::default();
    let status = client.check(asked).await?.into_inner().status();
    println!("health {}", status.as_str_name());
    Ok(())
}

async fn make(case: &Case, mut client: Client, saw: &mut Saw) {
    if let Err(status) = attempt(case, &mut client, saw).await {
        saw.failed(status);
    }
}

async fn attempt(case: &Case, client: &mut Client, saw: &mut Saw) -> Answer<()> {
    let ready = client.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    let path: PathAndQuery = match format!("/interop.Echo/{}", case.name).parse() {
        Ok(path) => path,
        Err(_) => return Err(Status::internal("no path")),
    };
    let message = Bytes::from(vec![b'q'; case.size]);
    let messages = vec![message.clone(); case.messages as usize];
    let messages = tokio_stream::iter(messages);
    let (kind, _) = case.name.split_once('_').unwrap_or_default();
    let one = request(case, message);
    match kind {
        "Unary" => unary(client.unary(one, path, BytesCodec).await?, saw),
        "ClientStream" => {
            let request = request(case, messages);
            let answer = client.client_streaming(request, path, BytesCodec).await?;
            unary(answer, saw);
        }
        "ServerStream" => {
            let answer = client.server_streaming(one, path, BytesCodec).await?;
            stream(case, answer, saw).await?;
        }
        _ => {
            // It does not end before the answer does, if it is to be dropped.
            let rest = tokio_stream::pending().take(usize::from(case.drop_after.is_some()));
            let request = request(case, messages.chain(rest));
            let answer = client.streaming(request, path, BytesCodec).await?;
            stream(case, answer, saw).await?;
        }
    }
    Ok(())
}

fn request<T>(case: &Case, messages: T) -> Request<T> {
    let mut request = Request::new(messages);
    let metadata = request.metadata_mut();
    for (key, value) in case.metadata {
        metadata.insert(*key, MetadataValue::from_static(value));
    }
    metadata.insert_bin("x-echo-bin", MetadataValue::from_bytes(BINARY));
    if let Some(ms) = case.timeout_ms {
        request.set_timeout(Duration::from_millis(ms));
    }
    request
}

fn unary(answer: tonic::Response<Bytes>, saw: &mut Saw) {
    saw.code = Some(Code::Ok);
    saw.messages = 1;
    saw.bytes = answer.get_ref().len() as u64;
    // tonic puts the trailers of a single answer with its metadata.
    saw.head = answer.metadata().clone();
    saw.tail = answer.metadata().clone();
}

async fn stream(
    case: &Case,
    answer: tonic::Response<Streaming<Bytes>>,
    saw: &mut Saw,
) -> Answer<()> {
    saw.head = answer.metadata().clone();
    let mut messages = answer.into_inner();
    while let Some(message) = messages.message().await? {
        saw.messages += 1;
        saw.bytes += message.len() as u64;
        if case.drop_after == Some(saw.messages) {
            return Ok(());
        }
    }
    saw.tail = messages.trailers().await?.unwrap_or_default();
    saw.code = Some(Code::Ok);
    Ok(())
}
