//! A call that is carried by a stream: of chunks of a library's, and of bytes.

use futures_util::stream::{self, Iter};
use futures_util::{FutureExt, Stream, StreamExt};
use obs_core::{End, StatsLevel};
use obs_llm::wire::{Content, Framing, RequestSink, ResponseSink, Wire};
use obs_llm::{
    Dialect, InstrumentedStream, Llm, LlmCall, LlmOperation, Observe, Provider, Tokens, Usage,
};
use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::cell::Cell;
use std::iter::Copied;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{fs, io};

const MS: Duration = Duration::from_millis(1);
const DURATION: &str = "gen_ai.client.operation.duration";
const FIRST: &str = "gen_ai.client.operation.time_to_first_chunk";
const GAP: &str = "gen_ai.client.operation.time_per_output_chunk";
const ACTIVE: &str = "obs.llm.client.active_calls";

/// A chunk as a library has it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Chunk {
    Role,
    Text,
    Finish,
    Usage,
    Done,
}

static ANSWER: [Chunk; 7] = [
    Chunk::Role,
    Chunk::Text,
    Chunk::Text,
    Chunk::Text,
    Chunk::Finish,
    Chunk::Usage,
    Chunk::Done,
];

fn observe(chunk: &Chunk, call: &mut LlmCall) {
    match chunk {
        Chunk::Role => {}
        Chunk::Text => call.content(Content::Text),
        Chunk::Finish => call.finish_reason(0, "stop"),
        Chunk::Usage => {
            call.usage(&Usage::new().with(Tokens::Input, 9).with(Tokens::Output, 3));
        }
        Chunk::Done => ResponseSink::complete(call),
    }
}

fn call(capture: &Capture) -> LlmCall {
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
    call.model("m");
    call
}

/// A stream that takes 10 ms for each item, and counts how often it is asked.
struct Slow {
    clock: obs_testing::ManualClock,
    items: Copied<std::slice::Iter<'static, Chunk>>,
    asked: Rc<Cell<usize>>,
}

