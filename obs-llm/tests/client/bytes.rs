//! Bytes in are bytes out, in the frames they came in, whatever they are: in both directions, for every format and coding.

use crate::answers::{CHAT, STREAM, layer};
use ::bytes::{Buf, Bytes};
use http::{HeaderMap, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use obs_core::StatsLevel;
use obs_llm::client::{RequestBody, ResponseBody};
use obs_testing::{AttrValue, Capture};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tower::util::service_fn;
use tower::{Layer, Service};

/// Data of one frame, in several pieces.
#[derive(Clone, Debug, Default)]
struct Pieces {
    pieces: VecDeque<Bytes>,
    /// Whether it shows them all, without being taken from.
    shows: bool,
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.pieces
            .iter()
            .find(|piece| !piece.is_empty())
            .map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let shown = if self.shows { usize::MAX } else { 1 };
        let pieces = self
            .pieces
            .iter()
            .filter(|piece| !piece.is_empty())
            .take(shown);
        let mut count = 0;
        for (place, piece) in into.iter_mut().zip(pieces) {
            *place = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        for piece in &mut self.pieces {
            let taken = count.min(piece.len());
            piece.advance(taken);
            count -= taken;
        }
        assert_eq!(count, 0, "more than there is");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Pending,
    Data(Pieces),
    Trailers,
    Error,
}

/// A body by a script.
#[derive(Clone, Debug, Default)]
struct Script {
    steps: VecDeque<Step>,
    /// Whether it says how long it is, and when it is over.
    sized: bool,
}

impl Body for Script {
    type Data = Pieces;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Pieces>, &'static str>>> {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Pending) => return Poll::Pending,
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-sum", header::HeaderValue::from_static("1"));
                Some(Ok(Frame::trailers(trailers)))
            }
            Some(Step::Error) => Some(Err("scripted")),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.sized && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let sum = self.steps.iter().map(|step| match step {
            Step::Data(data) => data.remaining() as u64,
            _ => 0,
        });
        match self.sized {
            true => SizeHint::with_exact(sum.sum()),
            false => SizeHint::default(),
        }
    }
}

/// All that can be seen of a body, poll by poll.
fn seen<B: Body<Data = Pieces, Error = &'static str>>(body: B) -> Vec<String> {
    let mut body = pin!(body);
    let mut context = Context::from_waker(Waker::noop());
    let mut seen = Vec::new();
    loop {
        let hint = body.size_hint();
        seen.push(format!("{} {hint:?}", body.is_end_stream()));
        match body.as_mut().poll_frame(&mut context) {
            Poll::Pending => seen.push("pending".to_owned()),
            Poll::Ready(Some(frame)) => seen.push(format!("{frame:?}")),
            Poll::Ready(None) => return seen,
        }
    }
}

/// What passes of both bodies.
fn passed(
    capture: &Capture,
    url: &str,
    heads: &[(&str, &str)],
    asks: &Script,
    answers: &Script,
) -> [Vec<String>; 2] {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let arrived = sent.clone();
    let answer = {
        let mut response = Response::builder();
        for (name, value) in heads {
            response = response.header(*name, *value);
        }
        response.body(answers.clone()).expect("a head")
    };
    let mut answer = Some(answer);
    let mut client =
        layer(capture).layer(service_fn(move |request: Request<RequestBody<Script>>| {
            *arrived.lock().unwrap() = seen(request.into_body());
            std::future::ready(Ok::<_, &'static str>(answer.take().expect("asked once")))
        }));
    let request = Request::post(url).body(asks.clone()).expect("a request");
    let mut context = Context::from_waker(Waker::noop());
    let answered = pin!(client.call(request)).poll(&mut context);
    let Poll::Ready(Ok(response)) = answered else {
        panic!("it is there at once");
    };
    let body: ResponseBody<Script> = response.into_body();
    let answered = seen(body);
    [std::mem::take(&mut *sent.lock().unwrap()), answered]
}

const URLS: [&str; 9] = [
    "https://api.openai.com/v1/chat/completions",
    "https://api.openai.com/v1/responses",
    "https://api.openai.com/v1/embeddings",
    "https://api.anthropic.com/v1/messages",
    "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
    "http://localhost:11434/api/chat",
    "https://bedrock-runtime.eu-west-1.amazonaws.com/model/a.b-v1%3A0/converse-stream",
    "https://bedrock-runtime.eu-west-1.amazonaws.com/model/a.b-v1%3A0/invoke-with-response-stream",
    "https://example.com/other",
];
const KINDS: [&str; 6] = [
    "text/event-stream",
    "application/json",
    "application/x-ndjson",
    "application/vnd.amazon.eventstream",
    "text/html",
    "",
];
const CODINGS: [&str; 6] = ["identity", "gzip", "deflate", "br", "zstd", "gzip, br"];

/// What formats are made of, and what they are not.
const WORDS: [&[u8]; 14] = [
    b"data: ",
    b"\n\n",
    b"\r\n",
    b"{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
    b"\"}}]}",
    b"event: message_stop\n",
    b"{\"model\":\"m\",\"stream\":true",
    b"\\u00e4\\",
    b"}",
    b"[DONE]",
    b": \n",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    b"\x28\xb5\x2f\xfd",
    b"\x00\x00\x00\x10\x00\x00\x00\x00",
];

fn piece() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        (0..WORDS.len()).prop_map(|word| Bytes::from_static(WORDS[word])),
        proptest::collection::vec(any::<u8>(), 0..24).prop_map(Bytes::from),
        Just(Bytes::from(CHAT)),
        (0..STREAM.len()).prop_map(|event| Bytes::from(STREAM[event])),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let data = proptest::collection::vec(piece(), 1..4);
    let data = (data, any::<bool>()).prop_map(|(pieces, shows)| {
        Step::Data(Pieces {
            pieces: pieces.into(),
            shows,
        })
    });
    prop_oneof![8 => data, 2 => Just(Step::Pending), 1 => Just(Step::Trailers), 1 => Just(Step::Error)]
}

