//! Who an operation is done for: session, user and baggage, carried from parent to child and onto spans and logs, never onto a
//! metric.

use crate::propagation::baggage::Baggage;
use crate::semconv;
use std::sync::Arc;

/// Session and user ids. Cheap to hand from parent to child: one count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// `session.id`.
    pub session_id: Option<Box<str>>,
    /// `user.id`.
    pub user_id: Option<Box<str>>,
    /// What the application sends along with its calls.
    pub(crate) baggage: Baggage,
}

impl Session {
    /// A session without a user.
    pub fn new(session_id: &str) -> Self {
        Self {
            session_id: Some(bounded(session_id)),
            user_id: None,
            baggage: Baggage::EMPTY,
        }
    }

    /// With a user.
    pub fn with_user(self, user_id: &str) -> Self {
        Self {
            user_id: Some(bounded(user_id)),
            ..self
        }
    }

    /// The session that trusted baggage names by `session.id` and `user.id`, with the baggage itself.
    pub fn from_baggage(baggage: Baggage) -> Self {
        let id = |key: crate::Key| baggage.get(key.as_str()).map(|id| bounded(&id));
        Self {
            session_id: id(semconv::session::ID),
            user_id: id(semconv::user::ID),
            baggage,
        }
    }

    /// What the application sends along with its calls.
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// Both ids, under the keys they are exported by.
    pub(crate) fn ids(&self) -> [(crate::Key, Option<&str>); 2] {
        [
            (semconv::session::ID, self.session_id.as_deref()),
            (semconv::user::ID, self.user_id.as_deref()),
        ]
    }

    pub(crate) fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}

/// Ids come from outside: 256 bytes are plenty.
fn bounded(id: &str) -> Box<str> {
    crate::attributes::cut(id, LONGEST).into()
}

/// The same of one that may have been cut before, and says so behind its bytes.
pub(crate) fn bounded_again(id: &str) -> Box<str> {
    crate::attributes::cut(id, LONGEST + crate::attributes::MARK).into()
}

const LONGEST: usize = 256;
