//! What the layer holds and allocates, and that nothing of it is left.
//!
//! A binary of its own with one test: it counts the heap of the whole process.

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::{Body, Frame};
use obs_core::metrics::{Data, Temporality};
use obs_core::setup::environment::Environment;
use obs_core::{StatsLevel, Telemetry};
use obs_llm::client::LlmClient;
use obs_llm::{Dialect, Llm, LlmClientLayer};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower::{Layer, Service};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A call as it is usually made: who is asked for what, and what comes again and again.
#[derive(Clone, Copy, Debug)]
struct Usual {
    uri: &'static str,
    asked: &'static str,
    first: &'static str,
    chunk: &'static str,
    last: &'static str,
}

const OPENAI: Usual = Usual {
    uri: "https://api.openai.com/v1/chat/completions",
    asked: r#"{"model":"gpt-4o","stream":true,"max_tokens":64,"temperature":0.2,"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}"#,
    first: "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    chunk: "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"some text\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    last: "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\ndata: [DONE]\n\n",
};

const ANTHROPIC: Usual = Usual {
    uri: "https://api.anthropic.com/v1/messages",
    asked: r#"{"model":"claude-sonnet-4-5","stream":true,"max_tokens":1024,"temperature":1,"top_p":0.9,"top_k":40,"messages":[{"role":"user","content":"hi"}]}"#,
    first: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":812,\"cache_read_input_tokens\":4,\"cache_creation_input_tokens\":4,\"output_tokens\":1}}}\n\n",
    chunk: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"some text\"}}\n\n",
    last: "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":500}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
};

const RESPONSES: Usual = Usual {
    uri: "https://api.openai.com/v1/responses",
    asked: r#"{"model":"gpt-4.1","stream":true,"max_output_tokens":64,"temperature":0.2,"input":"hi"}"#,
    first: "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654\",\"object\":\"response\",\"status\":\"in_progress\",\"model\":\"gpt-4.1-2025-04-14\",\"service_tier\":\"auto\"}}\n\n",
    chunk: "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654\",\"output_index\":0,\"content_index\":0,\"delta\":\"some text\"}\n\n",
    last: "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\",\"usage\":{\"input_tokens\":8,\"output_tokens\":2,\"total_tokens\":10}}}\n\n",
};

/// How many chunks an answer has.
const CHUNKS: u32 = 500;

/// What comes first, the same chunk so many times, then the end. It allocates nothing.
#[derive(Clone, Debug)]
struct Chunks {
    of: &'static Usual,
    left: u32,
    last: bool,
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let text = match (self.left, self.last) {
            (0, true) => return Poll::Ready(None),
            (0, false) => {
                self.last = true;
                self.of.last
            }
            (left, _) => {
                self.left -= 1;
                match left {
                    CHUNKS => self.of.first,
                    _ => self.of.chunk,
                }
            }
        };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
    }
}

/// What is asked, once.
#[derive(Debug)]
struct Asked(Option<Bytes>);

impl Body for Asked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }
}

/// Reads what it is asked, is pending once, and answers.
#[derive(Clone, Debug)]
struct Model(&'static Usual);

#[derive(Debug)]
struct Answering<B>(Option<B>, &'static Usual);

impl<B: Body> Service<Request<B>> for Model {
    type Response = Response<Chunks>;
    type Error = Infallible;
    type Future = Answering<Pin<Box<B>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Answering(Some(Box::pin(request.into_body())), self.0)
    }
}

impl<B: Body> Future for Answering<Pin<Box<B>>> {
    type Output = Result<Response<Chunks>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(mut body) = self.0.take() {
            while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(cx) {}
            return Poll::Pending;
        }
        let mut response = Response::new(Chunks {
            of: self.1,
            left: CHUNKS,
            last: false,
        });
        let kind = header::HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Poll::Ready(Ok(response))
    }
}

fn request(of: &Usual) -> Request<Asked> {
    let mut request = Request::new(Asked(Some(Bytes::from_static(of.asked.as_bytes()))));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static(of.uri);
    request
}

/// How far an exchange goes before it is given up.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Called,
    Pending,
    Head,
    Chunks(u32),
    End,
}

/// An exchange up to a stage; what is open then is the caller's to drop.
fn open<S, R>(client: &mut S, stage: Stage) -> Option<Pin<Box<R>>>
where
    S: Asks + Service<Request<Asked>, Response = Response<R>, Error = Infallible>,
    R: Body,
{
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(client.call(request(client.of())));
    if matches!(stage, Stage::Called) {
        return None;
    }
    assert!(future.as_mut().poll(&mut context).is_pending());
    if matches!(stage, Stage::Pending) {
        return None;
    }
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
        panic!("it answers");
    };
    let mut body = Box::pin(response.into_body());
    let wanted = match stage {
        Stage::Chunks(count) => count,
        Stage::End => u32::MAX,
        _ => 0,
    };
    read(&mut body, wanted);
    Some(body)
}