impl Stream for Slow {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.asked.set(self.asked.get() + 1);
        self.clock.advance(10 * MS);
        Poll::Ready(self.items.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

fn slow(capture: &Capture) -> (Slow, Rc<Cell<usize>>) {
    let asked = Rc::new(Cell::new(0));
    let slow = Slow {
        clock: capture.clock().clone(),
        items: ANSWER.iter().copied(),
        asked: asked.clone(),
    };
    (slow, asked)
}

fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    stream.next().now_or_never().expect("it is there")
}

#[test]
fn items_pass_as_they_are_asked_for_and_have_their_times() {
    let capture = Capture::new();
    let (inner, asked) = slow(&capture);
    let mut stream = InstrumentedStream::new(inner, call(&capture), observe);
    assert_eq!(asked.get(), 0);
    for (index, chunk) in ANSWER.iter().enumerate() {
        assert_eq!(stream.size_hint(), (7 - index, Some(7 - index)));
        assert_eq!(capture.in_flight(ACTIVE), 1);
        assert_eq!(next(&mut stream), Some(*chunk));
        assert_eq!(asked.get(), index + 1);
    }
    // With what ends the format, not with what ends the stream.
    assert_eq!(capture.in_flight(ACTIVE), 0);
    assert_eq!(next(&mut stream), None);
    assert_eq!(next(&mut stream), None);
    assert_eq!(asked.get(), 9);
    drop(stream);
    let record = capture.record();
    assert_eq!(record.outcome.end(), End::Answered);
    let first = record.attr("gen_ai.response.time_to_first_chunk");
    assert_eq!(first, Some(&0.02.into()));
    assert_eq!(record.attr("obs.llm.response.chunks"), Some(&3_i64.into()));
    let points = capture.points();
    let total = |name| {
        points
            .histogram(name, &[])
            .expect("there")
            .sum
            .expect("a sum")
    };
    assert_eq!(
        (total(DURATION), total(FIRST), total(GAP)),
        (0.07, 0.02, 0.02)
    );
    assert_eq!((capture.count(DURATION), capture.count(GAP)), (1, 2));
}

/// Reads so many items, and drops the rest.
fn dropped_after(count: usize) -> (CapturedRecord, Capture) {
    let capture = Capture::new();
    let (inner, _) = slow(&capture);
    let mut stream = InstrumentedStream::new(inner, call(&capture), observe);
    for _ in 0..count {
        next(&mut stream);
    }
    drop(stream);
    assert_eq!(capture.in_flight(ACTIVE), 0, "after {count}");
    assert_eq!(capture.count(DURATION), 1, "after {count}");
    (capture.record(), capture)
}

#[test]
fn dropped_after_each_item_it_ends_once_with_what_is_known() {
    for count in 0..=ANSWER.len() + 1 {
        let (record, capture) = dropped_after(count);
        let has_reason = count > 4;
        let (end, error) = match has_reason {
            true => (End::Answered, None),
            false => (End::Cancelled, Some("cancelled")),
        };
        assert_eq!(record.outcome.end(), end, "after {count}");
        assert_eq!(record.error_type(), error, "after {count}");
        let reason = if has_reason { "stop" } else { "error" };
        let reasons = AttrValue::Array(vec![reason.into()]);
        assert_eq!(
            record.attr("gen_ai.response.finish_reasons"),
            Some(&reasons)
        );
        let input = record.attr("gen_ai.usage.input_tokens").cloned();
        assert_eq!(input, (count > 5).then(|| 9_i64.into()), "after {count}");
        let chunks = count.saturating_sub(1).min(3) as u64;
        assert_eq!(capture.count(FIRST), chunks.min(1), "after {count}");
        assert_eq!(
            capture.count(GAP),
            chunks.saturating_sub(1),
            "after {count}"
        );
    }
}

#[test]
fn a_stream_that_is_over_has_answered_unless_who_knows_its_format_says_otherwise() {
    struct Strict;
    impl Observe<Chunk> for Strict {
        fn observe(&mut self, item: &Chunk, call: &mut LlmCall) {
            observe(item, call);
        }
        fn over(&mut self, call: &mut LlmCall) {
            call.set_error(obs_llm::INCOMPLETE);
        }
    }
    let capture = Capture::new();
    let half = || stream::iter(ANSWER).take(3);
    let observed = InstrumentedStream::new(half(), call(&capture), observe);
    assert_eq!(observed.count().now_or_never(), Some(3));
    assert_eq!(capture.take_records()[0].error_type(), None);
    let observed = InstrumentedStream::new(half(), call(&capture), Strict);
    assert_eq!(observed.count().now_or_never(), Some(3));
    let record = capture.record();
    assert_eq!(record.error_type(), Some("incomplete_response"));
    assert_eq!(capture.in_flight(ACTIVE), 0);
}

#[test]
fn a_stream_that_panics_ends_a_call_that_panicked() {
    let capture = Capture::new();
    let inner = stream::iter(ANSWER).map(|chunk| match chunk {
        Chunk::Finish => panic!("in the stream"),
        chunk => chunk,
    });
    let mut stream = InstrumentedStream::new(inner, call(&capture), observe);
    for _ in 0..4 {
        next(&mut stream);
    }
    let caught = catch_unwind(AssertUnwindSafe(|| next(&mut stream)));
    caught.expect_err("it panics as it would");
    assert_eq!(capture.in_flight(ACTIVE), 0);
    let record = capture.record();
    assert_eq!(record.outcome.end(), End::Panicked);
    assert_eq!(record.attr("obs.llm.response.chunks"), Some(&3_i64.into()));
    drop(stream);
    assert_eq!(capture.count(DURATION), 1);
}

/// Caught by who reads on: that is no cancelled call.
#[test]
fn a_closure_that_panics_ends_a_call_that_panicked() {
    let capture = Capture::new();
    let panics = |item: &u8, _: &mut LlmCall| assert_ne!(*item, 2, "the closure's own");
    let mut stream = InstrumentedStream::new(stream::iter([1, 2, 3]), call(&capture), panics);
    assert_eq!(next(&mut stream), Some(1));
    let caught = catch_unwind(AssertUnwindSafe(|| next(&mut stream)));
    caught.expect_err("it panics as it would");
    assert_eq!(capture.record().error_type(), Some("panic"));
    // Nobody is asked any more.
    assert_eq!((next(&mut stream), next(&mut stream)), (Some(3), None));
    drop(stream);
    assert_eq!(capture.records().len(), 1);
}

#[test]
fn one_that_waits_is_asked_no_more_than_its_reader_asks() {
    let capture = Capture::new();
    let inner = stream::pending::<Chunk>();
    let mut stream = InstrumentedStream::new(inner, call(&capture), observe);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert!(stream.poll_next_unpin(&mut context).is_pending());
    }
    assert_eq!(capture.in_flight(ACTIVE), 1);
    drop(stream);
    assert_eq!(capture.record().outcome.end(), End::Cancelled);
}

#[test]
fn switched_off_it_passes_items_and_records_nothing() {
    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    let inner = stream::iter(ANSWER);
    let never = |_: &Chunk, _: &mut LlmCall| unreachable!("nobody wants to know");
    let mut stream = InstrumentedStream::new(inner, call(&capture), never);
    assert!(!stream.call_mut().is_recording());
    assert_eq!(stream.get_ref().size_hint(), (7, Some(7)));
    assert_eq!(stream.count().now_or_never(), Some(7));
    assert_eq!(capture.records().len(), 0);
    assert_eq!(capture.count(DURATION), 0);
}

