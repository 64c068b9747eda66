//! The shape of an event: what its like have in common.
//!
//! The events of one answer differ in a few places only: in the piece of text that they bring, and in a number or a time. What
//! lies between is the same, byte for byte, and what is the same need not be read again. So when an event brought nothing but
//! content, the lengths of what lies between its places are kept, and a sum of it. An event that begins alike, as the sum says,
//! says the same with other text in its places: it is read by as many additions as it has words.
//!
//! The sum has 64 bits. It stands for the bytes as long as nobody looks for two texts with the same one; who did would gain
//! nothing, as an event that tells what is not so is as easily sent without.

use super::{Content, string};

/// So many places may differ.
const PLACES: usize = 3;
/// After so many events in a row that had other shapes, some are read without a look at the shape.
const PATIENCE: u8 = 3;
/// So many.
const PAUSE: u8 = 24;

/// What may stand at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// The rest of a string.
    Text,
    /// The same, which is content, and is told or not.
    Content(Content, bool),
    Digits,
}

/// What is kept of an event.
#[derive(Debug)]
pub(crate) struct Shape {
    sum: u64,
    /// How long what is the same is: before each place and after the last; no event was kept where the first is 0.
    same: [u16; PLACES + 1],
    places: [Place; PLACES],
    len: u8,
    choice: u8,
    /// How many events in a row had other shapes, and how many more are not to be looked at.
    misses: u8,
    pause: u8,
}

/// An event of the kept shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    /// Where it ends.
    pub(crate) end: usize,
    places: [(usize, usize); PLACES],
}

impl Shape {
    pub(crate) const fn new() -> Self {
        Self {
            sum: 0,
            same: [0; PLACES + 1],
            places: [Place::Text; PLACES],
            len: 0,
            choice: 0,
            misses: 0,
            pause: 0,
        }
    }

    /// Whether the event that begins there has this shape.
    #[inline]
    pub(crate) fn find(&mut self, bytes: &[u8], from: usize) -> Option<Match> {
        if self.pause > 0 || self.same[0] == 0 {
            return None;
        }
        let found = self.compare(bytes, from);
        if found.is_some() {
            self.misses = 0;
        }
        found
    }

    #[inline]
    fn compare(&self, bytes: &[u8], from: usize) -> Option<Match> {
        let mut found = Match {
            end: from,
            places: [(0, 0); PLACES],
        };
        let mut sum = SEED;
        for index in 0..=PLACES {
            let len = usize::from(self.same[index]);
            let same = bytes.get(found.end..found.end + len)?;
            sum = add(sum, same);
            found.end += len;
            if index == usize::from(self.len) {
                break;
            }
            let end = match self.places[index] {
                Place::Digits => digits_end(bytes, found.end),
                _ => string::end_in_line(bytes, found.end)?,
            };
            found.places[index] = (found.end, end);
            found.end = end;
        }
        (sum == self.sum).then_some(found)
    }

    /// What the event brings: content that is not empty, and whether its piece is told; and the piece.
    #[inline]
    pub(crate) fn contents<'a>(
        &self,
        found: &Match,
        bytes: &'a [u8],
    ) -> impl Iterator<Item = (Content, bool, &'a [u8])> {
        let places = self.places.into_iter().take(usize::from(self.len));
        places.zip(found.places).filter_map(|(place, (from, to))| {
            let text = bytes.get(from..to).filter(|text| !text.is_empty())?;
            match place {
                Place::Content(content, is_told) => Some((content, is_told, text)),
                _ => None,
            }
        })
    }

    pub(crate) fn choice(&self) -> u32 {
        self.choice.into()
    }

    /// Whether the event that begins, which has another shape, is to be kept.
    pub(crate) fn recorder(&mut self) -> Recorder {
        if self.pause > 0 {
            self.pause -= 1;
            return Recorder::off();
        }
        self.misses += 1;
        if self.misses > PATIENCE {
            self.misses = PATIENCE - 1;
            self.pause = PAUSE;
        }
        Recorder::on()
    }

    /// Keeps the shape of an event that was read.
    pub(crate) fn keep(&mut self, recorder: &Recorder, event: &[u8]) {
        if !recorder.is_on || event.len() > usize::from(u16::MAX) {
            return;
        }
        let mut at = 0;
        let mut sum = SEED;
        for index in 0..=recorder.len {
            let (from, to) = match index < recorder.len {
                true => recorder.found[index],
                false => (event.len(), event.len()),
            };
            let Some(same) = event.get(at..from) else {
                return self.forget();
            };
            sum = add(sum, same);
            self.same[index] = same.len() as u16;
            if index < recorder.len {
                self.places[index] = recorder.places[index];
            }
            at = to;
        }
        self.sum = sum;
        self.len = recorder.len as u8;
        self.choice = recorder.choice;
        // What was kept has to find itself: a place that another one lies in, or a text that runs over lines, does not.
        match self.compare(event, 0) {
            Some(found) if found.end == event.len() => {}
            _ => self.forget(),
        }
    }

    fn forget(&mut self) {
        self.same[0] = 0;
    }
}

