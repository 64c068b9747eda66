//! The members of a `tracestate`: read in one pass over the bytes, without an allocation however long the headers are.

use super::{Invalid, MAX_BYTES, MAX_MEMBERS};

/// Members longer than this are the first to be cut.
const LONG_MEMBER: usize = 128;

/// Keys and values, each.
pub(super) const MAX_PART: usize = 256;

/// Members in their order, borrowed from their headers.
pub(super) struct Members<'a> {
    list: [&'a str; MAX_MEMBERS],
    /// How much of each member is its key.
    keys: [u16; MAX_MEMBERS],
    len: usize,
    /// Those whose key was there already. Of these the first stands: it is the latest to have been written.
    repeated: usize,
}

impl<'a> Members<'a> {
    /// Adds the members of one header.
    pub(super) fn read(&mut self, value: &'a [u8]) -> Result<(), Invalid> {
        let text = std::str::from_utf8(value).map_err(|_| Invalid::Value)?;
        let mut next = 0;
        while next <= value.len() {
            let start = run(value, next, BLANK);
            // At the first byte that belongs to no key.
            let key = run(value, start, KEY);
            if value.get(key) == Some(&b'=') {
                check_key(&value[start..key])?;
                let (end, after) = value_end(value, key + 1)?;
                self.push(&text[start..end], key - start)?;
                next = after + 1;
            } else if key == start && matches!(value.get(key), None | Some(b',')) {
                next = key + 1; // empty, which is allowed: senders cannot always know what others add
            } else {
                let mut member = value[start..].iter().take_while(|byte| **byte != b',');
                return Err(if member.any(|byte| *byte == b'=') {
                    Invalid::Key
                } else {
                    Invalid::Member
                });
            }
        }
        Ok(())
    }

    fn push(&mut self, member: &'a str, key: usize) -> Result<(), Invalid> {
        if self.len + self.repeated == MAX_MEMBERS {
            return Err(Invalid::TooManyMembers);
        }
        if self.find(&member[..key]).is_some() {
            self.repeated += 1;
            return Ok(());
        }
        self.list[self.len] = member;
        self.keys[self.len] = key as u16; // `check_key` saw to it
        self.len += 1;
        Ok(())
    }

    fn find(&self, key: &str) -> Option<usize> {
        let mut members = self.list[..self.len].iter().zip(&self.keys);
        members.position(|(member, len)| usize::from(*len) == key.len() && member.starts_with(key))
    }

    /// Takes a member out and returns its value.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a str> {
        let at = self.find(key)?;
        let value = &self.list[at][key.len() + 1..];
        self.remove(at);
        Some(value)
    }

    /// The one member, where there is one.
    pub(super) fn only(&self) -> Option<&'a str> {
        (self.len == 1).then_some(self.list[0])
    }

    /// How many were left out because their key was there already.
    pub(super) fn repeated(&self) -> usize {
        self.repeated
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The length as text.
    pub(super) fn bytes(&self) -> usize {
        let members = self.list[..self.len].iter();
        members
            .map(|member| member.len() + 1)
            .sum::<usize>()
            .saturating_sub(1)
    }

    /// Cuts whole members until at most `members` are left and their text fits into [`MAX_BYTES`] less `reserved`:
    /// long ones first, then from the right. Returns how many were cut.
    pub(super) fn cut(&mut self, members: usize, reserved: usize) -> usize {
        let before = self.len;
        self.len = self.len.min(members);
        while self.bytes() + reserved > MAX_BYTES && !self.is_empty() {
            let long = self.list[..self.len]
                .iter()
                .rposition(|member| member.len() > LONG_MEMBER);
            self.remove(long.unwrap_or(self.len - 1));
        }
        before - self.len
    }

    fn remove(&mut self, at: usize) {
        self.list[at..self.len].rotate_left(1);
        self.keys[at..self.len].rotate_left(1);
        self.len -= 1;
    }

    pub(super) fn write(&self, out: &mut String) {
        for (n, member) in self.list[..self.len].iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            out.push_str(member);
        }
    }
}

impl Default for Members<'_> {
    fn default() -> Self {
        Self {
            list: [""; MAX_MEMBERS],
            keys: [0; MAX_MEMBERS],
            len: 0,
            repeated: 0,
        }
    }
}

/// It begins with a letter or a digit. The characters are checked already.
fn check_key(key: &[u8]) -> Result<(), Invalid> {
    let valid = key.len() <= MAX_PART && key.first().is_some_and(|byte| is(*byte, FIRST));
    if valid { Ok(()) } else { Err(Invalid::Key) }
}

/// Where the value that begins at `start` ends, and where its member does, at a comma or the end. White space between
/// the two is not part of the value.
fn value_end(value: &[u8], start: usize) -> Result<(usize, usize), Invalid> {
    let mut end = run(value, start, VALUE);
    let after = run(value, end, BLANK);
    while end > start && value[end - 1] == b' ' {
        end -= 1;
    }
    let whole = matches!(value.get(after), None | Some(b','));
    if whole && (1..=MAX_PART).contains(&(end - start)) {
        Ok((end, after))
    } else {
        Err(Invalid::Value)
    }
}

/// The first place from `start` on whose byte is not of a class.
#[inline]
fn run(value: &[u8], start: usize, class: u8) -> usize {
    let rest = value.get(start..).unwrap_or_default();
    start
        + rest
            .iter()
            .position(|byte| !is(*byte, class))
            .unwrap_or(rest.len())
}

#[inline]
fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// White space around members.
const BLANK: u8 = 1;
/// The first character of a key.
const FIRST: u8 = 2;
/// The characters of a key.
const KEY: u8 = 4;
/// The characters of a value.
const VALUE: u8 = 8;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'0'..=b'9' => FIRST | KEY | VALUE,
            b'_' | b'-' | b'*' | b'/' | b'@' => KEY | VALUE,
            b' ' => BLANK | VALUE,
            b'\t' => BLANK,
            b',' | b'=' => 0,
            b'!'..=b'~' => VALUE,
            _ => 0,
        };
        byte += 1;
    }
    classes
};
