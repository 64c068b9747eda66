//! A `tokenizer.json` of the user's.

use obs_llm::CountTokens;
use obs_llm::estimate::TokenizerFile;
use std::path::Path;

/// An invented vocabulary: `b e n o t`, of which `be`, `to`, `no` and `not` are merged. It asks for at most three tokens, padded to
/// twelve, behind a special one: nothing of that is part of a count.
const TOKENIZER: &[u8] = include_bytes!("tokenizer.json");

fn tokenizer() -> TokenizerFile {
    TokenizerFile::from_json(TOKENIZER, ["tiny", "tiny-*"]).expect("a tokenizer")
}

#[track_caller]
fn counts(text: &str, expect: u64) {
    assert_eq!(tokenizer().count("tiny", text), Some(expect), "{text}");
}

#[test]
fn a_text_is_counted_by_the_vocabulary() {
    counts("", 0);
    counts("to", 1);
    counts("To be not to be", 5);
    // `not` is one, `note` is two, `ton` is two, `x` is unknown and one.
    counts("note ton x", 2 + 2 + 1);
    // What the template adds is not counted; what stands in the text is.
    counts("to <end>", 2);
}

#[test]
fn a_long_text_is_counted_whole() {
    let text = "to be ".repeat(20_000);
    counts(&text, 40_000);
}

#[test]
fn only_the_models_that_it_is_of_are_counted() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.count("tiny-2", "to"), Some(1));
    for other in ["", "tin", "tinyer", "TINY"] {
        assert_eq!(tokenizer.count(other, "to"), None, "{other}");
    }
}

#[test]
fn what_is_no_tokenizer_is_an_error() {
    for text in ["", "{}", "{\"model\": 5}"] {
        let error = TokenizerFile::from_json(text.as_bytes(), ["tiny"]).expect_err("refused");
        assert!(error.is_configuration(), "{error}");
    }
    let error = TokenizerFile::from_file("/no/such/tokenizer.json", ["tiny"]).expect_err("no file");
    assert!(
        error.to_string().contains("/no/such/tokenizer.json"),
        "{error}"
    );
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/estimate/tokenizer.json");
    let read = TokenizerFile::from_file(here, ["tiny"]).expect("a tokenizer");
    assert_eq!(read.count("tiny", "to be"), Some(2));
}