/// Notes the places of one event while it is read.
#[derive(Debug)]
pub(crate) struct Recorder {
    is_on: bool,
    /// Where in the event what is being read lies.
    pub(crate) base: usize,
    len: usize,
    places: [Place; PLACES],
    found: [(usize, usize); PLACES],
    choice: u8,
    has_content: bool,
}

impl Recorder {
    /// That notes nothing.
    #[inline]
    pub(crate) const fn off() -> Self {
        Self {
            is_on: false,
            base: 0,
            len: 0,
            places: [Place::Text; PLACES],
            found: [(0, 0); PLACES],
            choice: 0,
            has_content: false,
        }
    }

    #[inline]
    const fn on() -> Self {
        Self {
            is_on: true,
            ..Self::off()
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// The event tells more than content.
    #[inline]
    pub(crate) fn spoil(&mut self) {
        self.is_on = false;
    }

    pub(crate) fn text(
        &mut self,
        content: Content,
        is_told: bool,
        choice: u32,
        from: usize,
        to: usize,
    ) {
        let choice = match u8::try_from(choice) {
            Ok(choice) if !self.has_content || choice == self.choice => choice,
            _ => return self.spoil(),
        };
        self.choice = choice;
        self.has_content = true;
        self.note(Place::Content(content, is_told), from, to);
    }

    pub(crate) fn varies(&mut self, from: usize, to: usize) {
        self.note(Place::Text, from, to);
    }

    pub(crate) fn digits(&mut self, from: usize, to: usize) {
        self.note(Place::Digits, from, to);
    }

    fn note(&mut self, place: Place, from: usize, to: usize) {
        if !self.is_on {
            return;
        }
        match self.found.get_mut(self.len) {
            Some(found) => {
                *found = (self.base + from, self.base + to);
                self.places[self.len] = place;
                self.len += 1;
            }
            None => self.spoil(),
        }
    }
}

fn digits_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// No text of JSON holds these bytes, so that no word of one cancels a factor.
const SEED: u64 = 0xd1b5_4a32_d192_ed03;
const ONE: u64 = 0xaef1_7502_b3a5_8dcb;
const OTHER: u64 = 0x9fb2_1c65_1e98_df25;

/// Adds bytes to a sum: their length, and each two words as the two halves of their product.
#[inline]
fn add(sum: u64, bytes: &[u8]) -> u64 {
    let mut sum = sum ^ bytes.len() as u64;
    let (twos, rest) = bytes.as_chunks::<16>();
    for two in twos {
        sum = fold(sum, u128::from_le_bytes(*two));
    }
    if rest.is_empty() {
        return sum;
    }
    // The last sixteen bytes, of which some were added before; of fewer, all.
    let last = match bytes.last_chunk::<16>() {
        Some(last) => u128::from_le_bytes(*last),
        None => rest
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u128::from(*byte)),
    };
    fold(sum, last)
}

#[inline]
fn fold(sum: u64, two: u128) -> u64 {
    let one = two as u64 ^ ONE;
    let other = (two >> 64) as u64 ^ sum;
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64 ^ OTHER
}
