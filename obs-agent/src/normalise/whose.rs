//! Whose an operation is, where its span says it: a conversation, a user.

use crate::run::RunRef;
use obs_core::{OpRef, Session};

/// Told to whoever makes an operation of the run itself: whatever begins within it is of the same. What is known from around it stays:
/// a session is the application's to name, and a framework's guess is none.
pub(super) fn tell(
    run: &RunRef,
    around: Option<&RunRef>,
    conversation: Option<&str>,
    user: Option<&str>,
) {
    if conversation.is_none() && user.is_none() {
        return;
    }
    let Some(operation) = own_operation(run, around) else {
        return;
    };
    let known = operation.session();
    let known = known
        .map(|known| Session::clone(&known))
        .unwrap_or_default();
    let is_of_one = known.session_id.is_some() || known.conversation_id.is_some();
    let conversation = conversation.filter(|_| !is_of_one);
    let user = user.filter(|_| known.user_id.is_none());
    if conversation.is_none() && user.is_none() {
        return;
    }
    let mut session = known;
    if let Some(conversation) = conversation {
        session = session.with_conversation(conversation);
    }
    if let Some(user) = user {
        session = session.with_user(user);
    }
    operation.set_session(session);
}

/// Where nobody makes one of the run it has the one around it.
fn own_operation<'a>(run: &'a RunRef, around: Option<&RunRef>) -> Option<&'a OpRef> {
    let operation = run.operation()?;
    let id = |operation: &OpRef| operation.span_context().span_id();
    let around = around.and_then(RunRef::operation).map(id);
    (around != Some(id(operation))).then_some(operation)
}
