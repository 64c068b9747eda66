//! Random operations through the public API: what the oracle decodes is what was done to them.

use crate::said::*;
use crate::script::*;
use crate::support::*;
use obs_core::sampling::HeadSampler;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{self as proto, Span};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

#[track_caller]
fn only_span(body: &[u8], script: &Script) -> Span {
    let request: ExportTraceServiceRequest = decode(body);
    assert_eq!(request.resource_spans.len(), 1);
    let of_resource = &request.resource_spans[0];
    let resource = of_resource.resource.as_ref().expect("a resource");
    let expected: BTreeMap<_, _> = wire_pairs(&resource_attributes()).into_iter().collect();
    assert_eq!(attributes(&resource.attributes), expected);
    assert_eq!(of_resource.schema_url, RESOURCE_SCHEMA);
    assert_eq!(of_resource.scope_spans.len(), 1);
    let of_scope = &of_resource.scope_spans[0];
    let scope = if script.internal {
        &OTHER_SCOPE
    } else {
        &SCOPE
    };
    let decoded = of_scope.scope.as_ref().expect("a scope");
    assert_eq!(
        (&*decoded.name, &*decoded.version),
        (scope.name, scope.version)
    );
    assert_eq!(of_scope.schema_url, scope.schema_url);
    assert_eq!(of_scope.spans.len(), 1);
    of_scope.spans[0].clone()
}

/// The span against the model of what was done.
#[track_caller]
fn is_what_was_done(span: &Span, script: &Script, model: &Model, reason: Option<&str>) {
    let (trace, parent, state, remote) = match &script.from {
        From::Root | From::Stranger(_) => (None, None, String::new(), false),
        From::Remote(parent, state) => {
            let (trace, span) = (parent.trace_id, parent.span_id);
            (Some(trace), Some(span), state.clone(), true)
        }
        From::Context(context) => (
            Some(context.trace_id()),
            Some(context.span_id()),
            context.trace_state().header(),
            context.is_remote(),
        ),
    };
    if let Some(trace) = trace {
        assert_eq!(span.trace_id, trace.to_bytes());
    }
    let parent = parent.map(|id| id.to_bytes().to_vec());
    assert_eq!(span.parent_span_id, parent.unwrap_or_default());
    assert_eq!(span.trace_state, state);
    assert_eq!(span.flags & 0x300, if remote { 0x300 } else { 0x100 });
    let kind = if script.internal {
        proto::span::SpanKind::Internal
    } else {
        proto::span::SpanKind::Server
    };
    assert_eq!(span.kind, kind as i32);
    assert_eq!(span.start_time_unix_nano, model.start);
    assert_eq!(span.end_time_unix_nano, model.start + model.elapsed);
    let mut expected = model.attributes();
    if let Some(reason) = reason {
        expected.insert("obs.keep.reason".into(), wire(&reason.to_owned().into()));
        expected.insert("obs.trace.partial".into(), wire(&true.into()));
    }
    assert_same(&attributes(&span.attributes), &expected);
    assert_eq!(span.name, model.name(script));
    let (points, added) = span.events.split_at(model.stamps.len());
    let points: Vec<_> = points
        .iter()
        .map(|event| (event.name.as_str(), event.time_unix_nano))
        .collect();
    let at = |(name, after): &(&'static str, u64)| (*name, model.start + after);
    let stamps: Vec<_> = model.stamps.iter().map(at).collect();
    assert_eq!(points, stamps);
    assert_eq!(added.len(), model.events.len());
    for (event, (name, after, attributes)) in added.iter().zip(&model.events) {
        assert_eq!(&event.name, name);
        assert_eq!(event.time_unix_nano, model.start + after);
        assert_same(&pairs_of(&event.attributes), attributes);
    }
    assert_eq!(span.links.len(), model.links.len());
    for (link, (to, attributes)) in span.links.iter().zip(&model.links) {
        agrees_link(link, to);
        assert_same(&pairs_of(&link.attributes), attributes);
    }
    assert_eq!(status(span), model.status);
}

/// Runs random scripts under `sampler`. `forced`: each is kept by force, against the head decision.
fn check_scripts(sampler: HeadSampler, forced: bool) {
    let bench = Bench::new(|builder| builder.with_sampler(sampler), said);
    let run = |mut script: Script| {
        script.forced = forced;
        let model = perform(&bench, &script);
        let captured = bench.collect();
        prop_assert_eq!(captured.records.len(), 1);
        prop_assert_eq!(captured.bodies.len(), 1);
        let (body, items) = &captured.bodies[0];
        prop_assert_eq!(*items, 1);
        let span = only_span(body, &script);
        agrees(&span, &captured.records[0]);
        is_what_was_done(&span, &script, &model, forced.then_some("forced"));
        Ok(())
    };
    TestRunner::new(Config::with_cases(512))
        .run(&script(), run)
        .unwrap();
}

#[test]
fn what_was_done_to_a_sampled_operation_is_what_is_decoded() {
    check_scripts(HeadSampler::always_on(), false);
}

#[test]
fn what_was_done_to_an_operation_kept_by_force_is_what_is_decoded() {
    check_scripts(HeadSampler::always_off(), true);
}
