//! Asks for a report of tokens in the name of who forgot to: the one place of this crate that changes what passes.

use super::injected::{Gathered, InjectedBody, gather};
use crate::anomaly::{Anomalies, Anomaly};
use crate::descriptor::LlmOperation;
use crate::llm::Llm;
use crate::wire::{Wire, of_path, usage_wanted};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body::Body;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// So much of a request is held at most, to be rewritten whole: 1 MiB.
pub const INJECTION_LIMIT: usize = 1 << 20;

/// Writes `"stream_options":{"include_usage":true}` into requests for streamed chats and completions of OpenAI's format that do not
/// say anything of `stream_options`: without it such a stream tells no tokens. It is **opt-in**, and outside of the
/// [`LlmClientLayer`](super::LlmClientLayer):
///
/// ```
/// use obs_llm::client::UsageInjectionLayer;
/// use obs_llm::{Llm, LlmClientLayer};
///
/// # let telemetry = obs_core::Telemetry::noop();
/// let llm = Llm::new(&telemetry);
/// // `ServiceBuilder` begins with the outermost.
/// let layers = tower::ServiceBuilder::new()
///     .layer(UsageInjectionLayer::of(&llm).only_to(["api.openai.com"]))
///     .layer(LlmClientLayer::of(&llm));
/// # let _ = layers.service(());
/// ```
///
/// What asked then gets one chunk more, with no choice in it: a client that takes `choices[0]` of every chunk fails on it. Some
/// servers refuse requests with keys that they do not know.
///
/// A request is gathered before it is sent, at most [`INJECTION_LIMIT`] bytes of it: one that is longer goes as it is, and is
/// [counted](crate#what-it-emits) as `not_injected`, as is one that is coded, or may be signed: by an `authorization` that is no
/// key's, a signature in a header or the query, a digest of the body. What else there is stays byte for byte; `content-length`
/// follows.
#[derive(Clone, Debug)]
pub struct UsageInjectionLayer {
    anomalies: Anomalies,
    only: Option<Arc<[Box<str>]>>,
}

impl UsageInjectionLayer {
    /// For all hosts, counting with `llm`.
    pub fn of(llm: &Llm) -> Self {
        Self {
            anomalies: llm.shared().anomalies,
            only: None,
        }
    }

    /// For these hosts only.
    #[must_use]
    pub fn only_to<H: Into<Box<str>>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.only = Some(hosts.into_iter().map(Into::into).collect());
        self
    }
}

impl<S> Layer<S> for UsageInjectionLayer {
    type Service = UsageInjection<S>;

    fn layer(&self, inner: S) -> UsageInjection<S> {
        UsageInjection {
            inner,
            layer: self.clone(),
        }
    }
}

/// A client in whose requests tokens are asked for.
#[derive(Clone, Debug)]
pub struct UsageInjection<S> {
    inner: S,
    layer: UsageInjectionLayer,
}

impl<S> UsageInjection<S> {
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

impl<S, B> Service<Request<B>> for UsageInjection<S>
where
    S: Service<Request<InjectedBody<B>>> + Clone,
    B: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InjectionFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let state = match self.layer.may(&head, &body) {
            true => State::Gathering {
                service: {
                    // The one that is ready goes with the request.
                    let next = self.inner.clone();
                    std::mem::replace(&mut self.inner, next)
                },
                head: Some(head),
                anomalies: self.layer.anomalies,
                gathered: Gathered::default(),
                body: Some(Box::pin(body)),
            },
            false => {
                let request = Request::from_parts(head, InjectedBody::untouched(body));
                State::Sending {
                    inner: self.inner.call(request),
                }
            }
        };
        InjectionFuture { state }
    }
}

impl UsageInjectionLayer {
    /// Whether a request is looked into.
    fn may(&self, head: &http::request::Parts, body: &impl Body) -> bool {
        let is_wanted = head.method == Method::POST && self.permits(&head.uri, &head.headers) && {
            of_path(head.uri.path(), head.uri.query()).is_some_and(|told| {
                let embeddings = LlmOperation::Embeddings.as_str();
                told.wire == Wire::OpenAiChat && told.operation != embeddings
            })
        };
        // What is known to be too long is not held first.
        let is_long = || body.size_hint().lower() > INJECTION_LIMIT as u64;
        if is_wanted && (is_bound(head) || is_long()) {
            self.anomalies.count(Anomaly::NotInjected);
            return false;
        }
        is_wanted
    }

