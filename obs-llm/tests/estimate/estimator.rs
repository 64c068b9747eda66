//! The text of an answer, until it is counted.

use obs_llm::estimate::{Estimate, Estimator};
use obs_llm::wire::Content;
use obs_llm::{CountTokens, Tokens};
use proptest::prelude::*;
use std::sync::Mutex;

/// A token for each byte, of models whose name begins with `m`; keeps what it was asked.
#[derive(Debug, Default)]
struct Bytes(Mutex<Vec<String>>);

impl CountTokens for Bytes {
    fn count(&self, model: &str, text: &str) -> Option<u64> {
        self.0.lock().expect("no panic").push(text.to_owned());
        model.starts_with('m').then_some(text.len() as u64)
    }
}

fn output(estimate: Option<Estimate>) -> Option<u64> {
    estimate.map(|estimate| estimate.output)
}

#[test]
fn what_was_reasoned_is_part_of_the_output() {
    let mut estimator = Estimator::new();
    estimator.push(Content::Reasoning, 0, "hm, ");
    estimator.push(Content::Text, 0, "Hi");
    estimator.push(Content::Reasoning, 0, "hm");
    estimator.push(Content::ToolCall, 0, r#"{\"a\":1}"#);
    let bytes = Bytes::default();
    let estimate = estimator.count("m", &bytes).expect("a known model");
    assert_eq!((estimate.output, estimate.reasoning), (6 + 2 + 7, 6));
    let usage = estimate.usage();
    assert_eq!(usage.get(Tokens::Output), Some(15));
    assert_eq!(usage.get(Tokens::Reasoning), Some(6));
    assert_eq!(usage.get(Tokens::Input), None);
    let asked = bytes.0.into_inner().expect("no panic");
    assert_eq!(asked, ["hm, hm", "Hi", r#"{"a":1}"#]);
}

#[test]
fn choices_are_not_run_together() {
    let mut estimator = Estimator::new();
    for (choice, piece) in [(0, "To "), (1, "Not "), (0, "be"), (1, "so")] {
        estimator.push(Content::Text, choice, piece);
    }
    let bytes = Bytes::default();
    estimator.count("m", &bytes);
    assert_eq!(bytes.0.into_inner().expect("no panic"), ["To be", "Not so"]);
}

#[test]
fn an_escape_may_be_cut_by_pieces_of_another_choice() {
    let mut estimator = Estimator::new();
    estimator.push(Content::Text, 0, r"\ud8");
    estimator.push(Content::Text, 1, r"\");
    estimator.push(Content::Text, 0, r"3d\ude00");
    estimator.push(Content::Text, 1, "n");
    let bytes = Bytes::default();
    estimator.count("m", &bytes);
    assert_eq!(bytes.0.into_inner().expect("no panic"), ["\u{1f600}", "\n"]);
}

#[test]
fn text_of_a_client_library_has_no_escapes() {
    let mut estimator = Estimator::new();
    estimator.push_text(Content::Text, 0, r"a\nb");
    assert_eq!(output(estimator.count("m", &Bytes::default())), Some(4));
}

#[test]
fn beyond_the_cap_there_is_no_estimate_and_nothing_is_held() {
    let mut estimator = Estimator::with_cap(10);
    estimator.push(Content::Text, 0, "0123456789");
    assert_eq!((estimator.held(), estimator.is_over()), (10, false));
    assert_eq!(output(estimator.count("m", &Bytes::default())), Some(10));
    estimator.push(Content::Text, 0, "x");
    assert_eq!((estimator.held(), estimator.is_over()), (0, true));
    estimator.push(Content::Text, 0, "x");
    assert_eq!(estimator.count("m", &Bytes::default()), None);
}

#[test]
fn more_choices_than_anybody_asks_for_have_no_estimate() {
    let mut estimator = Estimator::new();
    for choice in 0..16 {
        estimator.push(Content::Text, choice, "x");
    }
    assert!(!estimator.is_over());
    estimator.push(Content::Text, 16, "x");
    assert!(estimator.is_over());
}

#[test]
fn an_unknown_model_has_no_estimate_and_an_empty_answer_has_no_tokens() {
    let mut estimator = Estimator::new();
    assert_eq!(output(estimator.count("m", &Bytes::default())), Some(0));
    assert_eq!(estimator.count("another", &Bytes::default()), None);
    estimator.push(Content::Text, 0, "x");
    assert_eq!(estimator.count("another", &Bytes::default()), None);
    estimator.push(Content::Media, 0, "AAAA");
    assert_eq!(output(estimator.count("m", &Bytes::default())), Some(1));
}

#[test]
fn what_was_said_is_not_told_to_a_log() {
    let mut estimator = Estimator::new();
    estimator.push(Content::Text, 0, "a secret");
    assert!(!format!("{estimator:?}").contains("secret"));
}

proptest! {
    /// Whatever is pushed, what is held stays within the cap, but for half a character in three bytes of an escape that makes no
    /// sense.
    #[test]
    fn what_is_held_is_bounded(pieces in proptest::collection::vec(("\\PC{0,20}|(\\\\[unq\\\\d8x]){0,9}", 0_u32..20), 0..60), cap in 0_usize..200) {
        let mut estimator = Estimator::with_cap(cap);
        for (piece, choice) in &pieces {
            estimator.push(Content::Text, *choice, piece);
            prop_assert!(estimator.held() <= cap * 3 / 2 + 3);
        }
        let counted = estimator.count("m", &Bytes::default());
        prop_assert_eq!(counted.is_none(), estimator.is_over());
    }
}
