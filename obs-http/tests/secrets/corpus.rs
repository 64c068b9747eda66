//! The secrets, by class, and the scanner that looks for them.

/// A text with secrets in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) class: &'static str,
    pub(crate) text: &'static str,
    secrets: &'static str,
}

impl Entry {
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &'static str> {
        self.secrets.split('|')
    }
}

pub(crate) fn all() -> Vec<Entry> {
    let lines = include_str!("corpus.tsv").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
            [class, text, secrets] => Entry {
                class,
                text,
                secrets,
            },
            _ => panic!("three columns expected: {line}"),
        })
        .collect()
}

pub(crate) fn of(class: &str) -> Vec<Entry> {
    let mut all = all();
    all.retain(|entry| entry.class == class);
    assert!(!all.is_empty(), "nothing of class {class}");
    all
}

/// What of the corpus is in the bytes.
pub(crate) fn found_in(bytes: &[u8]) -> Vec<&'static str> {
    let text = text_of(bytes);
    let all = all();
    let found = all
        .iter()
        .flat_map(Entry::secrets)
        .filter(|secret| text.contains(secret));
    found.collect()
}

/// Bytes as text to be searched: what is no text in them is replaced, and no secret has any of that.
pub(crate) fn text_of(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The same in each file of a folder and those below: a spool.
pub(crate) fn found_below(folder: &std::path::Path) -> Vec<&'static str> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(found_below(&path));
        } else {
            found.extend(found_in(&std::fs::read(&path).expect("readable")));
        }
    }
    found
}

#[test]
fn every_secret_is_a_part_of_its_text_and_of_no_random_id() {
    for entry in all() {
        for secret in entry.secrets() {
            assert!(entry.text.contains(secret), "{entry:?}");
            assert!(
                secret.len() >= 9
                    && !secret
                        .bytes()
                        .all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_digit()),
                "{secret}"
            );
        }
    }
}

#[test]
fn a_planted_secret_is_found_in_bytes_and_in_files() {
    let folder = std::env::temp_dir().join(format!("obs-secrets-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("below")).expect("a folder");
    for entry in all() {
        let planted = format!("\0\u{fffd}{}\u{1}", entry.text);
        let found = found_in(planted.as_bytes());
        assert!(
            entry.secrets().all(|secret| found.contains(&secret)),
            "{entry:?}"
        );
        std::fs::write(folder.join("below/segment"), &planted).expect("written");
        assert_eq!(found_below(&folder), found);
    }
    std::fs::remove_dir_all(&folder).expect("removed");
    assert_eq!(found_in(b"nothing of that kind"), [""; 0]);
}
