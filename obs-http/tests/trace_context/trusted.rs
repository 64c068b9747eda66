//! What strangers can and cannot bring about, over real sockets: flags, baggage, trust by the request.

use crate::harness::Harness;
use crate::{cases, on_this_thread};
use obs_core::Trust;
use obs_core::propagation::baggage::Allow;
use obs_core::sampling::HeadSampler;

const BAGGAGE: &str = "tenant=acme,secret=hunter2-Zq8";

fn headers(flags: &str) -> Vec<(String, String)> {
    let traceparent = format!("00-{}-{}-{flags}", cases::TRACE, cases::PARENT);
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        of("traceparent", &traceparent),
        of("baggage", BAGGAGE),
        of("tracestate", "v=hunter2-Zq8"),
    ]
}

fn sent<'a>(call: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = call.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

#[test]
fn a_strangers_flag_neither_costs_nor_hides() {
    on_this_thread(async {
        // Who asks to be recorded where nobody is.
        let nobody = Harness::with(HeadSampler::always_off(), |layer| {
            layer.with_trust(Trust::LinkOnly)
        })
        .await;
        let calls = nobody.ask(&headers("01"), 1).await;
        let flags = sent(&calls[0], "traceparent").and_then(|text| text.rsplit('-').next());
        assert!(matches!(flags, Some("00" | "02")), "{flags:?}");
        assert_eq!(nobody.capture.records(), []);
        // Who asks not to be where all are.
        let all = Harness::start(Trust::LinkOnly).await;
        let calls = all.ask(&headers("00"), 1).await;
        let flags = sent(&calls[0], "traceparent").and_then(|text| text.rsplit('-').next());
        assert!(matches!(flags, Some("01" | "03")), "{flags:?}");
        assert!(all.exchange(1).trace_flags.is_sampled());
    });
}

#[test]
fn a_strangers_baggage_and_tracestate_go_nowhere_whatever_is_allowed() {
    on_this_thread(async {
        let harness = Harness::with(HeadSampler::always_on(), |layer| {
            layer.with_trust(Trust::LinkOnly).with_baggage(Allow::all())
        })
        .await;
        let calls = harness.ask(&headers("01"), 1).await;
        assert_eq!(
            (sent(&calls[0], "baggage"), sent(&calls[0], "tracestate")),
            (None, None)
        );
        let exchange = harness.exchange(1);
        let all = format!("{exchange:?}");
        assert!(
            !all.contains("hunter2-Zq8") && exchange.attr("tenant").is_none(),
            "{all}"
        );
    });
}

#[test]
fn of_a_trusted_callers_baggage_what_is_allowed_becomes_attributes_and_goes_on() {
    on_this_thread(async {
        let allow = Allow::names(["tenant"]);
        let harness =
            Harness::with(HeadSampler::always_on(), |layer| layer.with_baggage(allow)).await;
        let calls = harness.ask(&headers("01"), 1).await;
        assert_eq!(sent(&calls[0], "baggage"), Some("tenant=acme"));
        assert_eq!(sent(&calls[0], "tracestate"), Some("v=hunter2-Zq8"));
        let exchange = harness.exchange(1);
        assert_eq!(exchange.text("tenant"), Some("acme"));
        assert_eq!(exchange.attr("secret"), None);
    });
}

#[test]
fn what_is_allowed_by_no_name_or_speaks_of_a_secret_goes_on_and_is_no_attribute() {
    on_this_thread(async {
        for allow in [Allow::all(), Allow::names(["*", "secret"])] {
            let harness =
                Harness::with(HeadSampler::always_on(), |layer| layer.with_baggage(allow)).await;
            let calls = harness.ask(&headers("01"), 1).await;
            assert_eq!(sent(&calls[0], "baggage"), Some(BAGGAGE));
            let exchange = harness.exchange(1);
            assert_eq!(
                (exchange.attr("tenant"), exchange.attr("secret")),
                (None, None)
            );
        }
    });
}

#[test]
fn one_listener_can_trust_some_and_link_others() {
    on_this_thread(async {
        let harness = Harness::with(HeadSampler::always_on(), |layer| {
            layer.with_trust_by(|head| match head.headers.contains_key("x-from-inside") {
                true => Trust::Trusted,
                false => Trust::LinkOnly,
            })
        })
        .await;
        harness.ask(&headers("01"), 1).await;
        assert_eq!(harness.exchange(1).links.len(), 1);
        let mut inside = headers("01");
        inside.push(("x-from-inside".to_owned(), "1".to_owned()));
        harness.ask(&inside, 1).await;
        let exchange = harness.exchange(1);
        assert_eq!(
            (exchange.links.len(), exchange.trace_id.to_string()),
            (0, cases::TRACE.to_owned())
        );
    });
}
