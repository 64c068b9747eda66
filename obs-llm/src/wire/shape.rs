//! The shape of an event: what its like have in common.
//!
//! The events of one answer differ in a few places only: in the piece of text that they bring, and in a number or a time. What
//! lies between is the same, byte for byte, and what is the same need not be read again. So when an event brought nothing but
//! content and tokens, the lengths of what lies between its places are kept, and a sum of it. An event with the same sum says the same with
//! other text in its places: it is read by one multiplication for each sixteen bytes. An event that is not there as a whole, or
//! has another sum, is read the long way, so that a shape never decides what an answer tells, but only how fast.
//!
//! The sum has 64 bits. It stands for the bytes as long as nobody looks for two texts with the same one; who did would gain
//! nothing, as an event that tells what is not so is as easily sent without.

use super::{Content, ResponseSink, document::Document, string};
use crate::usage::{Tokens, Usage};

/// In so many places may events differ.
const PLACES: usize = 6;
/// After so many events in a row that had other shapes, some are read without a look at the shape.
const PATIENCE: u8 = 8;
/// So many.
const PAUSE: u8 = 24;

/// What may stand at a place: the rest of a string, which is content of this kind or none, and is told or not; or digits, which
/// are so many tokens more or nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Digits,
    Text,
    Content(Content),
    Told(Content),
    Count(Tokens),
}

impl Place {
    fn is_digits(self) -> bool {
        matches!(self, Self::Digits | Self::Count(_))
    }

    fn is_content(self) -> bool {
        matches!(self, Self::Content(_) | Self::Told(_))
    }
}

/// What is the same, and then a place.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// How long what is the same is.
    same: u16,
    is_digits: bool,
    /// A bit of its own, where it is content.
    content: u8,
}

impl Part {
    const NONE: Self = Self {
        same: 0,
        is_digits: false,
        content: 0,
    };

    /// What is the same, how long what stands at the place is, and what follows.
    #[inline(always)]
    fn split(self, bytes: &[u8]) -> Option<(&[u8], usize, &[u8])> {
        let (same, rest) = bytes.split_at_checked(self.same.into())?;
        let len = match self.is_digits {
            // None at all are no number.
            true => Some(string::digits_end(rest, 0)).filter(|len| *len > 0)?,
            false => string::end_in_line(rest)?,
        };
        Some((same, len, rest.get(len..)?))
    }
}

/// What is kept of an event.
#[derive(Debug)]
pub(crate) struct Shape {
    sum: u64,
    parts: [Part; PLACES],
    places: [Place; PLACES],
    /// How long what is the same is after the last place.
    tail: u16,
    /// How many places there are.
    len: u8,
    choice: u8,
    is_kept: bool,
    /// Whether what comes next is compared with it.
    is_ready: bool,
    /// Whether such events tell tokens: those that stand at no place are kept by the document.
    counts: bool,
    /// How many events in a row had other shapes, and how many more are not to be looked at.
    misses: u8,
    pause: u8,
}

impl Shape {
    pub(crate) const fn new() -> Self {
        Self {
            sum: 0,
            parts: [Part::NONE; PLACES],
            places: [Place::Text; PLACES],
            tail: 0,
            len: 0,
            choice: 0,
            is_kept: false,
            is_ready: false,
            counts: false,
            misses: 0,
            pause: 0,
        }
    }

