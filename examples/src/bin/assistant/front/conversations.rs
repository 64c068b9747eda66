//! What was said before, by conversation: bounded, as everything that others can make grow is.

use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Conversations that are remembered; the oldest goes first.
const MOST: usize = 256;
/// Turns of one that are remembered.
const TURNS: usize = 8;

/// What was said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversations(Arc<Mutex<Remembered>>);

/// What it did for a conversation, as the agent counts that itself: in no span, and by nobody's ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CameTo {
    pub(crate) turns: u64,
    /// Calls of the model.
    pub(crate) calls: u64,
    /// Tokens that it said it read.
    pub(crate) read: u64,
    /// And wrote.
    pub(crate) written: u64,
    /// Calls of tools.
    pub(crate) tools: u64,
}

#[derive(Debug, Default)]
struct Remembered {
    by_id: HashMap<String, Conversation>,
    in_order: VecDeque<String>,
}

#[derive(Debug, Default)]
struct Conversation {
    turns: u32,
    came_to: CameTo,
    said: VecDeque<(String, String)>,
}

impl Conversations {
    /// A turn of this conversation begins: which one it is, and the messages of those before it.
    pub(crate) fn turn(&self, id: &str) -> (u32, Vec<Value>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !remembered.by_id.contains_key(id) {
            if remembered.in_order.len() == MOST
                && let Some(oldest) = remembered.in_order.pop_front()
            {
                remembered.by_id.remove(&oldest);
            }
            remembered.in_order.push_back(id.to_owned());
        }
        let conversation = remembered.by_id.entry(id.to_owned()).or_default();
        conversation.turns = conversation.turns.saturating_add(1);
        conversation.came_to.turns += 1;
        let said = conversation.said.iter().flat_map(|(question, answer)| {
            [
                json!({"role": "user", "content": question}),
                json!({"role": "assistant", "content": answer}),
            ]
        });
        (conversation.turns, said.collect())
    }

    /// Something was done for it.
    pub(crate) fn count(&self, id: Option<&str>, add: impl FnOnce(&mut CameTo)) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(conversation) = id.and_then(|id| remembered.by_id.get_mut(id)) {
            add(&mut conversation.came_to);
        }
    }

    /// What was done for it by now.
    pub(crate) fn came_to(&self, id: &str) -> Option<CameTo> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(remembered.by_id.get(id)?.came_to)
    }

    /// What came of it.
    pub(crate) fn said(&self, id: &str, question: String, answer: String) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(conversation) = remembered.by_id.get_mut(id) {
            if conversation.said.len() == TURNS {
                conversation.said.pop_front();
            }
            conversation.said.push_back((question, answer));
        }
    }
}
