//! What an operation is done for: session, conversation, user and baggage, carried from parent to child and onto spans and
//! logs, never onto a metric.

mod notes;

use crate::propagation::baggage::Baggage;
use crate::redact::UserIds;
use crate::semconv;
use std::any::Any;
use std::sync::Arc;

pub(crate) use notes::Notes;

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
    /// Of whoever looks for them when an operation ends.
    pub(crate) notes: Notes,
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

    /// With the ids that it has by now in the baggage that is sent along with calls, so that the next service knows them, too. Not
    /// unless it is said, for whoever is called can read them: who that may be is the [client layers'](crate::propagation) to say.
    /// What becomes of a user's id by [`UserIds`] becomes of it there, too. What has no room in a baggage is not sent.
    ///
    /// ```
    /// let session = obs_core::Session::new("s 1").with_user("ann").with_ids_in_baggage();
    /// assert_eq!(session.baggage().as_str(), "session.id=s%201,user.id=ann");
    /// ```
    pub fn with_ids_in_baggage(mut self) -> Self {
        let mut baggage = std::mem::take(&mut self.baggage);
        for (key, id) in self.ids() {
            if let Some(id) = id {
                baggage = baggage.with(key.as_str(), id);
            }
        }
        Self { baggage, ..self }
    }

    /// With a note for a [witness](crate::SessionWitness), which finds it again in all operations that take the session over, for as
    /// long as whoever left it keeps it. It is seen by nobody else, sent nowhere, and stays where an operation is given another
    /// session.
    pub fn with_note(mut self, note: &Arc<dyn Any + Send + Sync>) -> Self {
        self.notes = self.notes.with(note);
        self
    }

    /// The notes that were [left](Self::with_note), the outermost first.
    pub fn notes(&self) -> impl Iterator<Item = Arc<dyn Any + Send + Sync>> {
        self.notes.iter()
    }

    /// The session that trusted baggage names by `session.id`, `gen_ai.conversation.id` and `user.id`, with the baggage itself.
    pub fn from_baggage(baggage: Baggage) -> Self {
        let id = |key: crate::Key| {
            let id = baggage.get(key.as_str()).filter(|id| !id.is_empty())?;
            Some(bounded(&id))
        };
        Self {
            session_id: id(semconv::session::ID),
            conversation_id: id(semconv::gen_ai::CONVERSATION_ID),
            user_id: id(semconv::user::ID),
            baggage,
            notes: Notes::default(),
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

    /// Its ids are fields of anybody's: within their bounds wherever it is used.
    pub(crate) fn within_bounds(mut self) -> Self {
        for id in [
            &mut self.session_id,
            &mut self.conversation_id,
            &mut self.user_id,
        ] {
            if let Some(id) = id.as_mut().filter(|id| id.len() > LONGEST) {
                *id = bounded(id);
            }
        }
        self
    }

    /// The same of one that others hold.
    pub(crate) fn in_bounds(self: Arc<Self>) -> Arc<Self> {
        let is_long =
            |(_, id): &(crate::Key, Option<&str>)| id.is_some_and(|id| id.len() > LONGEST);
        match self.ids().iter().any(is_long) {
            true => Self::clone(&self).within_bounds().shared(),
            false => self,
        }
    }

    /// It, as an operation has it that had this one before: within bounds, with what is to be known of its user, and with the notes that
    /// were there.
    pub(crate) fn instead_of(self, before: Option<&Self>, users: &UserIds) -> Arc<Self> {
        let mut session = self.within_bounds().under(users);
        if let Some(before) = before {
            session.notes = session.notes.beside(&before.notes);
        }
        session.shared()
    }

    /// With what is to be known of its user, in what is handed on, too.
    pub(crate) fn under(self, users: &UserIds) -> Self {
        let key = semconv::user::ID.as_str();
        if users.are_kept() || self.user_id.is_none() && self.baggage.get(key).is_none() {
            return self;
        }
        let left = |id: &str| users.left(id).map(String::from);
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

/// Ids come from outside: 256 bytes are plenty. One that was cut before, and says so behind its bytes, stays as it is: of one id there
/// is one cut, wherever it comes by, and one hash.
pub(crate) fn bounded(id: &str) -> Box<str> {
    match is_cut(id) {
        true => id.into(),
        false => crate::attributes::cut(id, LONGEST).into(),
    }
}

fn is_cut(id: &str) -> bool {
    let cut = id
        .strip_suffix(" bytes]")
        .and_then(|cut| cut.rsplit_once("…[+"));
    cut.is_some_and(|(left, missing)| {
        left.len() <= LONGEST
            && (1..=20).contains(&missing.len())
            && missing.bytes().all(|byte| byte.is_ascii_digit())
    })
}

const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_id_there_is_one_cut() {
        for id in [
            "x".repeat(257),
            "é".repeat(300),
            "\u{10ffff}".repeat(70),
            format!("{}…[+1 bytes]", "x".repeat(257)),
            format!("…[+{} bytes]", "1".repeat(400)),
            format!("{} bytes]", "…[+".repeat(100)),
        ] {
            let cut = bounded(&id);
            assert!(cut.len() <= LONGEST + crate::attributes::MARK, "{cut}");
            assert_eq!(bounded(&cut), cut);
        }
        let longest = "x".repeat(LONGEST);
        assert_eq!(*bounded(&longest), *longest);
    }
}
