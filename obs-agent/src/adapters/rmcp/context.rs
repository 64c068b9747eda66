//! The context that messages bring along, in `params._meta` (SEP-414).

use super::Settings;
use crate::handlers::Run;
use obs_core::Trust;
use obs_core::current;
use obs_core::propagation::baggage::BAGGAGE;
use obs_core::propagation::traceparent::TRACEPARENT;
use obs_core::propagation::tracestate::TRACESTATE;
use obs_core::propagation::{Remote, extract};
use rmcp::model::MetaObject;

/// What a message says of where it stands; nothing where it says nothing.
pub(super) fn read(meta: &MetaObject, settings: &Settings) -> Option<Remote> {
    if meta.is_empty() {
        return None;
    }
    // What nobody takes over is not even read, however long it is.
    let takes = settings.trust == Trust::Trusted && settings.baggage != Default::default();
    let baggage = meta.get_baggage().filter(|_| takes);
    let remote = extract(
        meta.get_traceparent().map(str::as_bytes),
        meta.get_tracestate().map(str::as_bytes),
        baggage.map(str::as_bytes),
    );
    let says = !remote.is_empty() || remote.dropped != Default::default();
    says.then_some(remote)
}

/// Writes where whatever is sent by the run stands: within its span, or what is around it where it has none.
pub(super) fn write(run: &Run, meta: &mut MetaObject, settings: &Settings) {
    if settings.is_silent {
        return;
    }
    run.in_scope(|| {
        current::inject(|name, value| match name {
            TRACEPARENT => meta.set_traceparent(value),
            TRACESTATE => meta.set_tracestate(value),
            BAGGAGE => meta.set_baggage(value),
            _ => {}
        })
    });
}
