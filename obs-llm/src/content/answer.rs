//! The answer, put together as it passes: one message for each choice, its parts in their order.

mod fold;

use super::json;
use super::message::{Media, Message, Part};
use super::pool::Share;
use super::render::mark;
use crate::wire::{Framing, Wire};
use serde_json::Value;

/// What is being answered.
pub(crate) struct Answer {
    wire: Wire,
    framing: Framing,
    /// The line, the event or the document that is being read.
    pending: Vec<u8>,
    /// The data of the event, of several lines.
    data: Vec<u8>,
    /// A line has just ended with a carriage return.
    after_return: bool,
    /// How many bytes of the pool those two hold.
    held: usize,
    /// How many bytes of what is being read there was no room for.
    missing: usize,
    drafts: Drafts,
}

/// More answers in one call are not told.
const CHOICES: usize = 8;
/// Nor more parts in one.
const PARTS: usize = 256;

#[derive(Debug)]
pub(super) struct Drafts {
    choices: Vec<Choice>,
    share: Share,
    /// Of the texts together.
    room: usize,
    /// There was no room among all calls.
    refused: bool,
    cut: usize,
}

#[derive(Default)]
struct Choice {
    number: u64,
    role: Option<String>,
    parts: Vec<(Place, Draft)>,
    finish: Option<String>,
}

/// Where a part stands, as the format says it: pieces of one place belong together.
type Place = (Kind, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Reasoning,
    Tool,
}

struct Draft {
    text: String,
    missing: usize,
    id: Option<String>,
    name: String,
    whole: Option<Part>,
}

impl std::fmt::Debug for Answer {
    /// Without what it says.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("wire", &self.wire)
            .field("drafts", &self.drafts)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Choice {
    /// Without what it says.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Choice")
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Of which at most `most` bytes are held at once, beside as many of texts.
    pub(crate) fn new(wire: Wire, framing: Framing, share: Share, most: usize) -> Self {
        Self {
            wire,
            framing,
            pending: Vec::new(),
            data: Vec::new(),
            after_return: false,
            held: 0,
            missing: 0,
            drafts: Drafts {
                choices: Vec::new(),
                share,
                room: most,
                refused: false,
                cut: 0,
            },
        }
    }

    /// Reads the next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        match self.framing {
            Framing::Json => self.hold(bytes),
            Framing::AmazonEventStream => {
                self.hold(bytes);
                self.frames();
            }
            Framing::EventStream | Framing::Lines => {
                while let Some(end) = self.end_of_line(bytes) {
                    // The second half of an end that is two bytes.
                    if !(end == 0 && self.after_return && bytes[0] == b'\n') {
                        self.hold(&bytes[..end]);
                        self.line();
                    }
                    self.after_return = bytes[end] == b'\r';
                    bytes = &bytes[end + 1..];
                }
                if !bytes.is_empty() {
                    self.after_return = false;
                    self.hold(bytes);
                }
            }
        }
    }

    /// Events have lines that end with either or both (WHATWG HTML, §9.2.6).
    fn end_of_line(&self, bytes: &[u8]) -> Option<usize> {
        match self.framing {
            Framing::EventStream => memchr::memchr2(b'\n', b'\r', bytes),
            _ => memchr::memchr(b'\n', bytes),
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = HELD.saturating_sub(self.pending.len());
        let held = bytes.len().min(room);
        if self.drafts.refused || !self.drafts.share.grow(held) {
            self.drafts.refuse();
            (self.pending, self.data, self.held) = (Vec::new(), Vec::new(), 0);
            return;
        }
        self.held += held;
        self.missing += bytes.len() - held;
        self.pending.extend_from_slice(&bytes[..held]);
    }

    /// A line is over.
    fn line(&mut self) {
        let line = match self.pending.split_last() {
            Some((b'\r', line)) => line,
            _ => &self.pending,
        };
        if self.framing == Framing::Lines {
            self.drafts.document(self.wire, line, self.missing);
            self.let_go(self.held);
        } else if line.is_empty() {
            self.drafts.document(self.wire, &self.data, self.missing);
            self.data.clear();
            self.let_go(self.held);
        } else if let Some(data) = line.strip_prefix(b"data:") {
            let data = data.strip_prefix(b" ").unwrap_or(data);
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            let room = HELD.saturating_sub(self.data.len()).min(data.len());
            self.data.extend_from_slice(&data[..room]);
            self.missing += data.len() - room;
        } else {
            // A name or a comment, however long.
            let comment = self.pending.len();
            self.let_go(comment);
        }
        self.pending.clear();
    }

    /// So much of what was held is read.
    fn let_go(&mut self, bytes: usize) {
        self.held -= bytes.min(self.held);
        self.missing = 0;
        self.drafts.share.shrink(bytes);
    }

    /// Whole messages of Amazon's event stream: two lengths and their sum before the headers, another behind the payload. Who
    /// counts the sums is the scanner.
    fn frames(&mut self) {
        let number = |bytes: &[u8]| -> usize {
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        };
        loop {
            let (Some(all), Some(headers)) = (self.pending.get(..4), self.pending.get(4..8)) else {
                return;
            };
            let (all, headers) = (number(all), number(headers));
            if !(16..=HELD).contains(&all) || headers > all - 16 {
                self.drafts.refuse();
                return;
            }
            let Some(payload) = self.pending.get(12 + headers..all.saturating_sub(4)) else {
                return;
            };
            if self.pending.len() < all {
                return;
            }
            self.drafts.document(self.wire, payload, 0);
            self.pending.drain(..all);
            self.let_go(all);
        }
    }

    /// What was answered, and how many bytes of texts are not in it. `None`: there was no room.
    pub(crate) fn finish(mut self) -> Option<(Vec<Message>, usize)> {
        match self.framing {
            Framing::Json => {
                let (document, missing) = (std::mem::take(&mut self.pending), self.missing);
                self.drafts.document(self.wire, &document, missing);
            }
            Framing::EventStream | Framing::Lines => {
                // The last line may have no end, and the last event no empty line behind it.
                self.line();
                self.line();
            }
            Framing::AmazonEventStream => {}
        }
        self.drafts.finish()
    }
}

