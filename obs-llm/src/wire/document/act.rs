//! What a table says to do with a value, and what a format is.

use crate::{
    usage::Tokens,
    wire::{Content, ServerPart, document::Facts, json::Value, table::Node},
};

/// A format: what its documents hold, and what is special about it.
#[derive(Debug)]
pub(crate) struct Format {
    /// The first is the document's own.
    pub(crate) nodes: &'static [Node<Act>],
    /// What the names of events say, where the framing has them.
    pub(crate) events: &'static [(&'static str, Word)],
    /// Does what only this format needs: [`Act::Own`], and [`Word::Own`] with [`Value::Null`].
    pub(crate) own: fn(&mut Facts, u8, Value<'_>) -> Effect,
}

/// What is done with a value. What does not fit (a number where a text should be) is passed over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// The answer's id, its model, its tier and its fingerprint: told by the first that is not empty.
    Id,
    Model,
    Tier,
    Fingerprint,
    /// Where the answer is; of an ended one also [`Facts::ended`].
    Status,
    /// Content that is told in pieces.
    Content(Content),
    /// The same, of the kind that the event's type or name said: see [`Facts::delta`].
    Delta,
    /// The same, of a kind that may stand behind it: text, until [`Effect::Settled`] or [`Facts::delta`] says otherwise.
    Unsure,
    /// Content of which no piece is told: a text that is not empty, `true`, an object or a list that opens.
    Brings(Content),
    /// Tokens: this many; or this many more than what the same report told before.
    Count(Tokens),
    CountMore(Tokens),
    /// Tokens of all kinds, kept in [`Facts::total`].
    Total,
    /// The same, where nothing is told of it unless the format's own says so.
    Sum,
    /// A node of tokens closes: what it told is told on.
    Report,
    /// So many nanoseconds for each one.
    Time(ServerPart, f64),
    /// The document's own node opens, where a document is a list of them: an event begins.
    Event,
    /// A list of choices opens, one of them does, and says its number, and why it ended, and closes.
    Choices,
    NextChoice,
    Choice,
    Finish,
    EndChoice,
    /// An error's code and its type, of which the code is told if it is a text, else the type, else the number; and its end,
    /// where it is told.
    ErrorCode,
    ErrorType,
    EndError,
    /// The answer is over where the value is `true`.
    Complete,
    /// A text that is one of these says more.
    Words(&'static [(&'static str, Word)]),
    /// Tells nothing, and differs from one event to the next: a time, a number of the event, padding.
    Varies,
    /// The format's own.
    Own(u8),
}

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Word {
    /// The event, or what stands around it, brings content.
    Brings(Content),
    /// What the event's delta is.
    Delta(Content),
    /// The answer is over.
    Complete,
    /// The format's own.
    Own(u8),
}

/// What comes of what is the format's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    Nothing,
    /// What was unsure is [`Facts::delta`]; if that says nothing, this.
    Settled(Content),
    /// [`Facts::usage`] is whole.
    Usage,
    /// It is whole, and each count in it is what was told, or a sum of that.
    PlainUsage,
    /// [`Facts::held`] is why the choice ended.
    Finish,
    /// [`Facts::held`] is the error's code.
    Error,
    /// The answer is over.
    Complete,
    /// The answer may be over: it is, if nothing follows.
    MayEnd,
}
