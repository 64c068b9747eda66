//! Who an operation is done for: session and user, carried from parent to child and onto spans and logs, never onto a
//! metric.

use std::sync::Arc;

/// Session and user ids. Cheap to hand from parent to child: one count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// `session.id`.
    pub session_id: Option<Box<str>>,
    /// `user.id`.
    pub user_id: Option<Box<str>>,
}

impl Session {
    /// A session without a user.
    pub fn new(session_id: &str) -> Self {
        Self {
            session_id: Some(bounded(session_id)),
            user_id: None,
        }
    }

    /// With a user.
    pub fn with_user(self, user_id: &str) -> Self {
        Self {
            user_id: Some(bounded(user_id)),
            ..self
        }
    }

    pub(crate) fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}

/// Ids come from outside: 256 bytes are plenty.
fn bounded(id: &str) -> Box<str> {
    crate::attributes::cut(id, 256).into()
}
