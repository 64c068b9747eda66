//! What others do to know the same of a stream: parse each of its events.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures_core::Stream;
use serde::Deserialize;

use super::answers::{self, Answer};
use super::{CHUNKS, looks};
use crate::harness::pair::Pair;

/// Of a chunk what is wanted and nothing else.
#[derive(Debug, Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    model: Option<&'a str>,
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// What is known in the end.
#[derive(Debug, Default)]
struct Known {
    first: Option<Instant>,
    last: Option<Instant>,
    chunks: u64,
    tokens: u64,
}

impl Known {
    fn chunk(&mut self) {
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.chunks += 1;
    }

    fn told(&mut self, data: &str) {
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(data) else {
            return;
        };
        let has_content = |choice: &Choice| {
            let content = choice.delta.content.as_deref();
            content.is_some_and(|content| !content.is_empty()) && choice.finish_reason.is_none()
        };
        if chunk.choices.iter().any(has_content) {
            self.chunk();
        }
        if let Some(usage) = chunk.usage {
            self.tokens = usage.prompt_tokens + usage.completion_tokens;
        }
        std::hint::black_box(chunk.model);
    }
}

fn pair(with: impl FnMut() + 'static) -> Pair {
    let bare = looks(answers::openai(200), |data| {
        std::hint::black_box(data.len());
    });
    Pair::new(bare, with).with_per_call(CHUNKS).with_burst(4)
}

/// What stands in a frame that is one event: nobody who reads sockets can count on that.
fn data(frame: &Bytes) -> Option<&str> {
    let text = std::str::from_utf8(frame).ok()?;
    text.strip_prefix("data: ").map(str::trim_end)
}

/// Each event into a struct of what is wanted.
pub(crate) fn typed() -> Pair {
    let mut known = Known::default();
    pair(looks(answers::openai(200), move |frame| {
        if let Some(data) = data(frame) {
            known.told(data);
        }
        std::hint::black_box(known.chunks);
    }))
}

/// Each event into a tree.
pub(crate) fn value() -> Pair {
    let mut known = Known::default();
    pair(looks(answers::openai(200), move |frame| {
        let value =
            data(frame).and_then(|data| serde_json::from_str::<serde_json::Value>(data).ok());
        let Some(value) = value else { return };
        let content = &value["choices"][0]["delta"]["content"];
        if content.as_str().is_some_and(|content| !content.is_empty()) {
            known.chunk();
        }
        if let Some(tokens) = value["usage"]["total_tokens"].as_u64() {
            known.tokens = tokens;
        }
        std::hint::black_box(known.chunks);
    }))
}

/// As client libraries do it: events out of bytes by `eventsource-stream`, then each into a struct.
pub(crate) fn eventsource() -> Pair {
    let answer = answers::openai(200);
    pair(move || {
        let mut known = Known::default();
        let mut events = pin!(Frames(answer.clone(), 0).eventsource());
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(event)) = events.as_mut().poll_next(&mut context) {
            if let Ok(event) = event {
                known.told(&event.data);
            }
        }
        assert_eq!(known.chunks, CHUNKS);
    })
}

struct Frames(Answer, usize);

impl Stream for Frames {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.1 += 1;
        Poll::Ready(self.0.frames.get(self.1 - 1).cloned().map(Ok))
    }
}
