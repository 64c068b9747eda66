//! What is known of an answer while its documents are read.

use crate::{
    descriptor::error_type,
    usage::Usage,
    wire::{Content, string},
};
use obs_core::ErrorType;

/// Where an answer is that has ended.
pub(super) const ENDED: [&str; 4] = ["completed", "incomplete", "failed", "cancelled"];

/// Texts of this length are held back until it is known what they belong to; longer ones are cut.
const HELD: usize = 40;

/// What is known while a document is read.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The report of tokens that is being read.
    pub(crate) usage: Usage,
    /// What it told of all tokens together.
    pub(crate) total: u32,
    /// Which choice is being read.
    pub(crate) choice: u32,
    /// What the event's delta is.
    pub(crate) delta: Option<Content>,
    /// So many bytes of text were told of which it is not sure that they are text.
    pub(super) unsure: u32,
    /// For the format's own use; zero at the beginning of each event.
    pub(crate) own: u16,
    /// Of [`ENDED`].
    pub(super) ended: Option<u8>,
    /// How many choices the list had before.
    pub(super) next_choice: u32,
    /// Why a choice ended or what an error is, and how good it is: 0 for none, 1 for one that any other replaces.
    pub(super) held: [u8; HELD],
    pub(super) held_len: u8,
    pub(super) rank: u8,
    pub(super) told: u8,
    pub(super) event: u8,
    /// Whether pieces of content are told: settled for the whole answer.
    pub(super) texts: bool,
}

// Told once in an answer.
pub(super) const ID: u8 = 1;
pub(super) const MODEL: u8 = 1 << 1;
pub(super) const TIER: u8 = 1 << 2;
pub(super) const FINGERPRINT: u8 = 1 << 3;
pub(super) const COMPLETE: u8 = 1 << 4;
pub(super) const USAGE: u8 = 1 << 5;
pub(super) const MAY_END: u8 = 1 << 6;
// Of an event.
pub(super) const CONTENT: u8 = 1;
pub(super) const IS_LAST: u8 = 1 << 1;
pub(super) const UNKNOWN_DELTA: u8 = 1 << 2;

impl Facts {
    pub(super) const fn new() -> Self {
        Self {
            usage: Usage::new(),
            total: 0,
            choice: 0,
            delta: None,
            unsure: 0,
            own: 0,
            ended: None,
            next_choice: 0,
            held: [0; HELD],
            held_len: 0,
            rank: 0,
            told: 0,
            event: 0,
            texts: false,
        }
    }

    /// Holds a text, unless a better one is held: one with a rank that is higher.
    pub(crate) fn hold(&mut self, rank: u8, text: &str) {
        if rank < self.rank || text.is_empty() {
            return;
        }
        let text = string::cut(text.as_bytes(), HELD);
        self.held[..text.len()].copy_from_slice(text.as_bytes());
        self.held_len = text.len() as u8;
        self.rank = rank;
    }

    /// Holds what an error is called, unless there is a better name for it: a type that is known is better than any code that is
    /// not.
    pub(crate) fn hold_error(&mut self, rank: u8, name: &str) {
        const KNOWN: u8 = 2;
        let is_known = error_type(name) != ErrorType::OTHER;
        self.hold(if is_known { rank + KNOWN } else { rank }, name);
    }

    /// How good the text is that is held: 0, where there is none.
    pub(crate) fn rank(&self) -> u8 {
        self.rank
    }

    /// The text that is held.
    pub(crate) fn held(&self) -> &str {
        string::cut(&self.held[..usize::from(self.held_len)], HELD)
    }

    /// The status that an answer ended with.
    pub(crate) fn ended(&self) -> Option<&'static str> {
        ENDED.get(usize::from(self.ended?)).copied()
    }

    /// It was told.
    pub(crate) fn end_status(&mut self) {
        self.ended = None;
    }

    /// Holds none.
    pub(crate) fn let_go(&mut self) {
        self.held_len = 0;
        self.rank = 0;
    }

    /// Whether tokens were told, by whichever document of the answer.
    pub(crate) fn has_reported(&self) -> bool {
        self.told & USAGE != 0
    }

    #[inline]
    pub(super) fn begin_event(&mut self) {
        self.delta = None;
        self.unsure = 0;
        self.own = 0;
        self.ended = None;
        self.event = 0;
        self.choice = 0;
        self.next_choice = 0;
        self.rank = 0;
        self.held_len = 0;
        self.usage = Usage::new();
        self.total = 0;
    }
}
