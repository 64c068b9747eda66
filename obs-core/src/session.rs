//! What an operation is done for: session, conversation, user and baggage, carried from parent to child and onto spans and
//! logs, never onto a metric.

use crate::propagation::baggage::Baggage;
use crate::redact::UserIds;
use crate::semconv;
use std::sync::Arc;

/// Session, conversation and user ids, each of at most 256 bytes: what is longer is cut and says so. Cheap to hand from parent
/// to child: one count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// `session.id`.
    pub session_id: Option<Box<str>>,
    /// `gen_ai.conversation.id`.
    pub conversation_id: Option<Box<str>>,
    /// `user.id`.
    pub user_id: Option<Box<str>>,
    /// What the application sends along with its calls.
    pub(crate) baggage: Baggage,
}

impl Session {
    /// A session without a conversation and without a user.
    pub fn new(session_id: &str) -> Self {
        Self {
            session_id: Some(bounded(session_id)),
            ..Self::default()
        }
    }

    /// With a conversation: where one session has several, or a conversation outlives it. An operation that names one itself,
    /// by an attribute of the same key, keeps its own.
    pub fn with_conversation(self, conversation_id: &str) -> Self {
        Self {
            conversation_id: Some(bounded(conversation_id)),
            ..self
        }
    }

    /// With a user. What is exported of the id is [`UserIds`]' to say.
    pub fn with_user(self, user_id: &str) -> Self {
        Self {
            user_id: Some(bounded(user_id)),
            ..self
        }
    }

    /// The session that trusted baggage names by `session.id`, `gen_ai.conversation.id` and `user.id`, with the baggage itself.
    pub fn from_baggage(baggage: Baggage) -> Self {
        let id = |key: crate::Key| baggage.get(key.as_str()).map(|id| bounded(&id));
        Self {
            session_id: id(semconv::session::ID),
            conversation_id: id(semconv::gen_ai::CONVERSATION_ID),
            user_id: id(semconv::user::ID),
            baggage,
        }
    }

    /// What the application sends along with its calls.
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// Its ids, under the keys they are exported by.
    pub(crate) fn ids(&self) -> [(crate::Key, Option<&str>); 3] {
        [
            (semconv::session::ID, self.session_id.as_deref()),
            (
                semconv::gen_ai::CONVERSATION_ID,
                self.conversation_id.as_deref(),
            ),
            (semconv::user::ID, self.user_id.as_deref()),
        ]
    }

    /// Whether baggage of this key names a part of a session, which is no attribute besides.
    pub(crate) fn names(key: &str) -> bool {
        Self::default()
            .ids()
            .iter()
            .any(|(own, _)| own.as_str() == key)
    }

    /// With what is to be known of its user, in what is handed on, too.
    pub(crate) fn under(self, users: &UserIds) -> Self {
        let key = semconv::user::ID.as_str();
        if users.are_kept() || self.user_id.is_none() && self.baggage.get(key).is_none() {
            return self;
        }
        let left = |id: &str| users.left(&bounded(id)).map(String::from);
        Self {
            user_id: self.user_id.as_deref().and_then(left).map(Into::into),
            baggage: self.baggage.map_values(key, left),
            ..self
        }
    }

    /// The same of one that others hold.
    pub(crate) fn left_by(self: &Arc<Self>, users: &UserIds) -> Arc<Self> {
        match users.are_kept() {
            true => self.clone(),
            false => Self::clone(self).under(users).shared(),
        }
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