/// Reads so many chunks, if there are as many.
fn read<R: Body>(body: &mut Pin<Box<R>>, count: u32) {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..count {
        match body.as_mut().poll_frame(&mut context) {
            Poll::Ready(Some(_)) => {}
            Poll::Ready(None) => return,
            Poll::Pending => panic!("chunks are there"),
        }
    }
}

fn telemetry(level: StatsLevel) -> Telemetry {
    Telemetry::builder()
        .with_environment(Environment::default())
        .with_level(level)
        .manual()
        .build()
        .expect("a usable configuration")
}

/// A client that knows what it is asked.
trait Asks {
    fn of(&self) -> &'static Usual;
}

impl Asks for Model {
    fn of(&self) -> &'static Usual {
        self.0
    }
}

impl Asks for LlmClient<Model> {
    fn of(&self) -> &'static Usual {
        self.get_ref().0
    }
}

fn client(telemetry: &Telemetry) -> LlmClient<Model> {
    client_of(telemetry, &OPENAI)
}

fn client_of(telemetry: &Telemetry, usual: &'static Usual) -> LlmClient<Model> {
    // The clock of a test machine is no reason for events.
    let llm = Llm::new(telemetry)
        .with_dialect(Dialect::V1_41)
        .with_slow(None, None);
    LlmClientLayer::of(&llm).layer(Model(usual))
}

fn collect(telemetry: &Telemetry) {
    telemetry.collect(Duration::from_secs(30)).expect("in time");
}

