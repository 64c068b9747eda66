//! The one error of this crate: what set-up, flush and shutdown return.

use crate::courier::Losses;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// Why set-up could not go on, or what a flush or shutdown could not deliver.
///
/// Opaque on purpose: ask it with the `is_*` predicates, and read its text for what to do about it.
/// Calls on a host's hot path never return one; they count what they drop.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    what: Undelivered,
    message: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync + 'static>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Configuration,
    Failed,
    Undelivered,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Undelivered {
    pending: u64,
    lost: Losses,
    late: bool,
}

impl Error {
    /// A setting that cannot be used, or a resource that the system refused at set-up. Domain crates return it too.
    pub fn configuration(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Configuration, message.into())
    }

    /// What a [`Subscriber`](crate::Subscriber) returns that could not hand on what it holds.
    pub fn failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Failed, message.into())
    }

    /// A deadline that passed while somebody else had the turn.
    pub(crate) fn late(message: &'static str) -> Self {
        Self::undelivered(0, Losses::default(), true, message)
    }

    /// `late` tells a deadline that passed from a loss noticed in time.
    pub(crate) fn undelivered(
        pending: u64,
        lost: Losses,
        late: bool,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let what = Undelivered {
            pending,
            lost,
            late,
        };
        let mut error = Self::new(Kind::Undelivered, message.into());
        Arc::make_mut(&mut error.0).what = what;
        error
    }

    fn new(kind: Kind, message: Cow<'static, str>) -> Self {
        Self(Arc::new(Inner {
            kind,
            what: Undelivered::default(),
            message,
            source: None,
        }))
    }

    /// Keeps what caused this error, for [`source`](StdError::source).
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::from(source.into()));
        self
    }

    /// Set-up was asked for something that cannot be done: an unusable setting, a thread the system refused.
    pub fn is_configuration(&self) -> bool {
        self.0.kind == Kind::Configuration
    }

    /// A subscriber failed, or a call made no sense where it was made: a flush from inside a subscriber.
    pub fn is_failed(&self) -> bool {
        self.0.kind == Kind::Failed
    }

    /// The deadline passed before everything was delivered.
    pub fn is_timeout(&self) -> bool {
        self.what().late
    }

    /// Something was dropped for good; [`lost`](Self::lost) says how much.
    pub fn is_lost(&self) -> bool {
        self.lost() > 0
    }

    /// Items (spans, data points, log records) that will never be delivered; what is meant for two destinations counts for
    /// each.
    pub fn lost(&self) -> u64 {
        self.losses().total()
    }

    /// The same by signal and reason.
    pub fn losses(&self) -> Losses {
        self.what().lost
    }

    /// Items that were not delivered in time but are still waiting for their turn.
    pub fn pending(&self) -> u64 {
        self.what().pending
    }

    fn what(&self) -> Undelivered {
        self.0.what
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind);
        if self.0.kind == Kind::Undelivered {
            out.field("what", &self.0.what);
        }
        out.field("message", &self.0.message);
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::courier::{DropReason, Signal};

    #[test]
    fn predicates_tell_the_kinds_apart() {
        let setting = Error::configuration("`endpoint` has no host");
        assert!(setting.is_configuration() && !setting.is_timeout() && !setting.is_lost());
        let late = Error::undelivered(3, Losses::default(), true, "3 items still pending");
        assert!(late.is_timeout() && !late.is_lost() && !late.is_configuration());
        assert_eq!((late.pending(), late.lost()), (3, 0));
        let mut losses = Losses::default();
        losses.of_mut(Signal::Logs).add(DropReason::Rejected, 7);
        let lost = Error::undelivered(0, losses, false, "7 items lost");
        assert!(lost.is_lost() && !lost.is_timeout());
        assert_eq!(lost.lost(), 7);
        assert_eq!(lost.losses().logs.by(DropReason::Rejected), 7);
    }

    #[test]
    fn the_cause_is_kept_and_the_error_travels() {
        fn travels<T: Send + Sync + 'static>(_: &T) {}
        let error = Error::configuration("no thread").with_source(std::io::Error::other("EAGAIN"));
        travels(&error);
        assert_eq!(error.to_string(), "no thread");
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("EAGAIN")
        );
        assert!(format!("{error:?}").contains("EAGAIN"));
    }
}
