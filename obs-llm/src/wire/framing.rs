//! How an answer is divided into documents: events, lines, or none at all.

use super::{
    Malformed, ResponseSink,
    document::Document,
    shape::{Recorder, Shape},
};

pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";
/// What ends a stream of OpenAI's format, in the place of a document.
const LAST: &[u8] = b"[DONE]";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    Data,
    Event,
}

impl Field {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Data => b"data",
            Self::Event => b"event",
        }
    }
}

/// Where in its line an event is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Line {
    /// At the very beginning, after so much of a byte order mark.
    Bom(u8),
    Start,
    /// Within a field's name, of which so many bytes were there.
    Name(Field, u8),
    /// After its colon.
    Colon(Field),
    Data,
    /// Within what may be the last word, of which so many bytes were there.
    Last(u8),
    EventName,
    /// In a comment, or in a field that nobody reads.
    Ignored,
}

/// Server-sent events, as the HTML standard has them, but that the last one needs no empty line at its end: servers forget it.
#[derive(Debug)]
pub(crate) struct Events {
    line: Line,
    /// The line before ended in a carriage return, to which a line feed may belong.
    after_return: bool,
    /// An event begins, and no line of it was there yet.
    is_new: bool,
}

impl Events {
    pub(crate) const fn new() -> Self {
        Self {
            line: Line::Bom(0),
            after_return: false,
            is_new: false,
        }
    }

    /// Whether an event begins with what comes.
    pub(crate) fn is_at_start(&self) -> bool {
        self.is_new && !self.after_return
    }

    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        shape: &mut Shape,
        document: &mut Document,
        sink: &mut impl ResponseSink,
    ) {
        let mut at = 0;
        if self.after_return && !bytes.is_empty() {
            self.after_return = false;
            at = usize::from(bytes[0] == b'\n');
        }
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match shape.read(rest, document, sink) {
                0 => self.feed_event(rest, shape, document, sink),
                len => len,
            };
        }
    }

    /// Reads one event, or what there is of it: up to where.
    #[inline(never)]
    fn feed_event(
        &mut self,
        bytes: &[u8],
        shape: &mut Shape,
        document: &mut Document,
        sink: &mut impl ResponseSink,
    ) -> usize {
        let mut at = 0;
        let mut recorder = match self.is_new {
            true => shape.recorder(document),
            false => Recorder::off(),
        };
        shape.be_ready(false);
        while let Some(&byte) = bytes.get(at) {
            match self.line {
                Line::Start => {
                    self.is_new = false;
                    at = self.start(bytes, at, byte);
                    if matches!(byte, b'\n' | b'\r') {
                        document.finish(Malformed::Json, sink, &mut recorder);
                        if recorder.is_on() {
                            shape.keep(&recorder, &bytes[..at], document);
                        }
                        self.is_new = true;
                        shape.be_ready(self.is_at_start());
                        return at;
                    }
                }
                Line::Data => {
                    let end = line_end(bytes, at);
                    recorder.base = at;
                    document.feed_recorded(&bytes[at..end], sink, &mut recorder);
                    at = self.end_line(bytes, end);
                }
                Line::EventName => at = self.event_name(bytes, at, document, sink, &mut recorder),
                Line::Ignored => at = self.end_line(bytes, line_end(bytes, at)),
                Line::Last(len) => {
                    let word = &LAST[..usize::from(len)];
                    match LAST.get(word.len()) {
                        Some(next) if *next == byte => {
                            self.line = Line::Last(len + 1);
                            at += 1;
                        }
                        None if matches!(byte, b' ' | b'\t') => at += 1,
                        None if matches!(byte, b'\n' | b'\r') => {
                            recorder.spoil();
                            document.complete(sink);
                            at = self.end_line(bytes, at);
                        }
                        // What looked like the last word is a document.
                        _ => {
                            document.feed_recorded(word, sink, &mut recorder);
                            self.line = Line::Data;
                        }
                    }
                }
                Line::Bom(len) => {
                    self.line = match BOM.get(usize::from(len)) {
                        Some(mark) if *mark == byte => {
                            at += 1;
                            Line::Bom(len + 1)
                        }
                        None => Line::Start,
                        Some(_) if len == 0 => Line::Start,
                        Some(_) => Line::Ignored,
                    };
                }
                Line::Name(field, len) => {
                    self.line = match field.name().get(usize::from(len)) {
                        Some(next) if *next == byte => Line::Name(field, len + 1),
                        None if byte == b':' => Line::Colon(field),
                        _ => Line::Ignored,
                    };
                    if self.line != Line::Ignored {
                        at += 1;
                    }
                }
                Line::Colon(field) => {
                    at += usize::from(byte == b' ');
                    self.line = match field {
                        Field::Data if document.is_new() => Line::Last(0),
                        Field::Data => {
                            // Lines of data are joined by a line feed.
                            document.feed_recorded(b"\n", sink, &mut recorder);
                            Line::Data
                        }
                        Field::Event if document.begin_name() => Line::EventName,
                        // A name in the midst of a document would have to be kept where parts of that are.
                        Field::Event => Line::Ignored,
                    };
                }
            }
        }
        at
    }

    /// Nothing follows.
    pub(crate) fn end(&mut self, document: &mut Document, sink: &mut impl ResponseSink) {
        if let Line::Last(len) = self.line {
            match LAST.get(usize::from(len)..) {
                Some([]) => document.complete(sink),
                _ => document.feed(&LAST[..usize::from(len)], sink),
            }
        }
        document.finish(Malformed::Cut, sink, &mut Recorder::off());
        self.line = Line::Start;
        self.is_new = true;
    }

    /// A line begins: an empty one ends the event.
    #[inline]
    fn start(&mut self, bytes: &[u8], at: usize, byte: u8) -> usize {
        match byte {
            b'\n' | b'\r' => return self.end_line(bytes, at),
            b'd' => {
                if bytes[at..].starts_with(b"data: ") {
                    self.line = Line::Colon(Field::Data);
                    return at + 5;
                }
                self.line = Line::Name(Field::Data, 1);
            }
            b'e' => self.line = Line::Name(Field::Event, 1),
            _ => self.line = Line::Ignored,
        }
        at + 1
    }

    /// The end of a line, if it is there.
    #[inline]
    fn end_line(&mut self, bytes: &[u8], at: usize) -> usize {
        let Some(byte) = bytes.get(at) else {
            return at;
        };
        self.line = Line::Start;
        if *byte == b'\r' {
            return self.after(bytes, at + 1);
        }
        at + 1
    }

    /// A line feed that belongs to the carriage return before it.
    #[inline]
    fn after(&mut self, bytes: &[u8], at: usize) -> usize {
        if bytes[at - 1] != b'\r' {
            return at;
        }
        match bytes.get(at) {
            Some(b'\n') => at + 1,
            Some(_) => at,
            None => {
                self.after_return = true;
                at
            }
        }
    }

    fn event_name(
        &mut self,
        bytes: &[u8],
        at: usize,
        document: &mut Document,
        sink: &mut impl ResponseSink,
        recorder: &mut Recorder,
    ) -> usize {
        let end = line_end(bytes, at);
        document.name(&bytes[at..end], end < bytes.len(), sink, recorder);
        self.end_line(bytes, end)
    }
}

