//! What comes in and goes out with a request, case by case: the rules of the W3C's trace-context suite in our words,
//! properties over any bytes, and OpenTelemetry's own propagators beside ours.

// Under loom there is no SDK to compare with.
#![cfg(not(loom))]

#[path = "properties/parsers.rs"]
mod properties;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use obs_core::ids::{IdGenerator, RandomIds, Rng};
use obs_core::propagation::baggage::{Allow, Baggage};
use obs_core::propagation::ot::{Ot, encode_threshold};
use obs_core::propagation::traceparent::{self, Reject, TraceParent};
use obs_core::propagation::tracestate::{self, Invalid, TraceState, read_ot, set_ot};
use obs_core::propagation::{Propagator, Remote, extract};
use obs_core::sampling::{Decision, HeadSampler};
use obs_core::trust::{Accepted, Trust, apply};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{SpanId, TraceContextExt, TraceFlags, TraceId};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use proptest::prelude::*;

const TRACE: u128 = 0x1234_5678_9012_3456_7890_1234_5678_9012;
const SPAN: u64 = 0x1234_5678_9012_3456;
const PLAIN: &str = "00-12345678901234567890123456789012-1234567890123456-01";

fn plain(flags: u8) -> TraceParent {
    TraceParent {
        trace_id: TRACE.into(),
        span_id: SPAN.into(),
        flags: TraceFlags::new(flags),
    }
}

/// Headers as a server sees them: names in any case, values in their order.
struct Headers<'a>(&'a [(&'a str, &'a str)]);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).map(|values| values[0])
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let of_key = self
            .0
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(key));
        let values: Vec<_> = of_key.map(|(_, value)| *value).collect();
        (!values.is_empty()).then_some(values)
    }
}

fn read(headers: &[(&str, &str)]) -> Remote {
    Propagator::W3c.extract(&Headers(headers))
}

mod parent {
    use super::*;

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
}

