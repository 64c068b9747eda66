//! What one call has said so far.

use super::Capture;
use super::answer::Answer;
use super::json;
use super::message::{Exchange, Message, Part};
use super::pool::{Pool, Share};
use super::requests;
use crate::bill::CountTokens;
use crate::estimate::ChatOverhead;
use crate::wire::{Content, Framing, Wire};
use obs_core::otel::{KeyValue, Value};
use obs_core::{Body, Key, Set};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The body of a request, kept as it passes: by whoever sends it, on whichever task.
#[derive(Clone, Debug)]
pub(crate) struct Keeping(Arc<Mutex<Kept>>);

struct Kept {
    wire: Wire,
    bytes: Vec<u8>,
    most: usize,
    missing: usize,
    share: Share,
    refused: bool,
}

/// Without what it says.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("bytes", &self.bytes.len())
            .field("missing", &self.missing)
            .finish_non_exhaustive()
    }
}

impl Keeping {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A further attempt sends it from its beginning.
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "the layer's"))]
    pub(crate) fn restart(&self) {
        let mut kept = self.lock();
        kept.bytes.clear();
        kept.missing = 0;
        kept.refused = false;
        kept.share.release();
    }

    /// The next bytes of the body, of which this many more are not shown.
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "the layer's"))]
    pub(crate) fn push(&self, bytes: &[u8], unseen: usize) {
        let mut kept = self.lock();
        let kept = &mut *kept;
        // Behind a hole nothing is read.
        let room = match kept.missing {
            0 => kept.most.saturating_sub(kept.bytes.len()),
            _ => 0,
        };
        let held = bytes.len().min(room);
        if kept.refused || !kept.share.grow(held) {
            kept.refused = true;
            kept.bytes = Vec::new();
            kept.share.release();
            return;
        }
        kept.bytes.extend_from_slice(&bytes[..held]);
        kept.missing += bytes.len() - held + unseen;
    }
}

/// Where content is to be told, or its tokens are to be counted: a place for what a call says.
pub(crate) fn begin(capture: &Capture, pool: &'static Pool, counts: bool) -> Option<Gathered> {
    let most = (capture.request_bytes, capture.call_bytes);
    (counts || capture.is_on()).then(|| Gathered::new(pool, most))
}

/// All that a call has said.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(super) exchange: Exchange,
    /// What was asked for, and said of the answer, beside what is in it.
    pub(super) facts: Vec<KeyValue>,
    /// How many bytes are not in it.
    pub(super) cut: usize,
    /// Its room in the pool, until it is told.
    pub(super) _share: Share,
}

impl Finished {
    /// How many tokens its input has by this count; `None` where not all of it is there, or the model's tokens are not known.
    pub(crate) fn input_tokens(
        &self,
        model: &str,
        overhead: ChatOverhead,
        counter: &dyn CountTokens,
    ) -> Option<u64> {
        let exchange = &self.exchange;
        let is_whole = self.cut == 0 && !exchange.input.is_empty();
        let system = ("system", texts(&exchange.system));
        let system = Some(system).filter(|(_, text)| !text.is_empty());
        let messages = exchange.input.iter();
        let messages = messages.map(|message| (&*message.role, texts(&message.parts)));
        let all: Vec<_> = system.into_iter().chain(messages).collect();
        let all = all.iter().map(|(role, text)| (*role, None, &**text));
        is_whole
            .then(|| overhead.input(model, counter, all))
            .flatten()
    }
}

/// What a message says in text.
fn texts(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) | Part::Reasoning(text) => Some(&**text),
        Part::ToolCallResponse {
            response: Body::Text(text),
            ..
        } => Some(&**text),
        _ => None,
    });
    texts.collect()
}

