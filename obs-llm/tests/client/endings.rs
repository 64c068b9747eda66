//! The layer through every ending, driven by hand.
//!
//! The driver's answers are no model's. As they are, they end without the end of a format; [`Spoken`] makes streams of them on
//! their way to the layer, and them again on their way from it.

use crate::answers::STREAM;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body::{Body, Frame, SizeHint};
use obs_core::{ContextMode, End, StatsLevel, Telemetry};
use obs_llm::client::{RequestBody, ResponseBody};
use obs_llm::{Dialect, LLM_CLIENT, LLM_CLIENT_MAIN, Llm, LlmClientLayer};
use obs_testing::endings::{Scripted, ScriptedBody, ScriptedError, ScriptedFuture};
use obs_testing::{Capture, Ending, Endings};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{Layer, Service};

const DEADLINE: Duration = Duration::from_secs(5);

/// What the driver's two frames are, as events of one stream. `[DONE]` is left away: with it the call is over before the body is,
/// and the driver wants to see it under way.
fn events() -> [(&'static [u8], Bytes); 2] {
    let (one, other) = STREAM[..STREAM.len() - 1].split_at(3);
    [
        (b"first ", one.concat().into()),
        (b"second", other.concat().into()),
    ]
}

fn request() -> Request<ScriptedBody> {
    let mut request = Request::new(ScriptedBody::empty());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("https://api.openai.com/v1/chat/completions");
    request
}

fn endings() -> Endings {
    Endings::of(&LLM_CLIENT)
        .with_deadline(DEADLINE)
        .with_request(request)
}

fn layer(telemetry: &Telemetry) -> LlmClientLayer {
    LlmClientLayer::of(&Llm::new(telemetry).with_dialect(Dialect::V1_41)).with_deadline(DEADLINE)
}

/// The driver's service, as a model that streams.
struct Model(Scripted);

impl Service<Request<RequestBody<ScriptedBody>>> for Model {
    type Response = Response<Spoken<ScriptedBody>>;
    type Error = ScriptedError;
    type Future = Speaking;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ScriptedError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody<ScriptedBody>>) -> Speaking {
        // The driver's requests have none.
        Speaking(self.0.call(request.map(|_| ScriptedBody::empty())))
    }
}

struct Speaking(ScriptedFuture);

impl Future for Speaking {
    type Output = Result<Response<Spoken<ScriptedBody>>, ScriptedError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.0).poll(cx);
        polled.map_ok(|mut response| {
            let kind = HeaderValue::from_static("text/event-stream");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response.map(|body| Spoken { body, back: false })
        })
    }
}

/// What stands outside: the driver has its own again.
struct Driven<S>(S);

impl<S> Service<Request<ScriptedBody>> for Driven<S>
where
    S: Service<
            Request<ScriptedBody>,
            Response = Response<ResponseBody<Spoken<ScriptedBody>>>,
            Error = ScriptedError,
        >,
    S::Future: Unpin,
{
    type Response = Response<Spoken<ResponseBody<Spoken<ScriptedBody>>>>;
    type Error = ScriptedError;
    type Future = Driving<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ScriptedError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ScriptedBody>) -> Self::Future {
        Driving(self.0.call(request))
    }
}

struct Driving<F>(F);

impl<F, B> Future for Driving<F>
where
    F: Future<Output = Result<Response<B>, ScriptedError>> + Unpin,
{
    type Output = Result<Response<Spoken<B>>, ScriptedError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.0).poll(cx);
        polled.map_ok(|response| response.map(|body| Spoken { body, back: true }))
    }
}

/// A body whose frames are events for the driver's, or the driver's for events.
struct Spoken<B> {
    body: B,
    back: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Spoken<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let back = self.back;
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        polled.map_ok(|frame| {
            frame.map_data(|data| {
                let mut all = events().into_iter();
                let found = all.find(|(own, event)| match back {
                    true => data == event,
                    false => data == *own,
                });
                let (own, event) = found.expect("one of the two");
                match back {
                    true => Bytes::from_static(own),
                    false => event,
                }
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Answers that are whole.
#[track_caller]
fn check(capture: &Capture, endings: Endings, layer: &LlmClientLayer) {
    // An answer with nothing in it is none.
    let endings = endings.expecting(Ending::EmptyBody, End::Failed, Some("incomplete_response"));
    endings.check(capture, |inner| Driven(layer.layer(Model(inner))));
}

#[test]
fn every_ending_at_each_level_and_in_each_context_mode() {
    for level in [StatsLevel::Base, StatsLevel::Detailed] {
        for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
            let capture = Capture::builder()
                .with_level(level)
                .with_context_mode(mode)
                .build();
            check(&capture, endings(), &layer(capture.telemetry()));
        }
    }
}

#[test]
fn every_ending_by_the_other_dialect() {
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::Main);
    let layer = LlmClientLayer::of(&llm).with_deadline(DEADLINE);
    let endings = Endings::of(&LLM_CLIENT_MAIN)
        .with_deadline(DEADLINE)
        .with_request(request);
    check(&capture, endings, &layer);
}

#[test]
fn every_ending_with_a_collector_thread() {
    let capture = Capture::builder().threaded().build();
    check(&capture, endings(), &layer(capture.telemetry()));
}

#[test]
fn errors_are_kept_when_the_head_leaves_everything_out() {
    let capture = Capture::builder()
        .with_sampler(obs_core::sampling::HeadSampler::always_off())
        .build();
    let layer = layer(capture.telemetry());
    check(&capture, endings().with_errors_only(), &layer);
}

#[test]
fn what_ends_without_the_end_of_its_format_is_incomplete() {
    let capture = Capture::new();
    let layer = layer(capture.telemetry());
    let whole = [
        Ending::Answered,
        Ending::KnownLength,
        Ending::Trailers,
        Ending::EmptyBody,
    ];
    let endings = whole.into_iter().fold(endings(), |endings, ending| {
        endings.expecting(ending, End::Failed, Some("incomplete_response"))
    });
    endings.check(&capture, |inner| {
        let inner = tower::ServiceExt::map_request(inner, |request: Request<RequestBody<_>>| {
            request.map(|_| ScriptedBody::empty())
        });
        layer.layer(inner)
    });
}

#[test]
fn switched_off_it_changes_nothing_and_records_nothing() {
    let off = Capture::builder().with_level(StatsLevel::Disabled).build();
    let shut = Capture::new();
    let over = layer(shut.telemetry());
    shut.telemetry()
        .shutdown(DEADLINE)
        .expect("nothing is under way");
    let noop = Capture::new();
    for (capture, layer) in [
        (&off, layer(off.telemetry())),
        (&shut, over),
        (&noop, layer(&Telemetry::noop())),
    ] {
        endings().check_untouched(capture, |inner| Driven(layer.layer(Model(inner))));
    }
    assert_eq!(off.points().names().len(), 0);
}

#[test]
fn what_asks_no_model_is_untouched() {
    let capture = Capture::new();
    let layer = layer(capture.telemetry());
    let others: [fn() -> Request<ScriptedBody>; 2] = [
        || Request::new(ScriptedBody::empty()),
        || {
            let mut request = request();
            *request.uri_mut() = Uri::from_static("https://api.openai.com/v1/files");
            request
        },
    ];
    for other in others {
        let endings = endings().with_request(other);
        endings.check_untouched(&capture, |inner| Driven(layer.layer(Model(inner))));
    }
}
