//! The knowledge service as the front sees it: a client with a timeout for each attempt and one more attempt.

use axum::{
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use obs_agent::RunError;
use obs_core::Telemetry;
use obs_http::client::{BoxedClassify, ConnectorLayer, HttpClientLayer, Injection, UrlTemplate};
use std::{fmt, future::Ready, net::SocketAddr, time::Duration};
use tower::{
    BoxError, Layer, ServiceBuilder, ServiceExt,
    retry::{Policy, RetryLayer},
    timeout::{TimeoutLayer, error::Elapsed},
    util::BoxCloneSyncService,
};

/// How long one attempt may take until the head of its answer, and how long the answer's body may.
const PATIENCE: Duration = Duration::from_secs(1);
/// Answers may not be larger.
const LARGEST: usize = 1 << 20;

/// A client of the knowledge service.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    address: SocketAddr,
    client: BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It took too long.
    Late,
    /// It could not be reached, broke off, or says that it cannot.
    Failed(BoxError),
}

impl Library {
    /// Observed: one operation for each call, one for each attempt, and the service at `address` is told of the trace.
    pub(crate) fn observed(address: SocketAddr, telemetry: &Telemetry) -> Self {
        let tells = Injection::only_to([address.ip().to_string()]);
        let client = ServiceBuilder::new()
            .layer(HttpClientLayer::calls(telemetry).with_classify(BoxedClassify))
            .layer(RetryLayer::new(OnceMore { left: 1 }))
            .layer(
                HttpClientLayer::new(telemetry)
                    .with_classify(BoxedClassify)
                    .with_injection(tells)
                    .with_connections(true),
            )
            .layer(TimeoutLayer::new(PATIENCE))
            .service(builder().build::<_, Body>(ConnectorLayer::default().layer(connector())));
        let client = client.map_response(|response: Response<_>| response.map(Body::new));
        Self {
            address,
            client: BoxCloneSyncService::new(client),
        }
    }

    /// The same without any of that, for comparison.
    pub(crate) fn bare(address: SocketAddr) -> Self {
        let client = ServiceBuilder::new()
            .layer(RetryLayer::new(OnceMore { left: 1 }))
            .layer(TimeoutLayer::new(PATIENCE))
            .service(builder().build::<_, Body>(connector()));
        let client = client.map_response(|response: Response<_>| response.map(Body::new));
        Self {
            address,
            client: BoxCloneSyncService::new(client),
        }
    }

    /// How many documents speak of `topic`.
    pub(crate) async fn search(&self, topic: &str) -> Result<usize, Trouble> {
        let path = format!("/search/{}", Encoded(topic));
        let found = self.get(&path, UrlTemplate("/search/{topic}")).await?;
        Ok(found.map_or(0, |found| found.lines().count()))
    }

    /// A document, if there is one of that number.
    pub(crate) async fn document(&self, id: usize) -> Result<Option<String>, Trouble> {
        let path = format!("/documents/{id}");
        self.get(&path, UrlTemplate("/documents/{id}")).await
    }

    /// The answer's text; none if nothing is there.
    async fn get(&self, path: &str, template: UrlTemplate) -> Result<Option<String>, Trouble> {
        let request = Request::get(format!("http://{}{path}", self.address))
            .extension(template)
            .body(Body::empty())
            .map_err(|error| Trouble::Failed(error.into()))?;
        let answer = self.client.clone().oneshot(request).await;
        let answer = answer.map_err(Trouble::of)?;
        let (status, body) = (answer.status(), answer.into_body());
        let body = tokio::time::timeout(PATIENCE, to_bytes(body, LARGEST)).await;
        let body = body
            .map_err(|_| Trouble::Late)?
            .map_err(|error| Trouble::Failed(error.into()))?;
        match status {
            StatusCode::OK => Ok(Some(String::from_utf8_lossy(&body).into_owned())),
            StatusCode::NOT_FOUND => Ok(None),
            other => Err(Trouble::Failed(format!("it answered with {other}").into())),
        }
    }
}

impl Trouble {
    /// How the run of a tool ends by it.
    pub(crate) fn as_end(&self) -> RunError<'static> {
        match self {
            Self::Late => RunError::timed_out(),
            Self::Failed(_) => RunError::failed("tool_error"),
        }
    }

    fn of(error: BoxError) -> Self {
        if error.is::<Elapsed>() {
            Self::Late
        } else {
            Self::Failed(error)
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => write!(f, "no answer within {PATIENCE:?}"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new());
    builder
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

/// Tries again what could not be had, but not what took too long: whoever asked waits.
#[derive(Clone, Debug)]
struct OnceMore {
    left: usize,
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for OnceMore {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Ready<()>> {
        let again = match result {
            Ok(answer) => answer.status() == StatusCode::SERVICE_UNAVAILABLE,
            Err(error) => !error.is::<Elapsed>(),
        };
        if !again {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        Some(std::future::ready(()))
    }

    /// All of them are GET, without a body.
    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut clone = Request::new(Body::empty());
        *clone.uri_mut() = request.uri().clone();
        *clone.extensions_mut() = request.extensions().clone();
        Some(clone)
    }
}

/// One segment of a path.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                write!(f, "{}", char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}
