//! An upstream: where it is, who it is, and the client that asks it.

use crate::Result;
use crate::meter::{Failovers, Meter};
use crate::settings::{Settings, Told};
use axum::body::{Body, Bytes};
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::{Client, Error, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use obs_core::Telemetry;
use obs_http::client::HttpClientLayer;
use obs_llm::client::{InjectedBody, UsageInjectionLayer};
use obs_llm::{Llm, LlmClientLayer, Provider};
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;
use tower::retry::{Policy, RetryLayer};
use tower::timeout::TimeoutLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};

/// A connection that takes longer is not made.
const CONNECTS: Duration = Duration::from_secs(5);

/// One of the two.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) provider: Provider,
    pub(crate) failovers: Failovers,
    /// Scheme and authority; and the path up to the interface's own.
    base: Uri,
    prefix: String,
    key: Option<HeaderValue>,
}

/// Asks one upstream in the name of one key.
pub(crate) type Asks = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>;

impl Upstream {
    pub(crate) fn new(telemetry: &Telemetry, told: &Told) -> Result<Self> {
        let base: Uri = told.url.parse()?;
        let Some(authority) = base.authority() else {
            return Err(format!("{} is no address of an upstream", told.url).into());
        };
        let by_host = || Provider::of_host(authority.host()).unwrap_or(Provider::named("_OTHER"));
        let provider = told.provider.clone().unwrap_or_else(by_host);
        let key = told.key.as_ref().map(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))?;
            value.set_sensitive(true);
            Ok::<_, axum::http::header::InvalidHeaderValue>(value)
        });
        Ok(Self {
            failovers: Failovers::new(telemetry, provider.as_str()),
            prefix: base.path().trim_end_matches('/').to_owned(),
            provider,
            base,
            key: key.transpose()?,
        })
    }

    /// What it is asked, for what the gateway was.
    pub(crate) fn request(
        &self,
        (method, path, headers): (&Method, &PathAndQuery, &HeaderMap),
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>> {
        let own = path.path().strip_prefix("/v1").unwrap_or(path.path());
        let query = path.query().map(|query| format!("?{query}"));
        let path = format!("{}{own}{}", self.prefix, query.unwrap_or_default());
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(path.parse()?);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = Uri::from_parts(parts)?;
        *request.headers_mut() = crate::headers::to_upstream(headers, self.key.as_ref());
        Ok(request)
    }

    /// From the outermost: what asks for usage, one call, how long its answer may take to begin, attempts at it, each attempt, the
    /// connection. The call knows whose key
    /// it is by its prices; who answers is another call of another provider's.
    pub(crate) fn client(
        &self,
        telemetry: &Telemetry,
        meter: Arc<Meter>,
        settings: &Settings,
    ) -> Asks {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECTS));
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        let llm = Llm::new(telemetry).with_prices(meter);
        let service = ServiceBuilder::new()
            .layer(LlmClientLayer::of(&llm).with_provider(self.provider.clone()))
            .layer(TimeoutLayer::new(settings.patience))
            .layer(RetryLayer::new(OnceMore { left: 1 }))
            .layer(HttpClientLayer::new(telemetry))
            .service(client)
            .map_response(|response: Response<_>| response.map(Body::new));
        let asks = BoxCloneSyncService::new(service);
        if !settings.injects_usage {
            return asks;
        }
        // What it makes of a request is whole again, to be sent again if need be.
        let whole = service_fn(move |request: Request<InjectedBody<Full<Bytes>>>| {
            let asks = asks.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = Full::new(body.collect().await?.to_bytes());
                asks.oneshot(Request::from_parts(parts, body)).await
            }
        });
        BoxCloneSyncService::new(UsageInjectionLayer::of(&llm).layer(whole))
    }
}

/// Tries again where there was no connection: nothing was asked yet.
#[derive(Clone, Debug)]
struct OnceMore {
    left: usize,
}

impl<B: Clone, R> Policy<Request<B>, Response<R>, Error> for OnceMore {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<B>,
        result: &mut std::result::Result<Response<R>, Error>,
    ) -> Option<Ready<()>> {
        if !result.as_ref().is_err_and(Error::is_connect) {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}
