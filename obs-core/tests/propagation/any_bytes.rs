//! Properties over any bytes, and OpenTelemetry's own propagators beside ours.

use crate::properties;
use obs_core::propagation::baggage::Baggage;
use obs_core::propagation::traceparent::{self, TraceParent};
use obs_core::propagation::tracestate;
use obs_core::propagation::{Propagator, Remote, extract};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TraceFlags};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use proptest::prelude::*;
use std::collections::HashMap;

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

/// Of members with one key the first.
fn first_of_each(tracestate: &str) -> String {
    let mut members: Vec<(&str, &str)> = Vec::new();
    for (key, member) in tracestate
        .split(',')
        .filter_map(|it| Some((it.split_once('=')?.0, it)))
    {
        if !members.iter().any(|(known, _)| *known == key) {
            members.push((key, member));
        }
    }
    let members: Vec<_> = members.into_iter().map(|(_, member)| member).collect();
    members.join(",")
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
    /// of other lengths, signs, any white space, and the first of several headers; and it sends on what is there twice.
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
                let theirs = theirs.trace_state().header();
                prop_assert_eq!(first_of_each(&theirs), tracestate.as_str());
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
