//! `traceparent`, case by case.

use crate::{PLAIN, plain, read};
use obs_core::propagation::Remote;
use obs_core::propagation::traceparent::{self, Reject, TraceParent};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};

#[track_caller]
fn check(value: &str, expect: Result<TraceParent, Reject>) {
    assert_eq!(traceparent::parse(value.as_bytes()), expect, "{value:?}");
}

#[test]
fn valid_values_are_read() {
    check(PLAIN, Ok(plain(1)));
    check(
        "00-12345678901234567890123456789012-1234567890123456-00",
        Ok(plain(0)),
    );
    check(
        "00-12345678901234567890123456789012-1234567890123456-02",
        Ok(plain(2)),
    );
    check(
        "00-12345678901234567890123456789012-1234567890123456-03",
        Ok(plain(3)),
    );
}

#[test]
fn unknown_flags_are_dropped() {
    check(
        "00-12345678901234567890123456789012-1234567890123456-ff",
        Ok(plain(3)),
    );
    check(
        "00-12345678901234567890123456789012-1234567890123456-08",
        Ok(plain(0)),
    );
    check(
        "00-12345678901234567890123456789012-1234567890123456-1d",
        Ok(plain(1)),
    );
}

#[test]
fn white_space_around_the_value_is_allowed() {
    for (before, after) in [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")] {
        check(&format!("{before}{PLAIN}{after}"), Ok(plain(1)));
    }
    check(&format!("\n{PLAIN}"), Err(Reject::Malformed));
}

#[test]
fn future_versions_are_read_as_far_as_they_are_known() {
    check(
        "cc-12345678901234567890123456789012-1234567890123456-01",
        Ok(plain(1)),
    );
    check(
        "01-12345678901234567890123456789012-1234567890123456-01-",
        Ok(plain(1)),
    );
    check(
        "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-brings",
        Ok(plain(1)),
    );
    check(
        "cc-12345678901234567890123456789012-1234567890123456-01.no-dash",
        Err(Reject::Malformed),
    );
    check(
        "cc-12345678901234567890123456789012-1234567890123456-0",
        Err(Reject::Length),
    );
}

#[test]
fn version_00_has_55_characters() {
    check(&format!("{PLAIN}."), Err(Reject::Length));
    check(
        &format!("{PLAIN}-what-the-future-brings"),
        Err(Reject::Length),
    );
    check(&PLAIN[..54], Err(Reject::Length));
    check("", Err(Reject::Length));
}

#[test]
fn version_ff_is_forbidden() {
    check(
        "ff-12345678901234567890123456789012-1234567890123456-01",
        Err(Reject::Version),
    );
    check(
        "ff-12345678901234567890123456789012-1234567890123456-01-x",
        Err(Reject::Version),
    );
}

#[test]
fn fields_of_the_wrong_length_are_malformed() {
    for value in [
        "000-12345678901234567890123456789012-1234567890123456-01",
        "0000-12345678901234567890123456789012-1234567890123456-01",
        "0-12345678901234567890123456789012-1234567890123456-01",
        "00-123456789012345678901234567890123-1234567890123456-01",
        "00-1234567890123456789012345678901-1234567890123456-01",
        "00-12345678901234567890123456789012-12345678901234567-01",
        "00-12345678901234567890123456789012-123456789012345-01",
        "00-12345678901234567890123456789012-1234567890123456-001",
        "00-12345678901234567890123456789012-1234567890123456-1",
        "00-12345678901234567890123456789012-1234567890123456-",
        "00-12345678901234567890123456789012-1234567890123456",
        "00-1234567890123456789012345678901-12345678901234561-01",
    ] {
        assert!(traceparent::parse(value.as_bytes()).is_err(), "{value:?}");
    }
}

#[test]
fn every_position_takes_its_characters_and_no_others() {
    for at in 0..PLAIN.len() {
        for byte in 0..=255_u8 {
            let mut value = PLAIN.as_bytes().to_vec();
            value[at] = byte;
            let allowed = match at {
                2 | 35 | 52 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            };
            assert_eq!(
                traceparent::parse(&value).is_ok(),
                allowed,
                "{:?}",
                value.escape_ascii().to_string()
            );
        }
    }
}

#[test]
fn zero_ids_are_invalid() {
    check(
        "00-00000000000000000000000000000000-1234567890123456-01",
        Err(Reject::ZeroId),
    );
    check(
        "00-12345678901234567890123456789012-0000000000000000-01",
        Err(Reject::ZeroId),
    );
}

#[test]
fn more_than_one_header_is_none() {
    let other = "00-12345678901234567890123456789011-1234567890123456-01";
    for second in [PLAIN, other, ""] {
        let remote = read(&[
            ("traceparent", PLAIN),
            ("traceparent", second),
            ("tracestate", "foo=1"),
        ]);
        assert_eq!(remote.parent, None);
        assert_eq!(
            remote.tracestate, None,
            "without a parent there is no tracestate"
        );
        assert_eq!(remote.dropped.traceparent, Some(Reject::Duplicate));
    }
}

#[test]
fn names_are_read_in_any_case_and_no_other_spelling() {
    for name in ["traceparent", "TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        assert_eq!(read(&[(name, PLAIN)]).parent, Some(plain(1)), "{name}");
    }
    for name in ["trace-parent", "trace.parent"] {
        assert_eq!(read(&[(name, PLAIN)]), Remote::default(), "{name}");
    }
}

#[test]
fn written_in_lower_case_with_known_flags_only() {
    let parent = TraceParent {
        trace_id: TraceId::from(0xabcd_ef00_0000_0000_0000_0000_0000_0001),
        span_id: SpanId::from(0xf),
        flags: TraceFlags::new(0xfd),
    };
    assert_eq!(
        parent.to_string(),
        "00-abcdef00000000000000000000000001-000000000000000f-01"
    );
}
