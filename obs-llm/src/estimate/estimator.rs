//! The text of one answer, kept until it is counted.

use super::unescape::Unescape;
use crate::bill::CountTokens;
use crate::usage::{Tokens, Usage};
use crate::wire::Content;
use std::fmt;

/// How many choices and kinds of content are kept apart; more is no answer that a person asked for.
const PARTS: usize = 16;

/// Keeps the text of one answer as it passes, and counts its tokens at the end.
///
/// Pieces are what [`ResponseSink::text`](crate::wire::ResponseSink::text) tells: they stand in JSON, with escapes, and may be cut
/// within one. Escapes are undone as pieces come, so that the text is held once.
///
/// ```
/// use obs_llm::estimate::Estimator;
/// use obs_llm::wire::Content;
/// use obs_llm::{CountTokens, Tokens};
///
/// /// A token for each word.
/// #[derive(Debug)]
/// struct Words;
///
/// impl CountTokens for Words {
///     fn count(&self, model: &str, text: &str) -> Option<u64> {
///         (model == "tiny").then(|| text.split_whitespace().count() as u64)
///     }
/// }
///
/// let mut estimator = Estimator::new();
/// estimator.push(Content::Text, 0, r"To be,\u");
/// estimator.push(Content::Text, 0, r"00a0or not");
/// let estimate = estimator.count("tiny", &Words).expect("known");
/// assert_eq!(estimate.usage().get(Tokens::Output), Some(4));
/// assert_eq!(estimator.count("another", &Words), None);
/// ```
pub struct Estimator {
    parts: Vec<Part>,
    held: usize,
    cap: usize,
    over: bool,
}

struct Part {
    content: Content,
    choice: u32,
    unescape: Unescape,
    text: String,
}

/// Tokens that were counted here. They are not what the provider counted: keep them apart from what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Estimate {
    /// All of the output that was seen.
    pub output: u64,
    /// Of it, what was reasoned in the open.
    pub reasoning: u64,
}

impl Estimate {
    /// As usage, for whoever takes an estimate for one: the output, and the reasoning if there was any.
    pub fn usage(&self) -> Usage {
        let usage = Usage::new().with(Tokens::Output, self.output);
        match self.reasoning {
            0 => usage,
            reasoning => usage.with(Tokens::Reasoning, reasoning),
        }
    }
}

impl Default for Estimator {
    fn default() -> Self {
        Self::new()
    }
}

impl Estimator {
    /// The most bytes of text that are held unless it is said otherwise: some sixty thousand tokens of English.
    pub const CAP: usize = 256 << 10;

    /// For one answer.
    pub fn new() -> Self {
        Self::with_cap(Self::CAP)
    }

    /// For one answer, of which at most so many bytes are held. Of a longer one nothing is, and there is no estimate.
    pub fn with_cap(bytes: usize) -> Self {
        Self {
            parts: Vec::new(),
            held: 0,
            cap: bytes,
            over: false,
        }
    }

    /// Takes a piece of content as it stands in JSON between its quotes.
    pub fn push(&mut self, content: Content, choice: u32, piece: &str) {
        if let Some(part) = self.part(content, choice, piece.len()) {
            let before = part.text.len();
            part.unescape.push(piece, &mut part.text);
            let added = part.text.len() - before;
            self.held += added;
        }
    }

    /// Takes a piece of content that is text already, as a client library has it.
    pub fn push_text(&mut self, content: Content, choice: u32, text: &str) {
        if let Some(part) = self.part(content, choice, text.len()) {
            part.text.push_str(text);
            self.held += text.len();
        }
    }

    /// Where a piece goes. A piece is no longer as text than as JSON, but for a replaced character.
    fn part(&mut self, content: Content, choice: u32, len: usize) -> Option<&mut Part> {
        // Media are counted by nobody's vocabulary.
        if self.over || len == 0 || content == Content::Media {
            return None;
        }
        let known = self.parts.iter();
        let mut known = known.map(|part| (part.content, part.choice));
        let at = known.position(|part| part == (content, choice));
        let full = at.is_none() && self.parts.len() == PARTS;
        if full || len > self.cap.saturating_sub(self.held) {
            self.over = true;
            self.parts = Vec::new();
            return None;
        }
        let at = at.unwrap_or_else(|| {
            self.parts.push(Part {
                content,
                choice,
                unescape: Unescape::default(),
                text: String::new(),
            });
            self.parts.len() - 1
        });
        self.parts.get_mut(at)
    }

    /// Whether the answer was longer than the cap: there is no estimate of it.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// How many bytes of text are held.
    pub fn held(&self) -> usize {
        match self.over {
            true => 0,
            false => self.held,
        }
    }

    /// Counts what was taken, part by part; `None` if there was too much, or the model's tokens are not known. An answer of
    /// which nothing was seen has no tokens, if the model is known.
    pub fn count(&mut self, model: &str, counter: &dyn CountTokens) -> Option<Estimate> {
        if self.over {
            return None;
        }
        let (mut output, mut reasoning) = (0, 0);
        if self.parts.is_empty() {
            counter.count(model, "")?;
        }
        for part in &mut self.parts {
            part.unescape.end(&mut part.text);
            let tokens = counter.count(model, &part.text)?;
            output += tokens;
            if part.content == Content::Reasoning {
                reasoning += tokens;
            }
        }
        Some(Estimate { output, reasoning })
    }
}

impl fmt::Debug for Estimator {
    /// Without the text: it is somebody's conversation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Estimator")
            .field("parts", &self.parts.len())
            .field("held", &self.held())
            .field("cap", &self.cap)
            .field("over", &self.over)
            .finish()
    }
}
