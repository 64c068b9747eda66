//! An answer that is read as it is written.

use axum::body::Body;
use http_body::Body as _;
use serde_json::Value;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio_stream::Stream;
use tower::BoxError;

/// A line of an answer may not be longer.
const LONGEST: usize = 1 << 20;

/// A piece of an answer.
#[derive(Debug)]
pub(crate) enum Word {
    /// Some of its text.
    Text(String),
    /// The tokens that it took.
    Usage {
        /// Read.
        read: u64,
        /// Written.
        written: u64,
    },
}

/// The pieces of an answer, as server-sent events bring them. It ends with an error where they break off.
#[derive(Debug)]
pub(crate) struct Words {
    body: Body,
    bytes: Vec<u8>,
    words: VecDeque<Word>,
    is_whole: bool,
    is_over: bool,
}

impl Words {
    pub(super) fn of(body: Body) -> Self {
        Self {
            body,
            bytes: Vec::new(),
            words: VecDeque::new(),
            is_whole: false,
            is_over: false,
        }
    }

    /// Takes what came: whole lines of it.
    fn take(&mut self, data: &[u8]) -> Result<(), BoxError> {
        self.bytes.extend_from_slice(data);
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            // The last of all is no JSON.
            let data = line.strip_prefix(b"data:");
            if let Some(chunk) = data.and_then(|data| serde_json::from_slice(data).ok()) {
                self.read(&chunk);
            }
        }
        match self.bytes.len() > LONGEST {
            true => Err("its answer makes no sense".into()),
            false => Ok(()),
        }
    }

    fn read(&mut self, chunk: &Value) {
        let choice = &chunk["choices"][0];
        let text = choice["delta"]["content"].as_str().unwrap_or_default();
        if !text.is_empty() {
            self.words.push_back(Word::Text(text.to_owned()));
        }
        let count = |name| chunk["usage"][name].as_u64();
        if let (Some(read), Some(written)) = (count("prompt_tokens"), count("completion_tokens")) {
            self.words.push_back(Word::Usage { read, written });
        }
        self.is_whole |= choice["finish_reason"].is_string();
    }
}

impl Stream for Words {
    type Item = Result<Word, BoxError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Word, BoxError>>> {
        loop {
            if let Some(word) = self.words.pop_front() {
                return Poll::Ready(Some(Ok(word)));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            let taken = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.take(&data),
                    Err(_) => Ok(()),
                },
                Some(Err(error)) => Err(error.into()),
                None => {
                    self.is_over = true;
                    match self.is_whole {
                        true => Ok(()),
                        false => Err("its answer broke off".into()),
                    }
                }
            };
            if let Err(error) = taken {
                self.is_over = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}
