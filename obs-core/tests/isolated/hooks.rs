//! Where code of users is called: every such place is found in the source, and stands here with the test that makes it panic.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Traits that users implement, and the tests in which they panic.
const TRAITS: &[(&str, &str)] = &[
    ("Transport", "obs-core/tests/isolated/panics.rs"),
    ("Subscriber", "obs-core/tests/isolated/panics.rs"),
    ("IdGenerator", "obs-core/tests/isolated/panics.rs"),
    ("Lines", "obs-core/tests/isolated/panics.rs"),
    ("Redactor", "obs-core/tests/redaction/within.rs"),
    ("Classify", "obs-http/tests/it/contained.rs"),
    ("Annotator", "obs-llm/tests/call/annotated.rs"),
    ("SessionWitness", "obs-core/tests/sessions/cases.rs"),
];

/// Traits that only we implement.
const OURS: &[&str] = &["Side", "BodySide"];

/// Functions that take a closure and keep it, and the tests in which it panics.
const CLOSURES: &[(&str, &str)] = &[
    ("observe", "obs-core/tests/isolated/panics.rs"),
    ("with_diagnostics", "obs-core/tests/isolated/panics.rs"),
    // Answers for a transport.
    ("with_answer", "obs-core/tests/isolated/panics.rs"),
    ("with_trust_by", "obs-http/tests/it/contained.rs"),
    ("with_filter", "obs-http/tests/it/contained.rs"),
    ("with_senders", "obs-http/tests/it/forwarded.rs"),
    ("by", "obs-http/tests/it/outgoing/injection.rs"),
    ("with_joined", "obs-http/tests/it/page.rs"),
    ("new", "obs-http/tests/it/control.rs"),
];

fn sources(under: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn library_code() -> Vec<String> {
    let mut files = Vec::new();
    for library in ["obs-core", "obs-http"] {
        sources(&root().join(library).join("src"), &mut files);
    }
    let read = |path: &PathBuf| fs::read_to_string(path).expect("text");
    files.iter().map(read).collect()
}

fn words(line: &str) -> Vec<&str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn every_public_trait_is_one_that_only_we_implement_or_has_a_test_in_which_it_panics() {
    let mut found = BTreeSet::new();
    for text in library_code() {
        for line in text
            .lines()
            .filter(|line| line.trim_start().starts_with("pub trait "))
        {
            found.insert(words(line)[2].to_owned());
        }
    }
    let known: BTreeSet<_> = { TRAITS.iter().map(|(name, _)| *name) }
        .chain(OURS.iter().copied())
        .map(str::to_owned)
        .collect();
    assert_eq!(found, known, "say where a new one panics");
}

/// Names of public functions whose parameters name a closure that is kept: one that is `'static`.
fn keepers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = text;
    while let Some(at) = rest.find("pub fn ") {
        let from = &rest[at + "pub fn ".len()..];
        let head = &from[..from.find(['{', ';']).unwrap_or(from.len())];
        let closure = head.contains("impl Fn") || head.contains("dyn Fn");
        if closure && head.contains("+ 'static") {
            found.insert(words(head)[0].to_owned());
        }
        rest = from;
    }
    found
}

#[test]
fn every_function_that_keeps_a_closure_has_a_test_in_which_it_panics() {
    let text =
        "pub fn keeps(f: impl Fn() + Send + 'static) {} pub fn calls(f: impl Fn()) { 'static }";
    assert_eq!(keepers(text), BTreeSet::from(["keeps".to_owned()]));
    let found: BTreeSet<_> = library_code()
        .iter()
        .flat_map(|text| keepers(text))
        .collect();
    let known: BTreeSet<_> = CLOSURES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(found, known, "say where a new one panics");
}

#[test]
fn the_tests_that_are_named_here_are_there() {
    for (hook, test) in TRAITS.iter().chain(CLOSURES) {
        let text = fs::read_to_string(root().join(test));
        let text = text.unwrap_or_else(|error| panic!("{hook}: {test}: {error}"));
        assert!(text.contains("panic"), "{hook}: nothing panics in {test}");
        let named = text.contains(hook) || *hook == "with_answer";
        assert!(named, "{hook} is not in {test}");
    }
}

/// A scoped dispatcher would hide that of the service from whatever runs beneath.
#[test]
fn nothing_of_ours_installs_a_dispatcher_of_tracing() {
    for text in library_code() {
        for name in ["set_default(", "with_default(", "set_global_default("] {
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            assert_eq!(code.filter(|line| line.contains(name)).count(), 0, "{name}");
        }
    }
}
