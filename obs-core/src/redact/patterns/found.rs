//! One pass over a text: where something may begin, and what was found so far.

use std::ops::Range;

/// A secret's place, and what stands there instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) by: &'static str,
}

impl Found {
    pub(super) fn secret(range: Range<usize>) -> Self {
        let by = super::REDACTED;
        Self { range, by }
    }
}

pub(super) struct Scan<'t> {
    text: &'t str,
    at: usize,
    out: String,
    /// Up to where the text is copied, or left out.
    copied: usize,
    changed: bool,
    /// Up to where a look for the dot of a web token, or for the end of an authority, found none.
    pub(super) no_token_until: usize,
    pub(super) no_authority_until: usize,
    /// The same of an address in a value.
    pub(super) no_nested_until: usize,
}

/// Bytes at which a secret may begin, or before which its name may stand. Of letters only those at the beginning of a word.
static MAY_BEGIN: [bool; 256] = {
    let mut may = [false; 256];
    let bytes = b"-:=@0123456789bBsSrApgxehnyd";
    let mut at = 0;
    while at < bytes.len() {
        may[bytes[at] as usize] = true;
        at += 1;
    }
    may
};

pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            out: String::new(),
            copied: 0,
            changed: false,
            no_token_until: 0,
            no_authority_until: 0,
            no_nested_until: 0,
        }
    }

    /// The next place to look at.
    pub(super) fn next(&mut self) -> Option<(usize, u8)> {
        let bytes = self.text.as_bytes();
        loop {
            let at = self.at;
            let byte = *bytes.get(at)?;
            self.at += 1;
            if MAY_BEGIN[usize::from(byte)]
                && (!is_word(byte) || at == 0 || !is_word(bytes[at - 1]))
            {
                return Some((at, byte));
            }
        }
    }

    pub(super) fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    /// What comes from there on.
    pub(super) fn from(&self, at: usize) -> &'t [u8] {
        self.text.as_bytes().get(at..).unwrap_or_default()
    }

    /// The byte before, if what stands there is still to be copied.
    pub(super) fn before(&self, at: usize) -> Option<u8> {
        let before = at.checked_sub(1).filter(|before| *before >= self.copied)?;
        self.bytes().get(before).copied()
    }

    /// How many bytes from there on are of a class.
    pub(super) fn run(&self, at: usize, is: impl Fn(u8) -> bool) -> usize {
        self.from(at).iter().take_while(|byte| is(**byte)).count()
    }

    pub(super) fn replace(&mut self, found: Found) {
        let Range { start, end } = found.range;
        // Both are beside ASCII, so they are boundaries of characters.
        if start < self.copied || end < start {
            return;
        }
        let (Some(kept), Some(_)) = (self.text.get(self.copied..start), self.text.get(end..))
        else {
            return;
        };
        if !self.changed {
            self.out.reserve(self.text.len() + 16);
            self.changed = true;
        }
        self.out.push_str(kept);
        self.out.push_str(found.by);
        self.copied = end;
        self.at = self.at.max(end);
    }

    pub(super) fn finish(mut self) -> Option<String> {
        if !self.changed {
            return None;
        }
        self.out
            .push_str(self.text.get(self.copied..).unwrap_or_default());
        Some(self.out)
    }
}
