//! What was read of a table, and what was not.

use std::fmt;

/// How many entries that were left out are listed.
const LISTED: usize = 64;
/// How many names of fields: LiteLLM's table has some seventy that tokens do not tell.
const FIELDS: usize = 256;
/// What is kept of a name, in bytes.
const NAME: usize = 128;

/// What was read of a table, and what was left out of it. Its text is a short summary.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadReport {
    /// Models with a price for tokens.
    pub models: usize,
    /// Further names of models.
    pub aliases: usize,
    /// Models that have no price for tokens: they are paid by the image, the second or the page, or not at all. A call of one
    /// has no cost here.
    pub other_units: usize,
    /// Entries that make no sense. They were left out; calls of those models have no cost.
    pub bad_entries: usize,
    /// The first of them, at most 64.
    pub bad: Vec<BadEntry>,
    /// Fields that look like prices and are not understood, and in how many entries each is; at most 256. A newer table may have them: what
    /// they price is charged as what it is a part of.
    pub unknown_fields: Vec<(String, usize)>,
    /// Fields that price what tokens do not tell: searches, seconds, pages; at most 256. They
    /// are not part of a cost here.
    pub untold_fields: Vec<(String, usize)>,
}

/// An entry that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadEntry {
    /// Its key, at most 128 bytes of it.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

impl LoadReport {
    pub(super) fn bad(&mut self, key: &str, reason: &str) {
        self.bad_entries += 1;
        if self.bad.len() < LISTED {
            self.bad.push(BadEntry {
                key: short(key),
                reason: short(reason),
            });
        }
    }

    pub(super) fn unknown(&mut self, name: &str) {
        count(&mut self.unknown_fields, name);
    }

    pub(super) fn untold(&mut self, name: &str) {
        count(&mut self.untold_fields, name);
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            models,
            aliases,
            other_units,
            bad_entries,
            ..
        } = self;
        write!(
            f,
            "{models} models with prices for tokens, {aliases} further names, {other_units} models without such prices, \
             {bad_entries} entries left out, {} fields not understood",
            self.unknown_fields.len()
        )
    }
}

/// Counts in order of appearance; beyond the most that are listed nothing is added.
fn count(fields: &mut Vec<(String, usize)>, name: &str) {
    if let Some((_, count)) = fields.iter_mut().find(|(known, _)| known == name) {
        *count += 1;
    } else if fields.len() < FIELDS {
        fields.push((short(name), 1));
    }
}

fn short(text: &str) -> String {
    let mut text = text.to_owned();
    if text.len() > NAME {
        let mut at = NAME;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.truncate(at);
    }
    text
}
