//! What a request was seen to ask for: written by who sends its body, on whichever task, and read by who reads the answer.

use crate::anomaly::Anomaly;
use crate::call::LlmCall;
use crate::wire::RequestSink;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// So much is noted at most, in bytes: room for each fact once, and for as many texts that end the answer as a call takes.
const MOST: usize = 2048;

/// As many as a call takes.
const STOPS: u8 = 8;

/// What the body of a request told, by now.
#[derive(Default)]
struct Seen {
    /// Facts in the order in which they were met. Of each, which one it is, and eight bytes, or a length and a text.
    notes: Vec<u8>,
    stops: u8,
    /// The attempt whose body is read: the last that was begun.
    attempt: u32,
    /// A body was read to the end of its document. Those of further attempts are the same.
    is_whole: bool,
    /// Some of it could not be looked at.
    has_gaps: bool,
}

/// Without the facts, of which some are the caller's texts.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Seen");
        shown.field("attempt", &self.attempt);
        shown.field("is_whole", &self.is_whole);
        shown.finish_non_exhaustive()
    }
}

/// The facts of one request, shared by its two sides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<Mutex<Seen>>);

/// What a body was found to be, as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// More is to come.
    Further,
    /// Its document is over, or it is none.
    Whole,
    /// Some of it could not be looked at: what follows makes no sense.
    Gap,
}

impl Asked {
    /// For the side that sends: facts are noted while bytes pass, and locked for no longer. Whether there is more to be read in
    /// the body of this `attempt`, which is 0 before its first bytes.
    ///
    /// A retry sends the same again: one that begins where the body before was not read to its end tells all anew, and the
    /// other is read no more.
    pub(crate) fn note(
        &self,
        attempt: &mut u32,
        scan: impl FnOnce(&mut Noting<'_>) -> Read,
    ) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *attempt == 0 {
            seen.attempt = seen.attempt.saturating_add(1);
            *attempt = seen.attempt;
            if !seen.is_whole {
                seen.notes.clear();
                seen.stops = 0;
            }
        }
        if seen.is_whole || seen.attempt != *attempt {
            return false;
        }
        let read = scan(&mut Noting(&mut seen));
        seen.is_whole = read != Read::Further;
        seen.has_gaps |= read == Read::Gap;
        !seen.is_whole
    }

    /// Tells the call what has come to be known, and forgets it. Whether that is all.
    pub(crate) fn tell(&self, call: &mut LlmCall) -> bool {
        let (notes, has_gaps, is_whole) = {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.stops = 0;
            let has_gaps = std::mem::take(&mut seen.has_gaps);
            (std::mem::take(&mut seen.notes), has_gaps, seen.is_whole)
        };
        if has_gaps {
            call.count_anomaly(Anomaly::Unreadable);
        }
        replay(&notes, call);
        is_whole
    }
}

/// Which fact a note is of.
mod of {
    pub(super) const MODEL: u8 = 0;
    pub(super) const STOP: u8 = 1;
    pub(super) const TIER: u8 = 2;
    pub(super) const REASONING: u8 = 3;
    pub(super) const OUTPUT: u8 = 4;
    pub(super) const ENCODING: u8 = 5;
    pub(super) const PREVIOUS: u8 = 6;
    pub(super) const CONVERSATION: u8 = 7;
    /// From here on, eight bytes.
    pub(super) const STREAM: u8 = 8;
    pub(super) const MAX_TOKENS: u8 = 9;
    pub(super) const TEMPERATURE: u8 = 10;
    pub(super) const TOP_P: u8 = 11;
    pub(super) const TOP_K: u8 = 12;
    pub(super) const FREQUENCY: u8 = 13;
    pub(super) const PRESENCE: u8 = 14;
    pub(super) const SEED: u8 = 15;
    pub(super) const CHOICES: u8 = 16;
    pub(super) const DIMENSIONS: u8 = 17;
}

/// Kinds of output, of which a call takes no others.
const OUTPUTS: [&str; 4] = ["text", "json", "image", "speech"];

fn replay(notes: &[u8], sink: &mut impl RequestSink) {
    let mut rest = notes;
    while let Some((&fact, after)) = rest.split_first() {
        rest = match fact < of::STREAM {
            true => {
                let Some((&length, after)) = after.split_first() else {
                    return;
                };
                let Some((text, after)) = after.split_at_checked(usize::from(length)) else {
                    return;
                };
                if let Ok(text) = std::str::from_utf8(text) {
                    tell_text(fact, text, sink);
                }
                after
            }
            false => {
                let Some((bytes, after)) = after.split_first_chunk() else {
                    return;
                };
                tell_number(fact, *bytes, sink);
                after
            }
        };
    }
}

