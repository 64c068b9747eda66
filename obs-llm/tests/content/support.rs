//! A call through the layer, and what it says as JSON.

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use obs_core::{Body, LogEvent};
use obs_llm::content::Capture as Content;
use obs_llm::{Dialect, Llm, LlmClientLayer};
use obs_testing::Capture;
use serde_json::{Map, Value};
use std::convert::Infallible;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

pub(crate) fn layer(capture: &Capture, content: Content) -> LlmClientLayer {
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    LlmClientLayer::of(&llm.with_content(content))
}

/// Asks, and reads the answer in pieces of `step` bytes. Says what the other sides saw.
pub(crate) fn ask(
    layer: &LlmClientLayer,
    asked: (&str, &[u8]),
    answer: (&str, &[u8]),
    step: usize,
) {
    ask_for(200, layer, asked, answer, step);
}

/// The same, answered with this status.
pub(crate) fn ask_for(
    status: u16,
    layer: &LlmClientLayer,
    (url, request): (&str, &[u8]),
    (kind, answer): (&str, &[u8]),
    step: usize,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let service = service_fn(|asked: Request<_>| async move {
            let asked: Request<obs_llm::client::RequestBody<Pieces>> = asked;
            let seen = asked.into_body().collect().await?.to_bytes();
            assert_eq!(seen, request, "the request is as it was");
            let head = Response::builder()
                .status(status)
                .header(header::CONTENT_TYPE, kind);
            Ok::<_, Infallible>(head.body(Pieces::of(answer, step)).expect("a head"))
        });
        let asked = Request::post(url).body(Pieces::of(request, step));
        let answered = layer.layer(service).oneshot(asked.expect("a request"));
        let body = answered.await.expect("infallible").into_body();
        let read = body.collect().await.expect("infallible").to_bytes();
        assert_eq!(read, answer, "the answer is as it was");
    });
}

type Pieces = http_body_util::combinators::BoxBody<Bytes, Infallible>;

trait Of {
    fn of(bytes: &[u8], step: usize) -> Self;
}

impl Of for Pieces {
    fn of(bytes: &[u8], step: usize) -> Self {
        if step >= bytes.len() {
            return Full::new(Bytes::copy_from_slice(bytes)).boxed();
        }
        let pieces: Vec<_> = bytes.chunks(step).map(Bytes::copy_from_slice).collect();
        let frames = pieces
            .into_iter()
            .map(|piece| Ok(http_body::Frame::data(piece)));
        let stream = futures_util::stream::iter(frames.collect::<Vec<_>>());
        http_body_util::StreamBody::new(stream).boxed()
    }
}

/// The one event of the calls' details.
pub(crate) fn details(capture: &Capture) -> LogEvent {
    let mut events = details_of_all(capture);
    assert_eq!(events.len(), 1, "one event");
    events.remove(0)
}

pub(crate) fn details_of_all(capture: &Capture) -> Vec<LogEvent> {
    let events = capture.log_events().into_iter();
    let name = "gen_ai.client.inference.operation.details";
    events.filter(|event| event.name == name).collect()
}

/// A structured attribute as JSON; null if there is none.
pub(crate) fn structured(event: &LogEvent, key: &str) -> Value {
    let told = event
        .structured
        .iter()
        .find(|(known, _)| known.as_str() == key);
    told.map_or(Value::Null, |(_, body)| json(body))
}

fn json(body: &Body) -> Value {
    match body {
        Body::Bool(value) => (*value).into(),
        Body::I64(value) => (*value).into(),
        Body::F64(value) => (*value).into(),
        Body::Text(text) => text.as_str().into(),
        Body::List(list) => list.iter().map(json).collect(),
        Body::Map(map) => {
            let map = map.iter().map(|(key, value)| (key.clone(), json(value)));
            Value::Object(map.collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

/// How often something was out of the ordinary.
pub(crate) fn anomalies(capture: &Capture, name: &str) -> f64 {
    let of = [("obs.anomaly", name.into())];
    let point = capture.points().sum("obs.llm.anomalies", &of);
    point.map_or(0.0, |point| point.as_f64())
}
