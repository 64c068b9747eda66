//! A page of metrics, read in pieces as they arrive: Prometheus's text format 0.0.4 and OpenMetrics 1.0, in which a sample is a
//! line. Of both only the samples are read; what a number is, the [mapping](super::Mapping) says, as pages say it wrongly at
//! times (brpc calls every counter a gauge).
//!
//! Times of samples are passed over, as no engine writes them: a sample is of when its page was read. So are exemplars.
//!
//! Nothing of a page is trusted: a line is held up to a cap and skipped beyond it, what is no sample is counted and left out,
//! and no input panics.

/// The longest line that is read, in bytes. The longest of a real page are a few hundred.
pub const MAX_LINE: usize = 64 << 10;

/// The most labels of one sample.
const MAX_LABELS: usize = 64;

/// Reads one page. It holds the line that is not over, and the labels of the one at hand.
#[derive(Debug, Default)]
pub struct PageReader {
    /// What there is of a line whose end is not here yet.
    begun: Vec<u8>,
    /// That line is too long, and what is left of it is skipped.
    skipping: bool,
    scratch: Scratch,
    counts: Counts,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Lines that are samples.
    pub samples: u64,
    /// Lines that are neither samples nor comments, are no UTF-8, are longer than [`MAX_LINE`], or stand after the end.
    pub malformed: u64,
    /// Whether the last line has its end: a page that breaks off mostly breaks off within a line.
    pub whole_lines: bool,
    /// Whether there was OpenMetrics's `# EOF`.
    pub eof: bool,
}

/// One sample: a name, labels and a value. What escapes stood for is there in their place.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// As it stands on the page, `_bucket` and `_total` with it.
    pub name: &'a str,
    labels: &'a Scratch,
    /// May be infinite or no number.
    pub value: f64,
}

impl<'a> Sample<'a> {
    /// Its labels in their order. One with an empty value is as good as none, and left out.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let labels = self.labels;
        let pairs = labels.pairs.iter().map(|pair| labels.pair(*pair));
        pairs.filter(|(_, value)| !value.is_empty())
    }

    /// The value of one label; none where it is absent or empty.
    pub fn label(&self, name: &str) -> Option<&'a str> {
        let mut labels = self.labels();
        labels
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

impl PageReader {
    /// One at the beginning of a page.
    pub fn new() -> Self {
        Self {
            counts: Counts {
                whole_lines: true,
                ..Counts::default()
            },
            ..Self::default()
        }
    }

    /// Reads the next piece, however it is cut.
    pub fn feed(&mut self, piece: &[u8], sample: &mut dyn FnMut(Sample<'_>)) {
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            self.end_line(line, sample);
        }
        if rest.is_empty() {
            return;
        }
        self.counts.whole_lines = false;
        if !self.skipping {
            if self.begun.len() + rest.len() > MAX_LINE {
                self.skipping = true;
                self.begun.clear();
            } else {
                self.begun.extend_from_slice(rest);
            }
        }
    }

    /// What became of the page, if it ends here. A line whose end is missing is not read.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn end_line(&mut self, line: &[u8], sample: &mut dyn FnMut(Sample<'_>)) {
        self.counts.whole_lines = true;
        let too_long = std::mem::take(&mut self.skipping);
        if too_long || self.begun.len() + line.len() > MAX_LINE {
            self.begun.clear();
            self.counts.malformed += 1;
        } else if self.begun.is_empty() {
            self.line(line, sample);
        } else {
            let mut whole = std::mem::take(&mut self.begun);
            whole.extend_from_slice(line);
            self.line(&whole, sample);
            whole.clear();
            self.begun = whole;
        }
    }

    fn line(&mut self, line: &[u8], sample: &mut dyn FnMut(Sample<'_>)) {
        let Ok(text) = std::str::from_utf8(line) else {
            self.counts.malformed += 1;
            return;
        };
        let text = text
            .strip_suffix('\r')
            .unwrap_or(text)
            .trim_start_matches(BLANK);
        if text.is_empty() {
            return;
        }
        if text.starts_with('#') {
            self.counts.eof |= text == "# EOF";
            return;
        }
        let scratch = &mut self.scratch;
        match scratch.sample(text) {
            Some((name, value)) if !self.counts.eof => {
                self.counts.samples += 1;
                let labels = &*scratch;
                let name = match name {
                    Name::Plain(name) => name,
                    Name::Quoted(start, end) => &labels.text[start..end],
                };
                sample(Sample {
                    name,
                    labels,
                    value,
                });
            }
            _ => self.counts.malformed += 1,
        }
    }
}

const BLANK: [char; 2] = [' ', '\t'];

