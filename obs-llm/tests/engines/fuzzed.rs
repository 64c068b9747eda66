//! The corpus of the fuzz target, in pieces of every size, and bytes like it.

use crate::cuts::{check, read};
use proptest::prelude::*;

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/tests/corpus/engine_page", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).expect("a corpus");
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        let path = file.expect("a file").path();
        (
            path.display().to_string(),
            std::fs::read(&path).expect("bytes"),
        )
    };
    files.map(read).collect()
}

#[test]
fn pages_of_the_corpus_are_the_same_in_pieces_of_every_size() {
    let corpus = corpus();
    assert!(corpus.len() >= 6);
    let mut samples = 0;
    for (name, mut input) in corpus {
        for size in 0..=255 {
            input[0] = size;
            check(read, &input);
        }
        let (read, counts) = read(&[&input[1..]]);
        samples += read.len();
        let broken = name.ends_with("broken");
        assert_eq!(counts.malformed > 0, broken, "{name}");
        assert_eq!(counts.eof, name.ends_with("openmetrics"), "{name}");
    }
    assert!(samples > 60, "{samples}");
}

proptest! {
    #[test]
    fn pages_that_are_damaged_are_the_same_in_pieces(
        which in any::<prop::sample::Index>(),
        size in any::<u8>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let corpus = corpus();
        let mut input = corpus[which.index(corpus.len())].1.clone();
        for (at, byte) in damage {
            let at = at.index(input.len());
            input[at] = byte;
        }
        input[0] = size;
        check(read, &input);
    }
}
