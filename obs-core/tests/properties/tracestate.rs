//! `tracestate` and its member `ot`.

use std::collections::HashSet;

use obs_core::propagation::ot::{MAX_THRESHOLD, Ot};
use obs_core::propagation::tracestate::{Invalid, combine, read_ot, set_ot};

/// Checks a `combine` on one input: its lines are the headers.
#[track_caller]
pub(crate) fn check(
    combine: impl Fn(&[&[u8]], &mut String) -> Result<usize, Invalid>,
    input: &[u8],
) {
    let headers: Vec<_> = super::headers(input).collect();
    let mut text = String::new();
    let cut = combine(&headers, &mut text).ok();
    assert_eq!(
        cut.map(|_| text.clone()),
        expected(&headers),
        "{:?}",
        input.escape_ascii().to_string()
    );
    if cut.is_none() {
        assert_eq!(text, "", "nothing is carried of what is invalid");
        return;
    }
    assert!(text.len() <= 512, "{text:?}");

    let mut again = String::new();
    assert_eq!(combine(&[text.as_bytes()], &mut again), Ok(0));
    assert_eq!(again, text, "what we write, we read and leave alone");

    // Thresholds that differ from run to run, but not for one input.
    let seed = input.iter().fold(1_u64, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    for ot in [
        Ot::default(),
        Ot {
            threshold: Some(0),
            randomness: None,
        },
        Ot {
            threshold: Some(seed & MAX_THRESHOLD),
            randomness: Some(seed.rotate_left(32) & MAX_THRESHOLD),
        },
    ] {
        check_set_ot(&text, ot);
    }
}

#[track_caller]
fn check_set_ot(before: &str, ot: Ot) {
    let mut after = String::new();
    let complete = set_ot(before, ot, &mut after);
    assert!(
        after.len() <= 512 && members(&after).count() <= 32,
        "{after:?}"
    );
    assert!(
        combine([after.as_bytes()], &mut String::new()).is_ok(),
        "{after:?} is no tracestate"
    );
    let now = read_ot(&after);
    if complete {
        assert_eq!(now, ot, "in {after:?}");
    } else {
        assert_eq!(now.threshold, None, "no threshold rather than a stale one");
    }
    if read_ot(before) == ot {
        assert_eq!(after, before, "nothing to change");
    } else {
        assert!(
            now == Ot::default() || after.starts_with("ot="),
            "what changed is on the left: {after:?}"
        );
        let others = |text| {
            members(text)
                .filter(|member| !member.starts_with("ot="))
                .collect::<Vec<_>>()
        };
        let mut left = others(before).into_iter();
        assert!(
            others(&after)
                .iter()
                .all(|member| left.any(|other| other == *member)),
            "others keep their order"
        );
    }
}

fn members(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|member| !member.is_empty())
}

/// The specification's rules, one after the other.
fn expected(headers: &[&[u8]]) -> Option<String> {
    let mut members = Vec::new();
    let (mut keys, mut count) = (HashSet::new(), 0);
    let joined = headers.join(&b',');
    for member in joined.split(|byte| *byte == b',').map(super::trim) {
        if member.is_empty() {
            continue;
        }
        let member = std::str::from_utf8(member).ok()?;
        let (key, value) = member.split_once('=')?;
        let first = key.chars().next()?;
        let good = first.is_ascii_lowercase() || first.is_ascii_digit();
        let all = key
            .chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-' | '*' | '/' | '@'));
        (good && all && key.len() <= 256).then_some(())?;
        let printable = value.chars().all(|c| matches!(c, ' '..='~') && c != '=');
        (printable && !value.is_empty() && value.len() <= 256).then_some(())?;
        count += 1;
        if keys.insert(key) {
            members.push(member);
        }
    }
    (count <= 32).then_some(())?;
    while members.join(",").len() > 512 {
        let long = members.iter().rposition(|member| member.len() > 128);
        members.remove(long.unwrap_or(members.len() - 1));
    }
    Some(members.join(","))
}
