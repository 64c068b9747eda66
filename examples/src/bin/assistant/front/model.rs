//! A model as the front sees it: OpenAI's interface, whoever is behind it, and an answer that is read as it is written.

mod words;

use super::played::Played;
use crate::failure::Failure;
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Request, Response, Uri, header},
};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use obs_core::Telemetry;
use obs_http::client::{HttpClientLayer, Injection};
use obs_llm::{LlmClientLayer, Provider};
use serde_json::{Value, json};
use std::{env, fmt, time::Duration};
use tower::{BoxError, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
pub(crate) use words::{Word, Words};

/// How long a model may write.
const PATIENCE: Duration = Duration::from_secs(120);
/// It is asked for no more.
const TOKENS: u32 = 64;
/// An answer that is no stream may not be larger.
const LARGEST: usize = 1 << 20;
/// It may want no more tools at once.
const MOST_CALLS: usize = 8;

/// Where the model is, and what it is called.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    base: String,
    model: String,
    key: Option<HeaderValue>,
    provider: Option<Provider>,
    is_played: bool,
}

/// A client of it.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    endpoint: Endpoint,
    client: BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>,
}

/// What a model decided.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Tools that it wants to be called.
    pub(crate) calls: Vec<Wanted>,
    /// Tokens that it read.
    pub(crate) read: u64,
    /// Tokens that it wrote.
    pub(crate) written: u64,
}

/// A tool that a model wants to be called.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON, if the model writes JSON.
    pub(crate) arguments: String,
}

impl Endpoint {
    /// Somebody's, if `OPENAI_BASE_URL` names one: `OPENAI_API_KEY` is its key and `OPENAI_MODEL` the model.
    pub(crate) fn from_environment() -> Result<Option<Self>, Failure> {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let Some(base) = set("OPENAI_BASE_URL") else {
            return Ok(None);
        };
        let key = set("OPENAI_API_KEY").map(|key| {
            let mut key = HeaderValue::from_str(&format!("Bearer {key}"))?;
            key.set_sensitive(true);
            Ok::<_, header::InvalidHeaderValue>(key)
        });
        let key = key.transpose();
        Ok(Some(Self {
            base: base.trim_end_matches('/').to_owned(),
            model: set("OPENAI_MODEL").unwrap_or_else(|| "gpt-4o-mini".to_owned()),
            key: key.map_err(|_| Failure::new("OPENAI_API_KEY is no key"))?,
            provider: None,
            is_played: false,
        }))
    }

    /// This program's own, which only plays one.
    pub(crate) fn played(played: &Played) -> Self {
        Self {
            base: format!("http://{}/v1", played.address()),
            model: Played::MODEL.to_owned(),
            key: None,
            provider: Some(Provider::named(Played::PROVIDER)),
            is_played: true,
        }
    }

    pub(crate) fn is_played(&self) -> bool {
        self.is_played
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.is_played {
            true => "simulated: this program's own server plays one",
            false => "where OPENAI_BASE_URL says",
        };
        write!(f, "{} at {}, {whose}", self.model, self.base)
    }
}

impl Model {
    /// Observed: a call of a model, from before the request to the last chunk, and within it the exchange that carries it. Nobody
    /// else's server is told of the trace.
    pub(crate) fn observed(endpoint: Endpoint, telemetry: &Telemetry) -> Self {
        let layer = LlmClientLayer::new(telemetry);
        let layer = match &endpoint.provider {
            Some(provider) => layer.with_provider(provider.clone()),
            None => layer,
        };
        let tells = match endpoint.is_played {
            true => Injection::everywhere(),
            false => Injection::nowhere(),
        };
        let client = ServiceBuilder::new()
            .layer(layer)
            .layer(HttpClientLayer::new(telemetry).with_injection(tells))
            .service(builder().build(connector()))
            .map_response(|response: Response<_>| response.map(Body::new))
            .map_err(BoxError::from);
        Self {
            endpoint,
            client: BoxCloneSyncService::new(client),
        }
    }

    /// The same without any of that, for comparison.
    pub(crate) fn bare(endpoint: Endpoint) -> Self {
        let client = builder().build(connector());
        let client = client
            .map_response(|response: Response<_>| response.map(Body::new))
            .map_err(BoxError::from);
        Self {
            endpoint,
            client: BoxCloneSyncService::new(client),
        }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.endpoint.model
    }

    /// Which of `tools` it wants to be called, for what `messages` ask.
    pub(crate) async fn plan(&self, messages: &[Value], tools: &Value) -> Result<Plan, BoxError> {
        let body = json!({
            "model": self.endpoint.model, "max_tokens": TOKENS, "messages": messages, "tools": tools,
        });
        let work = async {
            let body = self.ask(&body).await?;
            let answer = axum::body::to_bytes(body, LARGEST).await?;
            let answer: Value = serde_json::from_slice(&answer)?;
            Ok::<_, BoxError>(Plan::of(&answer))
        };
        tokio::time::timeout(PATIENCE, work).await?
    }

    /// What it answers to `messages`, as it writes it.
    pub(crate) async fn answer(&self, messages: &[Value]) -> Result<Words, BoxError> {
        let body = json!({
            "model": self.endpoint.model, "stream": true, "stream_options": {"include_usage": true}, "max_tokens": TOKENS,
            "messages": messages,
        });
        let body = tokio::time::timeout(PATIENCE, self.ask(&body)).await??;
        Ok(Words::of(body))
    }

    async fn ask(&self, body: &Value) -> Result<Body, BoxError> {
        let uri: Uri = format!("{}/chat/completions", self.endpoint.base).parse()?;
        let mut request = Request::post(uri).header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = &self.endpoint.key {
            request = request.header(header::AUTHORIZATION, key);
        }
        let request = request.body(Full::from(body.to_string()))?;
        let response = self.client.clone().oneshot(request).await?;
        let (status, body) = (response.status(), response.into_body());
        if status.is_success() {
            return Ok(body);
        }
        // Read, so that it is told why.
        let _ = axum::body::to_bytes(body, LARGEST).await;
        Err(format!("it answered with {status}").into())
    }
}

impl Plan {
    /// Of the document of an answer.
    fn of(answer: &Value) -> Self {
        let message = &answer["choices"][0]["message"];
        let count = |name| answer["usage"][name].as_u64().unwrap_or_default();
        let calls = message["tool_calls"].as_array();
        let calls = calls.into_iter().flatten().take(MOST_CALLS);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            calls: calls
                .map(|call| Wanted {
                    id: text(&call["id"]),
                    name: text(&call["function"]["name"]),
                    arguments: text(&call["function"]["arguments"]),
                })
                .collect(),
            read: count("prompt_tokens"),
            written: count("completion_tokens"),
        }
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new());
    builder
}

fn connector() -> hyper_rustls::HttpsConnector<HttpConnector> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.enforce_http(false);
    HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector)
}
