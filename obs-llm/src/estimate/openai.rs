//! OpenAI's encodings.

use super::slices;
use crate::bill::CountTokens;
use obs_core::Error;
use std::fmt;
use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

/// Counts tokens of OpenAI's models, by name: `o200k_base` for those since `gpt-4o`, `cl100k_base` for `gpt-4`, `gpt-3.5-turbo`
/// and the embeddings. Of others, and of the models before those, it knows nothing. What comes before a slash is left out of a
/// name (`openai/gpt-4o`, as gateways have it).
///
/// Text that looks like a special token (`<|endoftext|>`) is counted as the text that it is.
///
/// ```
/// use obs_llm::CountTokens;
/// use obs_llm::estimate::{ChatOverhead, Tiktoken};
///
/// let tiktoken = Tiktoken::new()?;
/// assert_eq!(tiktoken.count("gpt-4", "2 + 2 = 4"), Some(7));
/// assert_eq!(tiktoken.count("claude-sonnet-4-5", "2 + 2 = 4"), None);
/// // A message has its role and three tokens around it; the reply begins with three.
/// let input = ChatOverhead::OPENAI.input("gpt-4", &tiktoken, [("user", None, "2 + 2 = 4")]);
/// assert_eq!(input, Some(3 + 3 + 1 + 7));
/// # Ok::<(), obs_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Tiktoken {
    o200k: &'static CoreBPE,
    cl100k: &'static CoreBPE,
}

impl Tiktoken {
    /// Loads the two vocabularies, once in a process: about a second and 70 MiB, which are kept for good. Do it at set-up.
    ///
    /// # Errors
    ///
    /// A vocabulary that was compiled in cannot be read.
    pub fn new() -> Result<Self, Error> {
        let load = |tokenizer| {
            tiktoken_rs::bpe_for_tokenizer(tokenizer).map_err(|error| {
                let error: Box<dyn std::error::Error + Send + Sync> = error.into();
                Error::configuration("a vocabulary of OpenAI's cannot be read").with_source(error)
            })
        };
        Ok(Self {
            o200k: load(Tokenizer::O200kBase)?,
            cl100k: load(Tokenizer::Cl100kBase)?,
        })
    }

    fn encoding(&self, model: &str) -> Option<&'static CoreBPE> {
        let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
        match get_tokenizer(name)? {
            // The latter has more special tokens, which are not counted as such.
            Tokenizer::O200kBase | Tokenizer::O200kHarmony => Some(self.o200k),
            Tokenizer::Cl100kBase => Some(self.cl100k),
            _ => None,
        }
    }
}

impl CountTokens for Tiktoken {
    fn count(&self, model: &str, text: &str) -> Option<u64> {
        let encoding = self.encoding(model)?;
        slices::count(text, |slice| Some(encoding.count_ordinary(slice)))
    }
}

impl fmt::Debug for Tiktoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tiktoken")
    }
}