/// Bytes on the heap now.
fn live() -> i64 {
    let stats = HEAP.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

/// So many open streams, after three chunks each.
fn opened<S, R>(client: &mut S, count: usize) -> Vec<Option<Pin<Box<R>>>>
where
    S: Asks + Service<Request<Asked>, Response = Response<R>, Error = Infallible>,
    R: Body,
{
    let mut opened = Vec::with_capacity(count);
    opened.extend((0..count).map(|_| open(client, Stage::Chunks(3))));
    opened
}

/// Bytes that each of many open streams holds after three chunks: its record with them, which for the first of a thread may come
/// out of its pool.
fn held<S, R>(client: &mut S) -> i64
where
    S: Asks + Service<Request<Asked>, Response = Response<R>, Error = Infallible>,
    R: Body,
{
    const STREAMS: usize = 1_000;
    // More than a pool has.
    let first = opened(client, 2 * STREAMS);
    let before = live();
    let second = opened(client, STREAMS);
    let all = live() - before - (STREAMS * size_of::<Option<Pin<Box<R>>>>()) as i64;
    drop((first, second));
    all / STREAMS as i64
}

/// A KiB for each of the usual calls, with what OpenTelemetry's own context takes: that is shown to nobody any more.
fn a_stream_holds_less_than_a_kibibyte() {
    let telemetry = telemetry(StatsLevel::Base);
    for usual in [&OPENAI, &ANTHROPIC, &RESPONSES] {
        let mut client = client_of(&telemetry, usual);
        // What a thread needs once is no stream's.
        held(&mut client);
        collect(&telemetry);
        let (bare, with) = (held(&mut Model(usual)), held(&mut client));
        collect(&telemetry);
        assert!(
            (700..=1_024).contains(&(with - bare)),
            "{with} with the layer, {bare} without: {usual:?}"
        );
    }
}

/// By default most calls over the internet are slow, and their events are told.
fn one_that_is_slow_holds_no_more() {
    const STREAMS: usize = 1_000;
    let telemetry = telemetry(StatsLevel::Base);
    let llm = Llm::new(&telemetry).with_dialect(Dialect::V1_41);
    let llm = llm.with_slow(Some(Duration::ZERO), Some(Duration::ZERO));
    let mut client = LlmClientLayer::of(&llm).layer(Model(&OPENAI));
    let mut open = |count| {
        let opened = opened(&mut client, count);
        collect(&telemetry);
        opened
    };
    let first = open(2 * STREAMS);
    let before = live();
    let second = open(STREAMS);
    let each = (live() - before) / STREAMS as i64;
    assert!(
        (700..=1_064).contains(&each),
        "{each} with the stream itself"
    );
    drop((first, second));
}

fn a_chunk_allocates_nothing() {
    let telemetry = telemetry(StatsLevel::Base);
    let mut client = client(&telemetry);
    for round in 0..3 {
        let mut body = open(&mut client, Stage::Chunks(2)).expect("it is open");
        let region = Region::new(HEAP);
        read(&mut body, 490);
        let change = region.change();
        let count = change.allocations + change.reallocations + change.deallocations;
        // Of the first stream of a thread, its cells.
        assert!(round == 0 || count == 0, "{change:?}");
        drop(body);
        collect(&telemetry);
    }
}

fn switched_off_it_allocates_nothing() {
    let telemetry = telemetry(StatsLevel::Disabled);
    let mut client = client(&telemetry);
    let count = |open: &mut dyn FnMut()| {
        open();
        let region = Region::new(HEAP);
        open();
        region.change().allocations
    };
    let bare = count(&mut || drop(open(&mut Model(&OPENAI), Stage::End)));
    let with = count(&mut || drop(open(&mut client, Stage::End)));
    assert_eq!(with, bare);
}

fn a_call_allocates_little() {
    let telemetry = telemetry(StatsLevel::Base);
    let mut client = client(&telemetry);
    let mut count = |bare: bool| {
        let region = Region::new(HEAP);
        match bare {
            true => drop(open(&mut Model(&OPENAI), Stage::End)),
            false => drop(open(&mut client, Stage::End)),
        }
        region.change().allocations
    };
    for _ in 0..64 {
        count(false);
        collect(&telemetry);
    }
    let (bare, with) = (count(true), count(false));
    assert!(with - bare <= 9, "{with} with the layer, {bare} without");
}

/// Values of a histogram, or the sum of a gauge, over all series.
fn total(telemetry: &Telemetry, name: &str) -> i64 {
    let metrics = telemetry.reader(Temporality::Cumulative).collect();
    let found = metrics.iter().filter(|metric| metric.name == name);
    found
        .map(|metric| match &metric.data {
            Data::Histogram { points, .. } => {
                points.iter().map(|point| point.count as i64).sum::<i64>()
            }
            Data::Sum { points, .. } => {
                points.iter().map(|point| point.value.as_f64() as i64).sum()
            }
            _ => 0,
        })
        .sum()
}

/// Chance that is the same in every run: SplitMix64.
fn chance(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Calls given up at random points, some of them while others are open.
fn storm(telemetry: &Telemetry, client: &mut LlmClient<Model>, calls: u32, state: &mut u64) {
    let mut opened = Vec::new();
    for _ in 0..calls {
        let stage = match chance(state) % 8 {
            0 => Stage::Called,
            1 => Stage::Pending,
            2 => Stage::Head,
            3 => Stage::End,
            _ => Stage::Chunks(chance(state) as u32 % 12),
        };
        let body = open(client, stage);
        if chance(state).is_multiple_of(2) {
            opened.extend(body);
        }
        if opened.len() >= 32 {
            let at = chance(state) as usize % opened.len();
            drop(opened.swap_remove(at));
            opened.truncate(8);
        }
        if chance(state).is_multiple_of(128) {
            collect(telemetry);
        }
    }
    drop(opened);
    collect(telemetry);
}

fn random_cancellations_leave_nothing() {
    const CALLS: u32 = 20_000;
    let telemetry = telemetry(StatsLevel::Base);
    let mut client = client(&telemetry);
    let mut state = 1;
    storm(&telemetry, &mut client, CALLS / 2, &mut state);
    let (before, count) = (live(), total(&telemetry, DURATION));
    assert_eq!(count, i64::from(CALLS / 2));
    storm(&telemetry, &mut client, CALLS, &mut state);
    let after = live();
    assert_eq!(total(&telemetry, DURATION) - count, i64::from(CALLS));
    assert_eq!(total(&telemetry, "obs.llm.client.active_calls"), 0);
    assert_eq!(telemetry.counts().panics, 0);
    let change = after.abs_diff(before) as f64 / before as f64;
    assert!(
        change <= 0.01,
        "the heap went from {before} to {after} bytes"
    );
}

const DURATION: &str = "gen_ai.client.operation.duration";

/// One after the other: side by side they would see each other's heap.
#[test]
fn what_is_held_is_little_and_nothing_is_left() {
    a_stream_holds_less_than_a_kibibyte();
    one_that_is_slow_holds_no_more();
    a_chunk_allocates_nothing();
    switched_off_it_allocates_nothing();
    a_call_allocates_little();
    random_cancellations_leave_nothing();
}
