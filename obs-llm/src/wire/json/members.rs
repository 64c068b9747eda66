//! The quick way through a document that is there as a whole.

use super::{Json, State, Told, Value};
use crate::wire::{string, table::Node};

impl<const KEPT: usize> Json<KEPT> {
    /// Keys and their values from the first byte of a key on, the quick way: as long as they are there as a whole and have
    /// white space only where servers write it. Where it ends, the state is one that the long way goes on from.
    #[inline]
    pub(super) fn members<A: Copy, T: Told<A>>(
        &mut self,
        nodes: &[Node<A>],
        bytes: &[u8],
        from: usize,
        told: &mut T,
    ) -> usize {
        let level = self.levels[self.top()];
        let Some(node) = nodes.get(usize::from(level)) else {
            return self.key_text(from);
        };
        let mut at = from;
        loop {
            let to = match string::plain_end(bytes, at) {
                Some(to) if to - at <= KEPT => to,
                _ => return self.key_text(at),
            };
            self.place = node.find(bytes, at, to);
            at = to + 1;
            if bytes.get(at) != Some(&b':') {
                self.state = State::Colon;
                return at;
            }
            at += 1;
            at += usize::from(bytes.get(at) == Some(&b' '));
            self.state = State::Value;
            let Some(end) = self.scalar(bytes, at, node.at(self.place).act, told) else {
                return at;
            };
            at = end;
            if self.state != State::Next {
                return at;
            }
            if bytes.get(at) != Some(&b',') {
                return at;
            }
            at = string::space_end(bytes, at + 1);
            if bytes.get(at) != Some(&b'"') {
                self.state = State::Key;
                return at;
            }
            at += 1;
        }
    }

    /// A value that is neither an object nor a list: where it ends, or as much of it as there is; nothing is done where it is
    /// none.
    #[inline(always)]
    pub(super) fn scalar<A: Copy, T: Told<A>>(
        &mut self,
        bytes: &[u8],
        at: usize,
        act: Option<A>,
        told: &mut T,
    ) -> Option<usize> {
        match (bytes.get(at)?, act) {
            (b'"', None) => {
                self.state = State::Skip;
                Some(self.skip(bytes, at + 1))
            }
            (b'"', Some(act)) => Some(self.text(bytes, at + 1, act, told)),
            (b'0'..=b'9' | b'-', act) => {
                self.keep_from_here();
                let Some(act) = act else {
                    self.state = State::SkipNumber;
                    let end = string::number_end(bytes, at);
                    if end < bytes.len() {
                        self.ended();
                    }
                    return Some(end);
                };
                self.state = State::Number;
                Some(self.number(bytes, at, Some(act), told))
            }
            (b'n', act) if bytes[at..].starts_with(b"null") => {
                Some(self.whole_literal(at + 4, act, Value::Null, told))
            }
            (b't', act) if bytes[at..].starts_with(b"true") => {
                Some(self.whole_literal(at + 4, act, Value::Bool(true), told))
            }
            (b'f', act) if bytes[at..].starts_with(b"false") => {
                Some(self.whole_literal(at + 5, act, Value::Bool(false), told))
            }
            _ => None,
        }
    }

    #[inline]
    pub(super) fn whole_literal<A: Copy, T: Told<A>>(
        &mut self,
        end: usize,
        act: Option<A>,
        value: Value<'_>,
        told: &mut T,
    ) -> usize {
        if let Some(act) = act {
            told.value(act, value);
        }
        self.ended();
        end
    }

    /// A key that is cut, or has escapes, or is longer than any that is known.
    pub(super) fn key_text(&mut self, from: usize) -> usize {
        self.keep_from_here();
        self.state = State::KeyText;
        from
    }
}