    /// Reads the event that `bytes` begin with, if it has this shape: how long it is, which is nothing where it has not.
    #[inline(always)]
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        document: &Document,
        sink: &mut impl ResponseSink,
    ) -> usize {
        match self.is_ready {
            true => self.read_as(self.compare_apart(bytes), bytes, document, sink),
            false => 0,
        }
    }

    /// The same in line, for the one place that nearly all events come to.
    #[inline(always)]
    pub(crate) fn read_at_once(
        &mut self,
        bytes: &[u8],
        document: &Document,
        sink: &mut impl ResponseSink,
    ) -> usize {
        match self.is_ready {
            true => self.read_as(self.compare(bytes), bytes, document, sink),
            false => 0,
        }
    }

    #[inline(always)]
    fn read_as(
        &mut self,
        alike: Alike,
        bytes: &[u8],
        document: &Document,
        sink: &mut impl ResponseSink,
    ) -> usize {
        let Some((len, brings)) = alike.parts() else {
            return 0;
        };
        self.misses = 0;
        let first = self.places.get(brings.trailing_zeros() as usize);
        if let Some(Place::Content(content) | Place::Told(content)) = first {
            sink.content(*content);
        }
        if document.texts() || self.counts {
            self.tell(bytes, document, sink);
        }
        len
    }

    /// Whether what comes next is compared with it, where nothing of an event was there yet.
    #[inline]
    pub(crate) fn be_ready(&mut self, is_at_start: bool) {
        self.is_ready = is_at_start && self.is_kept && self.pause == 0;
    }

    #[inline(never)]
    fn compare_apart(&self, bytes: &[u8]) -> Alike {
        self.compare(bytes)
    }

    /// Whether what begins has this shape.
    #[inline(always)]
    fn compare(&self, bytes: &[u8]) -> Alike {
        let (mut sum, mut brings, mut rest) = (SEED, 0, bytes);
        for part in self.parts.iter().take(self.len.into()) {
            let Some((same, len, after)) = part.split(rest) else {
                return Alike::NOT;
            };
            sum = add(sum, same);
            if len > 0 {
                brings |= part.content;
            }
            rest = after;
        }
        match rest.split_at_checked(self.tail.into()) {
            Some((tail, after)) if halves(add(sum, tail)) == self.sum => {
                Alike::of(bytes.len() - after.len(), brings)
            }
            _ => Alike::NOT,
        }
    }

    /// Tells the texts and the tokens of an event that has this shape.
    #[inline(never)]
    fn tell(&self, bytes: &[u8], document: &Document, sink: &mut impl ResponseSink) {
        let mut usage = *document.usage();
        let mut rest = bytes;
        for (part, place) in self.parts.iter().zip(self.places).take(self.len.into()) {
            let Some((same, len, after)) = part.split(rest) else {
                return;
            };
            let text = rest.get(same.len()..same.len() + len).unwrap_or_default();
            match place {
                Place::Told(content) => {
                    let choice = self.choice.into();
                    string::lossy(text, |piece| sink.text(content, choice, piece));
                }
                Place::Count(tokens) => {
                    let before = usage.get(tokens).unwrap_or_default();
                    usage.set(tokens, before.saturating_add(string::digits(text)));
                }
                _ => {}
            }
            rest = after;
        }
        if self.counts {
            sink.usage(&usage);
        }
    }

    /// An event begins that has another shape: whether it is to be kept.
    pub(crate) fn recorder(&mut self, document: &mut Document) -> Recorder {
        // The document needs the place in which it kept tokens.
        if self.counts {
            self.forget();
            document.begin();
        }
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
    pub(crate) fn keep(&mut self, recorder: &Recorder, event: &[u8], document: &mut Document) {
        // One without places is a comment, or comes once. A line feed that is to come would belong to what is here.
        let is_any = recorder.is_on && recorder.len > 0;
        if !is_any || event.len() > usize::from(u16::MAX) || event.ends_with(b"\r") {
            return;
        }
        let (mut at, mut sum) = (0, SEED);
        let found = recorder.found.iter().zip(recorder.places);
        for (index, ((from, to), place)) in found.take(recorder.len).enumerate() {
            let Some(same) = event.get(at..*from) else {
                return self.forget();
            };
            sum = add(sum, same);
            self.parts[index] = Part {
                same: same.len() as u16,
                is_digits: place.is_digits(),
                content: u8::from(place.is_content()) << index,
            };
            self.places[index] = place;
            at = *to;
        }
        let tail = event.get(at..).unwrap_or_default();
        self.tail = tail.len() as u16;
        self.sum = halves(add(sum, tail));
        self.len = recorder.len as u8;
        self.choice = recorder.choice;
        self.is_kept = true;
        self.counts = recorder.rest.is_some();
        if let Some(rest) = recorder.rest {
            document.keep_usage(rest);
        }
        // What was kept has to find itself: a text that runs over lines, or a number that is not whole, does not.
        match self.compare_apart(event).parts() {
            Some((len, _)) if len == event.len() => {}
            _ => {
                self.forget();
                document.begin();
            }
        }
    }

    fn forget(&mut self) {
        self.is_kept = false;
        self.is_ready = false;
        self.counts = false;
    }
}

/// Whether an event has a shape: how long it is, and which of its content is not empty, a bit each. One word, and zero where
/// it has not.
#[derive(Clone, Copy, Debug)]
struct Alike(usize);

impl Alike {
    const NOT: Self = Self(0);

    #[inline]
    fn of(len: usize, brings: u8) -> Self {
        Self(len << 8 | usize::from(brings))
    }

