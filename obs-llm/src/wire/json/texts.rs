//! Texts and numbers: kept as far as there is room, or told in pieces.

use super::{Json, State, Told, Value, Want};
use crate::wire::{
    string::{self, Unescape},
    table::{NONE, Node},
};

impl<const KEPT: usize> Json<KEPT> {
    /// A text begins that the table names.
    pub(super) fn text<A: Copy, T: Told<A>>(
        &mut self,
        bytes: &[u8],
        from: usize,
        act: A,
        told: &mut T,
    ) -> usize {
        let want = told.wants(act);
        self.state = match want {
            Want::Nothing | Want::Varies => State::Skip,
            Want::Presence => State::Presence,
            Want::Pieces => State::PiecesBegin,
            Want::Value => {
                if let Some(to) = string::plain_end(bytes, from) {
                    told.value(act, Value::Text(string::cut(&bytes[from..to], KEPT)));
                    self.ended();
                    return to + 1;
                }
                self.keep_from_here();
                self.state = State::Keep;
                return from;
            }
        };
        if want == Want::Nothing {
            return from;
        }
        let Some(end) = string::end(bytes, from) else {
            return from;
        };
        if want != Want::Varies && end > from {
            told.begins(act);
            if want == Want::Pieces {
                string::lossy(&bytes[from..end], |piece| told.piece(act, piece));
            }
        }
        told.whole(act, true, from, end);
        self.ended();
        end + 1
    }

    pub(super) fn keep_from_here(&mut self) {
        self.len = 0;
        self.cut = false;
        self.unescape = Unescape::NONE;
    }

    /// A text or a key that is kept.
    pub(super) fn keep<A: Copy, T: Told<A>>(
        &mut self,
        nodes: &[Node<A>],
        bytes: &[u8],
        from: usize,
        told: &mut T,
    ) -> usize {
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            if self.unescape.is_none() {
                match byte {
                    b'"' => {
                        self.kept(nodes, told);
                        return at;
                    }
                    b'\\' => self.unescape = Unescape::BEGUN,
                    _ => self.push(&[byte]),
                }
                continue;
            }
            match self.unescape.next(byte) {
                string::Step::More => {}
                string::Step::Char(char) => {
                    let mut utf8 = [0; 4];
                    self.push(char.encode_utf8(&mut utf8).as_bytes());
                }
                // What stood alone, and then this byte again.
                string::Step::Alone => {
                    self.push("\u{fffd}".as_bytes());
                    at -= 1;
                }
                string::Step::Bad => {
                    self.bad(told);
                    return at;
                }
            }
        }
        at
    }

    pub(super) fn push(&mut self, more: &[u8]) {
        let to = usize::from(self.len) + more.len();
        match self.buffer.get_mut(usize::from(self.len)..to) {
            Some(place) if !self.cut => {
                place.copy_from_slice(more);
                self.len = to as u8;
            }
            _ => self.cut = true,
        }
    }

    /// The text or the key in the buffer is whole.
    pub(super) fn kept<A: Copy, T: Told<A>>(&mut self, nodes: &[Node<A>], told: &mut T) {
        let len = usize::from(self.len);
        if self.state == State::KeyText {
            let level = self.levels[self.top()];
            self.place = match nodes.get(usize::from(level)) {
                Some(node) if !self.cut => node.find(&self.buffer, 0, len),
                _ => NONE,
            };
            self.state = State::Colon;
            return;
        }
        if let Some(act) = self.here(nodes).act {
            told.value(act, Value::Text(string::cut(&self.buffer[..len], KEPT)));
        }
        self.ended();
    }

    pub(super) fn number<A: Copy, T: Told<A>>(
        &mut self,
        bytes: &[u8],
        from: usize,
        act: Option<A>,
        told: &mut T,
    ) -> usize {
        let to = string::number_end(bytes, from);
        let is_new = self.len == 0 && !self.cut;
        if to == bytes.len() {
            self.push_some(&bytes[from..]);
            return to;
        }
        if is_new {
            if let (Some(act), true) = (act, to - from <= KEPT) {
                told.whole(act, false, from, to);
                told.value(act, Value::Number(string::cut(&bytes[from..to], KEPT)));
            }
        } else {
            self.push_some(&bytes[from..to]);
            if let (Some(act), false) = (act, self.cut) {
                let number = &self.buffer[..usize::from(self.len)];
                told.value(act, Value::Number(string::cut(number, KEPT)));
            }
        }
        self.ended();
        to
    }

    /// As much of it as has room.
    pub(crate) fn push_some(&mut self, more: &[u8]) {
        let room = KEPT - usize::from(self.len);
        let (fits, rest) = more.split_at(room.min(more.len()));
        self.push(fits);
        self.cut |= !rest.is_empty();
    }

    /// A text that is told in pieces: up to its end, or to the last byte that can be told.
    pub(super) fn pieces<A: Copy, T: Told<A>>(
        &mut self,
        nodes: &[Node<A>],
        bytes: &[u8],
        from: usize,
        told: &mut T,
    ) -> usize {
        let Some(act) = self.here(nodes).act else {
            self.state = State::Skip;
            return from;
        };
        let (to, is_whole) = string::piece(bytes, from);
        string::lossy(&bytes[from..to], |piece| told.piece(act, piece));
        if is_whole {
            self.ended();
            return to + 1;
        }
        if to < bytes.len() {
            self.keep_from_here();
            self.state = State::PiecesTail;
        }
        to
    }

    /// What could not be told before more of it was there: part of an escape, or of a character.
    pub(super) fn pieces_tail<A: Copy, T: Told<A>>(
        &mut self,
        nodes: &[Node<A>],
        byte: u8,
        at: usize,
        told: &mut T,
    ) -> usize {
        let len = usize::from(self.len);
        self.push(&[byte]);
        let tail = &self.buffer[..usize::from(self.len)];
        let Some(whole) = string::element(tail) else {
            return at + 1;
        };
        if let Some(act) = self.here(nodes).act {
            string::lossy(&tail[..whole], |piece| told.piece(act, piece));
        }
        self.state = State::Pieces;
        // The byte that showed that it was over is read again.
        at + usize::from(whole > len)
    }
}