fn tell_text(fact: u8, text: &str, sink: &mut impl RequestSink) {
    match fact {
        of::MODEL => sink.model(text),
        of::STOP => sink.stop_sequence(text),
        of::TIER => sink.service_tier(text),
        of::REASONING => sink.reasoning_level(text),
        of::OUTPUT => {
            if let Some(kind) = OUTPUTS.into_iter().find(|kind| *kind == text) {
                sink.output_type(kind);
            }
        }
        of::ENCODING => sink.encoding_format(text),
        of::PREVIOUS => sink.previous_response(text),
        of::CONVERSATION => sink.conversation(text),
        _ => {}
    }
}

fn tell_number(fact: u8, bytes: [u8; 8], sink: &mut impl RequestSink) {
    let count = u64::from_le_bytes(bytes);
    let real = f64::from_le_bytes(bytes);
    match fact {
        of::STREAM => sink.stream(count == 1),
        of::MAX_TOKENS => sink.max_tokens(count),
        of::TEMPERATURE => sink.temperature(real),
        of::TOP_P => sink.top_p(real),
        of::TOP_K => sink.top_k(real),
        of::FREQUENCY => sink.frequency_penalty(real),
        of::PRESENCE => sink.presence_penalty(real),
        of::SEED => sink.seed(i64::from_le_bytes(bytes)),
        of::CHOICES => sink.choice_count(count),
        of::DIMENSIONS => sink.dimensions(count),
        _ => {}
    }
}

/// Notes what a scanner of the request tells.
#[derive(Debug)]
pub(crate) struct Noting<'a>(&'a mut Seen);

impl Noting<'_> {
    fn add(&mut self, fact: u8, length: Option<u8>, bytes: &[u8]) {
        let notes = &mut self.0.notes;
        if notes.len() + 2 + bytes.len() > MOST {
            return;
        }
        if notes.capacity() == 0 {
            // One piece of memory for most requests.
            notes.reserve(96);
        }
        notes.push(fact);
        notes.extend(length);
        notes.extend_from_slice(bytes);
    }

    fn text(&mut self, fact: u8, text: &str) {
        // They are cut at half of that.
        if let Ok(length) = u8::try_from(text.len()) {
            self.add(fact, Some(length), text.as_bytes());
        }
    }

    fn count(&mut self, fact: u8, count: u64) {
        self.add(fact, None, &count.to_le_bytes());
    }

    fn real(&mut self, fact: u8, real: f64) {
        self.add(fact, None, &real.to_le_bytes());
    }
}

impl RequestSink for Noting<'_> {
    fn model(&mut self, model: &str) {
        self.text(of::MODEL, model);
    }
    fn stream(&mut self, stream: bool) {
        self.count(of::STREAM, stream.into());
    }
    fn max_tokens(&mut self, tokens: u64) {
        self.count(of::MAX_TOKENS, tokens);
    }
    fn temperature(&mut self, value: f64) {
        self.real(of::TEMPERATURE, value);
    }
    fn top_p(&mut self, value: f64) {
        self.real(of::TOP_P, value);
    }
    fn top_k(&mut self, value: f64) {
        self.real(of::TOP_K, value);
    }
    fn frequency_penalty(&mut self, value: f64) {
        self.real(of::FREQUENCY, value);
    }
    fn presence_penalty(&mut self, value: f64) {
        self.real(of::PRESENCE, value);
    }
    fn seed(&mut self, seed: i64) {
        self.add(of::SEED, None, &seed.to_le_bytes());
    }
    fn choice_count(&mut self, count: u64) {
        self.count(of::CHOICES, count);
    }
    fn stop_sequence(&mut self, text: &str) {
        if self.0.stops < STOPS {
            self.0.stops += 1;
            self.text(of::STOP, text);
        }
    }
    fn service_tier(&mut self, tier: &str) {
        self.text(of::TIER, tier);
    }
    fn reasoning_level(&mut self, level: &str) {
        self.text(of::REASONING, level);
    }
    fn output_type(&mut self, kind: &'static str) {
        self.text(of::OUTPUT, kind);
    }
    fn encoding_format(&mut self, format: &str) {
        self.text(of::ENCODING, format);
    }
    fn dimensions(&mut self, dimensions: u64) {
        self.count(of::DIMENSIONS, dimensions);
    }
    fn previous_response(&mut self, id: &str) {
        self.text(of::PREVIOUS, id);
    }
    fn conversation(&mut self, id: &str) {
        self.text(of::CONVERSATION, id);
    }
}

#[cfg(test)]
mod tests;
