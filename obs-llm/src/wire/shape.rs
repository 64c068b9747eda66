//! The shape of an event: what its like have in common.
//!
//! The events of one answer differ in a few places only: in the piece of text that they bring, and in a number or a time. What
//! lies between is the same, byte for byte, and what is the same need not be read again. So when an event brought nothing but
//! content, the lengths of what lies between its places are kept, and a sum of it. An event with the same sum says the same with
//! other text in its places: it is read by one multiplication for each sixteen bytes. An event that is not there as a whole, or
//! has another sum, is read the long way, so that a shape never decides what an answer tells, but only how fast.
//!
//! The sum has 64 bits. It stands for the bytes as long as nobody looks for two texts with the same one; who did would gain
//! nothing, as an event that tells what is not so is as easily sent without.

use super::{Content, ResponseSink, string};

/// So many parts that are the same: one place fewer may differ. A power of two.
const PLACES: usize = 4;
/// After so many events in a row that had other shapes, some are read without a look at the shape.
const PATIENCE: u8 = 8;
/// So many.
const PAUSE: u8 = 24;

/// What may stand at a place: the rest of a string, which is content of this kind or none, and is told or not; or digits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Digits,
    Text,
    Content(Content),
    Told(Content),
}

impl Place {
    /// Where what stands there ends.
    #[inline]
    fn end(self, bytes: &[u8], from: usize) -> Option<usize> {
        match self {
            // None at all are no number.
            Self::Digits => Some(string::digits_end(bytes, from)).filter(|end| *end > from),
            _ => string::end_in_line(bytes, from),
        }
    }
}

/// What is kept of an event.
#[derive(Debug)]
pub(crate) struct Shape {
    sum: u64,
    /// How long what is the same is: before each place and after the last.
    same: [u16; PLACES],
    places: [Place; PLACES],
    /// How many places there are, and which of them are content, a bit each.
    len: u8,
    contents: u8,
    choice: u8,
    is_kept: bool,
    /// How many events in a row had other shapes, and how many more are not to be looked at.
    misses: u8,
    pause: u8,
}

impl Shape {
    pub(crate) const fn new() -> Self {
        Self {
            sum: 0,
            same: [0; PLACES],
            places: [Place::Text; PLACES],
            len: 0,
            contents: 0,
            choice: 0,
            is_kept: false,
            misses: 0,
            pause: 0,
        }
    }

    /// Reads the event that `bytes` begin with, if it has this shape: where it ends.
    #[inline]
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        texts: bool,
        sink: &mut impl ResponseSink,
    ) -> Option<usize> {
        if !self.is_kept || self.pause > 0 {
            return None;
        }
        let (end, filled) = self.compare(bytes)?;
        self.misses = 0;
        let brings = filled & self.contents;
        if brings != 0 {
            let first = brings.trailing_zeros() as usize % PLACES;
            if let Place::Content(content) | Place::Told(content) = self.places[first] {
                sink.content(content);
            }
            if texts {
                self.tell(bytes, sink);
            }
        }
        Some(end)
    }

    /// Whether what begins has this shape: where it ends, and which of its places are not empty, a bit each.
    #[inline]
    fn compare(&self, bytes: &[u8]) -> Option<(usize, u8)> {
        let mut sum = Sum::NEW;
        let (mut end, mut filled) = (0, 0);
        let mut index = 0;
        loop {
            let from = end;
            end += usize::from(self.same[index % PLACES]);
            sum.add(bytes.get(from..end)?);
            if index == usize::from(self.len) {
                break;
            }
            let from = end;
            end = self.places[index % PLACES].end(bytes, from)?;
            filled |= u8::from(end > from) << index;
            index += 1;
        }
        (sum.get() == self.sum).then_some((end, filled))
    }

    /// Tells the texts of an event that has this shape.
    #[inline(never)]
    fn tell(&self, bytes: &[u8], sink: &mut impl ResponseSink) {
        let mut at = 0;
        for (len, place) in self.same.iter().zip(self.places).take(self.len.into()) {
            let from = at + usize::from(*len);
            at = place.end(bytes, from).unwrap_or(from);
            if let (Place::Told(content), Some(text)) = (place, bytes.get(from..at)) {
                let choice = self.choice.into();
                string::lossy(text, |piece| sink.text(content, choice, piece));
            }
        }
    }

    /// Whether the event that begins, which has another shape, is to be kept.
    pub(crate) fn recorder(&mut self) -> Recorder {
        if self.pause > 0 {
            self.pause -= 1;
            return Recorder::off();
        }
        if self.is_kept {
            self.misses += 1;
        }
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
        let mut sum = Sum::NEW;
        for index in 0..=recorder.len {
            let (from, to) = match index < recorder.len {
                true => recorder.found[index],
                false => (event.len(), event.len()),
            };
            let Some(same) = event.get(at..from) else {
                return self.forget();
            };
            sum.add(same);
            self.same[index] = same.len() as u16;
            at = to;
        }
        self.sum = sum.get();
        self.places = recorder.places;
        self.contents = 0;
        for (index, place) in recorder.places[..recorder.len].iter().enumerate() {
            let is_content = matches!(place, Place::Content(_) | Place::Told(_));
            self.contents |= u8::from(is_content) << index;
        }
        self.len = recorder.len as u8;
        self.choice = recorder.choice;
        self.is_kept = true;
        // What was kept has to find itself: a text that runs over lines, or a number that is not whole, does not.
        match self.compare(event) {
            Some((end, _)) if end == event.len() => {}
            _ => self.forget(),
        }
    }

    fn forget(&mut self) {
        self.is_kept = false;
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
    found: [(usize, usize); PLACES - 1],
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
            found: [(0, 0); PLACES - 1],
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
        let place = match is_told {
            true => Place::Told(content),
            false => Place::Content(content),
        };
        self.note(place, from, to);
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

/// A sum of bytes: each two words are added to the two halves of the sum, and their product is the next sum.
#[derive(Clone, Copy, Debug)]
struct Sum(u128);

impl Sum {
    const NEW: Self = Self(0xd1b5_ca92_d192_ed83_c2b2_ae9d_a7d4_eb8f);

    #[inline]
    fn add(&mut self, bytes: &[u8]) {
        let mut sum = self.0;
        let (fours, rest) = bytes.as_chunks::<32>();
        for four in fours {
            let [one, other] = four.as_chunks::<16>().0 else {
                break;
            };
            sum = fold(sum, u128::from_le_bytes(*one));
            sum = fold(sum, u128::from_le_bytes(*other));
        }
        let (two, rest) = rest.as_chunks::<16>();
        if let [two] = two {
            sum = fold(sum, u128::from_le_bytes(*two));
        }
        if !rest.is_empty() {
            // The last sixteen bytes, of which some were added before; of fewer, all.
            let last = match bytes.last_chunk::<16>() {
                Some(last) => *last,
                None => {
                    let mut last = [0; 16];
                    last[..rest.len()].copy_from_slice(rest);
                    last
                }
            };
            sum = fold(sum, u128::from_le_bytes(last));
        }
        self.0 = sum;
    }

    #[inline]
    fn get(self) -> u64 {
        self.0 as u64 ^ (self.0 >> 64) as u64
    }
}

#[inline]
fn fold(sum: u128, two: u128) -> u128 {
    let sum = sum ^ two;
    u128::from(sum as u64) * u128::from((sum >> 64) as u64)
}