/// What a call has said so far.
#[derive(Debug)]
pub(crate) struct Gathered {
    pool: &'static Pool,
    request: Option<Keeping>,
    answer: Option<Answer>,
    by_hand: Exchange,
    facts: Vec<KeyValue>,
    share: Share,
    refused: bool,
    /// The most bytes of a request, and of the texts of an answer.
    most: (usize, usize),
    /// Bytes of pieces that were told by hand, if any were, and how many of them are not held.
    streamed: Option<usize>,
    cut: usize,
}

impl Gathered {
    pub(crate) fn new(pool: &'static Pool, most: (usize, usize)) -> Self {
        Self {
            pool,
            request: None,
            answer: None,
            by_hand: Exchange::default(),
            facts: Vec::new(),
            share: Share::of(pool),
            refused: false,
            most,
            streamed: None,
            cut: 0,
        }
    }

    /// Whoever sends the request tells what it says.
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "the layer's"))]
    pub(crate) fn keep_request(&mut self, wire: Wire) -> Keeping {
        let kept = Kept {
            wire,
            bytes: Vec::new(),
            most: self.most.0,
            missing: 0,
            share: Share::of(self.pool),
            refused: false,
        };
        let keeping = Keeping(Arc::new(Mutex::new(kept)));
        self.request = Some(keeping.clone());
        keeping
    }

    /// The next bytes of the answer.
    #[cfg_attr(
        not(any(feature = "client", feature = "stream")),
        expect(dead_code, reason = "who reads bytes")
    )]
    pub(crate) fn read(&mut self, wire: Wire, framing: Framing, bytes: &[u8]) {
        let answer = self
            .answer
            .get_or_insert_with(|| Answer::new(wire, framing, Share::of(self.pool), self.most.1));
        answer.feed(bytes);
    }

    /// What was asked for; the last counts. A call has a dozen.
    pub(crate) fn say(&mut self, key: Key, value: Set<'_>) {
        let value: Value = match value {
            Set::Bool(value) => value.into(),
            Set::I64(value) => value.into(),
            Set::F64(value) => value.into(),
            Set::Static(text) => text.into(),
            Set::Copied(text) => text.to_owned().into(),
            _ => return,
        };
        self.facts.retain(|fact| fact.key.as_str() != key.as_str());
        self.facts.push(KeyValue::new(key.as_str(), value));
    }

    /// Something is told by hand, of about this size.
    fn add(&mut self, bytes: usize, add: impl FnOnce(&mut Exchange)) {
        if self.refused {
            return;
        }
        match self.share.grow(bytes) {
            true => add(&mut self.by_hand),
            false => {
                self.refused = true;
                self.by_hand = Exchange::default();
                self.share.release();
            }
        }
    }

    pub(crate) fn input(&mut self, message: Message) {
        self.add(size(&message), |to| to.input.push(message));
    }

    pub(crate) fn output(&mut self, message: Message) {
        self.add(size(&message), |to| to.output.push(message));
    }

    /// A piece of an answer that is streamed, and told by hand.
    pub(crate) fn piece(&mut self, kind: Content, piece: &str) {
        let streamed = self.streamed.unwrap_or_default();
        let held = piece.len().min(self.most.1.saturating_sub(streamed));
        let end = (0..=held).rev().find(|end| piece.is_char_boundary(*end));
        let held = &piece[..end.unwrap_or_default()];
        self.streamed = Some(streamed.saturating_add(piece.len()));
        self.cut += piece.len() - held.len();
        if held.is_empty() {
            return;
        }
        self.add(held.len(), |to| {
            let parts = &mut answer(to).parts;
            match (kind, parts.last_mut()) {
                (Content::Text, Some(Part::Text(text)))
                | (Content::Reasoning, Some(Part::Reasoning(text)))
                | (
                    Content::ToolCall,
                    Some(Part::ToolCall {
                        arguments: Body::Text(text),
                        ..
                    }),
                ) => text.push_str(held),
                (Content::Text, _) => parts.push(Part::Text(held.to_owned())),
                (Content::Reasoning, _) => parts.push(Part::Reasoning(held.to_owned())),
                // Arguments of a tool that nobody named, and media, which are never told themselves.
                _ => {}
            }
        });
    }

    /// Why such an answer ended.
    pub(crate) fn finish_reason(&mut self, reason: &str) {
        if let Some(message) = self
            .by_hand
            .output
            .last_mut()
            .filter(|_| self.streamed.is_some())
        {
            message.finish_reason = Some(reason.to_owned());
        }
    }

    /// A tool that such an answer asks for.
    pub(crate) fn tool_call(&mut self, name: &str, id: Option<&str>) {
        self.streamed.get_or_insert_default();
        self.add(name.len() + 128, |to| {
            answer(to).parts.push(Part::ToolCall {
                id: id.map(str::to_owned),
                name: name.to_owned(),
                arguments: Body::Text(String::new()),
            });
        });
    }

    pub(crate) fn system(&mut self, text: &str) {
        self.add(text.len(), |to| to.system.push(Part::Text(text.to_owned())));
    }

    pub(crate) fn tool(&mut self, tool: Body) {
        self.add(size_of_body(&tool), |to| to.tools.push(tool));
    }

    /// All that was said, and how many bytes of it are not in it; `None` where there was no room for it among all calls. What is
    /// told by hand beats what was read: who tells it knows better.
    pub(crate) fn finish(self) -> Option<Finished> {
        let mut exchange = self.by_hand;
        let mut cut = self.cut;
        if self.streamed.is_some() {
            settle(&mut exchange);
        }
        let mut refused = self.refused;
        if let Some(kept) = self.request.as_ref().map(Keeping::lock) {
            refused |= kept.refused;
            cut += kept.missing;
            if exchange.input.is_empty() {
                let request = json::read(&kept.bytes, kept.missing);
                if let Some(request) = request {
                    requests::read(kept.wire, &request, &mut exchange);
                }
            }
        }
        if let Some(answer) = self.answer {
            match answer.finish() {
                Some((messages, missing)) if exchange.output.is_empty() => {
                    exchange.output = messages;
                    cut += missing;
                }
                Some(_) => {}
                None => refused = true,
            }
        }
        (!refused).then_some(Finished {
            exchange,
            facts: self.facts,
            cut,
            _share: self.share,
        })
    }
}

