//! What an operation hands on: to its children the session, to other processes the W3C's headers, to OpenTelemetry's
//! context the baggage.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::baggage::BaggageExt;
use obs_core::otel::propagation::TextMapPropagator;
use obs_core::otel::trace::TraceContextExt;
use obs_core::otel::{Context, KeyValue};
use obs_core::propagation::TraceParent;
use obs_core::propagation::baggage::Baggage;
use obs_core::trust::Trust;
use obs_core::{Outcome, Parent, Session, current};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use std::collections::HashMap;
use support::rig;

const REMOTE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn baggage(header: &str) -> Baggage {
    let (baggage, dropped) = Baggage::from_headers([header.as_bytes()]);
    assert_eq!(dropped, 0);
    baggage
}

#[test]
fn children_carry_the_session_of_their_parent() {
    let rig = rig(true);
    let mut root = rig.root("root");
    if let Some(mut active) = root.active() {
        active.set_session(Session::new("s-1").with_user("u-7"));
    }
    root.scope(|| rig.start("child", Parent::Current).end(Outcome::ANSWERED));
    root.end(Outcome::ANSWERED);
    for record in rig.spans() {
        assert_eq!(
            record.attribute("session.id").map(|value| value.as_str()),
            Some("s-1".into()),
            "{}",
            record.name
        );
        assert_eq!(
            record.attribute("user.id").map(|value| value.as_str()),
            Some("u-7".into()),
            "{}",
            record.name
        );
    }
}

#[test]
fn what_goes_out_is_read_by_the_sdks_propagator_as_this_operation() {
    let rig = rig(true);
    let parent = obs_core::propagation::traceparent::parse(REMOTE.as_bytes()).unwrap();
    let remote = Parent::Remote {
        parent,
        tracestate: "vendor=1",
        trust: Trust::Trusted,
    };
    let mut root = rig.start("root", remote);
    let mut headers = HashMap::new();
    root.scope(|| {
        assert!(current::inject(|name, value| {
            headers.insert(name.to_owned(), value.to_owned());
        }));
    });
    let ids = root.active().unwrap().span_context();
    root.end(Outcome::ANSWERED);

    let read = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    let read = read.span().span_context().clone();
    assert_eq!(
        (read.trace_id(), read.span_id()),
        (ids.trace_id(), ids.span_id())
    );
    assert_eq!(read.trace_id(), parent.trace_id);
    assert_eq!(read.trace_state().header(), "vendor=1");
    assert!(read.is_sampled() && !headers.contains_key("baggage"));
}

#[test]
fn nothing_goes_out_where_nothing_is_current() {
    assert!(!current::inject(|name, _| panic!("{name}")));
}

#[test]
fn baggage_names_the_session_and_reaches_code_that_knows_only_opentelemetry() {
    let rig = rig(true);
    let mut root = rig.root("root");
    let given = baggage("session.id=s-2,user.id=u-8,tenant=acme");
    root.active()
        .unwrap()
        .set_session(Session::from_baggage(given));
    let mut sent = String::new();
    root.scope(|| {
        let context = Context::current();
        assert_eq!(
            context.baggage().get("tenant").map(|value| value.as_str()),
            Some("acme")
        );
        current::inject(|name, value| {
            if name == "baggage" {
                sent = value.to_owned();
            }
        });
    });
    root.end(Outcome::ANSWERED);
    assert_eq!(baggage(&sent).get("tenant").as_deref(), Some("acme"));
    let record = &rig.spans()[0];
    assert_eq!(
        record.attribute("session.id").map(|value| value.as_str()),
        Some("s-2".into())
    );
    assert_eq!(
        record.attribute("tenant"),
        None,
        "only what is asked for becomes an attribute"
    );
}

#[test]
fn a_stranger_is_linked_and_not_obeyed() {
    let rig = rig(true);
    let parent: TraceParent = obs_core::propagation::traceparent::parse(REMOTE.as_bytes()).unwrap();
    rig.start(
        "root",
        Parent::Remote {
            parent,
            tracestate: "vendor=1",
            trust: Trust::LinkOnly,
        },
    )
    .end(Outcome::ANSWERED);
    let record = &rig.spans()[0];
    assert_ne!(record.trace_id, parent.trace_id);
    assert_eq!(record.parent, None);
    assert_eq!(record.links.len(), 1);
    assert_eq!(record.links[0].0.trace_id(), parent.trace_id);
}

