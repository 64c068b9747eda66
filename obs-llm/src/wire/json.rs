//! Reads one JSON document, in whatever pieces it comes, by a [table](super::table) of what is wanted.
//!
//! Nothing is buffered but the key, the text or the number that a cut runs through, and of that at most [`CAP`] bytes. What the
//! table names is checked as JSON: its brackets, colons, commas, literals. What is skipped is only followed: strings by their
//! ends, objects and lists by the number of their brackets. So a document that is JSON is never called malformed, and one that
//! is not may pass where nobody looks.

mod members;
mod texts;

use super::{
    string::{self, Unescape},
    table::{At, NONE, Node},
};
use std::fmt;

/// So many bytes of a text are kept, and of a key or a number, where a [`Json`] does not say how many: a longer text is cut at a
/// character, a longer key is none that is wanted, and a longer number is not told.
pub(crate) const CAP: usize = 64;
/// So deep is a document read: what lies deeper is skipped.
pub(crate) const LEVELS: usize = 16;
/// Marks a level that is a list.
const LIST: u8 = 0x80;
/// The place of an item of a list, where keys have theirs.
const ITEM: u8 = 0x7e;

/// What a document says at a place that the table names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// A text, without its escapes.
    Text(&'a str),
    /// A number, as it stands.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// A node opens.
    Open,
    /// A node closes.
    Close,
}

/// What is wanted of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Want {
    /// Nothing.
    Nothing,
    /// Nothing, but where it lies: it differs from one event to the next.
    Varies,
    /// Itself, as a [`Value::Text`].
    Value,
    /// Whether it holds anything: [`Told::begins`].
    Presence,
    /// [`Told::begins`], and then it, piece by piece, with its escapes.
    Pieces,
}

/// Who is told.
pub(crate) trait Told<A> {
    /// A text begins.
    fn wants(&mut self, act: A) -> Want;
    /// A value is there, or a node opens or closes.
    fn value(&mut self, act: A, value: Value<'_>);
    /// A text holds something.
    fn begins(&mut self, act: A);
    /// Some of a text that is wanted in pieces.
    fn piece(&mut self, act: A, piece: &str);
    /// `bytes[from..to]` of what is fed is the whole of a number, or of a text of which anything but nothing and itself is wanted.
    fn whole(&mut self, act: A, is_text: bool, from: usize, to: usize) {
        let _ = (act, is_text, from, to);
    }
    /// This is not JSON. What follows is not read.
    fn malformed(&mut self);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// A value is to come.
    Value,
    /// An item, or the end of the list.
    ItemOrEnd,
    /// A key, or the end of the object.
    KeyOrEnd,
    Key,
    /// Within a key.
    KeyText,
    Colon,
    /// A comma or an end.
    Next,
    /// Within a text that nobody wants.
    Skip,
    /// The same, after a backslash.
    SkipEscape,
    /// Within a text that is kept.
    Keep,
    /// At the beginning of a text of which is asked whether it holds anything, and of one that is wanted in pieces.
    Presence,
    PiecesBegin,
    Pieces,
    /// The same, and what cannot be told before more of it is there is kept.
    PiecesTail,
    /// A number that is kept, and one that is not.
    Number,
    SkipNumber,
    /// Within a literal.
    True,
    False,
    Null,
    /// Within an object or a list that nobody wants; in a string of it; after a backslash of that.
    Inside,
    InsideText,
    InsideEscape,
    /// All of it is there.
    Done,
    /// It is not JSON.
    Bad,
}

/// Where a document is.
pub(crate) struct Json<const KEPT: usize = CAP> {
    state: State,
    /// Which key of its node the value has that is to come or is being read.
    place: u8,
    depth: u8,
    /// How much of the buffer is used; of a literal, how much of it was there.
    len: u8,
    /// The text is longer than the buffer.
    cut: bool,
    unescape: Unescape,
    /// How many brackets are open within what is skipped.
    inside: u32,
    levels: [u8; LEVELS],
    buffer: [u8; KEPT],
}

/// Without what it holds, which is what somebody said.
impl<const KEPT: usize> fmt::Debug for Json<KEPT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Json");
        shown
            .field("state", &self.state)
            .field("depth", &self.depth);
        shown.finish_non_exhaustive()
    }
}