/// So much of one line, event or document is read: a whole answer that is not streamed, with images in it.
const HELD: usize = 1 << 20;

impl Drafts {
    fn refuse(&mut self) {
        self.refused = true;
        self.choices = Vec::new();
        self.share.release();
    }

    fn document(&mut self, wire: Wire, bytes: &[u8], missing: usize) {
        if self.refused || bytes.is_empty() {
            return;
        }
        if let Some(value) = json::read(bytes, missing) {
            fold::document(wire, &value, self);
        }
        self.cut += missing;
    }

    fn choice(&mut self, number: u64) -> Option<&mut Choice> {
        let known = { self.choices.iter() }.position(|choice| choice.number == number);
        let at = match known {
            Some(at) => at,
            None if self.choices.len() < CHOICES && !self.refused => {
                self.choices.push(Choice {
                    number,
                    ..Choice::default()
                });
                self.choices.len() - 1
            }
            None => return None,
        };
        self.choices.get_mut(at)
    }

    pub(super) fn role(&mut self, choice: u64, role: &str) {
        if let Some(choice) = self.choice(choice) {
            choice.role.get_or_insert_with(|| role.to_owned());
        }
    }

    pub(super) fn ended(&mut self, choice: u64, reason: &str) {
        if let Some(choice) = self.choice(choice) {
            choice.finish = Some(reason.to_owned());
        }
    }

    /// The part at this place, which may be new. Where the format has no places for what it says, pieces of a kind belong
    /// together until another kind comes: `None`.
    fn draft(&mut self, choice: u64, kind: Kind, place: Option<u64>) -> Option<&mut Draft> {
        let choice = self.choice(choice)?;
        let known = match place {
            Some(place) => { choice.parts.iter() }.position(|(known, _)| *known == (kind, place)),
            None => { choice.parts.len().checked_sub(1) }.filter(|last| {
                let (known, draft) = &choice.parts[*last];
                known.0 == kind && draft.whole.is_none()
            }),
        };
        let at = match known {
            Some(at) => at,
            None if choice.parts.len() < PARTS => {
                let draft = Draft {
                    text: String::new(),
                    missing: 0,
                    id: None,
                    name: String::new(),
                    whole: None,
                };
                choice
                    .parts
                    .push(((kind, place.unwrap_or_default()), draft));
                choice.parts.len() - 1
            }
            None => return None,
        };
        choice.parts.get_mut(at).map(|(_, draft)| draft)
    }

