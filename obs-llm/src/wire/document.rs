//! What the documents of an answer tell, by the table of its format.

mod act;
mod facts;

use super::{
    Content, Malformed, ResponseSink,
    json::{Json, Told, Value, Want},
    shape::Recorder,
    string,
};
use crate::usage::Usage;
use facts::*;

pub(crate) use act::{Act, Effect, Format, Word};
pub(crate) use facts::Facts;

/// One document after the other.
#[derive(Debug)]
pub(crate) struct Document {
    json: Json,
    facts: Facts,
    format: &'static Format,
}

impl Document {
    pub(crate) fn new(format: &'static Format) -> Self {
        Self {
            json: Json::new(),
            facts: Facts::new(),
            format,
        }
    }

    /// Tells pieces of content, too.
    pub(crate) fn tell_texts(&mut self) {
        self.facts.texts = true;
    }

    pub(crate) fn texts(&self) -> bool {
        self.facts.texts
    }

    /// Tokens that are kept between two documents, until the next [begins](Self::begin).
    #[inline]
    pub(crate) fn usage(&self) -> &Usage {
        &self.facts.usage
    }

    /// Keeps them.
    pub(crate) fn keep_usage(&mut self, usage: Usage) {
        self.facts.usage = usage;
    }

    /// A document begins.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.json.restart();
        self.facts.begin_event();
    }

    /// The name of an event is to come, in pieces; not, if parts of a document are being kept.
    pub(crate) fn begin_name(&mut self) -> bool {
        self.json.begin_name()
    }

    /// A piece of it, and whether it is the last.
    pub(crate) fn name(
        &mut self,
        piece: &[u8],
        is_last: bool,
        sink: &mut impl ResponseSink,
        recorder: &mut Recorder,
    ) {
        self.json.push_some(piece);
        if is_last && self.json.is_new() {
            let (name, len) = self.json.kept_name();
            let name = string::cut(&name[..len], len);
            let mut telling = self.telling(sink, recorder);
            telling.word(telling.format.events, name);
        }
    }

    /// The name of the event that the document is of.
    pub(crate) fn event(&mut self, name: &str, sink: &mut impl ResponseSink) {
        let mut recorder = Recorder::off();
        let mut telling = self.telling(sink, &mut recorder);
        telling.word(telling.format.events, name);
    }

    /// The next bytes of the document.
    pub(crate) fn feed(&mut self, bytes: &[u8], sink: &mut impl ResponseSink) {
        self.feed_recorded(bytes, sink, &mut Recorder::off());
    }

    pub(crate) fn feed_recorded(
        &mut self,
        bytes: &[u8],
        sink: &mut impl ResponseSink,
        recorder: &mut Recorder,
    ) {
        let nodes = self.format.nodes;
        let mut telling = Telling {
            facts: &mut self.facts,
            format: self.format,
            sink,
            recorder,
        };
        self.json.feed(nodes, bytes, &mut telling);
    }

    /// The document is over, and whether it was whole: one that was not is malformed, in this way; none at all is none.
    pub(crate) fn finish(
        &mut self,
        cut: Malformed,
        sink: &mut impl ResponseSink,
        recorder: &mut Recorder,
    ) -> bool {
        let nodes = self.format.nodes;
        let is_new = self.json.is_new();
        let mut telling = Telling {
            facts: &mut self.facts,
            format: self.format,
            sink,
            recorder,
        };
        self.json.finish(nodes, &mut telling);
        let is_done = self.json.is_done();
        if !is_new && !is_done && !self.json.is_bad() {
            telling.recorder.spoil();
            telling.sink.malformed(cut);
        }
        if telling.facts.event & IS_LAST != 0 {
            telling.complete();
        }
        self.begin();
        is_done
    }

    /// Whether nothing of the document was there yet.
    pub(crate) fn is_new(&self) -> bool {
        self.json.is_new()
    }

    /// The answer is over.
    pub(crate) fn complete(&mut self, sink: &mut impl ResponseSink) {
        let mut recorder = Recorder::off();
        self.telling(sink, &mut recorder).complete();
    }

    /// Nothing follows: the answer is over, if it said that it may be.
    pub(crate) fn end(&mut self, sink: &mut impl ResponseSink) {
        if self.facts.told & MAY_END != 0 {
            self.complete(sink);
        }
    }

    fn telling<'a, S: ResponseSink>(
        &'a mut self,
        sink: &'a mut S,
        recorder: &'a mut Recorder,
    ) -> Telling<'a, S> {
        Telling {
            facts: &mut self.facts,
            format: self.format,
            sink,
            recorder,
        }
    }
}

/// A document tells a sink.
struct Telling<'a, S> {
    facts: &'a mut Facts,
    format: &'static Format,
    sink: &'a mut S,
    recorder: &'a mut Recorder,
}

