//! A table as it was read: never changed, only replaced.

use super::entry::Entry;
use super::name::{self, House};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The prices of all models.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By key, in lower case.
    keys: HashMap<Box<str>, Model, BuildHasherDefault<Fnv>>,
    entries: Vec<Entry>,
    providers: Vec<Box<str>>,
}

#[derive(Clone, Copy, Debug)]
struct Model {
    entry: u32,
    provider: u32,
}

/// What a table has for a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) entry: &'a Entry,
    /// By the key of the model itself, not by that of what it is a version of.
    pub(super) exact: bool,
}

impl Table {
    /// Takes in a model, in place of one of that key.
    pub(super) fn insert(&mut self, key: &str, provider: &str, entry: Entry) {
        let known = self.providers.iter().position(|known| **known == *provider);
        let provider = known.unwrap_or_else(|| {
            self.providers.push(provider.into());
            self.providers.len() - 1
        });
        let (Ok(entry_at), Ok(provider)) = (self.entries.len().try_into(), provider.try_into())
        else {
            return;
        };
        self.entries.push(entry);
        let model = Model {
            entry: entry_at,
            provider,
        };
        self.keys.insert(key.to_ascii_lowercase().into(), model);
    }

    /// Gives a model another key; `false` if there is no such model.
    pub(super) fn alias(&mut self, key: &str, of: &str) -> bool {
        let Some(&model) = self.keys.get(of.to_ascii_lowercase().as_str()) else {
            return false;
        };
        self.keys.insert(key.to_ascii_lowercase().into(), model);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Looks for a model of a provider's.
    pub(super) fn find(&self, provider: &str, model: &str) -> Option<Found<'_>> {
        name::houses(provider, |house| {
            name::keys(house, model, |key, exact| self.owned(house, key, exact))
        })
    }

    fn owned(&self, house: House<'_>, key: &str, exact: bool) -> Option<Found<'_>> {
        let model = self.keys.get(key)?;
        let provider = self.providers.get(model.provider as usize)?;
        let entry = self.entries.get(model.entry as usize)?;
        house.owns(provider).then_some(Found { entry, exact })
    }
}

/// Fowler, Noll and Vo's hash, 1a: the keys are the user's own, and what a client asks for is only looked up.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
