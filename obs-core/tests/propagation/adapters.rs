//! Whole carriers, through our propagators and OpenTelemetry's.

use crate::plain;
use obs_core::propagation::baggage::Baggage;
use obs_core::propagation::tracestate::TraceState;
use obs_core::propagation::{Propagator, Remote};
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use std::collections::HashMap;
use std::sync::Arc;

fn full() -> Remote {
    let (baggage, _) = Baggage::from_entries([("user", "Zoë, 2nd;=", "p=q"), ("plain", "1", "")]);
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
    let carrier = super::adapters::sent(&Propagator::W3c, &full());
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
