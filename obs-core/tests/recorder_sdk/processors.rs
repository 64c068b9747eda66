//! The provider's processors, which are code of users on the thread of whoever starts and ends operations.

use crate::support::WORK;
use crate::{over, support, values};
use obs_core::otel::baggage::BaggageExt;
use obs_core::otel::trace::{Span as _, SpanId, TraceContextExt, Tracer, TracerProvider};
use obs_core::otel::{Context, KeyValue, Value};
use obs_core::{Labels, Outcome, Parent, Telemetry};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanProcessor};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A processor of the user's that sets something at the start, as baggage processors do.
#[derive(Debug)]
struct FromBaggage;

impl SpanProcessor for FromBaggage {
    fn on_start(&self, span: &mut opentelemetry_sdk::trace::Span, context: &Context) {
        for (key, (value, _)) in context.baggage() {
            span.set_attribute(KeyValue::new(key.clone(), value.as_str().to_owned()));
        }
    }

    fn on_end(&self, _: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[test]
fn processors_see_the_start_with_the_baggage_around_it() {
    let over = over(|builder| builder.with_span_processor(FromBaggage));
    let context = Context::current_with_baggage([KeyValue::new("tenant", "acme")]);
    let attached = context.attach();
    over.start("a", Parent::Root).end(Outcome::ANSWERED);
    // An explicit root inside a user's span keeps the baggage and not the span.
    let tracer = over.provider.tracer("user");
    let user = tracer.start("user");
    let inside = Context::current_with_span(user).attach();
    over.start("b", Parent::Root).end(Outcome::ANSWERED);
    over.start("c", Parent::Current).end(Outcome::ANSWERED);
    drop((inside, attached));
    let spans = over.spans();
    let of = |name: &str| spans.iter().find(|span| span.name == name).expect(name);
    for name in ["work a", "work b", "work c"] {
        assert_eq!(values(of(name), "tenant"), [&Value::from("acme")], "{name}");
    }
    assert_eq!(of("work b").parent_span_id, SpanId::INVALID);
    assert_ne!(
        of("work b").span_context.trace_id(),
        of("user").span_context.trace_id()
    );
    assert_eq!(
        of("work c").parent_span_id,
        of("user").span_context.span_id()
    );
}

/// Panics in one of its calls. In both it would end the process, which nobody can help: the SDK drops the span that it could
/// not start while it unwinds, and that drop ends it.
#[derive(Debug)]
struct Panics {
    at_start: bool,
}

impl SpanProcessor for Panics {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {
        assert!(!self.at_start, "at the start");
    }

    fn on_end(&self, _: SpanData) {
        assert!(self.at_start, "at the end");
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[test]
fn a_processor_that_panics_fails_nobody() {
    for at_start in [true, false] {
        let over = over(|builder| builder.with_span_processor(Panics { at_start }));
        let mut operation = over.start("a", Parent::Root);
        assert!(operation.scope(|| Context::current().span().span_context().is_valid()));
        operation.end(Outcome::ANSWERED);
        let counts = over.telemetry.counts();
        assert!(counts.panics >= 1, "at the start: {at_start}");
        assert_eq!(support::points::in_flight(&over.telemetry), 0);
    }
}

/// Starts operations of the same telemetry when one ends, three deep.
#[derive(Clone, Debug, Default)]
struct StartsMore(Arc<Mutex<(Option<Telemetry>, u32)>>);

impl SpanProcessor for StartsMore {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}

    fn on_end(&self, _: SpanData) {
        let telemetry = {
            let mut state = self.0.lock().unwrap();
            state.1 += 1;
            state.0.filter(|_| state.1 <= 3)
        };
        if let Some(telemetry) = telemetry {
            let kind = telemetry.kind(&WORK);
            kind.start(Labels::NONE, Parent::Root)
                .end(Outcome::ANSWERED);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[test]
fn a_processor_may_start_operations_of_its_own() {
    let more = StartsMore::default();
    let over = over(|builder| builder.with_span_processor(more.clone()));
    more.0.lock().unwrap().0 = Some(over.telemetry);
    over.start("a", Parent::Root).end(Outcome::ANSWERED);
    assert_eq!(over.spans().len(), 4);
}