impl<const KEPT: usize> Json<KEPT> {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Value,
            place: NONE,
            depth: 0,
            len: 0,
            cut: false,
            unescape: Unescape::NONE,
            inside: 0,
            levels: [NONE; LEVELS],
            buffer: [0; KEPT],
        }
    }

    /// A new document begins.
    #[inline]
    pub(crate) fn restart(&mut self) {
        self.state = State::Value;
        self.depth = 0;
    }

    /// Nothing of it was there yet.
    pub(crate) fn is_new(&self) -> bool {
        self.state == State::Value && self.depth == 0
    }

    /// All of it was there.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// It was found not to be JSON, which was told.
    pub(crate) fn is_bad(&self) -> bool {
        self.state == State::Bad
    }

    /// The buffer is to be used for a name before the document; not, if the document has begun.
    pub(crate) fn begin_name(&mut self) -> bool {
        if self.is_new() {
            self.keep_from_here();
        }
        self.is_new()
    }

    /// What was pushed of a name, and how long it is; nothing, if it was longer than any that is known.
    pub(crate) fn kept_name(&self) -> ([u8; KEPT], usize) {
        let len = if self.cut { 0 } else { usize::from(self.len) };
        (self.buffer, len)
    }

    /// Reads the next bytes of the document.
    pub(crate) fn feed<A: Copy, T: Told<A>>(
        &mut self,
        nodes: &[Node<A>],
        bytes: &[u8],
        told: &mut T,
    ) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::Key | State::KeyOrEnd => match byte {
                    b'"' => at = self.members(nodes, bytes, at + 1, told),
                    b'}' if self.state == State::KeyOrEnd => {
                        self.close(nodes, 0, told);
                        at += 1;
                    }
                    _ => at = self.space(bytes, at, told),
                },
                State::Colon => {
                    if byte == b':' {
                        self.state = State::Value;
                        at += 1;
                    } else {
                        at = self.space(bytes, at, told);
                    }
                }
                State::Value | State::ItemOrEnd => {
                    at = self.begin(nodes, bytes, at, byte, told);
                }
                State::Next => match byte {
                    b',' if self.levels[self.top()] & LIST == 0 => {
                        self.state = State::Key;
                        at += 1;
                    }
                    b',' => {
                        self.state = State::Value;
                        self.place = ITEM;
                        at += 1;
                    }
                    b'}' | b']' => {
                        self.close(nodes, if byte == b']' { LIST } else { 0 }, told);
                        at += 1;
                    }
                    _ => at = self.space(bytes, at, told),
                },
                State::True => at = self.literal(nodes, b"true", byte, at, told),
                State::False => at = self.literal(nodes, b"false", byte, at, told),
                State::Null => at = self.literal(nodes, b"null", byte, at, told),
                State::Number => at = self.number(bytes, at, self.here(nodes).act, told),
                State::SkipNumber => {
                    at = string::number_end(bytes, at);
                    if at < bytes.len() {
                        self.ended();
                    }
                }
                State::Skip => at = self.skip(bytes, at),
                State::SkipEscape => {
                    self.state = State::Skip;
                    at += 1;
                }
                State::KeyText | State::Keep => at = self.keep(nodes, bytes, at, told),
                State::Presence | State::PiecesBegin => {
                    if byte == b'"' {
                        self.ended();
                        at += 1;
                    } else {
                        if let Some(act) = self.here(nodes).act {
                            told.begins(act);
                        }
                        self.state = match self.state {
                            State::Presence => State::Skip,
                            _ => State::Pieces,
                        };
                    }
                }
                State::Pieces => at = self.pieces(nodes, bytes, at, told),
                State::PiecesTail => at = self.pieces_tail(nodes, byte, at, told),
                State::Inside => at = self.inside(bytes, at),
                State::InsideText => {
                    at = self.skip_inside(bytes, at);
                }
                State::InsideEscape => {
                    self.state = State::InsideText;
                    at += 1;
                }
                State::Done => at = self.space(bytes, at, told),
                State::Bad => return,
            }
        }
    }

    /// No more bytes follow within this document. A number at the outermost has no other end.
    pub(crate) fn finish<A: Copy, T: Told<A>>(&mut self, nodes: &[Node<A>], told: &mut T) {
        if self.depth == 0 && matches!(self.state, State::Number | State::SkipNumber) {
            self.feed(nodes, b" ", told);
        }
    }

    fn top(&self) -> usize {
        usize::from(self.depth.saturating_sub(1)) & (LEVELS - 1)
    }

    /// What the table says of the value that is being read.
    #[inline]
    fn here<A: Copy>(&self, nodes: &[Node<A>]) -> At<A> {
        if self.depth == 0 {
            return At::node(0);
        }
        let level = self.levels[self.top()] & !LIST;
        match nodes.get(usize::from(level)) {
            Some(node) if self.place == ITEM => node.item(),
            Some(node) => node.at(self.place),
            None => At::SKIP,
        }
    }

    /// White space, as much as there is; without any, it is not JSON.
    fn space<A: Copy, T: Told<A>>(&mut self, bytes: &[u8], at: usize, told: &mut T) -> usize {
        let end = string::space_end(bytes, at);
        if end == at {
            self.bad(told);
        }
        end
    }

    fn bad<A: Copy, T: Told<A>>(&mut self, told: &mut T) {
        self.state = State::Bad;
        told.malformed();
    }

    /// A value is over.
    #[inline]
    fn ended(&mut self) {
        self.state = if self.depth == 0 {
            State::Done
        } else {
            State::Next
        };
    }

    /// A value begins.
    #[inline]
    fn begin<A: Copy, T: Told<A>>(
        &mut self,
        nodes: &[Node<A>],
        bytes: &[u8],
        at: usize,
        byte: u8,
        told: &mut T,
    ) -> usize {
        let act = self.here(nodes).act;
        if let Some(end) = self.scalar(bytes, at, act, told) {
            return end;
        }
        match byte {
            b'{' | b'[' => self.open(nodes, byte, told),
            b't' | b'f' | b'n' => {
                self.state = match byte {
                    b't' => State::True,
                    b'f' => State::False,
                    _ => State::Null,
                };
                self.len = 1;
            }
            b']' if self.state == State::ItemOrEnd => self.close(nodes, LIST, told),
            _ => return self.space(bytes, at, told),
        }
        at + 1
    }

    fn open<A: Copy, T: Told<A>>(&mut self, nodes: &[Node<A>], byte: u8, told: &mut T) {
        let level = self.here(nodes).node;
        let list = byte == b'[';
        let node = nodes.get(usize::from(level));
        // The outermost is read in any case, so that what is no JSON at all is found.
        let node = node.filter(|node| {
            usize::from(self.depth) < LEVELS && (node.serves(list) || self.depth == 0)
        });
        let Some(node) = node else {
            self.inside = 1;
            self.state = State::Inside;
            return;
        };
        self.levels[usize::from(self.depth)] = level | if list { LIST } else { 0 };
        self.depth += 1;
        self.state = if list {
            self.place = ITEM;
            State::ItemOrEnd
        } else {
            State::KeyOrEnd
        };
        if let Some(act) = node.opens {
            told.value(act, Value::Open);
        }
    }

    fn close<A: Copy, T: Told<A>>(&mut self, nodes: &[Node<A>], list: u8, told: &mut T) {
        let level = self.levels[self.top()];
        if level & LIST != list {
            return self.bad(told);
        }
        self.depth -= 1;
        self.ended();
        let node = nodes.get(usize::from(level & !LIST));
        if let Some(act) = node.and_then(|node| node.closes) {
            told.value(act, Value::Close);
        }
    }

    fn literal<A: Copy, T: Told<A>>(
        &mut self,
        nodes: &[Node<A>],
        word: &[u8],
        byte: u8,
        at: usize,
        told: &mut T,
    ) -> usize {
        if word.get(usize::from(self.len)) != Some(&byte) {
            self.bad(told);
            return at;
        }
        self.len += 1;
        if usize::from(self.len) == word.len() {
            if let Some(act) = self.here(nodes).act {
                let value = match self.state {
                    State::Null => Value::Null,
                    state => Value::Bool(state == State::True),
                };
                told.value(act, value);
            }
            self.ended();
        }
        at + 1
    }

    /// The rest of a text that nobody wants.
    #[inline]
    fn skip(&mut self, bytes: &[u8], from: usize) -> usize {
        let (at, skipped) = string::skip(bytes, from);
        match skipped {
            string::Skipped::Whole => self.ended(),
            string::Skipped::More => {}
            string::Skipped::Escape => self.state = State::SkipEscape,
        }
        at
    }

    fn skip_inside(&mut self, bytes: &[u8], from: usize) -> usize {
        let (at, skipped) = string::skip(bytes, from);
        self.state = match skipped {
            string::Skipped::Whole => State::Inside,
            string::Skipped::More => State::InsideText,
            string::Skipped::Escape => State::InsideEscape,
        };
        at
    }

    /// Within an object or a list that nobody wants.
    fn inside(&mut self, bytes: &[u8], from: usize) -> usize {
        let mut at = from;
        while let Some((bracket, byte)) = string::bracket(bytes, at) {
            at = bracket + 1;
            match byte {
                b'"' => {
                    at = self.skip_inside(bytes, at);
                    if self.state != State::Inside {
                        return at;
                    }
                }
                b'{' | b'[' => self.inside = self.inside.saturating_add(1),
                _ => {
                    self.inside -= 1;
                    if self.inside == 0 {
                        self.ended();
                        return at;
                    }
                }
            }
        }
        bytes.len()
    }
}
