//! `traceparent`.

use obs_core::propagation::traceparent::{LEN, Reject, TraceParent, write};

/// Checks a parser on one input.
#[track_caller]
pub(crate) fn check(parse: impl Fn(&[u8]) -> Result<TraceParent, Reject>, input: &[u8]) {
    let parsed = parse(input);
    let expected = expected(input);
    let fields = parsed.map(|p| {
        (
            p.trace_id.to_string(),
            p.span_id.to_string(),
            p.flags.to_u8(),
        )
    });
    assert_eq!(
        fields.clone().ok(),
        expected,
        "{:?}",
        input.escape_ascii().to_string()
    );

    let Ok(parent) = parsed else { return };
    let mut text = [0; LEN];
    write(&parent, &mut text);
    assert_eq!(parse(&text), Ok(parent), "what we write, we read");
    let (trace_id, span_id, flags) = fields.expect("parsed");
    assert_eq!(
        text.as_slice(),
        format!("00-{trace_id}-{span_id}-{flags:02x}").as_bytes()
    );
}

/// The specification's rules, one after the other.
fn expected(input: &[u8]) -> Option<(String, String, u8)> {
    let text = std::str::from_utf8(super::trim(input)).ok().or_else(|| {
        // Only what follows the known part of a future version may be anything.
        let (known, rest) = super::trim(input).split_at_checked(LEN)?;
        std::str::from_utf8(known)
            .ok()
            .filter(|known| !known.starts_with("00") && rest.starts_with(b"-"))
    })?;
    let hex = |range: std::ops::Range<usize>| {
        let part = text.get(range)?;
        part.chars()
            .all(|c| matches!(c, '0'..='9' | 'a'..='f'))
            .then_some(part)
    };
    let version = hex(0..2)?;
    let trace_id = hex(3..35)?;
    let span_id = hex(36..52)?;
    let flags = u8::from_str_radix(hex(53..55)?, 16).ok()?;
    for dash in [2, 35, 52] {
        text.get(dash..=dash).filter(|dash| *dash == "-")?;
    }
    let length = match version {
        "ff" => false,
        "00" => text.len() == LEN,
        _ => text.len() == LEN || text.as_bytes()[LEN] == b'-',
    };
    let zero = |id: &str| id.bytes().all(|digit| digit == b'0');
    (length && !zero(trace_id) && !zero(span_id))
        .then(|| (trace_id.into(), span_id.into(), flags & 3))
}
