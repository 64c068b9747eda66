//! The head decision, and shares of traces.

use crate::{TRACE, plain};
use obs_core::ids::{IdGenerator, RandomIds, Rng};
use obs_core::propagation::ot::encode_threshold;
use obs_core::propagation::traceparent::TraceParent;
use obs_core::sampling::{Decision, HeadSampler};
use opentelemetry::trace::TraceId;

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
        let decision =
            HeadSampler::default().decide(Some(&plain(flags)), TraceId::from(1_u128 << 55), state);
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