fn seen_baggage() -> Vec<(String, String)> {
    Context::map_current(|context| {
        let entries = context.baggage().iter();
        entries
            .map(|(key, (value, _))| (key.to_string(), value.to_string()))
            .collect()
    })
}

#[test]
fn a_strangers_baggage_in_opentelemetrys_context_is_not_seen_by_the_handler() {
    let rig = rig(true);
    let parent = obs_core::propagation::traceparent::parse(REMOTE.as_bytes()).unwrap();
    let start = |trust| {
        let tracestate = "";
        rig.start(
            "root",
            Parent::Remote {
                parent,
                tracestate,
                trust,
            },
        )
    };
    // A layer outside has read the headers, and believed them.
    let around = Context::current().with_baggage(vec![KeyValue::new("tenant", "evil")]);
    let _attached = around.attach();
    let evil = vec![("tenant".to_owned(), "evil".to_owned())];
    assert_eq!(start(Trust::Trusted).scope(seen_baggage), evil);
    assert_eq!(start(Trust::LinkOnly).scope(seen_baggage), []);
    let mut without_a_parent = rig.root("root");
    without_a_parent.active().unwrap().clear_baggage();
    assert_eq!(without_a_parent.scope(seen_baggage), []);
    // Nor by whoever works in the scope of its handle, whether that was there before or not.
    let handle = |trust| start(trust).handle().unwrap();
    assert_eq!(handle(Trust::Trusted).in_scope(seen_baggage), evil);
    assert_eq!(handle(Trust::LinkOnly).in_scope(seen_baggage), []);
    let mut late = rig.root("root");
    let before = late.handle().unwrap();
    assert_eq!(before.in_scope(seen_baggage), evil);
    late.active().unwrap().clear_baggage();
    assert_eq!(before.in_scope(seen_baggage), []);
    // What the application says itself is seen.
    let mut own = start(Trust::LinkOnly);
    own.active()
        .unwrap()
        .set_session(Session::from_baggage(baggage("tenant=own")));
    assert_eq!(
        own.scope(seen_baggage),
        [("tenant".to_owned(), "own".to_owned())]
    );
    assert_eq!(seen_baggage(), evil);
}

#[test]
fn baggage_that_a_handler_sets_is_in_opentelemetrys_context_at_the_next_poll() {
    let rig = rig(true);
    let mut root = rig.root("root");
    root.scope(|| {
        assert_eq!(seen_baggage(), []);
        let session = Session::from_baggage(baggage("tenant=acme"));
        current::with(|active| active.set_session(session)).unwrap();
    });
    assert_eq!(
        root.scope(seen_baggage),
        [("tenant".to_owned(), "acme".to_owned())]
    );
    let handle = root.handle().unwrap();
    assert_eq!(
        handle.in_scope(seen_baggage),
        [("tenant".to_owned(), "acme".to_owned())]
    );
}

#[test]
fn the_environment_chooses_the_propagator_code_beats_it_and_a_name_not_known_is_warned_about() {
    use obs_core::Telemetry;
    use obs_core::propagation::Propagator;
    use obs_core::setup::environment::Environment;
    let build = |names: &str, code: Option<Propagator>| {
        let environment =
            Environment::from_fn(|name| (name == "OTEL_PROPAGATORS").then(|| names.to_owned()));
        let mut builder = Telemetry::builder().manual().with_environment(environment);
        if let Some(code) = code {
            builder = builder.with_propagator(code);
        }
        let telemetry = builder.build().unwrap();
        let chosen = format!("{:?}", telemetry.propagator());
        (chosen, telemetry.warnings().join("\n"))
    };
    let quiet = |chosen: &str| (chosen.to_owned(), String::new());
    assert_eq!(build("", None), quiet("W3c"));
    assert_eq!(build("baggage,tracecontext", None), quiet("W3c"));
    assert_eq!(build("tracecontext", None), quiet("TraceContext"));
    assert_eq!(build("none", None), quiet("None"));
    assert_eq!(build("none", Some(Propagator::Baggage)), quiet("Baggage"));
    let (chosen, warnings) = build("tracecontext,b3", None);
    assert_eq!(chosen, "W3c");
    assert!(warnings.contains("OTEL_PROPAGATORS: `b3`"), "{warnings}");
}