    pub(super) fn text(&mut self, choice: u64, kind: Kind, place: Option<u64>, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut end = text.len().min(self.room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if !self.share.grow(end) {
            return self.refuse();
        }
        let missing = text.len() - end;
        self.room = match missing {
            0 => self.room - end,
            // What comes later is no piece of what is missing.
            _ => 0,
        };
        self.cut += missing;
        if let Some(draft) = self.draft(choice, kind, place) {
            draft.text.push_str(&text[..end]);
            draft.missing += missing;
        }
    }

    /// The call of a tool at this place is this one, as far as it is told.
    pub(super) fn tool(&mut self, choice: u64, place: u64, id: Option<&str>, name: Option<&str>) {
        if let Some(draft) = self.draft(choice, Kind::Tool, Some(place)) {
            if let Some(id) = id.filter(|id| !id.is_empty()) {
                draft.id = Some(id.to_owned());
            }
            // Some providers say it again with each piece.
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                name.clone_into(&mut draft.name);
            }
        }
    }

    /// Parts that are whole.
    pub(super) fn parts(&mut self, choice: u64, parts: Vec<Part>) {
        for part in parts {
            match part {
                // They may go on.
                Part::Text(text) => self.text(choice, Kind::Text, None, &text),
                Part::Reasoning(text) => self.text(choice, Kind::Reasoning, None, &text),
                part => {
                    let mut told = obs_core::Body::Empty;
                    if let Part::ToolCall { arguments, .. } = &part {
                        told = arguments.clone();
                    }
                    let mut size = String::new();
                    json::write(&told, &mut size);
                    if size.len() > self.room {
                        self.cut += size.len();
                        self.room = 0;
                        continue;
                    }
                    if !self.share.grow(size.len()) {
                        return self.refuse();
                    }
                    self.room -= size.len();
                    let Some(choice) = self.choice(choice) else {
                        return;
                    };
                    if choice.parts.len() < PARTS {
                        let draft = Draft {
                            text: String::new(),
                            missing: 0,
                            id: None,
                            name: String::new(),
                            whole: Some(part),
                        };
                        choice.parts.push(((Kind::Tool, u64::MAX), draft));
                    }
                }
            }
        }
    }

    /// Media that came in pieces: that they came.
    pub(super) fn media(&mut self, choice: u64, modality: &'static str) {
        let known = self.choice(choice).is_some_and(|choice| {
            { choice.parts.iter() }.any(|(_, draft)| matches!(draft.whole, Some(Part::Media(_))))
        });
        if !known {
            let media = Media {
                modality,
                ..Media::default()
            };
            self.parts(choice, vec![Part::Media(media)]);
        }
    }

    fn finish(mut self) -> Option<(Vec<Message>, usize)> {
        if self.refused {
            return None;
        }
        self.choices.sort_by_key(|choice| choice.number);
        let choices = std::mem::take(&mut self.choices).into_iter();
        let messages = choices.map(|choice| {
            let mut message = Message::new(choice.role.unwrap_or_else(|| "assistant".to_owned()));
            message.finish_reason = choice.finish;
            for ((kind, _), draft) in choice.parts {
                message.parts.push(draft.into_part(kind));
            }
            message
        });
        Some((messages.collect(), self.cut))
    }
}

impl Draft {
    fn into_part(self, kind: Kind) -> Part {
        if let Some(whole) = self.whole {
            return whole;
        }
        let mut text = self.text;
        if self.missing > 0 {
            let more = json::drop_last_word(&mut text);
            text.push_str(&mark(self.missing + more));
        }
        match kind {
            Kind::Text => Part::Text(text),
            Kind::Reasoning => Part::Reasoning(text),
            Kind::Tool => Part::ToolCall {
                id: self.id,
                name: self.name,
                arguments: match text.is_empty() {
                    true => obs_core::Body::Empty,
                    false => json::arguments(text),
                },
            },
        }
    }
}

/// A number in a document.
pub(super) fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key).and_then(Value::as_u64)
}