mod state {
    use super::*;

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
    fn duplicate_keys_are_invalid() {
        check(&["foo=1,foo=1"], Err(Invalid::DuplicateKey));
        check(&["foo=1,foo=2"], Err(Invalid::DuplicateKey));
        check(&["foo=1", "foo=2"], Err(Invalid::DuplicateKey));
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
    fn tenants_and_systems_have_their_form() {
        for key in ["foo@", "@foo", "foo@@bar", "foo@bar@baz"] {
            check(&[&format!("{key}=1,bar=2")], Err(Invalid::Key));
        }
        let (t241, v14) = ("t".repeat(241), "v".repeat(14));
        check(
            &[&format!("foo=1,{t241}@{v14}=1")],
            Ok(&format!("foo=1,{t241}@{v14}=1")),
        );
        check(&[&format!("foo=1,{t241}t@v=1")], Err(Invalid::Key));
        check(&[&format!("foo=1,t@{v14}v=1")], Err(Invalid::Key));
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
        let remote = read(&[("traceparent", PLAIN), ("tracestate", "foo=1,foo=2")]);
        assert_eq!((remote.parent, remote.tracestate), (Some(plain(1)), None));
        assert_eq!(remote.dropped.tracestate, Some(Invalid::DuplicateKey));
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
}

mod luggage {
    use super::*;

    #[track_caller]
    fn check(headers: &[&str], expect: &[(&str, &str, &str)], dropped: usize) {
        let (baggage, counted) =
            Baggage::from_headers(headers.iter().map(|value| value.as_bytes()));
        let read: Vec<_> = baggage.iter().collect();
        let read: Vec<_> = read
            .iter()
            .map(|e| (e.key, e.value.as_ref(), e.properties))
            .collect();
        assert_eq!((read.as_slice(), counted), (expect, dropped), "{headers:?}");
    }

    #[test]
    fn members_are_read_in_order_from_all_headers() {
        check(
            &["userId=alice", "serverNode=DF%2028,isProduction=false"],
            &[
                ("userId", "alice", ""),
                ("serverNode", "DF 28", ""),
                ("isProduction", "false", ""),
            ],
            0,
        );
        check(&[""], &[], 0);
        check(&[",a=1,, ,"], &[("a", "1", "")], 0);
    }

    #[test]
    fn white_space_is_trimmed_and_properties_are_kept() {
        check(
            &[
                "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
            ],
            &[
                ("key1", "value1", "property1;property2"),
                ("key2", "value2", ""),
                ("key3", "value3", "propertyKey=propertyValue"),
            ],
            0,
        );
    }

    #[test]
    fn values_are_decoded() {
        check(&["a=%E2%82%AC%20b%2cc"], &[("a", "€ b,c", "")], 0);
        check(&["a=b=c==,d="], &[("a", "b=c==", ""), ("d", "", "")], 0);
        check(&["a=100%,b=%zz"], &[("a", "100%", ""), ("b", "%zz", "")], 0);
        check(&["a=%ff"], &[("a", "\u{fffd}", "")], 0);
    }

    #[test]
    fn broken_members_are_dropped_and_counted() {
        check(&["flag,a=1"], &[("a", "1", "")], 1);
        check(&["a b=1,(x)=2,=3,ok=4"], &[("ok", "4", "")], 3);
        check(&["a=\"q\",b=x\\y,c=€,d=p q,ok=4"], &[("ok", "4", "")], 4);
        check(&["a=1;p q,b=2;x=\",c=3"], &[("c", "3", "")], 2);
    }

    #[test]
    fn limits_hold_and_what_is_beyond_is_counted() {
        let many = (0..70)
            .map(|n| format!("k{n}=v"))
            .collect::<Vec<_>>()
            .join(",");
        let (baggage, dropped) = Baggage::from_headers([many.as_bytes()]);
        assert_eq!((baggage.iter().count(), dropped), (64, 6));
        let (half, rest) = ("x".repeat(5000), "y".repeat(4000));
        let (baggage, dropped) =
            Baggage::from_headers([format!("a={half},b={rest},c=1").as_bytes()]);
        assert_eq!(
            baggage.iter().map(|e| e.key).collect::<Vec<_>>(),
            ["a", "c"]
        );
        assert_eq!(dropped, 1);
    }

    #[test]
    fn entries_cannot_smuggle_members() {
        let entries = [
            ("a", "1,evil=2;x", ""),
            ("b,evil", "1", ""),
            ("c=evil", "1", ""),
            (" d", "1", ""),
            ("e", "1", "p,evil=1"),
            ("f", "€", "p=q;r"),
        ];
        let (baggage, dropped) = Baggage::from_entries(entries);
        assert_eq!(baggage.as_str(), "a=1%2Cevil%3D2%3Bx,f=%E2%82%AC;p=q;r");
        assert_eq!(dropped, 4);
        assert_eq!(baggage.get("a").as_deref(), Some("1,evil=2;x"));
    }

    #[test]
    fn the_last_of_two_counts() {
        let (baggage, _) = Baggage::from_headers([b"a=1,b=2,a=3".as_slice()]);
        assert_eq!(baggage.get("a").as_deref(), Some("3"));
        assert_eq!(
            baggage.to_otel().get("a").map(|value| value.as_str()),
            Some("3")
        );
        assert_eq!(baggage.get("c"), None);
    }

    #[test]
    fn only_what_is_allowed_is_kept() {
        let (baggage, _) =
            Baggage::from_headers([b"tenant=1,app.a=2;p,app.b=3,secret=4".as_slice()]);
        let kept = |allow: Allow| baggage.keep(&allow).to_string();
        assert_eq!(kept(Allow::none()), "");
        assert_eq!(kept(Allow::default()), "");
        assert_eq!(kept(Allow::names(["tenant"])), "tenant=1");
        assert_eq!(kept(Allow::names(["app.*", "ten"])), "app.a=2;p,app.b=3");
        assert_eq!(kept(Allow::all()), baggage.as_str());
    }
}

mod believing {
    use super::*;

    fn remote() -> Remote {
        read(&[
            ("traceparent", PLAIN),
            ("tracestate", "foo=1"),
            ("baggage", "a=1"),
        ])
    }

    #[test]
    fn a_trusted_caller_is_the_parent() {
        let remote = remote();
        let accepted = apply(Trust::Trusted, remote.clone());
        assert_eq!(accepted.parent, Some(plain(1)));
        assert_eq!(accepted.link, None);
        assert_eq!(
            (accepted.tracestate, accepted.baggage),
            (remote.tracestate, remote.baggage)
        );
    }

    #[test]
    fn a_stranger_is_linked_and_nothing_of_it_is_carried() {
        let accepted = apply(Trust::LinkOnly, remote());
        assert_eq!(
            accepted,
            Accepted {
                link: Some(plain(1)),
                ..Accepted::default()
            }
        );
        let link = accepted.link_context().expect("linked");
        assert!(link.is_remote() && link.trace_state().header().is_empty());
    }
}

mod sampling {
    use super::*;

    #[track_caller]
    fn sampler(name: &str, arg: Option<&str>) -> HeadSampler {
        HeadSampler::from_env_values(Some(name), arg).expect("known")
    }

    #[test]
    fn the_variables_name_the_samplers() {
        let quarter = HeadSampler::ratio(0.25).expect("a share");
        for (name, arg, expect) in [
            ("always_on", None, HeadSampler::always_on()),
            ("always_off", None, HeadSampler::always_off()),
            (
                "always_on",
                Some("nonsense nobody asked for"),
                HeadSampler::always_on(),
            ),
            ("traceidratio", Some("0.25"), quarter),
            (
                "traceidratio",
                None,
                HeadSampler::ratio(1.0).expect("a share"),
            ),
            ("parentbased_always_on", None, HeadSampler::default()),
            (
                "parentbased_always_off",
                None,
                HeadSampler::always_off().parent_based(),
            ),
            (
                " ParentBased_TraceIdRatio ",
                Some(" 0.25 "),
                quarter.parent_based(),
            ),
            ("", None, HeadSampler::default()),
        ] {
            assert_eq!(sampler(name, arg), expect, "{name} {arg:?}");
        }
        assert_eq!(
            HeadSampler::from_env_values(None, Some("0.5")),
            Ok(HeadSampler::default())
        );
    }

    #[test]
    fn what_cannot_be_is_an_error_with_a_way_on() {
        let all = HeadSampler::ratio(1.0).expect("a share");
        for (name, arg, fallback, said) in [
            (
                "jaeger_remote",
                None,
                HeadSampler::default(),
                "jaeger_remote",
            ),
            ("traceidratio", Some("1.5"), all, "1.5"),
            ("traceidratio", Some("-0.1"), all, "-0.1"),
            ("traceidratio", Some("NaN"), all, "NaN"),
            (
                "parentbased_traceidratio",
                Some("half"),
                all.parent_based(),
                "half",
            ),
        ] {
            let error = HeadSampler::from_env_values(Some(name), arg).expect_err(name);
            assert_eq!(error.fallback(), fallback, "{name}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn a_parent_decides_where_it_is_asked() {
        for (sampler, with_sampled, with_unsampled, root) in [
            (HeadSampler::default(), true, false, true),
            (HeadSampler::always_off().parent_based(), true, false, false),
            (HeadSampler::always_on(), true, true, true),
            (HeadSampler::always_off(), false, false, false),
        ] {
            let decide = |parent: Option<TraceParent>| {
                let decision = sampler.decide(parent.as_ref(), TRACE.into(), "");
                assert_eq!(
                    (decision.threshold, decision.changes_tracestate),
                    (None, false)
                );
                decision.sampled
            };
            assert_eq!(decide(Some(plain(1))), with_sampled, "{sampler:?}");
            assert_eq!(decide(Some(plain(0))), with_unsampled, "{sampler:?}");
            assert_eq!(decide(None), root, "{sampler:?}");
        }
    }

    #[test]
    fn thresholds_are_those_of_the_specification() {
        // Its table for four digits of precision.
        for (one_in, threshold) in [
            (1, "0"),
            (2, "8"),
            (3, "aaab"),
            (4, "c"),
            (5, "cccd"),
            (8, "e"),
            (10, "e666"),
            (16, "f"),
            (100, "fd70a"),
            (1_000, "ffbe77"),
            (10_000, "fff9724"),
            (100_000, "ffff583a"),
            (1_000_000, "ffffef39"),
        ] {
            let sampler = HeadSampler::ratio(1.0 / f64::from(one_in)).expect("a share");
            let decision = sampler.decide(None, TraceId::from(u128::MAX), "");
            assert_eq!(
                decision.threshold.map(encode_threshold).as_deref(),
                Some(threshold),
                "1 in {one_in}"
            );
        }
        assert_eq!(HeadSampler::ratio(0.0), Ok(HeadSampler::always_off()));
        assert_eq!(
            HeadSampler::ratio(f64::MIN_POSITIVE),
            Ok(HeadSampler::always_off())
        );
    }

    #[test]
    fn randomness_is_the_end_of_the_trace_id_or_rv() {
        let half = HeadSampler::ratio(0.5).expect("a share");
        let decide = |trace: u128, state: &str| half.decide(None, TraceId::from(trace), state);
        let yes = Decision {
            sampled: true,
            threshold: Some(1 << 55),
            changes_tracestate: true,
        };
        let no = Decision {
            sampled: false,
            threshold: None,
            changes_tracestate: false,
        };
        assert_eq!(decide(1 << 55, ""), yes, "the threshold itself is in");
        assert_eq!(decide((1 << 55) - 1, ""), no);
        assert_eq!(
            decide(u128::MAX << 56, ""),
            no,
            "the upper bytes have no say"
        );
        assert_eq!(decide(0, "ot=rv:80000000000000"), yes);
        assert_eq!(decide(u128::MAX, "ot=rv:7fffffffffffff"), no);
        assert_eq!(
            decide(1 << 55, "ot=th:8"),
            Decision {
                changes_tracestate: false,
                ..yes
            }
        );
    }

    #[test]
    fn a_parents_threshold_holds_on_if_it_can_be_true() {
        let decide = |flags, state: &str| {
            let decision = HeadSampler::default().decide(
                Some(&plain(flags)),
                TraceId::from(1_u128 << 55),
                state,
            );
            (decision.threshold, decision.changes_tracestate)
        };
        assert_eq!(decide(1, "ot=th:8"), (Some(1 << 55), false));
        assert_eq!(decide(1, "foo=1"), (None, false));
        assert_eq!(
            decide(1, "ot=th:c"),
            (None, true),
            "sampled although its randomness is below"
        );
        assert_eq!(
            decide(0, "ot=th:8"),
            (None, true),
            "not sampled: stands for nothing"
        );
        let on = HeadSampler::always_on().decide(Some(&plain(1)), TRACE.into(), "ot=th:8");
        assert_eq!(
            (on.threshold, on.changes_tracestate),
            (None, true),
            "the parent's share is not ours"
        );
    }

    #[test]
    fn shares_are_kept_and_nested() {
        const TRACES: u32 = 200_000;
        let shares = [0.001, 0.01, 0.1, 0.25, 0.5, 0.9, 0.999];
        let mut rng = Rng::from_seed(20);
        let mut counts = [0_u32; 7];
        for _ in 0..TRACES {
            let trace = rng.trace_id();
            let sampled = shares.map(|share| {
                HeadSampler::ratio(share)
                    .expect("a share")
                    .decide(None, trace, "")
                    .sampled
            });
            assert!(
                sampled.is_sorted(),
                "what a share keeps, every larger share keeps"
            );
            counts
                .iter_mut()
                .zip(sampled)
                .for_each(|(count, sampled)| *count += u32::from(sampled));
        }
        for (share, count) in shares.into_iter().zip(counts) {
            let (n, expected) = (f64::from(TRACES), share * f64::from(TRACES));
            let deviation = (n * share * (1.0 - share)).sqrt();
            assert!(
                (f64::from(count) - expected).abs() < 4.0 * deviation,
                "{share}: {count} of {TRACES}"
            );
        }
    }

    #[test]
    fn generated_ids_are_random_where_samplers_look() {
        assert!(RandomIds.has_random_trace_ids());
        let tenth = HeadSampler::ratio(0.1).expect("a share");
        let sampled = (0..100_000)
            .filter(|_| tenth.decide(None, RandomIds.new_trace_id(), "").sampled)
            .count();
        assert!(
            (9_300..10_700).contains(&sampled),
            "{sampled}: seven standard deviations around 10,000"
        );
    }
}

mod adapters {
    use super::*;

    fn full() -> Remote {
        let (baggage, _) =
            Baggage::from_entries([("user", "Zoë, 2nd;=", "p=q"), ("plain", "1", "")]);
        let tracestate = TraceState::from_headers([b"ot=th:8,foo=1".as_slice()]).expect("valid");
        Remote {
            parent: Some(plain(3)),
            tracestate,
            baggage,
            ..Remote::default()
        }
    }

    fn sent(propagator: &Propagator, outgoing: &Remote) -> HashMap<String, String> {
        let mut carrier = HashMap::new();
        propagator.inject(outgoing, &mut carrier);
        carrier
    }

    fn theirs() -> Propagator {
        Propagator::Custom(Arc::new(TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ])))
    }

    #[test]
    fn what_goes_out_comes_in() {
        let carrier = sent(&Propagator::W3c, &full());
        assert_eq!(carrier.len(), 3);
        assert_eq!(Propagator::W3c.extract(&carrier), full());
        assert!(
            sent(&Propagator::W3c, &Remote::default()).is_empty(),
            "no empty headers"
        );
    }

    #[test]
    fn formats_are_chosen() {
        let sent = |propagator: Propagator| {
            let mut names: Vec<_> = sent(&propagator, &full()).into_keys().collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(sent(Propagator::W3c), "baggage traceparent tracestate");
        assert_eq!(sent(Propagator::TraceContext), "traceparent tracestate");
        assert_eq!(sent(Propagator::Baggage), "baggage");
        assert_eq!(sent(Propagator::None), "");
        let carrier = adapters::sent(&Propagator::W3c, &full());
        assert_eq!(Propagator::None.extract(&carrier), Remote::default());
        assert_eq!(
            Propagator::TraceContext.extract(&carrier).baggage,
            Baggage::EMPTY
        );
        assert_eq!(Propagator::Baggage.extract(&carrier).parent, None);
    }

    #[test]
    fn the_variable_names_them() {
        let read =
            |value| Propagator::from_env_value(value).map(|propagator| format!("{propagator:?}"));
        assert_eq!(read("tracecontext,baggage").as_deref(), Ok("W3c"));
        assert_eq!(read(" Baggage , tracecontext").as_deref(), Ok("W3c"));
        assert_eq!(read("").as_deref(), Ok("W3c"));
        assert_eq!(read("tracecontext").as_deref(), Ok("TraceContext"));
        assert_eq!(read("baggage").as_deref(), Ok("Baggage"));
        assert_eq!(read("none").as_deref(), Ok("None"));
        assert_eq!(read("tracecontext,b3"), Err("b3".to_owned()));
    }

    #[test]
    fn any_propagator_of_opentelemetry_can_stand_in() {
        let (ours, theirs) = (Propagator::W3c, theirs());
        let sorted = |remote: Remote| {
            let mut entries: Vec<_> = remote.baggage.iter().map(|e| format!("{e:?}")).collect();
            entries.sort(); // their baggage has no order
            (remote.parent, remote.tracestate, entries)
        };
        // Their trace context knows no `random` flag.
        let expected = sorted(Remote {
            parent: Some(plain(1)),
            ..full()
        });
        assert_eq!(sorted(theirs.extract(&sent(&ours, &full()))), expected);
        assert_eq!(sorted(ours.extract(&sent(&theirs, &full()))), expected);
        assert_eq!(theirs.extract(&HashMap::new()), Remote::default());
    }
}

mod corpus {
    use super::*;

    #[track_caller]
    fn replay(name: &str, check: impl Fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/corpus")
            .join(name);
        let mut inputs = 0;
        for file in fs::read_dir(&folder).expect("the corpus is committed") {
            check(&fs::read(file.expect("readable").path()).expect("readable"));
            inputs += 1;
        }
        assert!(inputs >= 20, "{inputs} inputs in {}", folder.display());
    }

    #[test]
    fn traceparent() {
        replay("traceparent", |input| {
            properties::traceparent::check(traceparent::parse, input)
        });
    }

    #[test]
    fn tracestate() {
        replay("tracestate", |input| {
            properties::tracestate::check(
                |headers, out| tracestate::combine(headers.iter().copied(), out),
                input,
            );
        });
    }

    #[test]
    fn baggage() {
        replay("baggage", |input| {
            properties::baggage::check(properties::baggage::parse, input)
        });
    }
}

/// Bytes that are nearly right: a valid text with a few bytes changed, put in or taken out.
fn nearly(valid: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..4);
    (valid, edits).prop_map(|(valid, edits)| {
        let mut bytes = valid.into_bytes();
        for (at, byte, how) in edits {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                2 if at < bytes.len() => _ = bytes.remove(at),
                _ => {}
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_hold_the_properties(input in prop::collection::vec(any::<u8>(), 0..200)) {
        properties::traceparent::check(traceparent::parse, &input);
        properties::tracestate::check(|headers, out| tracestate::combine(headers.iter().copied(), out), &input);
        properties::baggage::check(properties::baggage::parse, &input);
    }

    #[test]
    fn nearly_valid_parents_hold_the_properties(
        input in nearly("[ \t]{0,1}(00|01|cc|ff)-[0-9a-f]{32}-[0-9a-f]{16}-(0[0-3]|[0-9a-f]{2})(-[ -~]{0,8}){0,1}"),
    ) {
        properties::traceparent::check(traceparent::parse, &input);
    }

    #[test]
    fn nearly_valid_tracestates_hold_the_properties(
        input in nearly("([a-z0-9][a-z0-9_*/-]{0,6}(@[a-z]{1,3}){0,1}=[!-+.-<>-~]{1,40}[,\n][ \t]{0,1}){0,34}(ot=(th:[0-9a-f]{1,15}|rv:[0-9a-f]{13,15}|;|[a-z]{1,2}:x){0,4}){0,1}"),
    ) {
        properties::tracestate::check(|headers, out| tracestate::combine(headers.iter().copied(), out), &input);
    }

    #[test]
    fn nearly_valid_baggage_holds_the_properties(
        input in nearly("([!#a-z]{1,5} {0,1}= {0,1}([a-z=]|%[0-9A-Fa-f]{1,2}){0,9}(;[a-z]{0,3}(=[a-z]{0,3}){0,1}){0,2}[,\n] {0,1}){0,66}"),
    ) {
        properties::baggage::check(properties::baggage::parse, &input);
    }

    #[test]
    fn any_parent_is_read_as_written(trace in 1..=u128::MAX, span in 1..=u64::MAX, flags in 0..4_u8) {
        let parent = TraceParent { trace_id: trace.into(), span_id: span.into(), flags: TraceFlags::new(flags) };
        prop_assert_eq!(traceparent::parse(parent.to_string().as_bytes()), Ok(parent));
    }

    #[test]
    fn any_entries_are_read_as_written(
        entries in prop::collection::vec(("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,9}", any::<String>()), 0..9),
    ) {
        let (baggage, dropped) = Baggage::from_entries(entries.iter().map(|(key, value)| (key.as_str(), value.as_str(), "")));
        prop_assert_eq!(dropped, 0);
        let (read, dropped) = Baggage::from_headers([baggage.as_str().as_bytes()]);
        prop_assert_eq!(dropped, 0);
        let read: Vec<_> = read.iter().map(|e| (e.key.to_owned(), e.value.into_owned())).collect();
        prop_assert_eq!(read, entries);
    }

    /// What we accept, OpenTelemetry's propagator accepts, and reads alike. Not the other way round: it also takes ids
    /// of other lengths, signs, any white space, and the first of several headers.
    #[test]
    fn the_sdk_reads_what_we_read(
        input in nearly("(00|01|cc|ff)-[0-9a-f]{32}-[0-9a-f]{16}-(0[0-3]|[0-9a-f]{2})(-[a-z-]{0,8}){0,1}"),
        state in "([a-z][a-z0-9_*/-]{0,6}(@[a-z]{1,3}){0,1}=[!-+.-<>-~]{1,9}, {0,1}){0,20}",
    ) {
        let Ok(text) = std::str::from_utf8(&input) else { return Ok(()) };
        let carrier = HashMap::from([("traceparent".to_owned(), text.to_owned()), ("tracestate".to_owned(), state.clone())]);
        let remote = extract([text.as_bytes()], [state.as_bytes()], []);
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
        let span = context.span();
        let theirs = span.span_context();
        if let Some(parent) = remote.parent {
            prop_assert_eq!(theirs.trace_id(), parent.trace_id);
            prop_assert_eq!(theirs.span_id(), parent.span_id);
            prop_assert_eq!(theirs.is_sampled(), parent.is_sampled());
            if let Some(tracestate) = &remote.tracestate {
                prop_assert_eq!(theirs.trace_state().header(), tracestate.as_str());
            }
            let mut written = HashMap::new();
            TraceContextPropagator::new().inject_context(&context, &mut written);
            let again = Propagator::TraceContext.extract(&written);
            prop_assert_eq!(again.parent.map(|parent| parent.trace_id), Some(parent.trace_id));
            if remote.tracestate.is_some() {
                prop_assert_eq!(again.tracestate, remote.tracestate);
            }
        }
    }

    #[test]
    fn the_sdk_reads_the_baggage_we_write(
        entries in prop::collection::btree_map("[a-zA-Z0-9_.-]{1,9}", "[^ \t\n\r\u{b}\u{c}\u{85}\u{a0}][\\PC&&[^\\p{White_Space}]]{0,12}", 0..9),
    ) {
        let (baggage, _) = Baggage::from_entries(entries.iter().map(|(key, value)| (key.as_str(), value.as_str(), "")));
        let mut carrier = HashMap::new();
        Propagator::Baggage.inject(&Remote { baggage, ..Remote::default() }, &mut carrier);
        let context = BaggagePropagator::new().extract_with_context(&Context::new(), &carrier);
        for (key, value) in &entries {
            prop_assert_eq!(context.baggage().get(key).map(|value| value.as_str().to_owned()), Some(value.trim().to_owned()));
        }
        prop_assert_eq!(context.baggage().len(), entries.len());
    }
}
