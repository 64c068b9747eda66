//! Calls of models: what a chunk of a streamed answer costs more by our layer's body than by the body alone, what a stream holds,
//! and how quickly its bytes are looked through.

use std::{
    any::Any,
    collections::VecDeque,
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body::{Body, Frame};
use obs_core::{StatsLevel, Telemetry};
use obs_llm::{
    Dialect, Llm, LlmClientLayer, LlmOperation, Provider,
    wire::{Framing, ResponseScanner, ResponseSink, Wire},
};
use tower_layer::Layer;
use tower_service::Service;

use super::flat::{Expect, Flat};
use super::http::{Kept, builder};
use super::sdk::same;
use crate::harness::{in_flight::InFlight, pair::Pair, scaling::Scaling};
use answers::Answer;
pub(crate) use list::ALL;

pub(crate) mod answers;
mod list;
pub(crate) mod peers;
pub(crate) mod server;

const DURATION: &str = "gen_ai.client.operation.duration";
const GAPS: &str = "gen_ai.client.operation.time_per_output_chunk";

/// Chunks of one streamed answer.
pub(crate) const CHUNKS: u64 = 500;
/// Answers between two settlings: records of all of them are dropped.
const BURST: u64 = 4;

/// A client whose answers are there at once, frame by frame: each frame counts a reference and copies nothing.
#[derive(Clone, Debug)]
pub(crate) struct Client(pub(crate) Answer);

/// Their body.
#[derive(Debug)]
pub(crate) struct Frames(std::vec::IntoIter<Bytes>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl<B: Body> Service<Request<B>> for Client {
    type Response = Response<Frames>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Frames>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // What a client sends it reads.
        let mut body = pin!(request.into_body());
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
            std::hint::black_box(frame.is_data());
        }
        let mut head = HeaderMap::with_capacity(2);
        head.insert(header::CONTENT_TYPE, self.0.kind.clone());
        let mut response = Response::new(Frames(self.0.frames.clone().into_iter()));
        *response.headers_mut() = head;
        std::future::ready(Ok(response))
    }
}

/// One frame of JSON that is asked with.
#[derive(Debug)]
struct Asked(Option<Bytes>);

impl Body for Asked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn request(answer: &Answer) -> Request<Asked> {
    let mut request = Request::new(Asked(Some(answer.asked.clone())));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = answer.uri.clone();
    request
}

/// The answer of a client, up to its body.
fn ask<S, B>(client: &mut S, answer: &Answer) -> B
where
    S: Service<Request<Asked>, Response = Response<B>, Error = Infallible>,
{
    let mut context = Context::from_waker(Waker::noop());
    match pin!(client.call(request(answer))).poll(&mut context) {
        Poll::Ready(Ok(response)) => response.into_body(),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => unreachable!("nothing waits"),
    }
}

fn read<B: Body<Data = Bytes, Error = Infallible>>(body: B, mut look: impl FnMut(&Bytes)) {
    let mut body = pin!(body);
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        if let Some(data) = frame.data_ref() {
            look(data);
        }
    }
}

fn asks<S, B>(mut client: S, answer: Answer) -> impl FnMut() + 'static
where
    S: Service<Request<Asked>, Response = Response<B>, Error = Infallible> + 'static,
    B: Body<Data = Bytes, Error = Infallible>,
{
    move || {
        read(ask(&mut client, &answer), |data| {
            std::hint::black_box(data.len());
        })
    }
}

/// The same with a look at each frame.
pub(crate) fn looks(
    answer: Answer,
    mut look: impl FnMut(&Bytes) + 'static,
) -> impl FnMut() + 'static {
    let mut client = Client(answer.clone());
    move || read(ask(&mut client, &answer), &mut look)
}

fn llm(telemetry: &Telemetry) -> Llm {
    Llm::new(telemetry)
        .with_dialect(Dialect::V1_41)
        // A machine that stutters is no slow model.
        .with_slow(None, None)
}