    #[inline]
    fn parts(self) -> Option<(usize, u8)> {
        (self.0 != 0).then_some((self.0 >> 8, self.0 as u8))
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
    /// At which places it is not known yet of which kind the content is, a bit each.
    unsure: u8,
    /// Where the number stands that is told next.
    number: Option<(usize, usize)>,
    /// What stands at places of tokens, and what was told beside that.
    counted: Usage,
    rest: Option<Usage>,
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
            unsure: 0,
            number: None,
            counted: Usage::new(),
            rest: None,
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

    /// The event tells more than content and tokens.
    #[inline]
    pub(crate) fn spoil(&mut self) {
        self.is_on = false;
    }

    pub(crate) fn text(
        &mut self,
        content: Content,
        is_told: bool,
        choice: u32,
        (from, to): (usize, usize),
    ) {
        // What is not settled yet is told later.
        match self.unsure {
            0 => self.note_content(content, is_told, choice, (from, to)),
            _ => self.spoil(),
        }
    }

    /// Content of a kind that may turn out to be another.
    pub(crate) fn unsure_text(
        &mut self,
        content: Content,
        is_told: bool,
        choice: u32,
        (from, to): (usize, usize),
    ) {
        self.unsure |= 1 << self.len;
        self.note_content(content, is_told, choice, (from, to));
    }

    fn note_content(
        &mut self,
        content: Content,
        is_told: bool,
        choice: u32,
        (from, to): (usize, usize),
    ) {
        let choice = match u8::try_from(choice) {
            Ok(choice) if !self.has_content || choice == self.choice => choice,
            _ => return self.spoil(),
        };
        // Tokens are told after content.
        if self.rest.is_some() {
            return self.spoil();
        }
        self.choice = choice;
        self.has_content = true;
        let place = match is_told {
            true => Place::Told(content),
            false => Place::Content(content),
        };
        self.note(place, from, to);
    }

    /// What was unsure is this.
    pub(crate) fn settle(&mut self, content: Content) {
        for (index, place) in self.places.iter_mut().enumerate() {
            match place {
                _ if self.unsure & 1 << index == 0 => {}
                Place::Content(of) => *of = content,
                // It was told as another.
                Place::Told(of) if *of != content => self.is_on = false,
                _ => {}
            }
        }
        self.unsure = 0;
    }

    pub(crate) fn varies(&mut self, from: usize, to: usize) {
        self.note(Place::Text, from, to);
    }

    pub(crate) fn digits(&mut self, from: usize, to: usize) {
        self.note(Place::Digits, from, to);
    }

    /// A number of tokens stands here, and will be [counted](Self::count).
    pub(crate) fn number(&mut self, from: usize, to: usize) {
        self.number = Some((from, to));
    }

    /// So many tokens were told, or so many more than what the same event told before.
    pub(crate) fn count(&mut self, tokens: Tokens, count: u64, is_more: bool) {
        let before = self.counted.get(tokens);
        match self.number.take() {
            Some((from, to)) if is_more || before.is_none() => {
                let count = before.unwrap_or_default().saturating_add(count);
                self.counted.set(tokens, count);
                self.note(Place::Count(tokens), from, to);
            }
            // One replaces the other.
            _ => self.spoil(),
        }
    }

    /// Tokens were told: each that was counted is the sum of its places and what was told beside them.
    pub(crate) fn report(&mut self, usage: &Usage) {
        let mut rest = *usage;
        let is_twice = self.rest.is_some();
        for tokens in Tokens::ALL {
            let Some(counted) = self.counted.get(tokens) else {
                continue;
            };
            match usage.get(tokens) {
                Some(told) if told < u32::MAX.into() && told >= counted => {
                    rest.set(tokens, told - counted);
                }
                _ => self.spoil(),
            }
        }
        if is_twice {
            self.spoil();
        }
        self.rest = Some(rest);
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

/// What sums begin with.
const SEED: u128 = 0xd1b5_ca92_d192_ed83_c2b2_ae9d_a7d4_eb8f;

/// A sum of bytes: each two words are added to the two halves of the sum, and their product is the next sum.
#[inline(always)]
fn add(sum: u128, bytes: &[u8]) -> u128 {
    let (mut sum, mut rest) = (sum, bytes);
    while let Some((four, after)) = rest.split_first_chunk::<64>() {
        let [one, two, three, four] = four.as_chunks::<16>().0 else {
            break;
        };
        sum = fold(fold(fold(fold(sum, one), two), three), four);
        rest = after;
    }
    if let Some((two, after)) = rest.split_first_chunk::<32>()
        && let [one, two] = two.as_chunks::<16>().0
    {
        sum = fold(fold(sum, one), two);
        rest = after;
    }
    if let Some((one, after)) = rest.split_first_chunk::<16>() {
        sum = fold(sum, one);
        rest = after;
    }
    match (rest, bytes.last_chunk::<16>()) {
        ([], _) => sum,
        // Some of them are added twice.
        (_, Some(last)) => fold(sum, last),
        _ => fold(sum, &few(bytes)),
    }
}

/// Less than sixteen bytes, as two words that have all of them.
#[inline(always)]
fn few(bytes: &[u8]) -> [u8; 16] {
    let pair = |first: u64, last: u64| (u128::from(first) | u128::from(last) << 64).to_le_bytes();
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return pair(u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return pair(
            u32::from_le_bytes(*first).into(),
            u32::from_le_bytes(*last).into(),
        );
    }
    let at = |at: usize| bytes.get(at).copied().map_or(0, u64::from);
    pair(at(0) | at(1) << 8, at(2))
}

#[inline(always)]
fn fold(sum: u128, two: &[u8; 16]) -> u128 {
    let sum = sum ^ u128::from_le_bytes(*two);
    u128::from(sum as u64) * u128::from((sum >> 64) as u64)
}

#[inline(always)]
fn halves(sum: u128) -> u64 {
    sum as u64 ^ (sum >> 64) as u64
}
