//! What keeps secrets out of what is exported: a redactor sees each text before it waits in any queue.
//!
//! ```
//! use obs_core::Telemetry;
//! use obs_core::redact::{Patterns, Redaction, Text};
//!
//! let telemetry = Telemetry::builder()
//!     // Tokens, keys, passwords, card numbers, by how they look.
//!     .with_redactor(Patterns::new())
//!     // And a rule of the service's own.
//!     .with_redactor(|text: Text<'_>| match text.key {
//!         "user.id" => Redaction::Remove,
//!         _ => Redaction::Keep,
//!     })
//!     .manual()
//!     .build()?;
//! # Ok::<(), obs_core::Error>(())
//! ```
//!
//! # What is seen
//!
//! Every text that is exported and that is not a name of the program's own: see [`Place`]. Lists and maps are walked, and each
//! text in them is seen by itself. Addresses are shown as text. Numbers and truth values are not shown, nor are keys, and bytes
//! in logs only where they are UTF-8.
//!
//! So is what an OpenTelemetry SDK of the service's own recorded and hands to the processors of `sdk` (feature `sdk`). Names of
//! scopes, targets and metrics are the program's own there, too, as are severities and the names of events in logs, which that SDK
//! wants fixed. What its HTTP exporters bring through `Telemetry::http_client` is encoded already, and **not seen**.
//!
//! # When
//!
//! - **Of an operation** at its end, on the thread that ends it, once it is known that it is kept or waits for its root: what is
//!   dropped costs nothing. It is looked at before it waits in a ring, or for its root. With a
//!   [provider's recorder](crate::Recorder::sdk) also before the provider is told of it, so a text may be seen more than once,
//!   always as it was written; with a processor of ours beneath that provider once more, as it is left.
//! - **Of a log event or a log line** when it is logged, before it is written or waits. Of an event that becomes a line and a
//!   record each text is seen for both; of spans that `tracing` opened, when they are opened.
//! - **Of the ids of a session** as they are on a span or a log record. Of users' ids see also [`UserIds`], which holds for what
//!   is handed on, too.
//! - **Of a label** (a route, a host) when its text is met for the first time: what the redactor makes of it is what all metrics
//!   and spans have. So is each label of the `metrics` macros.
//! - **Of the resource** once, when the telemetry is built.
//! - **Of spans and log records of an SDK** where the span ends or the record is emitted, on a copy of what others see, too. Of its
//!   metrics at each export: where two series are made alike, both are exported, and no sum is made of them. Of the resource
//!   of its providers when they are built, and at each export of metrics.
//!
//! A text that is logged or emitted is seen before it is cut to its cap, so that no half of a secret is left for the cut to
//! hide; one of an operation is cut when it is set, and its last word then goes unseen, as what it may be half of is not known.
//!
//! # A redactor that panics
//!
//! It is contained and [counted](crate::EngineCounts::panics), and the text is withheld: [`WITHHELD`] stands in its place.
//! What it does not answer is waited for, so it must be quick; what it logs itself is not handled again, and of operations and
//! metrics that it records itself each text, label values among them, is [`WITHHELD`].
//!
//! # What no redactor is needed for
//!
//! What this suite records by itself. The layers of `obs-http` leave headers out that look like secrets whatever is asked, and
//! take secrets out of queries, URLs and captured headers. Prompts, bodies and error texts are not recorded unless the
//! service records them. **By default there is no redactor**: what the service says itself, in attributes and in logs, is
//! exported as it was said.

#[doc(hidden)]
pub mod names;
#[doc(hidden)]
pub mod nested;
mod patterns;
mod record;
#[cfg(feature = "sdk")]
mod sdk;
mod texts;
mod user_ids;

pub use patterns::Patterns;
#[doc(hidden)]
pub use patterns::urls;
pub(crate) use texts::{Caps, Looking, Redactors, is_within};
pub use user_ids::UserIds;

use std::borrow::Cow;

/// What stands in the place of a text that a redactor panicked on.
pub const WITHHELD: &str = "[withheld]";

/// What the built-in patterns put in the place of a secret, as the conventions do for queries (v1.44.0, `url.query`).
pub const REDACTED: &str = "REDACTED";

/// Decides what becomes of a text. Closures are redactors.
///
/// It runs on threads of the service: it must not block, and must be as quick as what calls it.
pub trait Redactor: Send + Sync + 'static {
    /// What becomes of this text.
    fn redact(&self, text: Text<'_>) -> Redaction;
}

impl<F> Redactor for F
where
    F: Fn(Text<'_>) -> Redaction + Send + Sync + 'static,
{
    fn redact(&self, text: Text<'_>) -> Redaction {
        self(text)
    }
}

/// A text on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Text<'a> {
    /// What it is a part of.
    pub place: Place,
    /// Under which key it stands: an attribute's, a field's, in a map the innermost one. Empty for names and bodies.
    pub key: &'a str,
    /// The text itself.
    pub value: &'a str,
}

impl<'a> Text<'a> {
    /// A text, as it would be shown to a redactor.
    #[must_use]
    pub const fn new(place: Place, key: &'a str, value: &'a str) -> Self {
        Self { place, key, value }
    }
}

/// Without the text: it may be what nobody must read.
impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text")
            .field("place", &self.place)
            .field("key", &self.key)
            .field("bytes", &self.value.len())
            .finish_non_exhaustive()
    }
}

/// What a text is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// The name that the service gave a span. One made by the kind's rule is made of labels and attributes, which are seen
    /// by themselves; a provider's recorder shows that too.
    SpanName,
    /// An attribute of a span, session and user among them.
    SpanAttribute,
    /// The description of a span's status.
    SpanStatus,
    /// The `tracestate` of a span or of a link, as it is exported: what is propagated stays as it is, and so does what a
    /// provider's span has in its context.
    TraceState,
    /// The name of an event of a span.
    EventName,
    /// An attribute of an event of a span.
    EventAttribute,
    /// An attribute of a link.
    LinkAttribute,
    /// The body of a log event or record, or the message of a log line.
    LogBody,
    /// An attribute of a log event or record, or a field of a log line.
    LogAttribute,
    /// The text of a label of metrics (and of the spans that have it): one that is not from a list in the program. Of what the
    /// telemetry says about itself only addresses: reasons and components are told apart by their names. Of an SDK's metrics
    /// any attribute of a point or an exemplar, which goes with its key.
    Label,
    /// An attribute of the resource.
    Resource,
    /// An attribute of an instrumentation scope, which only those of an SDK of the service's own have.
    ScopeAttribute,
}

/// What becomes of a text.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Redaction {
    /// It stays.
    #[default]
    Keep,
    /// Another stands in its place.
    Replace(Cow<'static, str>),
    /// It goes, with its key: an attribute, an element of a list, the name that the service gave, the body of an SDK's record. A
    /// label has no text then, and so the empty one; of what cannot go (the name of an event, of a service, of an SDK's span) it
    /// stands [`WITHHELD`].
    Remove,
}

impl Redaction {
    /// Another text in its place.
    #[must_use]
    pub fn replace(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Replace(text.into())
    }
}

/// Without the text, which may be a part of what was there.
impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Replace(_) => "Replace",
            Self::Remove => "Remove",
        })
    }
}
