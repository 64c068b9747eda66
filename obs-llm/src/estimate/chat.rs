//! What a conversation has beside its texts.

use crate::bill::CountTokens;

/// The tokens that a provider puts around the messages of a conversation. Providers publish none of it, and change it: of
/// OpenAI's, the numbers that its cookbook ("How to count tokens with tiktoken") found for the models since `gpt-3.5-turbo-0613`.
/// The definitions of tools come on top and are not in any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChatOverhead {
    /// Around each message.
    pub per_message: u64,
    /// For a name that a message bears, beside the name itself.
    pub per_name: u64,
    /// Before the answer: it begins as a message of the assistant's.
    pub per_reply: u64,
}

impl ChatOverhead {
    /// OpenAI's.
    pub const OPENAI: Self = Self {
        per_message: 3,
        per_name: 1,
        per_reply: 3,
    };
    /// None: the texts alone, for a model whose template is not known.
    pub const NONE: Self = Self {
        per_message: 0,
        per_name: 0,
        per_reply: 0,
    };

    /// An overhead of these.
    pub const fn new(per_message: u64, per_name: u64, per_reply: u64) -> Self {
        Self {
            per_message,
            per_name,
            per_reply,
        }
    }

    /// Estimates the input of a conversation, of which each message is a role, a name that it may bear, and its text; `None` if
    /// the model's tokens are not known.
    pub fn input<'a>(
        &self,
        model: &str,
        counter: &dyn CountTokens,
        messages: impl IntoIterator<Item = (&'a str, Option<&'a str>, &'a str)>,
    ) -> Option<u64> {
        let mut messages = messages.into_iter();
        messages.try_fold(self.per_reply, |sum, (role, name, text)| {
            let name = match name {
                Some(name) => self.per_name + counter.count(model, name)?,
                None => 0,
            };
            let texts = counter.count(model, role)? + counter.count(model, text)?;
            Some(sum + self.per_message + name + texts)
        })
    }
}
