//! A tokenizer that an open model comes with.

use super::slices;
use crate::bill::CountTokens;
use obs_core::Error;
use std::fmt;
use std::path::Path;
use tokenizers::Tokenizer;

/// Counts tokens by a `tokenizer.json`, in the format of Hugging Face's `tokenizers`, for the models that it is of.
///
/// Special tokens that a template adds are not counted: what is counted is a text within a conversation. Those that stand in the
/// text are, each as one.
pub struct TokenizerFile {
    tokenizer: Tokenizer,
    models: Vec<Box<str>>,
}

impl TokenizerFile {
    /// Reads a tokenizer from a file, for these models: names as calls have them; one that ends in `*` is all that begin so.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not a tokenizer that is known.
    pub fn from_file<M: Into<Box<str>>>(
        path: impl AsRef<Path>,
        models: impl IntoIterator<Item = M>,
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        let json = std::fs::read(path).map_err(|error| {
            let message = format!("the tokenizer at {} cannot be read", path.display());
            Error::configuration(message).with_source(error)
        })?;
        Self::from_json(&json, models)
    }

    /// Reads a tokenizer from its text.
    ///
    /// # Errors
    ///
    /// The text is not a tokenizer that is known.
    pub fn from_json<M: Into<Box<str>>>(
        json: &[u8],
        models: impl IntoIterator<Item = M>,
    ) -> Result<Self, Error> {
        let read = Tokenizer::from_bytes(json);
        let mut tokenizer = read.map_err(|error| {
            Error::configuration("the tokenizer is not one that is known").with_source(error)
        })?;
        // A file may ask that texts are cut or filled up: what is counted is all there is, and nothing else.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| {
            Error::configuration("the tokenizer cannot be used").with_source(error)
        })?;
        let models = models.into_iter().map(Into::into).collect();
        Ok(Self { tokenizer, models })
    }

    fn knows(&self, model: &str) -> bool {
        self.models
            .iter()
            .any(|known| match known.strip_suffix('*') {
                Some(start) => model.starts_with(start),
                None => model == &**known,
            })
    }
}

impl CountTokens for TokenizerFile {
    fn count(&self, model: &str, text: &str) -> Option<u64> {
        if !self.knows(model) {
            return None;
        }
        slices::count(text, |slice| {
            let encoding = self.tokenizer.encode_fast(slice, false).ok()?;
            Some(encoding.len())
        })
    }
}

impl fmt::Debug for TokenizerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenizerFile")
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}
