//! Spans as a text tree that reads well and stays the same from run to run: for inline snapshots and for people.
//!
//! ```
//! use obs_testing::{Kind, SpanStatus, SpanTree, TreeSpan, assert_tree};
//!
//! let mut server = TreeSpan::new(0xa1, 1, "GET /items/{id}");
//! server.kind = Kind::Server;
//! server.parent_span_id = Some(0xbeef);
//! server.parent_is_remote = Some(true);
//! server.attributes.push(("http.route".into(), "/items/{id}".into()));
//! let mut query = TreeSpan::new(0xa1, 2, "SELECT items");
//! query.kind = Kind::Client;
//! query.parent_span_id = Some(1);
//! query.status = SpanStatus::Error("timed out".into());
//!
//! assert_tree(
//!     SpanTree::new([query, server]),
//!     r#"
//!     trace 1
//!       GET /items/{id} [server] remote parent
//!         - http.route: "/items/{id}"
//!         SELECT items [client] error "timed out"
//!     "#,
//! );
//! ```
//!
//! # What the lines are
//!
//! | line | is |
//! |---|---|
//! | `trace 1` | a trace; ids are numbered in the order they are shown, their bytes never appear |
//! | `name [kind] …` | a span, indented below its parent; then its status unless unset, its duration if asked for, notes |
//! | `- key: value` | an attribute, by key |
//! | `* name {…}` | an event, by time |
//! | `~ #2` | a link to span number 2 (which then carries its number); `~ elsewhere` if that span is not here |
//! | `(parent not here)` | above spans whose parent should be in this set and is not |
//! | `(parents in a circle)` | above spans that are their own ancestors |
//!
//! Notes are defects, but for the first: `remote parent`, `duplicate id`, `no id`, `ends before it starts`.

mod assert;
mod nodes;
mod render;

pub use assert::assert_tree;

use crate::AttrValue;
use std::fmt;

/// One span, free of where it came from: what [`SpanTree`] renders.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TreeSpan {
    /// The trace; zero is not a valid id and is noted.
    pub trace_id: u128,
    /// The span; zero is not a valid id and is noted.
    pub span_id: u64,
    /// The parent, `None` for a root.
    pub parent_span_id: Option<u64>,
    /// Whether the parent came in from another process, where the source tells (OTLP's flag bits 8 and 9).
    pub parent_is_remote: Option<bool>,
    /// The name.
    pub name: String,
    /// The kind.
    pub kind: Kind,
    /// The status.
    pub status: SpanStatus,
    /// Start, in nanoseconds of any clock shared by the set.
    pub start_ns: u64,
    /// End, by the same clock.
    pub end_ns: u64,
    /// Attributes, in the order recorded.
    pub attributes: Vec<(String, AttrValue)>,
    /// Events, in the order recorded.
    pub events: Vec<TreeEvent>,
    /// Links, in the order recorded.
    pub links: Vec<TreeLink>,
}

impl TreeSpan {
    /// An internal root span with no duration; fill in the rest.
    pub fn new(trace_id: u128, span_id: u64, name: impl Into<String>) -> Self {
        Self {
            trace_id,
            span_id,
            parent_span_id: None,
            parent_is_remote: None,
            name: name.into(),
            kind: Kind::Internal,
            status: SpanStatus::Unset,
            start_ns: 0,
            end_ns: 0,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
        }
    }
}

/// What a span's kind was said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Not said (OTLP's zero): a defect of the sender, so it is told apart from [`Kind::Internal`].
    Unspecified,
    /// Work within a process.
    Internal,
    /// The serving side of a call.
    Server,
    /// The calling side of a call.
    Client,
    /// The sending side of a message.
    Producer,
    /// The receiving side of a message.
    Consumer,
}

/// How a span was said to have gone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanStatus {
    /// Nothing was said, which is how most good spans end.
    Unset,
    /// Declared good.
    Ok,
    /// Failed, with a description (it may be empty).
    Error(String),
}

/// Something that happened during a span.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TreeEvent {
    /// When, by the span's clock.
    pub time_ns: u64,
    /// The name.
    pub name: String,
    /// Attributes.
    pub attributes: Vec<(String, AttrValue)>,
}

impl TreeEvent {
    /// An event without attributes.
    pub fn new(time_ns: u64, name: impl Into<String>) -> Self {
        Self {
            time_ns,
            name: name.into(),
            attributes: Vec::new(),
        }
    }
}

/// A link to another span.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TreeLink {
    /// The other span's trace.
    pub trace_id: u128,
    /// The other span.
    pub span_id: u64,
    /// Attributes.
    pub attributes: Vec<(String, AttrValue)>,
}

impl TreeLink {
    /// A link without attributes.
    #[must_use]
    pub fn new(trace_id: u128, span_id: u64) -> Self {
        Self {
            trace_id,
            span_id,
            attributes: Vec::new(),
        }
    }
}

/// Spans, and how to show them; [`Display`](fmt::Display) is the tree.
///
/// Shown unless asked otherwise: all attributes, events, links; not durations, which differ from run to run.
#[derive(Clone, Debug)]
#[must_use = "a tree does nothing until it is shown"]
pub struct SpanTree {
    spans: Vec<TreeSpan>,
    look: Look,
}

#[derive(Clone, Debug)]
struct Look {
    attributes: Shown,
    masked: Vec<String>,
    durations: bool,
    events: bool,
    links: bool,
    numbers: bool,
    by_name: bool,
}

#[derive(Clone, Debug)]
enum Shown {
    All,
    Only(Vec<String>),
}

impl SpanTree {
    /// The tree of `spans`, which may come in any order and belong to any number of traces.
    pub fn new<S: Into<TreeSpan>>(spans: impl IntoIterator<Item = S>) -> Self {
        Self {
            spans: spans.into_iter().map(Into::into).collect(),
            look: Look {
                attributes: Shown::All,
                masked: Vec::new(),
                durations: false,
                events: true,
                links: true,
                numbers: false,
                by_name: false,
            },
        }
    }

    /// Shows these attributes only, of spans, events and links alike.
    pub fn with_attributes<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.look.attributes = Shown::Only(keys.into_iter().map(Into::into).collect());
        self
    }

    /// Shows no attribute.
    pub fn without_attributes(self) -> Self {
        self.with_attributes([] as [&str; 0])
    }

    /// Shows `_` for the values of these attributes: they must be there, but differ from run to run (ports, ids).
    pub fn with_masked<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.look.masked.extend(keys.into_iter().map(Into::into));
        self
    }

    /// Whether to show durations, and the times of events from the start of their span.
    pub fn with_durations(mut self, shown: bool) -> Self {
        self.look.durations = shown;
        self
    }

    /// Whether to show events.
    pub fn with_events(mut self, shown: bool) -> Self {
        self.look.events = shown;
        self
    }

    /// Whether to show links.
    pub fn with_links(mut self, shown: bool) -> Self {
        self.look.links = shown;
        self
    }

    /// Whether every span carries its number; otherwise only those do that a link points to.
    pub fn with_numbers(mut self, shown: bool) -> Self {
        self.look.numbers = shown;
        self
    }

    /// Sorts siblings by name before start: for children that run at the same time, whose starts race.
    pub fn sorted_by_name(mut self) -> Self {
        self.look.by_name = true;
        self
    }

    /// The spans, in the order given.
    #[must_use]
    pub fn spans(&self) -> &[TreeSpan] {
        &self.spans
    }
}

impl fmt::Display for SpanTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::render(&self.spans, &self.look))
    }
}
