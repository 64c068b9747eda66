//! A long text in slices that a tokenizer takes in bounded time.

/// The most bytes that a tokenizer is given at once. Each slice that begins within a word costs a token too many at most: one in
/// some two thousand.
#[cfg_attr(
    not(any(feature = "tiktoken", feature = "tokenizers")),
    allow(dead_code)
)]
const SLICE: usize = 8 << 10;
/// How far before its end a slice looks for white space to end at.
#[cfg_attr(
    not(any(feature = "tiktoken", feature = "tokenizers")),
    allow(dead_code)
)]
const LOOK: usize = 256;

/// Counts slice by slice; `None` if one has no count. What panics has no count, either: tokenizers are others' code, their
/// regular expressions give up on some texts, and no text of a model's may end the call that it stands in.
#[cfg_attr(
    not(any(feature = "tiktoken", feature = "tokenizers")),
    allow(dead_code)
)]
pub(super) fn count(text: &str, each: impl Fn(&str) -> Option<usize>) -> Option<u64> {
    let mut sum = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (slice, tail) = rest.split_at(cut(rest));
        let counted = std::panic::AssertUnwindSafe(|| each(slice));
        sum += match std::panic::catch_unwind(counted) {
            Ok(tokens) => tokens? as u64,
            // What was thrown may panic again when it is dropped: it is not.
            Err(thrown) => {
                std::mem::forget(thrown);
                return None;
            }
        };
        rest = tail;
    }
    Some(sum)
}

/// Where the first slice ends: before white space, since the words of most vocabularies begin with it, or else at a character.
fn cut(text: &str) -> usize {
    if text.len() <= SLICE {
        return text.len();
    }
    let is_space = |at: &usize| text.as_bytes()[*at].is_ascii_whitespace();
    let space = (SLICE - LOOK..SLICE).rev().find(is_space);
    let end = (1..=SLICE).rev().find(|at| text.is_char_boundary(*at));
    space.or(end).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn slices(text: &str) -> Vec<String> {
        let slices = RefCell::new(Vec::new());
        let counted = count(text, |slice| {
            slices.borrow_mut().push(slice.to_owned());
            Some(slice.len())
        });
        assert_eq!(counted, Some(text.len() as u64));
        let slices = slices.into_inner();
        assert_eq!(slices.concat(), text);
        assert!(slices.iter().all(|slice| slice.len() <= SLICE));
        slices
    }

    #[test]
    fn a_slice_ends_before_white_space_or_at_a_character() {
        assert_eq!(slices("").len(), 0);
        assert_eq!(slices(&"a".repeat(SLICE)).len(), 1);
        assert_eq!(slices(&"a".repeat(SLICE + 1)).len(), 2);
        // Three bytes each: the limit is within one.
        let kanji = slices(&"\u{65e5}".repeat(SLICE));
        assert_eq!(kanji[0].len(), SLICE / 3 * 3);
        let words = slices(&"word ".repeat(SLICE));
        assert!(words[1..].iter().all(|slice| slice.starts_with(' ')));
    }

    #[test]
    fn what_has_no_count_or_panics_has_none() {
        assert_eq!(count("text", |_| None), None);
        // Thrown past the hook, which would print it.
        let gives_up = |_: &str| std::panic::resume_unwind(Box::new("a tokenizer gave up"));
        let counted = count("text", gives_up);
        assert_eq!(counted, None);
    }
}
