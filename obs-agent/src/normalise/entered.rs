//! The run of the span that is entered here.

use super::layer::{IN_USE, inner, reveal};
use super::open::{self, Open};
use crate::run::RunRef;
use std::sync::atomic::Ordering;
use tracing_core::{Subscriber, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

/// It, if it is the inner one of that and the run which is polled here.
///
/// The registry knows which span is current, so that nothing of ours has to be kept in step with it. With a registry of somebody
/// else's there is none.
pub(crate) fn entered(polled: Option<&RunRef>) -> Option<RunRef> {
    if !IN_USE.load(Ordering::Relaxed) {
        return None;
    }
    let span = dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let current = registry.current_span();
        let span = registry.span(current.id()?)?;
        let mut scope = span.scope();
        scope.find_map(|span| {
            // Something begins in it.
            if open::begin(&span, true) {
                reveal(&span);
            }
            let extensions = span.extensions();
            extensions.get::<Open>().map(|open| open.run().cloned())
        })?
    })?;
    let chosen = inner(Some(span), polled.cloned())?;
    let is_polled = polled.is_some_and(|polled| polled.id() == chosen.id());
    (!is_polled).then_some(chosen)
}