    fn permits(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(only) = &self.only else { return true };
        let said = headers.get(header::HOST).map(HeaderValue::to_str);
        let said = said.and_then(Result::ok).unwrap_or_default();
        let host = uri.host().unwrap_or_else(|| {
            let end = said.rfind(':').filter(|_| !said.ends_with(']'));
            end.map_or(said, |end| &said[..end])
        });
        only.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// Whether somebody answers for the bytes of the body as they are, or they are not JSON as they are. Clouds sign in schemes of their
/// own; so of `authorization` those are known that sign nothing.
fn is_bound(head: &http::request::Parts) -> bool {
    const UNSIGNED: [&[u8]; 6] = [b"bearer", b"basic", b"apikey", b"api-key", b"key", b"token"];
    const NAMES: [&str; 7] = [
        "signature",
        "digest",
        "sha1",
        "sha256",
        "sha512",
        "md5",
        "hmac",
    ];
    let headers = &head.headers;
    let is_signed = |value: &HeaderValue| {
        let value = value.as_bytes().trim_ascii();
        match memchr::memchr(b' ', value) {
            Some(end) => !UNSIGNED
                .iter()
                .any(|known| known.eq_ignore_ascii_case(&value[..end])),
            // A bare key; Baidu's signatures have no space.
            None => value.starts_with(b"bce-auth-"),
        }
    };
    let query = head.uri.query().unwrap_or_default();
    let is_signature = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("sig") || name.to_ascii_lowercase().ends_with("signature")
    };
    headers.contains_key(header::CONTENT_ENCODING)
        || headers.get_all(header::AUTHORIZATION).iter().any(is_signed)
        || headers
            .keys()
            .any(|name| NAMES.iter().any(|known| name.as_str().contains(known)))
        || query.split('&').any(is_signature)
}

pin_project! {
    /// The future of a client in whose requests tokens are asked for. Nothing is sent before the request is gathered; dropped by
    /// then, nothing was.
    pub struct InjectionFuture<S, B>
    where
        S: Service<Request<InjectedBody<B>>>,
        B: Body,
    {
        #[pin]
        state: State<S, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, F> {
        Gathering {
            service: S,
            head: Option<http::request::Parts>,
            anomalies: Anomalies,
            gathered: Gathered,
            body: Option<Pin<Box<B>>>,
        },
        Sending {
            #[pin]
            inner: F,
        },
    }
}

impl<S, B> std::fmt::Debug for InjectionFuture<S, B>
where
    S: Service<Request<InjectedBody<B>>>,
    B: Body,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InjectionFuture").finish_non_exhaustive()
    }
}

impl<S, B> Future for InjectionFuture<S, B>
where
    S: Service<Request<InjectedBody<B>>>,
    B: Body,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let inner = match state.as_mut().project() {
                StateProjection::Sending { inner } => return inner.poll(cx),
                StateProjection::Gathering {
                    service,
                    head,
                    anomalies,
                    gathered,
                    body,
                } => {
                    let Some(gathering) = body else {
                        return Poll::Pending;
                    };
                    let (is_whole, result) = ready!(gather(gathered, gathering, cx));
                    let (Some(mut head), rest) = (head.take(), body.take()) else {
                        return Poll::Pending;
                    };
                    let mut gathered = std::mem::take(gathered);
                    match is_whole {
                        true => inject(&mut head, &mut gathered),
                        // What fails by itself is told by itself.
                        false if result.is_ok() => anomalies.count(Anomaly::NotInjected),
                        false => {}
                    }
                    let rest = rest.filter(|_| !is_whole && result.is_ok());
                    let body = gathered.into_body(result.err(), rest);
                    service.call(Request::from_parts(head, body))
                }
            };
            state.set(State::Sending { inner });
        }
    }
}

fn inject(head: &mut http::request::Parts, gathered: &mut Gathered) {
    if let Some(at) = usage_wanted::place(gathered.bytes()) {
        gathered.insert(at, usage_wanted::INSERTED);
        if head.headers.contains_key(header::CONTENT_LENGTH) {
            let length = HeaderValue::from(gathered.bytes().len());
            head.headers.insert(header::CONTENT_LENGTH, length);
        }
    }
}