fn layer(telemetry: &Telemetry) -> LlmClientLayer {
    LlmClientLayer::of(&llm(telemetry))
}

fn flat() -> Flat {
    Flat::build(builder(StatsLevel::Base, Kept::None))
}

/// A whole answer by our layer, over the same without it.
fn answered(answer: Answer, chunks: u64) -> Pair {
    let flat = flat();
    let client = layer(&flat.telemetry).layer(Client(answer.clone()));
    let pair = Pair::new(
        asks(Client(answer.clone()), answer.clone()),
        asks(client, answer),
    );
    hold(&flat, pair, chunks)
}

/// A point for each answer, and one for each chunk after its first.
fn hold(flat: &Flat, pair: Pair, chunks: u64) -> Pair {
    let expect = Expect {
        points: Some(DURATION),
        ..Expect::default()
    };
    let held = flat.clone();
    flat.hold(pair, expect)
        .with_burst(BURST)
        .with_account(move |calls| {
            same(GAPS, held.points_of(GAPS), calls * chunks.saturating_sub(1))?;
            held.account(calls, expect)
        })
}

fn streamed(answer: Answer) -> Pair {
    answered(answer, CHUNKS).with_per_call(CHUNKS)
}

pub(crate) fn chunk200() -> Pair {
    streamed(answers::openai(200))
}

pub(crate) fn chunk200_anthropic() -> Pair {
    streamed(answers::anthropic(200))
}

pub(crate) fn chunk_padded() -> Pair {
    streamed(answers::openai_padded())
}

pub(crate) fn chunk_vllm() -> Pair {
    streamed(answers::vllm())
}

pub(crate) fn chunk_gemini() -> Pair {
    streamed(answers::gemini_detailed())
}

pub(crate) fn chunk200_gemini() -> Pair {
    streamed(answers::gemini(200))
}

pub(crate) fn chunk200_ollama() -> Pair {
    streamed(answers::ollama(200))
}

/// A unary answer, which is scanned whole at its end.
pub(crate) fn call() -> Pair {
    answered(answers::unary(), 0)
}

/// A call that is told by hand of each chunk.
pub(crate) fn gap() -> Pair {
    let flat = flat();
    let llm = llm(&flat.telemetry);
    let pair = Pair::new(
        || {
            let mut nobody = CHUNKS;
            for _ in 0..CHUNKS {
                std::hint::black_box(&mut nobody);
            }
        },
        move || {
            let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
            call.set_streams();
            for _ in 0..CHUNKS {
                std::hint::black_box(&mut call).chunk();
            }
            call.end();
        },
    );
    hold(&flat, pair, CHUNKS).with_per_call(CHUNKS)
}

/// Bytes that each of many streams holds between two of its chunks, over what the stream itself holds.
pub(crate) fn state() -> InFlight {
    let flat = flat();
    let answer = answers::openai(200);
    let client = layer(&flat.telemetry).layer(Client(answer.clone()));
    InFlight::of(
        held(Client(answer.clone()), answer.clone()),
        held(client, answer),
        move |opened| {
            flat.settle();
            same(DURATION, flat.points_of(DURATION), opened)?;
            Ok(format!("{opened} points"))
        },
    )
}

/// Opens so many streams and reads three chunks of each.
fn held<S, B>(client: S, answer: Answer) -> impl Fn(usize) -> Box<dyn Any> + 'static
where
    S: Service<Request<Asked>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    move |count| {
        let mut client = client.clone();
        let mut context = Context::from_waker(Waker::noop());
        let streams: Vec<Pin<Box<B>>> = (0..count)
            .map(|_| {
                let mut body = Box::pin(ask(&mut client, &answer));
                for _ in 0..3 {
                    let polled = body.as_mut().poll_frame(&mut context);
                    assert!(polled.is_ready(), "nothing waits");
                }
                body
            })
            .collect();
        Box::new(streams)
    }
}

