//! A model as the front sees it: OpenAI's interface, whoever is behind it, and an answer that is read as it is written.

use super::played::Played;
use crate::failure::Failure;
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Request, Response, Uri, header},
};
use http_body_util::{BodyExt, Full};
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

/// How long a model may write.
const PATIENCE: Duration = Duration::from_secs(120);
/// It is asked for no more.
const TOKENS: u32 = 64;
/// A line of its answer may not be longer.
const LONGEST: usize = 1 << 20;

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

/// An answer, and the tokens that it took.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) read: u64,
    pub(crate) written: u64,
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

    /// What it answers. Whoever asked and leaves takes the call along.
    pub(crate) async fn answer(&self, question: &str) -> Result<Answer, BoxError> {
        tokio::time::timeout(PATIENCE, self.ask(question)).await?
    }

    async fn ask(&self, question: &str) -> Result<Answer, BoxError> {
        let body = json!({
            "model": self.endpoint.model, "stream": true, "stream_options": {"include_usage": true}, "max_tokens": TOKENS,
            "messages": [
                {"role": "system", "content": "Answer in one sentence, from what was found."},
                {"role": "user", "content": question},
            ],
        });
        let uri: Uri = format!("{}/chat/completions", self.endpoint.base).parse()?;
        let mut request = Request::post(uri).header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = &self.endpoint.key {
            request = request.header(header::AUTHORIZATION, key);
        }
        let request = request.body(Full::from(body.to_string()))?;
        let response = self.client.clone().oneshot(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        let (mut answer, mut lines, mut is_over) = (Answer::default(), Vec::new(), false);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            lines.extend_from_slice(&data);
            while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = lines.drain(..=end).collect();
                is_over |= answer.read(&line);
            }
            if lines.len() > LONGEST {
                return Err("its answer makes no sense".into());
            }
        }
        if !status.is_success() {
            return Err(format!("it answered with {status}").into());
        }
        match is_over {
            true => Ok(answer),
            false => Err("its answer broke off".into()),
        }
    }
}

impl Answer {
    /// Takes a line of the stream; whether it says that the answer is whole.
    fn read(&mut self, line: &[u8]) -> bool {
        let Some(data) = line.strip_prefix(b"data:") else {
            return false;
        };
        // The last of all is no JSON.
        let Ok(chunk) = serde_json::from_slice::<Value>(data) else {
            return false;
        };
        let choice = &chunk["choices"][0];
        self.text += choice["delta"]["content"].as_str().unwrap_or_default();
        let usage = &chunk["usage"];
        let counts = [
            ("prompt_tokens", &mut self.read),
            ("completion_tokens", &mut self.written),
        ];
        for (name, count) in counts {
            *count = usage[name].as_u64().unwrap_or(*count);
        }
        choice["finish_reason"].is_string()
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