fn script() -> impl Strategy<Value = Script> {
    let steps = proptest::collection::vec(step(), 0..10);
    (steps, any::<bool>()).prop_map(|(steps, sized)| Script {
        steps: steps.into(),
        sized,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_it_is_it_passes_as_it_came(
        asks in script(),
        answers in script(),
        url in 0..URLS.len(),
        kind in 0..KINDS.len(),
        coding in proptest::option::of(0..CODINGS.len()),
    ) {
        let capture = Capture::new();
        let mut heads = Vec::new();
        if !KINDS[kind].is_empty() {
            heads.push(("content-type", KINDS[kind]));
        }
        heads.extend(coding.map(|coding| ("content-encoding", CODINGS[coding])));
        let [sent, answered] = passed(&capture, URLS[url], &heads, &asks, &answers);
        prop_assert_eq!(sent, seen(asks));
        prop_assert_eq!(answered, seen(answers));
        let calls = usize::from(URLS[url] != "https://example.com/other");
        prop_assert_eq!(capture.records().len(), calls);
        prop_assert_eq!(capture.in_flight("obs.llm.client.active_calls"), 0);
        prop_assert_eq!(capture.telemetry().counts().panics, 0);
    }
}

fn of(bytes: &[u8], at: usize, shows: bool) -> Script {
    let (one, other) = bytes.split_at(at);
    let pieces = [one, other].map(Bytes::copy_from_slice);
    Script {
        steps: [Step::Data(Pieces {
            pieces: pieces.into(),
            shows,
        })]
        .into(),
        sized: false,
    }
}

fn unreadable(capture: &Capture) -> f64 {
    let of = [("obs.anomaly", AttrValue::from("unreadable"))];
    let point = capture.points().sum("obs.llm.anomalies", &of);
    point.map_or(0.0, |point| point.as_f64())
}

#[test]
fn data_in_several_pieces_is_read_where_it_shows_them() {
    let kind = [("content-type", "text/event-stream")];
    let stream = STREAM.concat();
    for at in [1, 40, 90, CHAT.len() - 1] {
        let capture = Capture::new();
        let (asks, answers) = (
            of(CHAT.as_bytes(), at, true),
            of(stream.as_bytes(), at, true),
        );
        passed(&capture, URLS[0], &kind, &asks, &answers);
        let record = capture.record();
        assert_eq!(record.text("gen_ai.request.model"), Some("gpt-4o"));
        let output = record.attr("gen_ai.usage.output_tokens");
        assert_eq!(output, Some(&2_i64.into()));
        assert_eq!(unreadable(&capture), 0.0);
    }
}

#[test]
fn data_that_shows_only_its_beginning_is_measured_and_counted() {
    let kind = [("content-type", "text/event-stream")];
    let stream = STREAM.concat();
    let capture = Capture::new();
    let (asks, answers) = (
        of(CHAT.as_bytes(), 9, true),
        of(stream.as_bytes(), 9, false),
    );
    passed(&capture, URLS[0], &kind, &asks, &answers);
    assert_eq!(unreadable(&capture), 1.0);
    let (asks, answers) = (
        of(CHAT.as_bytes(), 9, false),
        of(stream.as_bytes(), 9, true),
    );
    passed(&capture, URLS[0], &kind, &asks, &answers);
    assert_eq!(unreadable(&capture), 2.0);
    let records = capture.records();
    assert_eq!(records[0].attr("gen_ai.usage.output_tokens"), None);
    assert_eq!(records[0].error_type(), None);
    assert_eq!(records[1].text("gen_ai.request.model"), None);
    assert_eq!(capture.count("gen_ai.client.operation.duration"), 2);
}

#[test]
fn switched_off_bodies_pass_untouched() {
    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    let kind = [("content-type", "text/event-stream")];
    let stream = STREAM.concat();
    let (asks, answers) = (of(CHAT.as_bytes(), 9, true), of(stream.as_bytes(), 9, true));
    let [sent, answered] = passed(&capture, URLS[0], &kind, &asks, &answers);
    assert_eq!(sent, seen(asks));
    assert_eq!(answered, seen(answers));
    assert_eq!(capture.records().len(), 0);
}
