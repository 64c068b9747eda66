//! The service every layer is put around, the requests it gets, and one exchange driven to the end of its body.

use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::{Empty, Full};
use obs_http::{PeerAddress, Route};
use tower_layer::Layer;
use tower_service::Service;

use super::pair::Pair;

/// The body of requests: a GET has none.
pub(crate) type RequestBody = Empty<Bytes>;

/// The template, and a path it matches.
pub(crate) const TEMPLATE: &str = "/v1/models/{model}";
const PEER: PeerAddress = PeerAddress(SocketAddr::new(
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
    51_034,
));
const PATH: &str = "/v1/models/llama-3-8b";
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What the caller sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `host` and `user-agent`: the least that carries the recommended attributes.
    Plain,
    /// Four headers, one of them a valid `traceparent`.
    Traceparent,
    /// What a service behind a proxy sees: twelve headers with a valid `traceparent`.
    Real,
    /// The same behind a vendor's tracer, whose `tracestate` has to travel on.
    Vendor,
}

impl Shape {
    fn headers(self) -> HeaderMap {
        const ALL: [(&str, &str); 13] = [
            ("host", "models.example.com"),
            (
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ),
            ("accept", "application/json"),
            ("traceparent", TRACEPARENT),
            ("accept-encoding", "gzip, deflate, br, zstd"),
            ("accept-language", "en-GB,en;q=0.7,de;q=0.3"),
            (
                "authorization",
                "Bearer eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo",
            ),
            ("cache-control", "no-cache"),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "7f6cbd0e-3f52-4b5e-9f0a-6fb3f4b4a4a1"),
            ("content-type", "application/json"),
            ("tracestate", "vendor=t61rcWkgMzE"),
        ];
        let taken = match self {
            Self::Plain => 2,
            Self::Traceparent => 4,
            Self::Real => 12,
            Self::Vendor => 13,
        };
        ALL[..taken]
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }
}

/// Makes requests of one shape: what it costs is in both sides of every pair.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    headers: HeaderMap,
    uri: Uri,
    peer: Option<PeerAddress>,
    route: Option<Route>,
}

impl Requests {
    pub(crate) fn of(shape: Shape) -> Self {
        Self {
            headers: shape.headers(),
            uri: Uri::from_static(PATH),
            peer: Some(PEER),
            route: Some(Route(TEMPLATE)),
        }
    }

    /// Without a route: a real router will set its own.
    pub(crate) fn unrouted(shape: Shape) -> Self {
        Self {
            route: None,
            ..Self::of(shape)
        }
    }

    /// As a client sends them: what is extended is the server's.
    pub(crate) fn bare(shape: Shape) -> Self {
        Self {
            peer: None,
            ..Self::unrouted(shape)
        }
    }

    /// As an application sends them: the whole URL, four headers of its own.
    pub(crate) fn outgoing() -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::USER_AGENT, "obs-benches/0.1"),
            (header::ACCEPT, "application/json"),
            (header::ACCEPT_ENCODING, "gzip, br"),
            (header::CACHE_CONTROL, "no-cache"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Self {
            headers,
            uri: Uri::from_static("http://models.example.com:8080/v1/models/llama-3-8b"),
            peer: None,
            route: None,
        }
    }

    /// What a server and a router leave in the extensions.
    pub(crate) fn extend<B>(request: &mut Request<B>) {
        request.extensions_mut().insert(PEER);
        request.extensions_mut().insert(Route(TEMPLATE));
    }

    #[inline(never)]
    pub(crate) fn next(&self) -> Request<RequestBody> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        if let Some(route) = self.route {
            request.extensions_mut().insert(route);
        }
        request
    }
}

/// The handler: reads the request, and answers a JSON body of one frame after `pauses` pending polls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler {
    pub(crate) pauses: u32,
    /// What it says about itself while it runs.
    pub(crate) inside: fn(),
}

impl Default for Handler {
    fn default() -> Self {
        Self {
            pauses: 0,
            inside: || {},
        }
    }
}

impl<B> Service<Request<B>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn call(&mut self, request: Request<B>) -> Answer {
        let digest = request
            .uri()
            .path()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Answer {
            pauses: self.pauses,
            inside: self.inside,
            digest: digest ^ request.headers().len() as u64,
        }
    }
}

/// The handler's future.
#[derive(Debug)]
pub(crate) struct Answer {
    pauses: u32,
    inside: fn(),
    digest: u64,
}

impl Future for Answer {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(left) = self.pauses.checked_sub(1) {
            self.pauses = left;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        std::hint::black_box(self.digest);
        (self.inside)();
        let mut response = Response::new(Full::new(Bytes::from_static(
            br#"{"id":"llama-3-8b","object":"model","owned_by":"example"}"#,
        )));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Poll::Ready(Ok(response))
    }
}

/// One exchange as a server runs it: the service cloned, called, its answer's body read to the end. Returns bytes read.
pub(crate) fn exchange<S, B>(service: &S, request: Request<RequestBody>) -> usize
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone,
    B: Body<Data = Bytes>,
{
    let mut context = Context::from_waker(Waker::noop());
    let mut service = service.clone();
    let Poll::Ready(Ok(())) = service.poll_ready(&mut context) else {
        panic!("a service of the benches is always ready")
    };
    let mut future = pin!(service.call(request));
    let response = loop {
        if let Poll::Ready(response) = future.as_mut().poll(&mut context) {
            break response;
        }
    };
    let Ok(response) = response else {
        panic!("the handler does not fail")
    };
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = pin!(response.into_body());
    let mut read = 0;
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
    read
}

/// The handler alone against the handler in `layer`.
pub(crate) fn around<L, B>(shape: Shape, layer: &L) -> Pair
where
    L: Layer<Handler>,
    L::Service: Service<Request<RequestBody>, Response = Response<B>> + Clone + 'static,
    B: Body<Data = Bytes>,
{
    let handler = Handler::default();
    pair_of(&Requests::of(shape), handler, layer.layer(handler))
}

/// Two services answering the same requests.
pub(crate) fn pair_of<Bare, BareBody, With, WithBody>(
    requests: &Requests,
    bare: Bare,
    with: With,
) -> Pair
where
    Bare: Service<Request<RequestBody>, Response = Response<BareBody>> + Clone + 'static,
    BareBody: Body<Data = Bytes>,
    With: Service<Request<RequestBody>, Response = Response<WithBody>> + Clone + 'static,
    WithBody: Body<Data = Bytes>,
{
    let (for_bare, for_with) = (requests.clone(), requests.clone());
    Pair::new(
        move || {
            std::hint::black_box(exchange(&bare, for_bare.next()));
        },
        move || {
            std::hint::black_box(exchange(&with, for_with.next()));
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchange_reads_the_whole_body_after_its_pauses() {
        let read = exchange(
            &Handler {
                pauses: 3,
                ..Handler::default()
            },
            Requests::of(Shape::Real).next(),
        );
        assert_eq!(read, 57);
    }

    #[test]
    fn shapes_are_as_named() {
        let counts =
            [Shape::Plain, Shape::Traceparent, Shape::Real].map(|shape| shape.headers().len());
        assert_eq!(counts, [2, 4, 12]);
        assert!(
            Shape::Real.headers().contains_key("traceparent")
                && !Shape::Plain.headers().contains_key("traceparent")
        );
    }
}