/// Where the texts of a line's labels lie, without their escapes.
#[derive(Debug, Default)]
struct Scratch {
    text: String,
    /// Of each the start of the name, its end, which is the start of the value, and that one's end.
    pairs: Vec<(usize, usize, usize)>,
}

enum Name<'a> {
    Plain(&'a str),
    /// Between these places of the text.
    Quoted(usize, usize),
}

impl Scratch {
    fn pair(&self, (name, value, end): (usize, usize, usize)) -> (&str, &str) {
        (&self.text[name..value], &self.text[value..end])
    }

    /// Name and value; `None` where it is no sample.
    fn sample<'t>(&mut self, text: &'t str) -> Option<(Name<'t>, f64)> {
        self.text.clear();
        self.pairs.clear();
        let (name, rest) = word(text, |byte| byte == b':');
        let mut rest = rest.trim_start_matches(BLANK);
        let mut name = (!name.is_empty()).then_some(Name::Plain(name));
        if let Some(within) = rest.strip_prefix('{') {
            rest = self.labels(within, &mut name)?;
        } else if rest.len() == text.len() {
            return None;
        }
        let name = name?;
        let value = rest.trim_start_matches(BLANK);
        // Where a name has no braces a blank ends it.
        if matches!(name, Name::Plain(known) if known.len() + value.len() == text.len()) {
            return None;
        }
        let (value, rest) = value.split_at(value.find(BLANK).unwrap_or(value.len()));
        let value = value.parse().ok()?;
        ends(rest).then_some((name, value))
    }

    /// Reads up to the brace that closes, and gives what is after it.
    fn labels<'t>(&mut self, within: &'t str, name: &mut Option<Name<'t>>) -> Option<&'t str> {
        let mut rest = within.trim_start_matches(BLANK);
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                return Some(after);
            }
            let from = self.text.len();
            match rest.strip_prefix('"') {
                Some(quoted) => rest = self.unescape(quoted)?,
                None => {
                    let (key, after) = word(rest, |_| false);
                    if key.is_empty() {
                        return None;
                    }
                    self.text.push_str(key);
                    rest = after;
                }
            }
            let value = self.text.len();
            rest = rest.trim_start_matches(BLANK);
            if let Some(after) = rest.strip_prefix('=') {
                let quoted = after.trim_start_matches(BLANK).strip_prefix('"')?;
                rest = self.unescape(quoted)?;
                let key = &self.text[from..value];
                let known = |pair: &(usize, usize, usize)| self.pair(*pair).0 == key;
                if self.pairs.len() >= MAX_LABELS || self.pairs.iter().any(known) {
                    return None;
                }
                self.pairs.push((from, value, self.text.len()));
            } else if name.is_none() && within.starts_with('"') && value > from {
                // A name of any characters stands in the braces, first.
                *name = Some(Name::Quoted(from, value));
            } else {
                return None;
            }
            rest = rest.trim_start_matches(BLANK);
            match rest.strip_prefix(',') {
                Some(after) => rest = after.trim_start_matches(BLANK),
                None if rest.starts_with('}') => {}
                None => return None,
            }
        }
    }

    /// Reads up to the quote that closes, and gives what is after it.
    fn unescape<'t>(&mut self, quoted: &'t str) -> Option<&'t str> {
        let mut rest = quoted;
        loop {
            let at = memchr::memchr2(b'"', b'\\', rest.as_bytes())?;
            self.text.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if rest.as_bytes()[at] == b'"' {
                return Some(after);
            }
            let mut characters = after.chars();
            match characters.next()? {
                'n' => self.text.push('\n'),
                escaped @ ('"' | '\\') => self.text.push(escaped),
                // As Prometheus has it: what is no escape stays as it is.
                other => self.text.extend(['\\', other]),
            }
            rest = characters.as_str();
        }
    }
}

/// What a name may be made of, and what comes after it.
fn word(text: &str, also: impl Fn(u8) -> bool) -> (&str, &str) {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || also(byte);
    let end = text
        .bytes()
        .position(|byte| !may(byte))
        .unwrap_or(text.len());
    match text.as_bytes().first() {
        Some(first) if first.is_ascii_digit() => ("", text),
        _ => text.split_at(end),
    }
}

/// Whether what is after a value is nothing, a time, or an exemplar, with or without a time before it.
fn ends(rest: &str) -> bool {
    let rest = rest.trim_matches(BLANK);
    let (time, exemplar) = match rest.split_once('#') {
        Some((time, exemplar)) => (time.trim_end_matches(BLANK), Some(exemplar)),
        None => (rest, None),
    };
    let is_time = |time: &str| time.is_empty() || time.parse().is_ok_and(f64::is_finite);
    is_time(time) && exemplar.is_none_or(|it| it.trim_start_matches(BLANK).starts_with('{'))
}

#[cfg(test)]
mod tests;
