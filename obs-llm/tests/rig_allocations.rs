//! A chunk of a streamed answer asks for no more of the heap than without the layer.
//!
//! A binary of its own with one test: it counts the allocations of the whole process.

#[path = "rig/client.rs"]
mod client;

use bytes::Bytes;
use client::Sends;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use obs_llm::Llm;
use obs_llm::adapters::rig::ModelLayer;
use obs_testing::Capture;
use rig_core::DynModel;
use rig_core::completion::CompletionRequest;
use rig_core::operation::Completion;
use rig_core::providers::openai::OpenAIConfig;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::convert::Infallible;
use tower::util::service_fn;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CHUNK: &str = "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},\"finish_reason\":null}]}\n\n";
const END: &str = "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// How often the heap is asked while an answer of so many chunks is read.
async fn asked(model: &DynModel<Completion>) -> usize {
    let region = Region::new(HEAP);
    let mut stream = model
        .stream(CompletionRequest::new("hi"))
        .expect("a stream");
    while let Some(item) = stream.next().await {
        drop(item.expect("unbroken"));
    }
    drop(stream);
    let change = region.change();
    change.allocations + change.reallocations
}

/// By a model that answers in so many chunks, and by the same with the layer.
async fn both(chunks: usize, capture: &Capture) -> (usize, usize) {
    let answers = service_fn(move |_: Request<Full<Bytes>>| {
        let pieces = std::iter::repeat_n(CHUNK, chunks).chain([END]);
        let frames = pieces
            .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece.as_bytes()))));
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let head = Response::builder().header("content-type", "text/event-stream");
        std::future::ready(Ok::<_, Infallible>(head.body(body).expect("a head")))
    });
    let config = OpenAIConfig::new("sk-secret").with_base_url("http://127.0.0.1/v1");
    let model = config.connect(Sends(answers)).chat("gpt-4o-mini");
    let layer = ModelLayer::new(&Llm::new(capture.telemetry()));
    let observed = layer.layer(model.clone()).erase();
    let bare = model.erase();
    // What is made once is there.
    for model in [&bare, &observed] {
        asked(model).await;
    }
    (asked(&bare).await, asked(&observed).await)
}

#[tokio::test]
async fn a_chunk_asks_for_nothing_more() {
    let capture = Capture::new();
    let few = both(100, &capture).await;
    let many = both(1100, &capture).await;
    assert!(many.0 - few.0 >= 1000, "rig makes something of each chunk");
    assert_eq!(many.1 - few.1, many.0 - few.0, "{few:?} {many:?}");
    assert_eq!(capture.count("gen_ai.client.operation.duration"), 4);
}
