//! Tokens of one call, as its provider told them.

/// What tokens are of. Input and output are totals; the others are parts of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Tokens {
    /// All of the input, with what was read from and written to caches.
    Input,
    /// All of the output, with what was reasoned.
    Output,
    /// Of the input, those read from a cache.
    CacheRead,
    /// Of the input, those written to a cache, for however long.
    CacheWrite,
    /// Of those written, the ones that are kept for an hour, which cost more.
    CacheWriteHour,
    /// Of the output, those of reasoning.
    Reasoning,
    /// Of the input, those of text.
    TextInput,
    /// Of the input, those of images.
    ImageInput,
    /// Of the input, those of sound.
    AudioInput,
    /// Of the output, those of text.
    TextOutput,
    /// Of the output, those of images.
    ImageOutput,
    /// Of the output, those of sound.
    AudioOutput,
}

impl Tokens {
    /// All kinds, in order.
    pub const ALL: [Self; KINDS] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWriteHour,
        Self::Reasoning,
        Self::TextInput,
        Self::ImageInput,
        Self::AudioInput,
        Self::TextOutput,
        Self::ImageOutput,
        Self::AudioOutput,
    ];
}

const KINDS: usize = 12;

/// Tokens of one call. A kind that was not told is absent, which is not zero.
///
/// ```
/// use obs_llm::{Tokens, Usage};
///
/// let usage = Usage::new().with(Tokens::Input, 17).with(Tokens::Output, 0);
/// assert_eq!(usage.get(Tokens::Output), Some(0));
/// assert_eq!(usage.get(Tokens::Reasoning), None);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Thirty-two bits: no call has four billion tokens, and a record of a stream is kept small.
    counts: [u32; KINDS],
    told: u16,
}

impl Usage {
    /// Nothing told.
    pub const fn new() -> Self {
        Self {
            counts: [0; KINDS],
            told: 0,
        }
    }

    /// With a count of tokens. Saturates at [`u32::MAX`].
    #[must_use]
    pub const fn with(mut self, tokens: Tokens, count: u64) -> Self {
        self.set(tokens, count);
        self
    }

    /// Sets a count of tokens. Saturates at [`u32::MAX`].
    pub const fn set(&mut self, tokens: Tokens, count: u64) {
        self.counts[tokens as usize] = if count > u32::MAX as u64 {
            u32::MAX
        } else {
            count as u32
        };
        self.told |= 1 << tokens as u16;
    }

    /// How many there were, if it was told.
    pub const fn get(&self, tokens: Tokens) -> Option<u64> {
        if self.told & 1 << tokens as u16 == 0 {
            return None;
        }
        Some(self.counts[tokens as usize] as u64)
    }

    /// Whether nothing was told.
    pub const fn is_empty(&self) -> bool {
        self.told == 0
    }

    /// Takes over what a later report tells: providers tell totals so far, in several reports, each with some of them.
    pub fn update(&mut self, later: &Self) {
        for tokens in Tokens::ALL {
            if let Some(count) = later.get(tokens) {
                self.set(tokens, count);
            }
        }
    }
}

impl std::fmt::Debug for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = Tokens::ALL.into_iter();
        let told = told.filter_map(|tokens| Some((tokens, self.get(tokens)?)));
        f.debug_map().entries(told).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_not_zero() {
        let usage = Usage::new().with(Tokens::Output, 0);
        assert_eq!(usage.get(Tokens::Output), Some(0));
        assert_eq!(usage.get(Tokens::Input), None);
        assert!(Usage::new().is_empty() && !usage.is_empty());
    }

    #[test]
    fn a_later_report_replaces_what_it_tells_and_nothing_else() {
        let mut usage = Usage::new().with(Tokens::Input, 9).with(Tokens::Output, 1);
        usage.update(&Usage::new().with(Tokens::Output, 30));
        let expect = Usage::new().with(Tokens::Input, 9).with(Tokens::Output, 30);
        assert_eq!(usage, expect);
    }

    #[test]
    fn more_than_fits_saturates() {
        let usage = Usage::new().with(Tokens::Input, u64::MAX);
        assert_eq!(usage.get(Tokens::Input), Some(u64::from(u32::MAX)));
    }

    #[test]
    fn each_kind_has_its_place() {
        let mut usage = Usage::new();
        for (index, tokens) in Tokens::ALL.into_iter().enumerate() {
            usage.set(tokens, index as u64);
        }
        for (index, tokens) in Tokens::ALL.into_iter().enumerate() {
            assert_eq!(usage.get(tokens), Some(index as u64));
        }
    }
}
