//! `tracestate`, case by case, and the `ot` member.

use crate::{PLAIN, plain, read};
use obs_core::propagation::Remote;
use obs_core::propagation::ot::Ot;
use obs_core::propagation::tracestate::{self, Invalid, TraceState, read_ot, set_ot};

#[track_caller]
fn check(headers: &[&str], expect: Result<&str, Invalid>) {
    let mut text = String::from("before");
    let combined = tracestate::combine(headers.iter().map(|value| value.as_bytes()), &mut text);
    assert_eq!(
        combined.map(|_| &text["before".len()..]),
        expect,
        "{headers:?}"
    );
    if combined.is_err() {
        assert_eq!(text, "before");
    }
}

fn numbered(count: usize) -> String {
    (1..=count)
        .map(|n| format!("bar{n:02}={n:02}"))
        .collect::<Vec<_>>()
        .join(",")
}

#[test]
fn members_are_carried_in_order() {
    check(&["foo=1,bar=2"], Ok("foo=1,bar=2"));
    check(
        &["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
        Ok("foo=1,bar=2,rojo=1,congo=2,baz=3"),
    );
}

#[test]
fn empty_headers_and_members_are_nothing() {
    check(&[], Ok(""));
    check(&[""], Ok(""));
    check(&["foo=1", ""], Ok("foo=1"));
    check(&["", "foo=1"], Ok("foo=1"));
    check(&[",foo=1,, \t,bar=2,"], Ok("foo=1,bar=2"));
    assert_eq!(
        TraceState::from_headers([b"".as_slice(), b" , "]),
        Ok(None),
        "not sent on"
    );
}

#[test]
fn white_space_around_members_is_removed() {
    check(&["foo=1 \t , \t bar=2, \t baz=3"], Ok("foo=1,bar=2,baz=3"));
    check(&["\t foo=1 \t"], Ok("foo=1"));
    check(
        &["foo=  inner and leading  "],
        Ok("foo=  inner and leading"),
    );
}

#[test]
fn of_members_with_one_key_the_first_is_carried_and_the_others_are_counted() {
    check(&["foo=1,foo=1"], Ok("foo=1"));
    check(&["foo=1,foo=2"], Ok("foo=1"));
    check(&["foo=1,bar=3", "foo=2"], Ok("foo=1,bar=3"));
    let mut text = String::new();
    let left_out = tracestate::combine([b"a=1,b=2,a=3,a=4".as_slice()], &mut text);
    assert_eq!((left_out, &*text), (Ok(2), "a=1,b=2"));
    assert_eq!(tracestate::as_it_is(b"a=1,a=2"), None);
    check(
        &[&format!("{},bar01=2", numbered(32))],
        Err(Invalid::TooManyMembers),
    );
}

#[test]
fn all_characters_that_are_allowed_are_taken() {
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let value: String = (' '..='~').filter(|c| !matches!(c, ',' | '=')).collect();
    for member in [
        format!("{key}={value}"),
        format!("{key}@a-z0-9_-*/={value}"),
        "0=1".into(),
    ] {
        check(&[&member], Ok(&member));
    }
}

#[test]
fn other_characters_are_invalid() {
    for key in ["foo ", "FOO", "foo.bar", "_foo", "", "é"] {
        check(&[&format!("{key}=1,bar=2")], Err(Invalid::Key));
    }
    for value in ["bar=baz", "", "a\tb", "é", "\u{7f}"] {
        check(&[&format!("foo={value},bar=2")], Err(Invalid::Value));
    }
    check(&["foo,bar=2"], Err(Invalid::Member));
}

#[test]
fn an_at_sign_is_a_character_of_a_key_but_not_its_first() {
    for key in ["foo@", "foo@@bar", "foo@bar@baz", "foo@_"] {
        let member = format!("{key}=1,bar=2");
        check(&[&member], Ok(&member));
    }
    check(&["@foo=1,bar=2"], Err(Invalid::Key));
    let key = format!("{}@v", "t".repeat(254));
    check(&[&format!("{key}=1")], Ok(&format!("{key}=1")));
    check(&[&format!("t{key}=1")], Err(Invalid::Key));
}

#[test]
fn keys_and_values_have_256_characters_at_most() {
    let z = "z".repeat(256);
    check(&["foo=1", &format!("{z}=1")], Ok(&format!("foo=1,{z}=1")));
    check(&["foo=1", &format!("{z}z=1")], Err(Invalid::Key));
    check(&[&format!("foo={z}")], Ok(&format!("foo={z}")));
    check(&[&format!("foo={z}z")], Err(Invalid::Value));
}

#[test]
fn thirty_two_members_are_carried_and_thirty_three_are_not() {
    check(&[&numbered(32)], Ok(&numbered(32)));
    check(&[&numbered(33)], Err(Invalid::TooManyMembers));
    check(&[&format!(",,,{},,", numbered(32))], Ok(&numbered(32)));
}

#[test]
fn beyond_512_bytes_long_members_go_first_and_then_the_last_ones() {
    let long = format!("long={}", "x".repeat(130));
    let short: Vec<_> = (0..6).map(|n| format!("k{n}={}", "y".repeat(70))).collect();
    let rest = short.join(",");
    assert!(rest.len() < 512 && rest.len() + long.len() > 512);
    check(&[&format!("{long},{rest}")], Ok(&rest));
    let twice = format!("{rest},{}", rest.replace('k', "l"));
    let cut = format!("{rest},l0={}", "y".repeat(20));
    let mut text = String::new();
    assert_eq!(
        tracestate::combine([twice.as_bytes()], &mut text),
        Ok(6),
        "whole members only"
    );
    assert_eq!(text, rest);
    check(&[&cut], Ok(&cut));
}

#[test]
fn an_invalid_tracestate_leaves_the_parent_alone() {
    let remote = read(&[("traceparent", PLAIN), ("tracestate", "foo=1,bar=")]);
    assert_eq!((remote.parent, remote.tracestate), (Some(plain(1)), None));
    assert_eq!(remote.dropped.tracestate, Some(Invalid::Value));
}

#[test]
fn without_a_parent_it_is_discarded() {
    assert_eq!(read(&[("tracestate", "foo=1")]), Remote::default());
}

#[test]
fn names_are_read_in_any_case_and_no_other_spelling() {
    let carried = |name| read(&[("traceparent", PLAIN), (name, "foo=1")]).tracestate;
    for name in ["tracestate", "TraceState", "TrAcEsTaTe", "TRACESTATE"] {
        assert_eq!(
            carried(name).as_ref().map(TraceState::as_str),
            Some("foo=1"),
            "{name}"
        );
    }
    for name in ["trace-state", "trace.state"] {
        assert_eq!(carried(name), None, "{name}");
    }
}

#[track_caller]
fn check_ot(before: &str, threshold: Option<u64>, expect: &str) {
    let mut after = String::new();
    let complete = set_ot(
        before,
        Ot {
            threshold,
            ..read_ot(before)
        },
        &mut after,
    );
    assert_eq!(after, expect);
    assert!(complete);
}

#[test]
fn a_changed_threshold_moves_ot_to_the_left() {
    let c = Some(0xc0_0000_0000_0000);
    check_ot("", c, "ot=th:c");
    check_ot("foo=1", c, "ot=th:c,foo=1");
    check_ot("foo=1,ot=th:8,bar=2", c, "ot=th:c,foo=1,bar=2");
    check_ot(
        "foo=1,ot=p:8;th:8;rv:0123456789abcd;x:y",
        c,
        "ot=th:c;rv:0123456789abcd;p:8;x:y,foo=1",
    );
    check_ot("", Some(0), "ot=th:0");
}

#[test]
fn an_unchanged_threshold_moves_nothing() {
    check_ot(
        "foo=1,ot=x:y;th:c0",
        Some(0xc0_0000_0000_0000),
        "foo=1,ot=x:y;th:c0",
    );
    check_ot("foo=1,bar=2", None, "foo=1,bar=2");
}

#[test]
fn a_threshold_taken_away_takes_an_empty_ot_with_it() {
    check_ot("foo=1,ot=th:8", None, "foo=1");
    check_ot("ot=th:8", None, "");
    check_ot("foo=1,ot=th:8;x:y", None, "ot=x:y,foo=1");
}

#[test]
fn ot_finds_room_among_32_members() {
    let full = numbered(32);
    check_ot(&full, Some(0), &format!("ot=th:0,{}", numbered(31)));
}

#[test]
fn a_full_ot_loses_its_threshold_and_nothing_else() {
    let full = format!("ot=th:8;a:{}", "x".repeat(249));
    let mut after = String::new();
    let ot = Ot {
        threshold: Some(0x12_3456_789a_bcde),
        randomness: None,
    };
    assert!(!set_ot(&full, ot, &mut after));
    assert_eq!(after, full.replace("th:8;", ""));
}
