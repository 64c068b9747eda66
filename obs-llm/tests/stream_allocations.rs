//! A chunk of a stream asks for no byte of the heap, whatever reads it.
//!
//! A binary of its own with one test: it counts the allocations of the whole process.

use futures_util::{FutureExt, StreamExt, stream};
use obs_llm::wire::{Content, Framing, ResponseSink, Wire};
use obs_llm::{InstrumentedStream, Llm, LlmCall, LlmOperation, Provider};
use obs_testing::Capture;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::io;
use std::pin::pin;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const EVENT: &[u8] = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";

/// Reads a stream without an end: the first hundred items may need something, the next thousand may not.
fn check(stream: impl futures_util::Stream) {
    assert!(size_of_val(&stream) <= 1024, "{}", size_of_val(&stream));
    let mut stream = pin!(stream);
    let mut read = |count| {
        for _ in 0..count {
            stream.next().now_or_never().expect("it is there");
        }
    };
    read(100);
    let region = Region::new(HEAP);
    read(1_000);
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0));
}

#[test]
fn a_chunk_asks_for_nothing_and_a_stream_holds_no_kibibyte() {
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry());
    let call = || llm.call(LlmOperation::Chat, &Provider::OPENAI);
    let inner = stream::repeat_with(|| Ok::<_, io::Error>(EVENT));
    let (wire, framing) = (Wire::OpenAiChat, Framing::EventStream);
    check(InstrumentedStream::of_bytes(inner, call(), wire, framing));
    let observe = |_: &u32, call: &mut LlmCall| call.content(Content::Text);
    check(InstrumentedStream::new(stream::repeat(1), call(), observe));
    for record in capture.records() {
        assert_eq!(
            record.attr("obs.llm.response.chunks"),
            Some(&1_100_i64.into())
        );
    }
    assert_eq!(capture.records().len(), 2);
}