/// The message of an answer that is told in pieces.
fn answer(of: &mut Exchange) -> &mut Message {
    if of.output.is_empty() {
        of.output.push(Message::new("assistant"));
    }
    let last = of.output.len() - 1;
    &mut of.output[last]
}

/// Arguments that came in pieces are whole now.
fn settle(exchange: &mut Exchange) {
    let parts = { exchange.output.iter_mut() }.flat_map(|message| &mut message.parts);
    for part in parts {
        if let Part::ToolCall { arguments, .. } = part
            && let Body::Text(text) = arguments
        {
            *arguments = match text.is_empty() {
                true => Body::Empty,
                false => json::arguments(std::mem::take(text)),
            };
        }
    }
}

fn size(message: &Message) -> usize {
    let parts = message.parts.iter().map(|part| match part {
        Part::Text(text) | Part::Reasoning(text) => text.len(),
        Part::ToolCall { arguments, .. } => size_of_body(arguments),
        Part::ToolCallResponse { response, .. } => size_of_body(response),
        _ => 0,
    });
    64 + parts.map(|part| part + 64).sum::<usize>()
}

fn size_of_body(of: &Body) -> usize {
    size_of::<Body>()
        + match of {
            Body::Text(text) => text.len(),
            Body::Bytes(bytes) => bytes.len(),
            Body::List(list) => list.iter().map(size_of_body).sum(),
            Body::Map(map) => {
                let sizes = map.iter();
                sizes.map(|(key, of)| key.len() + size_of_body(of)).sum()
            }
            _ => 0,
        }
}