/// Documents on lines of their own.
#[derive(Debug)]
pub(crate) struct Lines {
    is_new: bool,
}

impl Lines {
    pub(crate) const fn new() -> Self {
        Self { is_new: true }
    }

    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        shape: &mut Shape,
        document: &mut Document,
        sink: &mut impl ResponseSink,
    ) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = match shape.read(rest, document, sink) {
                0 => self.feed_line(rest, shape, document, sink),
                len => len,
            };
            rest = rest.get(len..).unwrap_or_default();
        }
    }

    /// Reads one line, or what there is of it: up to where.
    #[inline(never)]
    fn feed_line(
        &mut self,
        bytes: &[u8],
        shape: &mut Shape,
        document: &mut Document,
        sink: &mut impl ResponseSink,
    ) -> usize {
        let mut recorder = match self.is_new {
            true => shape.recorder(document),
            false => Recorder::off(),
        };
        let end = memchr::memchr(b'\n', bytes);
        document.feed_recorded(&bytes[..end.unwrap_or(bytes.len())], sink, &mut recorder);
        self.is_new = end.is_some();
        let Some(end) = end else {
            shape.be_ready(false);
            return bytes.len();
        };
        document.finish(Malformed::Json, sink, &mut recorder);
        if recorder.is_on() {
            shape.keep(&recorder, &bytes[..=end], document);
        }
        shape.be_ready(true);
        end + 1
    }

    /// Nothing follows.
    pub(crate) fn end(&mut self, document: &mut Document, sink: &mut impl ResponseSink) {
        document.finish(Malformed::Cut, sink, &mut Recorder::off());
        self.is_new = true;
    }
}

#[inline]
fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr::memchr2(b'\n', b'\r', &bytes[from..]).map_or(bytes.len(), |more| from + more)
}
