//! What holds for every input of the parsers of foreign bytes. Shared by the property tests, the committed corpus and
//! the fuzz targets, so that an input one of them finds can be replayed by the others.
//!
//! Each parser is compared with a second reading of the same rules, written for plainness.

pub(crate) mod baggage;
pub(crate) mod traceparent;
pub(crate) mod tracestate;

/// A fuzzer's bytes as the values of several headers of one name: no header value holds a line feed.
pub(crate) fn headers(input: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    input.split(|byte| *byte == b'\n')
}

/// Without the optional white space of HTTP lists.
fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(start) = text.iter().position(|byte| !blank(byte)) else {
        return b"";
    };
    let end = text
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |end| end + 1);
    &text[start..end]
}