/// Many streams at once, a chunk of each in turn.
pub(crate) fn streams() -> Pair {
    const STREAMS: usize = 1_000;
    let flat = flat();
    let answer = answers::openai_of(200, 50);
    let client = layer(&flat.telemetry).layer(Client(answer.clone()));
    let in_turn = |client| in_turn(client, answer.clone(), STREAMS);
    let pair = Pair::new(
        in_turn(Turn::Bare(Client(answer.clone()))),
        in_turn(Turn::With(client)),
    );
    let chunks = 50 * STREAMS as u64;
    let held = flat.clone();
    let settle = flat.clone();
    pair.with_per_call(chunks)
        // Two are counted over one: fewer would be no difference.
        .with_burst(2)
        .with_settle(move || settle.settle())
        .with_account(move |calls| {
            same(DURATION, held.points_of(DURATION), calls * STREAMS as u64)?;
            let gaps = calls * 49 * STREAMS as u64;
            same(GAPS, held.points_of(GAPS), gaps)?;
            Ok(format!("{gaps} gaps"))
        })
}

enum Turn {
    Bare(Client),
    With(obs_llm::client::LlmClient<Client>),
}

fn in_turn(client: Turn, answer: Answer, streams: usize) -> Box<dyn FnMut()> {
    fn run<S, B>(mut client: S, answer: Answer, streams: usize) -> Box<dyn FnMut()>
    where
        S: Service<Request<Asked>, Response = Response<B>, Error = Infallible> + 'static,
        B: Body<Data = Bytes, Error = Infallible> + 'static,
    {
        Box::new(move || {
            let mut context = Context::from_waker(Waker::noop());
            let opened = (0..streams).map(|_| Box::pin(ask(&mut client, &answer)));
            let mut open: VecDeque<Pin<Box<B>>> = opened.collect();
            while let Some(mut body) = open.pop_front() {
                if let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut context) {
                    open.push_back(body);
                }
            }
        })
    }
    match client {
        Turn::Bare(client) => run(client, answer, streams),
        Turn::With(client) => run(client, answer, streams),
    }
}

/// Two threads with an answer each.
pub(crate) fn contended() -> Scaling {
    let flat = flat();
    let layer = layer(&flat.telemetry);
    let answer = answers::openai_of(200, 50);
    let bare = answer.clone();
    Scaling::new(
        move || Box::new(asks(layer.layer(Client(answer.clone())), answer.clone())),
        move |calls| {
            flat.settle();
            same(DURATION, flat.points_of(DURATION), calls)?;
            Ok(format!("{calls} points"))
        },
    )
    .with_control(move || Box::new(asks(Client(bare.clone()), bare.clone())))
}

/// Counts what it is told.
#[derive(Debug, Default)]
struct Chunks(u64);

impl ResponseSink for Chunks {
    fn content(&mut self, _: obs_llm::wire::Content) {
        self.0 += 1;
    }
}

/// A KiB of events, looked through in pieces of 4 KiB as a socket gives them.
pub(crate) fn scan() -> Pair {
    scanned(answers::openai(200))
}

/// The same of events with 2 KB of text each.
pub(crate) fn scan_long() -> Pair {
    scanned(answers::openai(2048))
}

fn scanned(answer: Answer) -> Pair {
    let bytes: Vec<u8> = answer
        .frames
        .iter()
        .flat_map(|frame| frame.to_vec())
        .collect();
    let kibibytes = bytes.len() as u64 / 1024;
    let whole = bytes[..kibibytes as usize * 1024].to_vec();
    let counted = move || {
        let mut scanner = ResponseScanner::new(Wire::OpenAiChat, Framing::EventStream);
        let mut chunks = Chunks::default();
        for piece in whole.chunks(4096) {
            scanner.feed(std::hint::black_box(piece), &mut chunks);
        }
        std::hint::black_box(chunks.0);
    };
    Pair::new(
        || {
            std::hint::black_box(0);
        },
        counted,
    )
    .with_per_call(kibibytes)
    .with_burst(BURST)
}