type Read = Result<Vec<u8>, io::Error>;

fn bytes(pieces: &[&[u8]], error: bool) -> Iter<std::vec::IntoIter<Read>> {
    let pieces = pieces.iter().map(|piece| Ok(piece.to_vec()));
    let broken = error.then(|| Err(io::Error::other("broken")));
    stream::iter(pieces.chain(broken).collect::<Vec<_>>())
}

/// Answers of each format that is streamed, with what they tell.
fn corpus() -> Vec<(String, Wire, Framing, Vec<u8>, String)> {
    let folders = [
        ("openai_chat", Wire::OpenAiChat, "sse"),
        ("openai_responses", Wire::OpenAiResponses, "sse"),
        ("anthropic", Wire::AnthropicMessages, "sse"),
        ("gemini", Wire::Gemini, "sse"),
        ("ollama", Wire::Ollama, "ndjson"),
    ];
    let mut cases = Vec::new();
    for (folder, wire, extension) in folders {
        let before = cases.len();
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
        for entry in fs::read_dir(all.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|found| found != extension) {
                continue;
            }
            let framing = match extension {
                "sse" => Framing::EventStream,
                _ => Framing::Lines,
            };
            let told = fs::read_to_string(path.with_extension("told")).unwrap();
            let bytes = fs::read(&path).unwrap();
            cases.push((path.display().to_string(), wire, framing, bytes, told));
        }
        assert!(cases.len() >= before + 4, "{folder}");
    }
    cases
}

/// The last report of this kind.
fn tokens(told: &str, kind: &str) -> Option<i64> {
    let reports = told.lines().filter_map(|line| line.strip_prefix("usage "));
    let counts = reports.flat_map(str::split_whitespace);
    let mut counts = counts.filter_map(|count| count.split_once('='));
    let last = counts.rfind(|(of, _)| *of == kind);
    last.map(|(_, count)| count.parse().expect("a number"))
}

/// How many events bring content.
fn contents(told: &str) -> i64 {
    let lines = told
        .lines()
        .filter_map(|line| line.strip_prefix("content "));
    let counts = lines.map(|line| match line.split_once('*') {
        Some((_, times)) => times.parse().expect("a number"),
        None => 1,
    });
    counts.sum()
}

#[test]
fn bytes_pass_as_they_are_and_are_read_in_whatever_pieces_they_come() {
    for (name, wire, framing, sent, told) in corpus() {
        for size in [1, 7, sent.len()] {
            let capture = Capture::new();
            let pieces: Vec<&[u8]> = sent.chunks(size).collect();
            let inner = bytes(&pieces, false);
            let stream = InstrumentedStream::of_bytes(inner, call(&capture), wire, framing);
            let read: Vec<Read> = stream.collect().now_or_never().expect("all is there");
            let read: Vec<u8> = read.into_iter().flat_map(Result::unwrap).collect();
            assert_eq!(read, sent, "{name}");
            let record = capture.record();
            let int = |key| record.attr(key).and_then(AttrValue::as_i64);
            let input = int("gen_ai.usage.input_tokens");
            assert_eq!(input, tokens(&told, "Input"), "{name}");
            let output = int("gen_ai.usage.output_tokens");
            assert_eq!(output, tokens(&told, "Output"), "{name}");
            let chunks = int("obs.llm.response.chunks").unwrap_or(0);
            assert_eq!(chunks, contents(&told), "{name}");
            let is_failed = told.lines().any(|line| line.starts_with("error "));
            let is_whole = told
                .lines()
                .any(|line| line == "complete" || line.starts_with("finish "));
            assert_eq!(record.outcome.is_error(), is_failed || !is_whole, "{name}");
            assert_eq!(capture.in_flight(ACTIVE), 0);
        }
    }
}

#[test]
fn what_breaks_and_what_ends_too_early_are_told_apart() {
    let event = br#"data: {"choices":[{"index":0,"delta":{"content":"a"}}]}

"#;
    for (error, expect) in [(true, "body_error"), (false, "incomplete_response")] {
        let capture = Capture::new();
        let inner = bytes(&[event, b"data: {"], error);
        let (wire, framing) = (Wire::OpenAiChat, Framing::EventStream);
        let stream = InstrumentedStream::of_bytes(inner, call(&capture), wire, framing);
        let read: Vec<Read> = stream.collect().now_or_never().expect("all is there");
        assert_eq!(read.len(), 2 + usize::from(error));
        assert_eq!(read.last().is_some_and(Result::is_err), error);
        let record = capture.record();
        assert_eq!(record.error_type(), Some(expect));
        assert_eq!(record.text("obs.llm.wire"), Some("openai_chat"));
        assert_eq!(capture.in_flight(ACTIVE), 0);
    }
}
