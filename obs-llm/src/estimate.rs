//! Tokens counted here, for calls whose provider told none.
//!
//! A stream that is cut, or that was not asked to end with a report, tells no tokens. They can be counted from what passed, by
//! the vocabulary that the model was trained with: `Tiktoken` has those of OpenAI's models (feature `tiktoken`),
//! `TokenizerFile` reads the `tokenizer.json` that open models come with (feature `tokenizers`), and [`CountTokens`] is the
//! trait of anything else.
//!
//! **What is counted so is an estimate**, and is told apart from what a provider told: by the conventions nothing else may be
//! reported as usage unless the user asks for it. It sees what the client sees. Reasoning that a provider keeps to itself, images
//! and sound are not in it, nor are the tokens that the model ended its answer or a call of a tool with; the text of a call's
//! arguments is, its name is not. A call that failed before any content came has none. Anthropic and Google publish no
//! vocabulary: for their models there is no estimate.
//!
//! An [`Estimator`] holds the text of one answer until its end, up to a cap; beyond it there is no estimate, rather than one of a
//! half. That is the cost of it, next to counting at the end, on the thread that ends the call: of 1,000 bytes some twenty
//! microseconds by OpenAI's vocabularies, of 256 KiB of English ten milliseconds, and of as much white space a hundred. It is not
//! for a service that does without.

mod chat;
mod estimator;
#[cfg(feature = "tiktoken")]
mod openai;
#[cfg(any(feature = "tiktoken", feature = "tokenizers"))]
mod slices;
#[cfg(feature = "tokenizers")]
mod tokenizer;
mod unescape;

pub use chat::ChatOverhead;
pub use estimator::{Estimate, Estimator};
#[cfg(feature = "tiktoken")]
#[cfg_attr(docsrs, doc(cfg(feature = "tiktoken")))]
pub use openai::Tiktoken;
#[cfg(feature = "tokenizers")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokenizers")))]
pub use tokenizer::TokenizerFile;

#[cfg(doc)]
use crate::CountTokens;
