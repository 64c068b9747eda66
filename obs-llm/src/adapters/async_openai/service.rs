//! The service: builds a request once, sees what it asks for, and lets it go on as it was built.

use crate::call::LlmCall;
use crate::client::future::{Asking, Reading, at_head};
use crate::client::service::{scanned, start};
use crate::client::settings::Settings;
use crate::descriptor::SERVICE_ERROR;
use crate::wire::ResponseSink;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use http::Uri;
use obs_core::Outcome;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use tower::timeout::error::Elapsed;
use tower_service::Service;

/// An observed HTTP service of async-openai's.
///
/// Its error is the one that the client makes of any: what is built here may fail to be built.
#[derive(Clone, Debug)]
pub struct AsyncOpenAi<S> {
    pub(super) inner: S,
    pub(super) settings: &'static Settings,
}

impl<S> AsyncOpenAi<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// The future of the answer. Dropped before it is ready, the call is cancelled.
pub struct ResponseFuture(Answering);

type Answering = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response, OpenAIError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<S> Service<HttpRequestFactory> for AsyncOpenAi<S>
where
    S: Service<HttpRequestFactory, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<OpenAIError>,
{
    type Response = Response;
    type Error = OpenAIError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, factory: HttpRequestFactory) -> ResponseFuture {
        let settings = self.settings;
        // The one that is ready goes along.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        ResponseFuture(Box::pin(ask(inner, settings, factory)))
    }
}

async fn ask<S>(
    mut inner: S,
    settings: &'static Settings,
    factory: HttpRequestFactory,
) -> Result<Response, OpenAIError>
where
    S: Service<HttpRequestFactory, Response = Response>,
    S::Error: Into<OpenAIError>,
{
    if settings.llm.is_disabled() {
        return inner.call(factory).await.map_err(Into::into);
    }
    let mut request = factory.build().await?;
    let mut observed = head(&request).and_then(|head| start(settings, &head));
    if let (Some((call, reading)), Some(body)) = (&mut observed, request.body_mut()) {
        *body = scanned(std::mem::take(body), call, reading).into();
    }
    let factory = built(request, factory);
    let sent = match &mut observed {
        Some((call, _)) => call.scope(|| inner.call(factory)),
        None => inner.call(factory),
    };
    let mut asking = pin!(Asking::new(sent, observed));
    let answered = asking.as_mut().await.map_err(Into::into);
    match (answered, asking.take()) {
        (Ok(response), Some((call, reading))) => Ok(observe(response, call, reading)),
        (Err(error), Some((mut call, reading))) => {
            reading.asked.tell(&mut call);
            fail(call, &error);
            Err(error)
        }
        (answered, None) => answered,
    }
}

/// What of a request tells what it asks for. reqwest sends none that has no such URI.
fn head(request: &Request) -> Option<http::Request<()>> {
    let uri: Uri = request.url().as_str().parse().ok()?;
    let head = http::Request::builder().method(request.method()).uri(uri);
    head.body(()).ok()
}

/// A factory whose first request is the one that is built; retries have their own.
fn built(request: Request, factory: HttpRequestFactory) -> HttpRequestFactory {
    let first = Mutex::new(Some(request));
    HttpRequestFactory::new(move || {
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let factory = factory.clone();
        async move {
            match first {
                Some(request) => Ok(request),
                None => factory.build().await,
            }
        }
    })
}

/// From here on the body has the call.
fn observe(response: Response, call: LlmCall, reading: Reading) -> Response {
    // reqwest lets go of it on the way, and takes it from there.
    let mut with_url = http::Response::builder().url(response.url().clone());
    let mut response = at_head(http::Response::from(response), call, reading);
    if let Some(url) = with_url.extensions_mut() {
        response.extensions_mut().extend(std::mem::take(url));
    }
    response.map(Body::wrap).into()
}

/// Layers inside that retry have read what the provider says.
fn fail(mut call: LlmCall, error: &OpenAIError) {
    match error {
        OpenAIError::ApiError(said) => {
            call.set_status(said.status_code.as_u16());
            let error = &said.api_error;
            if let Some(code) = { error.code.as_deref() }.or(error.r#type.as_deref()) {
                call.error(code);
            }
        }
        _ if is_timeout(error) => return call.end_with(Outcome::TIMED_OUT),
        _ => {}
    }
    call.fail(SERVICE_ERROR);
}

/// Whether somebody inside gave up: the client that sends, or tower's layer.
fn is_timeout(error: &OpenAIError) -> bool {
    match error {
        OpenAIError::Reqwest(error) => error.is_timeout(),
        OpenAIError::Boxed(error) => {
            let sent = error.downcast_ref::<reqwest::Error>();
            error.is::<Elapsed>() || sent.is_some_and(reqwest::Error::is_timeout)
        }
        _ => false,
    }
}
