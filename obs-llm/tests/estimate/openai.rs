//! OpenAI's vocabularies.

use obs_llm::CountTokens;
use obs_llm::estimate::{ChatOverhead, Tiktoken};

fn tiktoken() -> Tiktoken {
    Tiktoken::new().expect("vocabularies")
}

#[track_caller]
fn counts(model: &str, text: &str, expect: u64) {
    assert_eq!(
        tiktoken().count(model, text),
        Some(expect),
        "{model}: {text}"
    );
}

/// The numbers are those that OpenAI's cookbook prints ("How to count tokens with tiktoken", comparing encodings).
#[test]
fn a_text_has_as_many_tokens_as_openai_says() {
    counts("gpt-4", "antidisestablishmentarianism", 6);
    counts("gpt-4o", "antidisestablishmentarianism", 6);
    counts("gpt-4", "2 + 2 = 4", 7);
    counts("gpt-4o", "2 + 2 = 4", 7);
    counts("gpt-4", "お誕生日おめでとう", 9);
    counts("gpt-4o", "お誕生日おめでとう", 8);
    counts("gpt-3.5-turbo", "tiktoken is great!", 6);
}

#[test]
fn a_model_is_known_by_its_name_and_others_are_not() {
    for model in [
        "gpt-4o-2024-08-06",
        "openai/gpt-4o",
        "ft:gpt-4o:my-org::id",
        "o3",
        "gpt-oss-120b",
        "text-embedding-3-small",
    ] {
        assert_eq!(tiktoken().count(model, "2"), Some(1), "{model}");
    }
    // The last one is OpenAI's, of a time before these two vocabularies.
    for model in [
        "",
        "claude-sonnet-4-5",
        "gemini-2.5-pro",
        "llama-3",
        "davinci",
    ] {
        assert_eq!(tiktoken().count(model, "2"), None, "{model}");
    }
}

#[test]
fn what_looks_like_a_special_token_is_text() {
    let as_text = tiktoken().count("gpt-4", "<|endoftext|>");
    assert!(as_text.is_some_and(|tokens| tokens > 1), "{as_text:?}");
    counts("gpt-4", "", 0);
}

/// Words that are one token each, with the space before them.
#[test]
fn a_long_text_is_counted_in_slices_without_an_error() {
    let text = " the".repeat(50_000);
    assert_eq!(tiktoken().count("gpt-4o", &text), Some(50_000));
}

/// What a model that has lost its way repeats: one word without an end, white space, characters outside of any word. A naive
/// merge takes time by the square of it, and the regular expression gives up on some.
#[test]
fn no_text_takes_it_down() {
    let long = 40_000;
    for unit in [
        "a",
        " ",
        "\n",
        " \n",
        "\u{1f600}",
        "\u{301}",
        "=",
        "'",
        "\u{200d}",
        "0",
    ] {
        let text = unit.repeat(long / unit.len());
        let tokens = tiktoken().count("gpt-4o", &text);
        assert!(
            tokens.is_some_and(|tokens| tokens > 0),
            "{unit:?}: {tokens:?}"
        );
        assert!(tokens <= Some(text.len() as u64), "{unit:?}: {tokens:?}");
    }
}

#[test]
fn a_conversation_has_what_is_around_its_messages() {
    let tiktoken = tiktoken();
    let messages = [
        ("system", None, "2 + 2 = 4"),
        ("user", Some("ada"), "tiktoken is great!"),
    ];
    let input = ChatOverhead::OPENAI.input("gpt-4", &tiktoken, messages);
    // Three before the reply; three, a role and seven; three, a role, one for a name and the name, and six. `system` and `user`
    // are one token each, and `ada` is one.
    assert_eq!(input, Some(3 + (3 + 1 + 7) + (3 + 1 + 1 + 1 + 6)));
    assert_eq!(
        ChatOverhead::NONE.input("gpt-4", &tiktoken, messages),
        Some(1 + 7 + 1 + 1 + 6)
    );
    assert_eq!(
        ChatOverhead::OPENAI.input("claude", &tiktoken, messages),
        None
    );
    assert_eq!(
        ChatOverhead::new(4, 0, 2).input("gpt-4", &tiktoken, []),
        Some(2)
    );
}
