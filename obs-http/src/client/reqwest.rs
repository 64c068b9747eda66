//! reqwest's client as a service of the `http` crate's requests, so that layers can stand around it.

use http::{Request, Response};
use reqwest::{Body, Client, ClientBuilder, Error};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

/// A [`Client`] that takes [`http::Request`] and answers with [`http::Response`].
///
/// ```no_run
/// use obs_http::client::{ConnectorLayer, HttpClientLayer, Reqwest};
/// use tower::{Layer, ServiceExt};
///
/// # async fn get(telemetry: obs_core::Telemetry) -> Result<(), Box<dyn std::error::Error>> {
/// let settings = reqwest::Client::builder().connector_layer(ConnectorLayer::default());
/// let client = HttpClientLayer::new(&telemetry)
///     .with_connections(true)
///     .layer(Reqwest::build(settings)?);
/// let request = http::Request::get("http://knowledge:8080/items/7").body(reqwest::Body::default())?;
/// let response = client.oneshot(request).await?;
/// # Ok(())
/// # }
/// ```
///
/// **Redirects have to be off**, as [`build`](Self::build) has them: reqwest follows them unless it is told not to, and sends what was written for the
/// first host to the others too, `traceparent` and `baggage` included, whether or not [`Injection`](super::Injection)
/// permits those. To follow them with a span for each, told only to whom it may be told, put tower-http's
/// `FollowRedirectLayer` outside of the layer. Redirects and retries that reqwest does by itself are within one span:
/// `url.full` is what was asked for first.
#[derive(Clone, Debug, Default)]
pub struct Reqwest(Client);

impl From<Client> for Reqwest {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

impl Reqwest {
    /// A client of these settings that follows no redirects, whatever they say of those.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn build(settings: ClientBuilder) -> Result<Self, Error> {
        let none = reqwest::redirect::Policy::none();
        settings.redirect(none).build().map(Self)
    }

    /// The client inside.
    pub fn into_inner(self) -> Client {
        self.0
    }
}

impl<B: Into<Body>> Service<Request<B>> for Reqwest {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let client = self.0.clone();
        let request = reqwest::Request::try_from(request);
        Box::pin(async move { Ok(client.execute(request?).await?.into()) })
    }
}
