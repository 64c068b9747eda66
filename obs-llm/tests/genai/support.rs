//! Clients, and what is to be known of the only call.

pub(crate) use crate::record::{ACTIVE, DURATION, FIRST, TOKENS, int, over};
use crate::server::Server;
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{ChatFrameSink, ChatRequest, ChatStreamEvent, FrameCtx, RawFrameRef, StreamEnd};
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ServiceTarget};
use obs_llm::adapters::genai::{ChatStream, Client};
use obs_llm::{Dialect, Llm};
use obs_testing::Capture;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) fn llm(capture: &Capture) -> Llm {
    Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41)
}

/// Without proxies, whatever the environment says.
pub(crate) fn bare() -> genai::ClientBuilder {
    let reqwest = reqwest::Client::builder().no_proxy().build();
    genai::Client::builder().with_reqwest(reqwest.expect("a client"))
}

pub(crate) fn client(capture: &Capture) -> Client {
    Client::new(bare().build().expect("a client"), &llm(capture))
}

pub(crate) fn target(kind: AdapterKind, url: String, model: &str) -> ServiceTarget {
    ServiceTarget {
        endpoint: Endpoint::from_owned(url),
        auth: AuthData::from_single("sk-secret"),
        model: ModelIden::new(kind, model),
    }
}

pub(crate) fn openai(server: &Server) -> ServiceTarget {
    target(AdapterKind::OpenAI, server.url("/v1/"), "gpt-4o-mini")
}

pub(crate) fn anthropic(server: &Server) -> ServiceTarget {
    let kind = AdapterKind::Anthropic;
    target(kind, server.url("/v1/"), "claude-sonnet-4-5")
}

pub(crate) fn hello() -> ChatRequest {
    ChatRequest::from_user("what nobody is to know")
}

/// Reads so many events.
pub(crate) async fn read(stream: &mut ChatStream, events: usize) -> Vec<ChatStreamEvent> {
    let mut read = Vec::new();
    while read.len() < events {
        let event = crate::server::soon(stream.next()).await;
        read.push(event.expect("more").expect("unbroken"));
    }
    read
}

/// A sink that counts.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) frames: AtomicU32,
    pub(crate) ends: AtomicU32,
}

impl ChatFrameSink for Counts {
    fn on_frame(&self, _: &FrameCtx, _: RawFrameRef<'_>) {
        self.frames.fetch_add(1, Ordering::Relaxed);
    }

    fn on_end(&self, _: &FrameCtx, _: &StreamEnd) {
        self.ends.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counts {
    pub(crate) fn seen(&self) -> usize {
        self.frames.load(Ordering::Relaxed) as usize
    }

    #[track_caller]
    pub(crate) fn has_seen_all(&self) {
        assert_eq!(self.seen(), crate::answers::EVENTS.len());
        assert_eq!(self.ends.load(Ordering::Relaxed), 1);
    }
}
