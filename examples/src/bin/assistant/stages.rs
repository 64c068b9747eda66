//! The stages of a call, made from the points that its span came with.

use obs_core::{Descriptor, Event};
use obs_rpc::{RPC_CLIENT, RPC_SERVER};
use obs_testing::{Kind, TreeEvent, TreeSpan};

/// What a span carries that is a call's.
const SYSTEM: &str = obs_core::semconv::rpc::SYSTEM_NAME.as_str();
/// How long the stage took.
pub(crate) const TOOK: &str = "took";

/// Puts the stages of a call in the place of the points that begin and end them. Its descriptor says which those are, as it
/// does to the histogram of stages.
pub(crate) fn show(span: &mut TreeSpan) {
    let is_call = span.attributes.iter().any(|(key, _)| key == SYSTEM);
    let descriptor: &Descriptor = match span.kind {
        Kind::Client if is_call => &RPC_CLIENT,
        Kind::Server if is_call => &RPC_SERVER,
        _ => return,
    };
    let points = std::mem::take(&mut span.events);
    let at = |event: Event| {
        let mut points = points.iter();
        points.find_map(|point| (point.name == event.name()).then_some(point.time_ns))
    };
    for stage in descriptor.stages {
        let Some((_, name)) = stage.attribute else {
            continue;
        };
        let (Some(from), to) = (at(stage.from), at(stage.to)) else {
            continue;
        };
        let mut shown = TreeEvent::new(from, name);
        // Where there is no end, the call ended in this stage.
        let took = to.map(|to| std::time::Duration::from_nanos(to.saturating_sub(from)));
        let took = took.map_or_else(|| "not over".to_owned(), |took| format!("{took:?}"));
        shown
            .attributes
            .push((TOOK.to_owned(), took.as_str().into()));
        span.events.push(shown);
    }
}
