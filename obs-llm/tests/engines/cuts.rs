//! What holds for any bytes as a page, whoever makes them up: the fuzz target `engine_page` has this file, too.

use obs_llm::engines::page::{Counts, PageReader, Sample};

/// What was read of a page: each sample with its labels, and what became of the lines.
pub(crate) type Page = (Vec<String>, Counts);

/// Reads a page that comes in these pieces.
pub(crate) fn read(pieces: &[&[u8]]) -> Page {
    let mut samples = Vec::new();
    let mut reader = PageReader::new();
    for piece in pieces {
        reader.feed(piece, &mut |sample: Sample<'_>| {
            let labels: Vec<_> = sample.labels().collect();
            for (name, value) in &labels {
                // An empty one is none, and each is there once.
                assert!(!value.is_empty(), "{name}");
                assert_eq!(sample.label(name), Some(*value));
            }
            assert!(!sample.name.is_empty() && labels.len() <= 64);
            samples.push(format!("{:?} {labels:?} {:?}", sample.name, sample.value));
        });
    }
    (samples, reader.counts())
}

/// The first byte says how long the pieces are; what comes after it is the page.
pub(crate) fn check(read: impl Fn(&[&[u8]]) -> Page, input: &[u8]) {
    let Some((size, page)) = input.split_first() else {
        return;
    };
    let whole = read(&[page]);
    let (samples, counts) = &whole;
    assert_eq!(samples.len() as u64, counts.samples);
    let lines = page.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert!(counts.samples + counts.malformed <= lines);
    assert_eq!(
        counts.whole_lines,
        page.last().is_none_or(|byte| *byte == b'\n')
    );
    let pieces: Vec<&[u8]> = page.chunks(usize::from(*size).max(1)).collect();
    assert_eq!(read(&pieces), whole, "in pieces of {size}");
}