impl<S: ResponseSink> Telling<'_, S> {
    fn content(&mut self, content: Content) {
        if self.facts.event & CONTENT == 0 {
            self.facts.event |= CONTENT;
            self.sink.content(content);
        }
    }

    fn complete(&mut self) {
        self.recorder.spoil();
        if self.facts.told & COMPLETE == 0 {
            self.facts.told |= COMPLETE;
            self.sink.complete();
        }
    }

    /// What an act's content is.
    fn content_of(&self, act: Act) -> Option<Content> {
        match act {
            Act::Content(content) | Act::Brings(content) => Some(content),
            Act::Delta | Act::Unsure => self.facts.delta,
            _ => None,
        }
    }

    fn word(&mut self, words: &[(&str, Word)], text: &str) {
        let Some((_, word)) = words.iter().find(|(word, _)| *word == text) else {
            return;
        };
        match *word {
            Word::Brings(content) => {
                self.recorder.spoil();
                self.content(content);
            }
            Word::Delta(content) => {
                self.facts.delta = Some(content);
                // The delta stood before its type.
                if self.facts.event & UNKNOWN_DELTA != 0 {
                    self.recorder.spoil();
                    self.content(content);
                }
            }
            Word::Complete => {
                self.recorder.spoil();
                self.facts.event |= IS_LAST;
            }
            Word::Own(id) => self.own(id, Value::Null),
        }
    }

    fn own(&mut self, id: u8, value: Value<'_>) {
        let effect = (self.format.own)(self.facts, id, value);
        match effect {
            Effect::Nothing => {}
            Effect::Settled(content) => self.settle(content),
            Effect::Usage => {
                self.recorder.spoil();
                self.report();
            }
            Effect::PlainUsage => self.report(),
            Effect::Finish => self.finish(),
            Effect::Error => self.error(),
            Effect::Complete => {
                self.recorder.spoil();
                self.facts.event |= IS_LAST;
            }
            Effect::MayEnd => {
                self.recorder.spoil();
                self.facts.told |= MAY_END;
            }
        }
    }

    fn settle(&mut self, default: Content) {
        let content = self.facts.delta.take().unwrap_or(default);
        self.recorder.settle(content);
        if self.facts.event & UNKNOWN_DELTA != 0 {
            self.facts.event &= !UNKNOWN_DELTA;
            self.content(content);
        }
        let unsure = std::mem::take(&mut self.facts.unsure);
        if unsure > 0 && content != default {
            self.sink
                .text_was(content, self.facts.choice, unsure as usize);
        }
    }

    fn report(&mut self) {
        if !self.facts.usage.is_empty() {
            self.facts.told |= USAGE;
            self.recorder.report(&self.facts.usage);
            self.sink.usage(&self.facts.usage);
        }
        self.facts.usage = Usage::new();
        self.facts.total = 0;
    }

    fn finish(&mut self) {
        if self.facts.rank() > 0 {
            self.recorder.spoil();
            self.sink
                .finish_reason(self.facts.choice, self.facts.held());
            self.facts.let_go();
        }
    }

    fn error(&mut self) {
        self.recorder.spoil();
        let code = match self.facts.rank() {
            0 => "_OTHER",
            _ => self.facts.held(),
        };
        self.sink.error(code);
        self.facts.let_go();
    }

    /// Tells a text of which the first that is not empty is told.
    fn once(&mut self, bit: u8, text: &str, tell: impl FnOnce(&mut S, &str)) {
        if !text.is_empty() && self.facts.told & bit == 0 {
            self.facts.told |= bit;
            self.recorder.spoil();
            tell(self.sink, text);
        }
    }

    fn text(&mut self, act: Act, text: &str) {
        match act {
            Act::Id => self.once(ID, text, S::response_id),
            Act::Model => self.once(MODEL, text, S::response_model),
            Act::Tier => self.once(TIER, text, S::service_tier),
            Act::Fingerprint => self.once(FINGERPRINT, text, S::system_fingerprint),
            Act::Status => {
                self.recorder.spoil();
                self.sink.status(text);
                self.facts.ended = ENDED
                    .iter()
                    .position(|ended| *ended == text)
                    .map(|at| at as u8);
            }
            Act::Finish => {
                self.recorder.spoil();
                self.facts.hold(2, text);
            }
            Act::ErrorCode => self.facts.hold_error(3, text),
            Act::ErrorType => self.facts.hold_error(2, text),
            Act::Words(words) => self.word(words, text),
            _ => {}
        }
    }

    fn number(&mut self, act: Act, number: &str) {
        match act {
            Act::Choice => self.facts.choice = whole(number).unwrap_or(0) as u32,
            Act::ErrorCode => self.facts.hold(1, number),
            Act::Count(tokens) => {
                if let Some(count) = whole(number) {
                    self.facts.usage.set(tokens, count);
                    self.recorder.count(tokens, count, false);
                }
            }
            Act::CountMore(tokens) => {
                if let Some(count) = whole(number) {
                    let before = self.facts.usage.get(tokens).unwrap_or(0);
                    self.facts.usage.set(tokens, before.saturating_add(count));
                    self.recorder.count(tokens, count, true);
                }
            }
            Act::Total | Act::Sum => {
                self.facts.total = whole(number).unwrap_or(0).try_into().unwrap_or(u32::MAX)
            }
            Act::Time(part, nanos) => {
                let time = number.parse::<f64>().unwrap_or(-1.0) * nanos;
                if time >= 0.0 {
                    self.recorder.spoil();
                    self.sink.server_time(part, time as u64);
                }
            }
            _ => {}
        }
    }

    fn node(&mut self, act: Act, is_opening: bool) {
        match (act, is_opening) {
            (Act::Brings(content), true) => {
                self.recorder.spoil();
                self.content(content);
            }
            (Act::Event, true) => self.facts.begin_event(),
            (Act::Choices, true) => self.facts.next_choice = 0,
            (Act::NextChoice, true) => {
                self.facts.let_go();
                self.facts.choice = self.facts.next_choice;
                self.facts.next_choice = self.facts.next_choice.saturating_add(1);
            }
            (Act::EndChoice, false) => self.finish(),
            (Act::Report, false) => self.report(),
            (Act::EndError, false) => self.error(),
            _ => {}
        }
    }
}

impl<S: ResponseSink> Told<Act> for Telling<'_, S> {
    #[inline]
    fn wants(&mut self, act: Act) -> Want {
        let once = |bit| match self.facts.told & bit {
            0 => Want::Value,
            _ => Want::Nothing,
        };
        match act {
            Act::Id => once(ID),
            Act::Model => once(MODEL),
            Act::Tier => once(TIER),
            Act::Fingerprint => once(FINGERPRINT),
            Act::Varies => Want::Varies,
            Act::Content(Content::Media) | Act::Brings(_) => Want::Presence,
            Act::Delta if self.facts.delta == Some(Content::Media) => Want::Presence,
            Act::Delta if self.facts.delta.is_none() => Want::Presence,
            Act::Content(_) | Act::Delta | Act::Unsure if self.facts.texts => Want::Pieces,
            Act::Content(_) | Act::Delta | Act::Unsure => Want::Presence,
            Act::Status
            | Act::Finish
            | Act::ErrorCode
            | Act::ErrorType
            | Act::Words(_)
            | Act::Own(_) => Want::Value,
            _ => Want::Nothing,
        }
    }

    fn value(&mut self, act: Act, value: Value<'_>) {
        if let Act::Own(id) = act {
            return self.own(id, value);
        }
        match value {
            Value::Text(text) => self.text(act, text),
            Value::Number(number) => self.number(act, number),
            Value::Bool(true) => match act {
                Act::Brings(content) => {
                    self.recorder.spoil();
                    self.content(content);
                }
                Act::Complete => {
                    self.recorder.spoil();
                    self.facts.event |= IS_LAST;
                }
                _ => {}
            },
            Value::Open => self.node(act, true),
            Value::Close => self.node(act, false),
            Value::Bool(false) | Value::Null => {}
        }
    }

    fn begins(&mut self, act: Act) {
        match self.content_of(act) {
            Some(content) => self.content(content),
            None => self.facts.event |= UNKNOWN_DELTA,
        }
    }

    fn piece(&mut self, act: Act, piece: &str) {
        if let Some(content) = self.content_of(act) {
            self.sink.text(content, self.facts.choice, piece);
        } else if matches!(act, Act::Unsure) {
            let len = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            self.facts.unsure = self.facts.unsure.saturating_add(len);
            self.sink.text(Content::Text, self.facts.choice, piece);
        }
    }

    fn whole(&mut self, act: Act, is_text: bool, from: usize, to: usize) {
        match (act, is_text) {
            (Act::Varies, true) => return self.recorder.varies(from, to),
            (Act::Varies | Act::Sum, false) => return self.recorder.digits(from, to),
            (Act::Count(_) | Act::CountMore(_), false) => return self.recorder.number(from, to),
            _ => {}
        }
        let (texts, choice) = (self.facts.texts, self.facts.choice);
        match self.content_of(act) {
            Some(content) => {
                let is_told = texts && !matches!(act, Act::Brings(_));
                let is_told = is_told && content != Content::Media;
                let choice = self.facts.choice;
                self.recorder.text(content, is_told, choice, (from, to));
            }
            // A delta of which the kind comes later.
            None if matches!(act, Act::Delta) => self.recorder.spoil(),
            None if matches!(act, Act::Unsure) => {
                self.recorder
                    .unsure_text(Content::Text, texts, choice, (from, to));
            }
            None => {}
        }
    }

    fn malformed(&mut self) {
        self.recorder.spoil();
        self.sink.malformed(Malformed::Json);
    }
}

/// A number of things: a fraction is cut off, and what is less than none is not told.
pub(crate) fn whole(number: &str) -> Option<u64> {
    if let Ok(whole) = number.parse() {
        return Some(whole);
    }
    let number = number.parse::<f64>().ok()?;
    (number >= 0.0).then_some(number as u64)
}
